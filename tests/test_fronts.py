"""Fronts, hypervolume and attainment: by hand, beside a slow count and beside moocore; the exact
fronts of NAS-Bench-201."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlnas.agents.reward_words import asked_for
from rlnas.analysis.fronts.data import ground_of
from rlnas.analysis.fronts.hypervolume import (
    anytime,
    attained,
    hypervolume,
    igd_plus,
    is_front,
    knee,
)
from rlnas.analysis.graph_layout import connected, layers
from rlnas.bench import load
from rlnas.bench.add_columns import add_columns
from rlnas.bench.family import families
from rlnas.bench.nb201.import_csv import import_csv
from tables import small_benchmark

RUN = np.array([[0.5, 0.5], [0.25, 0.75], [0.6, 0.6], [0.75, 0.0], [0.5, 0.5]])


def plain(points: np.ndarray) -> float:
    """Strip by strip."""
    points = sorted(tuple(p) for p in np.clip(points, 0, 1))
    total, best = 0.0, 1.0
    for i, (x, y) in enumerate(points):
        best = min(best, y)
        right = points[i + 1][0] if i + 1 < len(points) else 1.0
        total += (right - x) * (1 - best)
    return total


def test_hypervolume_by_hand() -> None:
    assert anytime(RUN[None])[0] == pytest.approx([0.25, 0.3125, 0.3125, 0.4375, 0.4375])
    assert hypervolume(RUN[:0]) == 0
    assert hypervolume(np.array([[0.0, 0.0]])) == 1
    assert hypervolume(np.array([[2.0, 0.0], [np.nan, 0.0]])) == 0  # beyond the reference, unknown
    assert anytime(RUN[None], [2, 4])[0] == pytest.approx([0.3125, 0.4375])


def test_the_front_by_hand() -> None:
    assert is_front(RUN).tolist() == [True, True, False, True, False]  # of equals the first
    gap = np.vstack([RUN, [[0.1, np.nan]]])
    assert is_front(gap).tolist() == [True, True, False, True, False, False]
    three = np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1], [0, 1, 1]])
    assert is_front(three).tolist() == [True, True, True, False, False]


def test_many_runs_are_as_one_at_a_time() -> None:
    runs = np.random.default_rng(0).random((5, 40, 2)).round(1)  # with ties
    found = anytime(runs)
    for run, values in zip(runs, found, strict=True):
        assert values == pytest.approx([plain(run[:n]) for n in range(1, 41)])


def test_moocore_agrees() -> None:
    moocore = pytest.importorskip("moocore", reason="the extra `objectives` is not installed")
    rng = np.random.default_rng(1)
    for k in (2, 3, 4):
        points = rng.random((60, k)) ** 0.5
        mine, front = hypervolume(points), points[is_front(points)]
        assert mine == pytest.approx(moocore.hypervolume(points, ref=[1.0] * k), abs=1e-12)
        assert is_front(points).tolist() == moocore.is_nondominated(points).tolist()
        some = points[:20]
        assert igd_plus(some, front) == pytest.approx(moocore.igd_plus(some, ref=front))
        found = anytime(points[None], [10, 60])
        assert found[0, 1] == pytest.approx(mine) and found[0, 0] < mine


def test_attainment_is_the_best_at_no_more_than_a_cost() -> None:
    runs = np.stack([RUN[:2], [[0.4, 0.1], [np.nan, 0.0]]])
    found = attained(runs, np.array([0.2, 0.25, 0.4, 0.5]))
    assert found.tolist() == [[np.inf, 0.75, 0.75, 0.5], [np.inf, np.inf, 0.1, 0.1]]


def test_the_knee_is_farthest_below_the_line_between_the_ends() -> None:
    front = np.array([[0.0, 1.0], [0.1, 0.4], [0.2, 0.1], [0.8, 0.05], [1.0, 0.0]])
    assert knee(front) == 2 and knee(front[::-1]) == 2
    assert knee(front[:2]) == -1


def test_graphs_are_drawn_from_input_to_output() -> None:
    # input 0 -> 1 -> 2 -> output 4, 0 -> 4; 3 hangs on nothing.
    edges = np.zeros((5, 5), bool)
    edges[[0, 1, 2, 0, 0], [1, 2, 4, 4, 3]] = True
    labels = np.array([3, 0, 1, 0, 2])
    kept = connected(edges, labels, output=2)
    assert kept.tolist() == [True, True, True, False, True]
    assert layers(edges, kept).tolist() == [0, 1, 2, 0, 3]


def test_the_ground_of_a_table_is_all_of_it() -> None:
    benchmark = asked_for(small_benchmark(4, noise="sample"), ["accuracy", "params"])
    ground = ground_of(benchmark, [])
    mean, params = (np.asarray(x) for x in (benchmark.inner.mean_val, benchmark.costs.values[:, 0]))
    points = np.stack([1 - mean, params], axis=1)
    np.testing.assert_allclose(ground.points, points, rtol=1e-6)
    best = [
        i for i, p in enumerate(points) if not any((q <= p).all() and (q < p).any() for q in points)
    ]
    assert sorted(ground.front.tolist()) == best
    assert ground.natural(points[:1].copy())[0, 0] == pytest.approx(100 * mean[0])
    assert ground.scaled(ground.points).min() == 0 and ground.scaled(ground.points).max() == 1


GOLDEN = {
    ("raspi4",): (47, 0.947589),
    ("pixel3",): (39, 0.946294),
    ("eyeriss",): (16, 0.970545),
    ("fpga",): (16, 0.958050),
    ("gold_6226",): (49, 0.942245),
    ("titan_rtx_256",): (52, 0.953771),
    ("pixel2",): (18, 0.972887),
    ("params",): (16, 0.973693),
    ("flops",): (21, 0.973259),
    ("raspi4", "eyeriss", "fpga"): (101, 0.904609),
}
LIMITED = {
    "titan_rtx_256": ((18, 21, 25), (70.86, 71.22, 72.24)),
    "gold_6226": ((8, 11, 14), (69.33, 71.12, 72.20)),
    "pixel2": ((14, 18, 22), (71.52, 71.81, 72.20)),
    "eyeriss": ((5, 7, 9), (71.12, 72.20, 73.09)),
    "fpga": ((4, 5, 6), (70.52, 72.24, 72.20)),
}
"""Limits in ms, and the test accuracy of what is best by validation below them."""


@pytest.mark.long
def test_the_exact_fronts_of_nb201(real_data: Path, cache: Path) -> None:
    import_csv(real_data / "nb201_accuracy_c10v_c100.csv.gz")
    table = families()["nb201"].column_table("nb201-cifar100")
    latencies = real_data / "nb201_help_latency.csv.gz"
    added = add_columns(table, latencies, table.path, unit="ms", degenerate="keep")
    assert len(added.lines) == 27 and "kept as they are" in " ".join(added.lines)
    benchmark = load("nb201-cifar100")
    for names, (points, volume) in GOLDEN.items():
        if len(names) > 1:
            pytest.importorskip("moocore", reason="the extra `objectives` is not installed")
        ground = ground_of(asked_for(benchmark, ["accuracy", *names]), [])
        assert len(ground.front) == points, names
        assert ground.volume == pytest.approx(volume, abs=1e-6), names
    for name, (limits, best) in LIMITED.items():
        cost = asked_for(benchmark, [name]).costs.values[:, 0]
        for limit, test in zip(limits, best, strict=True):
            below = np.where(cost <= limit, benchmark.mean_val, -1)
            assert 100 * benchmark.mean_test[below.argmax()] == pytest.approx(test, abs=0.006)
