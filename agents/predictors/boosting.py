"""Gradient-boosted trees of xgboost, or of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import jax
import numpy as np

from rlnas.agents.predictors.outside import encoded, installed, seed_of, standardised
from rlnas.agents.predictors.protocol import Model
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.bounds import Rate, Within


@dataclass(frozen=True)
class Boosting:
    """Gradient-boosted trees on the encoding of the space, adjacency and one-hot operations, with
    the settings of NASLib's XGBoost (automl/NASLib, `XGBoost`); values standardised. Where xgboost
    is not installed, scikit-learn's, with the same depth, rate and rounds."""

    library: Literal["auto", "xgboost", "sklearn"] = "auto"
    """Whose; auto: xgboost where it is installed."""

    depth: Annotated[int, Within(1, 100)] = 6
    """Of a tree, at most."""

    learning_rate: Rate = 0.3
    """Of each tree."""

    rounds: Annotated[int, Within(1, 100_000)] = 500
    """Trees."""

    free, pure = False, False

    @property
    def resolved(self) -> str:
        """The library that is used here."""
        if self.library != "auto":
            return self.library
        return "xgboost" if find_spec("xgboost") else "sklearn"

    def build(self, space: SearchSpace) -> Model:
        if self.resolved == "xgboost":
            installed("xgboost", "xgboost", "boosting")
            fit, predict = self._xgboost, _predict_xgboost
        else:
            installed("sklearn", "scikit-learn", "boosting")
            fit, predict = self._sklearn, _predict_sklearn
        return Model(jax.vmap(encoded(space)), fit, predict)

    def _xgboost(self, codes: Any, values: Any, key: Any) -> Any:
        import xgboost

        settings = {
            "max_depth": self.depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": 1,
            "seed": seed_of(key),
            "nthread": 1,
        }
        data = xgboost.DMatrix(np.asarray(codes, np.float32), label=standardised(values))
        return xgboost.train(settings, data, num_boost_round=self.rounds)

    def _sklearn(self, codes: Any, values: Any, key: Any) -> Any:
        from sklearn.ensemble import GradientBoostingRegressor  # type: ignore[import-untyped]

        trees = GradientBoostingRegressor(
            n_estimators=self.rounds,
            max_depth=self.depth,
            learning_rate=self.learning_rate,
            random_state=seed_of(key),
        )
        return trees.fit(np.asarray(codes), standardised(values))


def _predict_xgboost(trees: Any, codes: Any) -> Any:
    import xgboost

    return trees.predict(xgboost.DMatrix(np.asarray(codes, np.float32)))


def _predict_sklearn(trees: Any, codes: Any) -> Any:
    return trees.predict(np.asarray(codes)).astype(np.float32)
