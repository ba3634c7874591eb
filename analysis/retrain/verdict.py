"""Does the table tell the truth? What it says of the retrained architectures against what they came
to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from rlnas.analysis import stats
from rlnas.analysis.retrain.data import CONTROL, GROUPS, Group, Line, Verdict
from rlnas.analysis.stats import UNKNOWN, Interval
from rlnas.bench.errors import UserError
from rlnas.bench.rank import FEWEST, kendall, spearman
from rlnas.bench.retrain.presets import OWN_SPLIT
from rlnas.bench.retrain.recipes import origin


def judge(results: pd.DataFrame) -> Verdict:
    """The verdict on `results.parquet`. `UserError` when no training in it ended well.

    Test accuracies are compared where the benchmark has them, else validation accuracies.
    Intervals: percentile bootstrap, of correlations and group differences over architectures, of
    the regret over seeds.
    """
    done = results[results["status"] == "done"]
    if done.empty:
        raise UserError(
            "no training ended well, so there is nothing to compare; the first: "
            f"{results['reason'].iloc[0]}"
        )
    kind = "test" if results["table_test"].notna().any() else "val"
    archs = list(dict.fromkeys(results["arch"]))
    runs = {arch: done[done["arch"] == arch] for arch in archs}
    missing = tuple(arch for arch in archs if runs[arch].empty)
    archs = [arch for arch in archs if arch not in missing]
    first = [runs[arch].iloc[0] for arch in archs]
    table = np.array([row[f"table_{kind}"] for row in first], np.float64)
    values = [runs[arch][kind].to_numpy(np.float64) for arch in archs]
    means = np.array([v.mean() for v in values])
    table_rank, rank = (rankdata(-x, nan_policy="omit") for x in (table, means))
    order = np.argsort(rank, kind="stable")
    lines = [
        Line(
            arch=archs[i],
            groups=tuple(first[i]["groups"].split(",")),
            table_val=float(first[i]["table_val"]),
            table_test=float(first[i]["table_test"]),
            val=float(runs[archs[i]]["val"].mean()),
            test=float(runs[archs[i]]["test"].mean()),
            table=float(table[i]),
            retrained=float(means[i]),
            low=float(values[i].min()),
            high=float(values[i].max()),
            seeds=len(values[i]),
            params=int(first[i]["params"]),
            table_rank=float(table_rank[i]),
            rank=float(rank[i]),
        )
        for i in order
    ]
    known = ~np.isnan(table)
    chosen_by = np.array([row["table_val"] for row in first], np.float64)
    choice = int(np.nanargmax(chosen_by)) if not np.isnan(chosen_by).all() else None
    spread = [v.var(ddof=1) for v in values if len(v) > 1]
    return Verdict(
        measure={"test": "test accuracy", "val": "validation accuracy"}[kind],
        lines=tuple(lines),
        missing=missing,
        spearman=_correlation(table[known], means[known], spearman),
        kendall=_correlation(table[known], means[known], kendall),
        regret=UNKNOWN if choice is None else _regret(values, choice),
        choice="" if choice is None else archs[choice],
        best=lines[0].arch,
        seed_sd=float(np.sqrt(np.mean(spread))) if spread else math.nan,
        groups=_groups(lines),
    )


def _correlation(x: np.ndarray, y: np.ndarray, statistic: Any) -> Interval:
    """With architectures drawn again, if there are `FEWEST`."""
    n = len(x)
    if n < 2:
        return UNKNOWN
    value = float(statistic(x, y))
    if n < FEWEST or math.isnan(value):
        return Interval(value, math.nan, math.nan)
    rng = np.random.default_rng(0)
    draws = rng.integers(n, size=(stats.REPLICATES, n))
    return stats.interval(value, statistic(x[draws], y[draws]))


def _regret(values: Sequence[np.ndarray], choice: int) -> Interval:
    """How far the choice is below the best, over seeds drawn again within every architecture."""
    means = np.array([v.mean() for v in values])
    value = float(means.max() - means[choice])
    if min(map(len, values)) < 2 or len(values) < 2:
        return Interval(value, math.nan, math.nan)
    rng = np.random.default_rng(0)
    drawn = np.stack(
        [v[rng.integers(len(v), size=(stats.REPLICATES, len(v)))].mean(1) for v in values], axis=1
    )
    return stats.interval(value, drawn.max(1) - drawn[:, choice])


def _groups(lines: Sequence[Line]) -> tuple[Group, ...]:
    members = {name: [line for line in lines if name in line.groups] for name in GROUPS}
    control = np.array([line.retrained for line in members[CONTROL]])

    def mean(of: Sequence[Line], key: str) -> float:
        return float(np.mean([getattr(line, key) for line in of]))

    found = []
    for name, of in members.items():
        if not of:
            continue
        values = np.array([line.retrained for line in of])
        against = difference(values, control) if name != CONTROL and len(control) else UNKNOWN
        means = {key: mean(of, key) for key in ("table_val", "val", "table_test", "test")}
        found.append(Group(name=name, size=len(of), against=against, **means))
    return tuple(found)


def difference(x: np.ndarray, y: np.ndarray) -> Interval:
    """Mean of x minus mean of y, each drawn again by itself."""
    value = float(x.mean() - y.mean())
    if min(len(x), len(y)) < 2:
        return Interval(value, math.nan, math.nan)
    rng = np.random.default_rng(0)
    drawn = [v[rng.integers(len(v), size=(stats.REPLICATES, len(v)))].mean(1) for v in (x, y)]
    return stats.interval(value, drawn[0] - drawn[1])


def relation(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """(`same`, `recipe`, `transfer` or `unknown`; a sentence): how the trainings stand to those
    behind the table."""
    facts, dataset = manifest["benchmark"], manifest["dataset"]["name"]
    name = str(facts.get("name"))
    source = origin(name, facts.get("epochs"))
    if source is None:
        return (
            "unknown",
            f"What {name} was measured on is not known to rlnas: take this for a transfer.",
        )
    if dataset != source.dataset:
        return "transfer", (
            f"This is a transfer: {name} was measured on {source.dataset}, these trainings "
            f"are on {dataset}."
        )
    wanted, idle = asdict(source.settings), set(source.unused)
    if dataset in OWN_SPLIT:
        idle.add("val_images")
    changed = [
        key
        for key, value in manifest["settings"].items()
        if key not in idle and value != wanted.get(key)
    ]
    if changed:
        return "recipe", (
            f"The data are the table's, the recipe is not: {', '.join(changed[:6])}"
            f"{' and more' if len(changed) > 6 else ''} differ from preset {source.preset}."
        )
    about = "Data and recipe are the table's."
    own = [s for s in manifest["seeds"] if s < (facts.get("repeats") or 0)]
    if source.repeats_are_seeds and own:
        return (
            "same",
            f"{about} Seeds {', '.join(map(str, own))} are the table's own trainings over again.",
        )
    return "same", f"{about} The seeds are new."


def to_json(verdict: Verdict) -> dict[str, Any]:
    """For verdict.json."""
    return (
        asdict(verdict)
        | {name: getattr(verdict, name)._asdict() for name in ("spearman", "kendall", "regret")}
        | {
            "groups": [
                asdict(group) | {"against": group.against._asdict()} for group in verdict.groups
            ]
        }
    )
