"""Labelled images as tensors, split once and for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from bench.errors import UserError

# The split is part of a table's identity; it does not change with the training seed.
SPLIT_SEED = 0


@dataclass(frozen=True)
class Part:
    """images float32 [n, channels, height, width], standardised; labels int64 [n]."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Three disjoint parts; `description` goes into the metadata of whatever was trained on them."""

    train: Part
    val: Part
    test: Part
    description: str

    @property
    def splits(self) -> dict[str, int]:
        return {"train": len(self.train), "val": len(self.val), "test": len(self.test)}


def digits() -> Dataset:
    """scikit-learn's digits: 1,797 grey images of 8 x 8; 300 train, 797 validation, 700 test.

    Stratified by class; pixels (0..16) standardised with the training part's mean and deviation.
    """
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    bunch = load_digits()
    rest, train = train_test_split(
        np.arange(len(bunch.target)), test_size=300, random_state=SPLIT_SEED, stratify=bunch.target
    )
    test, val = train_test_split(rest, test_size=797, random_state=SPLIT_SEED, stratify=bunch.target[rest])
    images = bunch.images.astype(np.float32)[:, None]
    images = (images - images[train].mean()) / images[train].std()

    def part(index: np.ndarray) -> Part:
        return Part(torch.from_numpy(images[index]), torch.from_numpy(bunch.target[index].astype(np.int64)))

    return Dataset(part(train), part(val), part(test), "scikit-learn digits, 8 x 8 grey, 10 classes")


DATASETS: dict[str, Callable[[], Dataset]] = {"digits": digits}


def load(name: str) -> Dataset:
    """A data set by name; `UserError` when there is none."""
    if name not in DATASETS:
        raise UserError(f"unknown data set {name!r}; expected one of {', '.join(sorted(DATASETS))}")
    return DATASETS[name]()
