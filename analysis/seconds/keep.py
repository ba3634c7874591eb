"""Runs whose queries may be at any fidelity on disk:
`<out>/timed-<hash>/{manifest.json, history.npz}`, the manifest last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.agents.timed import TimedHistory
from rlnas.analysis import store
from rlnas.analysis.store import DamagedRun, Run
from rlnas.bench.checks import ArrayOf, Each, Fields, Number, Text, Whole, check, check_arrays
from rlnas.bench.errors import UserError
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.reading import read_json, to_json

KIND, FORMAT, VERSION = "timed", "rlnas-timed-run", 1
HISTORY_FORMAT = ("rlnas-timed-history", 1)
AGAIN = "run the same command again with --redo"
EACH = ("seeds", "most")
ARRAYS = {
    "arch": ArrayOf("", (*EACH, ...)),
    "fidelity": ArrayOf("int32", EACH, -1),
    "val": ArrayOf("float32", EACH, nan=True),
    "reported": ArrayOf("float32", EACH, nan=True),
    "sim_seconds": ArrayOf("float32", EACH, 0, nan=True),
    "valid": ArrayOf("bool", EACH),
    "made": ArrayOf("bool", EACH),
    "incumbent": ArrayOf("int32", EACH, -1),
}
RULES = Fields(
    {
        "benchmark": Fields({"name": Text()}),
        "fidelities": Fields({"epochs": Each(Whole(1)), "continues": None, "estimated": None}),
        "agent": Text(),
        "seed": Whole(),
        "seeds": Whole(1),
        "reports": Text(),
        "optimum": Number(null=True),
        "architectures": Number(0, null=True),
        "wall_seconds": Number(0),
        "history_sha256": Text(),
        **store.MADE,
    },
    {"seconds": Number(0), "budget": Whole(1)},
)


def identity(**decides: Any) -> dict[str, Any]:
    """What decides every byte of a run: benchmark, fidelities, agent, config, seconds or budget (of
    queries), seed, seeds, code and jax (of `store.decided_by`)."""
    found: dict[str, Any] = to_json({"format": FORMAT, "version": VERSION} | decides)
    return found


def save(
    folder: Path,
    decides: Mapping[str, Any],
    history: TimedHistory,
    facts: Mapping[str, Any],
    wall_seconds: float,
) -> None:
    arrays = {name: np.asarray(x) for name, x in history._asdict().items()}
    save_npz(folder / store.HISTORY, HISTORY_FORMAT, arrays, compressed=True)
    store.write_manifest(folder, {**decides, **facts, "hash": folder.name}, wall_seconds)


def load(folder: Path, label: str) -> Run:
    """The run in `folder`; `DamagedRun` where its files are not what the manifest says."""
    path = folder / store.MANIFEST
    try:
        manifest = read_json(path, hint=AGAIN)
        if (manifest.get("format"), manifest.get("version")) != (FORMAT, VERSION):
            raise UserError(f"{path} is no {FORMAT} version {VERSION}; {AGAIN}")
        check(manifest, RULES, path, AGAIN)
        if ("seconds" in manifest) == ("budget" in manifest):
            raise UserError(f"{path} is damaged: expected seconds, or a budget of queries; {AGAIN}")
        file = folder / store.HISTORY
        if store.sha256_of(file) != manifest["history_sha256"]:
            raise UserError(f"{file} is missing or not what {store.MANIFEST} says; {AGAIN}")
        arrays, _ = load_npz(file, hint=AGAIN, seal=HISTORY_FORMAT)
        check_arrays(arrays, ARRAYS, file, AGAIN, sizes={"seeds": manifest["seeds"]})
        history = TimedHistory._make(arrays[name] for name in TimedHistory._fields)
        return Run(folder, manifest, history, label)
    except UserError as error:
        raise DamagedRun(str(error)) from None
