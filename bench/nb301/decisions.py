"""A pair of DARTS cells as a sequence of choices, node by node."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from rlnas.bench.benchmark import Wiring
from rlnas.bench.decisions import DigitDecisions
from rlnas.bench.exemplars import Words
from rlnas.bench.nb301 import darts
from rlnas.bench.nb301.darts import CELLS, NODES, OPS, PAIRS, Genotype

OPERATION = 0
"""The kind of a choice of operations; pairs of inputs are of kind 1, 2 and 3, as nodes 3 to 5 have
others."""
CONV3 = "sep_conv_3x3"
USUAL = (OPS.index(CONV3), OPS.index("sep_conv_5x5"))


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

    @property
    def experts(self) -> dict[str, str]:
        """Both cells alike. resnet: every node adds a convolution of the node before and a skip
        from the one before that. inception: every node takes the two inputs alone."""
        chain = [edge for node in NODES for edge in (("skip_connect", node - 2), (CONV3, node - 1))]
        branches = [
            (op, source)
            for op in (CONV3, "sep_conv_5x5", "dil_conv_3x3", "max_pool_3x3")
            for source in (0, 1)
        ]
        cells = {"resnet": tuple(chain), "inception": tuple(branches)}
        return {
            name: darts.short(Genotype(cell, NODES, cell, NODES)) for name, cell in cells.items()
        }

    def spelled(self, text: str) -> tuple[int, ...]:
        genotype = darts.canonical(darts.parse(text))
        choices: list[int] = []
        for cell in (genotype.normal, genotype.reduce):
            for i, node in enumerate(NODES):
                (low, first), (high, second) = cell[2 * i : 2 * i + 2]
                pair = [PAIRS[node].index((first, second))] if i else []
                choices += [*pair, OPS.index(low), OPS.index(high)]
        return tuple(choices)

    @property
    def words(self) -> Words:
        """An operation as type and kernel; a pair of inputs as two predecessors."""

        def operations(place: str) -> list[frozenset[str]]:
            kinds = ((op.rpartition("_")[0], op.rpartition("_")[2]) for op in OPS)
            return [frozenset({f"{place} {kind}", f"{place} {size}"}) for kind, size in kinds]

        said: list[list[frozenset[str]]] = []
        for name in CELLS:
            for node in NODES:
                here = f"{name} {node}"
                if node > NODES[0]:
                    pairs = PAIRS[node]
                    said.append([frozenset(f"{here} from {x}" for x in pair) for pair in pairs])
                said += [operations(f"{here} low"), operations(f"{here} high")]
        return said


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
