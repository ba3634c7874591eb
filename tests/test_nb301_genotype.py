"""The DARTS space: one form an architecture, exact neighbours, the surrogates' codes, texts and
refusals."""

from __future__ import annotations

import csv
import gzip

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import darts, forms
from rlnas.bench.nb301.genotype import (
    CONSTANTS,
    FEATURE_OF_CODE,
    MAX_DEGREE,
    SIZES,
    DartsSpace,
    codes,
    digits_of,
    from_genotype,
    official_features,
    to_genotype,
)

SPACE = DartsSpace()
ARCHS = st.tuples(*(st.integers(0, int(size) - 1) for size in SIZES)).map(
    lambda digits: np.array(digits, np.int8)
)
EVERY = jax.jit(lambda arch: jax.vmap(lambda i: SPACE.neighbour(arch, i))(jnp.arange(MAX_DEGREE)))


def plain_codes(genotype: darts.Genotype) -> list[int]:
    """The readable reference of `codes`, by the names of NAS-Bench-301's parameters."""
    named = {}
    for cell in ("normal", "reduce"):
        offset = {2: 0, 3: 2, 4: 5, 5: 9}
        named |= {f"edge_{cell}_{i}": -1 for i in range(14)}
        for place, (op, source) in enumerate(getattr(genotype, cell)):
            named[f"edge_{cell}_{offset[2 + place // 2] + source}"] = darts.OPS.index(op)
        for node in (3, 4, 5):
            pair = tuple(
                source for _, source in getattr(genotype, cell)[2 * (node - 2) : 2 * (node - 1)]
            )
            named[f"inputs_node_{cell}_{node}"] = darts.PAIRS[node].index(pair)
    edges = [f"edge_{cell}_{i}" for cell in ("normal", "reduce") for i in range(14)]
    return [
        named[key]
        for key in [
            *edges,
            *(f"inputs_node_{c}_{n}" for c in ("normal", "reduce") for n in (3, 4, 5)),
        ]
    ]


def plain_encoding(genotype: darts.Genotype) -> np.ndarray:
    cells = np.split(np.array(plain_codes(genotype)[:28]), 2)
    parts = [
        np.concatenate([edges >= 0, (edges[:, None] == np.arange(7)).ravel()]) for edges in cells
    ]
    return np.concatenate(parts).astype(np.int8)


@given(ARCHS)
@settings(max_examples=60, deadline=None)
def test_round_trips(arch):
    genotype = to_genotype(arch)
    np.testing.assert_array_equal(from_genotype(genotype), arch)
    assert darts.parse(darts.text(genotype)) == genotype == darts.parse(darts.short(genotype))
    np.testing.assert_array_equal(SPACE.parse(SPACE.format(arch)), arch)
    np.testing.assert_array_equal(digits_of(arch.tolist()), arch)


@given(ARCHS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_a_nodes_inputs_means_nothing(arch, random):
    genotype = to_genotype(arch)
    mixed = []
    for cell in (genotype.normal, genotype.reduce):
        pairs = [list(cell[i : i + 2]) for i in range(0, 8, 2)]
        for pair in pairs:
            random.shuffle(pair)
        mixed.append([edge for pair in pairs for edge in pair])
    np.testing.assert_array_equal(
        from_genotype(darts.Genotype(mixed[0], (5, 4, 3, 2), mixed[1], range(2, 6))), arch
    )


@pytest.mark.long
@given(ARCHS)
@settings(max_examples=40, deadline=None)
def test_neighbours_are_exactly_those_one_edit_away(arch):
    found = [to_genotype(near) for near in np.asarray(EVERY(arch))]
    assert len(found) == len(set(found)) == 120
    assert set(found) == darts.neighbours_of(to_genotype(arch))


@given(ARCHS)
@settings(max_examples=20, deadline=None)
def test_being_neighbours_is_mutual(arch):
    for near in np.asarray(EVERY(arch))[::7]:
        assert (np.asarray(EVERY(near)) == arch).all(axis=1).sum() == 1


@given(ARCHS)
@settings(max_examples=40, deadline=None)
def test_codes_encoding_and_official_vector_are_those_of_the_plain_reference(arch):
    genotype = to_genotype(arch)
    expected = plain_codes(genotype)
    np.testing.assert_array_equal(codes(jnp.asarray(arch)), expected)
    np.testing.assert_array_equal(SPACE.encode(jnp.asarray(arch)), plain_encoding(genotype))
    vector = np.asarray(official_features(jnp.asarray(arch)))
    np.testing.assert_array_equal(vector[FEATURE_OF_CODE], expected)
    others = np.setdiff1d(np.arange(56), FEATURE_OF_CODE)
    np.testing.assert_array_equal(vector[others], CONSTANTS[others])


@given(ARCHS)
@settings(max_examples=40, deadline=None)
def test_the_surrogates_forms_round_trip(arch):
    there = jnp.asarray(arch)
    np.testing.assert_array_equal(forms.from_codes(np.asarray(codes(there))), arch)
    np.testing.assert_array_equal(forms.from_yahpo(np.asarray(forms.yahpo_codes(there))), arch)
    np.testing.assert_array_equal(forms.from_features(np.asarray(official_features(there))), arch)


def test_forms_that_are_no_architecture_are_refused_with_the_reason():
    arch = SPACE.sample(jax.random.key(0))
    bad = np.array(codes(arch))
    bad[0] = -1
    with pytest.raises(UserError, match=r"node 2 of the normal cell has edges from \[1\]"):
        forms.from_codes(bad)
    bad = np.array(codes(arch))
    bad[28] = (bad[28] + 1) % 3
    with pytest.raises(UserError, match="node 3 of the normal cell has edges"):
        forms.from_codes(bad)
    bad = np.array(official_features(arch))
    bad[5] = 7
    with pytest.raises(UserError, match=r"feature 5 = 7\.0"):
        forms.from_features(bad)
    for wrong, refuse in [
        (np.zeros(3, int), forms.from_codes),
        (np.zeros(3, np.float32), forms.from_features),
    ]:
        with pytest.raises(UserError, match="found 3"):
            refuse(wrong)
    bad = np.array(forms.yahpo_codes(arch))
    bad[0] = 8
    with pytest.raises(UserError, match="of edges 0 to 7"):
        forms.from_yahpo(bad)
    bad = np.array(codes(arch))
    bad[0] = 7
    with pytest.raises(UserError, match="found operation 7"):
        forms.from_codes(bad)


def test_the_official_vector_names_its_features_in_the_published_order():
    """Published places: operations of late edges sorted as strings, pair indices at 15 to 20."""
    assert sorted(FEATURE_OF_CODE.tolist()) == [10, 11, 12, 13, *range(15, 21), *range(32, 56)]
    names = [f"edge_{cell}_{i}" for cell in ("normal", "reduce") for i in range(14)]
    names += [f"inputs_node_{cell}_{node}" for cell in ("normal", "reduce") for node in (3, 4, 5)]
    by_place = dict(zip(FEATURE_OF_CODE.tolist(), names, strict=True))
    late = [by_place[place] for place in range(32, 44)]
    assert late == sorted(f"edge_normal_{i}" for i in range(2, 14))
    assert [by_place[place] for place in (10, 13, 15, 20)] == [
        "edge_normal_0", "edge_reduce_1", "inputs_node_normal_3", "inputs_node_reduce_5"
    ]  # fmt: skip
    np.testing.assert_allclose(CONSTANTS[[24, 26]], np.log([0.025, 0.0003]), rtol=1e-6)


def test_sizes():
    assert SPACE.size == (7**8 * 3 * 6 * 10) ** 2
    assert SPACE.max_degree == 120 and SPACE.num_features == 224
    assert int(SPACE.degree(SPACE.sample(jax.random.key(0)))) == 120


def test_samples_are_uniform_in_every_digit():
    archs = np.asarray(jax.vmap(SPACE.sample)(jax.random.split(jax.random.key(0), 20_000)))
    for digit, size in zip(archs.T, SIZES, strict=True):
        share = np.bincount(digit, minlength=size) / len(archs)
        assert np.abs(share - 1 / size).max() < 5 * np.sqrt(1 / size / len(archs))


@pytest.mark.long
@pytest.mark.parametrize("n", [5, 100, 130])
def test_drawn_neighbours_are_distinct_real_ones_and_a_batch_equals_singles(n):
    draw = jax.jit(SPACE.neighbours, static_argnums=2)
    keys = jax.random.split(jax.random.key(1), 6)
    archs = jax.vmap(SPACE.sample)(keys)
    batch, masks = jax.vmap(lambda key, arch: SPACE.neighbours(key, arch, n))(keys, archs)
    for i, (key, arch) in enumerate(zip(keys, archs, strict=True)):
        near, mask = draw(key, arch, n)
        np.testing.assert_array_equal(near, batch[i])
        np.testing.assert_array_equal(mask, masks[i])
        assert int(mask.sum()) == min(n, 120)
        real = {row.tobytes() for row in np.asarray(near)[np.asarray(mask)]}
        assert len(real) == min(n, 120)
        assert real <= {row.tobytes() for row in np.asarray(EVERY(arch))}
        assert (np.asarray(near)[~np.asarray(mask)] == np.asarray(arch)).all()


CELL = (("skip_connect", 0), ("skip_connect", 1)) * 4
GOOD = darts.Genotype(CELL, (2, 3, 4, 5), CELL, (2, 3, 4, 5))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (GOOD._replace(normal=CELL[:7]), "the normal cell has 7 operations"),
        (
            GOOD._replace(reduce=(("none", 0), *CELL[1:])),
            "found operation 'none' in the reduce cell",
        ),
        (
            GOOD._replace(normal=(("skip_connect", 2), *CELL[1:])),
            "node 2 of the normal cell has input 2",
        ),
        (GOOD._replace(normal=(("skip_connect", 1), *CELL[1:])), "has input 1 twice"),
        (GOOD._replace(normal=(("skip_connect", True), *CELL[1:])), "has input True"),
        (GOOD._replace(normal_concat=(3, 4, 5)), r"normal_concat is \[3, 4, 5\]"),
        (("a", "b"), "expected Genotype"),
        (GOOD._replace(normal=("x", *CELL[1:])), "found 'x' in the normal cell"),
    ],
)
def test_bad_genotypes_are_refused_with_the_reason(bad, reason):
    with pytest.raises(UserError, match=reason):
        darts.canonical(bad)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0:skip_connect",
        "Genotype(normal=[], reduce=[])",
        "Genotype(normal=__import__('os').system('true'), normal_concat=range(2, 6), reduce=[], "
        "reduce_concat=[])",
        "Genotype(normal=[], normal_concat=range(2, 10**9), reduce=[], reduce_concat=[])",
        "0:skip_connect|x:skip_connect,1:skip_connect",
        "Genotype(" * 300,
    ],
)
def test_bad_texts_are_refused_and_nothing_is_executed(text):
    with pytest.raises(UserError, match=r"found|expected"):
        darts.parse(text)


def test_digits_out_of_bounds_are_named():
    arch = np.zeros(22, np.int8)
    assert bool(DartsSpace().contains(jnp.asarray(arch)))
    for place, digit in [(0, 3), (2, 10), (21, 7), (5, -1)]:
        bad = arch.copy()
        bad[place] = digit
        assert not bool(DartsSpace().contains(jnp.asarray(bad)))
        with pytest.raises(UserError, match=f"digit {place} of an architecture is {digit}"):
            digits_of(bad)
    with pytest.raises(UserError, match="expected 22 digits"):
        digits_of(arch[:5])


def test_real_genotypes_of_the_official_labels(real_data):
    with gzip.open(real_data / "nb301_xgb_v0.9_labels_sample.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    for row in rows[::10]:
        text = f"{row['normal']},{row['reduce']}"
        assert SPACE.format(SPACE.parse(text)) == text
