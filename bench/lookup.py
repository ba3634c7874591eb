"""A look-up on the Python side: its key."""

from __future__ import annotations

from typing import Any

import jax
from jaxtyping import Array, Key

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.noise import Noise


def key_for(noise: Noise, key: Any) -> Key[Array, ""]:
    """`key`, a jax.random.key; or any where none is given and the policy draws nothing. Raises
    `UserError`."""
    if key is None and noise.kind == "sample":
        raise UserError(
            "noise policy 'sample' draws its answer, but no key was given; pass a jax.random.key"
        )
    if key is None:
        return jax.random.key(0)
    is_key = isinstance(key, jax.Array) and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not is_key or key.shape != ():
        raise UserError(f"key is {shown(key)}; expected one key, e.g. jax.random.key(0)")
    return key
