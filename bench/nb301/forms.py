"""The surrogates' own forms of an architecture and back: YAHPO's 34 categorical codes, the official
56 features."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int8

from rlnas.bench.errors import UserError
from rlnas.bench.nb301.darts import CELLS, NODES, OPS, PAIRS
from rlnas.bench.nb301.genotype import (
    CONSTANTS,
    DIGITS_A_CELL,
    EDGES,
    FEATURE_OF_CODE,
    FIRST_OP,
    NUM_CODES,
    NUM_EDGES,
    codes,
    official_features,
)

BY_NAME = np.array([0, *(1 + sorted(OPS).index(op) for op in OPS)])
"""int [8]: YAHPO's number of "no edge" and of our operations: it counts their names in alphabetical
order from 1."""


def yahpo_codes(arch: Int8[Array, "*n 22"]) -> Int[Array, "*n 34"]:
    """What YAHPO's network reads as `x_cat`: 0 for no edge, then operations by name from 1; pairs
    from 1."""
    ours = codes(arch).astype(jnp.int32) + 1
    return jnp.concatenate(
        [jnp.asarray(BY_NAME)[ours[..., : 2 * NUM_EDGES]], ours[..., 2 * NUM_EDGES :]], axis=-1
    )


def from_yahpo(found: Int[np.ndarray, " codes"]) -> Int8[np.ndarray, " 22"]:
    """The architecture of 34 categorical codes; `UserError` with the reason when there is none."""
    edges, pairs = np.split(np.asarray(found), [2 * NUM_EDGES])
    if found.shape != (NUM_CODES,) or edges.min() < 0 or edges.max() > len(OPS):
        raise UserError(
            f"found {np.asarray(found).tolist()}; expected {NUM_CODES} codes, of edges 0 to "
            f"{len(OPS)}"
        )
    return from_codes(np.concatenate([np.argsort(BY_NAME)[edges], pairs]) - 1)


def from_features(found: Float[np.ndarray, " features"]) -> Int8[np.ndarray, " 22"]:
    """The architecture of an official feature vector; `UserError` when it is none, or its constants
    are others."""
    found = np.asarray(found, np.float32)
    if found.shape != CONSTANTS.shape:
        raise UserError(f"found {found.size} features; expected {CONSTANTS.size}")
    arch = from_codes(np.round(found[FEATURE_OF_CODE]).astype(int))
    wrong = np.flatnonzero(
        ~np.isclose(found, official_features(jnp.asarray(arch)), rtol=1e-5, atol=1e-7)
    )
    if len(wrong):
        place = int(wrong[0])
        raise UserError(
            f"found feature {place} = {found[place]}; expected a value of NAS-Bench-301's DARTS "
            "space"
        )
    return arch


def from_codes(found: Int[np.ndarray, " codes"]) -> Int8[np.ndarray, " 22"]:
    """The architecture of `genotype.codes`; `UserError` where edges and pairs of inputs contradict
    each other."""
    if found.shape != (NUM_CODES,):
        raise UserError(f"found {found.size} codes; expected {NUM_CODES}")
    arch = np.zeros((len(CELLS), DIGITS_A_CELL), np.int8)
    pairs = found[2 * NUM_EDGES :].reshape(len(CELLS), -1)
    for cell, name in enumerate(CELLS):
        edges = dict(
            zip(EDGES, found[cell * NUM_EDGES : (cell + 1) * NUM_EDGES].tolist(), strict=True)
        )
        for place, node in enumerate(NODES):
            pair = int(pairs[cell][place - 1]) if place else 0
            there = tuple(source for source in range(node) if edges[node, source] >= 0)
            if not 0 <= pair < len(PAIRS[node]) or there != PAIRS[node][pair]:
                raise UserError(
                    f"node {node} of the {name} cell has edges from {list(there)} and pair index "
                    f"{pair}; expected two "
                    "edges, and the index of their inputs"
                )
            ops = [edges[node, source] for source in there]
            if max(ops) >= len(OPS):
                raise UserError(
                    f"found operation {max(ops)} in the {name} cell; expected 0 to {len(OPS) - 1}"
                )
            arch[cell, FIRST_OP + 2 * place : FIRST_OP + 2 * place + 2] = ops
            if place:
                arch[cell, place - 1] = pair
    return arch.reshape(-1)
