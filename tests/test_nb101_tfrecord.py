"""The official format: one real record, and synthetic files that are whole, damaged or
incomplete."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from records import convert_small, payloads, with_metrics, write
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph, published
from rlnas.bench.nb101.cell import OPS, module_hash, parse
from rlnas.bench.nb101.convert import convert
from rlnas.bench.nb101.reference import Reference
from rlnas.bench.nb101.synthetic import write_synthetic
from rlnas.bench.nb101.table import Table
from rlnas.bench.nb101.tfrecord import (
    decode,
    frame,
    masked_crc,
    parse_metrics,
    parse_payload,
    read_blocks,
)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """All 91 cells with at most 4 vertices, budgets 4 and 108, 3 repeats."""
    write_synthetic(tmp_path / "whole.tfrecord", max_vertices=4, budgets=(4, 108))
    return tmp_path / "whole.tfrecord"


def test_crc_of_the_standard_check_value() -> None:
    crc = 0xE3069283  # CRC-32C of "123456789" (RFC 3720, appendix B.4)
    assert masked_crc(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_first_official_record(real_data: Path) -> None:
    path = real_data / "nb101_first_official_record.tfrecord"
    (block,) = read_blocks(path)
    record = parse_payload(block.payloads[0])
    assert (record.module_hash, record.epochs) == ("00005c142e6f48ac74fdcf73e3439874", 4)
    matrix = np.array([int(digit) for digit in record.adjacency]).reshape(7, 7)
    assert module_hash(parse(matrix.tolist(), record.operations.split(","))) == record.module_hash
    assert [evaluation.epoch for evaluation in record.metrics.evaluations] == [0.0, 2.0, 4.0]
    # The sample of the same cell that went another way: 0.360477 after 4 epochs (a repeat of the
    # three).
    final = record.metrics.evaluations[-1]
    assert record.metrics.parameters == 8_555_530
    assert final.val * 9984 == pytest.approx(round(final.val * 9984), abs=1e-3)
    assert frame(block.payloads[0]) == path.read_bytes()
    runs = decode(block)
    assert (runs.val[0], runs.test[0], runs.train[0], runs.seconds[0]) == (
        final.val,
        final.test,
        final.train,
        final.seconds,
    )


def test_first_official_record_converts_as_an_incomplete_file(
    real_data: Path, tmp_path: Path
) -> None:
    path = real_data / "nb101_first_official_record.tfrecord"
    with pytest.raises(
        UserError, match=r"1 of the 423,624 cells with at most 7 vertices.*--allow-missing"
    ):
        convert(path, tmp_path / "table.npz", progress=False)
    assert not list(tmp_path.iterdir())
    table = Table.load(convert(path, tmp_path / "table.npz", allow_missing=True, progress=False))
    assert table.val.shape == (1, 1, 1) and table.params[0] == 8_555_530


def test_fast_decoding_is_the_readable_one(whole: Path) -> None:
    for block in read_blocks(whole, block_bytes=5_000):
        runs = decode(block)
        for i, payload in enumerate(block.payloads):
            record = parse_payload(payload)
            final = record.metrics.evaluations[-1]
            assert runs.hashes[i].tobytes().hex() == record.module_hash
            assert (runs.epochs[i], runs.parameters[i]) == (
                record.epochs,
                record.metrics.parameters,
            )
            assert (runs.val[i], runs.test[i], runs.train[i], runs.seconds[i]) == (
                final.val,
                final.test,
                final.train,
                final.seconds,
            )


def test_blocks_do_not_depend_on_their_size(whole: Path) -> None:
    data = whole.read_bytes()
    for size in (100, 4_999, 1 << 22):
        digest = hashlib.sha256()
        blocks = list(read_blocks(whole, digest.update, block_bytes=size))
        assert b"".join(frame(p) for block in blocks for p in block.payloads) == data
        assert digest.hexdigest() == hashlib.sha256(data).hexdigest()
        starts = np.concatenate([block.offsets for block in blocks])
        assert all(data[a + 12 : a + 14] == b'["' for a in starts) and len(starts) == 91 * 6
        assert blocks[-1].stop == len(data)


def test_convert_keeps_every_number(whole: Path, cache: Path) -> None:
    table = convert_small(whole)
    assert table.val.shape == (91, 2, 3) and table.epochs.tolist() == [4, 108]
    reference = Reference(4)
    seen: dict[tuple[str, int], int] = {}
    for payload in payloads(whole):
        record = parse_payload(payload)
        repeat = seen.get((record.module_hash, record.epochs), 0)
        seen[record.module_hash, record.epochs] = repeat + 1
        row = int(
            reference.rows(np.frombuffer(bytes.fromhex(record.module_hash), np.uint8)[None])[0]
        )
        at = (row, [4, 108].index(record.epochs), repeat)
        final = record.metrics.evaluations[-1]
        for found, expected in zip(
            (table.val, table.test, table.train, table.seconds),
            (final.val, final.test, final.train, final.seconds),
            strict=True,
        ):
            assert found[at] == np.float32(expected)
        assert table.params[row] == record.metrics.parameters
    assert table.meta["notes"] == ["made from a file that is none of the two official ones"]
    assert table.meta["max_vertices"] == 4 and table.name == "whole"


def test_official_sizes_follow_from_the_format() -> None:
    """Every record of the official files has the length that ours have; so their sizes are no
    hearsay."""
    cells = graph.cells()
    names = np.array([*map(len, OPS), *[0] * 253])  # 255: no such vertex
    operations = len("input,output") + (cells.num_vertices - 2) + names[cells.ops].sum(axis=1)
    metrics = len(base64.encodebytes(bytes(155))) + 3  # every line break is two characters in JSON
    fixed = (
        len(json.dumps(["h" * 32, 0, "", "", "m" * metrics])) - 1
    )  # less the digit of the epochs
    payload = fixed + cells.num_vertices.astype(int) ** 2 + operations

    def size(*budgets: int) -> int:
        return sum(int((payload + len(str(epochs)) + 16).sum()) * 3 for epochs in budgets)

    assert size(108) == published.ONLY_108.size
    assert size(4, 12, 36, 108) == published.FULL.size


def test_synthetic_files_have_that_length(whole: Path) -> None:
    for payload in payloads(whole):
        _, _, _, _, metrics = json.loads(payload)
        assert len(metrics) == len(base64.encodebytes(bytes(155)))


def other_spelling(payload: bytes) -> bytes:
    return json.dumps(json.loads(payload), separators=(",", ":")).encode()


def with_extra_fields(metrics: bytes) -> bytes:
    """As EC-NAS writes: unknown fields of every wire type, inside an evaluation and beside it."""
    energy = (
        b"\x31"
        + struct.pack("<d", 0.25)
        + b"\x3a\x03abc"
        + b"\x45"
        + struct.pack("<f", 1.5)
        + b"\x48\x96\x01"
    )
    evaluations = b"".join(
        b"\x0a" + bytes([45 + len(energy)]) + metrics[at + 2 : at + 47] + energy
        for at in (0, 47, 94)
    )
    return b"\x2a\x02hi" + evaluations + metrics[141:] + b"\x20\x07"


@pytest.mark.parametrize(
    "change",
    [other_spelling, lambda payload: with_metrics(payload, with_extra_fields)],
    ids=["spacing", "extra fields"],
)
def test_other_layouts_mean_the_same(
    whole: Path, tmp_path: Path, cache: Path, change: Callable[[bytes], bytes]
) -> None:
    records = payloads(whole)
    changed = [change(record) if i % 2 else record for i, record in enumerate(records)]
    assert changed != records
    a = convert_small(whole)
    b = convert_small(write(tmp_path / "changed.tfrecord", changed))
    for key in ("row", "params", "val", "test", "train", "seconds"):
        np.testing.assert_array_equal(getattr(a, key), getattr(b, key))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x0a", b"\x0a\x05\x09", b"\x09\x00", b"\x0b", b"\x10" + b"\x80" * 12, b"\x10\x01"],
    ids=[
        "empty",
        "no length",
        "short field",
        "short double",
        "group",
        "endless number",
        "no evaluation",
    ],
)
def test_malformed_metrics(data: bytes) -> None:
    with pytest.raises(ValueError, match="the metrics"):
        parse_metrics(data)
