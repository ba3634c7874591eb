"""Freeze-thaw: what checkpoints say of a curve's end, and which trainings are taken up again."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.fidelity import FidelityAgent
from rlnas.agents.freeze_thaw import NOISE, FreezeThaw, decay, weights
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError
from tables import small_benchmark

BUDGETS = Budgets(tuple(range(1, 9)), continues=True)


def test_the_kernel_by_hand() -> None:
    assert decay(3)[0, 1] == pytest.approx((5 / 8) ** 1.5)
    assert decay(3)[2, 2] == pytest.approx((5 / 11) ** 1.5)


def test_what_two_checkpoints_say_by_hand() -> None:
    """Of f, 1 checkpoint y1 says y1 with the variance k11 + noise; two their generalised least
    squares; the last one is the end."""
    found = weights(3)
    k = decay(3)[:2, :2] + NOISE**2 * np.eye(2)
    assert found.precision[1] == pytest.approx(1 / k[0, 0])
    assert found.value[1].tolist() == pytest.approx([1 / k[0, 0], 0, 0])
    determinant = k[0, 0] * k[1, 1] - k[0, 1] ** 2
    first, second = (k[1, 1] - k[0, 1]) / determinant, (k[0, 0] - k[0, 1]) / determinant
    assert found.value[2].tolist() == pytest.approx([first, second, 0], rel=1e-5)
    assert found.precision[2] == pytest.approx(first + second, rel=1e-5)
    assert found.precision[3] == pytest.approx(1 / NOISE**2)
    assert found.precision[0] == 0


@pytest.fixture(scope="module")
def agent() -> FidelityAgent:
    built = FreezeThaw(fresh=8, points=16).build_for(small_benchmark().space, BUDGETS)
    return FidelityAgent(*map(jax.jit, built))


@pytest.mark.long
def test_it_pauses_the_bad_and_takes_up_the_good(agent: FidelityAgent) -> None:
    """All curves have one shape, and their ends are spread over 20 points."""
    state, asked = agent.init(jax.random.key(0)), []
    worth = np.random.default_rng(0).uniform(0.7, 0.9, 91)
    for t in range(60):
        choice, state = agent.ask(jax.random.key(t), state)
        arch, epoch = int(choice.arch), int(choice.fidelity) + 1
        asked.append((arch, epoch))
        val = jnp.float32(worth[arch] - 0.3 / epoch)
        state = agent.tell(state, choice, QueryResult(val, val, jnp.float32(1), jnp.bool_(True)))
    assert asked[:8] == [(asked[0][0], epoch) for epoch in range(1, 9)]
    longest = {arch: max(e for a, e in asked if a == arch) for arch, _ in asked[:45]}
    whole = [arch for arch, epoch in longest.items() if epoch == 8]
    assert 2 <= len(whole) < len(longest) / 2
    best = max(longest, key=lambda arch: worth[arch])
    assert longest[best] == 8
    assert worth[[a for a, e in longest.items() if e < 3]].mean() < worth[whole[1:]].mean() - 0.05
    assert float(state.best) == pytest.approx(worth[best] - 0.3 / 8, abs=1e-5)


def test_an_answer_without_a_value_is_forgotten(agent: FidelityAgent) -> None:
    state = agent.init(jax.random.key(0))
    choice, state = agent.ask(jax.random.key(1), state)
    nothing = QueryResult(*[jnp.float32(jnp.nan)] * 3, jnp.bool_(False))
    state = agent.tell(state, choice, nothing)
    assert int(state.at.max()) == 0 and float(state.best) == -np.inf
    again, _ = agent.ask(jax.random.key(2), state)
    assert int(again.fidelity) == 0


def test_it_needs_trainings_that_continue() -> None:
    with pytest.raises(UserError, match="takes trainings up again; found 4, 12 epochs, each"):
        FreezeThaw().build_for(small_benchmark().space, Budgets((4, 12)))
    with pytest.raises(UserError, match="points=2; expected 4 to 512"):
        FreezeThaw(points=2)
