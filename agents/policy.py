"""What policy-gradient agents share: policies over the choices of a search space, batches of what
they drew, and running baselines.

A policy is asked for one choice after the other; choices that are not allowed have no probability.
All is unbatched: `vmap` makes batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float32, Int, Int32, Key

from rlnas.agents.networks import MASKED
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, Decisions, QueryResult

Params = Any
"""A policy's parameters: any pytree of float32 arrays."""


@runtime_checkable
class Policy(Protocol):
    """Scores for every choice, from parameters and what it remembers of the sequence so far."""

    @property
    def decisions(self) -> Decisions:
        """What is chosen."""

    @property
    def events(self) -> np.ndarray:
        """int [E]: the step that is decided at each event, in order; T where none is."""

    def init(self, key: Key[Array, ""]) -> Params:
        """Parameters to start with."""

    def begin(self, params: Params) -> Any:
        """What is remembered before the first event."""

    def step(
        self, params: Params, memory: Any, taken: Int[Array, " T"], event: Int[Array, ""]
    ) -> tuple[Float32[Array, " K"], Any]:
        """(logits, memory) at an event, `taken` up to its step; masks are not the policy's."""


class Played(NamedTuple):
    """A sequence under a policy. taken: the choices. log_prob: of each choice; entropy: of what it
    was drawn from; both in nats."""

    taken: Int32[Array, "*b T"]
    log_prob: Float32[Array, "*b T"]
    entropy: Float32[Array, "*b T"]


def play(policy: Policy, params: Params, pick: Callable[[Any, Any], Any]) -> Played:
    """A whole sequence. pick: (t, masked logits [K]) -> the choice at step t."""
    decisions, steps = policy.decisions, len(policy.decisions.sizes)
    events = np.asarray(policy.events, np.int32)

    def step(carry: Any, event: Any) -> tuple[Any, Any]:
        taken, memory = carry
        at, t = event
        logits, memory = policy.step(params, memory, taken, at)
        inside = jnp.minimum(t, steps - 1)
        odds = jnp.where(decisions.allowed(taken, inside), logits, jnp.float32(MASKED))
        choice = pick(inside, odds).astype(jnp.int32)
        log_probs = jax.nn.log_softmax(odds)
        entropy = -(jnp.exp(log_probs) * log_probs).sum()
        taken = taken.at[t].set(choice, mode="drop")
        return (taken, memory), (log_probs[choice], entropy)

    blank = jnp.zeros(steps, jnp.int32)
    order = jnp.arange(len(events), dtype=jnp.int32)
    (taken, _), seen = jax.lax.scan(step, (blank, policy.begin(params)), (order, events))
    log_prob, entropy = (values[np.flatnonzero(events < steps)] for values in seen)
    return Played(taken, log_prob, entropy)


def draw(policy: Policy, params: Params, key: Key[Array, ""]) -> Played:
    """A sequence drawn from the policy."""
    sizes = policy.decisions.sizes
    # `jax.random.categorical` for all steps at once: one draw compiles faster than many.
    noise = jax.random.gumbel(key, (len(sizes), max(sizes)), jnp.float32)
    return play(policy, params, lambda t, odds: jnp.argmax(odds + noise[t]))


def score(policy: Policy, params: Params, taken: Int[Array, " T"]) -> Played:
    """A given sequence."""
    return play(policy, params, lambda t, odds: taken[t])


@dataclass(frozen=True)
class Factorised:
    """One vector of logits a step, zero at the start; steps know nothing of each other, but for
    what is allowed."""

    decisions: Decisions

    @property
    def events(self) -> np.ndarray:
        return np.arange(len(self.decisions.sizes))

    def init(self, key: Key[Array, ""]) -> Float32[Array, "T K"]:
        sizes = self.decisions.sizes
        return jnp.zeros((len(sizes), max(sizes)), jnp.float32)

    def begin(self, params: Params) -> tuple[()]:
        return ()

    def step(
        self, params: Params, memory: Any, taken: Int[Array, " T"], event: Int[Array, ""]
    ) -> tuple[Float32[Array, " K"], Any]:
        return params[event], memory


class Average(NamedTuple):
    """A running average of rewards. total: momentum x total + (1 - momentum) x reward, from 0;
    weight: the same of ones."""

    total: Float32[Array, ""]
    weight: Float32[Array, ""]

    @property
    def mean(self) -> Float32[Array, ""]:
        """Without the bias towards the start; 0 before the first reward."""
        return jnp.where(self.weight > 0, self.total / jnp.maximum(self.weight, 1e-30), 0.0)

    def add(self, reward: Float32[Array, ""], momentum: float) -> Average:
        """With one more reward; NaN is none."""
        there, keep = ~jnp.isnan(reward), jnp.float32(momentum)
        total = keep * self.total + (1 - keep) * jnp.where(there, reward, 0.0)
        weight = keep * self.weight + (1 - keep)
        return Average(*(jnp.where(there, *x) for x in zip((total, weight), self, strict=True)))


NO_REWARDS = (0.0, 0.0)
"""What an `Average` starts from."""


class State(NamedTuple):
    """learner: what learning changes. drawn: the batch that is being asked, [B]. rewards: float32
    [B], NaN where an answer had no value. queries: how many there were; the same number in every
    search that runs beside this one."""

    learner: Any
    drawn: Played
    rewards: Float32[Array, " B"]
    queries: Int32[Array, ""]


def batched(
    decisions: Decisions,
    batch: int,
    begin: Callable[[Any], Any],
    draw: Callable[[Any, Any], Played],
    learn: Callable[[Any, Played, Any], Any],
) -> Agent:
    """The agent that draws `batch` sequences, asks one after the other, and learns from them
    together.

    begin: key -> learner. draw: (learner, key) -> one sequence. learn: (learner, batch, rewards) ->
    learner. The parameters do not change within a batch, so it is drawn at its first query, in one
    go. Whether a query is the first or the last of its batch depends on nothing but how many there
    were: searches that are vmapped share the number, so the other queries of all cost no learning.
    """

    def init(key: Key[Array, ""]) -> State:
        learner = begin(key)
        blank = jax.eval_shape(draw, learner, key)
        drawn = jax.tree.map(lambda x: jnp.zeros((batch, *x.shape), x.dtype), blank)
        return State(learner, drawn, jnp.zeros(batch, jnp.float32), jnp.int32(0))

    def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
        place = state.queries % batch

        def new() -> Played:
            keys = jax.random.split(key, batch)
            return jax.vmap(lambda key: draw(state.learner, key))(keys)

        drawn = now(place == 0, new, state.drawn, batch)
        return decisions.build(drawn.taken[place]), state._replace(drawn=drawn)

    def tell(state: State, arch: Arch, result: QueryResult) -> State:
        place = state.queries % batch
        reward = jnp.where(result.valid, result.val, jnp.nan).astype(jnp.float32)
        rewards = state.rewards.at[place].set(reward)
        learner = now(
            place == batch - 1,
            lambda: learn(state.learner, state.drawn, rewards),
            state.learner,
            batch,
        )
        return State(learner, state.drawn, rewards, state.queries + 1)

    return Agent(init, ask, tell)


def now(when: Bool[Array, ""], new: Callable[[], Any], old: Any, batch: int) -> Any:
    """`new()` when it is time, `old` before; a batch of one is always due."""
    return new() if batch == 1 else jax.lax.cond(when, new, lambda: old)


def in_turn(learn: Callable[..., Any]) -> Callable[..., Any]:
    """`learn`, which stays a loop where it is vmapped: the matrices of one search fit into a cache,
    those of hundreds beside each other do not."""
    return jax.custom_batching.sequential_vmap(learn)


def ascend(
    policy: Policy,
    optimiser: optax.GradientTransformation,
    params: Params,
    opt_state: Any,
    taken: Int[Array, "B T"],
    advantage: Float32[Array, " B"],
) -> tuple[Params, Any]:
    """(parameters, state of the optimiser) after one step of REINFORCE."""

    def loss(params: Params) -> Float32[Array, ""]:
        log_prob = jax.vmap(lambda taken: score(policy, params, taken).log_prob)
        return policy_gradient_loss(log_prob(taken), advantage)

    updates, opt_state = optimiser.update(jax.grad(loss)(params), opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def policy_gradient_loss(
    log_prob: Float32[Array, "B T"], advantage: Float32[Array, " B"]
) -> Float32[Array, ""]:
    """-mean over the batch of advantage x the log-probability of the sequence; NaN counts as 0."""
    return -(jnp.nan_to_num(advantage) * log_prob.sum(-1)).mean()
