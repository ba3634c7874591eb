"""Latency is measured a network at a time, in rounds; what was interrupted goes on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from rlnas.bench import latency
from rlnas.bench.errors import UserError
from rlnas.bench.records import RECORDS

pytest.importorskip("torch", reason="the extra `retrain` is not installed")


def run(folder: Path, **changes: object) -> str:
    options = {"batches": (1, 3), "runs": 1, "rounds": 2, "most": 3} | changes
    return latency.measure("nb101-digits", folder=folder / "m", out=folder / "x.csv", **options)


def test_a_file_for_add_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(tmp_path)
    assert "3 networks, median of 2 rounds of 1 runs, one thread of" in said
    with open(tmp_path / "x.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["arch", "latency_ms", "latency_3_ms"] and len(rows) == 3
    assert all(float(row["latency_3_ms"]) > 0 for row in rows)
    lines = (tmp_path / "m" / RECORDS).read_text().splitlines(keepends=True)
    assert len(lines) == 6
    # A kill in the middle of the last line: that measurement alone is made again.
    (tmp_path / "m" / RECORDS).write_text("".join(lines[:5]) + lines[5][:20])
    run(tmp_path)
    again = (tmp_path / "m" / RECORDS).read_text().splitlines(keepends=True)
    assert again[:5] == lines[:5] and len(again) == 6
    by_arch: dict[str, list[list[float]]] = {}
    for record in map(json.loads, again):
        by_arch.setdefault(record["arch"], []).append(record["ms"])
    with open(tmp_path / "x.csv") as file:
        for row in csv.DictReader(file):
            median = np.median(by_arch[row["arch"]], axis=0)
            assert float(row["latency_ms"]) == pytest.approx(median[0], abs=1e-6)
    with pytest.raises(UserError, match="is of runs 1, expected 2"):
        run(tmp_path, runs=2)
    (tmp_path / "m" / RECORDS).write_text(lines[0].replace('"round": 0', '"round": 1'))
    with pytest.raises(UserError, match="line 1 was edited"):
        run(tmp_path)


def test_a_benchmark_without_networks_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot build its networks"):
        latency.measure(str(table), (1,), 1, 1, tmp_path, tmp_path / "x.csv", 1)
