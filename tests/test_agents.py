"""Each algorithm does what its paper says, read off its histories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from rlnas.agents.evolution import Evolution
from rlnas.agents.local_search import LocalSearch
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.random_walk import RandomWalk
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.stand_ins import (
    GridBenchmark,
    ListSpace,
    islands,
    make,
    neighbour_lists,
    ring,
    scrambled,
)

UNLIKELY = 1e-3  # keys are fixed: a test that passes once passes always


def histories(config, benchmark, budget, seeds):
    history = run_seeds(config, benchmark, budget, seed_keys(3, seeds))
    return np.asarray(history.arch), np.where(history.valid, history.val, -np.inf)


def test_random_search_is_uniform():
    archs, _ = histories(RandomSearch(), ring(np.full(20, 0.5)), 100, 200)
    assert chisquare(np.bincount(archs.ravel(), minlength=20)).pvalue > UNLIKELY


# Random walk


def jumps(near, walk):
    """Replay a walk: (jumps where there is no neighbour, jumps elsewhere to what is none, where all
    around has been asked). Every other query is a neighbour of the one before."""
    asked, behind, dead_ends, exhausted = set(), set(), 0, 0
    for here, there in pairwise(walk.tolist()):
        asked.add(here)
        if near[here] and (near[here] | behind) - asked:
            assert there in near[here]
            behind = near[here]
        else:
            behind = set()
            dead_ends += not near[here]
            exhausted += bool(near[here]) and there not in near[here]
    return dead_ends, exhausted


@pytest.mark.parametrize(
    "benchmark",
    [scrambled(100, 5), islands(100, 5), make([[1, 2], [0, 2], [0, 1]] + [[]] * 97, np.ones(100))],
    ids=["random", "islands", "a triangle"],
)
def test_a_walk_goes_from_neighbour_to_neighbour_unless_nothing_is_left(benchmark):
    near = neighbour_lists(benchmark)
    archs, _ = histories(RandomWalk(), benchmark, 60, 20)
    dead_ends, exhausted = np.sum([jumps(near, walk) for walk in archs], axis=0)
    assert dead_ends > 0 and exhausted > 0, "the test does not test the jump"


def test_a_walk_starts_anywhere_and_takes_every_neighbour_alike():
    archs, _ = histories(RandomWalk(), ring(np.full(12, 0.5)), 4, 5000)
    assert chisquare(np.bincount(archs[:, 0], minlength=12)).pvalue > UNLIKELY
    steps = np.diff(archs, axis=1) % 12
    assert set(np.unique(steps)) == {1, 11}
    assert chisquare([(steps == 1).sum(), (steps == 11).sum()]).pvalue > UNLIKELY


def test_jumps_from_dead_ends_are_uniform():
    archs, _ = histories(RandomWalk(), make([[]] * 10, np.full(10, 0.5)), 50, 40)
    assert chisquare(np.bincount(archs.ravel(), minlength=10)).pvalue > UNLIKELY


# Local search


def check_local_search(neighbours, archs, vals, config):
    """Replay a history; every query must be one that the algorithm may make. Returns climbs begun
    and moves made."""
    asked: set[int] = set()
    queries = list(zip(archs.tolist(), vals.tolist(), strict=True))[::-1]  # popped from the end
    climbs = moves = 0

    def ask():
        arch, val = queries.pop()
        if config.memory:
            asked.add(arch)
        return arch, val

    while True:
        centre, best = -1, -np.inf
        while best == -np.inf:  # a start without any value is drawn again
            for _ in range(config.initial):
                if not queries:
                    return climbs, moves
                arch, val = ask()
                if val > best:
                    centre, best = arch, val
        climbs += 1
        improved = True
        while improved:
            improved, candidate, limit = False, centre, best
            to_ask = neighbours[centre] - asked
            while to_ask and not (improved and config.variant == "first"):
                if not queries:
                    return climbs, moves
                assert queries[-1][0] in to_ask, f"asked {queries[-1][0]}, expected one of {to_ask}"
                arch, val = ask()
                to_ask.discard(arch)
                if val > best:
                    improved, candidate, best = True, arch, val
            assert not improved or best > limit
            centre = candidate
            moves += improved


@pytest.mark.parametrize("variant", ["first", "full"])
@pytest.mark.parametrize("memory", [512, 0])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_local_search_replays(variant, memory, missing):
    config = LocalSearch(variant, initial=3, memory=memory)
    benchmark = scrambled(150, 4, seed=2, missing=missing)
    archs, vals = histories(config, benchmark, 120, 12)
    near = neighbour_lists(benchmark)
    counts = [check_local_search(near, a, v, config) for a, v in zip(archs, vals, strict=True)]
    assert min(climbs for climbs, _ in counts) > 1, "no restart was seen"
    assert sum(moves for _, moves in counts) > 12


@pytest.mark.parametrize("variant", ["first", "full"])
def test_local_search_on_real_cells_replays(variant):
    from tables import small_benchmark

    benchmark = small_benchmark(max_vertices=4)
    config = LocalSearch(variant, initial=2)
    near = neighbour_lists(benchmark)
    for a, v in zip(*histories(config, benchmark, 60, 12), strict=True):
        check_local_search(near, a, v, config)


def test_no_neighbour_is_asked_twice_and_all_are_asked_before_a_restart():
    """A star whose hub is the best: the hub's leaves are all asked, once each, in an order of no
    preference."""
    leaves = 6
    benchmark = make(
        [list(range(1, leaves + 1)), *([[0]] * leaves)], np.array([0.9] + [0.5] * leaves)
    )
    archs, _ = histories(LocalSearch(initial=1, memory=8), benchmark, leaves + 1, 3000)
    from_hub = archs[archs[:, 0] == 0]
    assert len(from_hub) > 300
    assert (np.sort(from_hub, axis=1) == np.arange(leaves + 1)).all()
    for place in range(1, leaves + 1):
        assert (
            chisquare(np.bincount(from_hub[:, place] - 1, minlength=leaves)).pvalue
            > UNLIKELY / leaves
        )


def test_first_moves_at_once_and_full_looks_around():
    """0 - 1 - 2 - 3 in a line, better to the right, and 1 has three worse neighbours besides."""
    lines = [[1], [0, 2, 4, 5, 6], [1, 3], [2], [1], [1], [1]]
    benchmark = make(lines, np.array([0.1, 0.5, 0.6, 0.7, 0.2, 0.2, 0.2]))

    def looked_at_before_3(variant):
        archs, _ = histories(LocalSearch(variant, initial=1, memory=8), benchmark, 8, 300)
        runs = archs[archs[:, 0] == 1]
        assert (runs == 3).any(axis=1).all()  # both reach the top within 8 queries
        return (runs == 3).argmax(axis=1)

    first, full = looked_at_before_3("first"), looked_at_before_3("full")
    assert set(full) == {6}  # 1, its five neighbours, then 3
    assert set(first) == {2, 3, 4, 5, 6}  # 2 is met at any place among the five


def test_local_search_climbs_a_single_peak_and_restarts_there():
    heights = 1 - np.abs(np.arange(40) - 20) / 40
    _, vals = histories(LocalSearch(initial=1, memory=80), ring(heights), 80, 30)
    assert (vals.max(axis=1) == 1.0).all()
    top = (vals == 1.0).argmax(axis=1)
    assert (top < 45).all()  # at most both ways to look at each of 20 steps


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Unnumbered(ListSpace):
    index = None


def test_memory_bounds_what_is_not_asked_again():
    """With the whole ring asked and remembered, only restarts are left; forgotten, neighbours are
    asked anew. Of what has no numbers."""
    benchmark = ring(np.linspace(0.1, 0.9, 8))
    benchmark = replace(benchmark, space=Unnumbered(**vars(benchmark.space)))
    remembering, _ = histories(LocalSearch(initial=1, memory=64), benchmark, 60, 200)
    late = remembering[:, 30:]  # by then every row was asked: uniform draws only
    assert all(len(set(run[:30])) == 8 for run in remembering)
    assert chisquare(np.bincount(late.ravel(), minlength=8)).pvalue > UNLIKELY
    forgetting, _ = histories(LocalSearch(initial=1, memory=1), benchmark, 60, 200)
    assert (forgetting[:, 30:] >= 6).mean() > 1.5 * (late >= 6).mean()  # drawn to the top again


# Regularized evolution


@pytest.mark.parametrize("initial", [2, 6, 9])
def test_evolution_draws_then_mutates_the_best_of_the_last_members(initial):
    """A tournament of 200 finds the best of the last `population` queries: growth first, then
    ageing, whatever was found before."""
    benchmark = scrambled(100, 5, seed=1, missing=0.2)
    near = neighbour_lists(benchmark)
    archs, vals = histories(Evolution(6, 200, initial), benchmark, 80, 20)
    drawn = 0
    for run in archs:
        drawn += sum(run[t] not in set().union(*(near[i] for i in run[:t])) for t in range(initial))
    assert drawn >= 12 * initial, "the first queries are no draws"
    forgotten = 0
    for run, val in zip(archs, vals, strict=True):
        for t in range(initial, 80):
            members, values = run[max(t - 6, 0) : t], val[max(t - 6, 0) : t]
            parents = set(members[values == values.max()].tolist())  # none is better
            assert any(run[t] in near[p] or near[p] <= set(members) for p in parents)
            forgotten += values.max() < val[:t].max()
    assert forgotten > 100, "the best never died: the test does not test ageing"


def test_by_default_evolution_breeds_after_ten_queries():
    benchmark = ring(np.arange(1000) / 1000)
    archs, _ = histories(Evolution(), benchmark, 60, 100)
    assert chisquare(np.bincount(archs[:, :10].ravel() // 100, minlength=10)).pvalue > UNLIKELY
    jumps = 0
    for run in archs:
        for t in range(10, 60):  # a neighbour of one of the last 30, which are all there are
            members = run[max(t - 30, 0) : t]
            near = np.isin((run[t] + [-1, 1]) % 1000, members).any()
            assert near or {998, 999, 0} <= set(members)  # the one peak, and all around it
            jumps += not near
    assert jumps < 250  # of 5,000


def children(config: Evolution, vals: list[float]) -> np.ndarray:
    """Parents chosen in 20,000 tournaments among rows 0, 10, 20, ... of a ring, as places in the
    population."""
    benchmark = ring(np.full(10 * len(vals), 0.5))
    agent = config.build(benchmark.space)
    state = agent.init(jax.random.key(0))
    for row, val in enumerate(vals):
        result = QueryResult(*(jnp.float32(x) for x in (val, val, 1)), jnp.isfinite(val))
        state = agent.tell(state, jnp.int32(10 * row), result)
    ask = agent.ask
    archs = jax.jit(jax.vmap(lambda key: ask(key, state)[0]))(
        jax.random.split(jax.random.key(9), 20_000)
    )
    return (np.asarray(archs) + 5) % (10 * len(vals)) // 10


def test_tournaments_with_replacement():
    """The best of 2 of 4 draws: ranks win with 7, 5, 3, 1 of 16."""
    wins = np.bincount(children(Evolution(4, 2, 4), [0.2, 0.9, 0.4, 0.6]), minlength=4)
    assert chisquare(wins[[1, 3, 2, 0]], np.array([7, 5, 3, 1]) / 16 * 20_000).pvalue > UNLIKELY


def test_tournaments_without_replacement():
    """The best of 2 of 4: ranks win with 3, 2, 1, 0 of 6 pairs."""
    config = Evolution(4, 2, 4, replacement=False)
    wins = np.bincount(children(config, [0.2, 0.9, 0.4, 0.6]), minlength=4)
    assert wins[0] == 0
    assert chisquare(wins[[1, 3, 2]], np.array([3, 2, 1]) / 6 * 20_000).pvalue > UNLIKELY


@pytest.mark.parametrize("replacement", [True, False])
def test_a_tournament_of_one_selects_nothing(replacement):
    """Nor does a population that still grows have members to come."""
    config = Evolution(30, 1, 4, replacement)
    wins = np.bincount(children(config, [0.2, 0.9, 0.4, 0.6]), minlength=4)
    assert chisquare(wins).pvalue > UNLIKELY


def test_a_member_without_a_value_loses_to_any_other():
    config = Evolution(3, 2, 3, replacement=False)
    wins = np.bincount(children(config, [-jnp.inf, 0.1, -jnp.inf]), minlength=3)
    assert wins[1] == pytest.approx(20_000 * 2 / 3, rel=0.03)
    assert wins[0] > 0  # two of a kind: some parent has to be chosen


def test_the_oldest_dies():
    agent = Evolution(population=3, tournament=1).build(ring(np.full(9, 0.5)).space)
    state = agent.init(jax.random.key(0))
    for t in range(5):
        val = jnp.float32(jnp.nan if t == 4 else t / 10)
        result = QueryResult(val, val, jnp.float32(1), ~jnp.isnan(val))
        state = agent.tell(state, jnp.int32(t), result)
    assert state.archs.tolist() == [3, 4, 2]
    np.testing.assert_allclose(state.vals, [0.3, -np.inf, 0.2])
    assert int(state.queries) == 5


# Together


@pytest.mark.parametrize(
    "config", [LocalSearch("first", 3), LocalSearch("full", 3), Evolution(8, 3, 8)], ids=str
)
def test_searching_beats_drawing_on_a_smooth_landscape(config):
    """On the grid every digit helps on its own; 25 of 81 looks."""

    def mean_best(agent):
        history = run_seeds(agent, GridBenchmark(), 25, seed_keys(0, 200))
        return float(np.max(history.val, axis=1).mean())

    assert mean_best(config) > mean_best(RandomSearch())


@pytest.mark.parametrize(
    ("make_config", "message"),
    [
        (lambda: Evolution(population=0), "population=0; expected at least 1"),
        (lambda: Evolution(tournament=0), "tournament=0; expected at least 1"),
        (lambda: Evolution(initial=0), "initial=0; expected at least 1"),
        (lambda: Evolution(9, 8, 6, replacement=False), "tournament=8 .* at most 6, the members"),
        (lambda: Evolution(5, 6, 9, replacement=False), "tournament=6 .* at most 5, the members"),
        (lambda: LocalSearch(initial=0), "initial=0; expected at least 1"),
        (lambda: LocalSearch(memory=-1), "memory=-1; expected 0 or more"),
    ],
)
def test_bad_settings_are_refused(make_config, message):
    with pytest.raises(UserError, match=message):
        make_config()
