"""The tables of `rlnas morph` for a terminal."""

from __future__ import annotations

from typing import Any

from rlnas.analysis.morph.measures import Report
from rlnas.analysis.stats import Interval
from rlnas.analysis.text import aligned, humanise, number, percent, plain

SAID = {
    "inherited": "from inherited weights",
    "short": "from scratch, as long",
    "scratch": "from scratch, as the table's",
}


def text(report: Report, manifest: dict[str, Any]) -> str:
    """What is printed."""
    name, table = manifest["benchmark"]["name"], manifest["table"]
    rows = [("training of the edited cell", "reached", "epochs", "epochs saved (%)", "above (pp)")]
    for run, worth in report.worth.items():
        reached = f"{worth.reached} of {report.pairs}"
        saved = shown(worth.saved, 100.0)
        rows.append(
            (SAID[run], reached, number(worth.epochs, digits=1), saved, shown(worth.above, 100.0))
        )
    kinds = ", ".join(
        f"{kind} {percent(saved)} ({count})" for kind, (count, saved) in report.by_kind.items()
    )
    lines = [
        f"Pairs: {report.pairs}, each a cell of {name} and an edit that keeps what it computes; "
        f"parents trained for {manifest['parent_epochs']} epochs.",
        f"Reached: the mean validation accuracy of the table's trainings from scratch, of "
        f"{table['epochs']} epochs. [95 % over cells]",
        "",
        aligned(rows, {1, 2}),
        "",
        "A training that does not get there was in vain: its epochs and a whole training count.",
        f"The parent's epochs counted, too, inheriting saves {shown(report.with_parent, 100.0)} %.",
        f"By edit, % saved (pairs): {kinds}.",
        f"By itself, no edit changed an accuracy by more than {100 * report.kept:.2f} points.",
        "",
        f"Search: edits of {manifest['start']}, cells trained on for {manifest['epochs']} epochs.",
        *searched(report, manifest),
        "",
        f"{report.nets} trainings took {humanise(report.seconds)} with their starts; each from "
        f"scratch as the table's, they would take {humanise(report.full)} (processor time of one "
        "thread; on a GPU time on the clock).",
    ]
    return "\n".join(lines)


def searched(report: Report, manifest: dict[str, Any]) -> list[str]:
    """The choices, a line a method, and what ranks how well."""
    table, reach = manifest["table"], manifest["reach"]
    rows: list[tuple[str, ...]] = [
        ("chosen by", "cells trained", "regret: val (pp), a search", "mean", "test", "mean")
    ]
    for method, found in report.choices.items():
        row = [method, ", ".join(map(str, found.trained))]
        for regrets in (found.regret_val, found.regret_test):
            row += [", ".join(f"{100 * x:.2f}" for x in regrets)]
            row += [f"{100 * sum(regrets) / len(regrets):.2f}"]
        rows.append(tuple(row))
    best = f"{percent(table['val'])} % validation, {percent(table['test'])} % test"
    lines = ["", aligned(rows, {3, 5}), "", f"The best of the table's {table['cells']:,}: {best}."]
    if reach:
        lines.append(
            f"Of the {reach['cells']:,} cells that so many edits lead to: {percent(reach['val'])} "
            f"% validation, {percent(reach['test'])} % test."
        )
    ranked = "; ".join(f"{one.name} {shown(one.spearman)}" for one in report.rankings)
    if ranked:
        lines.append(f"Spearman with the table, {report.cells} cells: {ranked}.")
    return lines


def shown(interval: Interval, scale: float = 1.0) -> str:
    return plain(interval, scale, "no interval")
