"""What a training came to, in words."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rlnas.agents.checkpoint import FACTS
from rlnas.analysis.training.data import counts, read
from rlnas.bench.files import quoted


def summary(folder: Path) -> str:
    """What a finished training came to, beside the baselines, in a few lines."""
    manifest, rows = read(folder)
    facts = json.loads((folder / FACTS).read_text())
    agent, last = manifest["agent"], rows[-1]
    distinct = (
        f"{facts['distinct']:,} distinct"
        if facts["distinct"] is not None
        else "an unknown number of distinct"
    )
    chosen = next(row for row in rows if row["step"] == facts["step"])
    queries = counts(last)
    lines = [
        f"trained {last['step']:.0f} steps in {last['seconds']:.0f} s "
        f"({last['step'] / last['seconds']:,.0f} a second, evaluations included), "
        f"peak memory {manifest.get('peak_mb', math.nan):,.0f} MB",
        f"best checkpoint, by validation, at {facts['step']}: {facts['lookups']:,} look-ups of "
        f"{distinct} architectures before it",
        f"{manifest['benchmark']['reports']} of the incumbent, mean of "
        f"{manifest['evaluation_seeds']} searches (%)",
        f"{'queries':14}" + "".join(f"{q:>9}" for q in queries),
        f"{agent:14}" + "".join(f"{100 * chosen[f'reported_{q}']:9.3f}" for q in queries),
    ]
    for name, values in manifest["baselines"].items():
        lines.append(f"{name:14}" + "".join(f"{100 * x:9.3f}" for x in values["reported"]))
    lines += [
        f"checkpoint  {quoted(folder)}",
        f"            rlnas compare --agents random_search {quoted(f'{agent}:{folder}')}",
    ]
    return "\n".join(lines)
