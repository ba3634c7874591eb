"""Work that is due now and then, in searches that run beside each other.

Under `vmap` a `lax.cond` whose predicate belongs to the seed becomes a select: all seeds do the
work of both branches at every query. What is due by counting queries is due for all together, so
here the predicate is first taken for all of them, and the `cond` stays one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool

Work = Callable[[Any, Any], Any]


def when(due: Bool[Array, ""], work: Work, state: Any, shared: Any = ()) -> Any:
    """`work(state, shared)` where `due`, else `state`: pytrees of arrays, `work`'s like `state`.

    Among others it is worked out if it is due for any of them, and kept by those for which it is:
    the result is that of a `cond`. Traced arrays that `work` uses are in `state` or `shared`.
    """
    return _conditional(work)(due, state, shared)


def _conditional(work: Work) -> Callable[[Any, Any, Any], Any]:
    @custom_vmap
    def alone(due: Bool[Array, ""], state: Any, shared: Any) -> Any:
        return jax.lax.cond(due, lambda: work(state, shared), lambda: state)

    def kept_if_due(pair: Any, shared: Any) -> Any:
        due, before = pair
        after = jax.tree.map(lambda a, b: jnp.where(due, a, b), work(before, shared), before)
        return due, after

    @alone.def_vmap
    def beside(size: int, batched: Any, due: Any, state: Any, shared: Any) -> Any:
        pair = jax.tree.map(
            lambda x, is_batched: x if is_batched else jnp.broadcast_to(x, (size, *x.shape)),
            (due, state),
            tuple(batched[:2]),
        )
        axes = jax.tree.map(lambda is_batched: 0 if is_batched else None, batched[2])
        together = jax.vmap(kept_if_due, in_axes=(0, axes))
        _, state = _conditional(together)(pair[0].any(), pair, shared)
        return state, jax.tree.map(lambda x: True, state)

    return alone
