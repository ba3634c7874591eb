"""The verdict for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from rlnas.analysis.rehearsal import called
from rlnas.analysis.retrain.data import CONTROL, Verdict
from rlnas.analysis.retrain.verdict import relation
from rlnas.analysis.text import aligned, humanise, number, percent, plain, points
from rlnas.bench.rank import FEWEST

SHORT = {"conv3x3-bn-relu": "3x3", "conv1x1-bn-relu": "1x1", "maxpool3x3": "mp"}
LONGEST = 44


def label(arch: str) -> str:
    """An architecture in few characters: a cell as its edges and `3x3`, `1x1`, `mp`; another text
    by its beginning."""
    edges, _, ops = arch.partition(" ")
    names = ops.split(",")
    if set(edges) <= {"0", "1"} and names[-1] == "output":
        return " ".join([edges, *(SHORT.get(name, name) for name in names[1:-1])])
    return arch if len(arch) <= LONGEST else f"{arch[: LONGEST - 3]}..."


def text(verdict: Verdict, manifest: Mapping[str, Any], results: pd.DataFrame) -> str:
    """Architectures from the best on, groups, correlations, regret, and what it took."""
    dataset, seeds = manifest["dataset"], manifest["seeds"]
    head = (
        f"retrained on {dataset['name']}, preset {manifest['preset']}, "
        f"{manifest['settings']['epochs']} epochs, "
    )
    head += f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]}); table {called(manifest['benchmark'])}"
    blocks = [
        head,
        relation(manifest)[1],
        "",
        _architectures(verdict),
        "",
        _groups(verdict),
        "",
        *_sentences(verdict),
    ]
    blocks += [f"No training ended well of {label(arch)}." for arch in verdict.missing]
    lost = results[results["status"] != "done"]
    blocks += [
        f"{row.status}: {label(str(row.arch))} seed {row.seed}: {row.reason}"
        for row in lost.itertuples()
    ]
    return "\n".join([*blocks, *notes(manifest), "", *cost(manifest, results)])


def _architectures(verdict: Verdict) -> str:
    kind = verdict.measure.partition(" ")[0]
    accuracies = ["table val %", f"table {kind} %", f"retrained {kind} % [worst, best seed]"]
    rows = [["rank", "table's rank", "groups", "architecture", "parameters", *accuracies]]
    for line in verdict.lines:
        rows.append(
            [
                f"{line.rank:g}",
                f"{line.table_rank:g}" if not math.isnan(line.table) else "-",
                "+".join(line.groups),
                label(line.arch),
                f"{line.params:,}",
                percent(line.table_val),
                percent(line.table),
                f"{percent(line.retrained)} [{percent(line.low)}, {percent(line.high)}]",
            ]
        )
    return aligned(rows, right={0, 1, 4, 5, 6})


def _groups(verdict: Verdict) -> str:
    against = f"above the controls by {verdict.measure}, points"
    rows = [["group", "of", "table val %", "retrained", "table test %", "retrained", against]]
    for group in verdict.groups:
        means = [percent(x) for x in (group.table_val, group.val, group.table_test, group.test)]
        rows.append(
            [
                group.name,
                str(group.size),
                *means,
                "(the controls)" if group.name == CONTROL else points(group.against),
            ]
        )
    return aligned(rows, right={1, 2, 3, 4, 5})


def _sentences(verdict: Verdict) -> list[str]:
    n = len(verdict.lines)
    found = [
        f"Table against retrained {verdict.measure}, {n} architectures: Spearman "
        f"{plain(verdict.spearman)}, "
        f"Kendall {plain(verdict.kendall)}."
    ]
    if verdict.choice:
        choice = "itself" if verdict.choice == verdict.best else label(verdict.best)
        found.append(
            f"The table would choose {label(verdict.choice)}: regret {points(verdict.regret)} "
            "points against the best "
            f"retrained, {choice}."
        )
    if not math.isnan(verdict.seed_sd):
        found.append(
            "Two seeds of one architecture differ by a standard deviation of "
            f"{100 * verdict.seed_sd:.2f} points."
        )
    return found


def notes(manifest: Mapping[str, Any]) -> list[str]:
    return [
        *manifest.get("notes", []),
        f"Intervals: 95 % bootstrap, of correlations (of {FEWEST} or more) and groups over "
        "architectures, of the regret",
        "over seeds. The best retrained is chosen on the same trainings, so regrets are a little "
        "too large; the top was",
        "chosen on the table, so its table accuracies are a little too good.",
    ]


def cost(manifest: Mapping[str, Any], results: pd.DataFrame) -> list[str]:
    """What the trainings took, and how fast they went beside a plain loop."""
    machine, sessions = manifest["machine"], manifest["sessions"]
    engine = machine["engine"]
    done = results[results["status"] == "done"]
    lines = []
    if len(done):
        spent = done["seconds"]
        total, median = humanise(spent.sum(skipna=False)), humanise(spent.median())
        lines.append(
            f"{'took':8} {total} of training (the median one {median}), at most "
            f"{number(done['peak_mb'].max(), digits=0)} MB a "
            f"model; {engine['device']}: {machine['device_name']}"
        )
    for session in sessions:
        energy = session["joules"]
        told = (
            ", ".join(f"{name} {joules / 1000:,.1f} kJ" for name, joules in energy.items())
            if energy
            else "not readable"
        )
        lines.append(
            f"{'session' if session is sessions[0] else '':8} {session['trainings']} trainings in "
            f"{humanise(session['wall_seconds'])}, {session['workers']} at once, "
            f"{session['images_per_second']:,.0f} images/s together; energy {told}"
        )
        if speed := session["throughput"]:
            kinds = ("ours", "plain")
            one, other = (
                f"{speed[kind]:,.0f} images/s ({speed[f'{kind}_peak_mb']:,.0f} MB)"
                for kind in kinds
            )
            ratio = speed["ours"] / speed["plain"]
            lines.append(
                f"{'speed':8} one model {one}, a plain loop {other}: {ratio:.2f}x, over "
                f"{speed['batches']} batches of "
                f"{label(speed['arch'])}"
            )
    return lines
