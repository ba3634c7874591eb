"""What the in-context policy reads of a search, and the network that reads it."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from rlnas.agents import beliefs
from rlnas.agents.beliefs import Seen
from rlnas.agents.networks import READOUT, EncoderLayer, NetworkConfig
from rlnas.bench.coded import Coded
from rlnas.bench.search_mdp import SearchState

HISTORY = 8
"""The best so many answers are tokens, and the latest so many."""
FLAGS = 6
"""Of a token: asked, fresh, near the latest, its answer, how long ago, how often among the best."""
CONTEXT = beliefs.SUMMARY + 4


class Tokens(NamedTuple):
    """context: float32 [c]. items: float32 [C + H, d], candidates, then answers. mask: bool
    [C + H]. gain: float32 [C], where scores start from. places: int32 [C], of the candidates among
    those of the state."""

    context: Float32[Array, "*b c"]
    items: Float32[Array, "*b items d"]
    mask: Bool[Array, "*b items"]
    gain: Float32[Array, "*b C"]
    places: Int32[Array, "*b C"]


class Network(nn.Module):
    """Dueling heads on a transformer over a set: permuting the tokens permutes what it says."""

    config: NetworkConfig
    read: int

    @nn.compact
    def __call__(self, tokens: Tokens) -> tuple[Float32[Array, "*b C"], Float32[Array, "*b"]]:
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
        hidden = nn.gelu(nn.Dense(config.width, name="advantage")(x[..., 1 : self.read + 1, :]))
        added = nn.Dense(1, kernel_init=zeros, name="added")(hidden)[..., 0]
        hidden = nn.gelu(nn.Dense(config.width, name="value")(x[..., 0, :]))
        return added, nn.Dense(1, kernel_init=zeros, name="worth")(hidden)[..., 0]


def tokens_of(
    coded: Coded,
    seen: Seen,
    state: SearchState,
    *,
    read: int,
    horizon: int,
    fresh: int,
    near: int,
    history: bool = True,
    surrogate: bool = True,
    gain: Float32[Array, " n"] | None = None,
) -> Tokens:
    """What the network reads of a state. The `read` candidates are those of the largest expected
    improvement by any of the processes. gain: where scores start from, in place of the first's.
    With neither history nor surrogate no answer is read."""
    fit, blind = beliefs.fitted(seen), not (history or surrogate)
    codes, traits = jax.vmap(coded.code)(state.archs), jax.vmap(coded.traits)(state.archs)
    belief = beliefs.believed(coded, seen, fit, codes, traits)
    if gain is not None:
        belief = belief._replace(gain=gain)
    if not surrogate:
        belief = beliefs.without_processes(belief, blind)
    places = beliefs.chosen(belief, state.mask, read)
    number = jnp.arange(len(codes), dtype=jnp.int32)
    is_fresh, is_current = number < fresh, number >= fresh + near
    zeros = jnp.zeros(read, jnp.float32)
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
    found = beliefs.Belief(zeros, beliefs.remembered(coded, seen, fit, chosen))
    if not surrogate:
        found = beliefs.without_processes(found, blind)
    answers = jnp.concatenate([found.features, known], 1)
    real = jnp.tile(jnp.arange(HISTORY) < seen.used, 2) & history

    used = jnp.minimum(state.t.astype(jnp.float32) / horizon, 1.0)
    top = jnp.argmax(jnp.where(there, seen.vals, -jnp.inf))
    since = (seen.used - 1 - top).astype(jnp.float32) / horizon
    times = jnp.stack([used, 1 - used, jnp.log1p(state.t.astype(jnp.float32)) / 4, since])
    said = beliefs.summary(seen, fit)
    if blind:
        said, times = jnp.zeros_like(said), times.at[3].set(0.0)
    context = jnp.concatenate([said, times])
    return Tokens(
        jnp.clip(context, -beliefs.BOUND, beliefs.BOUND),
        jnp.concatenate([candidates, answers]),
        jnp.concatenate([state.mask[places], real]),
        jnp.round(belief.gain, 2)[places],
        places,
    )
