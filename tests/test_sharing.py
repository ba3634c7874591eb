"""Which cells share weights, and which a step trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from rlnas.bench.nb101.assemble import cell_list
from rlnas.bench.nb101.cell import OPS, Cell, trainable_parameters, vertex_channels
from rlnas.bench.nb101.sharing import parts, sampler

CELLS = cell_list(5)[1]


def drawn(seed: int) -> Callable[[int], int]:
    rng = np.random.default_rng(seed)
    return lambda n: int(rng.integers(n))


def test_parts_share_nothing_and_are_all() -> None:
    assert parts(CELLS, "none") == [list(range(len(CELLS)))]

    def same_operations(cell: Cell) -> object:
        channels = vertex_channels(cell, 16, 16)
        feeding = [channels[v] for v in range(1, cell.num_vertices) if cell.matrix[v][-1]]
        return cell.ops, tuple(feeding)

    for split, what, count, largest in (
        ("graph", lambda cell: cell.matrix, 110, 27),
        ("operations", same_operations, 103, 46),
    ):
        found = parts(CELLS, split)  # type: ignore[arg-type]
        assert len(found) == count and max(map(len, found)) == largest
        assert sorted(place for part in found for place in part) == list(range(len(CELLS)))
        assert all(part == sorted(part) for part in found)
        alike = [{what(CELLS[place]) for place in part} for part in found]
        assert all(len(one) == 1 for one in alike) and len(set.union(*alike)) == count


def test_a_fair_step_has_every_operation_once_at_every_position() -> None:
    draw, whole = sampler(CELLS, "fair"), drawn(0)
    seen: Counter[tuple[int, ...]] = Counter()
    for _ in range(200):
        cells = draw(whole)
        assert len({cell.matrix for cell in cells}) == 1
        for column in zip(*(cell.ops[1:-1] for cell in cells), strict=True):
            assert sorted(column) == sorted(OPS)
        seen.update(cell.labels for cell in cells if cell.num_vertices == 5)
    assert len(seen) == 27  # any combination may come


def test_a_uniform_step_has_any_cell_equally_often() -> None:
    draw, whole = sampler(CELLS[:20], "uniform"), drawn(1)
    seen = Counter(draw(whole)[0] for _ in range(4000))
    assert len(seen) == 20 and max(seen.values()) < 1.4 * min(seen.values())


def test_a_sandwich_has_the_ends() -> None:
    some = CELLS[:91]
    draw, whole = sampler(some, "sandwich"), drawn(2)
    large, small, _ = draw(whole)
    sizes = [trainable_parameters(cell) for cell in some]
    assert (trainable_parameters(large), trainable_parameters(small)) == (max(sizes), min(sizes))
    assert len({draw(whole)[2] for _ in range(50)}) > 30


@pytest.mark.parametrize("sampling", ["uniform", "fair", "sandwich"])
def test_the_same_draws_again(sampling: str) -> None:
    one, other = (sampler(CELLS[:91], sampling) for _ in range(2))  # type: ignore[arg-type]
    a, b = drawn(3), drawn(3)
    assert [one(a) for _ in range(5)] == [other(b) for _ in range(5)]
