"""`rlnas train`: a learned agent, from nothing to a checkpoint; survives kill -9 to the same
bytes."""

from __future__ import annotations

import csv
import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from rlnas.agents.dqn import DQNConfig
from rlnas.agents.dqn_presets import presets
from rlnas.agents.evaluate import QUERIES
from rlnas.bench.errors import UserError

if TYPE_CHECKING:
    from rlnas.agents.dqn import TrainState
    from rlnas.bench.table_benchmark import TableBenchmark

STATE, CURVE = "state.npz", "curve.csv"
BASELINES = ("random_search", "local_search")


@dataclass(frozen=True)
class Train:
    """Train an agent that learns to search, on a benchmark it may look accuracies up in.

    Writes OUT/train-<hash>/: the best checkpoint (chosen by validation accuracy alone), the
    learning curve as CSV and picture, and, until it is done, the state that an interrupted training
    goes on from. Then search with it: `rlnas compare --agents random_search dqn:FOLDER`.

    Protocols: train on the table that is searched later (amortised, the paper's setting); on a part
    of it (`--shown`, `--shown-vertices`: split); on another table, budget or repeat (transfer).
    Without any training (cold), the agent `dqn` of `rlnas compare` learns inside its budget.

    Examples:
      rlnas train
      rlnas train --preset smoke
      rlnas train --shown 0.25 --alpha 8 --neighbours 10
      rlnas train --epochs 5 --noise repeat=0
      rlnas train --benchmark nb301-yahpo
    """

    agent: Literal["dqn"] = "dqn"
    """What to train: the transformer agent."""
    benchmark: str = "nb101-digits"
    """What to train on: a name that `rlnas bench list` shows, or the path of a table."""
    preset: Literal["default", "smoke", "paper"] = "default"
    """Settings to start from, other ones for NAS-Bench-301; options given beside it go before
    it."""
    noise: str = "mean"
    """What a look-up answers: `mean` over repeats, one drawn (`sample`), or `repeat=i`."""
    epochs: int | None = None
    """Training budget of the table in epochs; None takes the longest."""
    shown: float = 1.0
    """Show the accuracies of this random share of the architectures only; the others are not in the
    MDP."""
    shown_vertices: int | None = None
    """Show only the cells with at most so many vertices."""
    seed: int = 0
    """Root of all randomness."""
    evaluate_every: int = 20_000
    """Environment steps between evaluations, which also save."""
    evaluation_seeds: int = 100
    """Searches an evaluation; their look-ups are counted as training's."""
    evaluation_queries: tuple[int, ...] = QUERIES
    """Queries after which an evaluation's incumbents are told, ascending; each search makes as many
    as the last."""
    out: Path = Path("runs")
    """Folder of all runs."""
    dqn: Annotated[DQNConfig, tyro.conf.arg(name="")] = presets("")["default"]
    """Settings of MDP, learning and network."""

    @classmethod
    def default_for(cls, options: Sequence[str]) -> Train:
        """The defaults that `--preset` and `--benchmark` in `options` ask for."""
        words = [word for option in options for word in option.split("=", 1)]
        asked = dict(pairwise(words))
        known = presets(asked.get("--benchmark", cls.benchmark))
        preset = asked.get("--preset", "default")
        return cls(preset=preset, dqn=known.get(preset, known["default"]))  # type: ignore[arg-type]


def run(config: Train) -> None:
    """Train, evaluating and saving at intervals; print what came of it and where it lies."""
    from rlnas import bench

    check(config)
    benchmark = bench.load(config.benchmark, epochs=config.epochs, noise=config.noise)
    folder = train(config, benchmark)
    print(summary(folder))


def check(config: Train) -> None:
    """`UserError` for an option out of its range."""
    if not 0 < config.shown <= 1:
        raise UserError(f"--shown is {config.shown}; expected a share above 0, at most 1")
    if config.shown < 1 and config.shown_vertices is not None:
        raise UserError("--shown and --shown-vertices are both given; expected one of them")
    for name in ("evaluate_every", "evaluation_seeds"):
        if getattr(config, name) < 1:
            raise UserError(
                f"--{name.replace('_', '-')} is {getattr(config, name)}; expected at least 1"
            )
    if not config.evaluation_queries or list(config.evaluation_queries) != sorted(
        {max(1, q) for q in config.evaluation_queries}
    ):
        found = " ".join(map(str, config.evaluation_queries))
        raise UserError(
            f"--evaluation-queries is {found!r}; expected ascending numbers of at least 1"
        )
    if not 0 <= config.seed < 2**32:
        raise UserError(f"--seed is {config.seed}; expected 0 to {2**32 - 1}")


def shown_part(config: Train, benchmark: TableBenchmark) -> tuple[TableBenchmark, str]:
    """The benchmark that training sees, and how to say so in a legend."""
    if config.shown == 1 and config.shown_vertices is None:
        return benchmark, ""
    if not hasattr(benchmark, "restrict"):
        raise UserError(
            f"{benchmark.name} is no table, so no part of it can be shown; leave --shown and "
            "--shown-vertices"
        )
    size = int(benchmark.space.size)
    if config.shown_vertices is not None:
        places = np.flatnonzero(benchmark.space.num_vertices() <= config.shown_vertices)
        said = f", cells with at most {config.shown_vertices} vertices"
    else:
        count = max(1, round(config.shown * size))
        places = np.sort(np.random.default_rng(config.seed).choice(size, count, replace=False))
        said = f", {config.shown:.0%} of the cells"
    return benchmark.restrict(places), said


def train(config: Train, benchmark: TableBenchmark) -> Path:
    """Train on `benchmark` (or go on with it) and return the folder; a finished training is left as
    it is."""
    import jax
    import jax.numpy as jnp
    from tqdm import tqdm

    from rlnas.agents.dqn import init, shard
    from rlnas.agents.dqn import run as iterate
    from rlnas.agents.evaluate import evaluate
    from rlnas.agents.protocol import seed_keys
    from rlnas.analysis import store
    from rlnas.analysis.training import figure as training_plot

    part, said = shown_part(config, benchmark)
    dqn = config.dqn
    identity = {
        "benchmark": benchmark.describe(),
        "cells_shown": int(part.space.size),
        **{
            key: getattr(config, key)
            for key in ("agent", "shown", "shown_vertices", "seed", "evaluation_seeds")
        },
        "evaluate_every": config.evaluate_every,
        "dqn": dataclasses.asdict(dqn),
    }
    queries = config.evaluation_queries
    if queries != QUERIES:
        identity["evaluation_queries"] = queries
    folder = config.out / f"train-{store.hash_of(identity)}"
    if (folder / store.MANIFEST).exists():
        return folder
    mdp = dqn.mdp(part)
    state = jax.jit(init, static_argnums=0)(dqn, mdp, jax.random.key(config.seed))
    rows: list[dict[str, float]] = []
    best = -np.inf
    if (folder / STATE).exists():
        state, rows, best = load_state(folder / STATE, state)
    if len(jax.devices()) > 1 and dqn.actors % len(jax.devices()) == 0:
        state = shard(state, jax.devices())
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(folder / "config.json", identity)

    keys = seed_keys(config.seed + 1, config.evaluation_seeds)
    warm = dqn.warm_iterations
    every = max(1, config.evaluate_every // dqn.actors)
    started, spent = time.monotonic(), rows[-1]["seconds"] if rows else 0.0
    with tqdm(
        total=dqn.iterations * dqn.actors, initial=int(state.iteration) * dqn.actors, unit="step", unit_scale=True,
        desc="train", disable=None,
    ) as bar:  # fmt: skip
        while (done := int(state.iteration)) < dqn.iterations:
            # Chunks end where learning starts, at every evaluation, and at the end.
            stops = [
                warm if done < warm else dqn.iterations,
                (done // every + 1) * every,
                dqn.iterations,
            ]
            stop = min(stops)
            state, metrics = iterate(dqn, mdp, state, stop - done, done >= warm)
            bar.update((stop - done) * dqn.actors)
            if stop % every and stop != dqn.iterations:
                continue
            found, archs = evaluate(dqn, state.learner.params, part, keys, queries)
            seen = (
                state.seen.at[archs.reshape(-1)].set(True)
                if state.seen.shape[0] == part.space.size
                else state.seen
            )
            state = state._replace(
                seen=seen, lookups=state.lookups + archs.shape[0] * archs.shape[1]
            )
            jax.block_until_ready(
                (state, archs)
            )  # so that the time is that of the work, not of its being asked for
            row = {"step": stop * dqn.actors, "seconds": spent + time.monotonic() - started}
            row |= {name: float(x[-100:].mean()) for name, x in metrics._asdict().items()}
            row |= {"lookups": int(state.lookups), "distinct": int(state.seen.sum())}
            for i, q in enumerate(queries):
                row |= {f"val_{q}": float(found.val[i]), f"reported_{q}": float(found.reported[i])}
            rows.append(row)
            score = float(jnp.mean(found.val))
            if score > best:
                best = score
                _checkpoint(dqn, state, part, benchmark, said, row, score).save(folder)
            save_state(folder / STATE, state, rows, best)
            bar.set_postfix(loss=f"{row['loss']:.2g}", val20=f"{row['val_20']:.4f}")
    baselines = {name: _baseline(name, part, queries, keys) for name in BASELINES}
    write_curve(folder / CURVE, rows)
    training_plot.write(
        folder / "curve", rows, baselines, benchmark.name + said, float(part.optimum), part.reports
    )
    store.write_json(
        folder / store.MANIFEST,
        {
            "kind": "train",
            **identity,
            "rows": rows[-1],
            "baselines": baselines,
            "versions": store.versions(),
            "peak_mb": round(store.peak_mb()),
        },
    )
    (folder / STATE).unlink(missing_ok=True)
    return folder


def _checkpoint(
    dqn: DQNConfig,
    state: TrainState,
    part: Any,
    benchmark: Any,
    said: str,
    row: dict[str, float],
    score: float,
) -> Any:
    import jax

    from rlnas.agents.checkpoint import Checkpoint

    remembered = state.seen.shape[0] == part.space.size
    seen = (
        np.asarray(part.space.rows)[np.asarray(state.seen)]
        if remembered and hasattr(part.space, "rows")
        else None
    )
    facts = {
        "benchmark": benchmark.describe(),
        "shown": said,
        "step": int(row["step"]),
        "lookups": int(row["lookups"]),
        "distinct": int(row["distinct"]) if remembered else None,
        "validation": score,
    }
    return Checkpoint(dqn, jax.device_get(state.learner.params), facts, seen)


def _baseline(
    name: str, benchmark: Any, queries: tuple[int, ...], keys: Any
) -> dict[str, list[float]]:
    from rlnas import agents
    from rlnas.agents.evaluate import incumbents
    from rlnas.agents.protocol import run_seeds

    found = incumbents(run_seeds(agents.config(name)(), benchmark, max(queries), keys), queries)
    return {key: np.asarray(x).tolist() for key, x in found._asdict().items()}


def save_state(path: Path, state: TrainState, rows: list[dict[str, float]], best: float) -> None:
    """All leaves of the state, exactly; the rows of the curve beside them, so that both are of one
    moment."""
    import json

    import jax

    from rlnas.bench.files import atomic_path

    leaves = jax.tree.leaves(state._replace(key=jax.random.key_data(state.key)))
    arrays = {f"leaf{i:04d}": np.asarray(x) for i, x in enumerate(jax.device_get(leaves))}
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            allow_pickle=False,
            rows=np.array(json.dumps(rows)),
            best=np.float64(best),
            **arrays,
        )


def load_state(path: Path, like: TrainState) -> tuple[TrainState, list[dict[str, float]], float]:
    """What `save_state` wrote, in the structure of `like`; `UserError` when it is of another
    program."""
    import json
    import zipfile

    import jax
    import jax.numpy as jnp

    bare = like._replace(key=jax.random.key_data(like.key))
    leaves, structure = jax.tree.flatten(bare)
    try:
        with np.load(path, allow_pickle=False) as file:
            saved = [file[f"leaf{i:04d}"] for i in range(len(leaves))]
            rows, best = json.loads(str(file["rows"])), float(file["best"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); delete its folder and train again") from None
    if [x.shape for x in saved] != [x.shape for x in leaves]:
        raise UserError(f"{path} was written by another version; delete its folder and train again")
    state = jax.tree.unflatten(structure, [jnp.asarray(x) for x in saved])
    return state._replace(key=jax.random.wrap_key_data(state.key)), rows, best


def write_curve(path: Path, rows: list[dict[str, float]]) -> None:
    """One line an evaluation."""
    from rlnas.bench.files import atomic_path

    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def summary(folder: Path) -> str:
    """What a finished training came to, beside the baselines, in a few lines."""
    import json

    from rlnas.analysis import store

    manifest = json.loads((folder / store.MANIFEST).read_text())
    facts = json.loads((folder / "checkpoint.json").read_text())
    with open(folder / CURVE, newline="") as file:
        rows = list(csv.DictReader(file))
    seconds = float(rows[-1]["seconds"])
    queries = [int(key.removeprefix("val_")) for key in rows[0] if key.startswith("val_")]
    distinct = (
        f"{facts['distinct']:,} distinct"
        if facts["distinct"] is not None
        else "an unknown number of distinct"
    )
    chosen = next(row for row in rows if int(row["step"]) == facts["step"])
    lines = [
        f"trained {rows[-1]['step']} steps in {seconds:.0f} s "
        f"({float(rows[-1]['step']) / seconds:,.0f} a second, "
        f"evaluations included), peak memory {manifest.get('peak_mb', math.nan):,.0f} MB",
        f"best checkpoint, by validation, at {facts['step']}: {facts['lookups']:,} look-ups of "
        f"{distinct} "
        "architectures before it",
        f"{manifest['benchmark']['reports']} of the incumbent, mean of "
        f"{manifest['evaluation_seeds']} searches (%)",
        f"{'queries':14}" + "".join(f"{q:>9}" for q in queries),
        f"{'dqn':14}" + "".join(f"{100 * float(chosen[f'reported_{q}']):9.3f}" for q in queries),
    ]
    for name, values in manifest["baselines"].items():
        lines.append(f"{name:14}" + "".join(f"{100 * x:9.3f}" for x in values["reported"]))
    lines += [
        f"checkpoint  {folder}",
        f"            rlnas compare --agents random_search dqn:{folder}",
    ]
    return "\n".join(lines)
