"""What `rlnas stability` prints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlnas.analysis.stability.measures import LAST, MOST, Reference, Trained
from rlnas.analysis.text import aligned, percent


def text(name: str, budget: int, chance: Reference, found: Sequence[Trained]) -> str:
    """The table, and two sentences."""
    rows = [["", "rate", "mean", "sd", "lowest", "highest", "collapsed"]]
    for one in found:
        spread = one.final.std(ddof=1)
        values = [one.final.mean(), spread, one.final.min(), one.final.max()]
        share = f"{one.collapsed.sum()} of {len(one.collapsed)}"
        rows.append([one.agent, f"{one.rate:g}", *map(percent, values), share])
    return "\n".join(
        [
            f"{name}: validation accuracy (%) of what the policy asks in the last "
            f"{LAST:.0%} of {budget:,} queries, {len(found[0].final)} trainings each",
            f"random search asks {percent(chance.drawn)} in the mean and finds "
            f"{percent(chance.found)}; collapsed: settled on one architecture (more than "
            f"{MOST:.0%} of the end) that is worse than that",
            "",
            aligned(rows, right=range(1, 7)),
            "",
            *sentences(found),
        ]
    )


def sentences(found: Sequence[Trained]) -> list[str]:
    """What the trainings say: at each agent's best rate, and over all rates."""
    at_best, over_all = [], []
    for agent in dict.fromkeys(one.agent for one in found):
        mine = [one for one in found if one.agent == agent]
        best = max(mine, key=lambda one: one.final.mean())
        at_best.append(
            f"{agent} at {best.rate:g} ends at {percent(best.final.mean())} "
            f"(sd {percent(best.final.std(ddof=1))}, lowest {percent(best.final.min())})"
        )
        share = np.concatenate([one.collapsed for one in mine]).mean()
        over_all.append(f"{share:.0%} of {agent}'s")
    return [
        f"At its best rate, {', '.join(at_best)}.",
        f"Over all rates {', '.join(over_all)} trainings collapse.",
    ]
