"""Small TFRecord files in the official format, for the tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

from rlnas.bench.nb101.convert import convert
from rlnas.bench.nb101.table import Table
from rlnas.bench.nb101.tfrecord import (
    frame,
    read_blocks,
)


def payloads(path: Path) -> list[bytes]:
    return [payload for block in read_blocks(path) for payload in block.payloads]


def write(path: Path, records: list[bytes]) -> Path:
    path.write_bytes(b"".join(map(frame, records)))
    return path


def convert_small(path: Path, **options: object) -> Table:
    return Table.load(convert(path, max_vertices=4, progress=False, **options))  # type: ignore[arg-type]


def with_metrics(payload: bytes, change: Callable[[bytes], bytes]) -> bytes:
    fields = json.loads(payload)
    fields[4] = base64.encodebytes(change(base64.b64decode(fields[4]))).decode()
    return json.dumps(fields).encode()
