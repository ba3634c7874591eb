"""Every section in a process of its own, a line a measure."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlnas.analysis import store
from rlnas.bench.errors import UserError
from rlnas.bench.progress import bar
from rlnas.bench.workers import in_fresh_python

MAX_VERTICES = {"small": 5, "medium": 6, "full": 7}


def run(size: str, sections: Sequence[str], cores: int, record_to: Path | None) -> None:
    """Measure, print, and write the record, if it is wanted."""
    vertices = MAX_VERTICES[size]
    print(f"space of cells with at most {vertices} vertices, {cores} cores; synthetic accuracies")
    print(f"{'':18}{'ours':>14} {'reference':>12} {'':9} {'ratio':>8}  {'peak':>8}")
    record = []
    with bar(sections[0], len(sections), unit="section", leave=False) as shown:
        for name in sections:
            shown.set_description(name)
            result = measured(name, vertices, cores)
            record.append(result)
            for m in result["measures"]:
                shown.write(
                    f"{m['name']:18}{m['ours']:14,.4g} {m['reference']:12,.4g} {m['unit']:9} "
                    f"{m['ratio']:7,.0f}x"
                    f"  {result['peak_mb']:5,.0f} MB  {m['note']}",
                    sys.stdout,
                )
            shown.update()
    if record_to:
        store.write_json(record_to, {"size": size, "cores": cores, "sections": record})


def measured(name: str, vertices: int, cores: int) -> dict[str, Any]:
    """What a section comes to, in a process of its own; `UserError` when it fails."""
    call = (
        "import json, sys; from rlnas.analysis.speed.sections import run_section; "
        "print(json.dumps(run_section(*json.loads(sys.argv[1]))))"
    )
    done = in_fresh_python(call, json.dumps([name, vertices, cores]))
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"section {name} failed with status {done.returncode}: {reason}; run it alone "
            f"with --only {name}"
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
