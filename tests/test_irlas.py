"""IRLAS: what an expert's cell says, the reward learnt from it, and what a search makes of it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents import apprenticeship, spec, tabular
from rlnas.agents.apprenticeship import best_sequence, counts, project, stimuli
from rlnas.agents.blockqnn import BlockQNN
from rlnas.agents.irlas import IRLAS, moves_to_expert
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.bench import exemplars, load
from rlnas.bench.connected import moves_from
from rlnas.bench.decisions import DigitDecisions, uniform
from rlnas.bench.errors import UserError
from rlnas.bench.exemplars import features, one_hot, spelled
from rlnas.bench.nb201.space import CellSpace
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.stand_ins import GridBenchmark, GridSpace
from test_tabular import BOTH, VALUES

GRID = GridBenchmark()
SPACES = {
    "nb101": lambda: load("nb101-digits").space,
    "nb201": lambda: CellSpace(5),
    "tnb101": lambda: CellSpace(4),
    "nb301": DartsSpace,
}

BEST = jax.jit(best_sequence)


@jax.jit
def each_allowed(decisions: Any, taken: Any) -> Any:
    steps = jnp.arange(len(taken))
    return jax.vmap(lambda t: decisions.allowed(taken, t)[taken[t]])(steps)


def is_allowed(decisions: Any, taken: Any) -> bool:
    return bool(each_allowed(decisions, jnp.array(taken)).all())


# The reward, by hand


def test_feature_counts_by_hand() -> None:
    # Step 0: choice 0 says a and c, 1 says b. Step 1: choice 0 says a, 1 nothing.
    words = [[frozenset("ac"), frozenset("b")], [frozenset("a"), frozenset()]]
    phi = features(words)
    assert phi.shape == (2, 2, 3)
    taken = np.array([[0, 0], [0, 1], [1, 0]])
    expected = [[1.5, 0, 1], [1, 0, 1], [0.5, 1, 0]]
    np.testing.assert_array_equal(counts(phi, taken, 0.5), expected)
    np.testing.assert_array_equal(counts(phi, taken[2], 1.0), [1, 1, 0])


def test_the_projection_by_hand() -> None:
    """Weights (2, 1) at first; for them (3, 0), worth 6, is better than the expert, worth 5. The
    nearest to the expert between (0, 0) and (3, 0) is (2, 0): what lacks is (0, 1), for which the
    expert is best."""
    policies = np.array([[0.0, 0], [3, 0], [2, 1], [0, 0.5]])
    asked = []

    def best(weights: np.ndarray) -> np.ndarray:
        asked.append(weights.tolist())
        return policies[(policies @ weights).argmax()]

    theta = project(np.array([2.0, 1]), np.array([0.0, 0]), best)
    np.testing.assert_allclose(theta, [0, 1])
    np.testing.assert_allclose(asked, [[2, 1], [0, 1]])
    np.testing.assert_array_equal(project(policies[2], policies[2], best), [0, 0])


@pytest.mark.parametrize("discount", [1.0, 0.5])
def test_a_cell_is_rewarded_1_for_the_expert_and_0_in_the_mean(discount: float) -> None:
    """Of four digits below three: step t has discount^2t, once in the counts and once in the
    reward; of that the expert's digit has all and each of the others minus half."""
    decisions = GridSpace.decisions
    found = stimuli(decisions, (0, 0, 0, 0), decisions.words, discount)
    shares = discount ** (2.0 * np.arange(4))
    expected = (shares / shares.sum())[:, None] * [1, -0.5, -0.5]
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert found[:, 0].sum() == pytest.approx(1, abs=0.03)
    drawn = jax.vmap(lambda key: uniform(decisions, key))(jax.random.split(jax.random.key(0), 1024))
    assert found[np.arange(4), np.asarray(drawn)].sum(1).mean() == pytest.approx(0, abs=1e-5)


def test_further_rewards_are_added_along_the_way() -> None:
    """As in test_tabular's sweep with half of the accuracy: every target is .1 or .2 higher, and
    what follows the first choice, too."""
    further = np.array([[0.1, 0.1, 0], [0.2, 0.2, 0]], np.float32)
    swept = tabular.sweep(VALUES, BOTH, 0.5, 0.5, further)
    # (1, 1): .1 + .5 (.9 + .2 - .1) = .6; (0, 0): .2 + .5 (.45 + .1 + .6 - .2) = .675.
    # (1, 0): .6 + .5 (.8 + .2 - .6) = .8; (0, 1): .4 + .5 (.4 + .1 + .8 - .4) = .85.
    np.testing.assert_allclose(swept[:2], [[0.675, 0.85, 9.0], [0.8, 0.6, 9.0]], rtol=1e-6)


# Cells made by hand


@pytest.mark.parametrize("name", SPACES)
def test_experts_are_spelled_and_best_for_their_reward(name: str) -> None:
    space: Any = SPACES[name]()
    decisions = space.decisions
    assert list(decisions.experts) == ["resnet", "inception"]
    for expert, text in decisions.experts.items():
        taken = spelled(decisions, expert, "it")
        assert space.format(decisions.build(jnp.array(taken))) == text
        assert is_allowed(decisions, taken)
        reward = stimuli(decisions, taken, decisions.words, 0.9)
        best = np.asarray(BEST(decisions, jnp.asarray(reward)))
        total = reward[np.arange(len(taken)), best].sum()
        assert total == pytest.approx(1, abs=1e-5)
        assert reward[np.arange(len(taken)), taken].sum() == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("name", SPACES)
def test_any_cell_can_be_the_expert(name: str) -> None:
    space: Any = SPACES[name]()
    decisions = space.decisions
    for key in jax.random.split(jax.random.key(1), 5):
        arch = space.sample(key)
        taken = spelled(decisions, space.format(arch), "it")
        np.testing.assert_array_equal(decisions.build(jnp.array(taken)), arch)


def test_what_layers_say() -> None:
    words = load("nb101-digits").space.decisions.words
    assert words[0][1] == {"1 type conv", "1 kernel 1"} and words[0][3] == frozenset()
    assert words[4] == [frozenset(), {"2 from 1"}]
    darts = DartsSpace().decisions.words
    assert darts[2][1] == {"normal 3 from 0", "normal 3 from 2"}
    assert darts[0][4] == {"normal 2 low sep_conv", "normal 2 low 5x5"}
    assert CellSpace(5).decisions.words[4][4] == {
        "edge 13 type pool", "edge 13 kernel 3", "edge 13 from 1",
    }  # fmt: skip


def test_beams_find_what_is_allowed_and_worth_most() -> None:
    decisions = load("nb101-digits").space.decisions
    drawn = jax.vmap(lambda key: uniform(decisions, key))(jax.random.split(jax.random.key(2), 2000))
    for seed in range(5):
        rewards = np.random.default_rng(seed).normal(size=(13, 4)).astype(np.float32)
        best = np.asarray(BEST(decisions, jnp.asarray(rewards)))
        assert is_allowed(decisions, best)
        totals = rewards[np.arange(13), np.asarray(drawn)].sum(1)
        assert rewards[np.arange(13), best].sum() >= totals.max() - 1e-5


def test_what_is_no_expert_is_refused_in_a_line() -> None:
    plain = DigitDecisions.chain(4, 3)
    with pytest.raises(UserError, match="irlas learns from a cell made by hand, and DigitDecis"):
        spelled(plain, "resnet", "irlas")
    space: Any = load("nb101-digits").space
    with pytest.raises(UserError, match="expert='vgg'; expected resnet, inception, or the text"):
        IRLAS(expert="vgg").build(space)
    seven = "100000100001000100101 " + ",".join(["input", *["maxpool3x3"] * 5, "output"])
    with pytest.raises(UserError, match=r"it has 7 vertices, and cells have at most 5 here"):
        IRLAS(expert=seven).build(space)
    with pytest.raises(UserError, match=r"irlas has alpha=0.0; expected above 0"):
        IRLAS(alpha=0.0)
    with pytest.raises(UserError, match="weight"):
        spec.parse("irlas:weight=-1")
    cell = space.format(17)
    assert spec.parse(f"irlas:expert={cell},weight=2")[1] == IRLAS(expert=cell, weight=2.0)
    assert features(one_hot((2, 3))).sum() == 5


# Searches


def test_without_weight_it_is_blockqnn_to_the_last_byte() -> None:
    keys = seed_keys(0, 2)
    plain = run_seeds(BlockQNN(replay=2, schedule=20), GRID, 20, keys)
    without = run_seeds(IRLAS(replay=2, schedule=20, weight=0.0), GRID, 20, keys)
    for a, b in zip(plain, without, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.long
@pytest.mark.parametrize("expert", ["resnet", "inception"])
def test_what_is_sampled_comes_near_the_expert(expert: str) -> None:
    benchmark, keys = load("synthetic-tnb101-0"), seed_keys(0, 12)
    late = []
    for weight in (0.0, 1.0):
        settings = IRLAS(expert=expert, weight=weight, schedule=80, alpha=0.05, replay=32)
        moves = moves_to_expert(benchmark, expert, run_seeds(settings, benchmark, 80, keys).arch)
        late.append(moves[:, 64:].mean(1))
    nearer = late[0] - late[1]
    assert nearer.mean() > 1
    assert nearer.mean() > 4 * nearer.std(ddof=1) / np.sqrt(len(nearer))


def test_moves_are_counted() -> None:
    # 0 -> 1 -> 2, 0 -> 2 -> 3; nothing leads to 4.
    offsets, flat = np.array([0, 2, 3, 4, 4, 5]), np.array([1, 2, 2, 3, 0, 9])
    np.testing.assert_array_equal(moves_from(offsets, flat, 0), [0, 1, 1, 2, np.inf])
    np.testing.assert_array_equal(moves_from(offsets, flat, 4), [1, 2, 2, 3, 0])


@pytest.mark.long
def test_the_report_says_how_near_it_asks() -> None:
    benchmark, keys = load("nb101-digits"), seed_keys(0, 2)
    settings = IRLAS(replay=1)
    history = run_seeds(settings, benchmark, 20, keys)
    moves = moves_to_expert(benchmark, "resnet", history.arch)
    space: Any = benchmark.space
    expert = space.row(space.decisions.experts["resnet"])
    near = space.flat[space.offsets[expert] : space.offsets[expert + 1]]
    np.testing.assert_array_equal(moves == 1, np.isin(history.arch, near))
    (said,) = settings.remarks(benchmark, keys, history)
    assert f"{moves[:, :2].mean():.2f} edits away from what it asks in the first tenth" in said
    assert f"{moves[:, -2:].mean():.2f} in the last" in said
    assert settings.remarks(GRID, keys, run_seeds(settings, GRID, 5, keys)) == ()
    assert moves_to_expert(benchmark, "nobody", history.arch) is None
    assert apprenticeship.BEAMS >= 64 and exemplars.one_hot((1,))
