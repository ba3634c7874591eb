"""Ensembles of trees in JAX: one intersection of leaf sets (`leafsets`) a tree, thousands of trees
a kernel.

Trees that test equally many codes with equally long sets form a group, so that a group is one loop
over blocks of trees and a block is one kernel: for every tree and architecture, gather a set a
code, intersect, take the number of the bit that is left, gather the leaf. A tree's sets, about 4
KB, serve the whole batch from the first-level cache. Nothing here knows what it runs on; on a GPU a
block is only larger.

Sums are float32, of leaves less their tree's mean leaf (the means are added up in double when
packing): leaves of a block's 16 trees of one member first, then block by block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Int8, Int32, UInt8, UInt32

from rlnas.bench.nb301.genotype import NUM_CODES, codes
from rlnas.bench.nb301.grouping import GROUP_ARRAYS, UNIT, check
from rlnas.bench.nb301.surrogate import Prediction

BLOCK_CPU, BLOCK_GPU = 1 << 14, 1 << 24
"""Trees times architectures of one kernel: few enough for the second-level cache, or enough to fill
a GPU."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Group:
    """Trees that are evaluated alike, in units of 16.

    code: which code each set is chosen by (34: none). row: the tree's place among the sets of a
    code and value. leaf: where each tree's leaves start. member: of each unit. table: which of the
    ensemble's.
    """

    code: UInt8[Array, "features trees"]
    row: UInt32[Array, "features trees"]
    leaf: UInt32[Array, " trees"]
    member: Int32[Array, " units"]
    table: int = field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TreeEnsemble:
    """Members' trees, packed. tables: leaf sets [rows, words] by words. start: where each code's
    (rows) and value's (columns; the first is -1) sets start in a table. leaves: values. base: a
    large and a small part."""

    tables: tuple[UInt32[Array, "_ _"], ...]
    start: tuple[UInt32[Array, "35 11"], ...]
    leaves: Float32[Array, " leaves"]
    groups: tuple[Group, ...]
    base: Float32[Array, "2 members"]

    @property
    def members(self) -> int:
        return self.base.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all its arrays."""
        return sum(x.nbytes for x in jax.tree.leaves(self))

    @property
    def trees(self) -> int:
        """Trees that are evaluated, fillers included."""
        return sum(group.leaf.shape[0] for group in self.groups)

    def outputs(self, arch: Int8[Array, " 22"]) -> Float32[Array, " members"]:
        """What each member predicts, in the model's own unit. Under vmap, a batch shares the
        reading of the trees."""
        arrays, structure = jax.tree.flatten(self)
        return _outputs_for(structure)(arrays, codes(arch)[None])[0]


def _outputs(ensemble: TreeEnsemble, code: Int8[Array, "n 34"]) -> Float32[Array, "n members"]:
    values = jnp.pad(code.astype(jnp.int32) + 1, ((0, 0), (0, 1))).T  # [35, n]; the last is 0
    starts = [jnp.take_along_axis(start, values, 1) for start in ensemble.start]
    large, small = ensemble.base
    total = jnp.broadcast_to(small[:, None], (ensemble.members, len(code)))
    for group in ensemble.groups:
        total = _add_group(ensemble, group, starts[group.table], total)
    # Without the barrier XLA begins the sums with `large`, and rounds each to its size.
    return jax.lax.optimization_barrier(total).T + large


@cache
def _outputs_for(structure: Any) -> Any:
    """`_outputs` of an ensemble's arrays, for its pytree structure, which under vmap (also of vmap)
    sees one batch.

    Batching it operation by operation would give each architecture a loop over the trees of its
    own."""

    @jax.custom_batching.custom_vmap
    def outputs(arrays: list[Array], code: Int8[Array, "n 34"]) -> Float32[Array, "n members"]:
        return _outputs(jax.tree.unflatten(structure, arrays), code)

    @outputs.def_vmap
    def _(axis_size: int, batched: Any, arrays: list[Array], code: Array) -> tuple[Array, bool]:
        arrays_batched, code_batched = batched
        if any(arrays_batched):
            raise ValueError("vmap over the trees themselves: pass the ensemble with in_axes=None")
        if not code_batched:
            return outputs(arrays, code), False
        flat = outputs(arrays, code.reshape(-1, NUM_CODES))
        return flat.reshape(*code.shape[:-1], flat.shape[-1]), True

    return outputs


def _add_group(
    ensemble: TreeEnsemble,
    group: Group,
    start: UInt32[Array, "35 n"],
    total: Float32[Array, "members n"],
) -> Float32[Array, "members n"]:
    table, n, units = ensemble.tables[group.table], start.shape[1], group.member.shape[0]
    limit = BLOCK_CPU if jax.default_backend() == "cpu" else BLOCK_GPU
    at_once = max(1, min(units, limit // (UNIT * n)))
    trees = at_once * UNIT
    words = table.shape[1]
    last_bit = jnp.arange(words, dtype=jnp.uint32) * 32 + 31

    def block(
        step: Int[Array, ""], total: Float32[Array, "members n"]
    ) -> Float32[Array, "members n"]:
        first = jnp.minimum(step * at_once, units - at_once)
        code, row = (
            jax.lax.dynamic_slice_in_dim(x, first * UNIT, trees, 1) for x in (group.code, group.row)
        )
        # A loop of its own: XLA would work the indices out again for every word.
        chosen = jax.lax.map(lambda of: of[1][:, None] + _rows(start, of[0]), (code, row))
        left = _rows(table, chosen[0].reshape(-1))  # [trees * n, words]
        for f in range(1, code.shape[0]):
            left = left & _rows(table, chosen[f].reshape(-1))
        # One bit is left: 31 - clz is its place in its word.
        leaf = (
            jnp.where(left != 0, last_bit - jax.lax.clz(left), 0)
            .sum(1, dtype=jnp.uint32)
            .reshape(trees, n)
        )
        leaf = leaf + jax.lax.dynamic_slice_in_dim(group.leaf, first * UNIT, trees)[:, None]
        sums = _items(ensemble.leaves, leaf.reshape(-1)).reshape(at_once, UNIT, n).sum(1)
        # The last block starts early to be as long as the others: what it repeats does not count.
        new = first + jnp.arange(at_once) >= step * at_once
        member = jax.lax.dynamic_slice_in_dim(group.member, first, at_once)
        return total.at[member].add(jnp.where(new[:, None], sums, 0))

    return jax.lax.fori_loop(0, -(-units // at_once), block, total)


def _rows(table: Array, index: Array) -> Array:
    """table [rows, k] at index [n] -> [n, k]. `lax.gather` itself: jnp's indexing wraps negative
    indices, and the arithmetic for that keeps XLA from making one kernel of everything."""
    dims = jax.lax.GatherDimensionNumbers(
        offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    in_bounds = jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS
    return jax.lax.gather(table, index[:, None], dims, (1, table.shape[1]), mode=in_bounds)


def _items(values: Array, index: Array) -> Array:
    """values [rows] at index [n] -> [n]."""
    dims = jax.lax.GatherDimensionNumbers(
        offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    return jax.lax.gather(
        values, index[:, None], dims, (1,), mode=jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS
    )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class OfficialEnsemble:
    """An accuracy ensemble of NAS-Bench-301 (percent), with the ensemble that predicts seconds
    where there is one."""

    accuracy: TreeEnsemble
    runtime: TreeEnsemble | None = None

    @property
    def members(self) -> int:
        return self.accuracy.members

    def predict(self, arch: Int8[Array, " 22"]) -> Prediction:
        """As the official code defines them: the members' mean and standard deviation (over n), the
        mean runtime."""
        accuracy = self.accuracy.outputs(arch) / 100
        seconds = (
            jnp.float32(jnp.nan) if self.runtime is None else self.runtime.outputs(arch).mean()
        )
        return Prediction(accuracy.mean(), accuracy.std(), seconds)


def from_arrays(arrays: dict[str, np.ndarray], where: str = "trees") -> TreeEnsemble:
    """The ensemble of `grouping.join`'s arrays; `UserError` naming `where` if one is missing or
    leads outside."""
    check(arrays, where)
    on_device = {key: jnp.asarray(value) for key, value in arrays.items()}
    groups = tuple(
        Group(table=int(table), **{key: on_device[f"group_{i}_{key}"] for key in GROUP_ARRAYS})
        for i, table in enumerate(arrays["group_tables"])
    )
    count = sum(key.startswith("table_") for key in arrays)
    tables, start = (
        tuple(on_device[f"{key}_{i}"] for i in range(count)) for key in ("table", "start")
    )
    return TreeEnsemble(tables, start, on_device["leaves"], groups, on_device["base"])
