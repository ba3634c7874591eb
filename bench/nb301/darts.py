"""DARTS genotypes in plain Python: the readable reference, their texts, and what is wrong with a
bad one.

A genotype (Liu et al. 2019, arXiv 1806.09055) has a normal and a reduction cell. Nodes 2 to 5 of a
cell each add up two operations on two different earlier nodes (0 and 1 are the outputs of the two
cells before); the cell's output concatenates nodes 2 to 5. The order of a node's two operations
means nothing: canonically the lower input is first.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

from rlnas.bench.arguments import has, plain, sequence, shown, whole
from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import texts

OPS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The seven operations, in the order of NAS-Bench-301's indices; DARTS' `none` is not in the
space."""
WEIGHTS = {
    "max_pool_3x3": 0.0,
    "avg_pool_3x3": 0.0,
    "skip_connect": 0.0,
    "sep_conv_3x3": 2 * (1 / 9 + 1 / 36),
    "sep_conv_5x5": 2 * (1 / 9 + 25 / 9 / 36),
    "dil_conv_3x3": 1 / 9 + 1 / 36,
    "dil_conv_5x5": 1 / 9 + 25 / 9 / 36,
}
"""Trainable parameters in those of a 3x3 convolution, with 36 channels: a depthwise and a 1x1
convolution, and twice that."""
NODES = (2, 3, 4, 5)
CELLS = ("normal", "reduce")
PAIRS = {node: tuple(combinations(range(node), 2)) for node in NODES}
"""A node's possible pairs of inputs, in lexicographic order: their place is NAS-Bench-301's pair
index."""

Edges = tuple[tuple[str, int], ...]
"""Eight (operation, input), two for each of nodes 2 to 5, as in DARTS."""


class Genotype(NamedTuple):
    """DARTS' own tuple. normal, reduce: `Edges`; concat: the nodes that make the output, always 2
    to 5."""

    normal: Edges
    normal_concat: tuple[int, ...]
    reduce: Edges
    reduce_concat: tuple[int, ...]


def parse(found: Any) -> Genotype:
    """The canonical genotype of a text (see `texts`; nothing in it is executed), of a `Genotype`, a
    dictionary of its fields, or (normal, normal_concat, reduce, reduce_concat). `UserError` names
    the first part that is not understood."""
    return canonical(texts.read(found) if isinstance(found, str) else found)


def canonical(genotype: Any) -> Genotype:
    """The same architecture with every node's inputs sorted; `UserError` with the reason when it is
    none.

    A cell is eight edges (operation, input), or four pairs of them, a node each. A third number of
    an edge, its weight in the search, is left out. A concat that is not there is 2 to 5.
    """
    fields = _fields(genotype)
    for name in CELLS:
        concat = f"{name}_concat"
        nodes = sequence(fields.get(concat, NODES), concat, "nodes")
        if sorted(map(plain, nodes), key=str) != list(NODES):
            raise UserError(
                f"{concat} is {shown(nodes)}; expected [2, 3, 4, 5], as all of NAS-Bench-301 has"
            )
    normal, reduce = (_cell(name, fields[name]) for name in CELLS)
    return Genotype(normal, NODES, reduce, NODES)


def _fields(genotype: Any) -> Mapping[str, Any]:
    """What stands under the names of DARTS' fields: `normal` and `reduce` at least."""
    if has(genotype, "_asdict"):
        genotype = genotype._asdict()
    if not isinstance(genotype, Mapping):
        values = sequence(genotype, "a genotype", "normal, normal_concat, reduce, reduce_concat")
        if len(values) != len(texts.FIELDS):
            raise UserError(f"found {shown(genotype)}; expected {texts.FORMS}")
        genotype = dict(zip(texts.FIELDS, values, strict=True))
    for name in [*genotype, *CELLS]:
        if name not in texts.FIELDS or name not in genotype:
            found = ", ".join(map(str, genotype)) or "none"
            raise UserError(
                f"found the fields {found} of a genotype; expected {', '.join(texts.FIELDS)}"
            )
    return genotype


def _cell(name: str, found: Any) -> Edges:
    what = f"the {name} cell"
    edges = sequence(found, what, "edges (operation, input)")
    if len(edges) == len(NODES):
        edges = [
            edge
            for node, pair in zip(NODES, edges, strict=True)
            for edge in _two(f"node {node} of {what}", pair)
        ]
    if len(edges) != 2 * len(NODES):
        raise UserError(
            f"{what} has {len(edges)} operations; expected 8, two for each of nodes 2 to 5"
        )
    result: list[tuple[str, int]] = []
    for node, first, second in zip(NODES, edges[::2], edges[1::2], strict=True):
        two = [_edge(name, node, edge) for edge in (first, second)]
        if two[0][1] == two[1][1]:
            raise UserError(
                f"node {node} of {what} has input {two[0][1]} twice; expected two different ones"
            )
        result += sorted(two, key=lambda edge: edge[1])
    return tuple(result)


def _two(what: str, pair: Any) -> list[Any]:
    edges = sequence(pair, what, "two edges (operation, input)")
    if len(edges) != 2:
        raise UserError(f"{what} is {shown(pair)}; expected two edges (operation, input)")
    return edges


def _edge(name: str, node: int, edge: Any) -> tuple[str, int]:
    what = "(operation, input)"
    parts = [edge] if isinstance(edge, str) else sequence(edge, f"an edge of the {name} cell", what)
    op, source, weight = (*map(plain, parts), *[None] * 3)[:3]
    if len(parts) not in (2, 3) or not isinstance(weight, int | float | None):
        raise UserError(f"found {shown(edge)} in the {name} cell; expected {what}")
    if not isinstance(op, str) or op not in OPS:
        raise UserError(
            f"found operation {shown(op)} in the {name} cell; expected one of {', '.join(OPS)}"
        )
    try:
        return op, whole(source, "an input", most=node - 1)
    except UserError:
        raise UserError(
            f"node {node} of the {name} cell has input {shown(source)}; expected a node from 0 to "
            f"{node - 1}"
        ) from None


def short(genotype: Genotype) -> str:
    """E.g. `0:sep_conv_3x3|1:skip_connect|...,...`: `input:operation` in the order of nodes, normal
    cell first."""
    return ",".join(
        "|".join(f"{source}:{op}" for op, source in cell)
        for cell in (genotype.normal, genotype.reduce)
    )


def text(genotype: Genotype) -> str:
    """DARTS' own text, as `repr` writes it there."""
    normal, reduce = list(genotype.normal), list(genotype.reduce)
    return (
        f"Genotype(normal={normal}, normal_concat=range(2, 6), reduce={reduce}, "
        "reduce_concat=range(2, 6))"
    )


def neighbours_of(genotype: Genotype) -> set[Genotype]:
    """Every genotype one edit away: an operation changed (16 x 6), or an input moved to a node not
    used (2 x 12)."""
    found = set()
    for name in CELLS:
        cell = getattr(genotype, name)
        for place, (op, source) in enumerate(cell):
            other = cell[place ^ 1][1]  # the same node's other input
            changes = [(new, source) for new in OPS if new != op]
            changes += [(op, new) for new in range(NODES[place // 2]) if new not in (source, other)]
            for edge in changes:
                edges = (*cell[:place], edge, *cell[place + 1 :])
                found.add(canonical(genotype._replace(**{name: edges})))
    return found
