"""How close searches come to the front, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rlnas.analysis import paired, stats, store
from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.entrants import Entrant, entrants
from rlnas.analysis.comparison.measures import (
    checkpoints,
    leaders,
    reference_among,
    spread,
)
from rlnas.analysis.fronts.data import Ground
from rlnas.analysis.fronts.hypervolume import anytime, igd_plus, knee, within
from rlnas.analysis.stats import Interval
from rlnas.analysis.store import Run

POINTS = 60
"""Of a curve; of three objectives and more, where each takes longer, `FEWER`."""
FEWER = 20


@dataclass(frozen=True)
class Measured:
    """entrants: the agents. at: the query counts of curves. ratio: for each agent, the hypervolume
    of its runs in that of the front, [counts, trainings, seeds]. rows: the table. reference: what
    differences are to. leaders: as of `rlnas.analysis.comparison.measures`. knee: which point of
    the front, -1 for none."""

    ground: Ground
    entrants: tuple[Entrant, ...]
    at: np.ndarray
    ratio: dict[str, Float[np.ndarray, "counts trainings seeds"]]
    rows: tuple[dict[str, Any], ...]
    reference: str | None
    leaders: tuple[str, ...]
    knee: int

    @property
    def manifest(self) -> dict[str, Any]:
        return self.entrants[0].manifest

    @property
    def last(self) -> dict[str, dict[str, Any]]:
        """The row of each agent after the last query."""
        return {row["agent"]: row for row in self.rows}

    def curve(self, label: str) -> Interval:
        return stats.bootstrap([self.ratio[label]])


def measure(runs: Sequence[Run], ground: Ground, reference: str = "") -> Measured:
    """All numbers. reference: the label of an agent; "" for the best of those that are not trained,
    after the last query."""
    entered = entrants(runs)
    budget = entered[0].manifest["budget"]
    exact = len(ground.objectives) == 2
    at = np.array(sorted({*(curves.thin(budget, POINTS if exact else FEWER) + 1),
                          *checkpoints(budget)}))  # fmt: skip
    ratio = {e.label: e.each(lambda h: ratio_of(ground, h.objectives, at)) for e in entered}
    ends = {label: [values[-1]] for label, values in ratio.items()}
    against = reference_among(entered, ends, reference)
    rows = _rows(entered, ground, at, ratio, against)
    return Measured(
        ground, tuple(entered), at, ratio, tuple(rows), against, leaders(ends),
        knee(ground.scaled_front),
    )  # fmt: skip


def ratio_of(ground: Ground, objectives: Any, at: np.ndarray) -> Float[np.ndarray, "seeds counts"]:
    """The hypervolume after so many queries, in that of the front. objectives: [seeds, budget, k],
    as histories hold them."""
    return anytime(ground.scaled(objectives), at) / ground.volume


def _rows(
    entered: Sequence[Entrant],
    ground: Ground,
    at: np.ndarray,
    ratio: dict[str, np.ndarray],
    reference: str | None,
) -> list[dict[str, Any]]:
    counts = checkpoints(entered[0].manifest["budget"])
    places = np.searchsorted(at, counts)
    front = ground.scaled_front
    found = []
    p = {}
    for entrant in entered:
        values = ratio[entrant.label][places]
        columns = {"hypervolume": stats.bootstrap([values])}
        columns["igd_plus"] = stats.bootstrap(
            [entrant.each(lambda h: _igd(ground, h.objectives, counts, front))]
        )
        on_front = entrant.each(lambda h: _on_front(ground, h.objectives, counts, front))
        apart = Interval(*np.full((3, len(counts)), np.nan))
        if reference not in (None, entrant.label):
            apart, p[entrant.label] = paired.difference([values], [ratio[reference][places]])
        columns["difference"] = apart
        found.append((entrant, spread(columns), on_front.mean(axis=(1, 2))))
    adjusted = paired.holm(np.concatenate(list(p.values()))) if p else np.zeros(0)
    holm = dict(zip(p, np.split(adjusted, len(p)), strict=True)) if p else {}
    return [
        store.to_json(
            {
                "queries": count,
                "agent": entrant.label,
                **{name: column[i] for name, column in columns.items()},
                "found": on_front[i],
                "p_holm": holm[entrant.label][i] if entrant.label in holm else None,
                "distinct": float(entrant.each(curves.distinct)[count - 1].mean()),
                "seeds": entrant.seeds,
            }
        )
        for i, count in enumerate(counts)
        for entrant, columns, on_front in found
    ]


def _igd(
    ground: Ground, objectives: Any, counts: Sequence[int], front: np.ndarray
) -> Float[np.ndarray, "seeds counts"]:
    scaled = within(ground.scaled(objectives))
    return np.array([[igd_plus(run[:n], front) for n in counts] for run in scaled])


def _on_front(
    ground: Ground, objectives: Any, counts: Sequence[int], front: np.ndarray
) -> Float[np.ndarray, "seeds counts"]:
    """How many points of the front a run has found."""
    scaled = ground.scaled(objectives)
    first = np.full((len(scaled), len(front)), scaled.shape[1])
    for i, run in enumerate(scaled):
        same = np.abs(run[:, None] - front).max(axis=-1) < 1e-6
        first[i] = np.where(same.any(axis=0), same.argmax(axis=0), scaled.shape[1])
    return np.stack([(first < n).sum(axis=1) for n in counts], axis=1).astype(np.float64)
