"""What a cell's network computes, in closed form and in JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, UInt32

from rlnas.bench.nb101.cell import MAX_VERTICES, OPS
from rlnas.bench.nb101.forms import EDGE_X, EDGE_Y, NUM_OPS

STEM = 128
MODULES = 3
STACKS = ((STEM, STEM, 32), (STEM, 2 * STEM, 16), (2 * STEM, 4 * STEM, 8))
"""(channels into the first module, channels, pixels a side) of each."""
REST = 201_728
"""Down-sampling, pooling and the last layer."""
ELEMENTWISE = 3
"""Operations for each output of a convolution: normalisation and ReLU."""
# By operation, no operation last: multiply-adds a pair of channels, other operations a channel.
_KERNEL = np.array([{"conv3x3-bn-relu": 9, "conv1x1-bn-relu": 1}.get(op, 0) for op in OPS] + [0])
_OTHER = np.array([9 if op == "maxpool3x3" else ELEMENTWISE for op in OPS] + [0])


def vertices(ops: UInt32[Array, ""]) -> Int32[Array, ""]:
    """Of the operations in two bits each (`CellSpace.ops`)."""
    return 2 + (_labels(ops) < NUM_OPS).sum(dtype=jnp.int32)


def density(bits: UInt32[Array, ""], ops: UInt32[Array, ""]) -> Float32[Array, ""]:
    """Edges a vertex."""
    return (_matrix(bits).sum(dtype=jnp.int32) / vertices(ops)).astype(jnp.float32)


def flops(bits: UInt32[Array, ""], ops: UInt32[Array, ""]) -> Float32[Array, ""]:
    """As NASLib counts them for the official network on CIFAR-10: multiply-adds of all
    convolutions, 3 operations for each of their outputs, 9 for each output of a pooling vertex."""
    matrix, output = _matrix(bits), vertices(ops) - 1
    labels = _labels(ops)
    kernel, other = (jnp.asarray(x, jnp.float32)[labels] for x in (_KERNEL, _OTHER))
    from_input = matrix[0, 1:-1]
    total = jnp.float32(REST + 32**2 * STEM * (9 * 3 + ELEMENTWISE))
    for before, width, pixels in STACKS:
        channels = _channels(matrix, output, width)
        inside = (kernel * channels**2 + other * channels).sum()
        # What the input feeds gets it through a 1x1 convolution.
        fed = jnp.where(from_input & (jnp.arange(1, MAX_VERTICES - 1) < output), channels, 0).sum()
        fed += jnp.where(matrix[0, output], width, 0)
        into = before + (MODULES - 1) * width + MODULES * ELEMENTWISE
        total += pixels**2 * (MODULES * inside + into * fed)
    return total


def _labels(ops: UInt32[Array, ""]) -> Int32[Array, " interior"]:
    shift = 2 * np.arange(MAX_VERTICES - 2, dtype=np.uint32)
    return (ops >> shift & 3).astype(jnp.int32)


def _matrix(bits: UInt32[Array, ""]) -> Bool[Array, "V V"]:
    edges = bits >> np.arange(len(EDGE_X), dtype=np.uint32) & 1
    return jnp.zeros((MAX_VERTICES, MAX_VERTICES), bool).at[EDGE_X, EDGE_Y].set(edges == 1)


def _channels(matrix: Any, output: Int32[Array, ""], width: int) -> Float32[Array, " interior"]:
    """Of the interior vertices, as `cell.vertex_channels`; 0 for those that are not there."""
    inner = jnp.arange(1, MAX_VERTICES - 1)
    feeding = matrix[1:-1, output] & (inner < output)
    count = jnp.maximum(feeding.sum(dtype=jnp.int32), 1)
    place = jnp.cumsum(feeding.astype(jnp.int32)) - 1
    share = width // count + (place < width % count)
    channels = jnp.where(feeding, share, 0).astype(jnp.float32)
    for v in reversed(range(MAX_VERTICES - 2)):
        onward = jnp.where(matrix[v + 1, 1:-1] & (inner < output), channels, 0).max()
        channels = channels.at[v].set(jnp.where(feeding[v], channels[v], onward))
    return channels
