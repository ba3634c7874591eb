"""Value learning, by hand: one update of a table of values, and a chain whose values are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rlnas.agents import replay
from rlnas.agents.dqn import DQNLearner, Learning, Transition
from rlnas.agents.learner import View, run
from rlnas.agents.networks import MASKED
from rlnas.bench.stand_ins import make

ROWS = 5


@dataclass(frozen=True)
class Table(DQNLearner):
    """The learner with a table of values [from, to] in the transformer's place."""

    plain: bool = False  # plain gradient steps of length 1 instead of clipped Adam

    def score(self, space: Any, params: Any, view: View, dropout: Any = None) -> Any:
        q = params["q"][view.archs[..., :1], view.archs[..., 1:]]
        return jnp.where(view.mask[..., 1:], q, MASKED)

    def fresh(self, space: Any, key: Any, params: Any = None) -> Learning:
        return super().fresh(space, key, {"q": jnp.zeros((ROWS, ROWS))})

    def optimiser(self) -> optax.GradientTransformation:
        return optax.sgd(1.0) if self.plain else super().optimiser()


# One update


def item(before: list[int], action: int, reward: float, discount: float, after: list[int]) -> Any:
    views = (View(jnp.array(rows), jnp.ones(3, bool)) for rows in (before, after))
    first, last = views
    return Transition(first, jnp.int32(action), jnp.float32(reward), jnp.float32(discount), last)


@pytest.fixture(scope="module")
def updated() -> tuple[Learning, Learning, Any]:
    """Before and after an update from two items: at row 0 to row 2, and at row 1 to row 3.

    Priorities 1 and 3, of 4 draws: the first item once, the second three times.
    """
    learner = Table(
        plain=True, neighbours=2, batch_size=4, capacity=256, actors=1, priority_alpha=0.5,
        priority_beta=1.0,
    )  # fmt: skip
    online = np.zeros((ROWS, ROWS), np.float32)
    target = np.zeros((ROWS, ROWS), np.float32)
    online[0, 2], online[1, 3] = 5.5, 2.0  # what is to be corrected
    online[2, [1, 3]], target[2, [1, 3]] = (2.0, 1.0), (10.0, 20.0)  # selects row 1: worth 10
    online[3, [1, 4]], target[3, [1, 4]] = (0.0, 3.0), (7.0, 4.0)  # selects row 4: worth 4
    items = [
        item([0, 1, 2], 1, 1.0, 0.5, [2, 1, 3]),  # target 1 + .5 x 10 = 6, error .5
        item([1, 3, 0], 0, -1.0, 0.25, [3, 1, 4]),  # target -1 + .25 x 4 = 0, error -2
    ]
    buffer = replay.add(replay.create(items[0], 256), jax.tree.map(lambda *x: jnp.stack(x), *items))
    buffer = replay.update(buffer, jnp.array([0, 1]), jnp.array([1.0, 3.0]), 1.0)
    params = {"q": jnp.asarray(online)}
    before = Learning(params, {"q": jnp.asarray(target)}, learner.optimiser().init(params), buffer)
    space = make([[1]] * ROWS, np.ones(ROWS)).space
    after, told = jax.jit(learner.learn)(space, before, jax.random.key(0))
    return before, after, told


def test_the_loss_is_the_weighted_huber_loss_of_double_q_errors(updated):
    loss, td_error, q = updated[2]
    # Huber losses .5^2 / 2 and 2 - 1/2; importance weights 1 and 1/3.
    assert float(loss) == pytest.approx((0.125 + 3 * 1.5 / 3) / 4, rel=1e-5)
    assert float(td_error) == pytest.approx((0.5 + 3 * 2.0) / 4, rel=1e-5)
    assert float(q) == pytest.approx((5.5 + 3 * 2.0) / 4, rel=1e-5)


def test_the_update_follows_the_weighted_gradient_and_leaves_the_target(updated):
    before, after, _ = updated
    expected = np.array(before.params["q"])
    expected[0, 2] += 0.5 / 4
    expected[1, 3] -= 3 * (1.0 / 3) / 4  # an error of -2 counts 1
    np.testing.assert_allclose(after.params["q"], expected, rtol=1e-5)
    np.testing.assert_array_equal(after.target["q"], before.target["q"])


def test_the_new_priorities_are_the_errors_raised_to_alpha(updated):
    _, after, _ = updated
    flat = np.asarray(after.replay.priorities).ravel()
    np.testing.assert_allclose(flat[:2], np.sqrt([0.5, 2.0]), rtol=1e-4)
    assert not flat[2:].any() and float(after.replay.largest) == pytest.approx(3.0, rel=1e-5)


# A chain

CHAIN = Table(
    neighbours=2, n_step=1, gamma=0.9, alpha=1.0, relative=False, reward_scale=10.0, horizon=7,
    actors=8, updates=1, epsilon_base=1.0, learning_starts=8, batch_size=64, capacity=512,
    learning_rate=0.05, target_every=80,
)  # fmt: skip
VALS = np.array([0.6, 0.9, 0.5, 0.7, 1.0])


def line() -> Any:
    """Five rows in a line, each with those beside it as neighbours."""
    return make([[1], [0, 2], [1, 3], [2, 4], [3]], VALS)


@pytest.fixture(scope="module")
def chain() -> Iterator[Any]:
    """Trains on `line` and yields the tables (online, target) every 5 iterations."""
    mdp = CHAIN.mdp(line())
    state = jax.jit(CHAIN.init)(mdp, jax.random.key(0))

    def tables() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal state
        while True:
            state, _ = run(CHAIN, mdp, state, 5, True)
            yield np.asarray(state.learner.params["q"]), np.asarray(state.learner.target["q"])

    return tables()


def optimal() -> np.ndarray:
    """Q*[from, to] by value iteration, NaN where there is no way: episodes never terminate."""
    shaped = 10 * np.exp(VALS - 1)
    near = np.abs(np.subtract.outer(np.arange(ROWS), np.arange(ROWS))) == 1
    q = np.where(near, 0.0, np.nan)
    for _ in range(500):
        q = np.where(near, shaped[None, :] - shaped[:, None] + 0.9 * np.nanmax(q, axis=1), np.nan)
    return q


def test_the_target_is_copied_every_so_many_steps_and_only_then(chain):
    """8 actors and target_every = 80: at every tenth iteration."""
    assert [np.array_equal(*next(chain)) for _ in range(4)] == [False, True, False, True]


def test_the_values_of_a_chain_are_found(chain):
    """Only with a target that follows: without one, values would be rewards."""
    wanted = optimal()
    known = ~np.isnan(wanted)
    assert known.sum() == 8
    for _ in range(300):
        found, _ = next(chain)
    np.testing.assert_allclose(found[known], wanted[known], atol=0.05)
