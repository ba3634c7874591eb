"""What tables and figures of comparisons say in words: what was searched, who, how the numbers were
made, and what they do not show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.entrants import ENOUGH, Entrant
from rlnas.analysis.comparison.measures import Measured
from rlnas.analysis.rehearsal import called


def ground(manifest: dict[str, Any], *, named: bool = True) -> str:
    """What was searched, in a phrase."""
    facts = manifest["benchmark"]
    parts = [called(facts)] if named else []
    size = manifest["architectures"]
    parts.append(
        f"{size:,.0f} architectures"
        if size < 1e9
        else f"{size:.2e} architectures".replace("e+", "e")
    )
    parts += [f"{facts['epochs']} epochs"] if facts.get("epochs") is not None else []
    return ", ".join(
        [*parts, f"noise policy {facts.get('noise')}", f"{manifest['budget']:,} queries a run"]
    )


def finding(leaders: Sequence[str], entered: Sequence[Entrant], where: str, said: str) -> str:
    """Who leads, in a sentence. leaders: as of `Measured`. said: what the first comes to."""
    once = {e.label for e in entered if e.learned and len(e.runs) == 1}
    names = [f"{label} (one training)" if label in once else label for label in leaders]
    if not names:
        return f"No agent has an answer {where}"
    if len(entered) == 1:
        return f"{names[0]} {where}: {said}"
    if len(names) == 1:
        return f"{names[0]} leads {where}: {said}"
    if len(names) == len(entered) > 2:
        return f"None of {len(names)} agents is told apart {where}; highest: {names[0]} {said}"
    if len(names) > 3:
        them = f"{names[0]} and {len(names) - 1} others"
    else:
        them = " and ".join([", ".join(names[:-1]), names[-1]])
    return f"{them} lead {where}, not told apart: {leaders[0]} {said}"


def seeds_of(entered: Sequence[Entrant]) -> str:
    """How many runs there are of each agent."""
    seeds = sorted({entrant.seeds for entrant in entered})
    said = f"{' to '.join(f'{n:,}' for n in dict.fromkeys((seeds[0], seeds[-1])))} seeds an agent"
    return f"{said} and training" if pooled(entered) else said


def source(manifest: dict[str, Any]) -> str:
    """What the benchmark is, by its own words where it has any."""
    facts = manifest["benchmark"]
    return str(facts.get("about") or f"{facts.get('name')} is a table of trained architectures")


def learned(entrant: Entrant) -> str:
    """What an agent was trained on, and with how many look-ups, in a phrase."""
    before = entrant.pretraining
    mean = " (mean)" if len(entrant.runs) > 1 else ""
    blind = ", blind: replays what it learnt" if before.get("same_queries") == 1 else ""
    if not before.get("lookups", 0):
        return f"trained on {before.get('trained_on')}: 0 look-ups on this one"
    return (
        f"{before.get('how', 'trained on')} {before.get('trained_on')} with "
        f"{before.get('lookups', 0):,.0f} look-ups{mean}{blind}"
    )


def trainings(entrant: Entrant) -> str:
    """What an interval of a learned agent is over, where that is less than it should be; else
    ""."""
    count = len(entrant.runs)
    if not entrant.learned or count >= ENOUGH or "how" in entrant.pretraining:
        return ""
    if count == 1:
        return "one training; its interval is over searches and says nothing of the next training"
    return f"fewer than {ENOUGH} trainings; an interval over so few is a guess"


def trained(entered: Sequence[Entrant]) -> list[str]:
    """A sentence for each learned agent: on what it was trained, and what its intervals lack."""
    return [
        f"{entrant.label}: {'; '.join(filter(None, (learned(entrant), trainings(entrant))))}."
        for entrant in entered
        if entrant.learned
    ]


def pooled(entered: Sequence[Entrant]) -> bool:
    """Whether an agent is several trainings."""
    return any(len(entrant.runs) > 1 for entrant in entered)


def notes(measured: Measured) -> list[str]:
    """What stands under the tables, a paragraph each."""
    said = [
        "Interquartile means over runs [95 % bootstrap interval] of the incumbent, the best by "
        "validation so far. Agents see validation accuracy only, as the noise policy answers it. "
        "Queries include those asked before."
    ]
    if pooled(measured.entrants):
        said[0] += " Of an agent that was trained several times, trainings are drawn again, and "
        said[0] += "seeds within them."
    if measured.reference is not None and len(measured.entrants) > 1:
        said.append(
            "Difference: of reported accuracy, mean over pairs of runs with the same seed. "
            f"P(better): of any run against any of {measured.reference}, a tie counts as half. "
            "p: of no difference, two-sided, adjusted for all lines (Holm)."
        )
    said.append(
        "Anytime: what the incumbent is worth, mean over the queries. Worst tenth: mean of these "
        "runs. Distinct queries and simulated time: means."
    )
    if any("unseen_incumbents" in entrant.pretraining for entrant in measured.entrants):
        said[-1] += " Unseen: runs whose incumbent was never looked up in training."
    return said + remarks(measured) + trained(measured.entrants)


def remarks(measured: Measured, where: str = "") -> list[str]:
    """What agents have to say of their own searches (`Remarking`)."""
    return [
        f"{entrant.label}{where}: {remark}."
        for entrant in measured.entrants
        for remark in entrant.manifest.get("remarks", ())
    ]


NO_INTERVAL = (
    "[-]: no interval; (nearly) all runs end alike, or are too few, so that resampling them says "
    "nothing."
)


def foot(measured: Measured) -> str:
    """What the numbers of a figure are and how its lines were made."""
    manifest = measured.manifest
    facts, n = manifest["benchmark"], manifest["benchmark"].get("repeats")
    repeats = "" if not n else ", one training each" if n == 1 else f", {n} trainings each"
    sha = f" (sha256 {facts['sha256'][:12]})" if facts.get("sha256") else ""
    optimum = ""
    if manifest["optimum"] is not None:
        best = f"{100 * manifest['optimum']:.2f} %"
        optimum = f" Regret: distance to the best {manifest['reports']} in the space, {best}."
    timed = any(curves.timed(run.history) for e in measured.entrants for run in e.runs)
    time = " Time lines end when the first seed has spent its budget." if timed else ""
    shown = f"mean {manifest['reports']} over all repeats, which no agent sees"
    if not manifest["reports"].startswith("test"):
        shown = f"{manifest['reports']} without noise: no test accuracy is known"
    over = "seeds"
    if pooled(measured.entrants):
        over = "seeds; of several trainings over trainings, and seeds within them"
    return (
        f"{source(manifest)}{repeats}{sha}. A query looks one architecture up instead of training "
        f"it. Incumbent: the best by validation so far; shown is its {shown}.{optimum} Lines: "
        f"interquartile mean; bands: 95 % bootstrap intervals over {over}.{time} "
        + " ".join(trained(measured.entrants))
    ).rstrip()
