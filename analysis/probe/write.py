"""The files of a probe, the manifest last."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlnas.agents.protocol import AgentConfig
from rlnas.analysis import store
from rlnas.analysis.probe.figure import figure
from rlnas.analysis.probe.measures import Probe, probe
from rlnas.analysis.probe.text import text
from rlnas.analysis.rehearsal import called
from rlnas.analysis.style import save
from rlnas.analysis.text import keep
from rlnas.bench.files import at_once

KIND, SEARCHES, NUMBERS = "probe", "searches", "numbers.json"


def write(
    folder: Path,
    identity: dict[str, Any],
    benchmark: Any,
    label: str,
    config: AgentConfig,
    source: Any,
    *,
    budget: int,
    seeds: int,
    seed: int,
) -> None:
    """Search, and write what came of it. identity: what decides it. What was searched before lies
    in the folder and is not searched again."""
    found = probe(
        benchmark, called(benchmark.describe()), label, config,
        budget=budget, seeds=seeds, seed=seed, source=source, out=folder / SEARCHES,
    )  # fmt: skip
    written(folder, identity, found)


@at_once()
def written(folder: Path, identity: dict[str, Any], found: Probe) -> None:
    """What came of it."""
    store.write_json(folder / NUMBERS, numbers(found))
    save(figure(found), folder)
    keep(text(found), folder)
    made = {
        "versions": store.versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    store.write_json(folder / store.MANIFEST, {"kind": KIND, **identity, **made})


def numbers(found: Probe) -> dict[str, Any]:
    """The table, as numbers; fractions."""
    return {
        "agent": found.agent,
        "benchmark": found.benchmark,
        "reports": found.reports,
        "permutes": found.permutes,
        "counts": list(found.counts),
        "rows": [
            {
                "what": row.what,
                "lookups_before": row.before,
                "same_queries": row.same,
                **{
                    name: {end: x.tolist() for end, x in values._asdict().items()}
                    for name, values in (("validation", row.validation), ("reported", row.reported))
                },
            }
            for row in found.rows
        ],
    }
