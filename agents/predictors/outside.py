"""What predictors of other libraries share."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.graphs import Codes


def installed(module: str, package: str, predictor: str) -> None:
    """`UserError` where `module` is not installed."""
    if find_spec(module) is None:
        raise UserError(
            f"{package} is not installed, and {predictor} needs it; "
            "`pip install 'rlnas[predictors]'`, or choose another predictor"
        )


def encoded(space: SearchSpace) -> Codes:
    """The encoding of the space."""
    return space.encode


def seed_of(key: Any) -> int:
    """31 bits of a key."""
    return int(jax.random.bits(key, dtype=jnp.uint32)) >> 1


def standardised(values: Any) -> Float[np.ndarray, " n"]:
    """With mean 0 and standard deviation 1."""
    found = np.asarray(values, np.float64)
    return (found - found.mean()) / max(found.std(), 1e-12)
