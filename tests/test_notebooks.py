"""Every notebook runs from top to bottom, at the small sizes that RLNAS_SMOKE=1 asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from notebooks import NOTEBOOKS, code_cells, execute, kept, read, stays

# Of the notebook machinery; a notebook's own warnings stay in its kernel.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sizes, and nobody's startup files."""
    monkeypatch.setenv("RLNAS_SMOKE", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")


AFRESH = """
import os
os.chdir({!r})
BEGAN = globals().get("BEGAN", set(globals()) - {{"os"}})
for name in set(globals()) - BEGAN - {{"BEGAN"}}:
    if not name.startswith("_"):
        del globals()[name]
"""
"""Nothing is left of the notebook before, and the folder is another."""


@pytest.mark.long
def test_they_run_from_top_to_bottom(tmp_path: Path) -> None:
    """One after the other in one kernel, which has imported everything once; each from nothing, and
    in an empty folder of its own, so that what it writes does not stay."""
    cells = []
    for path in NOTEBOOKS:
        (tmp_path / path.stem).mkdir()
        afresh = AFRESH.format(str(tmp_path / path.stem))
        cells += [new_code_cell(afresh), *code_cells(read(path))]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # in their notebooks some are the same
    notebook = new_notebook(cells=cells)
    execute(notebook, tmp_path)
    assert [cell.execution_count for cell in cells] == list(range(1, 1 + len(cells)))


def test_progress_is_a_bar(tmp_path: Path) -> None:
    """Of text, or a widget where these are installed."""
    code = "from rlnas.bench.progress import bar\nwith bar('train', 2) as shown:\n  shown.update(2)"
    notebook = new_notebook(cells=[new_code_cell(code)])
    execute(notebook, tmp_path)
    outputs = notebook.cells[0].outputs
    shown = [o.get("text", "") + o.get("data", {}).get("text/plain", "") for o in outputs]
    assert any("%|" in text for text in shown), outputs
    assert not any(map(stays, outputs))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


def test_what_is_stored_is_the_same_in_every_run() -> None:
    """Without progress, without the machine's times; the results' own stay."""
    shown = new_output(
        "stream", text="trained 64 steps in 6.5 s (1,027 a second)\nsearched 3.1 s\n"
    )
    assert kept(shown).text == "trained 64 steps in ... s (... a second)\nsearched 3.1 s\n"
    assert not stays(new_output("stream", name="stderr", text="50%|"))
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "50%|"}
    assert not stays(new_output("display_data", widget))
    assert stays(new_output("display_data", {"text/plain": "1"}))
