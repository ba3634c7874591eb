"""The supernet against networks of their own, resuming against not stopping, the measures by hand,
and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

REASON = "the extra `retrain` is not installed: no supernet here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.analysis.oneshot import command as oneshot
from rlnas.analysis.oneshot import figure as oneshot_plot  # noqa: E402
from rlnas.analysis.oneshot import measures as oneshot_measures
from rlnas.analysis.oneshot.command import OneShot, Scored, Truth  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101.cell import Cell, vertex_channels  # noqa: E402
from rlnas.bench.nb101.table import Table, find  # noqa: E402
from rlnas.bench.retrain import datasets, networks, supernet  # noqa: E402
from rlnas.bench.retrain.assemble import cell_list  # noqa: E402
from rlnas.bench.retrain.recipe import Recipe  # noqa: E402
from rlnas.bench.retrain.supernet import Progress, Schedule, SharedConv, Supernet  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

ROOT = Path(__file__).parents[1]
CELLS = cell_list(5)[1]
RECIPE = Recipe(stem_channels=4)
RANDOM = np.random.default_rng(0).choice(len(CELLS), 12, replace=False).tolist()
TINY = Schedule(epochs=3, steps=7, learning_rate=0.05)


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oneshot_measures, "REPLICATES", 40)


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


# --- the supernet
# -----------------------------------------------------------------------------------


def some_supernet(recipe: Recipe = RECIPE) -> Supernet:
    """Scales and shifts drawn too, so that a wrong slice shows."""
    net = Supernet(recipe, in_channels=1, max_vertices=5, seed=3)
    draws = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim == 1:
                weight += 0.5 * torch.randn(weight.shape, generator=draws)
    return net


def standalone(net: Supernet, cell: Cell, recipe: Recipe = RECIPE) -> torch.nn.Module:
    """The library's network of `cell`, its weights copied from the supernet's first channels."""
    network = networks.build(
        cell, in_channels=1, stem_channels=recipe.stem_channels, stacks=recipe.stacks, modules=recipe.modules,
        bn_momentum=1.0, seed=0,
    )  # fmt: skip

    def copy(block: torch.nn.Module, shared: SharedConv) -> None:
        conv, norm = (
            next(m for m in block.modules() if isinstance(m, kind)) for kind in CONV_AND_NORM
        )
        out, inner = conv.weight.shape[:2]
        conv.weight.copy_(shared.weight[:out, :inner])
        norm.weight.copy_(shared.scale[:out])
        norm.bias.copy_(shared.shift[:out])

    with torch.no_grad():
        layers = [layer for layer in network.layers if not isinstance(layer, torch.nn.MaxPool2d)]
        copy(layers[0], net.stem)
        for layer, module in zip(layers[1:], net.body, strict=True):
            assert layer.vertex_channels == vertex_channels(
                cell, module.channels_in, module.channels_out
            )
            for v in range(1, cell.num_vertices):
                if cell.matrix[0][v]:
                    copy(layer.input_op[v], module.projection(cell, v))
                if cell.ops[v] in supernet.KERNELS:
                    copy(layer.vertex_op[v], module.operation(cell, v))
        network.classifier.load_state_dict(net.classifier.state_dict())
    return network


CONV_AND_NORM = (torch.nn.Conv2d, torch.nn.BatchNorm2d)
# Two vertices, three, and cells of every width; 5 channels of three vertices do not divide evenly.
CHOSEN = [0, 1, 5, *RANDOM]


@pytest.mark.parametrize("place", CHOSEN)
def test_a_slice_is_the_cells_own_network(place: int, digits: datasets.Dataset) -> None:
    """In training, and measured with statistics recomputed on other images."""
    net, cell = some_supernet(), CELLS[place]
    own = standalone(net, cell)
    batch, others = digits.train.images[:50], digits.val.images[:60]
    for training, images in (
        (True, batch),
        (False, others),
    ):  # the first leaves its statistics to the second
        theirs, ours = own.train(training)(images), net.train(training)(images, cell)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_several_modules_a_stack(digits: datasets.Dataset) -> None:
    recipe = replace(RECIPE, modules=2, stacks=2)
    net, cell = some_supernet(recipe), CELLS[RANDOM[1]]
    images = digits.train.images[:20]
    torch.testing.assert_close(
        net(images, cell), standalone(net, cell, recipe)(images), rtol=1e-4, atol=1e-4
    )


def test_widths_of_every_kind_are_tested() -> None:
    kinds = {
        sum(CELLS[place].matrix[v][-1] for v in range(1, CELLS[place].num_vertices))
        for place in CHOSEN
    }
    assert kinds == {0, 1, 2, 3}  # vertices that the output concatenates
    assert any("maxpool3x3" in CELLS[place].ops for place in CHOSEN)


def test_a_score_is_that_of_the_cells_own_network(digits: datasets.Dataset) -> None:
    net = some_supernet()
    with torch.no_grad():
        net.classifier.weight *= (
            100  # so that logits differ, and statistics of other images would show
        )
    some = [CELLS[place] for place in RANDOM[:4]]
    done: list[int] = []
    accuracy, loss = supernet.score(net, some, digits, done.append)
    assert sum(done) == 4
    for cell, found, lost in zip(some, accuracy, loss, strict=True):
        own = standalone(net, cell)
        with torch.no_grad():
            own.train()(digits.train.images)
            logits = own.eval()(digits.val.images)
        assert found == pytest.approx(
            (logits.argmax(1) == digits.val.labels).float().mean().item(), abs=2 / 797
        )
        assert lost == pytest.approx(
            torch.nn.functional.cross_entropy(logits, digits.val.labels).item(), rel=1e-3
        )


def test_positions_share_and_the_output_is_a_position_of_its_own() -> None:
    """The output's projection serves cells of all sizes, and no interior vertex."""
    module = some_supernet().body[0]
    small, large = CELLS[1], CELLS[-1]
    assert (small.num_vertices, large.num_vertices) == (3, 5)
    assert (
        module.projection(small, 2)
        is module.projection(large, 4)
        is not module.projection(large, 2)
    )
    assert module.projection(small, 1) is module.projection(large, 1)
    assert len(module.projections) == 4 and len(module.operations) == 3


def test_only_the_weights_of_the_cell_get_gradients(digits: datasets.Dataset) -> None:
    net, cell = some_supernet(), CELLS[RANDOM[0]]
    net(digits.train.images[:20], cell).square().sum().backward()
    touched = sum(weight.grad is not None for weight in net.body[0].parameters())
    convs = sum(op in supernet.KERNELS for op in cell.ops)
    assert touched == 3 * (sum(cell.matrix[0]) + convs)


# --- training
# ---------------------------------------------------------------------------------------


def test_resuming_is_not_stopping(digits: datasets.Dataset, tmp_path: Path) -> None:
    """Stopped after each epoch, the same weights come out, and the seconds add up."""
    straight, _ = supernet.train(CELLS[:91], digits, RECIPE, TINY, 5, tmp_path / "straight")
    path = tmp_path / "stopped.safetensors"
    seen: list[Progress] = []

    class Stop(Exception):
        pass

    def stop(done: Progress) -> None:
        seen.append(done)
        raise Stop

    for _ in range(TINY.epochs):
        with pytest.raises(Stop):
            supernet.train(CELLS[:91], digits, RECIPE, TINY, 5, path, stop)
    resumed, seconds = supernet.train(CELLS[:91], digits, RECIPE, TINY, 5, path)
    assert [done.epoch for done in seen] == [1, 2, 3]
    assert seconds == seen[-1].seconds > seen[0].seconds > 0
    for (name, one), other in zip(straight.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other), name
    other_seed, _ = supernet.train(CELLS[:91], digits, RECIPE, TINY, 6, tmp_path / "other")
    assert not torch.equal(other_seed.stem.weight, straight.stem.weight)
    with pytest.raises(UserError, match="another training"):
        supernet.train(CELLS[:91], digits, RECIPE, TINY, 6, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="no checkpoint"):
        supernet.train(CELLS[:91], digits, RECIPE, TINY, 5, path)


def test_training_draws_nothing_globally_and_lowers_the_loss(
    digits: datasets.Dataset, tmp_path: Path
) -> None:
    state = torch.get_rng_state()
    seen: list[Progress] = []
    supernet.train(
        CELLS[:20], digits, RECIPE, Schedule(4, 30, 0.05), 0, tmp_path / "x", seen.append
    )
    assert torch.equal(state, torch.get_rng_state())
    assert seen[-1].loss < seen[0].loss - 0.05


def test_a_loss_that_is_none_stops(digits: datasets.Dataset, tmp_path: Path) -> None:
    broken = replace(
        digits, train=datasets.Part(digits.train.images * torch.nan, digits.train.labels)
    )
    with pytest.raises(UserError, match="loss is nan in epoch 1"):
        supernet.train(CELLS[:20], broken, RECIPE, TINY, 0, tmp_path / "x")
    assert not list(tmp_path.iterdir())


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
        assert perfect.value == perfect.low == perfect.high == pytest.approx(1)
        assert abs(useless.value) < 0.35 and useless.low < useless.value < useless.high
        assert report.of("shared weights, seed 1", among="top").kendall.value == pytest.approx(1)
        assert report.picks["shared weights, seed 1"].regret_val == 0
        # A single training is not compared with itself: noise alone would make 1 of it.
        assert 0.9 < report.of("one real training").spearman.value < 1
        assert report.saved == pytest.approx(3 * 80 / (0.2 * 400 + 0.3 * 80))
        json.dumps(report.summary(), allow_nan=False)


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


def truth_of_noise(val: np.ndarray) -> Truth:
    return Truth(
        np.arange(len(val)), CELLS[: len(val)], val, val, None, (20,), np.arange(len(val)), 1.0
    )


# --- the command
# ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[OneShot, Path]:
    """A small run in another process, as the command line makes it."""
    out = tmp_path_factory.mktemp("oneshot")
    config = OneShot(
        preset="smoke", max_vertices=4, epochs=2, steps=10, seeds=1, trainings=1, out=out
    )
    code = (
        "from pathlib import Path\n"
        "from rlnas.analysis.oneshot import command as oneshot, measures as oneshot_measures\n"
        "oneshot_measures.REPLICATES = 40; oneshot.run(oneshot.OneShot(preset='smoke', "
        f"max_vertices=4, epochs=2, steps=10, seeds=1, trainings=1, out=Path({str(out)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "91 cells of nb101-digits" in done.stdout and "one real training" in done.stdout
    return config, next(out.glob("oneshot-*"))


def test_files_of_a_run(finished: tuple[OneShot, Path]) -> None:
    import pandas as pd

    config, folder = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "report.txt",
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

    monkeypatch.setattr(supernet, "train", fake)
    monkeypatch.setattr(
        supernet, "score", lambda net, cells, images, tell: (np.ones(91), np.arange(91.0))
    )
    before = (folder / "seed-1.npz").read_bytes()
    oneshot.run(replace(config, seeds=2, score="accuracy"))
    assert trained == [2]
    assert (folder / "seed-1.npz").read_bytes() == before
    assert "mean of 2 seeds" in capsys.readouterr().out
    (folder / "seed-2.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"seed-2\.npz is damaged"):
        oneshot.run(replace(config, seeds=2))
    (folder / "seed-2.npz").unlink()


def test_presets() -> None:
    assert OneShot.default_for([]) == OneShot()
    smoke = OneShot.default_for(["--preset", "smoke", "--seeds", "1"])
    assert (smoke.preset, smoke.max_vertices, smoke.steps) == ("smoke", 4, 50)


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
    ],
)
def test_bad_options_are_one_line(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    config = replace(OneShot(out=tmp_path), **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=reason):
        oneshot.run(config)
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
            oneshot.run(OneShot(benchmark=str(path), out=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_the_figure_draws_what_is_missing_too() -> None:
    """One repeat, one seed: no bar for a real training, none for a mean of seeds."""
    rng = np.random.default_rng(0)
    known = truth(rng.uniform(0.5, 0.9, (30, 1)))
    scored = [Scored(1, rng.uniform(size=30), rng.uniform(size=30), 5.0, 1.0)]
    report = oneshot_measures.compare(known, scored, "loss", [(1.0, 0.01, 0.01)], 100)
    drawn = oneshot_plot.figure(report, known, scored, "loss", "a table")
    assert [label.get_text() for label in drawn.axes[1].get_yticklabels()] == [
        "shared weights, seed 1",
        "number of parameters",
    ]
    assert "seed 1" in drawn.axes[0].get_title(loc="left")
