"""The table of `rlnas maskconnect` for a terminal."""

from __future__ import annotations

import math
from typing import Any

from rlnas.analysis.maskconnect.measures import Report
from rlnas.analysis.morph.text import shown
from rlnas.analysis.text import aligned, humanise, percent


def text(report: Report, manifest: dict[str, Any]) -> str:
    """What is printed."""
    heads = ("mask", "val (pp)", "test (pp)", "equal edges (pp)", "better than (%)", "regret (pp)")
    rows: list[tuple[str, ...]] = [heads]
    rows += [(method, *(shown(one, 100.0) for one in found)) for method, found in report.of.items()]
    lines = [
        f"Masks: {report.masks} with {manifest['active']} inputs a vertex, cells of "
        f"{manifest['vertices']} vertices; {report.sets} sequences of operations, "
        f"{report.trainings} trainings of {manifest['epochs']} epochs. [95 % over sequences]",
        "",
        aligned(rows, set()),
        "",
        f"val, test: the cell's mean accuracy in {manifest['benchmark']['name']}, trained from "
        "scratch, less the mean over all masks: what a random one has.",
        "equal edges: validation less the mean over masks with as many edges once what leads "
        "nowhere is pruned.",
        "better than: share of the other masks; 50 is chance. regret: of validation, to the best "
        "mask.",
        f"With the chosen masks the networks in training end {100 * report.own:.2f} points from "
        "what the table has of the cells.",
    ]
    if not math.isnan(report.agreement):
        lines.append(
            f"Two trainings of a sequence choose the same mask in {percent(report.agreement)} % of "
            f"the pairs; by chance {percent(report.chance)} %."
        )
    lines.append(
        f"The trainings took {humanise(manifest['seconds'])} (processor time of one thread; on a "
        "GPU time on the clock)."
    )
    return "\n".join(lines)
