"""How JAX is set, as far as it decides numbers."""

from __future__ import annotations

from typing import Any

import jax


def configuration() -> dict[str, Any]:
    """What decides, beside code and settings, which numbers come out; JSON-ready."""
    return {
        "prng": jax.config.jax_default_prng_impl,
        "partitionable": jax.config.jax_threefry_partitionable,
        "x64": jax.config.jax_enable_x64,
        "platform": jax.default_backend(),
    }
