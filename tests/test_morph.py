"""`rlnas morph`: the measures by hand, the actors, and the command, killed and gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

REASON = "the extra `retrain` is not installed: no trainings here"
pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.agents.options import Choice, OptionPolicy, stretched  # noqa: E402
from rlnas.analysis import cli  # noqa: E402
from rlnas.analysis.morph import measures  # noqa: E402
from rlnas.analysis.morph.command import Morph  # noqa: E402
from rlnas.analysis.morph.data import Finished, drawn_pairs  # noqa: E402
from rlnas.analysis.morph.search import (  # noqa: E402
    Edits,
    Lengths,
    Outcome,
    Plan,
    policy_of,
    search,
)
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.edits import KINDS  # noqa: E402
from rlnas.bench.nb101.space import make_space  # noqa: E402
from torch_fixtures import kept, one_thread  # noqa: E402, F401

ROWS, CELLS = cell_list(4)
SPACE = make_space(ROWS, 4)
START = SPACE.cell(0)
LENGTHS = Lengths(edits=2, episodes=6, nets=4)


# --- the actors
# -------------------------------------------------------------------------------------


def test_rewards_are_stretched_towards_one() -> None:
    assert stretched(0.9) == pytest.approx(6.3138, abs=1e-3)
    assert stretched(1.0) == stretched(0.999) < 1000


def test_what_was_rewarded_becomes_likelier() -> None:
    policy, rng = OptionPolicy(width=3, most=5, learning_rate=0.1), np.random.default_rng(0)
    learning = policy.init(jax.random.key(0))
    options = np.eye(3, dtype=np.float32)
    assert policy.probabilities(learning, options) == pytest.approx([1 / 3] * 3)
    for _ in range(30):
        played, rewards = [], []
        for _ in range(4):
            shares = policy.probabilities(learning, options)
            taken = int(rng.choice(3, p=shares))
            # The second choice is among fewer, and of no account.
            played.append([Choice(options, taken), Choice(options[:1], 0)])
            rewards.append(float(taken == 1))
        learning = policy.learn(learning, played, rewards)
    shares = policy.probabilities(learning, options)
    assert shares[1] > 0.9 and shares.sum() == pytest.approx(1)


def outcome_of(plan: Plan) -> Outcome:
    """More 3 x 3 convolutions are better."""
    good = 0.5 + 0.2 * sum(op.startswith("conv3x3") for op in plan.cell.ops)
    return Outcome(good, good)


@pytest.mark.parametrize("method", ["actors", "random edits"])
def test_a_search_is_drawn_from_its_seed(method: str) -> None:
    edits, policy = Edits(SPACE, 4), policy_of(0.1, 0.0)
    asked: list[int] = []

    def train(plan: Plan) -> Outcome:
        asked.append(SPACE.row(plan.cell))
        return outcome_of(plan)

    first, again, other = (
        search(edits, START, policy, LENGTHS, method, seed, train) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len(first) == 24 and [line["row"] for line in first] == asked[:24]
    assert {line["row"] for line in first} <= (edits.reached(START, 2) or set())
    assert sum(line["new"] for line in first) == len({line["row"] for line in first})
    assert {line["edits"].count(";") for line in first} == {1}


def test_actors_learn_and_chance_does_not() -> None:
    def late(method: str) -> float:
        lengths = Lengths(edits=2, episodes=40, nets=4)
        found = search(Edits(SPACE, 4), START, policy_of(0.1, 0.0), lengths, method, 3, outcome_of)
        return float(np.mean([line["val"] for line in found[-40:]]))

    assert late("actors") > late("random edits") + 0.1


# --- pairs and measures
# -----------------------------------------------------------------------------


def test_pairs_are_of_all_kinds_and_more_begin_with_the_same() -> None:
    few, many = (list(drawn_pairs(SPACE, CELLS, count)) for count in (4, 12))
    assert [pair.rows for pair in many[:4]] == [pair.rows for pair in few]
    assert {pair.edit.kind for pair in many} == set(KINDS) - {"add"}  # no room in four vertices
    assert len({pair.rows for pair in many}) == 12
    for pair in many:
        assert SPACE.row(pair.cell) == pair.rows[0] and SPACE.row(pair.grown.cell) == pair.rows[1]


def test_epochs_by_hand() -> None:
    curve = np.array([0.2, 0.8, 0.9, 0.85])
    assert measures.spent(curve, 0.1, 20) == 0  # before training
    assert measures.spent(curve, 0.85, 20) == 2
    assert measures.spent(curve, 0.95, 20) == 23  # three in vain, then all


def made_up(pairs: int) -> Finished:
    """Inherited trainings get there after one of four epochs, those from scratch never."""
    curves = {
        "inherited": [[0.5, 0.9]] * pairs,
        "short": [[0.1, 0.6]] * pairs,
        "scratch": [[0.1, 0.3, 0.6, 0.8, 0.9 - 0.001 * i] for i in range(pairs)],
    }
    frame = pd.DataFrame(
        {"kind": ["deeper", "add"] * (pairs // 2), "parent_val": 0.5, "target": 0.9} | curves
    )
    vals = {"actors": (0.7, 0.8, 0.8), "random edits": (0.9, 0.7, 0.9)}
    lines = [
        {"method": method, "seed": 1, "row": row, "new": True, "val": val, "arch": str(row)}
        | {"table_val": val, "table_test": val - 0.1, "table_early": val / 2, "params": -val}
        for method, found in vals.items()
        for row, val in enumerate(found)
    ]
    manifest = {
        "parent_epochs": 2,
        "table": {"epochs": 4, "cells": 9, "val": 0.95, "test": 0.9},
        "seconds": {"start": 1.0, "nets": 2.0, "scratch": 5.0},
    }
    return Finished(manifest, frame, pd.DataFrame(lines))


def test_measures_by_hand() -> None:
    report = measures.report(made_up(12))
    inherited, short, scratch = (report.worth[run] for run in measures.RUNS)
    assert (inherited.reached, inherited.epochs, inherited.saved.value) == (12, 1.0, 0.75)
    assert np.isnan(inherited.saved.low)  # nothing varies
    assert report.with_parent.value == pytest.approx(0.25)
    assert (short.reached, short.saved.value) == (0, pytest.approx(-0.25))
    assert np.isnan(short.epochs) and short.above.value == pytest.approx(-0.3)
    assert scratch.reached == 1 and scratch.above.low < scratch.above.value < scratch.above.high
    assert report.by_kind == {"deeper": (6, 0.75), "add": (6, 0.75)} and report.kept == 0
    actors, chance = report.choices["actors"], report.choices["random edits"]
    assert (actors.arch, actors.trained) == (["1"], [3])  # the first of the best
    assert actors.regret_val == pytest.approx([0.15]) and actors.regret_test == pytest.approx([0.2])
    assert chance.arch == ["0"] and chance.regret_val == pytest.approx([0.05])
    assert (report.nets, report.cells, report.seconds, report.full) == (3, 3, 3.0, 15.0)
    by_name = {ranking.name: ranking.spearman.value for ranking in report.rankings}
    assert by_name["after inheriting"] == pytest.approx(1)
    assert by_name["number of parameters"] == pytest.approx(-1)
    assert np.isnan(measures.report(made_up(4)).worth["scratch"].saved.low)  # too few


# --- the command
# ------------------------------------------------------------------------------------

WORDS = "--preset smoke --max-vertices 4 --pairs 1 --parent-epochs 1 --epochs 1 --edits 2"
TINY = [*WORDS.split(), "--episodes", "2", "--nets", "3", "--seeds", "1"]


def results(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("morph-*/*.parquet")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where the command ran at a stretch, and where it was killed midway and run again."""
    whole, cut = (tmp_path_factory.mktemp(name) for name in ("whole", "cut"))
    words = [sys.executable, "-m", "rlnas.analysis.cli", "morph", *TINY, "--out", str(cut)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rng = np.random.default_rng()
    enough, deadline = int(rng.integers(1, 6)), time.monotonic() + 300
    while len(list(cut.glob("morph-*/*.json"))) < enough:
        assert process.poll() is None and time.monotonic() < deadline, "it ended before"
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.1))
    process.send_signal(signal.SIGKILL)
    process.wait()
    with kept():
        for out in (cut, whole):
            assert cli.main(["morph", *TINY, "--out", str(out)]) == 0
    return whole, cut


@pytest.mark.long
def test_killed_and_gone_on_with_it_is_the_same(folders: tuple[Path, Path]) -> None:
    whole, cut = map(results, folders)
    assert set(whole) == {"pairs.parquet", "nets.parquet"}
    assert whole == cut


@pytest.mark.long
def test_report_draws_it_again(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (folder,) = folders[0].glob("morph-*")
    capsys.readouterr()
    assert cli.main(["report", str(folder)]) == 0
    first = capsys.readouterr().out
    figure = (folder / "figure.svg").read_bytes()
    (folder / "figure.svg").unlink()
    assert cli.main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == first and (folder / "figure.svg").read_bytes() == figure
    assert "Pairs: 1, each a cell of nb101-digits" in first and "random edits" in first
    pairs = pd.read_parquet(folder / "pairs.parquet")
    assert [len(curve) for curve in pairs["inherited"]] == [2]
    assert [len(curve) for curve in pairs["scratch"]] == [21]
    kept_bytes = (folder / "nets.parquet").read_bytes()
    (folder / "nets.parquet").write_bytes(kept_bytes[:-9])
    assert cli.main(["report", str(folder)]) == 2
    assert "nets.parquet is missing or damaged" in capsys.readouterr().err
    (folder / "nets.parquet").write_bytes(kept_bytes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"start": "101 input,output"}, "expected the upper triangle"),
        ({"start": "1011111111 input,maxpool3x3,maxpool3x3,maxpool3x3,output"}, "no edits within"),
        ({"dataset": "no-such-images"}, "no-such-images"),
        ({"benchmark": "no-such-table"}, "no table"),
        ({"max_vertices": 2}, "--max-vertices is 2"),
    ],
)
def test_bad_options_are_one_line(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    with kept(), pytest.raises(UserError, match=reason):
        replace(Morph(out=tmp_path), **change).run()  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_presets() -> None:
    assert Morph.for_options([]) == Morph()
    smoke = Morph.for_options(["--preset", "smoke", "--pairs", "1"])
    assert (smoke.preset, smoke.pairs, smoke.seeds) == ("smoke", 2, 1)
