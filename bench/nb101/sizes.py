"""How large the networks of a table are: its own, not always NAS-Bench-101's."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlnas.bench.nb101.forms import Cells
from rlnas.bench.nb101.official import parameters

SKELETON = ("stem_channels", "stacks", "modules")
"""What a recipe says of a network. The channels of its images and its classes, which it does not
say, add as much to every cell's count."""


def sizes(cells: Cells, recipe: dict[str, Any], rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """int32 [M]: trainable parameters of the networks of all `cells`, where some are counted.

    recipe: of a table's metadata. rows: the cells that are counted, known: their counts, 0 for
    none. Where these are of no network that the recipe describes, NAS-Bench-101's own counts.
    """
    counts = parameters(cells, **{key: recipe[key] for key in SKELETON if key in recipe})
    counted = known > 0
    more = np.unique(known[counted] - counts[rows[counted]])
    return counts + more if len(more) == 1 else parameters(cells)
