"""Trees as sets of leaves: the form in which an ensemble is evaluated.

An architecture is 34 small integers, so a tree needs no walk. For every feature that it tests and
every value of that feature, the leaves that remain possible are a set: bits in a few words, worked
out here once. The leaf an architecture ends in is what is left of the intersection of one such set
a feature (QuickScorer, Lucchese et al. 2015, takes a set a split instead): of an official tree
about nine sets of 447 bits, read one after the other, in place of ten to thirteen dependent steps
through 885 nodes.

Splits on constant features are resolved here, and leaves that no value can reach are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb301.darts import NODES, OPS, PAIRS
from rlnas.bench.nb301.forest import Forest
from rlnas.bench.nb301.genotype import CONSTANTS, FEATURE_OF_CODE, NUM_CODES

LOWEST = np.zeros(NUM_CODES, np.int8)
HIGHEST = np.full(NUM_CODES, len(OPS) - 1, np.int8)
LOWEST[:28] = -1
LOWEST[[0, 1, 14, 15]] = 0
HIGHEST[28:] = [len(PAIRS[node]) - 1 for node in NODES[1:]] * 2
CODE_OF_FEATURE = np.full(len(CONSTANTS), -1)
CODE_OF_FEATURE[FEATURE_OF_CODE] = np.arange(NUM_CODES)
TREES_AT_ONCE = 500
BITS = 32
WORDS_STEP = 8
ALL_LEAVES = np.uint32(0xFFFFFFFF)
RESERVED_ROWS = 2
"""Of every table: row 0 holds every leaf (what fills up a tree with fewer features), row 1 only
leaf 0."""


@dataclass(frozen=True, eq=False)
class LeafSets:
    """One member, packed. A tree that no feature changes is part of `base`; the other trees are T.

    tables: by words w a set, uint32 [rows, w]: leaf j is bit j % 32 of word j // 32. words: int
    [T]. row: int64 [T, 34], where a code's value -1 is in its table (value v: row + 1 + v); -1
    where the tree does not test the code.
    first: int64 [T], where a tree's leaves start. leaves: float32, less the tree's mean leaf, which
    is in `base`.
    """

    tables: dict[int, np.ndarray]
    words: np.ndarray
    row: np.ndarray
    first: np.ndarray
    leaves: np.ndarray
    base: float


def words_for(leaves: np.ndarray) -> np.ndarray:
    """32-bit words a set: 1, 2 or 4, then multiples of 8, a vector register, from 16 up (8 are not
    vectorised)."""
    words = -(-leaves // BITS)
    wide = np.maximum(-(-words // WORDS_STEP), 2) * WORDS_STEP
    return np.where(words > 4, wide, np.where(words == 3, 4, words))


def pack(forest: Forest, where: str = "trees") -> LeafSets:
    """Every tree's leaf sets; `UserError` when a tree is none (a node reached twice)."""
    tables: dict[int, list[np.ndarray]] = {}
    used_rows: dict[int, int] = {}
    words_parts, row_parts, first_parts, leaf_parts = [], [], [], [np.zeros(0, np.float32)]
    base, total = forest.base, 0
    for tree, low, high, value in _boxes(forest, where):
        counts = np.bincount(tree)
        starts = np.cumsum(counts) - counts
        mean = np.add.reduceat(value, starts) / counts
        base += float(mean.sum())
        kept = counts > 1
        tests = np.logical_or.reduceat((low > LOWEST) | (high < HIGHEST), starts)[kept]
        inside = np.repeat(kept, counts)
        tree = (np.cumsum(kept) - 1)[tree[inside]]
        leaf_parts.append((value - np.repeat(mean, counts))[inside].astype(np.float32))
        counts = counts[kept]
        starts = np.cumsum(counts) - counts
        place = np.arange(len(tree)) - np.repeat(starts, counts)
        words = words_for(counts)
        row = np.full(tests.shape, -1, np.int64)
        for w in np.unique(words).tolist():
            chosen = words == w
            sizes = (HIGHEST - LOWEST + 1) * tests[chosen]
            offset = used_rows.setdefault(w, RESERVED_ROWS)
            begin = np.cumsum(sizes).reshape(sizes.shape) - sizes
            row[chosen] = np.where(tests[chosen], begin + offset - (LOWEST + 1), -1)
            mine = chosen[tree]
            local = (np.cumsum(chosen) - 1)[tree[mine]]
            sets = _sets(
                w,
                begin,
                int(sizes.sum()),
                tests[chosen],
                local,
                place[mine],
                low[inside][mine],
                high[inside][mine],
            )
            tables.setdefault(w, [_reserved(w)]).append(sets)
            used_rows[w] += len(sets)
        words_parts.append(words)
        row_parts.append(row)
        first_parts.append(starts + total)
        total += len(tree)
    return LeafSets(
        tables={w: np.concatenate(parts) for w, parts in sorted(tables.items())},
        words=np.concatenate(words_parts),
        row=np.concatenate(row_parts),
        first=np.concatenate(first_parts),
        leaves=np.concatenate(leaf_parts),
        base=base,
    )


def _reserved(words: int) -> np.ndarray:
    rows = np.zeros((RESERVED_ROWS, words), np.uint32)
    rows[0] = ALL_LEAVES
    rows[1, 0] = 1
    return rows


def _sets(
    words: int,
    begin: np.ndarray,
    rows: int,
    tests: np.ndarray,
    tree: np.ndarray,
    place: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """uint32 [rows, words] of trees with equal words: the set of (tree, code)'s lowest value is row
    `begin`."""
    sets = np.zeros((rows, words), np.uint32)
    for code in range(NUM_CODES):
        testing = tests[:, code]
        mine = testing[tree]
        slot = (np.cumsum(testing) - 1)[tree[mine]] * (words * BITS) + place[mine]
        lowest, highest = low[mine, code], high[mine, code]
        for value in range(LOWEST[code], HIGHEST[code] + 1):
            possible = np.zeros(int(testing.sum()) * words * BITS, bool)
            possible[slot] = (lowest <= value) & (value <= highest)
            packed = np.packbits(possible, bitorder="little").view("<u4").reshape(-1, words)
            sets[begin[testing, code] + (value - int(LOWEST[code]))] = packed
    return sets


def _boxes(forest: Forest, where: str) -> Iterator[tuple[np.ndarray, ...]]:
    """Of some trees at a time, every reachable leaf: its tree (from 0, ascending), the lowest and
    the highest value of each code that lead there (int8 [leaves, 34]), and its value (float64)."""
    limit = (
        np.floor(forest.threshold.astype(np.float64)) + 1
        if forest.inclusive
        else np.ceil(forest.threshold)
    )
    limit = np.clip(limit, -100, 100).astype(np.int8)  # x goes left when x < limit
    constant = CONSTANTS.astype(forest.threshold.dtype)[forest.feature]
    constant_left = (
        constant <= forest.threshold if forest.inclusive else constant < forest.threshold
    )
    for first in range(0, forest.trees, TREES_AT_ONCE):
        roots = forest.offsets[first : min(first + TREES_AT_ONCE, forest.trees)]
        most = int(forest.offsets[min(first + TREES_AT_ONCE, forest.trees)] - roots[0])
        tree = np.arange(len(roots))
        node = roots.copy()
        low, high = (np.tile(bound, (len(roots), 1)) for bound in (LOWEST, HIGHEST))
        found, seen = [], 0
        while len(node):
            seen += len(node)
            if seen > most:
                raise UserError(
                    f"{where}: damaged (a tree that leads back into itself); get the file again"
                )
            leaf = forest.left[node] < 0
            found.append(
                (tree[leaf], low[leaf], high[leaf], forest.value[node[leaf]].astype(np.float64))
            )
            tree, node, low, high = (x[~leaf] for x in (tree, node, low, high))
            code, each = CODE_OF_FEATURE[forest.feature[node]], np.arange(len(node))
            below, above = low[each, code], np.minimum(high[each, code], limit[node] - 1)
            left_high, right_low = high.copy(), low.copy()
            left_high[each, code] = above
            right_low[each, code] = np.maximum(below, limit[node])
            varies = code >= 0
            left_high[~varies], right_low[~varies] = high[~varies], low[~varies]
            go_left = np.where(varies, below <= above, constant_left[node])
            go_right = np.where(
                varies, right_low[each, code] <= high[each, code], ~constant_left[node]
            )
            origin = roots[tree]
            node = np.concatenate(
                [(origin + forest.left[node])[go_left], (origin + forest.right[node])[go_right]]
            )
            tree = np.concatenate([tree[go_left], tree[go_right]])
            low, high = (
                np.concatenate([low[go_left], right_low[go_right]]),
                np.concatenate([left_high[go_left], high[go_right]]),
            )
        parts = [np.concatenate(column) for column in zip(*found, strict=True)]
        order = np.argsort(parts[0], kind="stable")
        yield tuple(part[order] for part in parts)
