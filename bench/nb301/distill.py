"""`rlnas bench distill`: fit a small network to an exact surrogate, and say how well it imitates
it.

Exact evaluation of the official ensembles allows a few hundred look-ups a second on two cores;
training an agent wants millions. The way there is ours: label uniform draws; fit; then, round by
round, label what climbs on the network itself find good, and fit again, so that it is faithful
where agents go. An eighth of each round's labels is never fitted to.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float32, Int8, Key

from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor, check_same
from rlnas.bench.files import quoted
from rlnas.bench.jax_setup import configuration, pinned
from rlnas.bench.nb301 import store
from rlnas.bench.nb301.benchmark import SurrogateBenchmark
from rlnas.bench.nb301.distilled import FORMAT, DistilledNetwork, new_network, to_arrays
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.nb301.load import load
from rlnas.bench.npz import save_npz
from rlnas.bench.progress import bar
from rlnas.bench.rank import spearman
from rlnas.bench.workers import Failure, Tell

HELD_OUT = 8
"""One label of so many is held out."""
BATCH = 256
LEARNING_RATE = 2e-3
CLIMB = 24
"""Steps of a climb at most; each takes one of its best few neighbours by the network."""
CHUNK = 1024
"""Architectures labelled at a time."""


class Fitting(NamedTuple):
    """How to fit. labels: exact look-ups, half of them uniform draws, the rest where climbs on the
    network lead. rounds: how often climbs add labels. width: of the two hidden layers. steps:
    batches learnt from in each round. seed: root of all randomness."""

    labels: int = 24_000
    rounds: int = 3
    width: int = 256
    steps: int = 6_000
    seed: int = 0


class Fidelity(NamedTuple):
    """On held-out architectures, uniform ones and climbs' ends in equal measure to what was
    labelled.

    spearman: over all of them. top_spearman: over their best percent (at least 10) by the exact
    surrogate.
    recall: which share of that percent the network has in its own. rmse, largest: errors, fractions
    of accuracy.
    """

    held_out: int
    top: int
    spearman: float
    top_spearman: float
    recall: float
    rmse: float
    largest: float


class Labels(NamedTuple):
    """archs [n, 22]; values [n, 3]: mean, std, seconds (NaN where unknown); held_out [n]."""

    archs: np.ndarray
    values: np.ndarray
    held_out: np.ndarray


@pinned()
def distill(
    benchmark: SurrogateBenchmark, how: Fitting, progress: Any = None, where: Executor = LOCAL
) -> tuple[DistilledNetwork, Labels]:
    """The network, and all labels that were paid for. progress: told how many labels are there.
    where: architectures are labelled there."""
    tell = progress or (lambda count: None)
    half = how.labels // 2 if how.rounds else how.labels
    sample_key, net_key, *round_keys = jax.random.split(jax.random.key(how.seed), 2 + how.rounds)
    labels = label(
        benchmark,
        np.asarray(jax.vmap(DartsSpace().sample)(jax.random.split(sample_key, half))),
        tell,
        where,
    )
    network = fit(labels, how, benchmark, net_key)
    for i, key in enumerate(round_keys):
        share = (how.labels - half) * (i + 1) // how.rounds - (how.labels - half) * i // how.rounds
        found = np.asarray(climbs(network, jax.random.split(key, share)))
        more = label(benchmark, found, tell, where)
        labels = Labels(*(np.concatenate(pair) for pair in zip(labels, more, strict=True)))
        network = fit(labels, how, benchmark, net_key)
    return network, labels


def label(
    benchmark: SurrogateBenchmark, archs: np.ndarray, tell: Any, where: Executor = LOCAL
) -> Labels:
    """Exact answers, in chunks of one shape."""
    chunks = [archs[start : start + CHUNK] for start in range(0, len(archs), CHUNK)]
    values: list[Any] = [None] * len(chunks)

    def done(number: int, found: np.ndarray | Failure) -> None:
        if isinstance(found, Failure):
            raise UserError(f"architectures could not be labelled: {found.reason}")
        values[number] = found
        tell(len(found))

    if where.executor == "local":
        for number, chunk in enumerate(chunks):
            done(number, answers(benchmark, chunk))
    else:
        about, how = benchmark.describe(), configuration()
        tasks = [Chunk(benchmark.name, chunk, about, how) for chunk in chunks]
        where.run_all(label_chunk, tasks, None, lambda number, told: None, done)
    return Labels(archs, np.concatenate(values), np.arange(len(archs)) % HELD_OUT == 0)


@jax.jit
def _predict(model: Any, batch: Array) -> Array:
    return jnp.stack(jax.vmap(model.predict)(batch), axis=1)


def answers(benchmark: SurrogateBenchmark, archs: np.ndarray) -> np.ndarray:
    """[n, 3] as of `Labels`, of at most `CHUNK` architectures."""
    padded = np.concatenate([archs, np.repeat(archs[:1], CHUNK - len(archs), axis=0)])
    return np.asarray(_predict(benchmark.model, padded))[: len(archs)]


@dataclass(frozen=True, eq=False)
class Chunk:
    """What another process labels. about, jax: of the surrogate, and of JAX, where it is asked."""

    surrogate: str
    archs: np.ndarray
    about: Mapping[str, Any]
    jax: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{len(self.archs)} labels of {self.surrogate}"


_loaded = cache(load)  # one copy a worker process


@pinned()
def label_chunk(chunk: Chunk, tell: Tell) -> np.ndarray:
    """One task."""
    check_same("settings of JAX", configuration(), chunk.jax)
    benchmark = _loaded(chunk.surrogate)
    check_same(chunk.surrogate, benchmark.describe(), chunk.about)
    return answers(benchmark, chunk.archs)


def fit(
    labels: Labels, how: Fitting, benchmark: SurrogateBenchmark, key: Key[Array, ""]
) -> DistilledNetwork:
    """Adam with a cosine schedule on the squared error of the standardised outputs."""
    shown = ~labels.held_out
    values = labels.values[shown]
    known = ~np.isnan(values).any(axis=0)
    shift, scale = values.mean(axis=0), values.std(axis=0)
    targets = np.where(
        known & (scale > 0), (values - shift) / np.where(scale > 0, scale, 1), 0
    ).astype(np.float32)
    init_key, fit_key = jax.random.split(key)
    network = new_network(init_key, how.width, shift, np.where(known, scale, 0), benchmark.members)
    return _fit(network, jnp.asarray(labels.archs[shown]), jnp.asarray(targets), how.steps, fit_key)


@partial(jax.jit, static_argnums=3)
def _fit(
    network: DistilledNetwork,
    archs: Int8[Array, "n 22"],
    targets: Float32[Array, "n 3"],
    steps: int,
    key: Any,
) -> DistilledNetwork:
    optimiser = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))
    encodings = DartsSpace().encode(archs)

    def loss_of(layers: Any, at: Array) -> Float[Array, ""]:
        candidate = DistilledNetwork(layers, network.shift, network.scale, network.members)
        return ((candidate.standardised(encodings[at]) - targets[at]) ** 2).mean()

    def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, None]:
        layers, state = carry
        at = jax.random.randint(key, (BATCH,), 0, len(archs))
        updates, state = optimiser.update(jax.grad(loss_of)(layers, at), state)
        return (optax.apply_updates(layers, updates), state), None

    start = (network.layers, optimiser.init(network.layers))  # type: ignore[arg-type]
    (layers, _), _ = jax.lax.scan(step, start, jax.random.split(key, steps))
    return DistilledNetwork(layers, network.shift, network.scale, network.members)


@jax.jit
def climbs(network: DistilledNetwork, keys: Key[Array, " n"]) -> Int8[Array, "n 22"]:
    """From a uniform start each: a random number of steps, each to one of the four best neighbours
    by the network."""
    space = DartsSpace()
    every = jnp.arange(space.max_degree)

    def climb(key: Key[Array, ""]) -> Int8[Array, " 22"]:
        start_key, length_key, walk_key = jax.random.split(key, 3)
        length = jax.random.randint(length_key, (), 1, CLIMB + 1)

        def step(arch: Array, x: tuple[Array, Array]) -> tuple[Array, None]:
            i, key = x
            near = jax.vmap(lambda j: space.neighbour(arch, j))(every)
            _, best = jax.lax.top_k(network.standardised(space.encode(near))[:, 0], 4)
            return jnp.where(i < length, near[jax.random.choice(key, best)], arch), None

        steps = (jnp.arange(CLIMB), jax.random.split(walk_key, CLIMB))
        return jax.lax.scan(step, space.sample(start_key), steps)[0]

    return jax.lax.map(climb, keys, batch_size=256)


def fidelity(network: DistilledNetwork, labels: Labels) -> Fidelity:
    """How well the network ranks and hits the held-out labels."""
    archs, exact = labels.archs[labels.held_out], labels.values[labels.held_out, 0]
    guess = np.asarray(jax.jit(jax.vmap(network.predict))(jnp.asarray(archs)).mean)
    error = np.abs(guess - exact)
    top = max(10, len(exact) // 100)
    best, guessed = np.argsort(-exact)[:top], np.argsort(-guess)[:top]
    return Fidelity(
        held_out=len(exact),
        top=top,
        spearman=float(spearman(exact, guess)),
        top_spearman=float(spearman(exact[best], guess[best])),
        recall=len(np.intersect1d(best, guessed)) / top,
        rmse=float(np.sqrt((error**2).mean())),
        largest=float(error.max()),
    )


def write_distilled(
    surrogate: str, how: Fitting, out: Path | None = None, where: Executor = LOCAL
) -> str:
    """Label, fit, save, and say how faithful it is. surrogate: the name of an exact one. out:
    default, the cache folder. where: as of `distill`."""
    benchmark = load(surrogate)
    if benchmark.distilled:
        raise UserError(
            f"{benchmark.name} is distilled itself; expected an exact surrogate, "
            f"{benchmark.distilled}"
        )
    path = out or store.folder() / f"distilled-{benchmark.name.removeprefix(store.PREFIX)}.npz"
    started = time.monotonic()
    with where.opened(), bar("distill", how.labels, unit="label") as shown:
        network, labels = distill(benchmark, how, shown.update, where)
    found = fidelity(network, labels)
    save_npz(
        path,
        FORMAT,
        to_arrays(network),
        of=benchmark.describe(),
        settings=how._asdict(),
        fidelity=found._asdict(),
        members=benchmark.members,
    )
    return (
        f"{quoted(path)}: distilled from {benchmark.name} with {how.labels:,} look-ups, "
        f"{time.monotonic() - started:.0f} s\n"
        f"on {found.held_out:,} held-out architectures: rank correlation {found.spearman:.4f}, in "
        f"the best {found.top} {found.top_spearman:.3f}; {found.recall:.0%} of these are in the "
        f"network's own best {found.top}\n"
        f"error in percentage points: root mean square {100 * found.rmse:.3f}, largest "
        f"{100 * found.largest:.3f}\n"
        f"next: rlnas train --benchmark {store.PREFIX + path.stem if out is None else quoted(path)}"
    )
