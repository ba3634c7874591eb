"""The table of `rlnas compress` for a terminal."""

from __future__ import annotations

from typing import Any

from rlnas.analysis.compress.measures import Report
from rlnas.analysis.morph.text import shown
from rlnas.analysis.text import aligned, humanise, number


def text(report: Report, manifest: dict[str, Any]) -> str:
    """What is printed."""
    seconds, teachers = manifest["seconds"], manifest["teachers"]
    heads = ("chosen by", "times smaller", "drop (pp)", "by the table")
    rows: list[tuple[str, ...]] = [(*heads, "reward, first batch", "last", "students")]
    for method, found in report.of.items():
        rows.append(
            (
                method,
                shown(found.measured),
                shown(found.drop, 100.0),
                shown(found.true),
                *(f"{reward:.3f}" for reward in found.rewards),
                number(found.trained, digits=1),
            )
        )
    measured, true = report.better
    spent, whole = humanise(seconds["students"]), humanise(seconds["scratch"])
    return "\n".join(
        [
            f"Teachers: {report.teachers}, the best cells of {manifest['benchmark']['name']}, of "
            f"{min(t['params'] for t in teachers):,} to {max(t['params'] for t in teachers):,} "
            "parameters; students are equal that lose at most "
            f"{100 * manifest['tolerance']:g} points. [95 % over teachers]",
            "",
            aligned(rows, {4, 5, 6}),
            "",
            "times smaller: parameters of the teacher by those of the smallest student that is "
            "equal after its distillation (geometric mean).",
            "drop: what the table says that student loses, both trained from scratch. by the "
            "table: of the smallest student that is equal there.",
            f"Policies against random choices: {shown(measured)} times as small, by the table "
            f"{shown(true)}.",
            f"The smallest equal cells of the whole table: {shown(report.possible)}.",
            f"{seconds['trained']:,.0f} distillations of {manifest['epochs']} epochs took {spent}; "
            f"as many trainings as the teachers' would take {whole} (processor time of one "
            "thread; on a GPU time on the clock).",
        ]
    )
