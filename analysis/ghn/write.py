"""The report of a finished folder of `rlnas oneshot ghn`, from its numbers."""

from __future__ import annotations

from pathlib import Path

from rlnas.analysis.ghn.data import STUDY, read
from rlnas.analysis.ghn.figure import figure
from rlnas.analysis.ghn.measures import report
from rlnas.analysis.ghn.text import text
from rlnas.analysis.style import save
from rlnas.analysis.text import tell
from rlnas.bench.files import at_once


def write(folder: Path) -> None:
    """Draw the figure, print the table, and say where everything lies."""
    found = read(folder)
    numbers = report(found)
    with at_once():
        png, svg = save(figure(numbers, found), folder)
        paths = {"figure": png, "": svg} | STUDY.paths(folder)
        tell(text(numbers, found.manifest), folder, paths)
