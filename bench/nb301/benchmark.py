"""A surrogate of NAS-Bench-301 as a `Benchmark`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Key

from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned
from rlnas.bench.lookup import key_for
from rlnas.bench.multiobjective import Costs
from rlnas.bench.nb301.costs import costs_of
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.noise import MEAN, Noise
from rlnas.bench.objectives import ACCURACY, FLOPS, PARAMS, SECONDS, Objective, Range

REPORTS = "validation accuracy (surrogate)"
"""The surrogates know no test accuracy, so none is ever reported under that name."""
REPORTS_DISTILLED = "validation accuracy (distilled surrogate)"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SurrogateBenchmark:
    """The DARTS space, answered by a surrogate.

    noise: `mean`, the members' mean; `sample`, a normal draw around it with the members' standard
    deviation (as the official API's noisy queries), seeded by the key. distilled: what it imitates,
    or "": such a benchmark is for training on, not for reporting from. sha256: of the file, or the
    files, behind it.
    """

    model: Any
    name: str = field(metadata={"static": True})
    epochs: int = field(metadata={"static": True})
    noise: Noise = field(default=MEAN, metadata={"static": True})
    distilled: str = field(default="", metadata={"static": True})
    sha256: str = field(default="", metadata={"static": True})

    family = "nb301"

    def __post_init__(self) -> None:
        if self.noise.kind == "repeat" or self.noise.only:
            raise UserError(
                f"unknown noise policy '{self.noise}' for {self.name}; expected mean or sample"
            )
        if self.noise.kind == "sample" and self.members == 1:
            raise UserError(
                f"{self.name} is a single network and predicts no noise; expected noise policy mean"
            )

    @property
    def members(self) -> int:
        """Models of the ensemble (of a distilled one: of what it imitates)."""
        return int(self.model.members)

    @property
    def space(self) -> DartsSpace:
        return DartsSpace()

    @property
    def reports(self) -> str:
        return REPORTS_DISTILLED if self.distilled else REPORTS

    @property
    def optimum(self) -> Float32[Array, ""]:
        """Unknown: nobody has asked all 10^18."""
        return jnp.float32(jnp.nan)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Accuracy, parameters and FLOPs, and seconds where the surrogate predicts them."""
        known = (SECONDS,) if np.isfinite(_drawn_seconds(self)).all() else ()
        return (ACCURACY, PARAMS, FLOPS, *known)

    def costs(self, names: Sequence[str]) -> tuple[Costs, tuple[Range, ...]]:
        """See `rlnas.bench.multiobjective.Multiobjective`. The range of seconds is that of 1,000
        draws."""
        drawn = _drawn_seconds(self) if SECONDS.name in names else np.zeros(1)
        return costs_of(self.model, names, Range(float(drawn.min()), float(drawn.max())))

    def query(self, arch: Int[Array, " 22"], key: Key[Array, ""]) -> QueryResult:
        """Ask the surrogate; digits out of bounds are answered by `valid` False and NaN."""
        valid = self.space.contains(arch)
        predicted = self.model.predict(jnp.where(valid, arch, 0).astype(jnp.int8))
        val = predicted.mean
        if self.noise.kind == "sample":
            val = val + predicted.std * jax.random.normal(key, (), jnp.float32)
        nan = jnp.float32(jnp.nan)
        return QueryResult(
            jnp.where(valid, val, nan), nan, jnp.where(valid, predicted.seconds, nan), valid
        )

    def reported(self, arch: Int[Array, " 22"]) -> Float32[Array, ""]:
        """The surrogate's mean validation accuracy, whatever the noise policy."""
        valid = self.space.contains(arch)
        mean = self.model.predict(jnp.where(valid, arch, 0).astype(jnp.int8)).mean
        return jnp.where(valid, mean, jnp.nan)

    def lookup(self, genotype: Any, key: Any = None) -> QueryResult:
        """Python side: ask for a genotype, its text, or the digits of one. key: a jax.random.key,
        for `sample`. `UserError` with the reason."""
        return self.query(self.space.parse(genotype), key_for(self.noise, key))

    def describe(self) -> dict[str, Any]:
        about = (
            "a surrogate of NAS-Bench-301: predicted validation accuracies, none of them measured"
        )
        return {
            "name": self.name,
            "family": self.family,
            "epochs": self.epochs,
            "noise": str(self.noise),
            "reports": self.reports,
            "members": self.members,
            "distilled": self.distilled,
            "about": (
                f"{self.name} is "
                f"{f'distilled from {self.distilled}, ' if self.distilled else ''}{about}"
            ),
            "sha256": self.sha256,
        }


DRAWS = 1000
"""Architectures from which the range of predicted seconds is taken."""


def _drawn_seconds(benchmark: SurrogateBenchmark) -> np.ndarray:
    """Predicted for uniform draws."""
    return np.asarray(_seconds(benchmark.model))


@jax.jit
@pinned()
def _seconds(model: Any) -> Float32[Array, " draws"]:
    archs = jax.vmap(DartsSpace().sample)(jax.random.split(jax.random.key(0), DRAWS))
    return jax.lax.map(lambda arch: model.predict(arch).seconds, archs, batch_size=100)
