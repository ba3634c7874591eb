"""The trainings behind `rlnas morph` and `rlnas compress`: from scratch, and from other weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.edits import Edit, apply
from rlnas.bench.nb101.inherit import inherit
from rlnas.bench.nb101.network import CellNetwork
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.reductions import Student
from rlnas.bench.nb101.shrink import student_network
from rlnas.bench.retrain import device, networks
from rlnas.bench.retrain.datasets import Dataset
from rlnas.bench.retrain.distill import Distilled
from rlnas.bench.retrain.engine import Engine, Options
from rlnas.bench.retrain.fit import Diverged, Fit


class Trained(NamedTuple):
    """val: validation accuracies (fractions) before the first and after every epoch, or after the
    last alone. test: after the last. seconds: of training, without measuring; processor time of
    one thread, on a GPU time on the clock."""

    fit: Fit
    val: list[float]
    test: float
    seconds: float


class Trainer(NamedTuple):
    """Where and on what is trained: recipe of the table; data on the engine's device."""

    recipe: Recipe
    data: Dataset
    engine: Engine

    @classmethod
    def here(cls, recipe: Recipe, data: Dataset) -> Trainer:
        """On a GPU where there is one; the same seed gives the same numbers."""
        options = Options(amp="off", compile="off", deterministic="on")
        engine = device.resolve(options, steps=0, threads=1)
        device.prepare(engine)
        return cls(recipe, data.to(engine.device), engine)

    @property
    def clock(self) -> Callable[[], float]:
        return time.process_time if self.engine.device == "cpu" else time.perf_counter

    def scratch(
        self, cell: Cell, seed: int, epochs: int, rate: float, *, measured: bool = False
    ) -> Trained:
        """A network of its own."""
        settings = replace(self.recipe.settings, epochs=epochs, learning_rate=rate)
        channels, classes = self.data.channels, self.data.classes
        network, weights = networks.make(CellNetwork(cell), settings, channels, classes, seed)
        fit = Fit(network, weights, self.data, settings, seed, self.engine)
        return self._trained(fit, measured)

    def inherited(
        self, network: Any, seed: int, epochs: int, rate: float, *, measured: bool = False
    ) -> Trained:
        """A network on, with a schedule of its own."""
        settings = replace(self.recipe.settings, epochs=epochs, learning_rate=rate)
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        fit = Fit(network, weights, self.data, settings, seed, self.engine)
        return self._trained(fit, measured)

    def distilled(
        self, teacher: Any, student: Student, seed: int, epochs: int, rate: float
    ) -> Trained:
        """A student, from what fits of a settled teacher's weights, by the teacher's answers."""
        settings = replace(self.recipe.settings, epochs=epochs, learning_rate=rate)
        sizes = self.data.channels, self.data.classes
        network = student_network(teacher, student, settings, *sizes, seed)
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        fit = Distilled(teacher, network, weights, self.data, settings, seed, self.engine)
        return self._trained(fit, measured=False)

    def edited(self, network: Any, cell: Cell, edits: Sequence[Edit], seed: int) -> Any:
        """A settled network, and what edits, one after the other, make of it and its cell."""
        for edit in edits:
            grown = apply(cell, edit)
            settings = self.recipe.settings
            network = inherit(network, cell, edit, grown, settings, self.data, seed)
            cell = grown.cell
        return network

    def _trained(self, fit: Fit, measured: bool) -> Trained:
        found = [fit.measure()] if measured else []
        seconds = 0.0
        while not fit.done:
            seconds += self.epoch(fit)
            if measured or fit.done:
                found.append(fit.measure())
        return Trained(fit, [one.val for one in found], found[-1].test, seconds)

    def epoch(self, fit: Fit, option: str = "--learning-rate") -> float:
        """One epoch more; its seconds. option: what would be smaller where it diverges."""
        start = self.clock()
        try:
            fit.epoch()
        except Diverged as error:
            raise UserError(f"{error}; choose a smaller {option}") from None
        return self.clock() - start
