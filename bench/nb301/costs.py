"""What a DARTS network has and computes, in closed form and in JAX.

Counted is the network that NAS-Bench-301 trains (`torch_network`: 32 channels, 8 layers, without
the auxiliary head), on an image of CIFAR-10: all trainable parameters; multiply-adds of
convolutions and classifier, 1 for each output of a batch norm, 1 for each input of a ReLU, 9 for
each output of a pool, (s + 1)^2 for the last one over s x s. Every edge adds its own part, which
is what its operation costs in all the layers of its cell.

NASLib's counts of the same architectures (725 of them) differ exactly by batch norms, whose
parameters it leaves out in operations, and of which its pools have one; and by a constant, 524,288
FLOPs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int8

from rlnas.bench.nb301.darts import CELLS, NODES, OPS, PAIRS
from rlnas.bench.nb301.genotype import DIGITS_A_CELL, FIRST_OP
from rlnas.bench.objectives import FLOPS, PARAMS, Range

CHANNELS, LAYERS, CLASSES, SIDE, STEM = 32, 8, 10, 32, 3
KERNEL = {"sep_conv_3x3": 3, "sep_conv_5x5": 5, "dil_conv_3x3": 3, "dil_conv_5x5": 5}
POOL = 9
REDUCTIONS = (LAYERS // 3, 2 * LAYERS // 3)


def conv_bn(
    before: int, after: int, area: int, entering: int, kernel: int = 1, groups: int = 1
) -> np.ndarray:
    """[parameters, FLOPs] of ReLU, convolution without bias, batch norm. area: pixels that come
    out; entering: pixels that go in, through a ReLU."""
    weights = kernel**2 * before * after // groups
    return np.array([weights + 2 * after, (weights + after) * area + before * entering])


def separable(c: int, kernel: int, area: int, entering: int) -> np.ndarray:
    """ReLU, depthwise convolution, 1 x 1 convolution, batch norm."""
    depthwise = np.array([kernel**2 * c, kernel**2 * c * area])
    return depthwise + conv_bn(c, c, area, 0) + np.array([0, c * entering])


def operation(op: str, c: int, area: int, stride: int) -> np.ndarray:
    """[parameters, FLOPs] of an edge with `c` channels whose output has `area` pixels."""
    entering = area * stride**2
    if op in KERNEL:
        once = separable(c, KERNEL[op], area, entering)
        return once + separable(c, KERNEL[op], area, area) if op.startswith("sep") else once
    if op == "skip_connect":  # of stride 2: two halves, a ReLU before both
        return conv_bn(c, c, area, entering) if stride == 2 else np.zeros(2, np.int64)
    return np.array([0, POOL * c * area])


@cache
def tables() -> tuple[np.ndarray, np.ndarray]:
    """(float64 [2], [parameters, FLOPs] of what all networks share; float64 [cells, strided, ops,
    2] of an edge in all layers of its cell, whether it comes from one of the cell's inputs)."""
    width = STEM * CHANNELS
    fixed = np.array([9 * 3 * width + 2 * width, (9 * 3 * width + width) * SIDE**2])
    edges = np.zeros((len(CELLS), 2, len(OPS), 2))
    before, channels, side, halved = (width, width), CHANNELS, SIDE, False
    for layer in range(LAYERS):
        reduction = layer in REDUCTIONS
        channels *= 1 + reduction
        area = side**2  # of what comes in
        fixed = fixed + conv_bn(before[0], channels, area, area * (4 if halved else 1))
        fixed = fixed + conv_bn(before[1], channels, area, area)
        side //= 1 + reduction
        for i, op in enumerate(OPS):
            for strided in (0, 1):
                stride = 2 if reduction and strided else 1
                edges[int(reduction), strided, i] += operation(op, channels, side**2, stride)
        before, halved = (before[1], len(NODES) * channels), reduction
    last = before[1]
    fixed = fixed + np.array([(last + 1) * CLASSES, last * CLASSES + last * (side + 1) ** 2])
    return fixed.astype(np.float64), edges


def _strided() -> np.ndarray:
    """int [nodes, most pairs, 2]: whether the lower and the higher input are a cell's inputs."""
    found = np.zeros((len(NODES), len(PAIRS[NODES[-1]]), 2), np.int32)
    for i, node in enumerate(NODES):
        for p, pair in enumerate(PAIRS[node]):
            found[i, p] = [source < 2 for source in pair]
    return found


STRIDED = _strided()


def counts(arch: Int8[Array, " 22"]) -> Float32[Array, " 2"]:
    """[parameters, FLOPs] of an architecture."""
    fixed, edges = tables()
    digits = arch.astype(jnp.int32).reshape(len(CELLS), DIGITS_A_CELL)
    first = jnp.zeros((len(CELLS), 1), jnp.int32)  # node 2 has one pair
    pairs = jnp.concatenate([first, digits[:, :FIRST_OP]], axis=1)
    ops = digits[:, FIRST_OP:].reshape(len(CELLS), len(NODES), 2)
    strided = jnp.asarray(STRIDED)[jnp.arange(len(NODES)), pairs]  # [cells, nodes, 2]
    cells = jnp.arange(len(CELLS))[:, None, None]
    each = jnp.asarray(edges, jnp.float32)[cells, strided, ops]
    return jnp.asarray(fixed, jnp.float32) + each.sum((0, 1, 2))


def ranges() -> tuple[Range, Range]:
    """Of parameters and FLOPs: every edge by itself is as cheap, or dear, as it can be."""
    fixed, edges = tables()
    low, high = fixed.copy(), fixed.copy()
    for cell in edges:
        for node in range(len(NODES)):
            pairs = STRIDED[node, : len(PAIRS[NODES[node]])]
            least, most = cell.min(axis=1), cell.max(axis=1)  # [strided, 2]
            low += np.min([sum(least[s] for s in pair) for pair in pairs], axis=0)
            high += np.max([sum(most[s] for s in pair) for pair in pairs], axis=0)
    return Range(low[0], high[0]), Range(low[1], high[1])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DartsCosts:
    """Costs by name: params, flops, and what `model` predicts of seconds."""

    model: Any
    names: tuple[str, ...] = field(metadata={"static": True})

    def __call__(self, arch: Int8[Array, " 22"]) -> Float32[Array, " n"]:
        both = counts(arch)
        known = {PARAMS.name: both[0], FLOPS.name: both[1]}
        if missing := [name for name in self.names if name not in known]:
            known |= dict.fromkeys(missing, self.model.predict(arch).seconds)
        return jnp.stack([known[name] for name in self.names]).astype(jnp.float32)


def costs_of(model: Any, names: Sequence[str], seconds: Range) -> tuple[DartsCosts, Any]:
    """See `rlnas.bench.multiobjective.Multiobjective`. seconds: their range."""
    spans = dict(zip((PARAMS.name, FLOPS.name), ranges(), strict=True))
    return DartsCosts(model, tuple(names)), tuple(spans.get(name, seconds) for name in names)
