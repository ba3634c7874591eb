"""Plug-ins that are broken in every way: one line names them, the others go on working."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import jax
import numpy as np
import pytest

from rlnas import bench
from rlnas.agents import registry
from rlnas.agents.learner import learner_class
from rlnas.analysis import cli
from rlnas.analysis.comparison.sweep import compare
from rlnas.bench.errors import UserError
from rlnas.bench.family import Outside, broken, families
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.nb301.genotype import NUM_DIGITS
from rlnas.bench.plugins import PluginError, blamed
from rlnas.bench.stand_ins import GridBenchmark
from surrogates import invented_benchmark
from tables import small_table

MODULES = {
    "torn": "def f(:\n",
    "needy": "import absent_module\n",
    "leaves": "raise SystemExit(3)\n",
    "faulty": '''
from dataclasses import dataclass
import jax.numpy as jnp
from rlnas.agents import Agent

@dataclass(frozen=True)
class Raises:
    """Never asks."""
    def build(self, space):
        def ask(key, state):
            raise ValueError("two\\nlines \\x1b[1m")
        return Agent(space.sample, ask, lambda state, arch, result: state)

@dataclass(frozen=True)
class Beyond:
    """Asks for what is not there."""
    at: int = 10**6
    def build(self, space):
        def ask(key, state):
            return jnp.full_like(space.sample(key), self.at), state
        return Agent(space.sample, ask, lambda state, arch, result: state)

@dataclass(frozen=True)
class Refuses:
    """Cannot be made."""
    def __post_init__(self):
        raise RuntimeError("not today")

@dataclass(frozen=True)
class Builds:
    """Builds nothing."""
    def build(self, space):
        return None

class Asks:
    def __init__(self, problem, seed):
        pass
    def ask(self):
        raise LookupError("no idea")
    def tell(self, choices, value):
        pass

def nothing(name, *, epochs, noise):
    return None

def divides(name, *, epochs, noise):
    return 1 / 0

@dataclass(frozen=True)
class Particular:
    """Does not like one of the benchmarks."""
    def build(self, space):
        if space.size > 50:
            raise ValueError("too large for me")
        return Agent(space.sample, lambda key, state: (space.sample(key), state),
                     lambda state, arch, result: state)
''',
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with the modules, to be in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    small_table(4).save("table.npz")
    for name, text in MODULES.items():
        Path(f"{name}.py").write_text(text)
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


COMPARE = "compare --benchmark table.npz --budget 4 --seeds 2 --agents"
BROKEN = {
    f"{COMPARE} random_search torn:X": "torn:X cannot be imported (SyntaxError: ",
    f"{COMPARE} random_search needy:X": "needy:X cannot be imported (ModuleNotFoundError: No module"
    " named 'absent_module')",
    f"{COMPARE} random_search leaves:X": "leaves:X cannot be imported (SystemExit: 3)",
    f"{COMPARE} random_search faulty:X": "faulty.py defines no X",
    f"{COMPARE} random_search faulty:Refuses": "agent 'faulty:Refuses' of the module faulty raised "
    "RuntimeError: not today (faulty.py, line 27)",
    f"{COMPARE} bridge:faulty:Asks": "faulty:Asks: LookupError: no idea (faulty.py, line 39)",
    f"{COMPARE} faulty:Raises": "agent Raises of the module faulty raised ValueError: two lines "
    r"\x1b[1m (faulty.py, line 11)",
    "probe faulty:Raises --benchmark table.npz --budget 4 --seeds 2": "agent faulty:Raises of the ",
    "check torn:X": "torn:X cannot be imported (SyntaxError: ",
    "agents torn:X": "torn:X cannot be imported (SyntaxError: ",
    "train torn:X": "torn:X cannot be imported (SyntaxError: ",
}


@pytest.mark.parametrize("line", BROKEN)
def test_one_line_names_it(line: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(line.split()) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("rlnas: error: ") and BROKEN[line] in said


def test_the_traceback_by_an_option(capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["--traceback", *f"{COMPARE} faulty:Raises".split()]) == 2
    told = capsys.readouterr().err
    assert 'raise ValueError("two\\nlines' in told and "Traceback (most recent call last)" in told
    assert told.splitlines()[-1].startswith("rlnas: error: agent Raises")


@pytest.mark.long
@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("faulty:Raises", "agent Raises of the module faulty raised ValueError: two lines"),
        ("faulty:Builds", "agent Builds of the module faulty raised "),
        ("faulty:Beyond", "asked for 1000000, which is no architecture of small (40 of 40"),
        ("faulty:Beyond:at=-1", "asked for -1, which is no architecture of small (40 of 40"),
    ],
)
def test_the_others_are_compared(agent: str, said: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main([*COMPARE.split(), "random_search", agent, "evolution"]) == 2
    out, err = capsys.readouterr()
    assert "random_search" in out and "evolution" in out and agent not in out
    assert err.splitlines()[-1].startswith("rlnas: error: left out of the comparison: agent ")
    assert said in err and len(list(Path("runs").glob("*/manifest.json"))) == 2


def test_beyond_a_space_without_numbers(tmp_path: Path) -> None:
    """An operation, an input or every digit out of its range."""
    asks = registry.config("faulty:Beyond")
    for opened, digits in ((invented_benchmark(), NUM_DIGITS), (GridBenchmark(), 4)):
        for at in (-1, 100):
            with pytest.raises(PluginError, match=rf"asked for \[{at}, .* is no architecture of"):
                compare(opened, {"x": asks(at=at)}, budget=2, seeds=2, out=tmp_path)
        contains = jax.jit(opened.space.contains)
        arch = np.asarray(opened.space.sample(jax.random.key(0)))
        assert contains(arch)
        for place in range(digits):
            outside = arch.copy()
            outside[place] = 100
            assert not contains(outside)


def test_what_a_partial_table_lacks_is_a_query_without_an_answer(tmp_path: Path) -> None:
    """Nothing outside the whole space is."""
    partial = from_table(small_table(4, rows=range(0, 90, 2)))
    asks = registry.config("faulty:Beyond")
    (run,) = compare(partial, {"x": asks(at=-1)}, budget=3, seeds=2, out=tmp_path)
    assert (run.history.arch == -1).all() and run.history.arch.shape == (2, 3)
    assert not run.history.valid.any() and np.isnan(run.history.val).all()
    for at in (-2, 45, 10**6):
        with pytest.raises(PluginError, match=f"asked for {at}, which is no architecture of"):
            compare(partial, {"x": asks(at=at)}, budget=3, seeds=2, out=tmp_path)


@pytest.mark.long
def test_the_others_are_compared_on_the_other_benchmarks(capsys: pytest.CaptureFixture) -> None:
    """An agent that fails on one of three benchmarks, and one that fails on all."""
    for name, rows in (("north", range(40)), ("south", range(30))):
        table = small_table(4, rows=rows)
        replace(table, meta=table.meta | {"name": name}).save(f"{name}.npz")
    agents = "faulty:Particular faulty:Raises local_search"
    tables = ("table.npz", "north.npz", "south.npz")
    words = [*f"compare --budget 4 --seeds 2 --agents {agents} --benchmark".split(), *tables]
    assert cli.main(words) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("rlnas: error: left out of the comparison: agent Particular of the ")
    assert said.count("agent Particular of ") == 1 and said.count("agent Raises of ") == 1
    done = [json.loads(path.read_text()) for path in Path("runs").glob("*/manifest.json")]
    of = Counter(manifest["agent"] for manifest in done)
    assert of == {"random_search": 3, "local_search": 3, "faulty:Particular": 2}
    written = [path.read_text() for path in Path("runs").glob("compare-*/table.csv")]
    (together,) = [text for text in written if "north" in text and "south" in text]
    assert len(written) == 4 and "Particular" not in together and "local_search" in together


def test_a_benchmark_that_fails_leaves_the_others(
    installed: None, capsys: pytest.CaptureFixture
) -> None:
    line = "compare --benchmark table.npz divides --budget 4 --seeds 2 --agents random_search"
    assert cli.main(line.split()) == 2
    out, err = capsys.readouterr()
    assert "alone" in out and len(list(Path("runs").glob("*/manifest.json"))) == 1
    assert err.splitlines()[-1].startswith("rlnas: error: left out of the comparison: benchmark ")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules as installed packages would register them."""
    by_group = {
        "rlnas.agents": {"torn_agent": "torn:X", "needy_agent": "needy:X"},
        "rlnas.benchmarks": {
            "none": "faulty:nothing",
            "divides": "faulty:divides",
            "torn": "torn:load",
        },
        "rlnas.families": {"leaves": "leaves:FAMILY", "no-family": "faulty:nothing"},
    }

    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint(*item, group) for item in by_group[group].items()]

    monkeypatch.setattr("rlnas.bench.registry.entry_points", entry_points)


@pytest.mark.usefixtures("installed")
def test_registered_ones_are_named_and_the_others_work(capsys: pytest.CaptureFixture) -> None:
    for name, said in {
        "none": "benchmark 'none' of an installed package is None; expected one",
        "divides": "benchmark 'divides' of an installed package raised ZeroDivisionError: ",
        "torn": "benchmark 'torn' of an installed package raised SyntaxError: ",
    }.items():
        with pytest.raises(UserError) as refused:
            bench.load(name)
        assert said in str(refused.value) and isinstance(bench.family_of(name), Outside)
    assert {line.name for line in broken()} == {"leaves", "no-family"} and "nb101" in families()
    with pytest.raises(UserError, match=r"agent torn_agent of an installed package: torn:X cannot"):
        registry.config("torn_agent")
    with pytest.raises(UserError, match="is not trained; expected one of dqn, incontext"):
        learner_class("random_search")
    assert cli.main(["agents"]) == 0 and cli.main(["bench", "list"]) == 0
    told = capsys.readouterr().out
    assert "torn:X cannot be imported" in told and "nb101-digits" in told and "evolution" in told


@pytest.mark.long
def test_faults_of_ours_are_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), blamed("agent evolution", "rlnas.agents.evolution:X"):
        raise ZeroDivisionError
    with pytest.raises(PluginError), blamed("agent x", "rlnas_like.module:X"):
        raise ZeroDivisionError
