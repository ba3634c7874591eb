"""Every section in a process of its own, a line a measure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rlnas.analysis import store
from rlnas.bench.errors import UserError

MAX_VERTICES = {"small": 5, "medium": 6, "full": 7}


def run(size: str, sections: Sequence[str], cores: int, record_to: Path | None) -> None:
    """Measure, print, and write the record, if it is wanted."""
    vertices = MAX_VERTICES[size]
    print(f"space of cells with at most {vertices} vertices, {cores} cores; synthetic accuracies")
    print(f"{'':18}{'ours':>14} {'reference':>12} {'':9} {'ratio':>8}  {'peak':>8}")
    record = []
    for name in sections:
        call = (
            "import json, sys; from rlnas.analysis.speed.sections import run_section; "
            "print(json.dumps(run_section(*json.loads(sys.argv[1]))))"
        )
        done = subprocess.run(
            [sys.executable, "-c", call, json.dumps([name, vertices, cores])],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(
                f"section {name} failed with status {done.returncode}: {reason}; run it alone "
                f"with --only {name}"
            )
        result = json.loads(done.stdout.splitlines()[-1])
        record.append(result)
        for m in result["measures"]:
            print(
                f"{m['name']:18}{m['ours']:14,.4g} {m['reference']:12,.4g} {m['unit']:9} "
                f"{m['ratio']:7,.0f}x"
                f"  {result['peak_mb']:5,.0f} MB  {m['note']}",
                flush=True,
            )
    if record_to:
        store.write_json(record_to, {"size": size, "cores": cores, "sections": record})
