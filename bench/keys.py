"""Where randomness comes from: one seed a run, folded apart by what it is for, so that an agent is
never judged on the draws that chose it, nor a split on those of a training."""

from __future__ import annotations

import zlib
from typing import Literal

import jax
import numpy as np
from jaxtyping import Array, Key

Purpose = Literal["search", "training", "evaluation", "shown", "synthetic"]
"""search: the runs of a comparison. training: of a learner. evaluation: the searches that choose a
checkpoint. shown: which part of a table a training sees.
synthetic: invented tables."""


def root(seed: int, purpose: Purpose) -> Key[Array, ""]:
    """The key of a seed for one purpose."""
    key = jax.random.key(seed)
    # Searches go without: number i of a seed is then fold_in(key(seed), i), as it always was.
    return key if purpose == "search" else jax.random.fold_in(key, _number(purpose))


def generator(seed: int, purpose: Purpose) -> np.random.Generator:
    """The same for what numpy draws."""
    return np.random.default_rng([seed, _number(purpose)])


def _number(purpose: Purpose) -> int:
    """Far above any number of seeds, which are folded in as they are."""
    return zlib.crc32(purpose.encode()) | 1 << 31
