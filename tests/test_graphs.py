"""What predictors see of a cell, against slow and readable enumerations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import bench
from rlnas.bench import graphs
from rlnas.bench.benchmark import Graph, Graphs
from rlnas.bench.nb201 import cell as nb201
from rlnas.bench.nb201.space import CellPart
from rlnas.bench.nb201.space import CellSpace as EdgeSpace
from rlnas.bench.nb301.darts import OPS
from rlnas.bench.nb301.genotype import DartsSpace, to_genotype
from rlnas.bench.stand_ins import GridSpace


def drawn(space: Any, n: int = 40) -> Any:
    return jax.vmap(space.sample)(jax.random.split(jax.random.key(1), n))


def place(ops: tuple[int, ...], k: int) -> int:
    """Of a path among those of its length."""
    return sum(op * k**position for position, op in enumerate(ops))


def cell_paths(space: Any, arch: Any) -> set[tuple[int, ...]]:
    """Of NAS-Bench-101: depth first from the input."""
    cell = space.cell(arch)
    last = cell.num_vertices - 1

    def onward(vertex: int, ops: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        for after in range(vertex + 1, last + 1):
            if cell.matrix[vertex][after]:
                if after == last:
                    yield ops
                else:
                    yield from onward(after, (*ops, cell.labels[after - 1]))

    return set(onward(0, ()))


def edge_paths(space: Any, arch: Any) -> set[tuple[int, ...]]:
    """Of NAS-Bench-201: four ways, those without `none`."""
    ways = ((3,), (0, 4), (1, 5), (0, 2, 5))
    found = {tuple(int(arch[edge]) for edge in way) for way in ways}
    return {tuple(op - 1 for op in ops) for ops in found if nb201.NONE not in ops}


@pytest.fixture(scope="module")
def cells() -> Any:
    return bench.load("nb101-digits").space


@pytest.mark.parametrize("name", ["cells", "edges"])
def test_paths_are_those_of_an_enumeration(name: str, cells: Any) -> None:
    """Places as BANANAS has them: 1 + 3 + 9 + 27 + 81 + 243 of NAS-Bench-101."""
    space = cells if name == "cells" else EdgeSpace(5)
    k = space.graph_operations
    longest = 5 if name == "cells" else 3
    archs = drawn(space)
    found = jax.jit(jax.vmap(lambda a: graphs.paths(space.graph(a), k, 1, longest)))(archs)
    assert found.shape[1] == (364 if name == "cells" else 1 + 4 + 16 + 64)
    for arch, bits in zip(archs, np.asarray(found), strict=True):
        expected = (cell_paths if name == "cells" else edge_paths)(space, arch)
        places = {sum(k**i for i in range(len(ops))) + place(ops, k) for ops in expected}
        # BANANAS: the sum of 3^i (op + 1).
        assert places == {sum(k**i * (op + 1) for i, op in enumerate(ops)) for ops in expected}
        assert set(np.flatnonzero(bits)) == places


def test_paths_of_both_cells_and_inputs() -> None:
    """DARTS: of each length first the normal cell's from its first input, then from its second."""
    space = DartsSpace()
    archs = drawn(space, 10)
    found = jax.jit(jax.vmap(lambda a: graphs.paths(space.graph(a), 7, 2, 2)))(archs)
    for arch, bits in zip(archs, np.asarray(found), strict=True):
        genotype = to_genotype(arch)
        expected = set()
        for c, cell in enumerate((genotype.normal, genotype.reduce)):
            into: dict[int, list[Any]] = {0: [(0, ())], 1: [(1, ())]}
            for i, (op, source) in enumerate(cell):
                more = [(s, (*ops, OPS.index(op))) for s, ops in into[source]]
                into.setdefault(2 + i // 2, []).extend(more)
                expected |= {(c, *path) for path in more}
        starts = (0, 4, 4 + 4 * 7)
        assert set(np.flatnonzero(bits)) == {
            starts[len(ops)] + (2 * c + s) * 7 ** len(ops) + place(ops, 7)
            for c, s, ops in expected
            if len(ops) <= 2
        }


def test_counts(cells: Any) -> None:
    archs = drawn(cells)
    found = np.asarray(jax.vmap(lambda a: graphs.counts(cells.graph(a), 3))(archs))[:, 0]
    for arch, row in zip(archs, found, strict=True):
        cell = cells.cell(arch)
        ops = Counter(cell.labels)
        assert row.tolist() == [len(cell.labels), cell.num_edges, *(ops[op] for op in range(3))]
    ones = graphs.at_least(jnp.array([0, 2, 9]), 3)
    assert ones.astype(int).tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_links(cells: Any) -> None:
    """Edges by the labels of their ends: 0 to 2 operations, 3 the output, 4 the input."""
    archs = drawn(cells)
    found = np.asarray(jax.vmap(lambda a: graphs.links(cells.graph(a), 3, 1))(archs))[:, 0]
    for arch, table in zip(archs, found, strict=True):
        cell = cells.cell(arch)
        kinds = [4, *cell.labels, 3]
        edges = zip(*np.nonzero(np.asarray(cell.matrix)), strict=True)
        expected = Counter((kinds[x], kinds[y]) for x, y in edges)
        assert {(a, b): n for (a, b), n in np.ndenumerate(table) if n} == expected


def relabelled(labels: list[int], edges: np.ndarray) -> list[str]:
    """One round of Weisfeiler and Lehman's, with texts."""
    before = [sorted(labels[u] for u in np.flatnonzero(edges[:, v])) for v in range(len(labels))]
    return [f"({label}<{','.join(map(str, b))})" for label, b in zip(labels, before, strict=True)]


def test_subtrees_are_those_of_texts(cells: Any) -> None:
    """Two cells share as many subtrees of each height as texts say, in so many buckets that none
    fall together."""
    archs = drawn(cells, 20)
    count = jax.jit(jax.vmap(lambda a: graphs.subtrees(cells.graph(a), 2, 1 << 14)))
    found = np.asarray(count(archs), np.int64)
    texts = []
    for arch in archs:
        graph = cells.graph(arch)
        there = np.flatnonzero(np.asarray(graph.labels[0]) >= 0)
        edges = np.asarray(graph.edges[0])[np.ix_(there, there)]
        rounds = [np.asarray(graph.labels[0])[there].tolist()]
        for _ in range(2):
            rounds.append(relabelled(rounds[-1], edges))
        texts.append([Counter(labels) for labels in rounds])
    for i in range(20):
        for j in range(20):
            for height in range(3):
                a, b = texts[i][height], texts[j][height]
                expected = sum(a[label] * b[label] for label in a)
                assert found[i, height] @ found[j, height] == expected


@pytest.mark.long
@pytest.mark.parametrize("space", [EdgeSpace(4), DartsSpace()], ids=["edges", "darts"])
def test_an_order_of_vertices_changes_nothing(space: Any) -> None:
    k, inputs = space.graph_operations, space.graph_inputs

    def seen(graph: Graph) -> Any:
        return (
            graphs.paths(graph, k, inputs, 2),
            graphs.counts(graph, k),
            graphs.subtrees(graph, 2, 64),
        )

    graph = space.graph(drawn(space, 1)[0])
    order = jax.random.permutation(jax.random.key(0), graph.labels.shape[1])
    other = Graph(graph.labels[:, order], graph.edges[:, order][:, :, order])
    for a, b in zip(seen(graph), seen(other), strict=True):
        assert (a == b).all()


@pytest.mark.parametrize("space", [DartsSpace(), EdgeSpace(5), EdgeSpace(4)], ids=str)
def test_no_way_leads_back_to_where_it_began(space: Any) -> None:
    edges = np.asarray(jax.vmap(lambda arch: space.graph(arch).edges)(drawn(space, 8)))
    ways = edges.astype(int)
    for _ in range(edges.shape[-1]):
        ways = np.minimum(ways @ edges, 1)
    assert edges.any() and not ways.any()


@pytest.mark.long
def test_parts_and_spaces_without_graphs(cells: Any) -> None:
    part = CellPart.of(EdgeSpace(5), np.arange(7, 70, 3))
    assert isinstance(part, Graphs) and not isinstance(GridSpace(), Graphs)
    for mine, whole in zip(graphs.parts(part), graphs.parts(EdgeSpace(5)), strict=True):
        assert (mine(part.at(4)) == whole(EdgeSpace(5).at(19))).all()
    arch = jnp.array([2, 0, 1, 2], jnp.int8)
    assert (graphs.together(graphs.parts(GridSpace()))(arch) == arch).all()
    code = graphs.together(graphs.parts(cells))
    known = graphs.known(cells, code)
    assert all((known(jnp.int32(row)) == code(jnp.int32(row))).all() for row in (0, 2531))


def test_whole_lengths_are_seen() -> None:
    """Of NAS-Bench-101 the first 40 paths, as BANANAS has it."""
    assert [graphs.longest_path(k, graphs.MOST_PATHS) for k in (3, 4, 7)] == [3, 3, 2]
    assert graphs.longest_path(3, 40) == 3 and graphs.longest_path(3, 39) == 2
