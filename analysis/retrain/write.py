"""The files of a finished retraining: verdict, table and figure."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rlnas.analysis import store
from rlnas.analysis.retrain.data import MANIFEST, RESULTS, read
from rlnas.analysis.retrain.figure import figure
from rlnas.analysis.retrain.text import text
from rlnas.analysis.retrain.verdict import judge, relation, to_json
from rlnas.analysis.style import save
from rlnas.analysis.text import places
from rlnas.bench.files import at_once


@at_once()
def write(folder: Path) -> None:
    """Verdict, table and figure of a finished folder into it; all of it onto stdout, and where it
    lies."""
    manifest, results = read(folder)
    verdict = judge(results)
    store.write_json(folder / "verdict.json", to_json(verdict) | {"relation": relation(manifest)})
    rows = [asdict(line) | {"groups": ",".join(line.groups)} for line in verdict.lines]
    store.write_csv(folder / "table.csv", rows)
    drawn = save(figure(verdict, manifest), folder)[0]
    print(f"{text(verdict, manifest, results)}\n")
    files = {"table": "table.csv", "results": RESULTS, "verdict": "verdict.json"}
    paths = {what: folder / name for what, name in (files | {"manifest": MANIFEST}).items()}
    print(places({"figure": drawn} | paths))
