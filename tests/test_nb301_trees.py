"""Packed trees against the plain walk, alone and in batches."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forests import random_forest
from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import grouping, trees
from rlnas.bench.nb301.forest import Forest, evaluate
from rlnas.bench.nb301.genotype import CONSTANTS, DartsSpace, codes, official_features
from rlnas.bench.nb301.grouping import join
from rlnas.bench.nb301.leafsets import HIGHEST, LOWEST, pack, words_for
from rlnas.bench.nb301.synthetic_ensemble import grow, members
from rlnas.bench.nb301.trees import OfficialEnsemble, TreeEnsemble, from_arrays


def draw(count: int, seed: int = 0) -> jax.Array:
    return jax.vmap(DartsSpace().sample)(jax.random.split(jax.random.key(seed), count))


def ensemble_of(*forests: Forest) -> TreeEnsemble:
    return from_arrays(join([pack(forest) for forest in forests]))


def slowly(forests: list[Forest], archs: jax.Array) -> np.ndarray:
    features = np.asarray(official_features(archs))
    return np.array([[evaluate(forest, x) for forest in forests] for x in features])


def batch(ensemble: TreeEnsemble, archs: jax.Array) -> jax.Array:
    return jax.jit(lambda e, a: jax.vmap(e.outputs)(a))(ensemble, archs)


def test_the_codes_have_these_ranges() -> None:
    found = np.asarray(codes(draw(4000)))
    np.testing.assert_array_equal(found.min(0), LOWEST)
    np.testing.assert_array_equal(found.max(0), HIGHEST)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.integers(0, 9), st.sampled_from([3, 56]))
def test_packed_trees_equal_the_walk(seed: int, inclusive: bool, depth: int, features: int) -> None:
    forests = [
        random_forest(seed + i, trees=3 + i, depth=depth, inclusive=inclusive, features=features)
        for i in (0, 1)
    ]
    archs = draw(40, seed)
    np.testing.assert_allclose(
        batch(ensemble_of(*forests), archs), slowly(forests, archs), atol=2e-5
    )


def test_long_sets_and_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of 16 and 24 words, each with groups for trees with few and with many features, and
    units left over."""
    monkeypatch.setattr(grouping, "SMALL_GROUP", 12)
    monkeypatch.setattr(trees, "BLOCK_CPU", 2 * grouping.UNIT * 30)  # two units a block
    found = list(members(3, 50, seed=1))
    ensemble = from_arrays(join([packed for _, packed in found]))
    assert [table.shape[1] for table in ensemble.tables] == [16, 24] and len(ensemble.groups) > 5
    assert any(
        len(group.member) % 2 and len(group.member) > 2 for group in ensemble.groups
    )  # the last block overlaps
    archs = draw(30)
    np.testing.assert_allclose(
        batch(ensemble, archs), slowly([forest for forest, _ in found], archs), atol=2e-4
    )


def test_a_constant_ensemble_and_splits_that_change_nothing() -> None:
    forest = random_forest(0, trees=1, depth=0)
    two = dataclasses.replace(
        forest,
        offsets=np.array([0, 3]),
        feature=np.array([0, 0, 0], np.int32),
        threshold=np.array([CONSTANTS[0], 0, 0], np.float32),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        value=np.array([0, 1, 2], np.float32),
    )
    ensemble = ensemble_of(forest, two)
    assert ensemble.groups == () and ensemble.trees == 0
    wanted = [forest.base + forest.value[0], forest.base + 2]  # a feature is not below itself
    np.testing.assert_allclose(ensemble.outputs(draw(1)[0]), wanted, rtol=1e-6)


def test_vmap_equals_singles_and_nests() -> None:
    ensemble, archs = ensemble_of(*[random_forest(i) for i in range(3)]), draw(6)
    singles = np.stack([np.asarray(ensemble.outputs(arch)) for arch in archs])
    np.testing.assert_allclose(batch(ensemble, archs), singles, atol=1e-6)
    nested = jax.jit(lambda e, a: jax.vmap(jax.vmap(e.outputs))(a))(
        ensemble, archs.reshape(2, 3, 22)
    )
    np.testing.assert_allclose(nested.reshape(6, 3), singles, atol=1e-6)
    same = jax.vmap(lambda _: ensemble.outputs(archs[0]))(jnp.arange(4))
    np.testing.assert_allclose(same, np.tile(singles[0], (4, 1)), atol=1e-6)


def test_a_scan_over_batches_does_not_copy_the_trees() -> None:
    """The arrays are arguments: none of them is a constant of the compiled program."""
    ensemble = ensemble_of(grow(200, np.random.default_rng(0)))

    def walk(ensemble: TreeEnsemble, archs: jax.Array) -> jax.Array:
        return jax.lax.map(lambda a: jax.vmap(ensemble.outputs)(a), archs)

    jaxpr = jax.make_jaxpr(walk)(ensemble, draw(8).reshape(2, 4, 22))
    assert sum(np.asarray(x).nbytes for x in jaxpr.consts) < 4096
    arrays, structure = jax.tree.flatten(ensemble)
    flat = jax.jit(lambda arrays, archs: walk(jax.tree.unflatten(structure, arrays), archs))
    memory = flat.lower(arrays, draw(8).reshape(2, 4, 22)).compile().memory_analysis()
    assert memory is None or memory.temp_size_in_bytes < ensemble.nbytes / 2


def test_trees_themselves_cannot_be_batched() -> None:
    ensemble = ensemble_of(random_forest(0))
    with pytest.raises(ValueError, match="in_axes=None"):
        jax.vmap(lambda base, a: dataclasses.replace(ensemble, base=base).outputs(a), (0, None))(
            jnp.zeros((2, 2, 1)), draw(1)[0]
        )


def test_predictions_are_fractions_with_the_members_spread() -> None:
    forests, archs = [random_forest(i) for i in range(4)], draw(5)
    runtime = [random_forest(9, inclusive=True), random_forest(10, inclusive=True)]
    model = OfficialEnsemble(ensemble_of(*forests), ensemble_of(*runtime))
    found = jax.vmap(model.predict)(archs)
    wanted = slowly(forests, archs) / 100
    assert model.members == 4
    np.testing.assert_allclose(found.mean, wanted.mean(1), atol=1e-6)
    np.testing.assert_allclose(found.std, wanted.std(1), atol=1e-6)
    np.testing.assert_allclose(found.seconds, slowly(runtime, archs).mean(1), atol=1e-5)
    assert np.isnan(jax.vmap(dataclasses.replace(model, runtime=None).predict)(archs).seconds).all()


def test_sums_stay_exact_over_many_trees() -> None:
    """Float32 sums of thousands of leaves around a large mean, to 1e-5 of it: an official runtime
    is about 7,000 s."""
    forest = grow(3000, np.random.default_rng(0), depth=3)
    forest = dataclasses.replace(forest, value=(forest.value + np.float32(2.3)))
    archs = draw(8)
    wanted = slowly([forest], archs)
    assert (wanted > 6500).all()
    np.testing.assert_allclose(batch(ensemble_of(forest), archs), wanted, rtol=2e-7)


def test_words_of_a_set() -> None:
    np.testing.assert_array_equal(
        words_for(np.array([2, 32, 33, 65, 128, 129, 512, 513])), [1, 1, 2, 4, 4, 16, 16, 24]
    )


def test_a_tree_that_leads_back_into_itself_is_refused() -> None:
    forest = Forest(
        offsets=np.array([0, 3]),
        feature=np.array([10, 0, 0], np.int32),
        threshold=np.array([3, 0, 0], np.float32),
        left=np.array([0, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        value=np.ones(3, np.float32),
        base=0.0,
        inclusive=False,
    )
    forest.check("there", 56)
    with pytest.raises(UserError, match=r"there: damaged .a tree that leads back into itself"):
        pack(forest, "there")


@pytest.mark.parametrize(
    "key",
    ["leaves", "base", "start_0", "group_0_row", "group_0_code", "group_0_member", "group_0_leaf"],
)
def test_a_damaged_file_is_refused(key: str) -> None:
    arrays = join([pack(random_forest(0))])
    for broken in (arrays[key].astype(np.float64), arrays[key][..., :-1], None)[
        :: 1 if key[:5] in ("group", "start") else 2
    ]:
        with pytest.raises(UserError, match="there: damaged"):
            from_arrays(
                {k: v for k, v in (arrays | {key: broken}).items() if v is not None}, "there"
            )
    if key[:5] in ("group", "start"):
        outside = arrays[key].copy()
        outside.flat[0] = np.iinfo(outside.dtype).max
        with pytest.raises(UserError, match="there: damaged"):
            from_arrays(arrays | {key: outside}, "there")


def test_synthetic_trees_are_like_the_official_ones() -> None:
    forest = grow(150, np.random.default_rng(0))
    nodes = np.diff(forest.offsets)
    assert 850 < nodes.mean() < 920
    features = (pack(forest).row >= 0).sum(1)
    assert 8 < features.mean() < 9
    again = grow(150, np.random.default_rng(0))
    np.testing.assert_array_equal(forest.threshold, again.threshold)
