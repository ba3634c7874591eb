"""The path-encoding ensemble of BANANAS as a predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from rlnas.agents import ensemble
from rlnas.agents.predictors.protocol import Model
from rlnas.bench import graphs
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.bounds import Rate, Within

Some = Annotated[int, Within(1, 100_000)]


@dataclass(frozen=True)
class PathEnsemble:
    """The mean of BANANAS' networks (White et al. 2021, arXiv 1910.11858) on the paths of a cell,
    and counts beside them; scores are normal scores. The defaults are those of the agent `bananas`,
    which says what is theirs and what ours, but for twice its batches."""

    members: Some = 5
    """Networks."""

    layers: Annotated[int, Within(1, 100)] = 1
    """Hidden layers of each."""

    width: Some = 40
    """Units of each of them."""

    steps: Some = 200
    """Batches that each learns from."""

    batch: Some = 32
    """Architectures in a batch, drawn with replacement."""

    learning_rate: Rate = 0.01
    """Of Adam."""

    free, pure = False, True

    def build(self, space: SearchSpace) -> Model:
        code = graphs.together(graphs.parts(space))
        learner = ensemble.Ensemble(
            self.members, self.layers, self.width, self.steps, self.batch, self.learning_rate
        )

        def fit(codes: Any, values: Any, key: Any) -> Any:
            return learner.fit(key, codes, values, jnp.isfinite(values))

        def predict(params: Any, codes: Any) -> Any:
            return learner.predict(params, codes).mean(0)

        return Model(jax.vmap(code), fit, predict)
