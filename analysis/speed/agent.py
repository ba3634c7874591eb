"""The speed of the transformer agent: states valued and environment steps learnt from, a second."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rlnas.agents import registry
from rlnas.agents.learner import View, learner_class, run
from rlnas.agents.losses import double_q_target, take
from rlnas.analysis.speed.measure import Measure, best_of, seconds_of
from rlnas.analysis.speed.reference import PlainMDP, PlainTable

FORWARD_BATCH = 1024


def forward_flops(config: Any, features: int) -> float:
    """Multiplications and additions of the matrix products for one state."""
    n, d, f = config.neighbours + 1, config.network.width, config.network.feed_forward
    layer = 2 * n * (4 * d * d + 2 * d * f) + 4 * n * n * d
    return 2 * n * features * d + config.network.layers * layer + 2 * n * (d * d + d)


def iteration_flops(config: Any, features: int) -> float:
    """Of a step of all actors and its updates: a batch is valued 3 times, and once backwards (twice
    the cost)."""
    return forward_flops(config, features) * (
        config.actors + config.updates * config.batch_size * 5
    )


def measure(benchmark: Any, plain: PlainTable) -> list[Measure]:
    """Forward and training rates of the default preset, beside a plain Python loop around the same
    jitted network."""
    config: Any = learner_class(registry.TRAINED)(learning_starts=1_024)
    space, features = benchmark.space, benchmark.space.num_features
    square = jnp.ones((1024, 1024))
    product = jax.jit(jnp.matmul)
    peak = 2 * 1024**3 * 8 / best_of(lambda: [product(square, square) for _ in range(8)])

    mdp = config.mdp(benchmark)
    state = jax.jit(config.init)(mdp, jax.random.key(0))
    params = jax.tree.map(jnp.copy, state.learner.params)
    keys = jax.random.split(jax.random.key(1), FORWARD_BATCH)
    archs, mask = jax.vmap(lambda k: space.neighbours(k, space.sample(k), config.neighbours + 1))(
        keys
    )
    value = jax.jit(lambda p, s, v: config.score(s, p, v))
    forward = FORWARD_BATCH / best_of(lambda: value(params, space, View(archs, mask)))

    state, _ = run(config, mdp, state, 32, False)
    box = [state]

    def train(learning: bool = True) -> Any:
        box[0], metrics = run(config, mdp, box[0], 20, learning)
        return metrics.loss

    iteration, acting = (best_of(partial(train, learning)) / 20 for learning in (True, False))
    steps = config.actors / iteration
    share = forward * forward_flops(config, features) / peak
    train_share = steps / config.actors * iteration_flops(config, features) / peak
    plain_forward, plain_steps = _plain_loop(config, params, plain)
    samples = steps / config.actors * config.updates * config.batch_size
    rate = f"{peak / 1e9:.0f} Gflop/s matrix products"
    return [
        Measure(
            "agent forward",
            forward,
            plain_forward,
            "states/s",
            f"{share:.0%} of {rate}; reference: one at a time",
        ),
        Measure(
            "agent training",
            steps,
            plain_steps,
            "steps/s",
            f"{samples:,.0f} samples/s learnt from, "
            f"{train_share:.0%} of {rate}; "
            f"{1e3 * iteration:.1f} ms an iteration, {1e3 * acting:.1f} of them acting; "
            "reference: Python loop, one environment, list replay, the same network jitted",
        ),
    ]


def _plain_loop(config: Any, params: Any, table: PlainTable) -> tuple[float, float]:
    """(states/s valued one at a time, environment steps/s) with as many updates a step as `config`
    makes."""
    module: Any = config.module()
    optimiser, rng = optax.adam(config.learning_rate), np.random.default_rng(0)
    environment = PlainMDP(table, rng, config.neighbours, config.horizon)
    value = jax.jit(module.apply)

    @jax.jit
    def update(params: Any, target: Any, opt_state: Any, batch: Any) -> Any:
        before, mask, action, reward, after, after_mask = batch
        online, older = (module.apply(p, after, after_mask) for p in (params, target))
        goal = double_q_target(reward, jnp.full(reward.shape, config.gamma), older, online)

        def loss(params: Any) -> Any:
            error = goal - take(module.apply(params, before, mask), action)
            return optax.losses.huber_loss(error).mean()

        updates, opt_state = optimiser.update(jax.grad(loss)(params), opt_state)
        return optax.apply_updates(params, updates), opt_state

    replay: list[tuple[Any, ...]] = []
    observation, opt_state = environment.reset(), optimiser.init(params)

    def mask_of() -> np.ndarray:
        return np.arange(config.neighbours + 1) <= len(environment.shown)

    def loop(steps: int) -> None:
        nonlocal observation, params, opt_state
        for step in range(1, steps + 1):
            mask = mask_of()
            action = int(np.asarray(value(params, observation, mask)).argmax())
            after, reward, _ = environment.step(action)
            replay.append((observation, mask, action, np.float32(reward), after, mask_of()))
            observation = after
            for _ in range(config.updates if step % config.actors == 0 else 0):
                batch = [replay[i] for i in rng.integers(len(replay), size=config.batch_size)]
                columns = [np.stack(column) for column in zip(*batch, strict=True)]
                params, opt_state = update(params, params, opt_state, columns)
        jax.block_until_ready(params)

    loop(config.actors)  # compiles
    count = 4 * config.actors
    rate = count / seconds_of(lambda: loop(count))
    mask = mask_of()
    forward = 200 / seconds_of(
        lambda: [np.asarray(value(params, observation, mask)) for _ in range(200)]
    )
    return forward, rate
