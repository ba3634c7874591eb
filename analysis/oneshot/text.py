"""The tables of `rlnas oneshot` for a terminal."""

from __future__ import annotations

import math

from rlnas.analysis.oneshot.measures import RETRAINED, TOP
from rlnas.analysis.oneshot.report import Report
from rlnas.analysis.stats import Interval
from rlnas.analysis.text import number


def text(report: Report, name: str) -> str:
    """The tables of the terminal."""
    width = max(map(len, report.rankers))
    lines = [
        f"{report.cells:,} cells of {name}; rank correlation with its mean accuracies [95 % over "
        "cells]",
        "",
    ]
    columns = [("validation", "all"), ("test", "all"), ("validation", "top")]
    heads = ["all, validation", "all, test", f"top {TOP:.0%}, validation"]
    for measure in ("spearman", "kendall"):
        lines.append(
            f"{measure.capitalize():{width}}  " + "  ".join(f"{head:21}" for head in heads)
        )
        for ranker in report.rankers:
            cells = [getattr(report.of(ranker, *column), measure) for column in columns]
            lines.append(
                f"{ranker:{width}}  " + "  ".join(f"{signed(c):21}" for c in cells).rstrip()
            )
        lines.append("")
    ks = list(report.picks["random"].precision)
    heads = [*(f"top-{k} hit" for k in ks), "regret: val", "test", f"test, {RETRAINED} retrained"]
    lines.append(f"{'Picking the best by':{width}}  " + "  ".join(f"{head:>12}" for head in heads))
    for ranker, picked in report.picks.items():
        shares = [f"{100 * picked.precision[k]:.0f} %" for k in ks]
        regrets = [
            f"{100 * x:.2f} pp" for x in (picked.regret_val, picked.regret_test, picked.retrained)
        ]
        values = "  ".join(f"{value:>12}" for value in (*shares, *regrets))
        lines.append(f"{ranker:{width}}  {values}")
    lines += [
        "",
        f"Two single real trainings of every cell agree by Spearman {report.repeats[0]:.3f}, "
        "Kendall "
        f"{report.repeats[1]:.3f} (validation).",
        f"Processor time of one thread: supernet {report.supernet_seconds:,.0f} s, scoring "
        f"{report.scoring_seconds:,.0f} s; training every cell once {report.real_seconds:,.0f} s "
        f"({report.training_seconds:.2f} s each): {report.saved:.1f} times less. "
        f"The table's own seconds add up to {number(report.table_seconds, digits=0)}.",
    ]
    return "\n".join(lines)


def signed(found: Interval) -> str:
    """A correlation and its interval, where it has one."""
    ends = "-" if math.isnan(found.low) else f"{found.low:+.3f}, {found.high:+.3f}"
    return f"{found.value:+.3f} [{ends}]"
