"""The transformer that values neighbours: dueling heads over the current architecture and its
neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Num

from rlnas.bench.bounds import Within
from rlnas.bench.errors import UserError

MASKED = -1e9
"""The value of an action that does not exist: finite, so that arithmetic with it stays finite."""

READOUT = "readout"
"""The layer that values and advantages are read from. (Layers that draw their parameters keep the
names flax gives them: a name decides what is drawn.)"""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes. The paper (Cassimon et al., arXiv 2410.01431) gives the embedding's width, 256 on
    NAS-Bench-101 and 512 on NAS-Bench-301; every other size is ours, and so is the smaller default,
    chosen for two cores: twice the width found nothing more on nb101-digits."""

    width: int = 32
    """Width of the embedding and of every layer."""
    layers: Annotated[int, Within(1, 100)] = 1
    """Encoder layers."""
    heads: int = 2
    """Attention heads; divides width."""
    feed_forward: int = 64
    """Hidden width of the feed-forward blocks."""
    dropout: float = 0.0
    """Dropout rate after attention and feed-forward blocks while learning."""

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads", "feed_forward"):
            if getattr(self, name) < 1:
                raise UserError(f"found {name} = {getattr(self, name)}; expected at least 1")
        if self.width % self.heads:
            raise UserError(
                f"found width = {self.width} with {self.heads} heads; expected a multiple of the "
                "heads"
            )
        if not 0 <= self.dropout < 1:
            raise UserError(f"found dropout = {self.dropout}; expected at least 0 and below 1")


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward block (Xiong et al. 2020), padding masked."""

    config: NetworkConfig

    @nn.compact
    def __call__(
        self, x: Float32[Array, "*b s d"], mask: Bool[Array, "*b s"], learning: bool
    ) -> Float32[Array, "*b s d"]:
        config = self.config
        drop = nn.Dropout(config.dropout, deterministic=not learning)
        attend = nn.MultiHeadDotProductAttention(config.heads, dropout_rate=0.0)
        normed = nn.LayerNorm(name="attention_norm")(x)
        x = x + drop(attend(normed, mask=mask[..., None, None, :]))
        normed = nn.LayerNorm(name="feed_forward_norm")(x)
        hidden = nn.gelu(nn.Dense(config.feed_forward)(normed))
        return x + drop(nn.Dense(config.width)(hidden))


class DuelingTransformer(nn.Module):
    """Q-values of moving to each neighbour (Wang et al. 2016 dueling heads on the paper's
    transformer).

    The paper's positional encoding is a role here (ours): one vector for the current architecture's
    token, one for all neighbours', since neighbours are a set. So permuting them permutes the
    values and changes nothing else. `stay` adds one action whose advantage is read from the current
    architecture's token.
    """

    config: NetworkConfig
    stay: bool = False

    @nn.compact
    def __call__(
        self, encoding: Num[Array, "*b s f"], mask: Bool[Array, "*b s"], learning: bool = False
    ) -> Float32[Array, "*b actions"]:
        """encoding: the current architecture, then N neighbours; mask: which are real. Returns [N]
        values, [N + 1] with `stay`; `MASKED` where there is no neighbour."""
        config = self.config
        # Features are 0 or 1: centred, a token's sum of many of them starts small.
        x = nn.Dense(config.width)(encoding.astype(jnp.float32) - 0.5)
        drawn = nn.initializers.normal(0.02)
        role = self.param("role", drawn, (2, config.width), jnp.float32)
        x = x + jnp.where(jnp.arange(x.shape[-2])[:, None] == 0, role[0], role[1])
        for _ in range(config.layers):
            x = EncoderLayer(config)(x, mask, learning)
        x = nn.LayerNorm(name=READOUT)(x)
        value = nn.Dense(1)(nn.gelu(nn.Dense(config.width)(x[..., 0, :])))
        advantage = nn.Dense(1)(nn.gelu(nn.Dense(config.width)(x[..., 1:, :])))[..., 0]
        real = mask[..., 1:]
        if self.stay:
            advantage = jnp.concatenate(
                [advantage, nn.Dense(1, name="stay")(x[..., 0, :])], axis=-1
            )
            real = jnp.concatenate([real, jnp.ones_like(real[..., :1])], axis=-1)
        return dueling(value, advantage, real)


def dueling(
    value: Float32[Array, "*b 1"], advantage: Float32[Array, "*b a"], real: Bool[Array, "*b a"]
) -> Float32[Array, "*b a"]:
    """value + advantage - mean of the real advantages; `MASKED` where not real."""
    count = jnp.maximum(real.sum(-1, keepdims=True), 1)
    mean = jnp.where(real, advantage, 0.0).sum(-1, keepdims=True) / count
    return jnp.where(real, value + advantage - mean, MASKED)
