"""Parts of a page that are a text and an image: what other commands said, and several benchmarks
together."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib

from rlnas.analysis.comparison.several.figure import figure
from rlnas.analysis.comparison.several.measures import together
from rlnas.analysis.comparison.several.text import text
from rlnas.analysis.folders import Left
from rlnas.analysis.report.kinds import of_a_training
from rlnas.analysis.retrain.data import is_retraining, read
from rlnas.analysis.retrain.text import text as retraining_text
from rlnas.analysis.retrain.verdict import judge
from rlnas.analysis.store import Run
from rlnas.analysis.style import RC
from rlnas.analysis.text import REPORT, kept
from rlnas.analysis.training.data import CURVE
from rlnas.bench.errors import UserError
from rlnas.bench.files import is_file
from rlnas.bench.names import visible

Part = dict[str, str]
MOST_FIGURE = 5_000_000
"""Bytes of a figure that goes into a page."""


def is_plain(folder: Path) -> bool:
    """Whether it is reported by what its command said."""
    return is_file(folder / REPORT) or is_file(folder / CURVE) or is_retraining(folder)


def parts(folders: Sequence[Path]) -> tuple[list[Part], list[Left]]:
    """What commands said, with their figures; and what has none."""
    found, left = [], []
    for folder in folders:
        try:
            said = said_in(folder)
        except UserError as error:
            left.append(Left(folder, str(error)))
            continue
        path = folder / "figure.svg"
        small = is_file(path) and path.stat().st_size <= MOST_FIGURE
        image = image_of(path.read_bytes()) if small else ""
        found.append({"name": visible(folder.name), "text": said, "image": image})
    return found, left


def said_in(folder: Path) -> str:
    """The text of a report; `UserError`."""
    if is_retraining(folder):
        manifest, results = read(folder)
        return retraining_text(judge(results), manifest, results)
    return of_a_training(folder) if is_file(folder / CURVE) else kept(folder)


def all_together(runs: Sequence[Run]) -> list[Part]:
    """The scores over several benchmarks; nothing where the agents are not the same on all."""
    try:
        several = together(runs)
    except UserError:
        return []
    written = BytesIO()
    with matplotlib.rc_context(RC):
        figure(several).savefig(written, format="svg", metadata={"Date": None}, facecolor="white")
    name = f"{len(several.grounds)} benchmarks together"
    return [{"name": name, "text": text(several), "image": image_of(written.getvalue())}]


def image_of(svg: bytes) -> str:
    """As an image: nothing in it runs, whatever it holds."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
