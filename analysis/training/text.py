"""What a training came to, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.agents.checkpoint import Checkpoint
from rlnas.analysis.rehearsal import called
from rlnas.analysis.training.data import counts, read
from rlnas.bench.files import quoted

BLIND = (
    "blind: with every answer inverted all of its queries stay the same; it replays what it "
    "learnt in training and reads no answers"
)


def summary(folder: Path) -> str:
    """What a finished training came to, beside the baselines and the controls, in a few lines."""
    manifest, rows = read(folder)
    facts = Checkpoint.load(folder).facts
    agent, last = manifest["agent"], rows[-1]
    distinct = (
        f" of {facts['distinct']:,} distinct architectures" if facts["distinct"] is not None else ""
    )
    queries = counts(last)
    of_evaluations = manifest["evaluation_seeds"] * queries[-1] * len(rows)
    reports = manifest["benchmark"]["reports"]
    lines = [
        f"trained {last['step']:.0f} steps in {last['seconds']:.0f} s "
        f"({last['step'] / last['seconds']:,.0f} a second, evaluations included), "
        f"peak memory {manifest.get('peak_mb', math.nan):,.0f} MB",
        f"looked up {facts['lookups']:,} accuracies, {of_evaluations:,} of them in evaluations; up "
        f"to the best checkpoint (by validation, at step {facts['step']}) "
        f"{facts['lookups_to_checkpoint']:,}{distinct}"
        if not facts.get("invented")
        else f"looked up no accuracy; {last['step'] + of_evaluations:,.0f} answers of invented "
        f"tables; best checkpoint by validation at step {facts['step']}",
        "",
        f"tested on {called(manifest['benchmark'])}{trained_on(facts)}: validation "
        f"accuracy of the incumbent, then {reports} (%), mean of {manifest['judged_by']} searches",
        f"{'queries':16}{'looked up before':>17}" + 2 * "".join(f"{q:>8}" for q in queries),
    ]
    before = {agent: f"{facts['lookups']:,}"}
    for name, values in manifest["judged"].items():
        lines.append(line(name, before.get(name, "0"), values))
    if manifest["controls"]:
        lines.append("without a search, the first so many of")
    for control in manifest["controls"]:
        lines.append(line(f"  {control['name']}", f"{control['lookups']:,}", control))
    lines += ["", blind(facts["same_queries"])]
    lines += [
        f"checkpoint  {quoted(folder)}",
        f"            rlnas compare --agents random_search {quoted(f'{agent}:{folder}')}",
    ]
    return "\n".join(lines)


def summary_of(folders: Sequence[Path]) -> str:
    """What trainings that differ by their seeds came to: a line each, their mean, and the means of
    the baselines over all their searches."""
    found = [read(folder)[0] for folder in folders]
    facts = [Checkpoint.load(folder).facts for folder in folders]
    first, queries = found[0], counts(found[0]["curve"][-1])
    agent, about = first["agent"], first["benchmark"]
    lines = [
        f"{len(found)} trainings of {agent}, tested on {called(about)}{trained_on(facts[0])}:",
        f"validation accuracy of the incumbent, then {about['reports']} (%), means of "
        f"{first['judged_by']} searches each",
        f"{'queries':16}{'looked up before':>17}" + 2 * "".join(f"{q:>8}" for q in queries),
    ]
    for manifest, fact in zip(found, facts, strict=True):
        before = f"{fact['lookups']:,}"
        lines.append(line(f"seed {manifest['seed']}", before, manifest["judged"][agent]))
    for name in first["judged"]:
        each = [manifest["judged"][name] for manifest in found]
        mean = {key: np.mean([one[key] for one in each], axis=0) for key in ("val", "reported")}
        lines.append(line(f"mean, {agent}" if name == agent else name,
                          "" if name == agent else "0", mean))  # fmt: skip
    if all(fact["same_queries"] == 1 for fact in facts):
        lines += ["", f"all are {BLIND}"]
    words = " ".join(quoted(f"{agent}:{folder}") for folder in folders)
    lines += [
        "",
        *(f"{'' if i else 'checkpoints':12}{quoted(f)}" for i, f in enumerate(folders)),
        f"            rlnas compare --agents random_search {words}",
    ]
    return "\n".join(lines)


def trained_on(facts: dict[str, Any]) -> str:
    """What part of the benchmark it was trained on."""
    if facts.get("invented"):
        return ", a table a search, other ones than in training"
    return f", trained on it{facts['shown']}" if facts["shown"] else ", the table it was trained on"


def line(name: str, lookups: str, values: Mapping[str, Any]) -> str:
    """A row of the table."""
    numbers = [*values["val"], *values["reported"]]
    return f"{name:16}{lookups:>17}" + "".join(f"{100 * x:8.2f}" for x in numbers)


def blind(same: float) -> str:
    """What was seen of its queries under inverted answers."""
    if same == 1:
        return BLIND
    return f"with every answer inverted {same:.0%} of its queries stay the same"
