"""Optuna's samplers for `bridge:optuna:...`: every variable of an architecture is a categorical
parameter of a study."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal


class Sampler:
    """A study whose sampler is `sampler`: optuna's own defaults but for the options that are given,
    which have the names that they have there.

    tpe: Bergstra et al. 2011 (and `multivariate`). gp: about a second a query. nsga2: with one
    objective, a genetic algorithm of generations of `population_size`.
    """

    def __init__(
        self,
        problem: Any,
        seed: int,
        sampler: Literal["tpe", "gp", "nsga2", "random"] = "tpe",
        n_startup_trials: int | None = None,
        multivariate: bool | None = None,
        population_size: int | None = None,
    ) -> None:
        import optuna

        kinds = {"tpe": "TPESampler", "gp": "GPSampler", "nsga2": "NSGAIISampler"}
        kind = getattr(optuna.samplers, kinds.get(sampler, "RandomSampler"))
        options = {
            "n_startup_trials": n_startup_trials,
            "multivariate": multivariate,
            "population_size": population_size,
        }
        given = {name: value for name, value in options.items() if value is not None}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study = optuna.create_study(direction="maximize", sampler=kind(seed=seed, **given))
        self.failed = optuna.trial.TrialState.FAIL
        self.parameters: dict[str, Any] = {
            f"{i}": optuna.distributions.CategoricalDistribution(tuple(range(size)))
            for i, size in enumerate(problem.sizes)
        }

    def ask(self) -> list[int]:
        self.trial = self.study.ask(self.parameters)
        return [self.trial.params[name] for name in self.parameters]

    def tell(self, choices: Sequence[int], value: float | None) -> None:
        """The value is that of what the sampler drew."""
        if value is None:
            self.study.tell(self.trial, state=self.failed)
        else:
            self.study.tell(self.trial, value)
