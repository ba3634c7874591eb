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
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """All 91 cells with at most 4 vertices, budgets 4 and 108, 3 repeats."""
    write_synthetic(tmp_path / "whole.tfrecord", max_vertices=4, budgets=(4, 108))
    return tmp_path / "whole.tfrecord"


def payloads(path: Path) -> list[bytes]:
    return [payload for block in read_blocks(path) for payload in block.payloads]


def write(path: Path, records: list[bytes]) -> Path:
    path.write_bytes(b"".join(map(frame, records)))
    return path


def convert_small(path: Path, **options: object) -> Table:
    return Table.load(convert(path, max_vertices=4, progress=False, **options))  # type: ignore[arg-type]


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


def with_metrics(payload: bytes, change: Callable[[bytes], bytes]) -> bytes:
    fields = json.loads(payload)
    fields[4] = base64.encodebytes(change(base64.b64decode(fields[4]))).decode()
    return json.dumps(fields).encode()


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


# --- files that must be refused: what is found, where, and nothing left behind -----------------


@pytest.fixture
def refused(cache: Path) -> Callable[..., str]:
    def check(path: Path, **options: object) -> str:
        with pytest.raises(UserError) as caught:
            convert_small(path, **options)
        assert not [p for p in cache.rglob("*") if p.is_file()]
        text = str(caught.value)
        assert "\n" not in text
        return text

    return check


def offset_of(records: list[bytes], index: int) -> int:
    return sum(len(record) + 16 for record in records[:index])


def test_every_truncation_is_named(
    whole: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    data, records = whole.read_bytes(), payloads(whole)
    start = offset_of(records, 12)
    for extra in (1, 8, 11, 12, 100, len(records[12]) + 15):
        (tmp_path / "cut.tfrecord").write_bytes(data[: start + extra])
        expected = (
            f"cut.tfrecord: record 13 (byte offset {start:,}): the file ends {extra} bytes into "
            "this record"
        )
        assert refused(tmp_path / "cut.tfrecord").startswith(expected)


def test_truncation_between_records_is_named_by_what_is_missing(
    whole: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    records = payloads(whole)
    cell = json.loads(records[-1])[0]
    text = refused(write(tmp_path / "cut.tfrecord", records[:-1]))
    where = [
        f"record {i + 1} (byte offset {offset_of(records, i):,})"
        for i in (len(records) - 3, len(records) - 2)
    ]
    assert text.startswith(f"cell {cell} at 108 epochs has 2 of 3 runs") and all(
        w in text for w in where
    )
    text = refused(write(tmp_path / "cut.tfrecord", records[:-6]))
    assert f"90 of the 91 cells with at most 4 vertices, without {cell}" in text


def test_every_flipped_bit_is_found(
    whole: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    data, records = whole.read_bytes(), payloads(whole)
    start = offset_of(records, 7)
    for at in (
        0,
        3,
        7,
        8,
        11,
        12,
        60,
        200,
        len(records[7]) + 11,
        len(records[7]) + 12,
        len(records[7]) + 15,
    ):
        broken = bytearray(data)
        broken[start + at] ^= 1 << at % 8
        (tmp_path / "flip.tfrecord").write_bytes(broken)
        text = refused(tmp_path / "flip.tfrecord")
        part = "length" if at < 12 else "payload"
        assert text.startswith(f"flip.tfrecord: record 8 (byte offset {start:,}): found checksum ")
        assert f"of the {part}" in text


def test_wrong_sha256(whole: Path, refused: Callable[..., str]) -> None:
    digest = hashlib.sha256(whole.read_bytes()).hexdigest()
    assert f"sha256 {digest}, expected {'0' * 64}" in refused(whole, sha256="0" * 64)
    official = whole.rename(whole.with_name(published.ONLY_108.filename))
    assert f"expected {published.ONLY_108.sha256}" in refused(official)


def test_matching_sha256_and_any(whole: Path, cache: Path) -> None:
    digest = hashlib.sha256(whole.read_bytes()).hexdigest()
    assert convert_small(whole, sha256=digest).val.shape == (91, 2, 3)
    official = whole.rename(whole.with_name(published.ONLY_108.filename))
    assert convert_small(official, sha256="any").name == "nasbench_only108"


def test_unknown_hash(whole: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    records = payloads(whole)
    records[5] = b'["' + b"0123456789abcdef" * 2 + records[5][34:]
    text = refused(write(tmp_path / "bad.tfrecord", records))
    assert text.startswith(
        f"bad.tfrecord: record 6 (byte offset {offset_of(records, 5):,}): module hash "
        "0123456789abcdef"
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda r: b"no json", "Expecting value"),
        (lambda r: b'["a", 4]', "no JSON list of 5"),
        (lambda r: r.replace(r[2:10], b"zzzzzzzz", 1), "hexadecimal"),
        (lambda r: with_metrics(r, lambda m: b""), "no evaluation"),
        (lambda r: with_metrics(r, lambda m: m[:100]), "end inside a field"),
        (
            lambda r: with_metrics(r, lambda m: m.replace(m[141:144], b"\x10\x81\x81", 1)),
            "trainable parameters, expected",
        ),
        (
            lambda r: with_metrics(r, lambda m: m[:124] + struct.pack("<d", 93.5) + m[132:]),
            "val accuracy 93.5",
        ),
        (
            lambda r: with_metrics(r, lambda m: m[:106] + struct.pack("<d", -1.0) + m[114:]),
            "training time -1.0",
        ),
        (lambda r: r.replace(b", 108, ", b", -10, ").replace(b", 4, ", b", -10, "), "-10 epochs"),
    ],
    ids=[
        "text",
        "list",
        "hash",
        "no evaluation",
        "cut metrics",
        "parameters",
        "accuracy",
        "time",
        "epochs",
    ],
)
def test_records_that_contradict_the_format(
    whole: Path,
    tmp_path: Path,
    refused: Callable[..., str],
    make: Callable[[bytes], bytes],
    reason: str,
) -> None:
    records = payloads(whole)
    records[30] = make(records[30])
    text = refused(write(tmp_path / "bad.tfrecord", records))
    assert (
        text.startswith(f"bad.tfrecord: record 31 (byte offset {offset_of(records, 30):,}): ")
        and reason in text
    )


def test_graph_of_another_cell(whole: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    records = payloads(whole)
    fields, other = json.loads(records[0]), json.loads(records[-1])
    fields[2:4] = other[2:4]
    records[0] = json.dumps(fields).encode()
    assert f"its graph hashes to {other[0]}, expected {fields[0]}" in refused(
        write(tmp_path / "bad.tfrecord", records)
    )


def test_repeated_record(whole: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    records = payloads(whole)
    text = refused(write(tmp_path / "bad.tfrecord", [*records, records[4]]))
    cell, epochs, *_ = json.loads(records[4])
    offset = offset_of(records, len(records))
    where = f"bad.tfrecord: record {len(records) + 1} (byte offset {offset:,})"
    assert text.startswith(f"{where}: run 4 of cell {cell} at {epochs} epochs, expected 3")


def test_copy_in_the_place_of_another_run(
    whole: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    records = payloads(whole)
    records[8] = records[6]  # the first and the third run of the second cell at 4 epochs
    text = refused(write(tmp_path / "bad.tfrecord", records))
    first, third = (f"record {i + 1} (byte offset {offset_of(records, i):,})" for i in (6, 8))
    assert text.startswith(f"bad.tfrecord: {third}: the same results as bad.tfrecord: {first}")


def test_missing_runs_can_be_allowed(
    whole: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    records = payloads(whole)
    path = write(tmp_path / "holes.tfrecord", records[6:20] + records[21:])
    assert "has 2 of 3 runs" in refused(path)
    table = convert_small(path, allow_missing=True)
    assert table.val.shape == (90, 2, 3) and np.isnan(table.val).sum() == 1
    assert table.meta["notes"][1:] == [
        "incomplete: 90 of 91 cells",
        "incomplete: some runs are missing",
    ]


def test_empty_and_absent_files(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "empty.tfrecord").touch()
    assert "empty file" in refused(tmp_path / "empty.tfrecord")
    assert "no such file" in refused(tmp_path / "absent.tfrecord")
