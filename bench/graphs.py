"""What predictors see of an architecture: the paths of its graph and counts, or subtrees of it.

Paths: White et al. 2021 (BANANAS, arXiv 1910.11858). Subtrees: Weisfeiler and Lehman's relabelling
(Shervashidze et al. 2011), as NAS-BOWL has it (Ru et al. 2021, arXiv 2006.07556). Spaces that show
no graphs (`rlnas.bench.benchmark.Graphs`) are seen by `encode`; that is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int8, Int32, UInt32

from rlnas.bench.benchmark import Arch, Graph, Graphs, Indexed, SearchSpace

Codes = Callable[[Arch], Any]
"""architecture -> int8 [f]. Pure, jit- and vmap-safe."""

MOST_PATHS = 100
"""Paths of whole lengths are seen, as long as a cell has at most so many from an input."""
MOST_ROWS = 2**19
"""Spaces with at most so many architectures are coded whole, once."""
ROWS_AT_ONCE = 1024


def longest_path(operations: int, most: int) -> int:
    """The longest length up to which a cell has at most `most` different paths: 1 + K + K^2 ..."""
    length, total = 0, 1
    while length < 8 and (total := total + operations ** (length + 1)) <= most:
        length += 1
    return length


def paths(graph: Graph, operations: int, inputs: int, longest: int) -> Bool[Array, " paths"]:
    """bool [P]: which paths lead from an input to the output, of at most `longest` operations.

    Short ones first, then by cell and input. Of one length the place is sum over positions i of
    K^i op_i, which is BANANAS' order: of NAS-Bench-101, 1 + 3 + 9 + 27 + 81 + 243.
    """
    is_input = graph.labels[..., None] == operations + 1 + jnp.arange(inputs, dtype=jnp.int8)
    is_op = (graph.labels[..., None] == jnp.arange(operations, dtype=jnp.int8)).astype(jnp.float32)
    is_output = (graph.labels == operations).astype(jnp.float32)
    edges = graph.edges.astype(jnp.float32)
    # float32 [cells, V, inputs, K^length], whether a path of that length ends with the vertex.
    ending = is_input.astype(jnp.float32)[..., None]
    found = []
    for length in range(longest + 1):
        into = (jnp.einsum("cuv,cuip->cvip", edges, ending) > 0).astype(jnp.float32)
        found.append(jnp.einsum("cv,cvip->cip", is_output, into).ravel() > 0)
        if length < longest:
            ending = is_op[:, :, None, :, None] * into[:, :, :, None, :]
            ending = ending.reshape(*into.shape[:-1], -1)
    return jnp.concatenate(found)


def counts(graph: Graph, operations: int) -> Int32[Array, "cells n"]:
    """int32 [cells, 2 + K]: operations in all, edges, and how often each operation is there."""
    each = (graph.labels[..., None] == jnp.arange(operations, dtype=jnp.int8)).sum(-2)
    edges = graph.edges.sum((-2, -1))
    return jnp.concatenate([each.sum(-1)[:, None], edges[:, None], each], -1).astype(jnp.int32)


def links(graph: Graph, operations: int, inputs: int) -> Int32[Array, "cells from to"]:
    """int32 [cells, K + 1 + inputs, K + 1]: how many edges lead from each kind of vertex to each
    other, by their labels."""
    kinds = jnp.arange(operations + 1 + inputs, dtype=jnp.int8)
    kind = (graph.labels[..., None] == kinds).astype(jnp.float32)
    found = jnp.einsum("cua,cuv,cvb->cab", kind, graph.edges.astype(jnp.float32), kind)
    return found[:, :, : operations + 1].astype(jnp.int32)


def at_least(numbers: Int32[Array, "*n"], most: int) -> Bool[Array, "*n most"]:
    """Numbers as so many ones: the squared distance of two is their difference."""
    return numbers[..., None] > jnp.arange(most, dtype=jnp.int32)


def subtrees(graph: Graph, heights: int, buckets: int) -> Int32[Array, "heights buckets"]:
    """int32 [heights + 1, buckets]: how many vertices have each label, after 0 to `heights` rounds
    in which a label takes in those of the vertices before it.

    Labels are 32-bit hashes, counted modulo `buckets`; a sum of hashes stands for the sorted list
    of labels, which needs no dictionary. That is ours; of few architectures two fall together.
    """
    present = graph.labels >= 0
    cell = jnp.arange(graph.labels.shape[0], dtype=jnp.uint32)[:, None]
    label = _mix(graph.labels.astype(jnp.uint32) + cell * 64 + 1)
    edges = graph.edges.astype(jnp.uint32)
    found = []
    for height in range(heights + 1):
        if height:
            before = jnp.einsum("cuv,cu->cv", edges, _mix(label))
            label = _mix(label ^ _mix(before + jnp.uint32(height)))
        place = (label % buckets).astype(jnp.int32).ravel()
        added = jnp.zeros(buckets, jnp.int32).at[place].add(present.ravel().astype(jnp.int32))
        found.append(added)
    return jnp.stack(found)


def _mix(x: UInt32[Array, "*n"]) -> UInt32[Array, "*n"]:
    """murmur3's 32-bit finaliser."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def parts(space: SearchSpace) -> list[Codes]:
    """`paths`, of whole lengths with at most `MOST_PATHS` from an input; `counts` as ones; `links`.
    `encode` alone where the space shows no graphs."""
    if not isinstance(space, Graphs):
        return [space.encode]
    operations, inputs = space.graph_operations, space.graph_inputs
    longest = longest_path(operations, MOST_PATHS)

    def path_code(arch: Arch) -> Int8[Array, " P"]:
        return paths(space.graph(arch), operations, inputs, longest).astype(jnp.int8)

    def count_code(arch: Arch) -> Int8[Array, " C"]:
        graph = space.graph(arch)
        numbers = counts(graph, operations)
        vertices = graph.labels.shape[-1]
        few, edges = jnp.delete(numbers, 1, axis=1), numbers[:, 1]
        ones = at_least(few, vertices), at_least(edges, 2 * vertices)
        return jnp.concatenate([part.ravel() for part in ones]).astype(jnp.int8)

    def link_code(arch: Arch) -> Int8[Array, " L"]:
        return links(space.graph(arch), operations, inputs).ravel().astype(jnp.int8)

    return [path_code, count_code, link_code]


def together(codes: Sequence[Codes]) -> Codes:
    """One code after the other."""
    return lambda arch: jnp.concatenate([code(arch) for code in codes])


def known(space: SearchSpace, code: Codes) -> Codes:
    """`code`, worked out once for all architectures where they have numbers and are few enough."""
    if not isinstance(space, Indexed) or space.size > MOST_ROWS:
        return code
    rows = at_run_time(jnp.arange(space.size, dtype=jnp.int32))
    table = jax.lax.map(lambda row: code(space.at(row)), rows, batch_size=ROWS_AT_ONCE)
    return lambda arch: table[jnp.maximum(space.index(arch), 0)]


def at_run_time(numbers: Int32[Array, "*n"]) -> Int32[Array, "*n"]:
    """The same; but what comes of them is not worked out while compiling, which takes minutes where
    a space is made of constants."""
    return jax.lax.optimization_barrier(numbers)
