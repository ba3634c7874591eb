"""What the views of the MDPs in the interfaces of gymnax and of gymnasium share: a state as one
array, and a step with the state before and behind the reset.

An observation is float32 [rows, columns]. Of `IncrementalMDP`: the current architecture, then its N
neighbours; the columns are the encoding and whether there is one in this row. Of `SearchMDP`: the
candidates, then what was asked, in the order of asking; the columns are the encoding, whether the
row may be asked, or was; the answer (0 for candidates, -1 where there was none), and the share of
the budget that is left.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Key

from rlnas.bench import memory
from rlnas.bench.mdp import IncrementalMDP, State
from rlnas.bench.search_mdp import SearchMDP, SearchState

MDP = IncrementalMDP | SearchMDP
MDPState = State | SearchState
Seen = Float32[Array, "rows columns"]
LOW, HIGH = -128.0, 127.0
"""Bounds of an observation's numbers: encodings are int8."""


class Move(NamedTuple):
    """A step. last: the state it led to, also where the episode ended in it; after: the same, or
    the start of the next episode."""

    last: MDPState
    after: MDPState
    reward: Float32[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]
    info: dict[str, Any]


def begin(mdp: MDP, key: Key[Array, ""]) -> MDPState:
    """The state at the start of an episode."""
    return mdp.reset(key) if isinstance(mdp, SearchMDP) else mdp.reset(key)[1]


def move(mdp: MDP, key: Key[Array, ""], state: Any, action: Int[Array, ""] | int) -> Move:
    """A step of the MDP, with the same numbers as its own `step` for the same key. info: the
    look-up made, as `arch`, `val`, `valid` and `moved` of the MDP's own."""
    after: Any
    last: Any
    info: Any
    if isinstance(mdp, SearchMDP):
        after, reward, terminated, truncated, info = mdp.step(key, state, action)
        last = jax.tree.map(lambda x, y: jnp.where(terminated, x, y), info.final, after)
    else:
        _, after, reward, terminated, truncated, info = mdp.step(key, state, action)
        final = info.final_observation
        last = State(final.archs, final.mask, info.val, state.t + 1)
    said = {name: getattr(info, name) for name in ("arch", "val", "valid", "moved")}
    return Move(last, after, reward, terminated, truncated, said)


def observe(mdp: MDP, state: Any) -> Seen:
    """The observation of a state."""
    encode = jax.vmap(mdp.benchmark.space.encode)
    if not isinstance(mdp, SearchMDP):
        return beside(encode(state.archs), state.mask)
    asked, held = state.asked, memory.held(state.asked)
    answers = jnp.where(jnp.isfinite(asked.vals), asked.vals, -1.0)
    encoding = jnp.concatenate([encode(state.archs), encode(asked.archs)])
    encoding = jnp.where(jnp.append(jnp.ones_like(state.mask), held)[:, None], encoding, 0)
    mask = jnp.append(state.mask, held)
    answer = jnp.append(jnp.zeros(len(state.mask)), jnp.where(held, answers, 0.0))
    left = jnp.full(len(mask), 1 - state.t / mdp.horizon)
    return beside(encoding, mask, answer, left)


def beside(encoding: Any, *columns: Any) -> Seen:
    """[rows, f], and a column each."""
    every = [encoding, *(column[:, None] for column in columns)]
    return jnp.concatenate([x.astype(jnp.float32) for x in every], axis=1)


def action_mask(mdp: MDP, state: Any) -> Bool[Array, " A"]:
    """Which of the `num_actions` actions exist."""
    return state.mask if isinstance(mdp, SearchMDP) else mdp.action_mask(mdp.observe(state))


def shape(mdp: MDP) -> tuple[int, int]:
    """(rows, columns) of an observation."""
    features = mdp.benchmark.space.num_features
    if isinstance(mdp, SearchMDP):
        return mdp.num_actions + mdp.horizon, features + 3
    return mdp.neighbours + 1, features + 1
