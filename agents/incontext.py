"""The agent that reads the answers: a policy over candidates that is trained on invented tables and
searches any benchmark, at no look-up before the search.

The MDP with memory (`rlnas.bench.search_mdp`). A state becomes tokens: one of the whole search, one
a candidate, one for each of the best and the latest answers; a small transformer with dueling heads
reads them. A candidate's score is the log of its expected improvement by a Gaussian process plus
what the network adds, zero before training: it begins at the level of expected improvement.

Learning is PPO (Schulman et al. 2017) with one difference: on an invented table the rise that each
candidate would bring is known, so that part of the gradient is a sum over all actions (expected
policy gradients, Ciosek and Whiteson 2018), and only what comes after is estimated from the action
taken. All settings are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float32, Int32, Key

from rlnas.agents import beliefs
from rlnas.agents.beliefs import Seen
from rlnas.agents.networks import MASKED, READOUT, EncoderLayer, NetworkConfig
from rlnas.bench.coded import Coded
from rlnas.bench.rewards import Exponential
from rlnas.bench.search_mdp import SearchMDP, SearchState

HISTORY = 8
"""The best so many answers are tokens, and the latest so many."""
FLAGS = 6
"""Of a token: asked, fresh, near the latest, its answer, how long ago, how often among the best."""
CONTEXT = beliefs.SUMMARY + 4


class Tokens(NamedTuple):
    """context: float32 [c]. items: float32 [C + H, d], candidates, then answers. mask: bool [C + H].
    gain: float32 [C], where scores start from. places: int32 [C], of the candidates among those of
    the state."""

    context: Float32[Array, "*b c"]
    items: Float32[Array, "*b items d"]
    mask: Bool[Array, "*b items"]
    gain: Float32[Array, "*b C"]
    places: Int32[Array, "*b C"]


class Network(nn.Module):
    """Dueling heads on a transformer over a set: permuting the tokens permutes what it says."""

    config: NetworkConfig
    shown: int

    @nn.compact
    def __call__(
        self, tokens: Tokens
    ) -> tuple[Float32[Array, "*b C"], Float32[Array, "*b"]]:
        """What is added to each candidate's score, zero at first; and the value of the state."""
        config = self.config
        whole = nn.Dense(config.width, name="context")(tokens.context)
        x = nn.Dense(config.width, name="items")(tokens.items) + whole[..., None, :]
        x = jnp.concatenate([whole[..., None, :], x], axis=-2)
        mask = jnp.concatenate([jnp.ones_like(tokens.mask[..., :1]), tokens.mask], axis=-1)
        for _ in range(config.layers):
            x = EncoderLayer(config)(x, mask, False)
        x = nn.LayerNorm(name=READOUT)(x)
        zeros = nn.initializers.zeros_init()
        hidden = nn.gelu(nn.Dense(config.width, name="advantage")(x[..., 1 : self.shown + 1, :]))
        added = nn.Dense(1, kernel_init=zeros, name="added")(hidden)[..., 0]
        hidden = nn.gelu(nn.Dense(config.width, name="value")(x[..., 0, :]))
        return added, nn.Dense(1, kernel_init=zeros, name="worth")(hidden)[..., 0]


def tokens_of(
    coded: Coded,
    seen: Seen,
    state: SearchState,
    *,
    shown: int,
    horizon: int,
    fresh: int,
    near: int,
    history: bool = True,
) -> Tokens:
    """What the network reads of a state. The `shown` candidates are those of the largest expected
    improvement by any of the processes."""
    fit = beliefs.fitted(seen)
    codes, traits = jax.vmap(coded.code)(state.archs), jax.vmap(coded.traits)(state.archs)
    belief = beliefs.believed(coded, seen, fit, codes, traits)
    # Equal candidates are equal up to rounding: the first of them, in any batch.
    rank = jnp.where(state.mask, jnp.round(belief.rank, 3), jnp.inf)
    _, places = jax.lax.top_k(-rank, shown)
    number = jnp.arange(len(rank), dtype=jnp.int32)
    is_fresh, is_current = number < fresh, number >= fresh + near
    zeros = jnp.zeros(shown, jnp.float32)
    flags = [zeros, is_fresh[places], is_current[places], zeros, zeros, zeros]
    asked = jnp.stack([x.astype(jnp.float32) for x in flags], 1)
    candidates = jnp.concatenate([belief.features[places], asked], 1)

    there = fit.there
    _, best = jax.lax.top_k(jnp.where(there, seen.vals, -jnp.inf), HISTORY)
    latest = jnp.maximum(seen.used - 1 - jnp.arange(HISTORY, dtype=jnp.int32), 0)
    chosen = jnp.concatenate([best, latest])
    ones = jnp.ones(2 * HISTORY, jnp.float32)
    ago = (seen.used - 1 - chosen).astype(jnp.float32) / horizon
    is_best = (jnp.arange(2 * HISTORY) < HISTORY).astype(jnp.float32)
    known = jnp.stack([ones, 0 * ones, 0 * ones, fit.scores[chosen], ago, is_best], 1)
    answers = jnp.concatenate([beliefs.remembered(coded, seen, fit, chosen), known], 1)
    real = jnp.tile(jnp.arange(HISTORY) < seen.used, 2) & history

    used = jnp.minimum(state.t.astype(jnp.float32) / horizon, 1.0)
    top = jnp.argmax(jnp.where(there, seen.vals, -jnp.inf))
    since = (seen.used - 1 - top).astype(jnp.float32) / horizon
    times = jnp.stack([used, 1 - used, jnp.log1p(state.t.astype(jnp.float32)) / 4, since])
    context = jnp.concatenate([beliefs.summary(seen, fit), times])
    return Tokens(
        jnp.clip(context, -beliefs.BOUND, beliefs.BOUND),
        jnp.concatenate([candidates, answers]),
        jnp.concatenate([state.mask[places], real]),
        jnp.round(belief.gain, 3)[places],
        places.astype(jnp.int32),
    )


class Path(NamedTuple):
    """Of an episode, or a batch of them; [T] each. action: among the candidates shown. log_chance:
    of the action when it was taken. rises: float32 [T, C], what each candidate would have brought.
    reward, val: what came."""

    tokens: Tokens
    action: Int32[Array, "*b T"]
    log_chance: Float32[Array, "*b T"]
    rises: Float32[Array, "*b T C"]
    reward: Float32[Array, "*b T"]
    val: Float32[Array, "*b T"]


class Learning(NamedTuple):
    """What learning changes."""

    params: Any
    opt_state: Any


class Training(NamedTuple):
    """A training between iterations; see `rlnas.agents.learner.TrainState`."""

    learner: Learning
    iteration: Int32[Array, ""]
    key: Key[Array, ""]


class Metrics(NamedTuple):
    """Means over an iteration. reward: shaped, an episode. val: the best so far, at the end of the
    episodes, from the median (0) to the best of the table (1)."""

    loss: Float32[Array, "*b"]
    entropy: Float32[Array, "*b"]
    value_loss: Float32[Array, "*b"]
    reward: Float32[Array, "*b"]
    val: Float32[Array, "*b"]


@dataclass(frozen=True)
class InContextLearner:
    """Settings of the MDP with memory, of learning and of the network."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The transformer's sizes."""
    alpha: float = 3.0
    """Shaping exp(alpha u), u from the table's median (0) to its best (1)."""
    horizon: int = 50
    """Queries of an episode."""
    shown: int = 24
    """Candidates that the network reads: those of the largest expected improvement."""
    fresh: int = 64
    """Uniform draws among the candidates."""
    parents: int = 3
    """The best so many are those whose neighbours are candidates."""
    near: int = 16
    """Neighbours of each of them, at most."""
    current: int = 8
    """Neighbours of the latest query that are candidates, at most."""
    history: bool = True
    """Whether answers are tokens of their own."""
    steps: int = 160_000
    """Queries of training, over all episodes."""
    actors: int = 32
    """Episodes that are played together, on a table each."""
    epochs: int = 2
    """Times that an iteration's steps are learnt from."""
    batches: int = 8
    """Batches an epoch."""
    learning_rate: float = 1e-3
    """Of Adam at the start; falls to a tenth by a cosine."""
    gradient_clip: float = 1.0
    """Largest global norm of the gradient."""
    clip: float = 0.2
    """Of the ratio of chances."""
    trace: float = 0.9
    """Lambda of the advantages' estimate."""
    entropy: float = 0.01
    """Weight of the policy's entropy."""

    remembers: ClassVar[bool] = True
    trains_on: ClassVar[str] = "synthetic"

    @property
    def iteration_steps(self) -> int:
        return self.actors * self.horizon

    def module(self) -> Network:
        return Network(self.network, self.shown)

    def optimiser(self) -> optax.GradientTransformation:
        updates = -(-self.steps // self.iteration_steps) * self.epochs * self.batches
        rate = optax.cosine_decay_schedule(self.learning_rate, updates, 0.1)
        return optax.chain(optax.clip_by_global_norm(self.gradient_clip), optax.adam(rate))

    def tokens(self, coded: Coded, seen: Seen, state: SearchState, horizon: int) -> Tokens:
        near = self.parents * min(self.near, coded.space.max_degree)
        return tokens_of(
            coded, seen, state, shown=self.shown, horizon=horizon, fresh=self.fresh, near=near,
            history=self.history,
        )  # fmt: skip

    def logits(self, params: Any, tokens: Tokens) -> tuple[Any, Any]:
        """Scores of the candidates [C], `MASKED` where they may not be asked, and the value."""
        added, value = self.module().apply(params, tokens)
        real = tokens.mask[..., : self.shown]
        return jnp.where(real, tokens.gain + added, MASKED), value

    def fresh_params(self, coded: Coded, key: Key[Array, ""]) -> Any:
        items = self.shown + 2 * HISTORY
        blank = Tokens(
            jnp.zeros(CONTEXT), jnp.zeros((items, beliefs.WIDTH + FLAGS)), jnp.ones(items, bool),
            jnp.zeros(self.shown), jnp.zeros(self.shown, jnp.int32),
        )  # fmt: skip
        return self.module().init(key, blank)

    # Training

    def init(self, tables: Any, key: Key[Array, ""]) -> Training:
        params_key, key = jax.random.split(key)
        params = self.fresh_params(None, params_key)
        return Training(Learning(params, self.optimiser().init(params)), jnp.int32(0), key)

    def episode(self, inventor: Any, params: Any, key: Key[Array, ""]) -> tuple[Path, Any]:
        """A whole episode on a table drawn for it; and how far it came, from 0 to 1."""
        table_key, reset_key, key = jax.random.split(key, 3)
        table, coded = inventor.draw(table_key), inventor.coded
        low, high = jnp.median(table.mean_test), table.optimum
        mdp = SearchMDP(
            table, Exponential(self.alpha, 1.0, low, high), low, self.horizon, self.current,
            self.parents, self.near, self.fresh, anytime=True, judged=True,
        )  # fmt: skip

        def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, Path]:
            state, seen, _ = carry
            pick_key, step_key = jax.random.split(key)
            tokens = self.tokens(coded, seen, state, self.horizon)
            logits, _ = self.logits(params, tokens)
            picked = jax.random.categorical(pick_key, logits)
            chance = jax.nn.log_softmax(logits)[picked]
            rises = mdp.rises(state, state.archs[tokens.places])
            after, reward, _, _, info = mdp.step(step_key, state, tokens.places[picked])
            seen = beliefs.with_answer(coded, seen, info.arch, info.val, info.valid)
            path = Path(tokens, picked.astype(jnp.int32), chance, rises, reward, info.val)
            return (after, seen, info.final.best), path

        start = mdp.reset(reset_key), beliefs.nothing(coded, self.horizon), low
        (_, _, best), path = jax.lax.scan(step, start, jax.random.split(key, self.horizon))
        return path, (best - low) / (high - low)

    def iterate(self, tables: Any, state: Training, learning: bool) -> tuple[Training, Metrics]:
        """Play, on a table an episode; then learn."""
        play_key, learn_key, key = jax.random.split(state.key, 3)
        params = state.learner.params
        each = self.actors // len(tables.inventors)
        played = []
        for i, inventor in enumerate(tables.inventors):
            keys = jax.random.split(jax.random.fold_in(play_key, i), each)
            played.append(jax.vmap(lambda key: self.episode(inventor, params, key))(keys))
        path, came = jax.tree.map(lambda *x: jnp.concatenate(x), *played)
        new, out = self.learn(state.learner, path, learn_key)
        metrics = Metrics(*out, path.reward.sum(1).mean(), came.mean())
        return Training(new, state.iteration + 1, key), metrics

    def learn(self, old: Learning, path: Path, key: Key[Array, ""]) -> tuple[Learning, Any]:
        _, values = self.logits(old.params, path.tokens)
        later, advantage = future(path.reward, values, self.trace)
        chances = jnp.exp(path.log_chance)
        del chances
        scale = jnp.sqrt(path.rises.var(-1).mean() + jnp.square(advantage).mean() + 1e-8)
        steps = jax.tree.map(
            lambda x: x.reshape(-1, *x.shape[2:]), (path, later, advantage / scale)
        )
        many = steps[1].shape[0]
        size = many // self.batches

        def update(carry: Any, places: Any) -> tuple[Any, Any]:
            params, opt_state = carry
            batch = jax.tree.map(lambda x: x[places], steps)
            (_, out), gradient = jax.value_and_grad(self.loss, has_aux=True)(params, batch, scale)
            updates, opt_state = self.optimiser().update(gradient, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), out

        orders = jax.vmap(lambda key: jax.random.permutation(key, many))(
            jax.random.split(key, self.epochs)
        )
        orders = orders[:, : size * self.batches].reshape(-1, size)
        (params, opt_state), out = jax.lax.scan(update, (old.params, old.opt_state), orders)
        return Learning(params, opt_state), tuple(x.mean() for x in out)

    def loss(self, params: Any, batch: Any, scale: Any) -> tuple[Any, Any]:
        path, later, advantage = batch
        logits, values = self.logits(params, path.tokens)
        logs = jax.nn.log_softmax(logits)
        chances = jnp.where(logits > MASKED / 2, jnp.exp(logs), 0.0)
        known = (chances * path.rises).sum(-1) / scale
        ratio = jnp.exp(
            jnp.take_along_axis(logs, path.action[:, None], 1)[:, 0] - path.log_chance
        )
        clipped = jnp.clip(ratio, 1 - self.clip, 1 + self.clip)
        later_part = jnp.minimum(ratio * advantage, clipped * advantage)
        entropy = -(chances * jnp.where(chances > 0, logs, 0.0)).sum(-1)
        value_loss = jnp.square(values - later).mean()
        policy_loss = -(known + later_part).mean()
        loss = policy_loss + value_loss / scale**2 * 0.5 - self.entropy * entropy.mean()
        return loss, (policy_loss, entropy.mean(), value_loss)


def future(
    rewards: Float32[Array, "n T"], values: Float32[Array, "n T"], trace: float
) -> tuple[Float32[Array, "n T"], Float32[Array, "n T"]]:
    """(what each step's rewards after its own are estimated to be, [n, T], and the advantages of
    what was done), by generalised advantage estimation (Schulman et al. 2016) without discount.
    values: of the rewards after the step's own."""
    after = jnp.pad(rewards[:, 1:] + values[:, 1:], ((0, 0), (0, 1)))
    error = after - values

    def back(later: Any, error: Any) -> Any:
        advantage = error + trace * later
        return advantage, advantage

    _, advantage = jax.lax.scan(back, jnp.zeros(len(rewards)), error.T, reverse=True)
    return values + advantage.T, advantage.T
