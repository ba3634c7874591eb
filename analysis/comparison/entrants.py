"""Who takes part in a comparison: an agent is its run; a learned one its trainings, a run each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from rlnas.analysis import store
from rlnas.analysis.comparison import curves
from rlnas.analysis.store import Run
from rlnas.bench.errors import UserError

OF_A_TRAINING = ("sha256",)
"""The settings of an agent in which trainings of the same kind differ."""

ENOUGH = 5
"""Trainings below which an interval over them is a guess (ours)."""


@dataclass(frozen=True)
class Entrant:
    """An agent on a benchmark. runs: one; or one a training, of trainings that differ by their
    seeds only."""

    label: str
    runs: tuple[Run, ...]

    def __repr__(self) -> str:
        return f"<Entrant {self.label}: {', '.join(map(repr, self.runs))}>"

    @property
    def manifest(self) -> dict[str, Any]:
        """Of its first run."""
        return self.runs[0].manifest

    @property
    def learned(self) -> bool:
        return bool(self.manifest["pretraining"])

    @property
    def seeds(self) -> int:
        """Searches of each training."""
        return min(run.manifest["seeds"] for run in self.runs)

    def each(self, of: Callable[[Any], Any]) -> Num[np.ndarray, "points trainings seeds"]:
        """Arrays [seeds, points] of its runs' histories, put together."""
        return np.stack([np.asarray(of(run.history))[: self.seeds].T for run in self.runs], axis=1)

    @cached_property
    def reported(self) -> Float[np.ndarray, "budget trainings seeds"]:
        """What the incumbent after each query is judged by, a fraction."""
        return self.each(curves.incumbent_values)

    @cached_property
    def validation(self) -> Float[np.ndarray, "budget trainings seeds"]:
        """What the incumbent was kept for."""
        return self.each(lambda h: curves.incumbent_values(h, of=np.asarray(h.val)))

    @property
    def pretraining(self) -> dict[str, Any]:
        """What its manifests say of what was looked up before; numbers are means over trainings."""
        said = [run.manifest["pretraining"] or {} for run in self.runs]
        numbers = ("lookups", "same_queries", "unseen_incumbents")
        means = {
            key: np.mean([facts[key] for facts in said], axis=0)
            for key in numbers
            if all(facts.get(key) is not None for facts in said)
        }
        return said[0] | means


def entrants(runs: Sequence[Run]) -> list[Entrant]:
    """The runs of one benchmark as agents, in the order in which they begin."""
    pools: dict[Any, list[Run]] = {}
    for i, run in enumerate(runs):
        pools.setdefault(kind_of(run) or i, []).append(run)
    found = []
    for pool in pools.values():
        label = pool[0].label if len(pool) == 1 else pooled_label(pool)
        found.append(Entrant(label, tuple(pool)))
    labels = [entrant.label for entrant in found]
    for i, entrant in enumerate(found):
        if labels.count(entrant.label) > 1 and len(entrant.runs) > 1:
            first = entrant.pretraining.get("checkpoint", "")
            found[i] = Entrant(f"{entrant.label} ({first}, ...)", entrant.runs)
    for i, entrant in enumerate(found):
        if entrant.label in [other.label for other in found[:i]]:
            raise UserError(f"two runs are called {entrant.label}; give each agent once")
    return found


def kind_of(run: Run) -> str:
    """Equal for runs of one agent after trainings that differ by their seeds only; "" where that
    cannot be told."""
    manifest = run.manifest
    training = (manifest["pretraining"] or {}).get("training")
    if training is None:
        return ""
    options = {k: v for k, v in manifest["config"].items() if k not in OF_A_TRAINING}
    same = ("agent", "code", "jax", "seed", "seeds")
    return store.hash_of([options, training, *(manifest.get(key) for key in same)])


def pooled_label(pool: Sequence[Run]) -> str:
    """`NAME, 5 trainings`, by the label that was given to all, or else by the agent's name and the
    options it was asked for with."""
    agent, label = pool[0].manifest["agent"], pool[0].label
    name = label
    if label.startswith(f"{agent}:"):
        words = label.removeprefix(f"{agent}:").split(",")
        options = [w for w in words if w.partition("=")[0] in pool[0].manifest["config"]]
        name = ":".join([agent, *filter(None, [",".join(options)])])
    return f"{name}, {len(pool)} trainings"
