"""How networks of NAS-Bench-101 cells are built and trained: its own recipe, and that of a table by
`rlnas bench tabulate`. Needs no torch."""

from dataclasses import dataclass, replace
from typing import Annotated

from rlnas.bench.bounds import Rate, Share, Within
from rlnas.bench.errors import UserError
from rlnas.bench.retrain.plan import Origin
from rlnas.bench.retrain.presets import DIGITS, MNIST, Settings


@dataclass(frozen=True)
class Recipe:
    """How a network is built and trained, as `rlnas bench tabulate` writes it into its tables. The
    defaults are the recipe of `nb101-digits`."""

    epochs: Annotated[int, Within(1, 1000000)] = 20
    """Passes over the training images."""
    checkpoints: tuple[int, ...] = (2, 5, 10, 20)
    """Epochs after which validation, test and training accuracy are measured; the last is
    `epochs`."""
    batch_size: Annotated[int, Within(1, 1000000)] = 64
    """Images a step."""
    learning_rate: Rate = 0.2
    """Initial rate of RMSProp; cosine to 0 over all steps."""
    momentum: Share = 0.9
    """Of the optimiser."""
    decay: Share = 0.9
    """RMSProp's averaging of the squared gradient (TensorFlow's default, as in NAS-Bench-101)."""
    epsilon: Annotated[float, Within(0, 1000)] = 1.0
    """RMSProp's epsilon."""
    weight_decay: Annotated[float, Within(0, 1000)] = 1e-4
    """Factor of the squared weights in the loss, halved."""
    gradient_clip: Annotated[float, Within(0, 1000000000.0)] = 5.0
    """Largest global norm of the gradient."""
    bn_momentum: Share = 0.1
    """Of every BatchNorm, in torch's sense: the weight of the new batch."""
    recompute_bn: bool = True
    """Before measuring, running BatchNorm statistics are replaced by those of the whole training
    part."""
    stem_channels: Annotated[int, Within(1, 4096)] = 16
    """Of the stem; doubled in every further stack."""
    stacks: Annotated[int, Within(1, 100)] = 3
    """Stacks of cells; the image is halved between two."""
    modules: Annotated[int, Within(1, 100)] = 1
    """Cells a stack."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise UserError(
                f"found {self.epochs} epochs in batches of {self.batch_size}; expected at least 1 "
                "of each"
            )
        if list(self.checkpoints) != sorted(set(self.checkpoints)) or not self.checkpoints:
            raise UserError(f"found checkpoints {self.checkpoints}; expected ascending epochs")
        if self.checkpoints[0] < 1 or self.checkpoints[-1] != self.epochs:
            raise UserError(
                f"found checkpoints {self.checkpoints}; expected the last to be epochs = "
                f"{self.epochs}"
            )

    @property
    def settings(self) -> Settings:
        """The same in the words of `rlnas retrain`."""
        return replace(
            DIGITS,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            decay=self.decay,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
            gradient_clip=self.gradient_clip,
            bn_momentum=self.bn_momentum,
            recompute_bn=self.recompute_bn,
            channels=self.stem_channels,
            stacks=self.stacks,
            modules=self.modules,
        )


NB101 = Settings()
"""Ying et al. 2019: the defaults of `Settings`."""
RECIPES = {"nb101": NB101}
EMBEDDED = {"nb101-digits": ("digits", "digits"), "nb101-mnist": ("mnist", "mnist")}
"""The tables that are shipped: data set and preset of their trainings."""
UNUSED = frozenset({"layers"})
"""Settings that mean nothing to a network of NAS-Bench-101 cells."""


def origin(name: str, epochs: int | None) -> Origin | None:
    """Of the trainings behind a table at a budget of `epochs`; None where they are not known."""
    if name in EMBEDDED:
        dataset, preset = EMBEDDED[name]
        settings = {"digits": DIGITS, "mnist": MNIST}[preset]
        return Origin(dataset, preset, settings, repeats_are_seeds=True, unused=UNUSED)
    if name in ("nb101-108", "nb101-full"):  # there every budget is a training of its own
        settings = replace(NB101, epochs=epochs) if epochs else NB101
        return Origin("cifar10", "nb101", settings, unused=UNUSED)
    return None
