"""What every registered agent promises; a new one is tested by being registered."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import agents, bench
from rlnas.agents.protocol import Agent, AgentConfig, History, run_seeds, seed_keys
from rlnas.agents.spec import parse
from rlnas.bench.nb301.genotype import SIZES
from rlnas.bench.noise import MEAN
from rlnas.bench.stand_ins import GridBenchmark, scrambled
from surrogates import invented_benchmark
from tables import small_benchmark
from test_protocol import python_search

BUDGET, SEEDS = 40, 6
EVERY_AGENT = pytest.mark.parametrize("name", agents.names())
MADE_UP = {
    "scrambled": lambda: scrambled(120, 6),
    "gaps": lambda: scrambled(120, 6, missing=0.3),
    "nothing": lambda: scrambled(120, 6, missing=1.0),
    "vectors": GridBenchmark,
    "cells": lambda: small_benchmark(max_vertices=4, noise="sample"),
    "nb301": invented_benchmark,  # registered, but its files are not at hand
}


@cache
def benchmark(name: str) -> Any:
    return MADE_UP[name]() if name in MADE_UP else bench.load(name)


def config(name: str) -> AgentConfig:
    return parse(name)[1]


@cache
def run(agent: str, on: str, seeds: int = SEEDS) -> History:
    """[seeds, BUDGET] as numpy."""
    return jax.tree.map(
        np.asarray, run_seeds(config(agent), benchmark(on), BUDGET, seed_keys(0, seeds))
    )


@dataclass(frozen=True)
class Traced:
    """Counts how often an agent is built, which happens once a trace."""

    config: AgentConfig
    builds: list[str] = field(default_factory=list, compare=False)

    def build(self, space: Any) -> Agent:
        self.builds.append("built")
        return self.config.build(space)


@cache
def traced_runs(agent: str) -> tuple[int, list[History]]:
    """How many traces two runs of two seeds need, and the runs: other keys, other accuracies, equal
    shapes."""
    traced = Traced(config(agent))
    runs = [
        run_seeds(traced, benchmark(on), BUDGET, seed_keys(i, 2))
        for i, on in enumerate(("gaps", "scrambled"))
    ]
    return len(traced.builds), jax.tree.map(np.asarray, runs)


def fingerprint(agent: str) -> str:
    """sha256 of all that a run leaves behind."""
    content = hashlib.sha256()
    for column in run(agent, "gaps"):
        content.update(f"{column.dtype}{column.shape}".encode() + column.tobytes())
    return content.hexdigest()


@EVERY_AGENT
@pytest.mark.parametrize("on", [*MADE_UP, *(name for name in bench.names() if name not in MADE_UP)])
def test_budget_exact_space_kept_and_best_so_far_monotone(name, on):
    history, there = run(name, on), benchmark(on)
    for column in history:
        assert column.shape[:2] == (SEEDS, BUDGET)

    archs = history.arch.reshape(SEEDS * BUDGET, *history.arch.shape[2:])
    values = jax.vmap(lambda arch: there.query(arch, jax.random.key(0)).val)(jnp.asarray(archs))
    if on == "vectors":
        assert ((archs >= 0) & (archs < 3)).all()
    elif on == "nb301":
        assert ((archs >= 0) & (archs < SIZES)).all()
    else:
        assert ((archs >= 0) & (archs < there.space.size)).all()
    # What was recorded is what the benchmark says (under `sample`, that it has an answer at all).
    values = np.asarray(values).reshape(SEEDS, BUDGET)
    np.testing.assert_array_equal(history.valid, ~np.isnan(values))
    if there.noise == MEAN:
        # A surrogate's sums may be taken in another order in a batch of another shape.
        np.testing.assert_allclose(history.val, values, rtol=1e-6 if on == "nb301" else 0)

    has_best = history.incumbent >= 0
    best = np.where(
        has_best, np.take_along_axis(history.val, history.incumbent.clip(0), 1), -np.inf
    )
    np.testing.assert_array_equal(
        best, np.maximum.accumulate(np.where(history.valid, history.val, -np.inf), axis=1)
    )
    assert (np.diff(history.incumbent, axis=1) >= 0).all()
    assert (history.incumbent <= np.arange(BUDGET)).all()


@EVERY_AGENT
def test_a_batch_equals_single_runs_of_a_python_loop(name):
    """Ask, look up, tell, one after the other: so an agent can drive a real training loop, too."""
    there, together = benchmark("gaps"), run(name, "gaps")
    alone = python_search(config(name).build(there.space), there, BUDGET, seed_keys(0, SEEDS)[1])
    for column in History._fields:
        assert len(alone[column]) == BUDGET
        np.testing.assert_array_equal(
            getattr(together, column)[1], np.stack(alone[column]), err_msg=column
        )


@EVERY_AGENT
def test_a_seed_does_not_depend_on_how_many_run_beside_it(name):
    _, (few, _) = traced_runs(name)
    for a, b in zip(few, run(name, "gaps"), strict=True):
        np.testing.assert_array_equal(a, b[:2])


@EVERY_AGENT
def test_new_keys_and_new_accuracies_are_no_new_trace(name):
    builds, (first, second) = traced_runs(name)
    assert builds == 1
    assert not np.array_equal(first.arch, second.arch)
    # Equal settings are the same settings: nothing is compiled for a second object.
    assert config(name) == config(name)
    assert hash(config(name)) == hash(config(name))


@EVERY_AGENT
def test_seeds_differ(name):
    archs = run(name, "scrambled").arch
    assert len({row.tobytes() for row in archs}) == SEEDS


def test_the_same_bytes_in_another_process():
    script = (
        "import json\nfrom rlnas import agents\nfrom tests.test_agents_contract import fingerprint\n"
        "print(json.dumps({name: fingerprint(name) for name in agents.names()}))"
    )
    env = os.environ | {"PYTHONHASHSEED": "123"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: fingerprint(name) for name in agents.names()}


@EVERY_AGENT
def test_missing_values_do_no_harm(name):
    history = run(name, "gaps")
    assert not history.valid.all()
    assert history.valid.any(axis=1).all()
    assert (history.incumbent[:, -1] >= 0).all()
    assert np.isnan(history.val[~history.valid]).all()
    # The search goes on: it is not stuck where there was no answer.
    assert (history.is_new[:, BUDGET // 2 :].sum(axis=1) > 2).all()

    nothing = run(name, "nothing")
    assert not nothing.valid.any()
    assert (nothing.incumbent == -1).all()
    assert (nothing.is_new.sum(axis=1) > 2).all()


@EVERY_AGENT
def test_a_configuration_is_a_frozen_hashable_dataclass_with_documented_fields(name):
    settings = type(config(name))
    assert dataclasses.is_dataclass(settings)
    assert settings.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert settings.__doc__ and not settings.__doc__.startswith(settings.__name__ + "(")
    source = inspect.getsource(settings)
    for option in dataclasses.fields(settings):
        assert '    """' in source.split(f"    {option.name}: ")[1].split("\n")[1], (
            f"{option.name} has no docstring"
        )
