"""bench/registry.py: built-in names, outside packages through entry points, clear refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlnas import agents, bench
from rlnas.agents import registry
from rlnas.bench.errors import UserError
from rlnas.bench.family import FAMILIES
from rlnas.bench.registry import Registry

ROOT = Path(__file__).parents[1]

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "rlnas-outside"
version = "1.0"

[project.entry-points."rlnas.agents"]
first_row = "rlnas_outside:FirstRow"
random_search = "rlnas_outside:FirstRow"

[project.entry-points."rlnas.benchmarks"]
outside-ring = "rlnas_outside:load"

[tool.setuptools]
py-modules = ["rlnas_outside"]
"""

MODULE = '''
"""An agent that asks one row for ever, and a benchmark it can ask."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from rlnas.agents.protocol import Agent
from rlnas.bench.stand_ins import ring


@dataclass(frozen=True)
class FirstRow:
    row: int = 0

    def build(self, space):
        ask = lambda key, state: (jnp.int32(self.row), state)
        return Agent(lambda key: (), ask, lambda state, arch, result: state)


def load(name, *, epochs, noise):
    return ring(np.linspace(0.1, 0.9, 9))
'''

SCRIPT = """
import json, sys
from rlnas import agents, bench
names = agents.names(), bench.names()
untouched = "rlnas_outside" not in sys.modules
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.spec import parse
from rlnas.bench.registry import Registry
label, config = parse("first_row:row=3")
history = run_seeds(config, bench.load("outside-ring"), 5, seed_keys(0, 2))
evolution = "rlnas.agents.evolution:Evolution"
first_row = Registry("rlnas.agents", {"first_row": evolution}).load("first_row")
print(json.dumps({
    "agents": names[0], "benchmarks": names[1], "untouched": untouched,
    "arch": history.arch.tolist(),
    "val": history.val.tolist(), "random_search": agents.config("random_search").__module__,
    "first_row": first_row.__name__,
}))
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> Path:
    """A folder into which a package that registers an agent and a benchmark is installed."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "rlnas_outside.py").write_text(MODULE)
    options = [
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--disable-pip-version-check",
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        *options,
        "--target",
        str(target),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def test_an_installed_package_adds_an_agent_and_a_benchmark(outside):
    env = os.environ | {"PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(outside)])}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert "first_row" in seen["agents"]
    assert set(agents.names()) < set(seen["agents"])
    assert "outside-ring" in seen["benchmarks"]
    assert seen["untouched"], "listing the names imported the package"
    assert seen["arch"] == [[3] * 5] * 2
    assert seen["val"] == [[pytest.approx(0.4)] * 5] * 2
    assert seen["random_search"] == "rlnas.agents.random_search", (
        "an outside package replaced a built-in agent"
    )
    assert seen["first_row"] == "Evolution", "an outside package replaced a built-in agent"


def test_builtin_names_load():
    assert {"evolution", "local_search", "random_search", "random_walk"} <= set(agents.names())
    assert "nb101-digits" in bench.names()
    for name in registry.REGISTRY.builtin:
        assert hasattr(agents.config(name), "build")


def test_names_are_sorted_and_nothing_is_imported():
    registry = Registry("rlnas.nowhere", {"b": "no_such_module:x", "a": "no_such_module:y"})
    assert registry.names() == ["a", "b"]


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(
        UserError, match=r"unknown agent 'randm'; expected one of .*evolution, .*random_search"
    ):
        agents.config("randm")


def test_every_builtin_is_declared_as_an_entry_point():
    """So that the installed package shows in `importlib.metadata` what it registers."""
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared["rlnas.agents"] == dict(registry.REGISTRY.builtin)
    assert declared["rlnas.families"] == dict(FAMILIES.builtin)
