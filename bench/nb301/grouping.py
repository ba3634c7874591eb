"""Packed trees in the order in which they are evaluated: alike trees together, a member's in units
of 16."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb301.genotype import NUM_CODES
from rlnas.bench.nb301.leafsets import (
    ALL_LEAVES,
    HIGHEST,
    LOWEST,
    RESERVED_ROWS,
    WORDS_STEP,
    LeafSets,
)
from rlnas.bench.reading import UNREADABLE, reason

FORMAT = ("rlnas-nb301-trees", 2)
GROUP_ARRAYS = {"code": "uint8", "row": "uint32", "leaf": "uint32", "member": "int32"}
MOST_VALUES = int(HIGHEST.max()) + 2
"""Of a code, -1 among them."""
UNIT = 16
"""Trees of one member that are added up first; a member's trees are filled up to a multiple of
it."""
LEAST_FEATURES = 7
"""Of trees with 16 words a set: with fewer, LLVM unrolls the loop over the words instead of
vectorising it, and a kernel takes twice as long. Filler sets are free next to that."""
SMALL_GROUP, SMALL_SHARE = 256, 0.02
"""Groups with fewer trees, or a smaller share of them, join the next larger one: fewer kernels to
compile."""


def join(members: list[LeafSets]) -> dict[str, np.ndarray]:
    """The members' packed trees as one ensemble: what its file holds and `trees.from_arrays` reads.

    table_<i> uint32 [rows, words]; start_<i> uint32 [35, 11]; leaves float32; base float32 [2,
    members]; group_tables int32 [groups]; for every group group_<i>_{code, row, leaf, member}, see
    `trees`.
    """
    words = np.concatenate([member.words for member in members])
    least = max(float(SMALL_GROUP), SMALL_SHARE * len(words))
    lengths = _sizes(words, least)
    words = _round_up(words, lengths)
    leaves = [np.zeros(1, np.float32), *[member.leaves for member in members]]
    first_leaf = np.cumsum([len(part) for part in leaves])
    leaf = np.concatenate(
        [member.first + first for member, first in zip(members, first_leaf[:-1], strict=True)]
    )
    of_member = np.repeat(np.arange(len(members)), [len(member.words) for member in members])
    tables, row = _tables(members, lengths)
    features = np.maximum((row >= 0).sum(1), np.where(words == 2 * WORDS_STEP, LEAST_FEATURES, 0))
    arrays: dict[str, np.ndarray] = {}
    group_tables: list[int] = []
    for table, length in enumerate(lengths):
        of_length = np.flatnonzero(words == length)
        sizes = _sizes(features[of_length], least)
        rounded = _round_up(features[of_length], sizes)
        order = of_length[np.argsort(rounded, kind="stable")]
        arrays[f"table_{table}"], arrays[f"start_{table}"], row[order] = _by_value(
            tables[table], row[order]
        )
        for size in sizes:
            chosen = of_length[rounded == size]
            group = _group(row[chosen], leaf[chosen], of_member[chosen], size)
            arrays |= {f"group_{len(group_tables)}_{key}": value for key, value in group.items()}
            group_tables.append(table)
    exact = np.array([member.base for member in members])
    base = np.stack(
        [exact.astype(np.float32), (exact - exact.astype(np.float32)).astype(np.float32)]
    )
    return arrays | {
        "leaves": np.concatenate(leaves),
        "base": base,
        "group_tables": np.array(group_tables, np.int32),
    }


def _tables(members: list[LeafSets], lengths: list[int]) -> tuple[list[np.ndarray], np.ndarray]:
    """The members' tables of each length one below the other, and the trees' rows [trees, 34] in
    them."""
    parts: list[list[np.ndarray]] = [[] for _ in lengths]
    rows = []
    for member in members:
        shift = np.zeros(len(member.words), np.int64)
        for words, table in member.tables.items():
            place = lengths.index(int(_round_up(np.array([words]), lengths)[0]))
            shift[member.words == words] = sum(map(len, parts[place]))
            parts[place].append(np.pad(table, ((0, 0), (0, lengths[place] - words))))
        rows.append(np.where(member.row >= 0, member.row + shift[:, None], -1))
    tables = [np.concatenate(part) for part in parts]
    for table in tables:
        table[0] = ALL_LEAVES
    return tables, np.concatenate(rows)


def _by_value(table: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The table sorted by code, value and tree, where each (code, value) starts, and each tree's
    place from there on.

    One architecture then reads 34 parts of the table from front to end, not a few sets here and
    there, which memory serves several times as fast. row [trees, 34] in the order of evaluation.
    """
    place, start = np.full(row.shape, -1), np.zeros((NUM_CODES + 1, MOST_VALUES), np.uint32)
    old, rows = [np.arange(RESERVED_ROWS)], RESERVED_ROWS
    for code in range(NUM_CODES):
        testing = np.flatnonzero(row[:, code] >= 0)
        place[testing, code] = np.arange(len(testing))
        for value in range(LOWEST[code], HIGHEST[code] + 1):
            start[code, value + 1] = rows
            old.append(row[testing, code] + 1 + value)
            rows += len(testing)
    return table[np.concatenate(old)], start, place


def _round_up(found: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Of each the smallest of `sizes` that is not below it; the largest is never below."""
    return np.array(sizes, np.int64)[np.searchsorted(sizes, found)]


def _sizes(found: np.ndarray, least: float) -> list[int]:
    """The sizes that get a group: going up, one once `least` trees have gathered, and the
    largest."""
    sizes, waiting = [], 0
    for size, count in zip(*np.unique(found, return_counts=True), strict=True):
        waiting += int(count)
        if waiting >= least:
            sizes.append(int(size))
            waiting = 0
    return [*sizes, int(found.max())] if waiting else sizes


def _group(
    row: np.ndarray, leaf: np.ndarray, member: np.ndarray, features: int
) -> dict[str, np.ndarray]:
    """row [trees, 34]: -1 where untested; leaf, member [trees], members ascending."""
    counts = np.bincount(member)
    units = -(-counts // UNIT)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    place += np.repeat((np.cumsum(units) - units) * UNIT, counts)
    total = int(units.sum()) * UNIT
    # A filler tree meets leaf 0 of the ensemble, which is 0: row 1 holds that leaf alone.
    code = np.full((features, total), NUM_CODES, np.uint8)
    full_row, full_leaf = np.ones((features, total), np.uint32), np.zeros(total, np.uint32)
    tested = np.argsort(row < 0, axis=1, kind="stable")[:, :features]
    rows = np.take_along_axis(row, tested, 1)
    code[:, place] = np.where(rows >= 0, tested, NUM_CODES).T
    full_row[:, place] = np.maximum(rows, 0).T
    full_leaf[place] = leaf
    unit_member = np.repeat(np.arange(len(units), dtype=np.int32), units)
    return {"code": code, "row": full_row, "leaf": full_leaf, "member": unit_member}


def check(arrays: dict[str, np.ndarray], where: str) -> None:
    """`UserError` where an array is missing or an index leads outside: inside jit nobody looks."""
    try:
        tables = [
            arrays[f"table_{i}"] for i in range(sum(key.startswith("table_") for key in arrays))
        ]
        _require(
            all(t.dtype == np.uint32 and t.ndim == 2 and len(t) > RESERVED_ROWS for t in tables),
            "its tables",
        )
        for key, ndim in {"leaves": 1, "base": 2}.items():
            _require(
                arrays[key].dtype == np.float32
                and arrays[key].ndim == ndim
                and arrays[key].size > 0
                and np.isfinite(arrays[key]).all(),
                key,
            )
        _require(len(arrays["base"]) == 2, "base")
        for i, table in enumerate(arrays["group_tables"].tolist()):
            group = {key: arrays[f"group_{i}_{key}"] for key in GROUP_ARRAYS}
            _require(
                all(group[key].dtype == dtype for key, dtype in GROUP_ARRAYS.items()), f"group {i}"
            )
            code, row, leaf, member = group.values()
            trees = (len(member) * UNIT,)
            start = arrays[f"start_{table}"]
            _require(
                start.dtype == np.uint32 and start.shape == (NUM_CODES + 1, MOST_VALUES),
                f"start_{table}",
            )
            _require(start.max() <= len(tables[table]), f"start_{table}")
            _require(
                code.shape == row.shape and len(code) > 0 and leaf.shape == code.shape[1:] == trees,
                f"group {i}",
            )
            _require(
                0 <= table < len(tables) and len(member) > 0 and code.max() <= NUM_CODES,
                f"group {i}",
            )
            furthest = start.max(axis=1).astype(np.int64)[code] + row
            _require(furthest.max() < len(tables[table]), f"the rows of group {i}")
            _require(leaf.max() < len(arrays["leaves"]), f"the leaves of group {i}")
            _require(
                0 <= member.min() <= member.max() < arrays["base"].shape[1],
                f"the members of group {i}",
            )
    except UNREADABLE as error:
        raise UserError(
            f"{where}: damaged or no ensemble of trees ({reason(error)}); convert the models again"
        ) from None


def _require(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} cannot be right")
