"""What a grid of trainings says, as text."""

from __future__ import annotations

import pandas as pd

from rlnas.analysis.ablation.data import REFERENCE
from rlnas.analysis.ablation.measures import MEASURES, QUERY, columns_varied, finding, summary
from rlnas.analysis.rehearsal import called
from rlnas.analysis.stats import Interval
from rlnas.analysis.text import aligned, percent, points
from rlnas.bench.benchmark import Benchmark

ENDS = ("", "_low", "_high")


def table(frame: pd.DataFrame, benchmark: Benchmark, agent: str, query: int = QUERY) -> str:
    """`summary` as aligned text, in percent."""
    lines = summary(frame, query)
    settings = [*columns_varied(frame), "alpha"]
    rows = [[*settings, "validation", benchmark.reports, "better", "look-ups"]]
    lookups = frame.groupby(settings)["lookups"].mean()
    for i, line in enumerate(lines.to_dict("records")):  # whole numbers stay whole
        accuracies = [points(Interval(*(line[f"{m}{end}"] for end in ENDS))) for m in MEASURES]
        rows.append(
            [
                *(str(line[name]) for name in settings),
                *accuracies,
                f"{line['better']:.0f} of {line['trainings']:.0f}",
                f"{lookups.iloc[i]:,.0f}",
            ]
        )
    random = [percent(lines[f"{REFERENCE}_{m}"].iloc[0]) for m in MEASURES]
    rows.append([REFERENCE, *[""] * (len(settings) - 1), *random, "", ""])
    return (
        f"{agent} on {called(benchmark.describe())}: accuracy of the incumbent after {query} "
        f"queries (%), mean over trainings with 95 % interval; better: than random search, by "
        f"validation\n\n"
        f"{aligned(rows, right=range(1, len(rows[0])))}\n\n{finding(lines)}"
    )
