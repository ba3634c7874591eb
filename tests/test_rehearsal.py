"""The rehearsal table is a prediction, and says so."""

from __future__ import annotations

import numpy as np
import pytest

from rlnas.bench.commands.rehearse import Rehearse
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.table import Table
from tables import small_table

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra `retrain`)")


def test_it_predicts_every_cell_of_a_larger_space_and_says_what_it_is(tmp_path):
    table = small_table(5, rows=range(0, 2532, 3))
    edges = np.bitwise_count(np.asarray(table.row)).astype(np.float32)[:, None, None]
    table.val[:] = 0.5 + 0.02 * edges  # a function of the row that a regressor can half learn
    table.save(tmp_path / "part.npz")
    Rehearse(str(tmp_path / "part.npz"), max_vertices=5, out=tmp_path / "all.npz").run()
    whole = Table.load(tmp_path / "all.npz")
    assert len(whole.row) == 2532 and np.isfinite(whole.val).all() and np.isnan(whole.test).all()
    assert "NOT A BENCHMARK" in whole.meta["notes"][0] and "rehearsal" in whole.name


def test_too_few_cells_are_refused(tmp_path):
    small_table(4).save(tmp_path / "few.npz")
    with pytest.raises(UserError, match="has 91 cells; expected at least 100"):
        Rehearse(str(tmp_path / "few.npz")).run()
