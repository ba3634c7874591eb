"""Fidelities of benchmarks, what they cost, and runs under a budget of seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas import agents, bench
from rlnas.agents import timed
from rlnas.agents.fidelity import AsksFidelity, Choice, FidelityAgent
from rlnas.agents.protocol import Agent, run_seeds, seed_keys
from rlnas.agents.timed import Best, Seconds, run_timed
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError
from rlnas.bench.fidelity import SeveralBudgets, check_fidelity, price
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.nb101.facts import table_facts
from tables import small_table

EPOCHS = (4, 12, 36, 108)


def several(continues: bool, noise: str = "mean") -> SeveralBudgets:
    """All cells with at most 4 vertices; a training takes 10 s an epoch, its repeats together
    30."""
    table = small_table(budgets=EPOCHS)
    return SeveralBudgets.of(
        [from_table(table, epochs=e, noise=noise) for e in EPOCHS], continues=continues
    )


@dataclass(frozen=True)
class Script:
    """Asks the architectures and fidelities of a list, in turn."""

    asks: tuple[tuple[int, int], ...]

    def build(self, space: Any) -> Agent:
        raise NotImplementedError

    def build_for(self, space: Any, budgets: Budgets) -> FidelityAgent:
        every = jnp.asarray(self.asks, jnp.int32)

        def ask(key: Any, t: Any) -> tuple[Choice, Any]:
            return Choice(*every[t % len(every)]), t

        return FidelityAgent(lambda key: jnp.int32(0), ask, lambda t, choice, result: t + 1)


def run(config: Any, fidelities: Any, seconds: float, seeds: int = 1, most: int = 64) -> Any:
    found = run_timed(config, fidelities, seconds, seed_keys(0, seeds), most)
    return type(found)._make(np.asarray(x) for x in found)


def test_a_table_says_which_fidelities_it_has() -> None:
    digits = bench.load_fidelities("nb101-digits").budgets
    assert digits == Budgets((2, 5, 10, 20), continues=True)
    assert digits.caption.startswith("2, 5, 10, 20 epochs, checkpoints of one training")
    assert bench.load_fidelities("nb101-digits", epochs=10).budgets.epochs == (2, 5, 10)
    small = small_table(budgets=EPOCHS)
    assert small.budgets == Budgets(EPOCHS, continues=False)
    assert dict(table_facts(small))["fidelities"] == small.budgets.caption
    assert Budgets(tuple(range(1, 99)), True).caption.startswith("1 to 98 epochs, checkpoints")


def test_a_fidelity_answers_as_the_benchmark_of_that_budget() -> None:
    fidelities = bench.load_fidelities("nb101-digits")
    for i, epochs in enumerate(fidelities.budgets.epochs):
        alone = bench.load("nb101-digits", epochs=epochs)
        for arch in (0, 1234, 2531):
            mine = fidelities.query(jnp.int32(arch), jnp.int32(i), jax.random.key(0))
            theirs = alone.query(jnp.int32(arch), jax.random.key(0))
            assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_seconds_that_a_table_lacks_are_the_share_of_the_epochs() -> None:
    table = small_table(budgets=EPOCHS)
    seconds = table.seconds.copy()
    seconds[:, :3] = np.nan
    lacking = replace(table, seconds=seconds)
    assert lacking.budgets.estimated and not table.budgets.estimated
    assert "share of the epochs" in lacking.budgets.caption
    np.testing.assert_allclose(lacking.with_seconds().seconds, table.seconds, rtol=1e-6)
    assert np.array_equal(table.with_seconds().seconds, table.seconds)


def test_a_fidelity_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="no fidelity of 5 epochs in x; expected 4, 12 epochs"):
        check_fidelity(Budgets((4, 12)), 5, "x")
    assert check_fidelity(Budgets((4, 12)), 12, "x") == 1


@pytest.mark.parametrize(
    ("continues", "paid", "expected"),
    [(True, 0.0, 30.0), (True, 10.0, 20.0), (True, 50.0, 0.0), (False, 10.0, 30.0)],
)
def test_the_price_of_a_query(continues: bool, paid: float, expected: float) -> None:
    def cost(valid: bool) -> float:
        answer = QueryResult(*map(jnp.float32, (0.9, 0.9, 30.0)), jnp.bool_(valid))
        return float(price(Budgets((1, 2), continues), answer, jnp.float32(paid)))

    assert cost(True) == expected
    assert cost(False) == 0.0


# Cell 7 for 4, 12 and 108 epochs, cell 9 for 108 and then 12, and cell 7 again.
ASKS = ((7, 0), (7, 1), (7, 3), (9, 3), (9, 1), (7, 3))


@pytest.mark.parametrize(
    ("continues", "costs"),
    [(True, [120, 240, 2880, 3240, 0, 0]), (False, [120, 360, 3240, 3240, 360, 3240])],
)
def test_costs_by_hand(continues: bool, costs: list[float]) -> None:
    history = run(Script(ASKS), several(continues), float(sum(costs)), most=len(ASKS))
    assert history.made[0].all()
    assert history.sim_seconds[0].tolist() == costs
    assert history.fidelity[0].tolist() == [0, 1, 3, 3, 1, 3]
    short = run(Script(ASKS), several(continues), sum(costs[:3]) - 0.5, most=len(ASKS))
    assert short.made[0].tolist() == [True, True, False, False, False, False]
    assert short.incumbent[0].tolist() == [0, 1, 1, 1, 1, 1]
    assert np.isnan(short.val[0, 2:]).all()


@pytest.mark.long
def test_what_was_paid_is_kept_of_architectures_without_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbered = run(Script(ASKS), several(True), 1e6, most=6)
    monkeypatch.setattr(timed, "NUMBERED", 0)
    jax.clear_caches()
    assert np.array_equal(run(Script(ASKS), several(True), 1e6, most=6).sim_seconds,
                          numbered.sim_seconds)  # fmt: skip


def test_checkpoints_of_a_training_are_of_one_repeat() -> None:
    fidelities = several(True, noise="sample")
    asks = tuple((7, i % 4) for i in range(12))
    history = run(Script(asks), fidelities, 1e9, seeds=8, most=12)
    values = np.asarray(small_table(budgets=EPOCHS).val)[7]  # [budgets, repeats]
    drawn = [
        np.flatnonzero(values[f] == v)
        for f, v in zip(history.fidelity.ravel(), history.val.ravel(), strict=True)
    ]
    repeats = np.array([int(one[0]) for one in drawn]).reshape(8, 12)
    assert (repeats == repeats[:, :1]).all()
    assert len(set(repeats[:, 0].tolist())) > 1


def test_the_incumbent_is_the_best_at_the_highest_fidelity() -> None:
    best = Best.none()
    positions = []
    answers = [(0, 0.9, True), (0, 0.95, True), (2, 0.5, True), (1, 0.99, True), (2, 0.5, True),
               (2, 0.6, False), (2, 0.6, True)]  # fmt: skip
    for t, (fidelity, val, valid) in enumerate(answers):
        best = best.or_better(
            jnp.int32(fidelity), jnp.float32(val), jnp.bool_(valid), jnp.int32(t)
        )  # fmt: skip
        positions.append(int(best.position))
    assert positions == [0, 1, 2, 2, 2, 2, 6]


def test_a_plain_agent_makes_the_queries_of_a_budget_of_queries() -> None:
    fidelities = several(False)
    config = agents.config("evolution")(initial=3, population=5)
    history = run(config, fidelities, 3240.0 * 20 + 1, seeds=3)
    plain = run_seeds(config, fidelities.benchmark, 20, seed_keys(0, 3))
    assert history.made.sum(1).tolist() == [20, 20, 20]
    for mine, theirs in ((history.arch, plain.arch), (history.val, plain.val),
                         (history.incumbent, plain.incumbent)):  # fmt: skip
        assert np.array_equal(mine[:, :20], np.asarray(theirs))


@pytest.fixture(scope="module")
def whole() -> Any:
    """Runs that no budget ends."""
    return run(agents.config("hyperband")(), several(True), 1e9, seeds=2, most=64)


@settings(max_examples=12, deadline=None)
@given(seconds=st.floats(1.0, 6e4))
def test_a_budget_of_seconds_is_exact(whole: Any, seconds: float) -> None:
    """A run is the beginning of a longer one, and its next query would have passed the budget."""
    prices = whole.sim_seconds.astype(np.float64)
    history = run(agents.config("hyperband")(), several(True), seconds, seeds=2, most=64)
    for i in range(2):
        made = int(history.made[i].sum())
        assert history.made[i, :made].all() and not history.made[i, made:].any()
        assert prices[i, :made].sum() <= seconds
        assert made == 64 or prices[i, : made + 1].sum() > seconds
        assert np.array_equal(history.arch[i, :made], whole.arch[i, :made])
        assert np.array_equal(history.val[i, :made], whole.val[i, :made])


@given(st.lists(st.floats(1 / 1024, 1e6), max_size=60))
@settings(max_examples=30, deadline=None)
def test_seconds_are_added_up_without_rounding(costs: list[float]) -> None:
    total = Seconds.of(0.0)
    for cost in costs:
        total = total.plus(jnp.float32(cost))
    exact = float(np.sum(np.array(costs, np.float32).astype(np.float64)))
    assert float(total.high) + float(total.low) == pytest.approx(exact, rel=1e-12)


def test_an_unknown_cost_ends_a_run() -> None:
    table = small_table(budgets=EPOCHS)
    table.seconds[7, 3] = np.nan
    lacking = SeveralBudgets.of(
        [from_table(table, epochs=e) for e in EPOCHS], continues=False
    )  # fmt: skip
    history = run(Script(((7, 0), (7, 3))), lacking, 1e9, most=4)
    assert history.made[0].tolist() == [True, False, False, False]


WORDS = {
    "successive_halving": "successive_halving",
    "bohb": "bohb:samples=4,points=32",
    "freeze_thaw": "freeze_thaw:checkpoints=4,fresh=4,points=8",
    "reinforce_fidelity": "reinforce_fidelity",
}
"""`hyperband` is above, and `early_stopping`, which needs longer curves, in test_extrapolation."""


@pytest.mark.parametrize("name", WORDS)
def test_every_agent_that_names_fidelities_keeps_a_budget(name: str) -> None:
    fidelities = several(True)
    config = agents.parse(WORDS[name])[1]
    assert isinstance(config, AsksFidelity)
    longer, shorter = (run(config, fidelities, s, seeds=2) for s in (12_000.0, 8000.0))
    costs = longer.sim_seconds.astype(np.float64).cumsum(1)
    for i in range(2):
        made = int(shorter.made[i].sum())
        assert 3 < made < int(longer.made[i].sum()) <= 64
        assert costs[i, made - 1] <= 8000 < costs[i, made]
        assert np.array_equal(shorter.arch[i, :made], longer.arch[i, :made])
        assert np.array_equal(shorter.fidelity[i, :made], longer.fidelity[i, :made])
        assert set(longer.fidelity[i, :made]) <= {0, 1, 2, 3}
        best = longer.incumbent[i, made - 1]
        ranked = list(zip(longer.fidelity[i, :made], longer.val[i, :made], strict=True))
        assert max(ranked) == ranked[best]


def test_agents_that_name_fidelities_are_known_by_it() -> None:
    found = {n for n in agents.names() if isinstance(agents.config(n), type) and hasattr(
        agents.config(n), "build_for"
    )}  # fmt: skip
    assert found == {*WORDS, "hyperband", "early_stopping"}
