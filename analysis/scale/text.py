"""`rlnas scale` as text and as a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlnas.analysis.scale.data import Training
from rlnas.analysis.scale.measures import line, lookups_until
from rlnas.analysis.text import aligned
from rlnas.bench.files import atomic_path

COLUMNS = (
    "benchmark",
    "architectures",
    "seed",
    "lookups",
    "accuracy",
    "random_search",
    "best_known",
)


def write_table(path: Path, groups: dict[str, list[Training]]) -> Path:
    """One row an evaluation of a training."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, group in groups.items():
            for t in group:
                for lookups, accuracy in zip(t.lookups, t.accuracy, strict=True):
                    writer.writerow(
                        [name, t.architectures, t.seed, lookups, accuracy, t.random, t.best]
                    )
    return path


def finding(groups: Mapping[str, Sequence[Training]], queries: int) -> str:
    """What training has gained in the end, in a line: the title of the figure."""
    gains = [100 * float(line(group, relative=False).mean[-1]) for group in groups.values()]
    low, high = (f"{gain:+.2f}" for gain in (min(gains), max(gains)))
    said = low if low == high else f"{low} to {high}"
    return f"Trained searches of {queries} queries against random ones: {said} points of validation"


def summary(groups: dict[str, list[Training]], queries: int) -> str:
    """Look-ups until half and nine tenths of random search's regret are gone, by benchmark
    and settings."""
    rows = [["trained on", "architectures", "trainings", "half", "a tenth", "least left"]]
    for name, group in groups.items():
        left = line(group, relative=True)
        count = group[0].architectures
        size = f"{count:,.0f}" if count < 1e9 else f"{count:.2e}"
        reached = [lookups_until(left, share) for share in (0.5, 0.1)]
        half, tenth = ("never" if x is None else f"{x:,.0f}" for x in reached)
        rows.append([name, size, str(len(group)), half, tenth, f"{left.mean.min():.0%}"])
    head = (
        f"look-ups in training until searches of {queries} queries have left, of random search's "
        "regret"
    )
    return f"{head}\n{aligned(rows, right=range(1, 6))}"
