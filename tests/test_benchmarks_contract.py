"""What every registered benchmark promises, alone and inside the MDP; a new one is tested by being
registered."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nb201_tables import invented_cells
from rlnas import bench
from rlnas.bench.benchmark import Benchmark, SearchSpace
from rlnas.bench.mdp import IncrementalMDP
from surrogates import invented_benchmark
from tables import small_benchmark

OPENED = {
    "nb301": invented_benchmark,
    "nb201-cifar100": invented_cells,
    "cells": small_benchmark,
}  # what takes a file opens an invented one
EVERY_BENCHMARK = pytest.mark.parametrize("name", sorted({*bench.names(), *OPENED}))
MANY = 64


@cache
def opened(name: str, noise: str = "mean") -> Any:
    return OPENED[name](noise=noise) if name in OPENED else bench.load(name, noise=noise)


@cache
def archs(name: str) -> np.ndarray:
    return np.asarray(
        jax.vmap(opened(name).space.sample)(jax.random.split(jax.random.key(0), MANY))
    )


def query_all(name: str, noise: str, seed: int) -> Any:
    keys = jax.random.split(jax.random.key(seed), MANY)
    return jax.jit(lambda b, a: jax.vmap(b.query)(a, keys))(opened(name, noise), archs(name))


@EVERY_BENCHMARK
def test_it_is_a_benchmark_and_a_pytree(name):
    there = opened(name)
    assert isinstance(there, Benchmark) and isinstance(there.space, SearchSpace)
    leaves, structure = jax.tree.flatten(there)
    assert leaves and jax.tree.unflatten(structure, leaves).name == there.name
    json.dumps(there.describe(), allow_nan=False)
    assert {"name", "epochs", "noise", "reports", "sha256"} <= set(there.describe())


@EVERY_BENCHMARK
def test_answers_are_fractions_and_seconds_and_reported_has_no_noise(name):
    there, found = opened(name), query_all(name, "mean", 0)
    assert np.asarray(found.valid).all()
    assert ((found.val > 0) & (found.val < 1)).all() and (found.sim_seconds > 0).all()
    reported = jax.vmap(there.reported)(jnp.asarray(archs(name)))
    if there.reports.startswith("validation"):
        np.testing.assert_array_equal(reported, found.val)
        assert np.isnan(found.test).all()  # never a validation accuracy under the name of test
    else:
        np.testing.assert_array_equal(reported, found.test)
    if not np.isnan(there.optimum):
        assert (np.asarray(reported) <= float(there.optimum)).all()


@EVERY_BENCHMARK
def test_sampled_noise_is_the_keys_alone(name):
    a, again, b = (query_all(name, "sample", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.val, again.val)
    assert (np.asarray(a.val) != np.asarray(b.val)).any()
    np.testing.assert_allclose(np.mean(a.val), np.mean(query_all(name, "mean", 0).val), atol=0.01)


@EVERY_BENCHMARK
def test_nothing_outside_the_space_is_answered(name):
    there = opened(name)
    outside = jnp.full_like(jnp.asarray(archs(name)[0]), -1)
    found = jax.jit(there.query)(outside, jax.random.key(0))
    assert not found.valid and np.isnan(found.val) and np.isnan(there.reported(outside))


@EVERY_BENCHMARK
def test_a_batch_of_questions_equals_single_ones(name):
    there, together = opened(name), query_all(name, "mean", 0)
    for i in range(3):
        alone = jax.jit(there.query)(jnp.asarray(archs(name)[i]), jax.random.key(9))
        np.testing.assert_allclose(alone.val, together.val[i], rtol=1e-5)


@EVERY_BENCHMARK
def test_texts_round_trip(name):
    space = opened(name).space
    for arch in archs(name)[:5]:
        np.testing.assert_array_equal(space.parse(space.format(arch)), arch)


@EVERY_BENCHMARK
def test_neighbours_are_valid_others_and_encodings_tell_them_apart(name):
    there = opened(name)
    draw = jax.jit(there.space.neighbours, static_argnums=2)
    for i, arch in enumerate(archs(name)[:4]):
        near, mask = draw(jax.random.key(i), jnp.asarray(arch), 12)
        real = np.asarray(near)[np.asarray(mask)]
        assert len(real) == min(12, int(there.space.degree(jnp.asarray(arch))))
        assert (
            len({row.tobytes() for row in [*real, np.asarray(arch, real.dtype)]}) == len(real) + 1
        )
        codes = np.asarray(jax.vmap(there.space.encode)(jnp.asarray([arch, *real], real.dtype)))
        assert codes.dtype == np.int8 and codes.shape[1] == there.space.num_features
        assert len({row.tobytes() for row in codes}) == len(codes)


@EVERY_BENCHMARK
def test_the_mdp_runs_on_it(name):
    mdp = IncrementalMDP(opened(name), neighbours=9, horizon=4)
    step = jax.jit(mdp.step)
    observation, state = jax.jit(mdp.reset)(jax.random.key(0))
    assert observation.encoding.shape == (10, opened(name).space.num_features)
    for i in range(6):
        before = state
        observation, state, reward, terminated, truncated, info = step(jax.random.key(i), state, 0)
        np.testing.assert_array_equal(info.arch, before.archs[1])
        expected = mdp.shaping(info.val) - mdp.shaping(before.val)
        np.testing.assert_allclose(reward, expected, rtol=1e-4, atol=1e-6)
        assert bool(truncated) == (i % 4 == 3) and not bool(terminated)
