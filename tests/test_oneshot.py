"""`rlnas oneshot`: the measures by hand, and the command."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

REASON = "the extra `retrain` is not installed: no supernet here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.analysis import cli, store  # noqa: E402
from rlnas.analysis.oneshot import figure as oneshot_plot  # noqa: E402
from rlnas.analysis.oneshot import measures as oneshot_measures  # noqa: E402
from rlnas.analysis.oneshot import text as oneshot_text  # noqa: E402
from rlnas.analysis.oneshot.command import OneShot  # noqa: E402
from rlnas.analysis.oneshot.data import truth_of, write_scored  # noqa: E402
from rlnas.analysis.oneshot.report import Report, Scored, Truth  # noqa: E402
from rlnas.analysis.oneshot.train import Task, train_one  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.files import sha256  # noqa: E402
from rlnas.bench.nb101 import supernet, supernet_training  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.cell import Cell  # noqa: E402
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.nb101.sharing import parts  # noqa: E402
from rlnas.bench.nb101.supernet import Supernet  # noqa: E402
from rlnas.bench.nb101.table import Table, find  # noqa: E402
from rlnas.bench.retrain import datasets  # noqa: E402
from tables import small_table  # noqa: E402
from torch_fixtures import kept, one_thread  # noqa: E402, F401

ROOT = Path(__file__).parents[1]
CELLS = cell_list(5)[1]


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oneshot_measures, "REPLICATES", 40)


# --- measures
# ---------------------------------------------------------------------------------------


def truth(val: np.ndarray) -> Truth:
    m = len(val)
    test = val + np.linspace(0, 0.01, m)[:, None]
    return Truth(np.arange(m), CELLS[:m], val, test, val / 2, (2, 20), np.arange(m), 3.0 * m)


def test_correlations_by_hand() -> None:
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert oneshot_measures.spearman(x, y) == pytest.approx(0.8)
    assert oneshot_measures.kendall(x, y) == pytest.approx(4 / 6)
    assert np.isnan(oneshot_measures.spearman(x, np.ones(4)))


def test_picks_by_hand() -> None:
    val = np.linspace(0.5, 0.9, 40)[:, None].repeat(2, axis=1)
    found = oneshot_measures.picks(np.arange(40), truth(val))  # worst first
    assert found.precision == {10: 0.0}
    assert found.regret_val == pytest.approx(0.4)
    assert found.regret_test == pytest.approx(0.41)
    assert found.retrained == pytest.approx(0.41 * 30 / 39)  # the tenth from below
    best = oneshot_measures.picks(np.arange(40)[::-1], truth(val))
    assert (best.precision, best.regret_val, best.retrained) == ({10: 1.0}, 0.0, 0.0)


def test_a_perfect_score_and_a_useless_one() -> None:
    rng = np.random.default_rng(0)
    quality = rng.uniform(0.5, 0.9, 80)
    val = quality[:, None] + rng.normal(0, 0.01, (80, 3))
    known = truth(val)
    scored = [
        Scored(1, known.val.mean(1), -known.val.mean(1), 50.0, 10.0),
        Scored(2, rng.uniform(size=80), rng.uniform(size=80), 70.0, 30.0),
    ]
    for kind in ("accuracy", "loss"):
        report = oneshot_measures.compare(
            known, scored, kind, [(2.0, 0.1, 0.2), (4.0, 0.3, 0.4)], 400
        )
        perfect, useless = (report.of(f"shared weights, seed {seed}").spearman for seed in (1, 2))
        assert perfect.value == pytest.approx(1)
        assert np.isnan([perfect.low, perfect.high]).all()  # nothing varies: no interval
        assert abs(useless.value) < 0.35 and useless.low < useless.value < useless.high
        assert report.of("shared weights, seed 1", among="top").kendall.value == pytest.approx(1)
        assert report.picks["shared weights, seed 1"].regret_val == 0
        # A single training is not compared with itself: noise alone would make 1 of it.
        assert 0.9 < report.of("one real training").spearman.value < 1
        # Parameters are the place here, which has nothing to do with the truth; ranks add up.
        both = [rankdata(one.score(kind)) + np.arange(80) for one in scored]
        expected = np.mean([oneshot_measures.spearman(x, known.val.mean(1)) for x in both])
        assert report.of("parameters and shared weights").spearman.value == pytest.approx(expected)
        assert report.saved == pytest.approx(3 * 80 / (0.2 * 400 + 0.3 * 80))
        json.dumps(store.to_json(report.summary()), allow_nan=False)
        assert "+1.000 [-]" in oneshot_text.text(report, "a table")
        assert oneshot_text.text(report, "T").endswith("own seconds add up to 240.")
    unknown = replace(report, table_seconds=float("nan"))
    json.dumps(store.to_json(unknown.summary()), allow_nan=False)
    assert oneshot_text.text(unknown, "T").endswith("own seconds add up to -.")


def test_seconds_that_a_table_lacks_are_unknown() -> None:
    table = small_table(5)
    assert truth_of(table, 4).seconds == 91 * 120
    table.seconds[7] = np.nan
    assert np.isnan(truth_of(table, 4).seconds)


def test_noise_alone_has_no_rank_within_the_top() -> None:
    """The top is chosen by the truth that is compared with; else a single training would seem to
    rank it backwards."""
    val = np.random.default_rng(0).normal(0.9, 0.01, (600, 3))
    ranker = next(
        r
        for r in oneshot_measures.rankers(truth_of_noise(val), [], "loss")
        if r.name == "one real training"
    )
    found = oneshot_measures.agreement(ranker, "validation", "top").spearman
    assert abs(found.value) < 0.15


def test_few_cells_have_no_interval() -> None:
    val = np.random.default_rng(0).normal(0.9, 0.01, (91, 3))  # the top tenth: nine
    ranker = oneshot_measures.rankers(truth_of_noise(val), [], "loss")[0]
    for among in ("all", "top"):
        found = oneshot_measures.agreement(ranker, "validation", among).spearman
        assert np.isfinite(found.value)
        assert np.isnan(found.low) == np.isnan(found.high) == (among == "top")


def truth_of_noise(val: np.ndarray) -> Truth:
    return Truth(
        np.arange(len(val)), CELLS[: len(val)], val, val, None, (20,), np.arange(len(val)), 1.0
    )


# --- the command
# ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[OneShot, Path]:
    """A small run."""
    out = tmp_path_factory.mktemp("oneshot")
    config = OneShot(
        preset="smoke", max_vertices=4, epochs=2, steps=2, seeds=1, trainings=1, out=out
    )
    said = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        kept(),
        redirect_stdout(said),
    ):
        patch.setattr(oneshot_measures, "REPLICATES", 40)
        patch.setattr("rlnas.analysis.oneshot.train.SAMPLE", 5)
        config.run()
    assert "91 cells of nb101-digits" in said.getvalue() and "one real training" in said.getvalue()
    return config, next(out.glob("oneshot-*"))


@pytest.mark.long
def test_files_of_a_run(finished: tuple[OneShot, Path]) -> None:
    import pandas as pd

    config, folder = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "report.txt",
        "report.sha256",
        "scores.parquet",
        "manifest.json",
        "figure.png",
        "figure.svg",
        "seed-1.npz",
        "timed.json",
    }
    scores = pd.read_parquet(folder / "scores.parquet")
    assert len(scores) == 91 and scores["row"].tolist() == list(range(91))
    table = Table.load(find("nb101-digits"))
    assert scores["table_val_mean"].to_numpy() == pytest.approx(table.val[:91, -1].mean(1))
    assert ((scores["shared_val_accuracy"] >= 0) & (scores["shared_val_accuracy"] <= 1)).all()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["results"]["cells"] == 91 and manifest["epochs"] == config.epochs


@pytest.mark.long
def test_it_is_drawn_again_from_its_numbers(
    finished: tuple[OneShot, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = finished
    figure, said = folder / "figure.png", (folder / "report.txt").read_bytes()
    before = figure.read_bytes()
    figure.unlink()
    assert cli.main(["report", str(folder)]) == 0
    assert figure.read_bytes() == before and (folder / "report.txt").read_bytes() == said
    assert "scores.parquet" in capsys.readouterr().out


def test_finished_seeds_are_kept_and_more_may_come(
    finished: tuple[OneShot, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, folder = finished
    trained: list[int] = []

    def fake(cells, images, recipe, schedule, seed, checkpoint, tell):  # type: ignore[no-untyped-def]
        trained.append(seed)
        checkpoint.touch()
        return Supernet(recipe, in_channels=1, max_vertices=4, seed=seed), 1.0

    monkeypatch.setattr(supernet_training, "train", fake)
    monkeypatch.setattr(
        supernet,
        "score",
        lambda net, cells, images, tell: (np.ones(len(cells)), np.arange(float(len(cells)))),
    )
    before = (folder / "seed-1.npz").read_bytes()
    replace(config, seeds=2, score="accuracy").run()
    assert set(trained) == {2}
    assert (folder / "seed-1.npz").read_bytes() == before
    assert "mean of 2 seeds" in capsys.readouterr().out
    (folder / "seed-2.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"seed-2\.npz: damaged"):
        replace(config, seeds=2).run()
    (folder / "seed-2.npz").unlink()


def test_presets() -> None:
    assert OneShot.for_options([]) == OneShot()
    smoke = OneShot.for_options(["--preset", "smoke", "--seeds", "1"])
    assert (smoke.preset, smoke.max_vertices, smoke.steps) == ("smoke", 4, 10)
    single = OneShot.for_options(["--preset", "single"])
    assert (single.split, single.epochs, single.score) == ("none", 10, "loss")


def task_in(folder: Path, **changed: Any) -> Task:
    config = replace(OneShot.for_options(["--preset", "smoke"]), epochs=1, steps=2, **changed)
    facts = {"name": "nb101-digits", "sha256": sha256(find("nb101-digits"))}
    return Task(config, folder, 1, facts)


@pytest.mark.long
@pytest.mark.parametrize("split", ["operations", "graph"])
def test_parts_go_on_where_they_were(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the fourth part is scored, and again in the sixth: the same scores, and no
    part is trained twice. Every part is a training of its own."""
    straight = train_one(task_in(tmp_path / "straight", split=split), lambda told: None)
    task = task_in(tmp_path / "stopped", split=split)
    cells = truth_of(Table.load(find("nb101-digits")), 4).cells
    shared = parts(cells, split)  # type: ignore[arg-type]
    own, images = supernet.score, datasets.load("digits")
    called: list[list[Cell]] = []

    class Stop(Exception):
        pass

    def stop(net: Any, some: Any, *rest: Any) -> Any:
        called.append(some)
        if len(called) in (4, 7):
            raise Stop
        return own(net, some, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(supernet, "score", stop)
        for _ in range(2):
            with pytest.raises(Stop):
                train_one(task, lambda told: None)
        assert [path.name for path in task.folder.iterdir() if path.suffix == ".safetensors"] == [
            "seed-1-5.safetensors"
        ]
        found = train_one(task, lambda told: None)
    numbers = [shared.index([cells.index(cell) for cell in some]) for some in called]
    assert numbers == [0, 1, 2, 3, 3, 4, 5, *range(5, len(shared))]
    np.testing.assert_array_equal(found.accuracy, straight.accuracy)
    np.testing.assert_array_equal(found.loss, straight.loss)
    some = [cells[place] for place in shared[4]]
    schedule = supernet_training.Schedule(1, 2, task.config.learning_rate)
    net, _ = supernet_training.train(some, images, Recipe(), schedule, 1, tmp_path / "alone")
    np.testing.assert_array_equal(found.loss[shared[4]], supernet.score(net, some, images)[1])
    task.clean()
    assert not list(task.folder.iterdir())


def test_parts_of_another_length_are_refused(tmp_path: Path) -> None:
    task = task_in(tmp_path, split="graph")
    write_scored(task.parts, Scored(1, np.ones(5), np.ones(5), 1.0, 1.0))
    with pytest.raises(UserError, match="ends within a part"):
        train_one(task, lambda told: None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seeds": 0}, "--seeds is 0"),
        ({"max_vertices": 2}, "--max-vertices is 2"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"seed": -1}, "--seed is -1"),
        ({"out": ROOT / "README.md"}, "is a file"),
        ({"benchmark": "no-such-table"}, "no table"),
        ({"dataset": "no-such-images"}, "no-such-images"),
        ({"max_vertices": 3}, "7 such cells"),
        ({"sampling": "fair"}, "--sampling fair"),
    ],
)
def test_bad_options_are_one_line(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    config = replace(OneShot(out=tmp_path), **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=reason):
        config.run()
    assert not list(tmp_path.iterdir())


def test_a_table_of_another_making_is_refused(tmp_path: Path) -> None:
    table = Table.load(find("nb101-digits"))
    for meta, reason in (
        ({"recipe": {}}, "how its cells were trained"),
        ({"splits": {"train": 1}}, "split as"),
    ):
        path = tmp_path / "table.npz"
        replace(table, meta=table.meta | meta).save(path)
        with pytest.raises(UserError, match=reason):
            OneShot(benchmark=str(path), out=tmp_path / "runs").run()
    assert not (tmp_path / "runs").exists()


def test_the_figure_draws_what_is_missing_too() -> None:
    """One repeat, one seed: no bar for a real training, none for a mean of seeds."""
    rng = np.random.default_rng(0)
    known = truth(rng.uniform(0.5, 0.9, (30, 1)))
    scored = [Scored(1, rng.uniform(size=30), rng.uniform(size=30), 5.0, 1.0)]
    report = oneshot_measures.compare(known, scored, "loss", [(1.0, 0.01, 0.01)], 100)
    said = store.to_json(report.summary())  # NaN and all
    again = Report.of_summary(json.loads(json.dumps(said)))
    assert store.to_json(again.summary()) == said
    cells = oneshot_plot.Cells(known.val.mean(1), np.array([5] * 20 + [4] * 10))
    drawn = oneshot_plot.figure(again, cells, scored, "loss", "a table")
    assert [label.get_text() for label in drawn.axes[1].get_yticklabels()] == [
        "shared weights, seed 1",
        "number of parameters",
        "parameters and shared weights",
    ]
    assert "seed 1" in drawn.axes[0].get_title(loc="left")
