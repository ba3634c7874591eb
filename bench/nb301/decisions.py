"""A pair of DARTS cells as a sequence of choices, node by node."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from rlnas.bench.benchmark import Wiring
from rlnas.bench.decisions import DigitDecisions
from rlnas.bench.nb301.darts import CELLS, NODES, OPS, PAIRS

OPERATION = 0
"""The kind of a choice of operations; pairs of inputs are of kind 1, 2 and 3, as nodes 3 to 5 have
others."""
USUAL = (OPS.index("sep_conv_3x3"), OPS.index("sep_conv_5x5"))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NodeDecisions(DigitDecisions):
    """Normal cell first; of nodes 2 to 5 the pair of inputs (node 2 has one pair only, so that is
    no choice), then the operations on the lower and on the higher one. Each is a digit."""

    @property
    def wiring(self) -> Wiring:
        nodes = max(NODES) + 1  # of a cell, with its two inputs
        steps, most = len(self.sizes), max(self.sizes)
        inputs = np.zeros((steps, most, len(CELLS) * nodes), bool)
        convolutions = np.zeros((steps, most), bool)
        made = np.full((len(CELLS), nodes), steps)
        t = 0
        for cell in range(len(CELLS)):
            for node in NODES:
                made[cell, node - 1] = t  # the one before it
                for pair, sources in enumerate(PAIRS[node]) if node > NODES[0] else ():
                    inputs[t, pair, [cell * nodes + source for source in sources]] = True
                t += node > NODES[0]
                convolutions[t : t + 2, USUAL] = True
                t += 2
            made[cell, 0] = made[cell, 1]
        given = np.arange(nodes) < NODES[0]
        return Wiring(inputs, made.ravel(), np.tile(given, len(CELLS)), convolutions)


def node_by_node() -> NodeDecisions:
    """The decisions of the space; digits as in `rlnas.bench.nb301.genotype`."""
    pairs = len(NODES) - 1  # the first digits of a cell
    digits = pairs + 2 * len(NODES)
    sizes: list[int] = []
    kinds: list[int] = []
    order: list[int] = []
    memory: list[int] = []
    for start in range(0, len(CELLS) * digits, digits):
        for i, node in enumerate(NODES):
            if i:
                sizes, kinds = [*sizes, len(PAIRS[node])], [*kinds, i]
                order = [*order, start + i - 1]
            sizes, kinds = [*sizes, *[len(OPS)] * 2], [*kinds, *[OPERATION] * 2]
            order += [start + pairs + 2 * i, start + pairs + 2 * i + 1]
            memory += range(3 if i else 2)
    return NodeDecisions(tuple(sizes), tuple(kinds), tuple(order), tuple(memory))
