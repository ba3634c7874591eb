"""The table of `rlnas oneshot ghn` for a terminal."""

from __future__ import annotations

from typing import Any

from rlnas.analysis.ghn.data import NETWORKS
from rlnas.analysis.ghn.measures import RANKERS, Report
from rlnas.analysis.morph.text import shown
from rlnas.analysis.text import aligned, humanise, percent


def text(report: Report, manifest: dict[str, Any]) -> str:
    """What is printed."""
    rows: list[tuple[str, ...]] = [("ranked by", "cells", "Spearman, all", "within the best tenth")]
    for held, cells in ((True, "held out"), (False, "trained on")):
        for ranker in RANKERS:
            found = report.of[ranker, held]
            rows.append((ranker, cells, shown(found.every), shown(found.top)))
    ahead = ", ".join(f"than {other} {shown(gain)}" for other, gain in report.ahead.items())
    seconds = manifest["seconds"]
    real = seconds["real"][0] * manifest["cells"]
    spent = {
        name: training + each * manifest["cells"]
        for name, (training, each) in seconds.items()
        if name in NETWORKS
    }
    costs = "; ".join(
        f"{name} {humanise(total)}, {real / total:.0f} times less" for name, total in spent.items()
    )
    mine, table = report.mean_accuracy
    return "\n".join(
        [
            f"Predicted weights on {manifest['benchmark']['name']}: {manifest['cells']:,} cells, "
            f"{manifest['held']} of them never trained on; {manifest['seeds']} seeds. [95 % over "
            "cells]",
            "",
            aligned(rows, set()),
            "",
            "Networks rank by the validation loss with their weights. Cells held out are ranked "
            f"better by predicted weights {ahead} (difference of Spearman).",
            f"Their mean accuracy is {percent(mine)} % with predicted weights, {percent(table)} % "
            "in the table.",
            f"Training every cell once takes {humanise(real)} of one thread here; training a "
            f"network and scoring every cell, {costs}.",
        ]
    )
