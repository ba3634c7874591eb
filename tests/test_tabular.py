"""Tabular Q-learning: updates by hand, what is replayed and asked again, and that it learns."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents import tabular
from rlnas.agents.asynchronous import speed_up
from rlnas.agents.blockqnn import LENGTHS as ITERATIONS
from rlnas.agents.blockqnn import BlockQNN, predictions, rank_correlation
from rlnas.agents.metaqnn import LENGTHS as MODELS
from rlnas.agents.metaqnn import MetaQNN
from rlnas.agents.protocol import Agent, run_seeds, seed_keys
from rlnas.agents.tabular import Sample
from rlnas.bench.errors import UserError
from rlnas.bench.stand_ins import GridBenchmark, GridSpace, scrambled

GRID = GridBenchmark()
KEY = jax.random.key(0)


# By hand. Two steps: state 0, then state 1 or 2; three choices, of which the last is not allowed.


def samples(*taken: tuple[int, int, int, float]) -> Sample:
    """(first choice, second state, second choice, accuracy) of each."""
    first, state, second, val = (np.array(column) for column in zip(*taken, strict=True))
    slots = jnp.asarray(np.stack([first, 3 * state + second], -1), jnp.int32)
    allowed = jnp.broadcast_to(jnp.packbits(jnp.array([True, True, False])), (*slots.shape, 1))
    blank = jnp.zeros(len(taken), jnp.int32)
    return Sample(blank, jnp.asarray(val, jnp.float32), slots, allowed)


VALUES = jnp.array([[0.2, 0.4, 9.0], [0.6, 0.1, 9.0], [0.5, 0.5, 9.0]], jnp.float32)
BOTH = samples((0, 1, 1, 0.9), (1, 1, 0, 0.8))
NAN = samples((0, 1, 1, float("nan")), (0, 1, 1, 0.9), (1, 1, 0, 0.8))


@pytest.mark.parametrize(
    ("share", "replayed", "expected"),
    [
        # First (1, 1): .1 + .5 (.9 - .1) = .5; (0, 0): .2 + .5 (max(.6, .5) - .2) = .4.
        # Then (1, 0): .6 + .5 (.8 - .6) = .7; (0, 1): .4 + .5 (max(.7, .5) - .4) = .55.
        (0.0, BOTH, [[0.4, 0.55, 9.0], [0.7, 0.5, 9.0]]),
        (0.0, NAN, [[0.4, 0.55, 9.0], [0.7, 0.5, 9.0]]),
        # With half of the accuracy for the choice before the last: targets .6 + .45, .7 + .4.
        (0.5, BOTH, [[0.625, 0.75, 9.0], [0.7, 0.5, 9.0]]),
    ],
)
def test_a_sweep_goes_backwards(share: float, replayed: Sample, expected: Any) -> None:
    swept = jax.jit(tabular.sweep, static_argnums=(2, 3))(VALUES, replayed, 0.5, share)
    np.testing.assert_allclose(swept[:2], expected, rtol=1e-6)
    np.testing.assert_array_equal(swept[2], VALUES[2])


def test_published_schedules_are_stretched() -> None:
    levels = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]

    models = jax.vmap(lambda t: tabular.epsilon(MODELS, 2700, t))(jnp.arange(3000))
    np.testing.assert_allclose(models[:2700], np.repeat(levels, MODELS), atol=1e-6)
    np.testing.assert_allclose(models[2700:], 0.1, atol=1e-6)
    blocks = jax.vmap(lambda t: tabular.epsilon(ITERATIONS, 64 * 178, t))(jnp.arange(64 * 178))
    np.testing.assert_allclose(blocks[::64], np.repeat(levels, ITERATIONS), atol=1e-6)
    short = jax.vmap(lambda t: tabular.epsilon(MODELS, 27, t))(jnp.arange(27))
    counts = np.unique(np.round(short, 1), return_counts=True)[1][::-1]
    np.testing.assert_array_equal(counts[[0, 1, 2]], [15, 1, 1])


def test_without_chance_it_takes_the_best_that_is_allowed_and_ties_at_random() -> None:
    decisions = GridSpace.decisions
    q = tabular.values(decisions, 0.5).at[0, 1].set(0.6)
    keys = jax.random.split(jax.random.key(0), 300)
    greedy, chance = (
        jax.jit(jax.vmap(lambda key, e=e: tabular.sample(decisions, q, e, key)))(keys)
        for e in (jnp.float32(0), jnp.float32(1))
    )
    assert (greedy.arch[:, 0] == 1).all()
    for archs in (greedy.arch[:, 1:], chance.arch):
        shares = (np.asarray(archs)[..., None] == np.arange(3)).mean(0)
        assert (abs(shares - 1 / 3) < 0.12).all()
    np.testing.assert_array_equal(greedy.slots % 3, greedy.arch)


# Searches


def told(agent: Agent, benchmark: Any, budget: int) -> tuple[Any, np.ndarray, list[bool]]:
    """(the state behind a search, the architectures asked, whether values moved before each)."""

    @jax.jit
    def search(key: Any) -> Any:
        def query(state: Any, key: Any) -> Any:
            arch, after = agent.ask(key, state)
            moved = (after.q != state.q).any()
            return agent.tell(after, arch, benchmark.query(arch, key)), (arch, moved)

        return jax.lax.scan(query, agent.init(key), jax.random.split(key, budget))

    state, (archs, moved) = search(jax.random.key(1))
    return state, np.asarray(archs), np.asarray(moved).tolist()


def answers(archs: Any) -> np.ndarray:
    """What the grid answers."""
    return np.asarray(jax.vmap(lambda arch: GRID.query(arch, KEY).val)(jnp.asarray(archs)))


def test_metaqnn_asks_nothing_twice_and_remembers_every_sample() -> None:
    budget = 40  # of 81
    agent = MetaQNN(schedule=60, replay=4, tries=64).build(GRID.space)
    state, archs, _ = told(agent, GRID, budget)
    assert len(np.unique(archs, axis=0)) == budget
    count = int(state.log.total)
    assert budget < count < 1024, "no repeat was sampled"
    arch, val = (np.asarray(x)[:count] for x in state.log.samples[:2])
    np.testing.assert_array_equal(val, answers(arch))


def test_metaqnn_asks_again_where_all_is_known() -> None:
    benchmark = scrambled(3, 1)
    _, archs, _ = told(MetaQNN(replay=4, tries=3).build(benchmark.space), benchmark, 12)
    assert set(archs.tolist()) == {0, 1, 2}


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [
        MetaQNN(schedule=300, alpha=0.05, replay=16, tries=1),  # asks repeats: all of its samples
        BlockQNN(schedule=300, alpha=0.05, replay=16),
    ],
)
def test_the_mean_rises_as_epsilon_falls(settings: Any) -> None:
    val = np.asarray(run_seeds(settings, GRID, 300, seed_keys(0, 16)).val)
    assert rises(val[:, :150], val[:, 240:]) > 4  # epsilon 1, and .3 to .1


def rises(before: np.ndarray, after: np.ndarray) -> float:
    """By how many standard errors the means [seeds] do."""
    rise = after.mean(1) - before.mean(1)
    return float(rise.mean() / rise.std(ddof=1) * np.sqrt(len(rise)))


@pytest.mark.long
@pytest.mark.parametrize("shaped", [True, False])
def test_a_shaped_reward_adds_up_along_the_way(shaped: bool) -> None:
    settings = BlockQNN(alpha=1.0, initial=0.0, replay=16, shaped=shaped)
    state, archs, _ = told(settings.build(GRID.space), GRID, 40)
    # A fourth of the answer for each choice before the last, up to 7 / 4 of the best in all.
    best = answers(archs[:-1]).max()
    if shaped:
        assert 1.25 * best < state.q.max() <= 1.75 * best
    else:
        assert state.q.max() == best


# BlockQNN's iterations, predictor and workers


@pytest.mark.parametrize(
    ("options", "known", "moved"),
    [
        ({}, 6, [0, 1, 1, 1, 1, 1, 1]),
        ({"workers": 3}, 4, [0, 0, 0, 1, 1, 1, 1]),
        ({"blocks": 4}, 6, [0, 0, 0, 0, 1, 0, 0]),
    ],
)
def test_blockqnn_learns_once_an_iteration_from_what_has_come(
    options: dict[str, int], known: int, moved: list[int]
) -> None:
    benchmark = scrambled(50, 2)
    agent = BlockQNN(**options, replay=1).build(benchmark.space)
    state, _, found = told(agent, benchmark, 7)
    assert found == [bool(x) for x in moved]
    assert int(state.log.total) == known


def test_quick_trainings_overtake_slow_ones() -> None:
    # Two workers: 5 and 1, then 2 and 1 at the second; done at 5.
    assert speed_up(np.array([5.0, 1.0, 2.0, 1.0]), 2) == pytest.approx(9 / 5)
    np.testing.assert_allclose(speed_up(np.array([[3.0, 3, 3], [np.nan] * 3]), 3), 3)
    assert speed_up(np.array([1.0, 2.0]), 1) == 1


@pytest.mark.long
def test_what_workers_and_predictor_are_worth_is_said() -> None:
    keys = seed_keys(0, 4)
    settings = BlockQNN(predictor=True, replay=1, workers=2)
    history = run_seeds(settings, GRID, 40, keys)
    predictor, workers = settings.remarks(GRID, keys, history)
    rho = rank_correlation(*predictions(settings, GRID, 40, keys)).mean()
    assert f"is {rho:.2f} (mean of 4 searches)" in predictor
    saved = 1 / speed_up(np.asarray(history.sim_seconds), 2).mean()
    assert workers.startswith(f"2 simulated workers take {saved:.2f} of the time of one")
    assert 0.5 <= saved < 1
    assert BlockQNN().remarks(GRID, keys, history) == ()


@pytest.mark.long
def test_the_predictor_ranks_and_sorts_out() -> None:
    keys = seed_keys(0, 8)
    predicted, answered = predictions(BlockQNN(predictor=True, replay=1), GRID, 60, keys)
    assert np.isnan(predicted[:, :20]).all() and np.isfinite(predicted[:, 21:]).all()
    assert rank_correlation(predicted, answered).mean() > 0.3
    without, asked = predictions(BlockQNN(replay=1), GRID, 60, keys)
    assert np.isnan(without).all() and np.isnan(rank_correlation(without, asked)).all()
    assert rises(asked[:, 30:], answered[:, 30:]) > 4


class CostedGrid(GridSpace):
    """With made-up costs."""

    def flops(self, arch: Any) -> Any:
        return jnp.float32(1000) + arch[0]

    def density(self, arch: Any) -> Any:
        return jnp.float32(1) + arch[1]


def test_blockqnn_learns_from_accuracies_less_what_blocks_cost() -> None:
    state, archs, _ = told(BlockQNN(mu=1.0, rho=8.0, replay=1).build(CostedGrid()), GRID, 7)
    vals = answers(archs[:-1])
    first, second = archs[:-1, :2].T.astype(float)
    costs = np.log(1000 + first) + 8 * np.log(1 + second)
    np.testing.assert_allclose(state.log.samples.val[:6], vals - costs / 100, rtol=1e-5)
    with pytest.raises(UserError, match="but GridSpace tells no FLOPs"):
        BlockQNN(rho=8.0).build(GridSpace())


WITHOUT = {k: v for k, v in vars(GridSpace).items() if k != "decisions" and k[:2] != "__"}
NoDecisions = type("NoDecisions", (), WITHOUT)


@pytest.mark.parametrize("settings", [MetaQNN, BlockQNN])
def test_bad_settings_are_refused(settings: Any) -> None:
    with pytest.raises(UserError, match="NoDecisions has no `decisions`; choose another agent"):
        settings().build(NoDecisions())
    for bad in ({"replay": 0}, {"alpha": 0.0}, {"alpha": 1.5}, {"schedule": 0}):
        with pytest.raises(UserError, match="expected "):
            settings(**bad)
    with pytest.raises(UserError, match="memory=8; expected at least 32"):
        MetaQNN(memory=8)
