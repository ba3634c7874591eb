"""A random forest of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np

from rlnas.agents.predictors.outside import encoded, installed, seed_of, standardised
from rlnas.agents.predictors.protocol import Model
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.bounds import Within


@dataclass(frozen=True)
class RandomForest:
    """scikit-learn's random forest with NASLib's settings (automl/NASLib, `RandomForestPredictor`)
    on the encoding of the space, adjacency and one-hot operations; values standardised."""

    trees: Annotated[int, Within(1, 100_000)] = 116
    """How many."""

    max_features: Annotated[float, Within(0, 1, open=True)] = 0.1706
    """The share of the features that a split chooses from."""

    min_leaf: Annotated[int, Within(1, 100_000)] = 2
    """Architectures in a leaf, at least."""

    bootstrap: bool = False
    """Whether every tree learns from a resample."""

    free, pure = False, False

    def build(self, space: SearchSpace) -> Model:
        installed("sklearn", "scikit-learn", "random_forest")

        def fit(codes: Any, values: Any, key: Any) -> Any:
            from sklearn.ensemble import RandomForestRegressor  # type: ignore[import-untyped]

            forest = RandomForestRegressor(
                self.trees,
                max_features=self.max_features,
                min_samples_leaf=self.min_leaf,
                bootstrap=self.bootstrap,
                random_state=seed_of(key),
            )
            return forest.fit(np.asarray(codes), standardised(values))

        def predict(forest: Any, codes: Any) -> Any:
            return forest.predict(np.asarray(codes)).astype(np.float32)

        return Model(jax.vmap(encoded(space)), fit, predict)
