"""What a grid of trainings says, as text."""

from __future__ import annotations

import pandas as pd

from rlnas.analysis.ablation.data import REFERENCE, measured
from rlnas.analysis.ablation.measures import QUERY, summary
from rlnas.bench.benchmark import Benchmark


def table(frame: pd.DataFrame, benchmark: Benchmark, agent: str, query: int = QUERY) -> str:
    """`summary` as aligned text, in percentage points."""
    lines = summary(frame, query)
    percent = lines.assign(
        **{name: 100 * lines[name] for name in ("regret", "low", "high", REFERENCE)}
    )
    head = (
        f"{agent}: {measured(benchmark)} after {query} queries (percentage points of "
        f"{benchmark.reports}), 95 % intervals over trainings"
    )
    return f"{head}\n{percent.to_string(index=False, float_format=lambda x: f'{x:.3f}')}"
