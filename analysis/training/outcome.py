"""What a finished training came to: judged by searches that chose nothing, beside baselines and
controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from rlnas import agents
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.evaluate import Incumbents, evaluate, incumbents, searches
from rlnas.agents.protocol import History, prepare_seeds, run_seeds, seed_keys
from rlnas.analysis import store
from rlnas.analysis.rehearsal import called
from rlnas.analysis.training import figure
from rlnas.analysis.training.blind import same_queries
from rlnas.analysis.training.controls import controls
from rlnas.analysis.training.data import CURVE, KIND, STATE, Row, Training, write_curve
from rlnas.bench.beside import compiled
from rlnas.bench.files import at_once
from rlnas.bench.synthetic.tables import Drawn, is_inventive, tables_for

BASELINES = ("random_search", "local_search")
SCALE = "way from the median to the best"
"""What is reported on tables that are drawn."""
TRIED = 20
"""At least so many searches, if there are, are repeated with inverted answers."""


class Block(NamedTuple):
    """Searches that are made together: on what, and their keys."""

    benchmark: Any
    keys: Key[Array, " seeds"]

    @classmethod
    def of(cls, benchmark: Any, keys: Key[Array, " seeds"]) -> Block:
        """Of a benchmark that draws tables, on those."""
        return cls(tables_for(benchmark, keys), keys)


def judging(training: Training, params: Any) -> list[Block]:
    """The searches that judge a training, their programs compiled."""
    config, benchmark = training.config, training.benchmark
    keys = seed_keys(config.seed, config.judging_seeds)
    # In as many at a time as evaluations, where that goes: the same program.
    judges = config.judging_seeds
    size = config.evaluation_seeds if judges % config.evaluation_seeds == 0 else judges
    blocks = [Block.of(benchmark, these) for these in jnp.split(keys, judges // size)]
    queries = config.evaluation_queries
    compiled(evaluate, training.learner, params, *blocks[0], queries, False)
    for name in BASELINES:
        prepare(name, blocks[0], max(queries))
    return blocks


@at_once()
def finish(
    training: Training, identity: dict[str, Any], rows: Sequence[Row], blocks: Sequence[Block]
) -> None:
    """Judge the checkpoint, write curve and picture, then the manifest; the state is not needed any
    more. The look-ups of this are not training's: they are what a comparison makes. blocks: of
    `judging`."""
    config, learner, benchmark, part, said, folder = training
    queries = config.evaluation_queries
    keys = seed_keys(config.seed, config.judging_seeds)
    saved = Checkpoint.load(folder)
    found = [evaluate(learner, saved.params, *block, queries, False) for block in blocks]
    judged = {
        config.agent: listed([incumbents for incumbents, _ in found]),
        **{name: baseline(name, blocks, queries) for name in BASELINES},
    }
    tried = list(zip(blocks, found, strict=True))[: -(-TRIED // len(blocks[0].keys))]
    same = np.mean(
        [same_queries(learner, saved.params, *block, queries, true) for block, (_, true) in tried]
    )
    facts = saved.facts | {"lookups": int(rows[-1]["lookups"]), "same_queries": float(same)}
    several = is_inventive(benchmark)
    replace(saved, facts=facts).save(folder)
    write_curve(folder / CURVE, rows)
    baselines = {
        name: judged[name] if part is benchmark else baseline(name, [Block.of(part, keys)], queries)
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
    name: str, blocks: Sequence[Block], queries: tuple[int, ...]
) -> dict[str, list[float]]:
    """`listed` incumbents of a registered agent."""
    return listed([incumbents(searched(name, block, max(queries)), queries) for block in blocks])


def prepare(name: str, block: Block, budget: int) -> None:
    """`searched` then has nothing left to compile."""
    config = agents.config(name)()
    if isinstance(block.benchmark, Drawn):
        compiled(_on_drawn, config, *block, budget)
    else:
        prepare_seeds(config, block.benchmark, budget, block.keys)


def searched(name: str, block: Block, budget: int) -> History:
    """By a registered agent."""
    config = agents.config(name)()
    if isinstance(block.benchmark, Drawn):
        return _on_drawn(config, *block, budget)
    return run_seeds(config, block.benchmark, budget, block.keys)


@partial(jax.jit, static_argnums=(0, 3))
def _on_drawn(config: Any, tables: Drawn, keys: Key[Array, " seeds"], budget: int) -> History:
    return searches(config.build(tables.space), tables, budget, keys)


def listed(found: Sequence[Incumbents]) -> dict[str, list[float]]:
    """{"val": [counts], "reported": [counts]}, means; of blocks of one size."""
    whole = Incumbents(*(np.mean(values, axis=0) for values in zip(*found, strict=True)))
    return {key: x.tolist() for key, x in whole._asdict().items()}
