"""CIFAR-10 from the official binary archive (Krizhevsky 2009): downloaded, checked, read without
unpacking or pickle.

A record is 3,073 bytes: the label 0..9, then 1,024 red, 1,024 green and 1,024 blue pixels, row by
row. Five files of 10,000 records are for training, one for testing.
"""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.fetch import Download, downloads_dir, fetch
from rlnas.bench.reading import UNREADABLE, reason

CLASSES, SIDE, CHANNELS = 10, 32, 3
RECORD_BYTES = 1 + CHANNELS * SIDE * SIDE
FILE_RECORDS = 10_000
TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILES = ("test_batch.bin",)

# Its authors publish an MD5 (c32a1d4ab5d03f1284b67883e8d87530); the SHA-256 is the one
# MLDatasets.jl and others check.
CIFAR10 = Download(
    "cifar10",
    "CIFAR-10, 60,000 images of 32 x 32, binary version (0.17 GB)",
    "cifar-10-binary.tar.gz",
    (
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/cifar-10-binary.tar.gz",
    ),
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    170_052_171,
    convertible=False,
)

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def archive(data_dir: Path | None = None) -> Path:
    """The checked archive in `data_dir` (default: the cache folder), downloaded if need be."""
    return fetch(CIFAR10, data_dir or downloads_dir())


def read_archive(path: Path, records: int = FILE_RECORDS) -> Arrays:
    """(training images, labels, test images, labels): uint8 [n, 3, 32, 32] and int64 [n], in the
    files' order.

    records: how many a file has. `UserError` names what is missing or damaged.
    """
    found: dict[str, bytes] = {}
    wanted, size = (*TRAIN_FILES, *TEST_FILES), records * RECORD_BYTES
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                if name in wanted and member.isfile() and (file := tar.extractfile(member)):
                    if name in found:
                        raise ValueError(f"{name} is there twice")
                    found[name] = file.read(size + 1)
    except (*UNREADABLE, tarfile.TarError, zlib.error) as error:
        raise UserError(
            f"{path} is no CIFAR-10 archive, or damaged ({reason(error)}); remove it and fetch "
            "again"
        ) from None
    parts = []
    for names in (TRAIN_FILES, TEST_FILES):
        read = [_records(path, name, found.get(name), records) for name in names]
        parts += [np.concatenate(arrays) for arrays in zip(*read, strict=True)]
    return parts[0], parts[1], parts[2], parts[3]


def _records(
    path: Path, name: str, data: bytes | None, records: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one file."""
    if data is None:
        raise UserError(
            f"{path} has no {name}; expected cifar-10-binary.tar.gz, remove it and fetch again"
        )
    if len(data) != records * RECORD_BYTES:
        raise UserError(
            f"{path}: {name} has {len(data):,} bytes, expected {records:,} records of "
            f"{RECORD_BYTES:,}; fetch it again"
        )
    rows = np.frombuffer(data, np.uint8).reshape(records, RECORD_BYTES)
    labels = rows[:, 0].astype(np.int64)
    if labels.max() >= CLASSES:
        place = int(labels.argmax())
        raise UserError(
            f"{path}: {name}, record {place} has label {labels[place]}, expected 0 to 9; fetch it "
            "again"
        )
    return rows[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE), labels
