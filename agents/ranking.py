"""What is known of a space, asked as a list: no answer changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Int32, Key

from rlnas.agents.prior import Known, WithPrior, resolve
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace


@dataclass(frozen=True)
class Ranking(WithPrior):
    """The best of other benchmarks, or by other trainings, one after the other (zero-shot
    transfer). Equal ones in the order of their numbers; behind the last one it begins again."""

    prior: str
    """The sources, as those of `gp`; of several, the average of their normal scores."""

    def build(self, space: SearchSpace, known: Known | None = None) -> Agent:
        """known: as `GP.build` takes it."""
        if known is None:
            known = resolve(self.prior).known
        there: Any = space
        order = jnp.argsort(-known.values(space).mean(0), stable=True).astype(jnp.int32)

        def init(key: Key[Array, ""]) -> Int32[Array, ""]:
            return jnp.int32(0)

        def ask(key: Key[Array, ""], asked: Int32[Array, ""]) -> tuple[Arch, Int32[Array, ""]]:
            return there.at(order[asked % len(order)]), asked

        def tell(asked: Int32[Array, ""], arch: Arch, result: QueryResult) -> Int32[Array, ""]:
            return asked + 1

        return Agent(init, ask, tell)
