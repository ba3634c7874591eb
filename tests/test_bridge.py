"""agents/bridge.py: what searches outside JAX is counted, keyed, stored and refused as the rest."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import Any

import jax
import numpy as np
import pytest

import outside_searchers
from rlnas.agents.bridge import Bridge, Problem, repaired
from rlnas.agents.protocol import History, run_seeds, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.spec import parse
from rlnas.agents.testing import GAPS
from rlnas.analysis import cli, store
from rlnas.analysis.comparison import sweep
from rlnas.bench.benchmark import Benchmark
from rlnas.bench.errors import UserError
from rlnas.bench.stand_ins import GridBenchmark
from tables import small_benchmark

BUDGET, SEEDS = 12, 3


def searched(word: str, benchmark: Benchmark, budget: int = BUDGET) -> History:
    return run_seeds(parse(word)[1], benchmark, budget, seed_keys(0, SEEDS))


@pytest.fixture(scope="module")
def gaps() -> Any:
    return GAPS()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["rows with gaps", "vectors", "cells, drawn repeats"])
def test_who_replays_an_agent_leaves_its_bytes(kind: str, gaps: Any) -> None:
    """With drawn repeats too: query number t has the same key."""
    there = {"rows with gaps": gaps, "vectors": GridBenchmark()}.get(kind)
    there = small_benchmark(4, noise="sample") if there is None else there
    replayed = searched("bridge:outside_searchers:Replay:workers=0", there)
    native = run_seeds(RandomSearch(), there, BUDGET, seed_keys(0, SEEDS))
    for name, a, b in zip(History._fields, replayed, native, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.tobytes()) == (b.dtype, b.tobytes()), name


def test_the_budget_is_exact_and_told_to_nobody(gaps: Any) -> None:
    word = "bridge:outside_searchers:stepping:step=7,workers=0"
    outside_searchers.LOG.clear()
    long = searched(word, gaps)
    assert long.val.shape == (SEEDS, BUDGET)
    told = [value for _, value in outside_searchers.LOG]
    # The answer to the last query of each run is heard by nobody: a generator would ask again.
    heard = np.where(long.valid, long.val, np.nan)[:, :-1].ravel()
    np.testing.assert_array_equal([np.nan if x is None else x for x in told], heard)
    assert None in told
    short = searched(word, gaps, budget=5)
    for a, b in zip(short, long, strict=True):
        np.testing.assert_array_equal(a, b[:, :5])


def test_a_choice_that_may_not_follow_becomes_the_next_that_may() -> None:
    decisions = small_benchmark(4).space.decisions
    every = np.array(list(product(*map(range, decisions.sizes))), np.int32)[::5]
    found = np.asarray(jax.jit(jax.vmap(lambda x: repaired(decisions, x)))(every))
    problem = Problem(small_benchmark(4).space, jax.random.key(0))
    for wanted, got in zip(every[::9].tolist(), found[::9].tolist(), strict=True):
        kept: list[int] = []
        for t, choice in enumerate(wanted):
            allowed = problem.allowed(kept, t)
            kept.append(min(allowed, key=lambda c: (c - choice) % max(decisions.sizes)))
        assert kept == got
    assert (found == every).all(1).any() and not (found == every).all(1).all()


def test_what_is_told_is_what_was_looked_up(gaps: Any) -> None:
    there = small_benchmark(4)
    outside_searchers.LOG.clear()
    history = searched("bridge:outside_searchers:stepping:step=1234567,workers=0", there)
    asked = [choices for choices, _ in outside_searchers.LOG]
    built = jax.vmap(lambda x: there.space.decisions.build(repaired(there.space.decisions, x)))
    np.testing.assert_array_equal(built(np.array(asked, np.int32)), history.arch[:, :-1].ravel())


# Faults

FAULTS = {
    "": "agent 'bridge:' is of no object; expected bridge:optuna:sampler=tpe, or bridge:MODULE",
    "outside_searchers": "agent 'bridge:outside_searchers' is of no object; expected bridge:",
    "outside_searchers:NUMBER": "outside_searchers:NUMBER is 3; expected a class or a function",
    "outside_searchers:Nothing": "defines no Nothing",
    "no_such_module:Draws": "no_such_module:Draws cannot be imported",
    "outside_searchers:Draws:x=1": "unknown option 'x'; expected workers=...",
    "outside_searchers:Faulty": "option 'what' is missing; expected workers=..., what=...",
    "outside_searchers:stepping:step=a": "found step='a'; expected a whole number",
    "outside_searchers:Draws:workers=-1": "found workers=-1; expected 0 or more",
    "optuna:sampler=nobody": "found sampler='nobody'; expected one of tpe, gp, nsga2, random",
    "outside_searchers:nobody:workers=0": (
        "outside_searchers:nobody: made 'nobody'; expected an object with ask() and tell()"
    ),
    "outside_searchers:stepping:last=3,workers=0": "it has ended; expected choices for as long",
    "outside_searchers:Faulty:what=short,workers=0": "asked for [0]; expected 4 whole numbers",
    "outside_searchers:Faulty:what=large,workers=0": (
        "asked for choice 3 of variable 0; expected 0 to 2"
    ),
    "outside_searchers:Faulty:what=negative,workers=0": (
        "asked for choice -1 of variable 3; expected 0 to 2"
    ),
    "outside_searchers:Faulty:what=fraction,workers=0": "asked for [0.5, 0.5, 0.5, 0.5]; expected",
    "outside_searchers:Faulty:what=ragged,workers=0": "asked for [[0], 0]; expected 4 whole",
    "outside_searchers:Faulty:what=nothing,workers=0": "asked for None; expected 4 whole",
    "outside_searchers:Faulty:what=other,workers=0": (
        "outside_searchers:Faulty: KeyError: 'other' (outside_searchers.py, line "
    ),
    "optuna:population_size=3,workers=0": "optuna: TypeError: ",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_one_line(text: str) -> None:
    with pytest.raises(UserError) as caught:
        searched(f"bridge:{text}", GridBenchmark())
    assert FAULTS[text] in str(caught.value) and "\n" not in str(caught.value)


def test_a_library_that_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    expected = r"optuna is not installed; `pip install 'rlnas\[bridges\]'` to search with it"
    with pytest.raises(UserError, match=expected):
        parse("bridge:optuna:sampler=tpe")


def test_it_is_built_by_nobody(gaps: Any) -> None:
    with pytest.raises(UserError, match="Draws searches outside JAX; `run_seeds` lets it"):
        parse("bridge:outside_searchers:Draws")[1].build(gaps.space)


# Runs on disk


@pytest.mark.long
def test_a_killed_comparison_goes_on_and_no_run_is_made_twice(gaps: Any, tmp_path: Path) -> None:
    file, spared = tmp_path / "log", tmp_path / "spared"
    word = f"bridge:outside_searchers:Counted:workers=2,file={file},spared={spared}"
    asked: dict[str, Any] = {"budget": 6, "seeds": 5, "out": tmp_path / "runs"}
    with pytest.raises(UserError, match="Counted: the worker process died of SIGKILL"):
        sweep.compare(gaps, [word], **asked)
    parts = len(list((tmp_path / "runs").glob("*/part-*")))
    assert 1 <= parts < 5
    before = len(file.read_text().splitlines())
    spared.touch()
    (run,) = sweep.compare(gaps, [word], **asked)
    lines = [line.split() for line in file.read_text().splitlines()]
    assert len(lines) == before + 5 - parts and len({seed for seed, _ in lines}) == 5
    assert len({process for _, process in lines}) >= 2  # not in this one
    (plain,) = sweep.compare(gaps, ["bridge:outside_searchers:Draws:workers=0"], **asked)
    history = (run.folder / store.HISTORY).read_bytes()
    assert history == (plain.folder / store.HISTORY).read_bytes()
    assert not list((tmp_path / "runs").glob("*/part-*"))


def test_an_edited_searcher_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = []
    for line in ("", "# a comment", "NUMBER = 4"):
        (tmp_path / "edited.py").write_text(inspect.getsource(outside_searchers) + line)
        sys.modules.pop("edited", None)
        found.append(parse("bridge:edited:Draws")[1].identity())
    assert found[0] == found[1] != found[2]
    assert parse("bridge:edited:Draws:workers=1")[1].identity() == found[2]


# The example of the docstring, and optuna


def test_the_example_searches(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """As it stands in `rlnas agents bridge`; and in figures and tables like everybody."""
    assert cli.main(["agents", "bridge"]) == 0
    said = capsys.readouterr().out
    start = said.index("    import random\n")
    source = dedent(said[start : said.index("and `rlnas compare")])
    assert len([line for line in source.splitlines() if line]) <= 20
    (tmp_path / "mine.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    word = "climb=bridge:mine:Climb:restart=0.2,workers=0"
    args = ["--benchmark", str(table), "--agents", "random_search", word, "--seeds", "3"]
    assert cli.main(["compare", *args, "--budget", "8", "--out", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert "climb" in out and "figure.png" in out
    config = Bridge(importlib.import_module("mine").Climb, (("restart", 0.2),), workers=0)
    assert config.identity() == parse(word)[1].identity()


@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="optuna is not installed")
@pytest.mark.parametrize(
    "options", ["sampler=tpe,n_startup_trials=4", "sampler=nsga2,population_size=4"]
)
def test_optuna(options: str, gaps: Any) -> None:
    history = searched(f"bridge:optuna:{options},workers=0", gaps, budget=20)
    again = run_seeds(
        parse(f"bridge:optuna:{options},workers=0")[1], gaps, 20, seed_keys(0, SEEDS)[1:]
    )
    for a, b in zip(history, again, strict=True):
        np.testing.assert_array_equal(a[1:], b)
    assert not history.valid.all() and history.valid.any(1).all()
    assert len({row.tobytes() for row in history.arch}) == SEEDS


def test_optuna_climbs() -> None:
    """Told -value, or nothing, it would not."""
    found = searched("bridge:optuna:n_startup_trials=5,workers=0", GridBenchmark(), budget=40)
    drawn = searched("bridge:outside_searchers:Draws:workers=0", GridBenchmark(), budget=40)
    late, early = found.val[:, 20:].mean(), drawn.val.mean()
    assert late > early + 0.1, (late, early)
