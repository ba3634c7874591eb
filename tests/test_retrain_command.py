"""`rlnas retrain` from options to verdict: what is chosen, killed and resumed, and what is said of
it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

REASON = "the extra `retrain` is not installed: no real trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas import bench  # noqa: E402
from rlnas.analysis import cli, store  # noqa: E402
from rlnas.analysis.comparison.command import Compare  # noqa: E402
from rlnas.analysis.comparison.runs import collect  # noqa: E402
from rlnas.analysis.report.command import Report  # noqa: E402
from rlnas.analysis.retrain import command as retrain  # noqa: E402
from rlnas.analysis.retrain import run as retrain_run  # noqa: E402
from rlnas.analysis.retrain import select as retrain_select  # noqa: E402
from rlnas.analysis.retrain import verdict as retrain_verdict  # noqa: E402
from rlnas.analysis.retrain.command import Retrain  # noqa: E402
from rlnas.analysis.retrain.text import label  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101.recipe import NB101  # noqa: E402
from rlnas.bench.nb301.recipe import NB301  # noqa: E402
from rlnas.bench.rank import spearman  # noqa: E402
from rlnas.bench.retrain import checkpoint, jobs  # noqa: E402
from rlnas.bench.retrain.engine import Engine  # noqa: E402
from rlnas.bench.retrain.job import Data, Job  # noqa: E402
from rlnas.bench.retrain.presets import DIGITS, QUICK  # noqa: E402
from rlnas.bench.retrain.recipes import presets  # noqa: E402
from rlnas.bench.workers import Failure  # noqa: E402
from torch_fixtures import torch_as_it_was  # noqa: E402, F401

CELL = "110101 input,maxpool3x3,conv3x3-bn-relu,output"
TINY = ["--dataset", "digits", "--preset", "quick", "--channels", "4", "--stacks", "1"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a comparison on the embedded table: 2 agents, 3 seeds, 12 queries."""
    out = tmp_path_factory.mktemp("runs")
    Compare(agents=("random_search", "random_walk"), budget=12, seeds=3, out=out).run()
    return out


@pytest.fixture(scope="module")
def runs(out: Path) -> list[store.Run]:
    return collect(list(out.glob("compare-*")))


@pytest.fixture(scope="module")
def digits() -> Any:
    return bench.load("nb101-digits")


def parse(*words: object) -> Retrain:
    return cli.parse("retrain", Retrain, [str(word) for word in words])


# --- what is chosen
# -------------------------------------------------------------------------------------


def test_the_top_is_the_best_by_validation_over_all_seeds(
    runs: list[store.Run], digits: Any
) -> None:
    seen: dict[int, float] = {}
    for run in runs:
        for arch, val in zip(np.ravel(run.history.arch), np.ravel(run.history.val), strict=True):
            seen[int(arch)] = max(float(val), seen.get(int(arch), 0.0))
    wanted = sorted(seen, key=lambda arch: (-seen[arch], arch))[:6]
    chosen = retrain_select.choose(digits, runs, top=6)
    assert [c.arch for c in chosen] == [digits.space.format(arch) for arch in wanted]
    for c, arch in zip(chosen, wanted, strict=True):
        assert c.groups == ("top",)
        assert c.table_val == pytest.approx(float(digits.mean_val[arch]))
        assert c.table_test == pytest.approx(float(digits.mean_test[arch]))


def test_controls_are_others_than_the_top(runs: list[store.Run], digits: Any) -> None:
    chosen = retrain_select.choose(digits, runs, top=4, random=30, seed=1)
    assert (
        len({c.arch for c in chosen}) == 34 and [c.groups for c in chosen[4:]] == [("random",)] * 30
    )
    assert retrain_select.choose(digits, runs, top=4, random=30, seed=1) == chosen
    assert retrain_select.choose(digits, runs, top=4, random=30, seed=2)[4:] != chosen[4:]
    small = digits.restrict(np.arange(7))
    assert len(retrain_select.draw(small, 5, {small.space.format(i) for i in (0, 1)}, 0)) == 5
    with pytest.raises(UserError, match="--random 6, but the space gave only 5"):
        retrain_select.draw(small, 6, {small.space.format(i) for i in (0, 1)}, 0)


def test_the_worst_and_the_named(runs: list[store.Run], digits: Any) -> None:
    archs, seen = retrain_select.looked_up(runs)
    table = np.asarray(digits.mean_val)[archs]
    worst = digits.space.format(int(archs[table.argmin()]))
    best = digits.space.format(int(archs[seen.argmax()]))
    chosen = retrain_select.choose(digits, runs, top=1, worst=2, texts=[worst, best, best, CELL])
    groups = {c.arch: c.groups for c in chosen}
    assert (
        groups[worst] == ("worst", "named")
        and groups[best] == ("top", "named")
        and groups[CELL] == ("named",)
    )
    assert len(chosen) == len(groups) == 4
    # Another form of the same cell is the same architecture.
    other = "111011 input,conv3x3-bn-relu,maxpool3x3,output"
    same = "111101 input,maxpool3x3,conv3x3-bn-relu,output"
    assert (
        len(
            retrain_select.choose(
                digits, [], texts=[other, digits.space.format(digits.space.parse(other))]
            )
        )
        == 1
    )
    assert digits.space.format(digits.space.parse(same)) == same


def test_surrogates_have_no_test_accuracy_and_make_genotypes() -> None:
    from rlnas.bench.nb301.genotype import DartsSpace
    from rlnas.bench.nb301.network import DartsNetwork

    space = DartsSpace()
    arch = np.asarray(space.sample(jax.random.key(0)))

    class Surrogate:
        name, family = "nb301-mine", "nb301"

        def __init__(self) -> None:
            self.space = space

        def query(self, arch: Any, key: Any) -> Any:
            from rlnas.bench.benchmark import QueryResult

            value = arch.astype("float32").sum() / 200
            return QueryResult(value, value * np.nan, value, value >= 0)

    chosen = retrain_select.choose(Surrogate(), [], random=3, texts=[space.format(arch)])
    assert len(chosen) == 4 and all(
        math.isnan(c.table_test) and 0 < c.table_val < 1 for c in chosen
    )
    assert isinstance(retrain_select.model_of(Surrogate(), chosen[0].arch), DartsNetwork)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--top", "3"], "--top and --worst choose from finished runs, but none is given"),
        ([], "no architecture is chosen"),
        (["--cells", "110 input"], "--cells '110 input'"),
        (["--csv", "none.csv"], "--csv none.csv: no such file"),
        (["--random", "-1"], "--random is -1; expected at least 0"),
        (["--seeds", "0"], "--seeds is 0; expected at least 1"),
        (["--random", "1", "--dataset", "letters"], "unknown data set 'letters'"),
        (
            ["--random", "1", "--dataset", "digits", "--epochs", "0"],
            "--epochs 0; expected at least 1",
        ),
        (
            ["--random", "1", "--dataset", "digits", "--device", "tpu"],
            "--device tpu; expected auto, cpu or cuda",
        ),
        (["nowhere"], "no folder nowhere"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        retrain.run(parse(*words))
    assert reason in str(raised.value) and "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_more_than_the_runs_have(runs: list[store.Run], digits: Any) -> None:
    with pytest.raises(UserError, match=r"--top 9999, but the runs looked up \d+ architectures"):
        retrain_select.choose(digits, runs, top=9999)


def test_runs_on_another_table_are_told(runs: list[store.Run]) -> None:
    facts = runs[0].manifest["benchmark"]
    other = [
        replace(run, manifest=run.manifest | {"benchmark": facts | {"sha256": "ab" * 32}})
        for run in runs
    ]
    _, notes = retrain_select.ground(other, None, None)
    assert len(notes) == 1 and "with sha256 abababababab, the one here has" in notes[0]
    assert retrain_select.ground(runs, None, None)[1] == []
    mixed = [
        runs[0],
        replace(runs[1], manifest=runs[1].manifest | {"benchmark": facts | {"epochs": 5}}),
    ]
    with pytest.raises(UserError, match="cannot be taken together: epochs is 20"):
        retrain_select.ground(mixed, None, None)


def test_architectures_from_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'name,arch\nx,"{CELL}"\n')
    assert retrain_select.from_csv(path) == [CELL]
    path.write_text("name\nx\n")
    with pytest.raises(UserError, match="has columns name; expected `arch`"):
        retrain_select.from_csv(path)


def test_the_preset_follows_what_is_trained(tmp_path: Path) -> None:
    assert parse().settings == NB101 and parse().preset == "nb101"
    assert parse("--dataset", "digits").settings == DIGITS
    assert parse("--preset=quick", "--epochs", "2").settings == replace(QUICK, epochs=2)
    (tmp_path / "summary.json").write_text(json.dumps({"benchmark": {"name": "nb301-yahpo"}}))
    assert parse(tmp_path, "--batch-size", "5").settings == replace(NB301, batch_size=5)
    with pytest.raises(UserError, match=r"--preset"):
        parse("--preset", "none")


# --- killed and resumed
# ---------------------------------------------------------------------------------

KILLED = [
    *TINY,
    "--cells",
    CELL,
    "111 input,conv1x1-bn-relu,output",
    "--seeds",
    "1",
    "--epochs",
    "60",
]
KILLED += ["--workers", "1", "--threads", "1", "--plain-loop-batches", "0", "--out", "out"]


def start(folder: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "rlnas.analysis.cli", "retrain", *KILLED]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def test_killed_it_goes_on_after_its_last_whole_epoch(tmp_path: Path) -> None:
    first = start(tmp_path)
    deadline = time.monotonic() + 120
    kept = None
    while kept is None or len(kept[1]["fit"]["curve"]) < 2:
        assert first.poll() is None and time.monotonic() < deadline, first.communicate()[1]
        time.sleep(0.005)
        paths = list((tmp_path / "out").glob("trainings-*/*.safetensors"))
        kept = checkpoint.load(paths[0]) if paths else None
    os.killpg(first.pid, signal.SIGKILL)  # the worker too, which would go on for a second
    first.communicate()
    kept = checkpoint.load(paths[0])
    assert kept is not None and not list((tmp_path / "out").glob("retrain-*"))
    before = kept[1]["fit"]["curve"]
    assert 2 <= len(before) < 60, "it ended before it could be killed"
    again = start(tmp_path)
    said, err = again.communicate()
    assert again.returncode == 0, err
    assert "Table against retrained test accuracy, 2 architectures" in said
    records = [
        json.loads(path.read_text())
        for path in sorted((tmp_path / "out").glob("trainings-*/*-seed1000.json"))
    ]
    resumed = next(record for record in records if record["arch"] == kept[1]["arch"])
    assert [record["status"] for record in records] == ["done", "done"]
    # To the last digit, seconds too: the epochs before the kill were not trained again.
    assert resumed["curve"][: len(before)] == before
    # And all of it is what an uninterrupted training gives.
    config = parse(*KILLED)
    model = retrain_select.model_of(bench.load("nb101-digits"), resumed["arch"])
    data = Data("digits", None, config.settings.val_images)
    job = Job(resumed["arch"], model, 1000, data, config.settings, Engine(), tmp_path / "whole")
    whole = jobs.train(job, lambda told: None)
    numbers = [
        [(epoch["loss"], epoch["accuracy"]) for epoch in record["curve"]]
        for record in (resumed, whole)
    ]
    assert numbers[0] == numbers[1] and resumed["accuracy"] == whole["accuracy"]


# --- from runs to verdict
# -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retrained(out: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(results folder, its --out) of a small retraining of the comparison's runs."""
    to = tmp_path_factory.mktemp("retrained")
    words = [
        *out.glob("compare-*"),
        "--top",
        2,
        "--random",
        3,
        "--seeds",
        2,
        *TINY,
        "--epochs",
        2,
        "--out",
        to,
    ]
    retrain.run(parse(*words, "--plain-loop-batches", 2, "--workers", 1))
    return next(to.glob("retrain-*")), to


def test_everything_is_left_behind(retrained: tuple[Path, Path]) -> None:
    folder, to = retrained
    names = {
        "results.parquet",
        "manifest.json",
        "table.csv",
        "verdict.json",
        "figure.png",
        "figure.svg",
    }
    assert {path.name for path in folder.iterdir()} == names
    frame = pd.read_parquet(folder / "results.parquet")
    assert (
        len(frame) == 10 and set(frame["status"]) == {"done"} and set(frame["seed"]) == {1000, 1001}
    )
    assert frame["groups"].value_counts().to_dict() == {"random": 6, "top": 4}
    for column in ("table_val", "table_test", "train", "val", "test"):
        assert frame[column].between(0, 1).all()
    assert (frame[["seconds", "images_per_second", "peak_mb", "params"]] > 0).all(axis=None)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (
        manifest["machine"]["versions"]["torch"]
        and manifest["machine"]["engine"]["device"] == "cpu"
    )
    assert manifest["benchmark"]["name"] == "nb101-digits" and manifest["preset"] == "quick"
    (session,) = manifest["sessions"]
    assert session["trainings"] == session["done"] == 10 and session["wall_seconds"] > 0
    assert (
        min(
            session["throughput"][key] for key in ("ours", "plain", "ours_peak_mb", "plain_peak_mb")
        )
        > 0
    )
    assert {path.suffix for path in Path(manifest["trainings"]).iterdir()} == {".json"}
    assert {path.name.partition("-")[0] for path in to.iterdir()} == {"retrain", "trainings"}


def test_what_is_done_is_not_done_again(
    retrained: tuple[Path, Path],
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither for the same choice, nor for another one of the same architectures."""
    folder, to = retrained
    monkeypatch.setattr("rlnas.bench.workers.run_all", None)
    before = {path: path.read_bytes() for path in to.rglob("*.*") if path.name != "manifest.json"}
    words = [*out.glob("compare-*"), "--seeds", 2, *TINY, "--epochs", 2, "--out", to]
    retrain.run(parse(*words, "--top", 2, "--random", 3))
    assert {path: path.read_bytes() for path in before} == before
    assert len(json.loads((folder / "manifest.json").read_text())["sessions"]) == 1
    retrain.run(parse(*words, "--top", 1))
    assert len(list(to.glob("retrain-*"))) == 2 and len(list(to.glob("trainings-*"))) == 1
    assert "1 architectures" in capsys.readouterr().out
    for path in set(to.glob("retrain-*")) - {folder}:
        for file in path.iterdir():
            file.unlink()
        path.rmdir()


def test_the_report_again(
    retrained: tuple[Path, Path], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = retrained
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Report((folder,)).run()
    said = capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    for text in ("The data are the table's, the recipe is not", "Spearman", "Kendall", "regret", "(the controls)",
                 "a plain loop", "images/s", str(folder / "figure.png")):  # fmt: skip
        assert text in said
    comparison = next(out.glob("compare-*"))
    Report((comparison, folder)).run()
    said = capsys.readouterr().out
    assert "queries" in said and "Spearman" in said and str(comparison / "figure.png") in said


def test_reports_of_what_is_none(tmp_path: Path, retrained: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="no folders given"):
        Report().run()
    with pytest.raises(UserError, match="no finished run"):
        Report((tmp_path,)).run()
    copy = tmp_path / "retrain-copy"
    copy.mkdir()
    for path in retrained[0].iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"results\.parquet is not what manifest\.json says"):
        Report((copy,)).run()
    (copy / "results.parquet").unlink()
    with pytest.raises(UserError, match="holds no finished retraining"):
        Report((copy,)).run()


def test_what_failed_is_told_and_tried_again(
    retrained: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One of two trainings fails at first: the report comes all the same, and the next call does
    what is missing."""
    asked: list[list[str]] = []

    def run_all(
        function: Any, tasks: list[Any], workers: int, on_message: Any, on_done: Any
    ) -> None:
        asked.append([task.arch for task in tasks])
        for i, task in enumerate(tasks):
            bad = len(asked) == 1 and i == 1
            on_done(
                i,
                Failure("the worker process died of SIGKILL")
                if bad
                else function(task, lambda told: None),
            )

    monkeypatch.setattr("rlnas.bench.workers.run_all", run_all)
    words = [
        *TINY,
        "--cells",
        CELL,
        "1 input,output",
        "--seeds",
        1,
        "--epochs",
        1,
        "--out",
        tmp_path,
    ]
    config = parse(*words, "--plain-loop-batches", 0)
    with pytest.raises(
        UserError, match="1 trainings failed and are missing above; run the same command again"
    ):
        retrain.run(config)
    said = capsys.readouterr()
    assert "No training ended well of 1 ." in said.out or "No training ended well of 1" in said.out
    assert "rlnas: failed: 1 input,output seed 1000: the worker process died of SIGKILL" in said.err
    retrain.run(config)
    assert asked == [[CELL, "1 input,output"], ["1 input,output"]]
    assert "No training" not in capsys.readouterr().out
    (folder,) = tmp_path.glob("retrain-*")
    assert len(json.loads((folder / "manifest.json").read_text())["sessions"]) == 2


# --- the verdict
# ----------------------------------------------------------------------------------------


def results(
    table: list[float], trained: list[list[float]], groups: list[str], kind: str = "test"
) -> pd.DataFrame:
    """Architectures a, b, ... with the table's and the retrained accuracies; validation is test +
    .01."""
    rows = [
        {
            "arch": "abcdefghijklmnop"[i], "groups": groups[i], "table_val": said + 0.01,
            "table_test": said if kind == "test" else math.nan, "seed": seed, "status": "done", "reason": "",
            "epochs": 1, "params": 10, "train": 1.0, "val": value + 0.01, "test": value, "seconds": 1.0,
            "images_per_second": 1.0, "peak_mb": 1.0, "device": "cpu",
        }
        for i, (said, values) in enumerate(zip(table, trained, strict=True))
        for seed, value in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_correlations_are_scipys() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, (2, 40, 9)).astype(float)  # with ties
    for mine, theirs in (
        (spearman, scipy_stats.spearmanr),
        (retrain_verdict.kendall, scipy_stats.kendalltau),
    ):
        wanted = [theirs(a, b).statistic for a, b in zip(x, y, strict=True)]
        np.testing.assert_allclose(mine(x, y), wanted, rtol=1e-12)
    assert math.isnan(retrain_verdict.kendall(np.ones(3), np.arange(3.0)))


def test_a_verdict_by_hand() -> None:
    table = [0.9, 0.8, 0.7, 0.6]
    trained = [[0.80, 0.84], [0.90, 0.90], [0.70, 0.60], [0.50, 0.56]]
    verdict = retrain_verdict.judge(results(table, trained, ["top", "top", "random", "random"]))
    assert [line.arch for line in verdict.lines] == [
        "b",
        "a",
        "c",
        "d",
    ] and verdict.measure == "test accuracy"
    first = verdict.lines[0]
    assert (first.rank, first.table_rank, first.low, first.high, first.retrained, first.seeds) == (
        1,
        2,
        0.9,
        0.9,
        0.9,
        2,
    )
    assert verdict.lines[1].low == 0.80 and verdict.lines[1].high == 0.84
    assert verdict.spearman.value == pytest.approx(0.8) and verdict.kendall.value == pytest.approx(
        4 / 6
    )
    assert verdict.spearman.low < 0.8 < verdict.spearman.high + 1e-9
    assert (verdict.choice, verdict.best) == ("a", "b")
    assert verdict.regret.value == pytest.approx(0.08)
    assert verdict.regret.low == pytest.approx(0.06) and verdict.regret.high == pytest.approx(0.10)
    assert verdict.seed_sd == pytest.approx(math.sqrt((0.0008 + 0 + 0.005 + 0.0018) / 4))
    top, random = verdict.groups
    assert (top.name, top.size, random.name) == ("top", 2, "random")
    assert (
        top.test == pytest.approx(0.86)
        and top.val == pytest.approx(0.87)
        and top.table_test == pytest.approx(0.85)
    )
    assert top.against.value == pytest.approx(0.86 - 0.59)
    assert top.against.low == pytest.approx(0.82 - 0.65) and top.against.high == pytest.approx(
        0.90 - 0.53
    )
    assert math.isnan(random.against.value)


def test_a_table_that_says_nothing_has_an_interval_around_zero() -> None:
    rng = np.random.default_rng(3)
    frame = results(list(rng.random(16)), [[x] for x in rng.random(16)], ["top"] * 16)
    verdict = retrain_verdict.judge(frame)
    assert (
        verdict.spearman.low < 0 < verdict.spearman.high
        and verdict.kendall.low < 0 < verdict.kendall.high
    )
    right = retrain_verdict.judge(
        results(list(np.arange(16) / 16), [[x] for x in np.arange(16) / 16], ["top"] * 16)
    )
    assert right.spearman == (1, 1, 1) and right.regret.value == 0 and math.isnan(right.regret.low)


def test_a_surrogate_is_judged_by_validation() -> None:
    verdict = retrain_verdict.judge(results([0.9, 0.8], [[0.7], [0.6]], ["top", "top"], kind="val"))
    assert verdict.measure == "validation accuracy"
    assert verdict.lines[0].table == pytest.approx(0.91) and verdict.lines[
        0
    ].retrained == pytest.approx(0.71)
    assert math.isnan(verdict.spearman.low), "an interval of two architectures"


def test_trainings_that_did_not_end_well() -> None:
    frame = results([0.9, 0.8, 0.7], [[0.7, 0.8], [0.6, 0.6], [0.5, 0.5]], ["top"] * 3)
    frame.loc[frame["arch"] == "b", ["status", "reason", "test", "val"]] = [
        "diverged",
        "the loss is nan",
        None,
        None,
    ]
    frame.loc[1, "status"] = "failed"
    verdict = retrain_verdict.judge(frame)
    assert [line.arch for line in verdict.lines] == ["a", "c"] and verdict.missing == ("b",)
    assert verdict.lines[0].seeds == 1 and verdict.lines[0].retrained == 0.7
    frame[["status", "reason"]] = "diverged", "the loss is nan"
    with pytest.raises(UserError, match=r"no training ended well.*the first: the loss is nan"):
        retrain_verdict.judge(frame)


def manifest(
    benchmark: str, dataset: str, preset: str, seeds: tuple[int, ...] = (1000,), **changes: Any
) -> dict[str, Any]:
    from dataclasses import asdict

    facts = {"name": benchmark, "epochs": 108, "repeats": 3}
    settings = asdict(replace(presets()[preset], **changes))
    return {
        "benchmark": facts,
        "dataset": {"name": dataset},
        "settings": settings,
        "seeds": list(seeds),
    }


@pytest.mark.parametrize(
    ("about", "kind", "said"),
    [
        (manifest("nb101-digits", "digits", "digits"), "same", "Data and recipe are the table's. The seeds are new."),
        (manifest("nb101-digits", "digits", "digits", (2, 3)), "same", "Seeds 2 are the table's own"),
        (manifest("nb101-digits", "digits", "digits", epochs=5), "recipe", "epochs differ from preset digits"),
        (manifest("nb101-digits", "cifar10", "quick"), "transfer", "nb101-digits was measured on digits"),
        (manifest("nb101-108", "cifar10", "nb101"), "same", "Data and recipe are the table's"),
        (manifest("nb101-full", "cifar10", "nb101", epochs=36), "recipe", "epochs differ"),
        (manifest("nb101-108", "images.npz", "nb101"), "transfer", "these trainings are on images.npz"),
        (manifest("nb301-yahpo", "cifar10", "nb301"), "same", "Data and recipe"),
        (manifest("mine", "digits", "digits"), "unknown", "take this for a transfer"),
    ],
)  # fmt: skip
def test_a_transfer_is_called_one(about: dict[str, Any], kind: str, said: str) -> None:
    found, sentence = retrain_verdict.relation(about)
    assert found == kind and said in sentence


def test_names_for_the_terminal() -> None:
    assert label(CELL) == "110101 mp 3x3"
    assert label("0:skip_connect|" * 20) == ("0:skip_connect|" * 20)[:41] + "..."
    assert retrain_run._gpu_name("cpu") is None


def test_the_gpu_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert (retrain_run._gpu_name("cuda"), retrain_run._gpu_name("cuda:1")) == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert (retrain_run._gpu_name("cuda"), retrain_run._gpu_name("cuda:1")) == ("3", "5")


def test_how_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = retrain_run._at_once
    assert (
        at_once("cuda", 40, {"side_by_side": 3.4}) == 3
        and at_once("cuda", 2, {"side_by_side": 3.4}) == 2
    )
    assert at_once("cuda", 40, {}) == 1
    assert at_once("cpu", 3, {"ours_peak_mb": 1.0}) == 3 and at_once("cpu", 3, {}) == 3
    assert at_once("cpu", 3, {"ours_peak_mb": 1e12}) == 1
