"""REINFORCE with the fidelity as a choice: what is chosen, and that it is paid for."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.reinforce_fidelity import ReinforceFidelity, WithFidelity, spread
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.budgets import Budgets
from tables import small_benchmark


def test_the_fidelity_is_one_more_choice() -> None:
    space = small_benchmark().space
    inner = space.decisions
    decisions = WithFidelity(inner, (0, 2, 3))
    last = len(inner.sizes)
    assert decisions.sizes == (*inner.sizes, 3) and len(set(decisions.kinds)) == 3
    taken = jnp.append(inner.sequence(jnp.int32(40)), 1)
    choice = decisions.build(taken)
    assert (int(choice.arch), int(choice.fidelity)) == (40, 2)
    assert decisions.sequence(choice).tolist() == taken.tolist()
    assert decisions.allowed(taken, jnp.int32(last)).tolist()[:4] == [True, True, True, False]
    for t in range(last):
        wanted = inner.allowed(taken[:-1], jnp.int32(t))
        assert np.array_equal(decisions.allowed(taken, jnp.int32(t)), wanted)
        assert decisions.state(taken, jnp.int32(t)) == inner.state(taken[:-1], jnp.int32(t))
    assert int(decisions.state(taken, jnp.int32(last))) == decisions.num_states - 1


def test_which_fidelities_are_chosen_among() -> None:
    assert spread(Budgets((4, 12, 36, 108)), 4) == (0, 1, 2, 3)
    assert spread(Budgets((4, 12, 36, 108)), 2) == (0, 3)
    assert [e + 1 for e in spread(Budgets(tuple(range(1, 99))), 4)] == [1, 5, 21, 98]
    assert spread(Budgets((2, 5, 10)), 1) == (2,)


def test_it_pays_for_what_it_asks() -> None:
    """Where accuracy does not depend on the fidelity it learns to ask the cheap one; where a short
    training is worse by more than it saves, the whole one."""
    space = small_benchmark().space

    def shares(price: float) -> list[float]:
        config = ReinforceFidelity(price=price, lr=0.05)
        agent = config.build_for(space, Budgets((1, 10), continues=False))

        def query(state: Any, key: Any, loss: Any) -> tuple[Any, Any]:
            choice, state = agent.ask(key, state)
            cheap = choice.fidelity == 0
            val = jnp.where(cheap, 0.8 - loss, 0.8).astype(jnp.float32)
            seconds = jnp.where(cheap, 1.0, 10.0).astype(jnp.float32)
            return agent.tell(state, choice, QueryResult(val, val, seconds, jnp.bool_(True))), cheap

        def search(loss: Any) -> Any:
            keys = jax.random.split(jax.random.key(1), 200)
            start = agent.init(jax.random.key(0))
            _, cheap = jax.lax.scan(lambda s, k: query(s, k, loss), start, keys)
            return cheap[-50:].mean()

        return jax.jit(jax.vmap(search))(jnp.array([0.0, 0.1])).tolist()

    same, worse = shares(0.05)
    assert same > 0.8
    assert worse < 0.2
