"""Stored runs as a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rlnas import bench
from rlnas.analysis.comparison.runs import collect
from rlnas.analysis.store import Run
from rlnas.bench.errors import UserError

COLUMNS = (
    "agent", "label", "benchmark", "seed", "query", "architecture", "val", "reported", "seconds",
)  # fmt: skip


def load_runs(
    *folders: Path | str, architectures: bool = True, benchmark: str = ""
) -> pd.DataFrame:
    """Every query of stored runs, a line each: agent (as registered), label (as asked for),
    benchmark, seed (number of the run, from 0), query (from 1), architecture (its text), val and
    reported (fractions) and seconds (of simulated training); NaN where there is no value.

    folders: run folders, `compare-...` folders, names given by `--name`, `latest`. benchmark: the
    file that was searched, where it is not opened by its own name. architectures: without, that
    column is left out, and the benchmark need not be there. Raises `UserError`.
    """
    runs = collect([Path(folder) for folder in folders])
    texts = texts_of(runs, benchmark) if architectures else None
    parts = [frame(run, texts[i] if texts else None) for i, run in enumerate(runs)]
    return pd.concat(parts, ignore_index=True)


def frame(run: Run, texts: np.ndarray | None) -> pd.DataFrame:
    """Of one run. texts: of its architectures, [seeds, budget]."""
    manifest, history = run.manifest, run.history
    seeds, budget = manifest["seeds"], manifest["budget"]
    columns: dict[str, Any] = {
        "agent": manifest["agent"],
        "label": run.label,
        "benchmark": manifest["benchmark"]["name"],
        "seed": np.repeat(np.arange(seeds), budget),
        "query": np.tile(np.arange(1, budget + 1), seeds),
        "architecture": None if texts is None else texts.ravel(),
        "val": np.ravel(history.val),
        "reported": np.ravel(history.reported),
        "seconds": np.ravel(history.sim_seconds),
    }
    names = [name for name in COLUMNS if texts is not None or name != "architecture"]
    return pd.DataFrame({name: columns[name] for name in names})


def texts_of(runs: Sequence[Run], benchmark: str = "") -> list[np.ndarray]:
    """The texts [seeds, budget] of each run's architectures; a benchmark is opened once."""
    spaces: dict[tuple[Any, ...], Any] = {}
    found = []
    for run in runs:
        facts = run.manifest["benchmark"]
        key = tuple(facts.get(name) for name in ("name", "epochs", "sha256"))
        if key not in spaces:
            spaces[key] = benchmark_of(run, benchmark).space
        found.append(formatted(spaces[key], np.asarray(run.history.arch)))
    return found


def benchmark_of(run: Run, benchmark: str = "") -> Any:
    """What a run searched; `UserError` where its benchmark is not here, or is another."""
    facts = run.manifest["benchmark"]
    hint = "name its file by benchmark=..., or leave the texts out by architectures=False"
    try:
        opened = bench.load(benchmark or facts["name"], epochs=facts.get("epochs"))
    except UserError as error:
        raise UserError(f"{run.folder}: its benchmark cannot be opened ({error}); {hint}") from None
    sha = opened.describe().get("sha256")
    if sha != facts.get("sha256"):
        raise UserError(
            f"{run.folder} searched {facts['name']} with sha256 {str(facts.get('sha256'))[:12]}, "
            f"the one here has {str(sha)[:12]}: its architectures may be others; {hint}"
        )
    return opened


def formatted(space: Any, archs: np.ndarray) -> np.ndarray:
    """The texts of architectures [seeds, budget, ...], each formatted once; "" of what is in no
    part of a space that is here."""
    shape = archs.shape[:2]
    flat = archs.reshape(shape[0] * shape[1], -1)
    distinct, place = np.unique(flat, axis=0, return_inverse=True)
    texts = np.array([text_of(space, arch) for arch in distinct], object)
    return texts[place.reshape(shape)]


def text_of(space: Any, arch: np.ndarray) -> str:
    """A part of a space answers for what it lacks by -1, which has no text."""
    if not space.arch_shape:
        return str(space.format(int(arch[0]))) if arch[0] >= 0 else ""
    return str(space.format(arch.reshape(space.arch_shape)))
