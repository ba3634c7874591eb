"""BANANAS: an ensemble of small networks predicts accuracies, and draws from what it is unsure of
say what is asked next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int8, Key

from rlnas.agents.ensemble import Ensemble
from rlnas.agents.occasional import when
from rlnas.agents.protocol import Agent, first_in
from rlnas.bench import graphs, memory
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.bounds import Within
from rlnas.bench.candidates import candidates
from rlnas.bench.errors import UserError
from rlnas.bench.memory import Memory


class State(NamedTuple):
    """asked: the latest queries. codes: int8 [memory, f], what the networks see of them. picks:
    [round], those to ask in this round."""

    asked: Memory
    codes: Int8[Array, "memory f"]
    picks: Arch


class Known(NamedTuple):
    """What a round is chosen by. archs, codes, allowed: the candidates. inputs, vals: the queries'
    codes and values, used where there is a value. key: of the training and the draws."""

    archs: Arch
    codes: Int8[Array, "n f"]
    allowed: Bool[Array, " n"]
    inputs: Int8[Array, "memory f"]
    vals: Float32[Array, " memory"]
    used: Bool[Array, " memory"]
    key: Key[Array, ""]


@dataclass(frozen=True)
class Bananas:
    """BANANAS (White et al. 2021, arXiv 1910.11858; naszilla).

    Theirs: 10 draws, then rounds of 10; before each an ensemble of 5 networks is trained from
    scratch on all answers (mean absolute error, Adam with b2 = .99, batches of 32), on the path
    encoding, truncated; independent Thompson sampling among mutations of the best.

    Ours: one hidden layer of 40 units and 100 batches, where theirs has 10 layers of 20 and 150
    epochs (`bananas:layers=10,width=20,steps=600`), at many times the cost; counts (vertices,
    edges, operations, which follows which) beside the paths; ranks as normal scores for errors in
    percent; batches drawn with replacement. Neighbours serve as mutations: they mutate the best 100
    times, and the next best only while there are fewer than 100 candidates; here up to 20
    neighbours of each of the best 5 are candidates, and a few fresh draws. An answer without a
    value teaches nothing and is not asked again.
    """

    initial: int = 10
    """Uniform draws before the first round."""

    round: int = 10
    """Queries a round; the ensemble is trained from scratch before each."""

    ensemble: int = 5
    """Networks."""

    layers: Annotated[int, Within(1, 100)] = 1
    """Hidden layers of each."""

    width: int = 40
    """Units of each of them."""

    steps: int = 100
    """Batches that each network learns from, before each round."""

    batch: int = 32
    """Queries in a batch, drawn with replacement."""

    learning_rate: float = 0.01
    """Of Adam."""

    parents: int = 5
    """The best so many are those whose neighbours are candidates."""

    near: int = 20
    """Neighbours of each of them, at most."""

    fresh: int = 0
    """Uniform draws among the candidates beside those a round needs at least."""

    memory: int = 512
    """Latest queries learnt from, and known not to be asked again; exact for budgets up to this."""

    def __post_init__(self) -> None:
        least = {name: 1 for name in ("initial", "round", "ensemble", "layers", "width", "steps")}
        least |= {name: 1 for name in ("batch", "parents", "near")} | {"fresh": 0, "memory": 8}
        for name, minimum in least.items():
            if (value := getattr(self, name)) < minimum:
                raise UserError(f"bananas has {name}={value}; expected at least {minimum}")
        if self.parents > self.memory:
            raise UserError(
                f"bananas has parents={self.parents}; expected at most memory={self.memory}"
            )
        if not self.learning_rate > 0:
            raise UserError(f"bananas has learning_rate={self.learning_rate}; expected above 0")

    def build(self, space: SearchSpace) -> Agent:
        code = graphs.known(space, graphs.together(graphs.parts(space)))
        near = min(self.near, space.max_degree)
        fresh = self.round + self.fresh

        def init(key: Key[Array, ""]) -> State:
            somewhere = space.sample(key)  # never asked: only its shape counts
            seen = jax.eval_shape(code, somewhere)
            return State(
                memory.empty(space, self.memory),
                jnp.zeros((self.memory, *seen.shape), jnp.int8),
                jnp.broadcast_to(somewhere, (self.round, *somewhere.shape)),
            )

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            asked, codes, picks = state
            key, near_key, start_key = jax.random.split(key, 3)
            archs, allowed = candidates(near_key, space, asked, self.parents, near, fresh)
            known = Known(
                archs, jax.vmap(code)(archs), allowed, codes, asked.vals, jnp.isfinite(asked.vals),
                key,
            )  # fmt: skip
            place = (asked.queries - self.initial) % self.round
            due = (asked.queries >= self.initial) & (place == 0)
            picks = when(due, self.chosen, picks, known)
            starting = asked.queries < self.initial
            arch = jnp.where(starting, space.sample(start_key), picks[place])
            return arch, state._replace(picks=picks)

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            at = state.asked.queries % self.memory
            codes = state.codes.at[at].set(code(arch))
            return State(memory.remember(state.asked, arch, result), codes, state.picks)

        return Agent(init, ask, tell)

    def chosen(self, picks: Arch, known: Known) -> Arch:
        """A round's queries."""
        train_key, draw_key = jax.random.split(known.key)
        draws = sampled(draw_key, self.predicted(train_key, known))
        allowed = known.allowed & first_in(known.archs)
        # Fresh draws stand first: where too few candidates are left, they are asked.
        return known.archs[best_places(jnp.where(allowed, draws, -jnp.inf), self.round)]

    def predicted(self, key: Key[Array, ""], known: Known) -> Float32[Array, "e n"]:
        """What the networks, trained from scratch, say of the candidates, in normal scores."""
        learner = Ensemble(
            self.ensemble, self.layers, self.width, self.steps, self.batch, self.learning_rate
        )
        params = learner.fit(key, known.inputs, known.vals, known.used)
        return learner.predict(params, known.codes)


def sampled(key: Key[Array, ""], predicted: Float32[Array, "e n"]) -> Float32[Array, " n"]:
    """Independent Thompson sampling: for each candidate a normal draw of the ensemble's mean and
    standard deviation."""
    noise = jax.random.normal(key, predicted.shape[1:], jnp.float32)
    return predicted.mean(0) + predicted.std(0) * noise


def best_places(draws: Float32[Array, " n"], n: int) -> Any:
    """Places of the n largest, the earlier of equals."""
    return jax.lax.top_k(draws, n)[1]
