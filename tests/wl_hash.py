"""A Weisfeiler-Lehman hash of labelled graphs: equal for isomorphic ones, whatever their numbering.

`row_of` does not need it, it looks exact forms up. This is the independent check of those (the hash
takes 423,624 values on the 423,624 cells).
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax.numpy as jnp

from rlnas.bench.nb101.cell import MAX_VERTICES
from rlnas.bench.nb101.forms import UNUSED

# Odd constants without meaning, one tuple a lane: of the label, an edge in, an edge out, a round,
# the end.
_LANES = (
    (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1),
    (0xB5297A4D, 0x68E31DA5, 0x1B56C4E9, 0x7FEB352D, 0x846CA68B),
)


def _mix(h: Any, xp: ModuleType) -> Any:
    """Murmur3's finaliser: every bit of a uint32 comes to depend on every other."""
    h = (h ^ (h >> xp.uint32(16))) * xp.uint32(0x85EBCA6B)
    h = (h ^ (h >> xp.uint32(13))) * xp.uint32(0xC2B2AE35)
    return h ^ (h >> xp.uint32(16))


def wl_hash(adjacency: Any, labels: Any, xp: ModuleType = jnp) -> tuple[Any, Any]:
    """Two uint32 [...] that do not change with the numbering of the vertices nor with padding.

    adjacency: bool or uint8 [..., n, n], pruned; labels: uint8 [..., n], 255 (`UNUSED`) on padding,
    which must have no edges. The same bits from numpy and from jax.numpy (which has no uint64
    unless told so, hence two lanes). As many rounds as a cell can have vertices: each mixes into a
    vertex the sums of what its in- and, with another constant, its out-neighbours were.
    """
    edges = xp.asarray(adjacency).astype(xp.uint32)
    used = xp.asarray(labels) != UNUSED
    hashes = []
    for label, edge_in, edge_out, own, end in (map(xp.uint32, lane) for lane in _LANES):
        colour = _mix(xp.asarray(labels).astype(xp.uint32) * label + end, xp)
        for _ in range(MAX_VERTICES):  # not the matrix's size: padding must not count
            into = (edges * _mix(colour ^ edge_in, xp)[..., :, None]).sum(-2, dtype=xp.uint32)
            out = (edges * _mix(colour ^ edge_out, xp)[..., None, :]).sum(-1, dtype=xp.uint32)
            colour = _mix(_mix(_mix(colour + own, xp) ^ into, xp) * edge_in ^ out, xp)
        # A kept axis: numpy warns when a scalar overflows, and never when an array does.
        total = xp.where(used, _mix(colour ^ end, xp), xp.uint32(0)).sum(
            -1, dtype=xp.uint32, keepdims=True
        )
        hashes.append(_mix(total, xp)[..., 0])
    return hashes[0], hashes[1]
