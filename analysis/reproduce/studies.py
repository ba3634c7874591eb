"""What others have measured of search agents on the benchmarks, to be compared with.

Only numbers that were read in a source stand here, each study with its protocol. Agents are words
of `rlnas compare --agents`; settings that are not their defaults are the source's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """One agent of a study. said: what the source calls it. values: %, one a point of the study;
    None where the source has none."""

    said: str
    agent: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Study:
    """A table, or a few curves, of one source.

    benchmark: as `bench.load` knows it. source: where the numbers are from. measure: what they are,
    in %: the incumbent's `test`; its `error`, 100 - test; or its `regret` against the best test
    value of the space. unit, points: after how many queries, or simulated seconds. runs: how many
    they are means of. budget: queries that are surely enough. digits: of the numbers, behind the
    point.
    """

    name: str
    benchmark: str
    source: str
    measure: Literal["test", "error", "regret"]
    points: tuple[int | float, ...]
    runs: int
    rows: tuple[Row, ...]
    unit: Literal["queries", "seconds"] = "queries"
    noise: str = "mean"
    budget: int = 150
    digits: int = 2


OUTSIDE = (
    "computed outside this project with numpy, on the same file; a repeated cell is a query again"
)
PERCENT = "reinforce:optimiser=adam,lr=0.01,scale=100"
CLIMB = "local_search:initial=1,memory=0"
"""From one draw, asking known neighbours again, as the author of those numbers did."""

STUDIES = (
    Study(
        "nb201-cifar100", "nb201-cifar100", OUTSIDE, "test", (10, 50, 100, 150), 500,
        (
            Row("random search", "random_search", (69.73, 70.98, 71.43, 71.70)),
            Row("REINFORCE (Adam .01, percent)", PERCENT, (69.77, 71.07, 71.58, 71.92)),
            Row("REINFORCE (SGD .1, fraction)", "reinforce", (69.72, 71.02, 71.52, 71.81)),
            Row("ageing evolution (10, 3)", "evolution:population=10,tournament=3,initial=10",
                (69.68, 71.54, 72.39, 72.70)),
            Row("ageing evolution (30, 10)", "evolution", (69.81, 72.19, 72.92, 73.26)),
            Row("local search", CLIMB, (69.50, 72.58, 73.19, 73.40)),
        ),
    ),
    Study(
        "nb201-cifar10-valid", "nb201-cifar10-valid", OUTSIDE, "test", (150,), 500,
        (
            Row("random search", "random_search", (90.81,)),
            Row("REINFORCE (Adam .01, percent)", PERCENT, (90.86,)),
            Row("REINFORCE (SGD .1, fraction)", "reinforce", (90.82,)),
            Row("ageing evolution (10, 3)", "evolution:population=10,tournament=3,initial=10",
                (91.06,)),
            Row("ageing evolution (30, 10)", "evolution", (91.07,)),
            Row("local search", CLIMB, (91.07,)),
        ),
    ),
    Study(
        "nb201-imagenet16-120", "nb201-imagenet16-120", OUTSIDE, "test", (150,), 500,
        (
            Row("random search", "random_search", (45.56,)),
            Row("REINFORCE (Adam .01, percent)", PERCENT, (45.74,)),
            Row("REINFORCE (SGD .1, fraction)", "reinforce", (45.64,)),
            Row("ageing evolution (10, 3)", "evolution:population=10,tournament=3,initial=10",
                (46.14,)),
            Row("ageing evolution (30, 10)", "evolution", (46.37,)),
            Row("local search", CLIMB, (46.40,)),
        ),
    ),
    Study(
        "tnb101-class_scene", "tnb101-class_scene", OUTSIDE, "test", (10, 50, 100, 150), 300,
        (
            Row("random search", "random_search", (62.62, 62.91, 62.95, 63.00)),
            Row("ageing evolution (30, 10)", "evolution", (62.62, 63.02, 63.11, 63.13)),
            Row("local search", CLIMB, (62.53, 63.00, 63.09, 63.14)),
        ),
    ),
    Study(
        "tnb101-jigsaw", "tnb101-jigsaw", OUTSIDE, "test", (10, 50, 100, 150), 300,
        (
            Row("random search", "random_search", (93.90, 94.53, 94.68, 94.75)),
            Row("ageing evolution (30, 10)", "evolution", (None, None, None, 94.79)),
            Row("local search", CLIMB, (None, None, None, 94.78)),
        ),
    ),
    Study(
        "nb101-bananas", "nb101-108",
        "BANANAS' table as quoted at nature.com/articles/s41598-025-94187-8/tables/1", "error",
        (150,), 200,
        (
            Row("REINFORCE", "reinforce:plain=true", (6.436,)),
            Row("TPE", "bridge:optuna:sampler=tpe", (6.415,)),
            Row("random search", "random_search", (6.341,)),
            Row("GP-BO", "gp", (6.267,)),
            Row("AlphaX (MCTS)", "alphax", (6.233,)),
            Row("regularized evolution", "evolution", (6.109,)),
            Row("local search", "local_search", (5.932,)),
            Row("BANANAS", "bananas", (5.923,)),
        ),
        digits=3,
    ),
    Study(
        "nb101-arch2vec", "nb101-108",
        "means of the curves in arch2vec's results/*.json (MSU-MLSys-Lab/arch2vec)", "regret",
        (1e4, 1e5), 500,
        (
            Row("random search", "random_search", (1.24, 0.90)),
            Row("REINFORCE", "reinforce:plain=true", (1.28, 0.89)),
            Row("regularized evolution",
                "evolution:population=100,initial=100,replacement=false", (1.24, 0.91)),
        ),
        unit="seconds", noise="sample", budget=200,
    ),
)  # fmt: skip
