"""BlockQNN: tabular Q-learning with a shaped reward, in batches of blocks. With a predictor it is
Faster BlockQNN, with several workers its asynchronous framework."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key

from rlnas.agents import asynchronous, block_predictor, tabular
from rlnas.agents.asynchronous import Workers
from rlnas.agents.block_predictor import Predictor
from rlnas.agents.protocol import Agent, History
from rlnas.agents.tabular import Log, Sample
from rlnas.bench.benchmark import Arch, Benchmark, Costed, Decisions, QueryResult, SearchSpace
from rlnas.bench.decisions import decisions_of
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned
from rlnas.bench.rank import spearman

LENGTHS = (95, 7, 7, 7, 10, 10, 10, 10, 10, 12)
"""Iterations at epsilon 1.0, .9, ... .1: 178."""
WARM_UP = 20
"""Answers before the predictor has a say."""
MOST_REMARKED = 20
"""Searches made again to see what the predictor said in them."""


class State(NamedTuple):
    """q: values [states, choices]. log: blocks with their answers, as far as they came. workers:
    what is being trained. who, asked: who gets the block that is being looked up. predicted: its
    prediction, NaN where nobody asked for one. queries: how many were answered."""

    q: Float32[Array, "S K"]
    log: Log
    workers: Workers
    who: Int32[Array, ""]
    asked: Sample
    predictor: Predictor | None
    predicted: Float32[Array, ""]
    queries: Int32[Array, ""]


@dataclass(frozen=True)
class BlockQNN:
    """BlockQNN (Zhong et al. 2018, arXiv 1708.05552; 1808.05584), with the constants of an
    independent Keras version.

    From there: epsilon-greedy choices, epsilon from 1 to .1 by iterations; an iteration makes
    `blocks` blocks and then replays `replay` of all so far, each swept backwards: the last choice
    towards the accuracy r, every one before it towards r / T + the largest next value (T: the
    number of steps), so that the reward is not only at the end. Every block is a query, repeated or
    not.

    In the place of the paper's five numbers a layer (index, type, kernel, two predecessors) stand
    the space's own choices (`SearchSpace.decisions`): on NAS-Bench-101 for each vertex its
    operation, then one by one its inputs. Ours too: an iteration is one block (as in that version;
    the paper's 64 are for thousands of queries); the schedule is stretched to `schedule` queries,
    by default for budgets of about 150. The paper's run is `blocks=64,schedule=11392`. Its
    correction of accuracies after few epochs is off unless asked for (`mu=1,rho=8` are its numbers;
    NASGym's authors found it too strict where accuracies are low), and needs a space that is
    `Costed`; density is edges by vertices. The log is bounded. An answer without a value teaches
    nothing.
    """

    schedule: int = 150
    """Queries that the epsilon schedule is stretched to; epsilon stays .1 behind it."""

    blocks: int = 1
    """Blocks an iteration."""

    replay: int = 64
    """Blocks replayed an iteration."""

    shaped: bool = True
    """Whether every choice is rewarded; if not, the last alone."""

    mu: float = 0.0
    """What is learned from is the accuracy in % - mu ln(FLOPs) - rho ln(density), as a fraction
    again."""

    rho: float = 0.0
    """See mu."""

    alpha: float = 0.01
    """Learning rate, above 0 and at most 1."""

    initial: float = 0.5
    """Every value at the start."""

    memory: int = 1024
    """Blocks kept for replay, the latest; more than a run asks is the original."""

    predictor: bool = False
    """Faster BlockQNN: of up to `tries` blocks the first that the predictor puts above the
    `threshold` is asked, else the one it puts highest. A network with one hidden layer on the
    choices, trained a little every iteration; both are ours (the paper's is a recurrent one)."""

    tries: int = 16
    """Blocks made for the predictor to choose from."""

    threshold: float = 0.0
    """In standard deviations above the mean answer."""

    workers: int = 1
    """Simulated asynchronous workers: up to workers - 1 answers are late, by their simulated
    seconds (`rlnas.agents.asynchronous`)."""

    def __post_init__(self) -> None:
        for name in ("schedule", "blocks", "replay", "memory", "tries", "workers"):
            if (value := getattr(self, name)) < 1:
                raise UserError(f"{self._name} has {name}={value}; expected at least 1")
        if not 0 < self.alpha <= 1:
            raise UserError(f"{self._name} has alpha={self.alpha}; expected above 0 and at most 1")

    @property
    def _name(self) -> str:
        return type(self).__name__.lower()

    def stimuli(self, decisions: Decisions) -> Float32[np.ndarray, "T K"] | None:
        """What each choice is rewarded with besides; nothing here."""
        return None

    def build(self, space: SearchSpace) -> Agent:
        decisions = decisions_of(space, self._name)
        if (self.mu or self.rho) and not isinstance(space, Costed):
            raise UserError(
                f"{self._name} has mu={self.mu}, rho={self.rho}, but {type(space).__name__} tells "
                "no FLOPs and no density; leave both out"
            )
        width = max(decisions.sizes)
        share = 1 / len(decisions.sizes) if self.shaped else 0.0
        further = self.stimuli(decisions)

        def init(key: Key[Array, ""]) -> State:
            log = tabular.empty(space, decisions, self.memory)
            holds = tabular.blank(space, decisions, self.workers)
            nobody = jnp.int32(0)
            return State(
                q=tabular.values(decisions, self.initial),
                log=log,
                workers=Workers(holds, jnp.zeros(self.workers, jnp.float32)),
                who=nobody,
                asked=jax.tree.map(lambda x: x[0], holds),
                predictor=block_predictor.create(width, log, key) if self.predictor else None,
                predicted=jnp.float32(jnp.nan),
                queries=jnp.int32(0),
            )

        def learn(key: Key[Array, ""], log: Log, q: Any, predictor: Any) -> tuple[Any, Any]:
            replay_key, fit_key = jax.random.split(key)
            nothing = log._replace(total=jnp.int32(0))
            replayed = tabular.replays(replay_key, log, nothing, self.replay)
            q = tabular.sweep(q, replayed, self.alpha, share, further)
            if predictor is not None:
                predictor = block_predictor.fit(predictor, width, log, fit_key)
            return q, predictor

        def choose(key: Key[Array, ""], epsilon: Any, q: Any, predictor: Any, log: Log) -> Any:
            """(a block, its prediction)"""
            if predictor is None:
                return tabular.sample(decisions, q, epsilon, key), jnp.float32(jnp.nan)
            keys = jax.random.split(key, self.tries)
            found = jax.vmap(lambda key: tabular.sample(decisions, q, epsilon, key))(keys)
            scores = block_predictor.predict(predictor, width, found.slots)
            good = scores > self.threshold
            trusted = log.total >= WARM_UP
            best = jnp.where(good.any(), jnp.argmax(good), jnp.argmax(scores))
            taken = jnp.where(trusted, best, 0)
            block = jax.tree.map(lambda x: x[taken], found)
            return block, jnp.where(trusted, scores[taken], jnp.nan)

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            learn_key, sample_key = jax.random.split(key)
            who, brought = asynchronous.first_free(state.workers)
            log = tabular.append(state.log, brought, ~jnp.isnan(brought.val))
            q, predictor = jax.lax.cond(
                state.queries % self.blocks == 0,
                partial(learn, learn_key, log),
                lambda *same: same,
                state.q,
                state.predictor,
            )
            epsilon = tabular.epsilon(LENGTHS, self.schedule, state.queries)
            block, predicted = choose(sample_key, epsilon, q, predictor, log)
            return block.arch, state._replace(
                q=q, log=log, who=who, asked=block, predictor=predictor, predicted=predicted
            )

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            val = jnp.where(result.valid, result.val, jnp.nan).astype(jnp.float32)
            if isinstance(space, Costed) and (self.mu or self.rho):
                val -= self.mu / 100 * jnp.log(space.flops(arch))
                val -= self.rho / 100 * jnp.log(space.density(arch))
            asked = state.asked._replace(arch=arch, val=val)
            workers = asynchronous.give(state.workers, state.who, asked, result)
            return state._replace(workers=workers, queries=state.queries + 1)

        return Agent(init, ask, tell)

    def remarks(
        self, benchmark: Benchmark, keys: Key[Array, " seeds"], history: History
    ) -> tuple[str, ...]:
        """What the predictor was worth, and what several workers save."""
        said = []
        if self.predictor:
            some = keys[:MOST_REMARKED]
            found = rank_correlation(*predictions(self, benchmark, history.val.shape[1], some))
            found = found[np.isfinite(found)]
            rho = f"{found.mean():.2f}" if len(found) else "unknown"
            said.append(
                f"the rank correlation of predictions with answers, of blocks that the predictor "
                f"let pass, is {rho} (mean of {len(found)} searches)"
            )
        if self.workers > 1:
            times = asynchronous.speed_up(np.asarray(history.sim_seconds), self.workers).mean()
            said.append(
                f"{self.workers} simulated workers take {1 / times:.2f} of the time of one (up to "
                f"{self.workers - 1} answers are late)"
            )
        return tuple(said)


@pinned()
def predictions(
    settings: BlockQNN, benchmark: Benchmark, budget: int, keys: Key[Array, " seeds"]
) -> tuple[Float32[np.ndarray, "seeds budget"], Float32[np.ndarray, "seeds budget"]]:
    """(what the predictor said of each block before it was asked, NaN before its warm-up; the
    answers), of the searches that `run_seeds` makes."""

    @jax.jit
    def run(benchmark: Any, keys: Any) -> Any:
        agent = settings.build(benchmark.space)

        def query(state: State, key: Any) -> Any:
            ask_key, query_key = jax.random.split(key)
            arch, state = agent.ask(ask_key, state)
            result = benchmark.query(arch, query_key)
            return agent.tell(state, arch, result), (state.predicted, result.val)

        def search(key: Any) -> Any:
            init_key, key = jax.random.split(key)
            return jax.lax.scan(query, agent.init(init_key), jax.random.split(key, budget))[1]

        return jax.vmap(search)(keys)

    predicted, answered = run(benchmark, keys)
    return np.asarray(predicted), np.asarray(answered)


def rank_correlation(
    predicted: Float32[np.ndarray, "seeds budget"], answered: Float32[np.ndarray, "seeds budget"]
) -> np.ndarray:
    """float64 [seeds]: Spearman's rho of `predictions`, NaN where there are none. They are of the
    blocks that the predictor let pass: of all blocks rho would be larger."""
    known = np.isfinite(predicted) & np.isfinite(answered)
    pairs = zip(predicted, answered, known, strict=True)
    return np.array([float(spearman(p[k], a[k])) if k.any() else np.nan for p, a, k in pairs])
