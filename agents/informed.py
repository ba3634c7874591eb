"""A Gaussian process that knows how other benchmarks rank the space, and finds out whether that
holds here.

Its mean begins as slope x ranking; the residuals' kernel has a term weight x (product of rankings),
so that answers can turn the slope either way. Slopes and weights are chosen by the evidence, none
among them. (After the linear trends of kriging, Rasmussen and Williams 2006, section 2.7; the grid
is ours.)
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from rlnas.agents import asked
from rlnas.agents.kernels import Kernel
from rlnas.agents.prior import Known
from rlnas.bench.benchmark import Arch

SLOPES = (0.5, 0.0)
"""Slopes tried of the mean before any answer, of the sources' average or of one of them."""
WEIGHTS = (0.25, 0.0)
"""Weights tried of the term that turns it, as shares of the process's variance."""
EACH = 64
"""Candidates from either end of a ranking."""
KEPT = 576
"""Places at either end of a ranking that candidates are taken from."""


class Leads(NamedTuple):
    """numbers: int32 [lists, K], architectures from the ends of rankings: the best of the average,
    the best of each where there are several, and the worst of each."""

    numbers: Int32[Array, "lists K"]

    def beside(
        self, space: Any, every: Any, archs: Arch, allowed: Bool[Array, " n"]
    ) -> tuple[Arch, Bool[Array, " more"]]:
        """Candidates with the first of each list that were not asked behind them."""
        new = ~jax.vmap(jax.vmap(lambda i: asked.knows(space, every, space.at(i))))(self.numbers)
        each = min(EACH, self.numbers.shape[1])
        places = jax.vmap(lambda row: jnp.nonzero(row, size=each, fill_value=0)[0])(new)
        numbers = jnp.take_along_axis(self.numbers, places, axis=1).ravel()
        may = jnp.take_along_axis(new, places, axis=1).ravel()
        more = jax.vmap(space.at)(numbers)
        return jnp.concatenate([archs, more]), jnp.concatenate([allowed, may])

    def first(self, archs: Arch) -> int:
        """The place of the first list's first among the candidates."""
        return len(archs) - len(self.numbers) * min(EACH, self.numbers.shape[1])


def informed(kernel: Kernel, space: Any, known: Known) -> tuple[Kernel, Leads]:
    """`kernel` with the sources' rankings, which stand in front of its codes: float32 [sources +
    f]. Settings are weight, slopes [sources], then the kernel's own."""
    values = known.values(space)
    many = len(values)

    def code(arch: Arch) -> Float32[Array, " more"]:
        own = kernel.code(arch).astype(jnp.float32)
        return jnp.concatenate([values[:, space.index(arch)], own])

    def correlation(a: Any, b: Any, settings: Any) -> Float32[Array, "m n"]:
        residual = kernel.correlation(a[:, many:], b[:, many:], settings[1 + many :])
        return residual + settings[0] * (a[:, :many] @ b[:, :many].T)

    def own(codes: Any, settings: Any) -> Float32[Array, " n"]:
        ranked = codes[:, :many]
        return 1.0 + settings[0] * (ranked * ranked).sum(1)

    def trend(codes: Any, settings: Any) -> Float32[Array, " n"]:
        return codes[:, :many] @ settings[1 : 1 + many]

    unit = jnp.eye(many, dtype=jnp.float32)
    ways = [jnp.full(many, 1 / many, jnp.float32), *(unit if many > 1 else [])]
    slopes = [slope * way for slope in SLOPES if slope for way in ways] + [0 * ways[0]]
    settings = [
        jnp.concatenate([jnp.array([weight], jnp.float32), slope, inner])
        for slope, weight in product(slopes, WEIGHTS)
        for inner in kernel.settings
    ]
    kept = min(KEPT, space.size)
    rankings = jnp.stack([*(way @ values for way in ways), *(-values)])
    leads = Leads(jax.lax.top_k(rankings, kept)[1].astype(jnp.int32))
    return Kernel(code, jnp.stack(settings), correlation, own, trend), leads
