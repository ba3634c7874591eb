"""The architectures that searches ended with: drawn, and where they stand in the landscape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.analysis.comparison.entrants import Entrant
from rlnas.analysis.frames import benchmark_of, text_of
from rlnas.analysis.report.drawings import HEIGHT, MARGIN, WIDTH, cell, operations
from rlnas.analysis.show.data import DRAWN, Values, everybody, of_all
from rlnas.analysis.show.text import CELLS
from rlnas.analysis.text import percent
from rlnas.bench.benchmark import Graphs, Indexed
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned

MOST = 6
BINS = 48
SHARE = 0.95
"""Of all architectures, the best so many are in the picture of the landscape."""


class Position(NamedTuple):
    """Where an architecture stands. reported: a fraction, by the benchmark."""

    reported: float
    rank: str
    near: str


def found(entered: Sequence[Entrant], opened: Any = None) -> dict[str, Any]:
    """The best by validation that runs ended with. opened: the benchmark, where its name does not
    open it. Without it, what there is to say and why nothing is drawn."""
    ends = final(entered)
    if not ends:
        return {"why": "No run has an answer.", "cells": []}
    try:
        benchmark = opened if opened is not None else benchmark_of(entered[0].runs[0])
    except UserError as error:
        return {"why": f"Not drawn: {error}.", "cells": []}
    space = benchmark.space
    best = sorted(ends.values(), key=lambda end: -end["val"])[:MOST]
    everyone, positions = landscape(benchmark, [end["arch"] for end in best])
    used: set[int] = set()
    cells = []
    for end, position in zip(best, positions, strict=True):
        drawn, inside = drawings(space, end["arch"])
        used |= inside
        cells.append(
            {
                "text": text_of(space, end["arch"].reshape(-1)),
                "drawings": drawn,
                "val": percent(end["val"]),
                "reported": percent(end["reported"]),
                "by": [f"{label}: {n} of {of} runs" for label, (n, of) in end["by"].items()],
                "rank": position.rank,
                "near": position.near,
            }
        )
    legend = operations(space, used) if used else []
    own = [position.reported for position in positions if position.reported == position.reported]
    return {"why": "", "cells": cells, "operations": legend, "spread": spread(everyone, own)}


def final(entered: Sequence[Entrant]) -> dict[bytes, dict[str, Any]]:
    """The incumbents after the last query, each once: the architecture, the best validation
    accuracy it was seen with, what it is reported as, and how many runs of whom end with it."""
    ends: dict[bytes, dict[str, Any]] = {}
    for entrant in entered:
        total = sum(run.manifest["seeds"] for run in entrant.runs)
        for run in entrant.runs:
            history = run.history
            for seed, place in enumerate(np.asarray(history.incumbent)[:, -1]):
                if place < 0:
                    continue
                arch = np.asarray(history.arch[seed, place])
                val = float(history.val[seed, place])
                said = {"val": val, "reported": float(history.reported[seed, place])}
                end = ends.setdefault(arch.tobytes(), {"arch": arch, **said, "by": {}})
                end["val"] = max(end["val"], val)
                count, _ = end["by"].get(entrant.label, (0, total))
                end["by"][entrant.label] = (count + 1, total)
    return ends


def drawings(space: Any, arch: np.ndarray) -> tuple[list[dict[str, Any]], set[int]]:
    """Its cells, with a title each where there are several."""
    there = jnp.asarray(arch.reshape(space.arch_shape))
    if not isinstance(space, Graphs):
        return [], set()
    count = len(np.asarray(space.graph(there).labels))
    used: set[int] = set()
    made = []
    for i in range(count):
        drawn, inside = cell(space, there, i)
        used |= inside
        made.append(drawn | {"title": CELLS[i] if count > 1 else ""})
    return made, used


@pinned()
def landscape(benchmark: Any, archs: Sequence[np.ndarray]) -> tuple[Values, list[Position]]:
    """Everybody's values; and of each architecture its rank by what is reported, and how many of
    its neighbours are better by validation."""
    space = benchmark.space
    listed = isinstance(space, Indexed)
    everyone = everybody(benchmark, listed)
    found = []
    for arch in archs:
        here = jnp.asarray(arch.reshape(space.arch_shape))
        own = of_all(benchmark, here[None])
        known = everyone.reported[~np.isnan(everyone.reported)]
        if listed:
            above = int((known > own.reported[0]).sum())
            said = f"rank {above + 1:,} of {len(known):,} by {benchmark.reports}"
        else:
            below = int((known < own.reported[0]).sum())
            said = f"better than {below:,} of {DRAWN:,} drawn at random by {benchmark.reports}"
        count = int(space.degree(here))
        near = jax.vmap(lambda i, here=here: space.neighbour(here, i))(
            jnp.arange(count, dtype=jnp.int32)
        )
        if listed:
            values = everyone.val[np.asarray(jax.vmap(space.index)(near))]
        else:
            values = of_all(benchmark, near).val
        better = int((values > own.val[0]).sum())
        found.append(Position(float(own.reported[0]), said, neighbours(better, count)))
    return everyone, found


def neighbours(better: int, count: int) -> str:
    if not better:
        return f"none of its {count} neighbours is better by validation: a local optimum"
    are = "is" if better == 1 else "are"
    return f"{better} of its {count} neighbours {are} better by validation"


def spread(everyone: Values, own: Sequence[float]) -> dict[str, Any]:
    """How many architectures are reported as what, as a small histogram; the best `SHARE` of
    them. bars: path; marks: where `own` stand, across."""
    values = everyone.reported[~np.isnan(everyone.reported)]
    if len(values) < 2:
        return {}
    low = min(float(np.quantile(values, 1 - SHARE)), *own)
    high = max(float(values.max()), *own)
    if not low < high:
        return {}
    counts, _ = np.histogram(values, bins=BINS, range=(low, high))
    across, down = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    wide, base = across / BINS, HEIGHT - MARGIN
    tall = (down * counts / counts.max()).tolist()
    bars = "".join(
        f"M{MARGIN + i * wide:.1f} {base:.1f}h{wide:.1f}v{-y:.1f}h{-wide:.1f}Z"
        for i, y in enumerate(tall)
    )
    marks = [round(MARGIN + across * (value - low) / (high - low), 1) for value in own]
    return {
        "bars": bars, "marks": marks, "low": percent(low), "high": percent(high),
        "width": WIDTH, "height": HEIGHT, "base": base,
    }  # fmt: skip
