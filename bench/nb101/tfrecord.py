"""The official NAS-Bench-101 files, read without TensorFlow.

A TFRecord file is a sequence of frames: u64 length, masked CRC-32C of the length, payload, masked
CRC-32C of the payload, all little endian. The payload is the JSON list
`[module_hash, epochs, adjacency, operations, base64 of a ModelMetrics protobuf]`
(google-research/nasbench, api.py and model_metrics.proto):

    ModelMetrics    repeated EvaluationData = 1; int32 trainable_parameters = 2;
                    double total_time = 3
    EvaluationData  doubles current_epoch = 1, training_time = 2, train_accuracy = 3,
                    validation_accuracy = 4, test_accuracy = 5

What counts as a run's result is its last evaluation. Unknown fields are skipped (EC-NAS adds
energy). Records are counted from 1 and byte offsets from 0 in every message.
"""

from __future__ import annotations

import json
import re
import struct
from base64 import b64decode
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import numpy as np

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.reading import UNREADABLE, reason

BLOCK_BYTES = 1 << 22
HEADER = struct.Struct("<QI")
FOOTER_BYTES = 4
MOST_BYTES = 1 << 24
"""Of a record; the official ones have some 700."""
MOST_EPOCHS = 10**9


class Evaluation(NamedTuple):
    """One `EvaluationData`: epochs and seconds since the start, accuracies as fractions; NaN where
    absent."""

    epoch: float
    seconds: float
    train: float
    val: float
    test: float


class Metrics(NamedTuple):
    """One `ModelMetrics`."""

    evaluations: list[Evaluation]
    parameters: int
    total_seconds: float


class Payload(NamedTuple):
    """One record, decoded; the readable path that the batched one is tested against."""

    module_hash: str
    epochs: int
    adjacency: str
    operations: str
    metrics: Metrics


@dataclass(frozen=True)
class Block:
    """Consecutive records of a file whose checksums are right."""

    path: Path
    first: int  # number of its first record, counted from 0
    offsets: np.ndarray  # int64 [n], where each frame starts
    payloads: list[bytes]
    stop: int  # file offset behind the last record

    def where(self, i: int) -> str:
        return position(self.path, self.first + i, int(self.offsets[i]))


class Runs(NamedTuple):
    """The results of the records of one block, one entry a record."""

    hashes: np.ndarray  # uint8 [n, 16]
    epochs: np.ndarray  # int32 [n]
    parameters: np.ndarray  # int64 [n]
    val: np.ndarray  # float64 [n], fractions
    test: np.ndarray
    train: np.ndarray
    seconds: np.ndarray


def position(path: Path, index: int, offset: int) -> str:
    """How every message names a record. index counts from 0, the text from 1."""
    return f"{path.name}: record {index + 1:,} (byte offset {offset:,})"


def masked_crc(data: bytes) -> int:
    """The checksum as TFRecord stores it: CRC-32C, rotated and shifted."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """The payload with its length and checksums, as it stands in a file."""
    length = struct.pack("<Q", len(payload))
    return b"".join(
        (
            length,
            struct.pack("<I", masked_crc(length)),
            payload,
            struct.pack("<I", masked_crc(payload)),
        )
    )


def is_tfrecord(path: Path) -> bool:
    """Whether a file begins as a TFRecord file does: a length and its checksum."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        header = file.read(HEADER.size)
    return len(header) == HEADER.size and masked_crc(header[:8]) == HEADER.unpack(header)[1]


def read_blocks(
    path: Path, on_bytes: Callable[[bytes], object] | None = None, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Stream the file; every length and payload is checked before it is handed out.

    `on_bytes` is called with all bytes on the way (to hash them). Raises `UserError` with record
    number and byte offset when a checksum is wrong, the file ends inside a record, or there is no
    record at all.
    """
    number, start, rest = (
        0,
        0,
        b"",
    )  # records done, file offset of `rest`, bytes of an unfinished record
    lengths: dict[
        bytes, int
    ] = {}  # headers seen: few lengths occur, so each header is checked once
    with open(path, "rb") as file:
        while chunk := file.read(block_bytes):
            if on_bytes is not None:
                on_bytes(chunk)
            data = rest + chunk
            offsets: list[int] = []
            payloads: list[bytes] = []
            stored: list[bytes] = []
            at = 0
            while len(data) - at >= HEADER.size:
                header = data[at : at + HEADER.size]
                length = lengths.get(header)
                if length is None:
                    length = _checked_length(header, path, number + len(payloads), start + at)
                    lengths[header] = length
                stop = at + HEADER.size + length + FOOTER_BYTES
                if stop > len(data):
                    break
                offsets.append(start + at)
                payloads.append(data[at + HEADER.size : stop - FOOTER_BYTES])
                stored.append(data[stop - FOOTER_BYTES : stop])
                at = stop
            rest = data[at:]
            if payloads:
                block = Block(path, number, np.array(offsets, np.int64), payloads, start + at)
                _check_payloads(block, stored)
                yield block
            number, start = number + len(payloads), start + at
    if rest:
        raise UserError(
            f"{position(path, number, start)}: the file ends {len(rest):,} bytes into this record; "
            "it is truncated: download it again"
        )
    if not number:
        raise UserError(f"{path.name}: empty file; expected TFRecord records")


def _checked_length(header: bytes, path: Path, index: int, offset: int) -> int:
    length, stored = HEADER.unpack(header)
    expected = masked_crc(header[:8])
    if stored == expected and length > MOST_BYTES:
        raise UserError(
            f"{position(path, index, offset)}: a record of {length:,} bytes, expected at most "
            f"{MOST_BYTES:,}; the file is of another kind"
        )
    if stored != expected:
        raise UserError(
            f"{position(path, index, offset)}: found checksum {stored:08x} of the length, "
            f"expected {expected:08x}; "
            "the file is damaged or no TFRecord file: download it again"
        )
    return int(length)


def _check_payloads(block: Block, stored: list[bytes]) -> None:
    checksum = google_crc32c.value
    crc = np.fromiter(map(checksum, block.payloads), np.uint32, len(block.payloads))
    expected = ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)  # wraps, as it must
    found = np.frombuffer(b"".join(stored), "<u4")
    wrong = np.flatnonzero(found != expected)
    if wrong.size:
        i = int(wrong[0])
        raise UserError(
            f"{block.where(i)}: found checksum {found[i]:08x} of the payload, expected "
            f"{expected[i]:08x}; "
            "the file is damaged: download it again"
        )


# --- one record, readable ---------------------------------------------------------------------


def parse_payload(payload: bytes) -> Payload:
    """Decode one record. Raises `ValueError` with the reason when it is not in the official
    format."""
    fields = json.loads(payload.decode("utf-8"))
    if not (isinstance(fields, list) and len(fields) == 5):
        raise ValueError("the payload is no JSON list of 5 entries")
    module_hash, epochs, adjacency, operations, metrics = fields
    if not (
        type(epochs) is int
        and all(isinstance(f, str) for f in (module_hash, adjacency, operations, metrics))
    ):
        raise ValueError("the entries are not [hash, epochs, adjacency, operations, metrics]")
    if not 0 <= epochs <= MOST_EPOCHS:
        raise ValueError(f"{shown(epochs)} epochs, expected 0 or more")
    if len(bytes.fromhex(module_hash)) != 16:
        raise ValueError(f"the module hash {module_hash!r} is no md5")
    return Payload(module_hash, epochs, adjacency, operations, parse_metrics(b64decode(metrics)))


def parse_metrics(data: bytes) -> Metrics:
    """Decode a `ModelMetrics` message; raises `ValueError` when it is malformed or has no
    evaluation."""
    evaluations, parameters, total = [], 0, float("nan")
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            inner = dict(_fields(value))
            evaluations.append(
                Evaluation(*(float(inner.get(k, float("nan"))) for k in range(1, 6)))
            )
        elif number == 2:
            if not isinstance(value, int) or value >= 1 << 31:
                raise ValueError(f"{shown(value)} trainable parameters")
            parameters = value
        elif number == 3:
            total = float(value)
    if not evaluations:
        raise ValueError("the metrics hold no evaluation")
    return Metrics(evaluations, parameters, total)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value) of a protobuf message: int, float (both fixed widths), or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"the metrics hold wire type {wire}, expected 0, 1, 2 or 5")
        if at + size > len(data):
            raise ValueError("the metrics end inside a field")
        raw = data[at : at + size]
        yield number, raw if wire == 2 else struct.unpack("<d" if wire == 1 else "<f", raw)[0]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 63:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("the metrics hold an unfinished number")


# --- a block at a time, fast ------------------------------------------------------------------

_BETWEEN = re.compile(rb", ([0-9]{1,9}), ")
_AROUND = (b"[", b", ", b", ", b"]")
_EVALUATION = 47  # bytes: 0a 2d, then five times a tag and a double
_TAGS = {0: 0x0A, 1: 0x2D, 2: 0x09, 11: 0x11, 20: 0x19, 29: 0x21, 38: 0x29}
_EVALUATIONS = 3  # start, half, end
_HEAD = _EVALUATIONS * _EVALUATION
_TAIL = 9  # 19, double


def decode(block: Block) -> Runs:
    """The results of a block: what `parse_payload` finds, about ten times faster.

    The official files hold one layout only; it is recognised byte for byte and its numbers are
    taken from fixed places. Whatever differs goes through `parse_payload`.
    """
    n = len(block.payloads)
    digests: list[bytes] = []
    metrics: list[bytes] = []
    epochs = np.empty(n, np.int32)
    known_epochs: dict[bytes, int] = {}
    for i, payload in enumerate(block.payloads):
        parts = payload.split(b'"')
        try:
            first, digest, between, _, comma, _, second, encoded, last = parts
            if between not in known_epochs:
                if not (match := _BETWEEN.fullmatch(between)):
                    raise ValueError
                known_epochs[between] = int(match[1])
            epochs[i] = known_epochs[between]
            if len(digest) != 32 or (first, comma, second, last) != _AROUND:
                raise ValueError
            metrics.append(a2b_base64(encoded.replace(rb"\n", b"")))
            digests.append(digest)
        except ValueError:  # not the usual spelling of the list; binascii.Error is one too
            record = readable(block, i)
            digests.append(record.module_hash.encode())
            epochs[i] = record.epochs
            metrics.append(b"")  # no regular layout: decoded below
    try:
        hashes = np.frombuffer(bytes.fromhex(b"".join(digests).decode()), np.uint8).reshape(n, 16)
    except ValueError:
        for i in range(n):
            readable(block, i)  # names the record
        raise UserError(f"{block.where(0)}: module hashes that are no md5; damaged") from None

    parameters = np.empty(n, np.int64)
    final = np.empty((n, 4))  # seconds, train, val, test
    sizes = np.fromiter(map(len, metrics), np.int64, n)
    regular = np.zeros(n, bool)
    for size in np.unique(sizes):
        if 1 <= size - _HEAD - _TAIL - 1 <= 5:
            group = np.flatnonzero(sizes == size)
            raw = np.frombuffer(b"".join([metrics[i] for i in group]), np.uint8).reshape(
                len(group), size
            )
            fits = _is_regular(raw)
            regular[group] = fits
            group, raw = group[fits], raw[fits]
            final[group] = np.stack(
                [_doubles(raw, _HEAD - _EVALUATION + k) for k in (12, 21, 30, 39)], axis=1
            )
            digits = raw[:, _HEAD + 1 : size - _TAIL].astype(np.int64) & 0x7F
            parameters[group] = (digits << 7 * np.arange(digits.shape[1])).sum(axis=1)
    for i in np.flatnonzero(~regular).tolist():
        found = readable(block, i).metrics
        parameters[i] = found.parameters
        _, *rest = found.evaluations[-1]
        final[i] = rest
    seconds, train, val, test = final.T
    return Runs(hashes, epochs, parameters, val, test, train, seconds)


def readable(block: Block, i: int) -> Payload:
    """`parse_payload` of a record; `UserError` names it."""
    try:
        return parse_payload(block.payloads[i])
    except (*UNREADABLE, struct.error) as error:
        raise UserError(
            f"{block.where(i)}: {reason(error)}; expected a NAS-Bench-101 record"
        ) from None


def _is_regular(raw: np.ndarray) -> np.ndarray:
    """bool [n]: does each message [n, size] have the official layout?"""
    size = raw.shape[1]
    tags = {e * _EVALUATION + at: tag for e in range(_EVALUATIONS) for at, tag in _TAGS.items()}
    tags |= {_HEAD: 0x10, size - _TAIL: 0x19}
    more = raw[:, _HEAD + 1 : size - _TAIL] >= 0x80  # all bytes of the number but its last continue
    return (
        (raw[:, list(tags)] == np.array(list(tags.values()), np.uint8)).all(axis=1)
        & more[:, :-1].all(axis=1)
        & ~more[:, -1]
    )


def _doubles(raw: np.ndarray, at: int) -> np.ndarray:
    return np.ascontiguousarray(raw[:, at : at + 8]).view("<f8")[:, 0]
