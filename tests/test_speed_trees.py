"""`rlnas speed`'s section on trees, tiny."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from rlnas.analysis.speed import trees


@pytest.mark.long
def test_the_section_measures_the_same_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "BATCHES", (1, 8, 64))
    rows = {row.name: row for row in trees.measure(2, 20)}
    assert list(rows) == [
        "trees, 1",
        "trees, 8",
        "trees, 64",
        "trees, batch",
        "bound, 1",
        "bound, 64",
    ]
    assert all(row.ours > 0 and row.reference > 0 for row in rows.values())
    assert (
        "SYNTHETIC ensemble, 2 x 20 trees" in rows["trees, 1"].note
        and "packed" in rows["trees, 1"].note
    )
    assert float(rows["trees, batch"].note.split("largest difference ")[1].split(",")[0]) < 1e-3

    monkeypatch.setitem(sys.modules, "xgboost", None)
    without = trees.measure(1, 5)
    assert "xgboost is not installed" in without[0].note and np.isnan(without[0].ratio)
