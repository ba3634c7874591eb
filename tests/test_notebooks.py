"""Every notebook runs from top to bottom, at the small sizes that RLNAS_SMOKE=1 asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.filterwarnings(
    "default"
)  # of the notebook machinery; a notebook's own warnings stay in its kernel
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_runs_from_top_to_bottom(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty working folder, so that what it writes does not stay; an error names the cell and
    its traceback."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("RLNAS_SMOKE", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # nobody's startup files
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in ran)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
