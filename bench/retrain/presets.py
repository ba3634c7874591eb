"""How an architecture is retrained: one recipe a preset. Needs no torch, so that options can be
shown without it."""

from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal

from rlnas.bench.bounds import Rate, Share, Within
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a training is, but for the data, the seed and the machine.

    The defaults are those of NAS-Bench-101 (Ying et al. 2019, and google-research/nasbench: its
    config.py, model_builder.py, base_ops.py and cifar.py).
    """

    epochs: Annotated[int, Within(1, 1000000)] = 108
    """Passes over the training images."""
    batch_size: Annotated[int, Within(1, 1000000)] = 256
    """Images a step."""
    optimiser: Literal["rmsprop", "rmsprop-tf", "sgd"] = "rmsprop-tf"
    """rmsprop-tf: TensorFlow's RMSProp, epsilon inside the root and averages begun at 1, as in
    NAS-Bench-101."""
    learning_rate: Rate = 0.2
    """Initial rate; cosine to 0 over all steps."""
    momentum: Share = 0.9
    """Of the optimiser."""
    nesterov: bool = False
    """SGD looks ahead along its momentum (Nesterov)."""
    decay: Share = 0.9
    """RMSProp's averaging of the squared gradient."""
    epsilon: Annotated[float, Within(0, 1000)] = 1.0
    """RMSProp's epsilon."""
    weight_decay: Annotated[float, Within(0, 1000)] = 1e-4
    """Factor of the squared weights in the loss, halved."""
    gradient_clip: Annotated[float, Within(0, 1000000000.0)] = 0.0
    """Largest global norm of the gradient; 0: no limit."""
    drop_last: bool = True
    """Images that do not fill the last batch of an epoch are left out, others each epoch."""
    bn_momentum: Share = 0.003
    """Of every batch norm, in torch's sense: the weight of the new batch (TensorFlow's 0.997 is
    0.003 here)."""
    bn_epsilon: Annotated[float, Within(0, 1000)] = 1e-5
    """Of every batch norm, added to the variance."""
    recompute_bn: bool = False
    """Before measuring, running batch-norm statistics are replaced by those of the whole training
    part."""
    tf_init: bool = True
    """The weights of a NAS-Bench-101 network are drawn by fan-in, as TensorFlow did; else by
    fan-out, as nasbench-pytorch does."""
    channels: Annotated[int, Within(1, 4096)] = 128
    """Of the stem; doubled at every reduction."""
    stacks: Annotated[int, Within(1, 100)] = 3
    """Of a network of stacks of equal cells, as in NAS-Bench-101."""
    modules: Annotated[int, Within(1, 100)] = 3
    """Cells a stack, of such a network."""
    layers: Annotated[int, Within(1, 1000)] = 8
    """Cells of a DARTS network, a third and two thirds along reducing."""
    crop_padding: Annotated[int, Within(0, 256)] = 4
    """Training images are padded so far with black and cropped at random; 0: not."""
    flip: bool = True
    """Training images are mirrored at random."""
    cutout: Annotated[int, Within(0, 4096)] = 0
    """Side of the random square that is blanked in a training image, in pixels; 0: none."""
    auxiliary_weight: Annotated[float, Within(0, 1000)] = 0.0
    """Of the auxiliary head's loss, of a DARTS network; 0: no such head."""
    drop_path: Share = 0.0
    """Of a DARTS network: the chance of dropping a path in the last epoch, rising linearly from
    0."""
    val_images: Annotated[int, Within(1, 10000000)] = 10_000
    """Images kept from training for validation, balanced over the classes, where the data set has
    no such part."""

    def __post_init__(self) -> None:
        for name in (
            "epochs",
            "batch_size",
            "channels",
            "stacks",
            "modules",
            "layers",
            "val_images",
        ):
            if getattr(self, name) < 1:
                raise UserError(
                    f"found --{name.replace('_', '-')} {getattr(self, name)}; expected at least 1"
                )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not 0 <= value < float("inf"):
                raise UserError(
                    f"found --{field.name.replace('_', '-')} {value}; expected at least 0"
                )
        if self.drop_path >= 1:
            raise UserError(f"found --drop-path {self.drop_path}; expected a share below 1")


QUICK = Settings(
    epochs=8,
    batch_size=64,
    optimiser="sgd",
    learning_rate=0.1,
    weight_decay=5e-4,
    gradient_clip=5.0,
    drop_last=False,
    bn_momentum=0.1,
    recompute_bn=True,
    tf_init=False,
    channels=8,
    modules=1,
    layers=4,
    crop_padding=0,
    flip=False,
    val_images=1000,
)
"""Ours: a CPU core takes a minute or two for 4,000 images of 32 x 32. Nothing is augmented: it is
short."""

DIGITS = Settings(
    epochs=20,
    batch_size=64,
    optimiser="rmsprop",
    learning_rate=0.2,
    gradient_clip=5.0,
    drop_last=False,
    bn_momentum=0.1,
    recompute_bn=True,
    tf_init=False,
    channels=16,
    modules=1,
    crop_padding=0,
    flip=False,
)
"""Ours: how the cells of the embedded table nb101-digits were trained."""

MNIST = replace(DIGITS, epochs=10)
"""Ours: how the cells of the embedded table nb101-mnist were trained. Of two recipes tried on 25
cells the one whose accuracies are wider apart and repeats agree better (data/README.md)."""

COMMON = {"quick": QUICK, "digits": DIGITS, "mnist": MNIST}
"""Presets for the networks of any family."""
FOR_DATASET = {"digits": "digits", "mnist": "mnist"}
"""The preset of a data set for which a family's own recipe is too large."""
OWN_SPLIT = frozenset({"digits", "mnist"})
"""Data sets whose validation part is fixed: `val_images` means nothing to them."""
