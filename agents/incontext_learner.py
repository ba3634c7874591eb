"""How the agent that reads the answers is trained, on invented tables: its learner.

The MDP with memory (`rlnas.bench.search_mdp`). A state becomes tokens: one of the whole search, one
a candidate, one for each of the best and the latest answers; a small transformer with dueling heads
reads them. A candidate's score is the log of its expected improvement by a Gaussian process plus
what the network adds, zero before training: it begins at the level of expected improvement.

Learning is PPO (Schulman et al. 2017) with one difference: on an invented table the rise that each
candidate would bring is known, so that part of the gradient is a sum over all actions (expected
policy gradients, Ciosek and Whiteson 2018), and only what comes after is estimated from the action
taken. Double Q-learning of the same network is there to compare (`algorithm`; the maths is
`rlnas.agents.incontext_q`). All settings are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32, Int32, Key

from rlnas.agents import beliefs, incontext_q
from rlnas.agents.beliefs import Seen
from rlnas.agents.incontext_search import search
from rlnas.agents.learner import DRAWS, Range, TrainState, View, at_least_one, spread
from rlnas.agents.losses import future, take
from rlnas.agents.networks import MASKED, NetworkConfig
from rlnas.agents.protocol import Agent
from rlnas.agents.tokens import CONTEXT, FLAGS, HISTORY, Network, Tokens, tokens_of
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.coded import Coded
from rlnas.bench.errors import UserError
from rlnas.bench.rewards import Exponential
from rlnas.bench.search_mdp import SearchMDP, SearchState
from rlnas.bench.synthetic.tables import Inventor, is_inventive

Algorithm = Literal["ppo", "double_q"]


class Episode(NamedTuple):
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
    """What learning changes. target: of double Q, the older parameters that value; else ()."""

    params: Any
    opt_state: Any
    target: Any = ()


class Tables(NamedTuple):
    """What is trained on. alpha: of the shaping; may be traced."""

    inventors: tuple[Inventor, ...]
    alpha: Any


class Metrics(NamedTuple):
    """Means over an iteration. value_loss: squared error of the values. reward: shaped, an episode.
    val: the best so far, at the end of the episodes, from the median (0) to the best of the table
    (1)."""

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
    anytime: float = 0.3
    """What is learnt for: 1, the best so far, averaged over the episode; 0, the best at its end."""
    read: int = 24
    """Candidates that the network reads: those of the largest expected improvement."""
    fresh: int = 100
    """Uniform draws among the candidates."""
    parents: int = 5
    """The best so many are those whose neighbours are candidates."""
    near: int = 16
    """Neighbours of each of them, at most."""
    current: int = 0
    """Neighbours of the latest query that are candidates, at most; it often is the best one."""
    history: bool = True
    """Whether answers are tokens of their own."""
    surrogate: bool = True
    """Whether scores start from expected improvement and the processes' posteriors are read; for
    an ablation. With neither history nor surrogate the policy is blind."""
    steps: int = 192_000
    """Queries of training, over all episodes."""
    algorithm: Algorithm = "ppo"
    """How it is learnt: `ppo`, or `double_q`, which learns what each candidate is worth; both act,
    and search, by the same scores."""
    actors: int = 32
    """Episodes that are played together, on a table each."""
    passes: int = 2
    """Times that an iteration's steps are learnt from."""
    batches: int = 8
    """Batches a pass."""
    learning_rate: float = 1e-3
    """Of Adam at the start; falls to a tenth by a cosine."""
    gradient_clip: float = 1.0
    """Largest global norm of the gradient."""
    clip: float = 0.2
    """PPO: of the ratio of chances."""
    trace: float = 0.9
    """PPO: lambda of the advantages' estimate."""
    entropy: float = 0.01
    """PPO: weight of the policy's entropy."""
    gamma: float = 0.95
    """Double Q: discount."""
    n_step: int = 3
    """Double Q: steps of a return."""
    target_rate: float = 0.2
    """Double Q: share of the way that the target network goes after the other one, an iteration
    (Polyak)."""
    sharpness: float = 1.0
    """In training a candidate is asked with a chance as exp(sharpness x score). The larger, the
    more like the search, which asks the best: 4, with an entropy's weight of .002, does better on
    invented tables and worse on real ones."""

    remembers: ClassVar[bool] = True
    usual: ClassVar[dict[str, Any]] = {"benchmark": "synthetic", "evaluation_seeds": 128}
    """Options of `rlnas train` that differ from those of other agents."""
    quick: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"benchmark": "synthetic-nb101"}}
    """The same of single presets; of one space, half as much is to be compiled as of two."""

    def __post_init__(self) -> None:
        at_least_one(
            self, "horizon", "read", "fresh", "parents", "steps", "actors", "passes", "batches",
            "n_step",
        )  # fmt: skip
        if self.horizon < HISTORY:
            raise UserError(f"found horizon = {self.horizon}; expected at least {HISTORY}")
        if self.fresh < self.read:
            raise UserError(
                f"found fresh = {self.fresh}, fewer than read = {self.read}; at first all are "
                "fresh draws"
            )
        if self.actors % 2:
            raise UserError(f"found actors = {self.actors}; expected an even number")
        if self.algorithm not in get_args(Algorithm):
            raise UserError(f"found algorithm = {self.algorithm!r}; expected ppo or double_q")
        if self.n_step > self.horizon:
            raise UserError(
                f"found n_step = {self.n_step}; expected at most horizon = {self.horizon}"
            )
        for name in ("gamma", "target_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError(
                    f"found {name} = {getattr(self, name)}; expected above 0 and at most 1"
                )

    @classmethod
    def presets(cls) -> dict[str, InContextLearner]:
        smoke = cls(
            network=NetworkConfig(width=16, feed_forward=32), steps=320, actors=4, horizon=20,
            read=8, fresh=32, parents=2, near=8,
        )  # fmt: skip
        return {"default": cls(), "smoke": smoke, "grid": cls(steps=96_000)}

    @property
    def warm_iterations(self) -> int:
        return 0

    def mdp(self, benchmark: Any, alpha: Any = None) -> Any:
        """The supply of tables that episodes are played on: a table each."""
        if not is_inventive(benchmark):
            raise UserError(
                f"incontext is trained on invented tables, found {benchmark.name}; expected "
                "--benchmark synthetic"
            )
        return Tables(benchmark.inventors, self.alpha if alpha is None else alpha)

    @property
    def iteration_steps(self) -> int:
        return self.actors * self.horizon

    def module(self) -> Network:
        return Network(self.network, self.read)

    def optimiser(self) -> optax.GradientTransformation:
        updates = -(-self.steps // self.iteration_steps) * self.passes * self.batches
        rate = optax.cosine_decay_schedule(self.learning_rate, updates, 0.1)
        return optax.chain(optax.clip_by_global_norm(self.gradient_clip), optax.adam(rate))

    def tokens(
        self, coded: Coded, seen: Seen, state: SearchState, horizon: int, gain: Any = None
    ) -> Tokens:
        """What the network reads; gain: see `tokens_of`."""
        near = self.parents * min(self.near, coded.space.max_degree)
        return tokens_of(
            coded, seen, state, read=self.read, horizon=horizon, fresh=self.fresh, near=near,
            history=self.history, surrogate=self.surrogate, gain=gain,
        )  # fmt: skip

    def logits(self, params: Any, tokens: Tokens) -> tuple[Any, Any]:
        """Scores of the candidates [C], `MASKED` where they may not be asked, and the value."""
        added, value = self.module().apply(params, tokens)
        real = tokens.mask[..., : self.read]
        return jnp.where(real, self.sharpness * (tokens.gain + added), MASKED), value

    def fresh_params(self, key: Key[Array, ""]) -> Any:
        items = self.read + 2 * HISTORY
        blank = Tokens(
            jnp.zeros(CONTEXT), jnp.zeros((items, beliefs.WIDTH + FLAGS)), jnp.ones(items, bool),
            jnp.zeros(self.read), jnp.zeros(self.read, jnp.int32),
        )  # fmt: skip
        return self.module().init(key, blank)

    def score(self, space: SearchSpace, params: Any, view: View) -> Float32[Array, "*b a"]:
        """Of asking each neighbour, given the queries and answers in the view's memory."""
        if view.mask.ndim > 1:
            return jax.vmap(lambda view: self.score(space, params, view))(view)
        coded, asked = Coded.of(space), view.memory
        seen = beliefs.of_memory(coded, asked)
        archs, mask = view.archs[1:], view.mask[1:]
        room = self.read - len(mask)
        if room > 0:
            archs = jnp.concatenate([archs, jnp.repeat(archs[:1], room, axis=0)])
            mask = jnp.pad(mask, (0, room))
        state = SearchState(archs, mask, asked, jnp.float32(0), asked.queries)
        tokens = self.tokens(coded, seen, state, self.horizon)
        logits, _ = self.logits(params, tokens)
        found = jnp.full(len(mask), MASKED).at[tokens.places].set(logits)
        return found[: view.mask.shape[0] - 1]

    def agent(self, space: SearchSpace, params: Any) -> Agent:
        return search(self, space, params, budget=self.horizon)

    def shard(self, state: TrainState, devices: Sequence[Any]) -> TrainState:
        return spread(state, devices, lambda state: ())

    # Training

    def init(self, mdp: Tables, key: Key[Array, ""]) -> TrainState:
        """Fresh parameters. Nothing is looked up in training, so nothing is counted."""
        params_key, key = jax.random.split(key)
        params = self.fresh_params(params_key)
        nothing = Range(jnp.full(DRAWS, jnp.nan), jnp.int32(0), jnp.float32(-jnp.inf))
        target = jax.tree.map(jnp.copy, params) if self.algorithm == "double_q" else ()
        return TrainState(
            Learning(params, self.optimiser().init(params), target), (), jnp.int32(0),
            jnp.zeros(1, bool), jnp.int32(0), nothing, key,
        )  # fmt: skip

    def episode(
        self, inventor: Inventor, alpha: Any, params: Any, key: Key[Array, ""]
    ) -> tuple[Episode, Any]:
        """A whole episode on a table drawn for it; and how far it came, from 0 to 1."""
        table_key, reset_key, key = jax.random.split(key, 3)
        table, coded = inventor.draw(table_key), inventor.coded
        low, high = jnp.median(table.mean_test), table.optimum
        mdp = SearchMDP(
            table, Exponential(alpha, 1.0, low, high), low, self.horizon, self.current,
            self.parents, self.near, self.fresh, anytime=self.anytime, judged=True,
        )  # fmt: skip

        def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, Episode]:
            state, seen, _ = carry
            pick_key, step_key = jax.random.split(key)
            tokens = self.tokens(coded, seen, state, self.horizon)
            logits, _ = self.logits(params, tokens)
            picked = jax.random.categorical(pick_key, logits)
            chance = jax.nn.log_softmax(logits)[picked]
            rises = mdp.rises(state, state.archs[tokens.places])
            after, reward, _, _, info = mdp.step(step_key, state, tokens.places[picked])
            seen = beliefs.with_answer(coded, seen, info.arch, info.val, info.valid)
            path = Episode(tokens, picked.astype(jnp.int32), chance, rises, reward, info.val)
            return (after, seen, info.final.best), path

        start = mdp.reset(reset_key), beliefs.nothing(coded, self.horizon), low
        (_, _, best), path = jax.lax.scan(step, start, jax.random.split(key, self.horizon))
        return path, (best - low) / (high - low)

    def iterate(self, mdp: Tables, state: TrainState, learning: bool) -> tuple[TrainState, Metrics]:
        """Play, on a table an episode; then learn, if `learning`."""
        play_key, learn_key, key = jax.random.split(state.key, 3)
        params = state.learner.params
        each = self.actors // len(mdp.inventors)
        played = []
        for i, inventor in enumerate(mdp.inventors):
            keys = jax.random.split(jax.random.fold_in(play_key, i), each)
            play = partial(self.episode, inventor, mdp.alpha, params)
            played.append(jax.vmap(play)(keys))
        path, came = jax.tree.map(lambda *x: jnp.concatenate(x), *played)
        new, out = state.learner, (jnp.float32(0),) * 3
        if learning:
            new, out = self.learn(new, path, learn_key)
        metrics = Metrics(*out, path.reward.sum(1).mean(), came.mean())
        return state._replace(learner=new, iteration=state.iteration + 1, key=key), metrics

    def learn(self, old: Learning, path: Episode, key: Key[Array, ""]) -> tuple[Learning, Any]:
        if self.algorithm == "ppo":
            data, loss = self.for_ppo(old, path)
        else:
            data, loss = self.for_double_q(old, path)
        steps = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (path, data))
        many = path.action.size
        size = many // self.batches

        def update(carry: Any, places: Any) -> tuple[Any, Any]:
            params, opt_state = carry
            batch = jax.tree.map(lambda x: x[places], steps)
            (_, out), gradient = jax.value_and_grad(loss, has_aux=True)(params, *batch)
            updates, opt_state = self.optimiser().update(gradient, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), out

        orders = jax.vmap(lambda key: jax.random.permutation(key, many))(
            jax.random.split(key, self.passes)
        )
        orders = orders[:, : size * self.batches].reshape(-1, size)
        (params, opt_state), out = jax.lax.scan(update, (old.params, old.opt_state), orders)
        target = old.target
        if self.algorithm == "double_q":
            target = optax.incremental_update(params, target, self.target_rate)
        return Learning(params, opt_state, target), tuple(x.mean() for x in out)

    def policy(self, logits: Any) -> tuple[Any, Any, Any]:
        """Logs of the chances, chances, and the entropy, of what may be asked."""
        logs = jax.nn.log_softmax(logits)
        chances = jnp.where(logits > MASKED / 2, jnp.exp(logs), 0.0)
        return logs, chances, -(chances * jnp.where(chances > 0, logs, 0.0)).sum(-1)

    def for_ppo(self, old: Learning, path: Episode) -> tuple[Any, Any]:
        """What PPO learns from besides the path, and its loss."""
        _, values = self.logits(old.params, path.tokens)
        later, advantage = future(path.reward, values, self.trace)
        scale = jnp.sqrt(path.rises.var(-1).mean() + jnp.square(advantage).mean() + 1e-8)

        def loss(params: Any, path: Episode, data: Any) -> tuple[Any, Any]:
            later, advantage = data
            logits, values = self.logits(params, path.tokens)
            logs, chances, entropy = self.policy(logits)
            known = (chances * path.rises).sum(-1) / scale
            ratio = jnp.exp(take(logs, path.action) - path.log_chance)
            clipped = jnp.clip(ratio, 1 - self.clip, 1 + self.clip)
            later_part = jnp.minimum(ratio * advantage, clipped * advantage)
            value_loss = jnp.square(values - later).mean()
            policy_loss = -(known + later_part).mean()
            loss = policy_loss + value_loss / scale**2 * 0.5 - self.entropy * entropy.mean()
            return loss, (policy_loss, entropy.mean(), value_loss)

        return (later, advantage / scale), loss

    def for_double_q(self, old: Learning, path: Episode) -> tuple[Any, Any]:
        """What double Q-learning learns from besides the path, and its loss."""

        def values(logits: Any, value: Any, tokens: Tokens) -> Any:
            allowed = tokens.mask[..., : self.read]
            return incontext_q.action_values(logits / self.sharpness, value, allowed)

        logits, value = self.logits(old.params, path.tokens)
        _, chances, _ = self.policy(logits)
        online = values(logits, value, path.tokens)
        older = values(*self.logits(old.target, path.tokens), path.tokens)
        data = incontext_q.targets(
            path.reward, path.rises, chances, online, older, self.gamma, self.n_step
        )

        def loss(params: Any, path: Episode, wanted: incontext_q.Targets) -> tuple[Any, Any]:
            logits, value = self.logits(params, path.tokens)
            q = values(logits, value, path.tokens)
            _, _, entropy = self.policy(logits)
            loss = incontext_q.loss(q, path.action, wanted).mean()
            error = jnp.square(take(q, path.action) - wanted.taken).mean()
            return loss, (loss, entropy.mean(), error)

        return data, loss
