"""Planning by Gumbel MuZero over the choices that build an architecture, on predictions alone."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Key

from rlnas.agents.networks import MASKED
from rlnas.agents.predictor import Known, Predictor
from rlnas.agents.protocol import Agent
from rlnas.bench import memory
from rlnas.bench.benchmark import Arch
from rlnas.bench.decisions import complete, uniform
from rlnas.bench.errors import UserError


def planned(space: Any, predictor: Predictor, simulations: int, initial: int) -> Agent:
    """`AlphaX` with `planner=gumbel`: what it asks after `initial` uniform draws. No answer is
    looked up in the planner: it has none. `UserError` without mctx."""
    try:
        import mctx
    except ImportError:
        raise UserError(
            "mctx is not installed; `pip install 'rlnas[planning]'` for planner=gumbel"
        ) from None
    decisions = space.decisions
    steps = len(decisions.sizes)

    def node(known: Known, taken: Any, t: Any, key: Any) -> tuple[Any, Any]:
        """Prior logits [K], none preferred, and the predicted value of a random completion."""
        allowed = decisions.allowed(taken, jnp.minimum(t, steps - 1))
        logits = jnp.where(allowed, jnp.float32(0), MASKED)
        value = predictor.predict(known, decisions.build(complete(decisions, taken, t, key)))
        return logits, value.astype(jnp.float32)

    def onward(known: Known, key: Any, action: Any, place: Any) -> tuple[Any, Any]:
        """mctx's `recurrent_fn`, for one: the reward is the prediction of the finished
        architecture; what is behind it has none, and is cut off by the discount."""
        taken, t = place
        at = jnp.minimum(t, steps - 1)
        taken = taken.at[at].set(jnp.where(t < steps, action, taken[at]).astype(jnp.int32))
        t = jnp.minimum(t + 1, steps)
        logits, value = node(known, taken, t, key)
        done = t == steps
        return mctx.RecurrentFnOutput(
            reward=jnp.where(done, value, 0),
            discount=jnp.where(done, jnp.float32(0), jnp.float32(1)),
            prior_logits=logits,
            value=value,
        ), (taken, t)

    def batched(known: Known, key: Any, action: Any, place: Any) -> Any:
        """mctx wants a batch: here of one."""
        return jax.tree.map(
            lambda x: x[None],
            onward(known, key, action[0], jax.tree.map(lambda x: x[0], place)),
        )

    def plan(known: Known, key: Key[Array, ""]) -> Int32[Array, " T"]:
        def choose(taken: Any, at: Any) -> Any:
            t, key = at
            root_key, plan_key = jax.random.split(key)
            logits, value = node(known, taken, t, root_key)
            root = mctx.RootFnOutput(
                prior_logits=logits[None], value=value[None], embedding=(taken[None], t[None])
            )
            found = mctx.gumbel_muzero_policy(
                known, plan_key, root, batched, simulations, invalid_actions=logits[None] < 0
            )
            return taken.at[t].set(found.action[0].astype(jnp.int32)), None

        each = jnp.arange(steps, dtype=jnp.int32), jax.random.split(key, steps)
        return jax.lax.scan(choose, jnp.zeros(steps, jnp.int32), each)[0]

    def ask(key: Key[Array, ""], known: Known) -> tuple[Arch, Known]:
        learn_key, plan_key, draw_key = jax.random.split(key, 3)
        known = predictor.learn(known, learn_key)
        arch = decisions.build(plan(known, plan_key))
        drawn = (known.asked.queries < initial) | memory.knows(known.asked, arch)
        return jnp.where(drawn, decisions.build(uniform(decisions, draw_key)), arch), known

    return Agent(predictor.init, ask, predictor.take_in)
