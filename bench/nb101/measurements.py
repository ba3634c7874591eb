"""From a heap of training runs, in any order, to the dense arrays of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rlnas.bench.errors import UserError

ALWAYS_FINE, MOST_TIMES = 1 << 22, 16
"""A table may have so many places, or so many times as many as there are runs."""


class Measurements(NamedTuple):
    """n training runs; all arrays [n]."""

    row: np.ndarray  # int32, canonical row of the cell
    epochs: np.ndarray  # int32
    repeat: np.ndarray  # int32, any numbering; -1 everywhere: count the runs of a cell as they come
    val: np.ndarray  # float32 fractions, NaN where unknown
    test: np.ndarray
    train: np.ndarray
    seconds: np.ndarray  # float32
    position: np.ndarray  # int64: byte offset or line, for messages


class Dense(NamedTuple):
    """M cells, B budgets, R repeats; the arrays of `rlnas.bench.nb101.table.Table`."""

    row: np.ndarray  # int32 [M]
    epochs: np.ndarray  # int32 [B]
    val: np.ndarray  # float32 [M, B, R], NaN where there is no run
    test: np.ndarray
    train: np.ndarray
    seconds: np.ndarray


def concatenate(parts: list[Measurements]) -> Measurements:
    return Measurements(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def assemble(
    runs: Measurements,
    *,
    where: Callable[[int], str],
    cell_name: Callable[[int], str],
    allow_missing: bool,
) -> Dense:
    """Sort the runs into dense arrays.

    where(i) names entry i in a message, cell_name(row) a cell. Raises `UserError` for a run that is
    there twice and, unless `allow_missing`, for a cell with fewer runs at a budget than most have.
    """
    row, row_at = np.unique(runs.row, return_inverse=True)
    epochs, epoch_at = np.unique(runs.epochs, return_inverse=True)
    _check_size((len(row), len(epochs), 1), len(runs.row))
    slot = row_at * len(epochs) + epoch_at  # which (cell, budget)
    counts = np.bincount(slot, minlength=len(row) * len(epochs))
    order = np.argsort(slot, kind="stable")
    counted = bool((runs.repeat < 0).all())

    def entries(s: int) -> np.ndarray:
        """The runs of a slot, in file order; slow, for messages."""
        return np.flatnonzero(slot == s)

    def describe(s: int) -> str:
        return f"cell {cell_name(int(row[s // len(epochs)]))} at {epochs[s % len(epochs)]} epochs"

    if counted:
        repeats = int(np.bincount(counts[counts > 0]).argmax())
        repeat_at = np.empty(len(slot), np.int64)
        repeat_at[order] = np.arange(len(slot)) - np.repeat(np.cumsum(counts) - counts, counts)
        surplus = np.flatnonzero(repeat_at >= repeats)
        if surplus.size:
            i = int(surplus[0])
            raise UserError(
                f"{where(i)}: run {repeat_at[i] + 1} of {describe(int(slot[i]))}, expected "
                f"{repeats} as elsewhere; "
                "a record is repeated: check where the file comes from"
            )
    else:
        values, repeat_at = np.unique(runs.repeat, return_inverse=True)
        repeats = len(values)
        seen, first = np.unique(slot * repeats + repeat_at, return_index=True)
        if len(seen) < len(slot):
            i = int(np.setdiff1d(np.arange(len(slot)), first)[0])
            same = entries(int(slot[i]))
            earlier = int(same[repeat_at[same] == repeat_at[i]][0])
            raise UserError(
                f"{where(i)}: {describe(int(slot[i]))}, repeat {runs.repeat[i]} stands there "
                "already "
                f"({where(earlier)}); keep one of them"
            )

    if not allow_missing and (counts < repeats).any():
        s = int(np.flatnonzero(counts < repeats)[0])
        there = "; ".join(where(int(i)) for i in entries(s)) or "none"
        raise UserError(
            f"{describe(s)} has {counts[s]} of {repeats} runs ({there}); "
            "the file is incomplete: get a whole one, or pass --allow-missing"
        )

    shape = (len(row), len(epochs), repeats)
    _check_size(shape, len(slot))

    def dense(values: np.ndarray) -> np.ndarray:
        array = np.full(shape, np.nan, np.float32)
        array[row_at, epoch_at, repeat_at] = values
        return array

    result = Dense(
        row.astype(np.int32),
        epochs.astype(np.int32),
        *(dense(v) for v in (runs.val, runs.test, runs.train, runs.seconds)),
    )
    if counted:
        _refuse_copies(result, lambda s: [where(int(i)) for i in entries(s)], describe)
    return result


def _check_size(shape: tuple[int, int, int], runs: int) -> None:
    """`UserError` for a table that would be almost all gaps, and larger than memory."""
    if math.prod(shape) > max(ALWAYS_FINE, MOST_TIMES * runs):
        cells, budgets, repeats = shape
        raise UserError(
            f"{runs:,} runs of {cells:,} cells at {budgets:,} budgets with {repeats:,} repeats "
            "would make a table of almost nothing but gaps; check its columns of epochs and repeats"
        )


def _refuse_copies(
    dense: Dense, named: Callable[[int], list[str]], describe: Callable[[int], str]
) -> None:
    """Two runs of a cell never agree in all accuracies and in seconds: a copy hides a missing
    run."""
    for b in range(dense.val.shape[2]):
        for a in range(b):
            same = np.logical_and.reduce(
                [
                    v[..., a] == v[..., b]
                    for v in (dense.val, dense.test, dense.train, dense.seconds)
                ]
            )
            if same.any():
                s = int(np.flatnonzero(same.ravel())[0])
                raise UserError(
                    f"{named(s)[b]}: the same results as {named(s)[a]} ({describe(s)}); "
                    "a record is repeated: check where the file comes from"
                )
