"""What the cells were trained on, and what the numbers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlnas.bench.errors import UserError
from rlnas.bench.nb201.cell import NB201, TRANSNAS, VARIANTS, Variant

Unit = Literal["percent", "fraction", "negative loss"]


@dataclass(frozen=True)
class Metric:
    """name: how it is spoken of. unit: of the sources. Larger is better in all of them.

    A benchmark answers fractions in [0, 1]: percents are divided by 100, a negative loss x becomes
    exp(x) (ours; the order stays), an SSIM, which may fall to -1, counts as 0 below 0 (ours).
    """

    name: str
    unit: Unit


ACCURACY = Metric("accuracy", "percent")
IOU = Metric("mean IoU", "percent")
SSIM = Metric("SSIM", "fraction")
EXP_LOSS = Metric("exp(-loss)", "negative loss")


@dataclass(frozen=True)
class Task:
    """A data set or task of one of the spaces.

    short: what CSV columns may call it instead. epochs: of a training. classes: of its images,
    None where it does not classify. side: of its images, in pixels.
    """

    variant: Variant
    name: str
    metric: Metric
    epochs: int
    classes: int | None
    side: int
    short: tuple[str, ...] = ()

    @property
    def benchmark(self) -> str:
        """E.g. `nb201-cifar100`."""
        return f"{self.variant.prefix}-{self.name}"


TASKS = (
    Task(NB201, "cifar10-valid", ACCURACY, 200, 10, 32, ("c10v", "cifar_10_valid")),
    Task(NB201, "cifar100", ACCURACY, 200, 100, 32, ("c100", "cifar_100")),
    Task(NB201, "imagenet16-120", ACCURACY, 200, 120, 16, ("in16", "imagenet_16_120")),
    Task(TRANSNAS, "class_scene", ACCURACY, 25, 47, 256),
    Task(TRANSNAS, "class_object", ACCURACY, 25, 75, 256),
    Task(TRANSNAS, "room_layout", EXP_LOSS, 25, None, 256),
    Task(TRANSNAS, "jigsaw", ACCURACY, 10, 1000, 255),
    Task(TRANSNAS, "segmentsemantic", IOU, 30, None, 256),
    Task(TRANSNAS, "normal", SSIM, 30, None, 256),
    Task(TRANSNAS, "autoencoder", SSIM, 30, None, 256),
)
"""cifar10-valid is CIFAR-10 trained on half of the training images; NAS-Bench-201's cifar10, on all
of them, has no validation accuracy, so there is nothing to search by. Epochs: of NAS-Bench-201's
long trainings, and of TransNASBench's configs/train_from_scratch."""


def names() -> list[str]:
    """All benchmarks there can be."""
    return [task.benchmark for task in TASKS]


def of_column(word: str) -> Task | None:
    """The task that a CSV column's first part names, `_` standing for hyphens."""
    return next(
        (task for task in TASKS if word in (task.name.replace("-", "_"), *task.short)), None
    )


def of_benchmark(name: str) -> Task:
    """The task of a benchmark's name; `UserError` when there is none."""
    for task in TASKS:
        if task.benchmark == name:
            return task
    known = ", ".join(names())
    title = " or ".join(variant.title for variant in VARIANTS)
    raise UserError(f"no benchmark {name!r} of {title}; expected one of {known}")
