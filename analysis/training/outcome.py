"""What a finished training came to: judged by searches that chose nothing, beside baselines and
controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from rlnas import agents
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.evaluate import Incumbents, evaluate, incumbents, searches
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis import store
from rlnas.analysis.rehearsal import called
from rlnas.analysis.training import figure
from rlnas.analysis.training.blind import same_queries
from rlnas.analysis.training.controls import controls
from rlnas.analysis.training.data import CURVE, KIND, STATE, Row, Training, write_curve
from rlnas.bench.files import at_once
from rlnas.bench.synthetic.tables import is_inventive

BASELINES = ("random_search", "local_search")
SCALE = "way from the median to the best"
"""What is reported on tables that are drawn."""
TRIED = 20
"""Searches that are repeated with inverted answers."""


@at_once()
def finish(training: Training, identity: dict[str, Any], rows: Sequence[Row]) -> None:
    """Judge the checkpoint, write curve and picture, then the manifest; the state is not needed any
    more. The look-ups of this are not training's: they are what a comparison makes."""
    config, learner, benchmark, part, said, folder = training
    queries = config.evaluation_queries
    keys = seed_keys(config.seed, config.judging_seeds)
    saved = Checkpoint.load(folder)
    # In as many at a time as evaluations, where that goes: the same program.
    judges = config.judging_seeds
    size = config.evaluation_seeds if judges % config.evaluation_seeds == 0 else judges
    blocks = [
        evaluate(learner, saved.params, benchmark, keys[i : i + size], queries)[0]
        for i in range(0, judges, size)
    ]
    found = Incumbents(*(np.mean(values, axis=0) for values in zip(*blocks, strict=True)))
    judged = {
        config.agent: listed(found),
        **{name: baseline(name, benchmark, queries, keys) for name in BASELINES},
    }
    same = same_queries(learner, saved.params, benchmark, max(queries), keys[:TRIED])
    facts = saved.facts | {"lookups": int(rows[-1]["lookups"]), "same_queries": same}
    several = is_inventive(benchmark)
    replace(saved, facts=facts).save(folder)
    write_curve(folder / CURVE, rows)
    baselines = {
        name: judged[name] if part is benchmark else baseline(name, part, queries, keys)
        for name in BASELINES
    }
    figure.write(
        folder / "curve", config.agent, rows, baselines, called(benchmark.describe()) + said,
        1.0 if several else float(part.optimum), SCALE if several else part.reports,
    )  # fmt: skip
    store.write_json(
        folder / store.MANIFEST,
        {
            "kind": KIND,
            **identity,
            "rows": rows[-1],
            "curve": list(rows),
            "judged_by": config.judging_seeds,
            "judged": judged,
            "baselines": baselines,
            "controls": [
                control._asdict()
                for control in ([] if several else controls(benchmark, part, queries, config.seed))
            ],
            "versions": store.versions(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "peak_mb": round(store.peak_mb()),
        },
    )
    (folder / STATE).unlink(missing_ok=True)


def baseline(
    name: str, benchmark: Any, queries: tuple[int, ...], keys: Key[Array, " seeds"]
) -> dict[str, list[float]]:
    """`listed` incumbents of a registered agent."""
    config = agents.config(name)()
    if not is_inventive(benchmark):
        return listed(incumbents(run_seeds(config, benchmark, max(queries), keys), queries))

    @jax.jit
    def found(benchmark: Any, keys: Key[Array, " seeds"]) -> Incumbents:
        agent = config.build(benchmark.space)
        return incumbents(searches(agent, benchmark, max(queries), keys), queries)

    return listed(found(benchmark, keys))


def listed(found: Incumbents) -> dict[str, list[float]]:
    """{"val": [counts], "reported": [counts]}, means."""
    return {key: np.asarray(x).tolist() for key, x in found._asdict().items()}
