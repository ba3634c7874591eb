"""An architecture drawn as its graph: an operation is a dot, inputs to the left."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#F0E442")
"""Of operations, in the order of their labels; Okabe and Ito's."""
ENDS = "#444444"


def layers(edges: np.ndarray, real: np.ndarray) -> np.ndarray:
    """int [V]: the length of the longest way to each vertex."""
    found = np.zeros(len(real), int)
    for _ in range(len(real)):
        ways = np.where(edges & real[:, None] & real[None, :], found[:, None] + 1, 0)
        found = np.maximum(found, ways.max(axis=0))
    return found


def connected(edges: np.ndarray, labels: np.ndarray, output: int) -> np.ndarray:
    """bool [V]: the vertices on a way from an input (labels above `output`) to the output; the ends
    in any case."""
    forward, backward = labels > output, labels == output
    ends = forward | backward
    for _ in range(len(labels)):
        forward = forward | (edges & forward[:, None]).any(axis=0)
        backward = backward | (edges & backward[None, :]).any(axis=1)
    found: np.ndarray = (forward & backward) | ends
    return found


def draw_graph(axes: Axes, space: Any, arch: Any, cell: int = 0) -> set[int]:
    """One cell of an architecture of a space that shows graphs; the operations that are in it."""
    graph = space.graph(arch)
    labels, edges = np.asarray(graph.labels)[cell], np.asarray(graph.edges)[cell]
    output = space.graph_operations
    # Nothing leads on from the output, or into an input.
    edges = edges & (labels != output)[:, None] & (labels <= output)[None, :]
    kept = connected(edges & (labels >= 0)[:, None] & (labels >= 0)[None, :], labels, output)
    kept &= labels >= 0
    layer = layers(edges, kept)
    layer[labels == output] = max(layer[kept].max(), 1)
    x = layer / max(layer[kept].max(), 1)
    y = np.zeros(len(labels))
    for level in np.unique(layer[kept]):
        here = np.flatnonzero(kept & (layer == level))
        # One operation alone stands a little off the middle, so that ways past it are seen.
        alone, end = len(here) == 1, labels[here[0]] >= output
        off = 0.15 * (-1.0) ** level if alone and not end else 0.0
        y[here] = off if alone else np.linspace(0.3, -0.3, len(here))
    for a, b in zip(*np.nonzero(edges & kept[:, None] & kept[None, :]), strict=True):
        axes.annotate(
            "", (x[b], y[b]), (x[a], y[a]), zorder=1,
            arrowprops={"arrowstyle": "-|>", "color": "#999999", "linewidth": 0.8,
                        "shrinkA": 4, "shrinkB": 4, "mutation_scale": 6,
                        "connectionstyle": f"arc3,rad={0.25 if layer[b] - layer[a] > 1 else 0}"},
        )  # fmt: skip
    for v in np.flatnonzero(kept):
        end = labels[v] >= output
        axes.plot(
            x[v], y[v], marker="s" if end else "o", markersize=4 if end else 7,
            color=ENDS if end else COLOURS[labels[v] % len(COLOURS)],
            markeredgecolor="white", markeredgewidth=0.5, zorder=2,
        )  # fmt: skip
    axes.set_xlim(-0.12, 1.12)
    axes.set_ylim(-0.42, 0.42)
    axes.axis("off")
    return {int(label) for label in labels[kept] if label < output}
