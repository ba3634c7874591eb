"""`rlnas report`: every kind of folder is told apart, and says again what it said."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlnas.analysis import store
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.comparison.write import finish
from rlnas.analysis.report.command import Report
from rlnas.analysis.text import tell
from rlnas.bench.errors import UserError

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def out(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of random search alone."""
    out = tmp_path_factory.mktemp("runs")
    finish(compare(str(table), ("random_search",), budget=5, seeds=3, out=out), out)
    return out


def test_a_comparison_is_drawn_again(out: Path, capsys: Said) -> None:
    (folder,) = out.glob("compare-*")
    drawn = (folder / "figure.svg").read_bytes()
    (folder / "figure.svg").unlink()
    Report((folder,)).run()
    assert (folder / "figure.svg").read_bytes() == drawn
    assert "random_search" in capsys.readouterr().out


def test_runs_are_drawn_together_elsewhere(out: Path, tmp_path: Path, capsys: Said) -> None:
    runs = tuple(path for path in out.iterdir() if not path.name.startswith("compare-"))
    Report(runs, tmp_path / "figures").run()
    assert (tmp_path / "figures" / "summary.json").is_file()


def test_another_folder_says_what_it_said(tmp_path: Path, capsys: Said) -> None:
    """Its summary.json is not taken for a comparison's."""
    store.write_json(tmp_path / "summary.json", {"format": "rlnas-landscape"})
    tell("A table.", tmp_path, {"summary": tmp_path / "summary.json"})
    said = capsys.readouterr().out
    assert said == f"A table.\n\nsummary  {tmp_path / 'summary.json'}\n"
    Report((tmp_path,)).run()
    assert capsys.readouterr().out == f"A table.\n\nfolder   {tmp_path}\n"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, "no folders given"),
        ("empty", "is no finished run"),
        ("missing", "no folder .*missing"),
        ("torn", "summary.json is damaged"),
    ],
)
def test_what_is_no_folder_of_ours_is_refused(
    made: str | None, message: str, tmp_path: Path
) -> None:
    folder = tmp_path / str(made)
    if made in ("empty", "torn"):
        folder.mkdir()
    if made == "torn":
        (folder / "summary.json").write_text("{")
    with pytest.raises(UserError, match=message):
        Report((folder,) if made else ()).run()
