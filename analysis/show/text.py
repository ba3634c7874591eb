"""What is known of an architecture, for a terminal."""

from __future__ import annotations

import numpy as np

from rlnas.analysis.cells import names_of
from rlnas.analysis.graph_layout import cell_graph
from rlnas.analysis.show.data import DRAWN, Cost, Seen
from rlnas.analysis.text import aligned, humanise, percent
from rlnas.bench.benchmark import Graphs
from rlnas.bench.names import visible


def text(seen: Seen) -> str:
    """Name, graph, row, ranks, neighbours."""
    blocks = [
        heading(seen),
        *graphs(seen),
        rows(seen),
        *([costs(seen)] if seen.costs else []),
        "\n".join(ranks(seen)),
        neighbours(seen),
    ]
    return "\n\n".join(blocks)


def heading(seen: Seen) -> str:
    number = "" if seen.number is None else f" (number {seen.number:,})"
    about = seen.benchmark.describe().get("about")
    return "\n".join(
        [f"{seen.benchmark.name}{number}", seen.text, *([str(about)] if about else [])]
    )


def graphs(seen: Seen) -> list[str]:
    """What leads where, a block a cell; nothing of spaces that show no graphs."""
    space = seen.benchmark.space
    if not isinstance(space, Graphs):
        return []
    count = len(np.asarray(space.graph(seen.arch).labels))
    return [graph_text(seen, cell, count) for cell in range(count)]


CELLS = ("normal cell", "reduction cell")
"""Where an architecture has two."""


def graph_text(seen: Seen, cell: int, count: int) -> str:
    """A line an operation: what it takes. What is on no way to the output is left out."""
    space = seen.benchmark.space
    labels, edges = cell_graph(space, seen.arch, cell)
    names, output, inputs = (
        names_of(space),
        space.graph_operations,
        (labels > space.graph_operations).sum(),
    )
    called: dict[int, str] = {}
    for v, label in enumerate(labels.tolist()):
        if label > output:
            called[v] = "input" if inputs == 1 else f"input {label - output - 1}"
        elif label < output:
            called[v] = f"{len([u for u in called if labels[u] < output]) + 1} {names[label]}"
    lines = [
        (
            "output" if labels[v] == output else called[v],
            [called[u] for u in np.flatnonzero(edges[:, v]).tolist()],
        )
        for v in range(len(labels))
        if labels[v] <= output
    ]
    width = max(len(name) for name, _ in lines)
    said = [
        f"  {name.ljust(width)}  <-  {', '.join(short(x) for x in of) or '-'}" for name, of in lines
    ]
    return "\n".join(([f"{CELLS[cell]}:"] if count > 1 else []) + said)


def short(name: str) -> str:
    """An operation by its number, an input by its name."""
    return name if name.startswith("input") else name.partition(" ")[0]


def rows(seen: Seen) -> str:
    """The look-ups, a line a budget."""
    tested = any(answer.test == answer.test for answer in seen.answers)
    lines = [
        [
            "-" if answer.epochs is None else str(answer.epochs),
            percent(answer.val),
            *([percent(answer.test)] if tested else []),
            humanise(answer.seconds),
        ]
        for answer in seen.answers
    ]
    repeats = seen.benchmark.describe().get("repeats")
    took = "training took" if repeats in (1, None) else f"{repeats} trainings took"
    header = ["epochs", "validation %", *(["test %"] if tested else []), took]
    return aligned([header, *lines], set(range(len(header))))


def costs(seen: Seen) -> str:
    """What it costs, in the range of the space."""
    lines = [[visible(cost.objective.title), amount(cost, cost.value),
              f"{amount(cost, cost.range.low)} to {amount(cost, cost.range.high)}"]
             for cost in seen.costs]  # fmt: skip
    return aligned([["cost", "here", "in the space"], *lines], {1})


def amount(cost: Cost, value: float) -> str:
    """Counts in full, other numbers to four digits."""
    if np.isnan(value):
        return "-"
    whole = not cost.objective.unit and float(value).is_integer()
    return f"{value:,.0f}" if whole else f"{value:.4g}"


def ranks(seen: Seen) -> list[str]:
    """A sentence for each kind of accuracy."""
    said = []
    for kind, place in seen.kinds.items():
        own, all_values = seen.own[place][0], seen.everybody[place]
        known = all_values[~np.isnan(all_values)]
        if np.isnan(own):
            said.append(f"by {kind}: no value")
            continue
        above, below = int((known > own).sum()), int((known < own).sum())
        if seen.complete:
            said.append(f"by {kind}: rank {above + 1:,} of {len(known):,}")
        else:
            said.append(f"by {kind}: better than {below:,} of {DRAWN:,} drawn at random")
    return said


def neighbours(seen: Seen) -> str:
    """How those one change away compare, and the best of them."""
    lines = []
    for kind, place in seen.kinds.items():
        values = seen.neighbours[place]
        known = values[~np.isnan(values)]
        better = int((known > seen.own[place][0]).sum())
        spread = (known.max(), np.median(known), known.min()) if len(known) else (np.nan,) * 3
        lines.append([f"{kind} %", *map(percent, spread), f"{better} of {len(known)}"])
    said = aligned(
        [[f"{len(seen.near)} neighbours", "best", "median", "worst", "better than this"], *lines],
        {1, 2, 3, 4},
    )
    val = seen.neighbours.val
    if np.isnan(val).all():
        return said
    best = int(np.nanargmax(val))
    return f"{said}\nbest neighbour by validation: {seen.near[best]}"
