"""Rewards of an accuracy and costs, after the systems that searched for several objectives.

A reward is a frozen dataclass of plain numbers and texts, which decides what is traced. `on` makes
it ready for a benchmark, or refuses; then it is a function of the accuracy (a fraction) and of the
costs by name, in their own units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rlnas.bench.bounds import Within
from rlnas.bench.errors import UserError
from rlnas.bench.objectives import PARAMS, Range, canonical

Named = Mapping[str, Float[Array, ""]]
Cost = Annotated[float, Within(-1e18, 1e18)]
FILLED: Any = {"option": False}
"""Metadata of a field that `on` fills: no option of a word."""
TINY = 1e-6
"""No cost is taken to be a smaller part of its target: a negative power of 0 is infinite."""


@runtime_checkable
class Reward(Protocol):
    """What stands for the accuracy in a search."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The costs that it is made of."""

    def on(self, benchmark: Any, ranges: Mapping[str, Range]) -> Any:
        """The same, ready for `benchmark`, whose costs have these ranges. `UserError` for a target
        outside of them."""

    def __call__(self, accuracy: Float[Array, ""], costs: Named) -> Float[Array, ""]:
        """The reward of one architecture; NaN where a number is not known."""


@dataclass(frozen=True)
class MnasNet:
    """accuracy x (cost / target)^w, with one w beyond the target and one up to it.

    Tan et al. 2019 (arXiv 1807.11626): soft, w = -.07 on both sides, so that twice the latency is
    worth 5 % of the accuracy; hard, `w=-1,below=0`, where the target is a limit. w multiplies the
    logarithm of the cost, so one search leads to one trade-off: sweep target or w for a front.
    Ours: any positive cost in place of latency.
    """

    target: Cost
    """Of the cost, in its unit."""

    objective: str = "latency"
    """The cost."""

    w: float = -0.07
    """Exponent beyond the target, at most 0."""

    below: float | None = None
    """Exponent up to the target, at most 0; none: as w."""

    @property
    def needs(self) -> tuple[str, ...]:
        return (canonical(self.objective),)

    def on(self, benchmark: Any, ranges: Mapping[str, Range]) -> MnasNet:
        for name in ("w", "below"):
            if (getattr(self, name) or 0) > 0:
                raise UserError(
                    f"mnasnet has {name}={getattr(self, name):g}, which rewards more "
                    f"{self.objective}; expected at most 0, such as -0.07"
                )
        check_target("mnasnet", "target", self.target, self.objective, ranges, positive=True)
        return replace(self, below=self.w if self.below is None else self.below)

    def __call__(self, accuracy: Float[Array, ""], costs: Named) -> Float[Array, ""]:
        ratio = jnp.maximum(costs[self.needs[0]] / self.target, TINY)
        below = self.w if self.below is None else self.below
        return accuracy * ratio ** jnp.where(ratio <= 1, below, self.w)


@dataclass(frozen=True)
class Monas:
    """alpha x accuracy - (1 - alpha) x cost: the mixed reward of MONAS.

    Hsu et al. 2018 (arXiv 1806.10332), with energy, normalised. Ours: any cost, from 0 at the
    smallest to 1 at the largest of the space.
    """

    objective: str = "energy"
    """The cost."""

    alpha: float = 0.5
    """Share of the accuracy, 0 to 1."""

    low: float = field(default=0.0, metadata=FILLED)
    high: float = field(default=1.0, metadata=FILLED)

    @property
    def needs(self) -> tuple[str, ...]:
        return (canonical(self.objective),)

    def on(self, benchmark: Any, ranges: Mapping[str, Range]) -> Monas:
        if not 0 <= self.alpha <= 1:
            raise UserError(f"monas has alpha={self.alpha:g}; expected 0 to 1")
        span = ranges[self.needs[0]]
        return replace(self, low=span.low, high=span.high)

    def __call__(self, accuracy: Float[Array, ""], costs: Named) -> Float[Array, ""]:
        share = (costs[self.needs[0]] - self.low) / max(self.high - self.low, TINY)
        return self.alpha * accuracy - (1 - self.alpha) * share


@dataclass(frozen=True)
class MonasConstrained:
    """accuracy where the cost is below a limit, else 0: the constrained reward of MONAS.

    Hsu et al. 2018 (arXiv 1806.10332), with energy or the number of operations. Ours: any cost; at
    the limit itself it is still met.
    """

    limit: Cost
    """Of the cost, in its unit."""

    objective: str = "energy"
    """The cost."""

    @property
    def needs(self) -> tuple[str, ...]:
        return (canonical(self.objective),)

    def on(self, benchmark: Any, ranges: Mapping[str, Range]) -> MonasConstrained:
        check_target("monas_constrained", "limit", self.limit, self.objective, ranges)
        return self

    def __call__(self, accuracy: Float[Array, ""], costs: Named) -> Float[Array, ""]:
        cost = costs[self.needs[0]]
        # NaN is not below the limit, and must not become a 0.
        return jnp.where(cost > self.limit, 0.0 * accuracy, accuracy + 0.0 * cost)


@dataclass(frozen=True)
class Rena:
    """accuracy x p^violation for every limit that is violated: the penalties of RENA.

    Zhou et al. 2018 (arXiv 1806.07912), for model size, operations and their ratio. violation is
    (cost - limit) / limit (ours: we know the form of the penalty only, not how they scale it), 0
    where the limit is met; several costs are several factors.
    """

    limits: str
    """One for each objective, in their order, between commas."""

    objectives: str = PARAMS.name
    """The costs, between commas."""

    p: float = 0.9
    """What a violation by the whole limit multiplies the accuracy by, above 0 and at most 1."""

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(canonical(name.strip()) for name in self.objectives.split(","))

    @property
    def numbers(self) -> tuple[float, ...]:
        """The limits."""
        try:
            found = tuple(float(word) for word in self.limits.split(","))
        except ValueError:
            found = ()
        if len(found) != len(self.needs):
            raise UserError(
                f"rena has limits={self.limits}; expected {len(self.needs)} numbers between "
                f"commas, for {', '.join(self.needs)}"
            )
        return found

    def on(self, benchmark: Any, ranges: Mapping[str, Range]) -> Rena:
        if not 0 < self.p <= 1:
            raise UserError(f"rena has p={self.p:g}; expected above 0 and at most 1")
        for name, limit in zip(self.needs, self.numbers, strict=True):
            check_target("rena", "limits", limit, name, ranges, positive=True)
        return self

    def __call__(self, accuracy: Float[Array, ""], costs: Named) -> Float[Array, ""]:
        for name, limit in zip(self.needs, self.numbers, strict=True):
            accuracy = accuracy * self.p ** jnp.maximum(costs[name] / limit - 1, 0)
        return accuracy


@dataclass(frozen=True)
class N2N:
    """accuracy / teacher's x C (2 - C), C = 1 - params / teacher's: the compression reward of N2N.

    Ashok et al. 2018 (arXiv 1709.06030), whose students are made by shrinking the teacher. Ours:
    any architecture may be the student; one that is no smaller than the teacher is impossible
    there, which they answer by -1.
    """

    teacher: str
    """An architecture as the space writes it (commas and all)."""

    teacher_accuracy: float = field(default=1.0, metadata=FILLED)
    teacher_params: float = field(default=1.0, metadata=FILLED)

    @property
    def needs(self) -> tuple[str, ...]:
        return (PARAMS.name,)

    def on(self, benchmark: Any, ranges: Mapping[str, Range]) -> N2N:
        arch = benchmark.space.parse(self.teacher)
        costs, _ = benchmark.costs(self.needs)
        accuracy = float(benchmark.query(arch, jax.random.key(0)).val)
        if not accuracy > 0:
            raise UserError(
                f"n2n has a teacher without an accuracy, {self.teacher}; choose another"
            )
        return replace(self, teacher_accuracy=accuracy, teacher_params=float(costs(arch)[0]))

    def __call__(self, accuracy: Float[Array, ""], costs: Named) -> Float[Array, ""]:
        c = 1 - costs[PARAMS.name] / self.teacher_params
        reward = accuracy / self.teacher_accuracy * c * (2 - c)
        return jnp.where(c < 0, -1.0 + 0.0 * reward, reward)


def check_target(
    reward: str,
    option: str,
    value: float,
    objective: str,
    ranges: Mapping[str, Range],
    *,
    positive: bool = False,
) -> None:
    """`UserError` for a target that nothing, or everything, meets. positive: costs are divided by
    it."""
    span = ranges[canonical(objective)]
    if positive and not (span.low >= 0 and value > 0):
        raise UserError(
            f"{reward} takes ratios of {objective}, which begins at {span.low:g} here, to "
            f"{value:g}; expected numbers above 0"
        )
    if not span.low <= value <= span.high:
        raise UserError(
            f"{reward} has {option}={value:g}, outside what {objective} can be here; expected "
            f"{span.low:g} to {span.high:g}"
        )


REWARDS: dict[str, type] = {
    "mnasnet": MnasNet,
    "monas": Monas,
    "monas_constrained": MonasConstrained,
    "rena": Rena,
    "n2n": N2N,
}
"""By the word that `rlnas compare --reward` knows them by."""
