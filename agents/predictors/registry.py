"""Predictors by name, and as words of a command line."""

from __future__ import annotations

import importlib
from typing import Any

from rlnas.agents import spec
from rlnas.agents.predictors.protocol import Predictor
from rlnas.bench.errors import UserError

PREDICTORS = {
    "ensemble": "rlnas.agents.predictors.ensemble:PathEnsemble",
    "gp": "rlnas.agents.predictors.gp:GaussianProcess",
    "random_forest": "rlnas.agents.predictors.random_forest:RandomForest",
    "boosting": "rlnas.agents.predictors.boosting:Boosting",
    "graph_network": "rlnas.agents.predictors.graph_network:GraphNetwork",
    "params": "rlnas.agents.predictors.sizes:Params",
    "flops": "rlnas.agents.predictors.sizes:Flops",
}


def parse(word: str) -> Predictor:
    """The settings of a word such as `gp` or `gp:kernel=wl`. `UserError` names what there is."""
    name, _, text = word.partition(":")
    if name not in PREDICTORS:
        raise UserError(f"unknown predictor {word!r}; expected one of {', '.join(PREDICTORS)}")
    module, _, attribute = PREDICTORS[name].partition(":")
    settings: Any = getattr(importlib.import_module(module), attribute)
    try:
        found: Predictor = settings(**spec.options(settings, text))
    except UserError as error:
        raise UserError(f"predictor {word!r}: {error}") from None
    return found
