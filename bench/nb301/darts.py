"""DARTS genotypes in plain Python: the readable reference, their texts, and what is wrong with a
bad one.

A genotype (Liu et al. 2019, arXiv 1806.09055) has a normal and a reduction cell. Nodes 2 to 5 of a
cell each add up two operations on two different earlier nodes (0 and 1 are the outputs of the two
cells before); the cell's output concatenates nodes 2 to 5. The order of a node's two operations
means nothing: canonically the lower input is first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

from rlnas.bench.errors import UserError

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


def canonical(genotype: Sequence[Any]) -> Genotype:
    """The same architecture with every node's inputs sorted; `UserError` with the reason when it is
    none."""
    try:
        normal, normal_concat, reduce, reduce_concat = genotype
        concats = {"normal": list(normal_concat), "reduce": list(reduce_concat)}
        cells = {"normal": list(normal), "reduce": list(reduce)}
    except (TypeError, ValueError):
        raise UserError(
            f"found {genotype!r}; expected Genotype(normal, normal_concat, reduce, reduce_concat)"
        ) from None
    for name, concat in concats.items():
        if sorted(concat, key=str) != list(NODES):
            raise UserError(
                f"{name}_concat is {concat}; expected [2, 3, 4, 5], as all of NAS-Bench-301 has"
            )
    return Genotype(
        _cell("normal", cells["normal"]), NODES, _cell("reduce", cells["reduce"]), NODES
    )


def _cell(name: str, edges: list[Any]) -> Edges:
    if len(edges) != 2 * len(NODES):
        raise UserError(
            f"the {name} cell has {len(edges)} operations; expected 8, two for each of nodes 2 to 5"
        )
    found: list[tuple[str, int]] = []
    for node, first, second in zip(NODES, edges[::2], edges[1::2], strict=True):
        two = [_edge(name, node, edge) for edge in (first, second)]
        if two[0][1] == two[1][1]:
            raise UserError(
                f"node {node} of the {name} cell has input {two[0][1]} twice; expected two "
                "different ones"
            )
        found += sorted(two, key=lambda edge: edge[1])
    return tuple(found)


def _edge(name: str, node: int, edge: Any) -> tuple[str, int]:
    try:
        op, source = edge
    except (TypeError, ValueError):
        raise UserError(f"found {edge!r} in the {name} cell; expected (operation, input)") from None
    if op not in OPS:
        raise UserError(
            f"found operation {op!r} in the {name} cell; expected one of {', '.join(OPS)}"
        )
    if isinstance(source, bool) or not isinstance(source, int) or not 0 <= source < node:
        raise UserError(
            f"node {node} of the {name} cell has input {source!r}; expected a node from 0 to "
            f"{node - 1}"
        )
    return op, source


def parse(text: str) -> Genotype:
    """The canonical genotype of either text: DARTS' `Genotype(normal=[('sep_conv_3x3', 1), ...],
    ...)`, or the short form `1:sep_conv_3x3|...,...`. Nothing in the text is executed. Raises
    `UserError`."""
    return canonical(_parse_call(text) if "(" in text else _parse_short(text))


def _parse_short(text: str) -> Genotype:
    cells = [cell.strip().split("|") for cell in text.strip().split(",")]
    words = [[re.fullmatch(r"\s*(\d+):(\w+)\s*", word) for word in cell] for cell in cells]
    if len(cells) != 2 or not all(match for cell in words for match in cell):
        raise UserError(
            f"found {text!r}; expected `input:operation|...,input:operation|...` (normal, then "
            "reduction cell), "
            "or Genotype(normal=[(operation, input), ...], normal_concat=..., reduce=..., "
            "reduce_concat=...)"
        )
    normal, reduce = (tuple((m[2], int(m[1])) for m in cell if m) for cell in words)
    return Genotype(normal, NODES, reduce, NODES)


def _parse_call(text: str) -> Genotype:
    def literal(node: ast.expr) -> object:
        """A literal, or `range(a, b)` of literals."""
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "range"
        ):
            ends = [ast.literal_eval(argument) for argument in node.args]
            if len(ends) != 2 or any(type(end) is not int or not 0 <= end <= 16 for end in ends):
                raise ValueError("range")
            return list(range(*ends))
        return ast.literal_eval(node)

    try:
        call = ast.parse(text.strip(), mode="eval").body
        if (
            not isinstance(call, ast.Call)
            or not isinstance(call.func, ast.Name)
            or call.func.id != "Genotype"
        ):
            raise ValueError("no Genotype")
        fields = dict(zip(Genotype._fields, map(literal, call.args), strict=False))
        fields |= {str(word.arg): literal(word.value) for word in call.keywords}
        return Genotype(**fields)  # type: ignore[arg-type]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise UserError(
            f"found {text!r}; expected Genotype(normal=[(operation, input), ...], "
            "normal_concat=range(2, 6), "
            "reduce=[...], reduce_concat=range(2, 6))"
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
