"""`rlnas speed` compares like with like: its plain references compute what the fast code
computes."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import agents
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis.speed import executor as by_tasks
from rlnas.analysis.speed import reference as speed_reference
from rlnas.analysis.speed import sections as speed
from rlnas.analysis.speed.command import Speed
from rlnas.analysis.speed.measure import Measure, best_of
from rlnas.analysis.speed.reference import PlainMDP, PlainTable
from rlnas.bench.compiled import FOLDER
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.mdp import IncrementalMDP, State
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import module_hash
from rlnas.bench.nb101.convert import convert
from rlnas.bench.nb101.synthetic import write_synthetic
from rlnas.bench.nb101.table import Table
from rlnas.bench.rewards import Exponential
from rlnas.bench.table_benchmark import TableBenchmark
from tables import small_benchmark
from worker_tasks import act, run_here


@pytest.fixture(scope="module")
def benchmark() -> TableBenchmark:
    return small_benchmark(4)


@pytest.fixture(scope="module")
def plain(benchmark: TableBenchmark) -> PlainTable:
    return speed.plain_of(benchmark)


def test_ratio_is_how_many_times_faster_ours_is() -> None:
    assert Measure("a rate", 300.0, 3.0, "1/s", "").ratio == 100
    assert Measure("a time", 0.5, 20.0, "s", "").ratio == 40


def test_the_plain_enumeration_finds_the_same_cells() -> None:
    found = speed_reference.enumerate_cells(4)
    assert set(found) == {digest.tobytes().hex() for digest in graph.hashes(4)}
    assert all(module_hash(cell) == digest for digest, cell in found.items())


def test_the_plain_table_is_the_benchmark(benchmark: TableBenchmark, plain: PlainTable) -> None:
    np.testing.assert_array_equal(np.float32(plain.val), benchmark.mean_val)
    offsets, flat = graph.neighbour_lists(4)
    assert plain.neighbours == [flat[a:b].tolist() for a, b in pairwise(offsets)]


def test_a_plain_look_up_is_the_benchmark_s(benchmark: TableBenchmark) -> None:
    """Also of a matrix that needs pruning."""
    cell = benchmark.space.cell(40)
    n = cell.num_vertices
    matrix = [[0] * (n + 1) for _ in range(n + 1)]
    for x, row in enumerate(cell.matrix):
        for y, edge in enumerate(row):
            matrix[x if x < n - 1 else n][y if y < n - 1 else n] = edge
    ops = [*cell.ops[:-1], "maxpool3x3", cell.ops[-1]]  # the added vertex has no edges
    known = {
        module_hash(benchmark.space.cell(row)): float(benchmark.mean_val[row]) for row in range(91)
    }
    assert speed_reference.look_up(known, matrix, ops) == float(benchmark.lookup(cell).val)


@pytest.mark.parametrize("neighbours", [4, 40])
def test_the_plain_mdp_takes_the_same_steps(
    benchmark: TableBenchmark, plain: PlainTable, neighbours: int
) -> None:
    """Fewer neighbours than there are, and more: same encodings of the same architectures, same
    rewards."""
    fast = IncrementalMDP(benchmark, neighbours=neighbours)
    shaped = np.asarray(Exponential(6.0)(jnp.asarray(plain.val)))
    mdp = PlainMDP(plain, np.random.default_rng(0), neighbours, horizon=5)
    observation = mdp.reset()
    chosen = np.random.default_rng(1)
    for t in range(12):
        near = plain.neighbours[mdp.arch]
        assert len(set(mdp.shown)) == len(mdp.shown) == min(len(near), neighbours) and set(
            mdp.shown
        ) <= set(near)
        shown = [mdp.arch, *mdp.shown]
        mask = jnp.arange(neighbours + 1) < len(shown)
        archs = jnp.array(shown + [mdp.arch] * (neighbours + 1 - len(shown)), jnp.int32)
        wanted = fast.observe(State(archs, mask, jnp.float32(0), jnp.int32(0)))
        assert (
            observation.shape == wanted.encoding.shape
            and observation.dtype == wanted.encoding.dtype
        )
        np.testing.assert_array_equal(
            observation[np.asarray(mask)], wanted.encoding[np.asarray(mask)]
        )
        assert not observation[~np.asarray(mask)].any()
        action = int(chosen.integers(len(mdp.shown)))
        before, after = mdp.arch, mdp.shown[action]
        observation, reward, truncated = mdp.step(action)
        assert reward == pytest.approx(shaped[after] - shaped[before], abs=1e-6)
        assert truncated == (t % 5 == 4)
        assert truncated or mdp.arch == after


def test_the_plain_reader_reads_what_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "synthetic.tfrecord"
    count = write_synthetic(path, max_vertices=4, budgets=(12, 108))
    found = speed_reference.read_tfrecord(path, count)
    table = Table.load(convert(path, tmp_path / "t.npz", max_vertices=4, progress=False))
    assert len(found) == 91 * 2
    for row, digest in enumerate(graph.hashes(4)):
        for budget, epochs in enumerate((12, 108)):
            values = found[digest.tobytes().hex(), epochs]
            np.testing.assert_array_equal(np.float32(values), table.val[row, budget])
    assert sum(map(len, speed_reference.read_tfrecord(path, 10).values())) == 10


@pytest.mark.parametrize("name", ["random_search", "evolution", "local_search"])
def test_the_plain_searches_find_as_much(
    benchmark: TableBenchmark, plain: PlainTable, name: str
) -> None:
    """The same algorithm, so the same mean of the best of 40 queries: within three standard errors,
    200 runs each."""
    runs, budget = 200, 40
    history = run_seeds(agents.config(name)(), benchmark, budget, seed_keys(0, runs))
    ours = np.asarray(history.val, np.float64).max(axis=1)
    search = getattr(speed_reference, name)
    theirs = np.array([search(plain, np.random.default_rng(seed), budget) for seed in range(runs)])
    assert theirs.max() <= max(plain.val)
    error = np.sqrt((ours.var() + theirs.var()) / runs)
    assert abs(ours.mean() - theirs.mean()) < 3 * error


def test_timing_counts_the_fastest_run_after_the_first() -> None:
    calls = []
    assert (
        best_of(lambda: jax.block_until_ready(jnp.zeros(len(calls) + 1)) if calls.append(0) else 0)
        >= 0
    )
    assert len(calls) == 4


def test_what_ray_costs_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    took = {("local", 2): 10.0, ("ray", 1): 18.0, ("ray", 2): 11.0}
    monkeypatch.setattr(
        by_tasks, "seconds", lambda small, workers, where: took[where.executor, workers]
    )
    monkeypatch.setattr(by_tasks, "reckoned", lambda spent, trainings: [])
    cost, gain = by_tasks.measure(small=False)
    assert (cost.ours, cost.reference, gain.ours, gain.reference) == (11, 10, 11, 18)
    assert cost.note.endswith("2 workers: +10% on local processes")
    assert gain.note.endswith("efficiency 0.82")


def test_what_many_machines_bring_by_hand() -> None:
    for begin, tasks, workers, end in (
        (10.0, [1.0, 1.0, 1.0], 1, 13),
        (10.0, [4.0, 1.0, 1.0, 1.0], 2, 14),  # the others are done meanwhile
        (10.0, [4.0, 1.0], 100, 14),
        (10.0, [], 2, 0),
    ):
        assert by_tasks.makespan(begin, tasks, workers) == end
    found = by_tasks.reckoned(np.array([25.0, 5.0, 5.0, 8.0]), trainings=5)
    assert [m.name for m in found[:3]] == ["this grid, 1", "this grid, 10", "this grid, 100"]
    # 20 s until a worker begins, then 5, 5, 5 and 8; the full grid: 40 tasks of 4 x 5.75.
    assert [m.ours for m in found] == [33, 28, 28, 20 + 20 * 23, 20 + 2 * 23, 20 + 23]
    assert [m.reference for m in found] == [33] * 3 + [480] * 3
    assert "40 tasks of 23 s on 10 machines of 2 cores, 20 s until" in found[4].note
    measured = [
        Measure("Ray", 110.0, 100.0, "s", ""),
        Measure("Ray, 2 workers", 110.0, 200.0, "s", ""),
    ]
    said = by_tasks.told([vars(one) for one in (*measured, *found)])
    assert "two workers: 110 s, +10% on local processes" in said and "to two 0.91. Reckoned" in said
    assert "takes 33 s on 1, 28 s on 10, 28 s on 100; one of 8 alphas, 5 N, 20 tr" in said
    assert "as here, 8 min on 1, 66 s on 10, 43 s on 100. A" in said and "so 20 machines" in said


def test_the_ends_of_tasks_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlnas.bench.workers.run_all", run_here)
    watched, ends = by_tasks.Watched(), list[Any]()
    watched.run_all(act, ["a", "b"], 1, lambda *told: None, lambda *end: ends.append(end))
    assert len(ends) == 2 and 0 <= watched.ended[0] <= watched.ended[1]


def test_a_grid_is_timed_with_nothing_compiled_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = os.environ.get(FOLDER), list[Any]()

    def run_jobs(rows: list[Any], workers: int, where: Executor) -> list[str]:
        seen.append((len(rows), workers, os.environ[FOLDER]))
        return ["lost"] if workers == 1 else []

    monkeypatch.setattr(by_tasks.jobs, "run_jobs", run_jobs)
    assert by_tasks.seconds(False, 2, LOCAL) >= 0
    with pytest.raises(UserError, match="lost"):
        by_tasks.seconds(True, 1, LOCAL)
    assert [one[:2] for one in seen] == [(3, 2), (2, 1)] and seen[0][2] != seen[1][2]
    assert os.environ.get(FOLDER) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"only": ("lookups", "nothing")}, "unknown section 'nothing'; expected lookups"),
        ({"cores": 0}, "--cores 0"),
    ],
)
def test_bad_options_are_refused(options: dict, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Speed(**options)
