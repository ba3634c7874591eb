"""What is known beforehand: whose values they are, that a search uses them, and that it finds out
where they are wrong."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, rankdata

from averages import AGENT, AveragesLearner
from nb201_tables import invented
from rlnas.agents import gp, prior
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.gp import GP
from rlnas.agents.informed import informed
from rlnas.agents.kernels import kernel_of
from rlnas.agents.prior import Known, benchmark_source, kind_of, resolve, scores_of
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.ranking import Ranking
from rlnas.agents.spec import parse
from rlnas.analysis.comparison.captions import trained
from rlnas.analysis.comparison.entrants import entrants
from rlnas.analysis.comparison.sweep import compare, identity_of
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.nb201.benchmark import from_table
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.stand_ins import GridBenchmark, scrambled
from tables import small_benchmark, small_table

BUDGET, SEEDS = 20, 20


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files to name: all cells of at most 4 vertices; a third of them; another of the 91."""
    monkeypatch.chdir(tmp_path)
    small_table(4).save("whole.npz")
    small_table(4, rows=range(0, 91, 3)).save("part.npz")
    small_table(4, repeats=2).save("other.npz")


def known_of(benchmark: Any, sign: float = 1.0) -> Known:
    """Its own values, or these inverted."""
    source = benchmark_source(benchmark, "made", "")
    values = (sign * source.values).astype(np.float32)
    return prior.Prior((dataclasses.replace(source, values=values),)).known


# What sources say


def test_a_source_is_its_ranking_in_normal_scores() -> None:
    there = small_benchmark(4)
    found = known_of(there).values(there.space)
    expected = norm.ppf((rankdata(there.mean_val) - 0.5) / 91)
    np.testing.assert_allclose(found, expected[None], atol=1e-4)


def test_values_belong_to_architectures_not_to_places() -> None:
    """A part as a source of the whole leaves the rest at 0; the whole as a source of a part ranks
    those that are there."""
    whole, part = small_benchmark(4), small_benchmark(4, rows=range(0, 91, 3))
    rows = np.asarray(part.space.rows)
    found = np.asarray(known_of(part).values(whole.space))[0]
    np.testing.assert_array_equal(np.delete(found, rows), 0)
    expected = norm.ppf((rankdata(part.mean_val) - 0.5) / len(rows))
    np.testing.assert_allclose(found[rows], expected, atol=1e-4)
    found = np.asarray(known_of(whole).values(part.space))[0]
    expected = norm.ppf((rankdata(np.asarray(whole.mean_val)[rows]) - 0.5) / len(rows))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_equal_and_missing_values() -> None:
    found = prior.normal_scores(jnp.array([2.0, jnp.nan, 2.0, 5.0]))
    np.testing.assert_allclose(found, [*norm.ppf([1 / 3]), 0, *norm.ppf([1 / 3, 5 / 6])], atol=1e-5)
    assert (prior.normal_scores(jnp.full(3, jnp.nan)) == 0).all()


def test_a_blind_training_says_what_it_thinks_of_moves(tables: None, tmp_path: Path) -> None:
    """This learner's score of a move is a value of where it leads, whatever the view: so is their
    mean."""
    value = np.random.default_rng(0).normal(size=91).astype(np.float32)
    learner = AveragesLearner(neighbours=6)
    there = small_benchmark(4)
    found = scores_of(learner, {"value": jnp.asarray(value)}, there.space)
    assert not np.isnan(found).any()
    np.testing.assert_allclose(found, value, atol=1e-5)
    facts = {"benchmark": there.describe() | {"name": "whole.npz"}, "lookups": 12, "distinct": 3}
    Checkpoint(AGENT, learner, {"value": value}, facts, None).save(tmp_path / "trained")
    (source,) = resolve("trained").sources
    np.testing.assert_allclose(source.values, value, atol=1e-5)
    assert source.lookups == 12 and "whole.npz" in source.name
    assert source.sha256 == Checkpoint.load(tmp_path / "trained").sha256


@pytest.mark.long
@pytest.mark.usefixtures("tables")
def test_the_identity_has_the_sources_hashes_and_the_manifest_their_look_ups() -> None:
    label, config = parse("gp:prior=whole.npz,part.npz,initial=4")
    assert (label, config) == (
        "gp:prior=whole.npz,part.npz,initial=4", GP(prior="whole.npz,part.npz", initial=4),
    )  # fmt: skip
    first, second = identity_of(config)["sources"]
    assert first["sha256"] == hashlib.sha256(Path("whole.npz").read_bytes()).hexdigest()
    assert second["name"] == first["name"] and second["sha256"] != first["sha256"]
    Path("whole.npz").write_bytes(Path("other.npz").read_bytes())
    assert identity_of(config)["sources"] != [first, second]
    assert "sources" not in identity_of(GP()) and GP().parts() == (GP(), None)
    (run,) = compare(
        small_benchmark(4), ["gp:prior=part.npz,fresh=5"], budget=3, seeds=2, out="runs"
    )
    said = run.manifest["pretraining"]
    assert said == {"lookups": 31, "how": "knows", "trained_on": "small"}
    (entrant,) = entrants([run])
    assert trained([entrant]) == ["gp:prior=part.npz,fresh=5: knows small with 31 look-ups."]


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere", "no benchmark 'nowhere'"),
        ("whole.npz,whole.npz", "expected different sources, a comma between"),
        ("whole.npz,", "expected different sources, a comma between"),
        (".", "no checkpoint in ."),
    ],
)
def test_what_is_no_source_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        resolve(text)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("tables")
def test_sources_are_about_the_space_that_is_searched() -> None:
    cells, rows = small_benchmark(4), scrambled(20, 3)
    with pytest.raises(UserError, match=r"is about 20 architectures of .*ListSpace, .* of .*nb101"):
        known_of(rows).values(cells.space)
    with pytest.raises(UserError, match=r"this search about 20 .*; expected sources over the same"):
        run_seeds(GP(prior="whole.npz"), rows, 3, seed_keys(0, 2))
    with pytest.raises(UserError, match=r"this search about 21 architectures"):
        known_of(rows).values(scrambled(21, 3).space)
    for space in (GridBenchmark().space, DartsSpace()):
        with pytest.raises(UserError, match="not numbered, or more than 1,048,576"):
            kind_of(space)


# What searches make of it


def searched(known: Known | None, there: Any, config: Any = None) -> np.ndarray:
    """How far the best so far is below the best there is, [SEEDS, BUDGET]."""
    program = config or GP(fresh=40, points=24)
    agent = Given(program, known)
    history = run_seeds(agent, there, BUDGET, seed_keys(0, SEEDS))
    return float(there.mean_val.max()) - np.maximum.accumulate(np.asarray(history.val), axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Given:
    """An agent with what is known put into its hands."""

    config: Any
    known: Known | None

    def identity(self) -> dict[str, Any]:
        return {}

    def parts(self) -> tuple[Any, Any]:
        return self.config, self.known

    def build(self, space: Any) -> Any:
        return self.config.build(space, self.known)


@pytest.fixture(scope="module")
def cells() -> Any:
    """4,096 cells of an invented table."""
    return from_table(invented("tnb101-class_scene"))


def test_a_perfect_source_finds_the_best_at_once(cells: Any) -> None:
    for config in (GP(fresh=40, points=24), Ranking("")):
        assert (searched(known_of(cells), cells, config)[:, 0] == 0).all()


def test_a_list_is_asked_from_its_top() -> None:
    there = small_benchmark(4)
    history = run_seeds(Given(Ranking(""), known_of(there)), there, 93, seed_keys(0, 2))
    expected = np.argsort(-np.asarray(there.mean_val), kind="stable")
    np.testing.assert_array_equal(history.arch[0], [*expected, *expected[:2]])
    np.testing.assert_array_equal(history.arch[1], history.arch[0])


def test_with_a_prior_the_process_has_no_trend_in_size_of_its_own() -> None:
    there = small_benchmark(4)
    known = known_of(there, -1)
    default, paths = (
        run_seeds(Given(config, known), there, 12, seed_keys(0, 4)).arch
        for config in (GP(fresh=10, points=16), GP(kernel="paths", fresh=10, points=16))
    )
    np.testing.assert_array_equal(default, paths)


@pytest.mark.long
def test_a_source_with_errors_helps_and_an_inverted_one_does_no_harm(cells: Any) -> None:
    alone = searched(None, cells)
    source = known_of(cells)
    noise = np.random.default_rng(0).normal(0, 0.04, len(cells.mean_val)).astype(np.float32)
    about = dataclasses.replace(source, values_there=(source.values_there[0] + noise,))
    helped, inverted = searched(about, cells), searched(known_of(cells, -1), cells)
    assert helped[:, 4].mean() < 0.6 * alone[:, 4].mean()
    assert inverted[:, 9].mean() < 1.2 * alone[:, 9].mean()
    assert inverted[:, -1].mean() < 1.1 * alone[:, -1].mean() + 1e-4


@pytest.fixture(scope="module")
def expected() -> Any:
    """Function of answers, {place in the source's ranking, worst first: value}: what is expected of
    the lowest ten of 91 cells and of the highest ten; chosen: whether settings are, by the
    evidence."""
    there = small_benchmark(4)
    known = known_of(there)
    ranks = jnp.argsort(there.mean_val).astype(jnp.int32)
    agent = GP(points=16).build(there.space, known)
    kernel, _ = informed(kernel_of(there.space, "paths"), there.space, known)
    tell = jax.jit(agent.tell)

    def ends(answers: dict[int, float], chosen: bool) -> tuple[float, float]:
        state = agent.init(jax.random.key(0))
        for place, val in answers.items():
            x = jnp.float32(val)
            state = tell(state, ranks[place], QueryResult(x, x, x, jnp.bool_(True)))
        points = gp.fitted(kernel, state.points) if chosen else state.points
        mean, _, _ = gp.posterior(kernel, points, jax.vmap(kernel.code)(ranks))
        return float(mean[:10].mean()), float(mean[-10:].mean())

    return ends


@pytest.mark.long
def test_a_source_is_believed_until_answers_say_otherwise(expected: Any) -> None:
    low, high = expected({45: 0.5}, chosen=False)
    assert high - low > 1


@pytest.mark.parametrize("sign", [1, -1])
def test_answers_turn_the_slope(sign: int, expected: Any) -> None:
    """After six answers that go with the source, or against it, what is expected does too; between
    them and beyond."""
    answers = {place: 0.5 + sign * place / 1000 for place in (10, 25, 40, 55, 70, 80)}
    low, high = expected(answers, chosen=True)
    assert sign * (high - low) > 0.5


@pytest.mark.long
def test_without_a_prior_searches_are_those_of_before() -> None:
    """The architectures asked, by the code before there were priors."""
    config = GP(fresh=20, points=16, memory=64)
    history = run_seeds(config, GridBenchmark(), 40, seed_keys(0, 8))
    digest = hashlib.sha256(np.asarray(history.arch).tobytes()).hexdigest()
    assert digest[:16] == "a0cb5fa5992f2b72"
