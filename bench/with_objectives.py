"""A benchmark asked for several objectives, and perhaps searched for a reward made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from rlnas.bench.benchmark import Arch, Indexed, QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.multiobjective import declared, named
from rlnas.bench.noise import Noise
from rlnas.bench.objective_rewards import Reward
from rlnas.bench.objectives import ACCURACY, MOST_OBJECTIVES, Objective, Range


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WithObjectives:
    """`inner`, whose answers hold the objectives, too, so that any agent runs on it unchanged.

    costs: of an architecture, all of `objectives` but the first, which is accuracy. reward: what
    `val` and `reported` are made of accuracy and costs; None leaves them as they are. ranges: of
    the costs. best: the largest `reported`; NaN where nobody knows.
    """

    inner: Any
    costs: Any
    best: Float32[Array, ""]
    objectives: tuple[Objective, ...] = field(metadata={"static": True})
    ranges: tuple[Range, ...] = field(metadata={"static": True})
    reward: Any = field(default=None, metadata={"static": True})
    reward_name: str = field(default="", metadata={"static": True})

    @property
    def space(self) -> Any:
        return self.inner.space

    @property
    def name(self) -> str:
        return str(self.inner.name)

    @property
    def family(self) -> str:
        return str(self.inner.family)

    @property
    def epochs(self) -> int | None:
        found: int | None = self.inner.epochs
        return found

    @property
    def noise(self) -> Noise:
        found: Noise = self.inner.noise
        return found

    @property
    def distilled(self) -> str:
        return str(self.inner.distilled)

    @property
    def reports(self) -> str:
        if self.reward is None:
            return str(self.inner.reports)
        return f"{self.reward_name} reward of {self.inner.reports}, {', '.join(self.reward.needs)}"

    @property
    def optimum(self) -> Float32[Array, ""]:
        return self.best

    def query(self, arch: Arch, key: Key[Array, ""]) -> QueryResult:
        """The answer of `inner`, its objectives, and the reward in place of the accuracy. Without
        a value of it (a cost may be unknown) the answer is not valid."""
        result, costs = self.inner.query(arch, key), self.costs(arch)
        val = self._rewarded(result.val, costs)
        signs = jnp.array([objective.sign for objective in self.objectives[1:]], jnp.float32)
        objectives = jnp.concatenate([(1 - result.val)[None], signs * costs])
        valid = result.valid & ~jnp.isnan(val)
        nan = jnp.float32(jnp.nan)
        return QueryResult(
            jnp.where(valid, val, nan), jnp.where(valid, result.test, nan),
            jnp.where(valid, result.sim_seconds, nan), valid,
            jnp.where(result.valid, objectives, nan),
        )  # fmt: skip

    def reported(self, arch: Arch) -> Float32[Array, ""]:
        return self._rewarded(self.inner.reported(arch), self.costs(arch))

    def _rewarded(self, accuracy: Any, costs: Float32[Array, " n"]) -> Float32[Array, ""]:
        if self.reward is None:
            found: Float32[Array, ""] = accuracy
            return found
        names = [objective.name for objective in self.objectives[1:]]
        reward = self.reward(accuracy, dict(zip(names, costs, strict=True)))
        return jnp.asarray(reward, jnp.float32)

    def describe(self) -> dict[str, Any]:
        """That of `inner`, and what is asked of it."""
        facts = self.inner.describe() | {"objectives": [x.name for x in self.objectives]}
        if self.reward is None:
            return facts
        said = {"name": self.reward_name} | asdict(self.reward)
        return facts | {"reports": self.reports, "optimum": _number(self.best), "reward": said}


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def with_objectives(
    benchmark: Any, names: Sequence[str] = (), reward: Reward | None = None, reward_name: str = ""
) -> WithObjectives:
    """`benchmark`, asked for the objectives `names` and those that the reward needs, accuracy
    first. `UserError` for one that it lacks, and for a reward that does not fit."""
    needed = reward.needs if reward is not None else ()
    asked = [ACCURACY.name, *(x for x in (*names, *needed) if x != ACCURACY.name)]
    objectives = tuple(dict.fromkeys(named(benchmark, asked)))
    if len(objectives) == 1:
        there = ", ".join(objective.name for objective in declared(benchmark)[1:]) or "none"
        raise UserError(
            f"accuracy is one objective; expected another beside it, of {benchmark.name}: {there}"
        )
    if len(objectives) > MOST_OBJECTIVES:
        raise UserError(f"{len(objectives)} objectives; expected at most {MOST_OBJECTIVES}")
    costs, ranges = benchmark.costs([objective.name for objective in objectives[1:]])
    if reward is not None:
        spans = {x.name: span for x, span in zip(objectives[1:], ranges, strict=True)}
        maximised = [x.name for x in objectives if x.direction == "max" and x.name in needed]
        if maximised:
            raise UserError(f"{maximised[0]} is to be maximised; expected a cost in a reward")
        reward = reward.on(benchmark, spans)
    made = WithObjectives(
        benchmark, costs, jnp.float32(jnp.nan), objectives, ranges, reward, reward_name
    )
    if reward is None:
        return _with(made, jnp.asarray(benchmark.optimum, jnp.float32))
    if isinstance(benchmark.space, Indexed):
        return _with(made, _best(made, np.arange(benchmark.space.size, dtype=np.int32)))
    return made


def _with(made: WithObjectives, best: Float32[Array, ""]) -> WithObjectives:
    rest = (made.objectives, made.ranges, made.reward, made.reward_name)
    return WithObjectives(made.inner, made.costs, best, *rest)


@jax.jit
def _best(benchmark: WithObjectives, numbers: Any) -> Float32[Array, ""]:
    values = jax.vmap(lambda i: benchmark.reported(benchmark.space.at(i)))(numbers)
    return jnp.nanmax(values)
