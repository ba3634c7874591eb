"""Files in the official format that must be refused: what is found, where, and nothing left
behind."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from records import convert_small, payloads, with_metrics, write
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import published
from rlnas.bench.nb101.synthetic import write_synthetic


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """All 91 cells with at most 4 vertices, budgets 4 and 108, 3 repeats."""
    write_synthetic(tmp_path / "whole.tfrecord", max_vertices=4, budgets=(4, 108))
    return tmp_path / "whole.tfrecord"


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
