"""What `rlnas landscape` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rlnas.analysis.landscape.measures import Measured, summary
from rlnas.analysis.rehearsal import called


def title(measured: Measured) -> str:
    facts = measured.facts
    epochs = f", {facts['epochs']} epochs" if facts.get("epochs") else ""
    return f"Landscape of {called(facts)}{epochs}"


def finding(measured: Measured) -> str:
    """What was found, in a line: the title of the figure."""
    length = next(iter(measured.walks.values())).length[0]
    said = f"a random walk forgets in {length:.1f} steps" if 0 < length < math.inf else ""
    if measured.table:
        ends = summary(measured)["steepest_ascent"]
        below = (ends["regret_of_ends"], ends["regret_of_random_cells"])
        found, chance = (f"{100 * regret:.2f}" for regret in below)
        said = "; ".join(
            filter(None, [said, f"ascent ends {found} points below the best, chance {chance}"])
        )
    return f"{title(measured)}: {said}" if said else title(measured)


def caveats(measured: Measured) -> list[str]:
    """What is missing, and what that does to the numbers."""
    found = []
    if table := measured.table:
        size, known = len(table.val), int((~np.isnan(table.val)).sum())
        if table.held < table.whole:
            found.append(
                f"a partial table, {table.held:,} of {table.whole:,} cells: neighbours are those "
                "it holds"
            )
        if size < table.held:
            found.append(
                f"the table falls apart: measured is its largest connected component, {size:,} "
                "cells, and regrets are from the best in it"
            )
        if known < size:
            found.append(
                f"{size - known:,} of {size:,} cells have no value: walks go through them, "
                "nothing else does"
            )
    if measured.facts.get("repeats") == 1:
        found.append("one training a cell: noise shortens correlations and makes optima")
    if "test" not in measured.walks:
        found.append("no test accuracy: regrets are of validation accuracy")
    return found


def signed(correlation: float, digits: int) -> str:
    """`-` where all cells have as many neighbours."""
    return "-" if math.isnan(correlation) else f"{correlation:+.{digits}f}"


def text(measured: Measured) -> str:
    """The aligned tables that the command prints."""
    notes = [*filter(None, [measured.facts.get("about")]), *caveats(measured)]
    lines = [title(measured), *(f"  note: {note}" for note in notes), ""]
    lines += ["random walks".ljust(34) + "".join(f"{name:>24}" for name in measured.walks)]
    last = len(next(iter(measured.walks.values())).rho) - 1
    rows = {
        f"rho at lag {lag}": [
            (w.rho[lag], w.low[lag], w.high[lag]) for w in measured.walks.values()
        ]
        for lag in sorted({1, min(2, last), min(5, last), min(10, last), last})
    }
    rows["correlation length (steps)"] = [walk.length for walk in measured.walks.values()]
    rows["  beyond lag 1, by rho(2) / rho(1)"] = [walk.decay for walk in measured.walks.values()]
    lines += [
        name.ljust(34) + "".join(f"{spelled(cell):>24}" for cell in cells)
        for name, cells in rows.items()
    ]
    if table := measured.table:
        facts = summary(measured)
        optima, ascent = facts["local_optima"], facts["steepest_ascent"]
        cells, points = facts["cells"]["with_value"], "percentage points"
        kinds = [
            optima["strict"],
            optima["number"] - optima["strict"] - optima["without_neighbours"],
        ]
        kinds.append(optima["without_neighbours"])
        about = {
            "local optima": (
                f"{optima['number']:,} of {cells:,} cells ({100 * optima['number'] / cells:.1f} %)"
            ),
            "  strict / on a plateau / isolated": " / ".join(f"{n:,}" for n in kinds),
            "  median rank, by validation": f"{optima['median_rank']:,.1f}",
            "  basin: median, largest (cells)": (
                f"{optima['median_basin']:,.1f}, {optima['largest_basin']:,}"
            ),
            "steepest ascent: mean steps": f"{ascent['steps_mean']:.2f}",
            "  ends in the global optimum": (
                f"{100 * ascent['ends_in_global_optimum']:.2f} % of starts"
            ),
            "  ends in the top 1 %": f"{100 * ascent['ends_in_top_1_percent']:.1f} % of starts",
            "  mean regret where it ends": f"{100 * ascent['regret_of_ends']:.3f} {points} "
            f"({measured.facts['reports']})",
            "  of random cells": f"{100 * ascent['regret_of_random_cells']:.3f} {points}",
            "  of the best by validation": (
                f"{100 * ascent['regret_of_global_optimum']:.3f} {points}"
            ),
            "accuracy against degree": f"Spearman {signed(table.ranks.spearman, 3)}",
        }
        lines += ["", *(name.ljust(36) + value for name, value in about.items())]
    which = "all moves, cells equally likely" if measured.moves_exact else "drawn moves"
    lines += ["", f"shaped reward of a random move ({which})"]
    columns = {"alpha": 8, "mean": 12, "sd": 12, "largest": 12, "positive": 12, "zero": 10}
    columns["top 1 % carry"] = 16
    lines += ["".join(f"{name:>{width}}" for name, width in columns.items())]
    for alpha, p in measured.rewards.items():
        shares = f"{100 * p.positive:>10.1f} %{100 * p.zero:>8.1f} %{100 * p.peaked:>14.1f} %"
        lines.append(f"{alpha:>8g}{p.mean:>12.3g}{p.sd:>12.3g}{p.largest:>12.3g}{shares}")
    return "\n".join(lines)


def spelled(estimate: Sequence[float]) -> str:
    value, low, high = estimate
    if math.isnan(value):
        return "-"
    ends = "-" if math.isnan(low) else f"{low:.3f}, {high:.3f}"
    return f"{value:.3f} [{ends}]"
