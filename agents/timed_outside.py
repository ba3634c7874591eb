"""Searchers outside JAX under a budget of simulated seconds, or at full fidelity beside agents that
name one."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Float, Key

from rlnas.agents.protocol import History, Outside
from rlnas.agents.timed import TimedHistory
from rlnas.bench.errors import UserError
from rlnas.bench.fidelity import Fidelities


def run_timed_outside(
    config: Outside, fidelities: Fidelities, seconds: float, keys: Key[Array, " seeds"],
    most: int,
) -> TimedHistory:  # fmt: skip
    """As `run_timed`, of whole trainings. None of these searchers is told its budget, so each makes
    `most` queries, and what is behind its seconds is cut off."""
    benchmark, budgets = fidelities.benchmark, fidelities.budgets
    if budgets.continues and budgets.top and benchmark.noise.kind == "sample":
        raise UserError(
            f"{type(config).__name__} searches outside JAX, and its queries would draw another "
            f"repeat of a training that {benchmark.name} goes on with; give --noise mean"
        )
    found: dict[int, History] = {}
    config.search_outside(benchmark, most, keys, found.__setitem__)
    each = [cut(found[i], seconds, budgets.top, budgets.continues) for i in range(len(keys))]
    return TimedHistory._make(np.stack(column) for column in zip(*each, strict=True))


def cut(history: History, seconds: float, top: int, continues: bool) -> TimedHistory:
    """One run, up to the query that would pass so many seconds."""
    costs = bills(history, continues)
    # An unknown cost, NaN, is within no limit, but where there is none.
    made = (np.cumsum(costs.astype(np.float64)) <= seconds) | np.isinf(seconds)
    nan = np.float32(np.nan)
    best = np.asarray(history.incumbent, np.int32)
    last = best[made.sum() - 1] if made.any() else np.int32(-1)
    columns: dict[str, Any] = {
        "arch": np.asarray(history.arch),
        "fidelity": np.where(made, top, -1).astype(np.int32),
        "val": np.where(made & history.valid, history.val, nan),
        "reported": np.where(made, history.reported, nan),
        "sim_seconds": np.where(made, costs, np.float32(0)),
        "valid": made & np.asarray(history.valid),
        "made": made,
        "incumbent": np.where(made, best, last),
    }
    return TimedHistory(**columns)


def bills(history: History, continues: bool) -> Float[np.ndarray, " budget"]:
    """What each query costs, as `rlnas.bench.fidelity.price` says: where trainings continue, a
    whole one is there already when it is asked for again."""
    paid: dict[bytes, np.float32] = {}
    found = np.zeros(len(history.valid), np.float32)
    for i, arch in enumerate(np.asarray(history.arch)):
        if not history.valid[i]:
            continue
        before = paid.get(arch.tobytes(), np.float32(0)) if continues else np.float32(0)
        found[i] = np.maximum(history.sim_seconds[i] - before, np.float32(0))
        paid[arch.tobytes()] = before + found[i]
    return found
