"""Rewards of accuracy and costs, by hand; what does not fit is refused; any agent runs on any."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nb201_tables import invented_cells
from rlnas import agents
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.reward_words import asked_for, parse_reward
from rlnas.agents.spec import parse
from rlnas.analysis import cli
from rlnas.bench.errors import UserError
from rlnas.bench.objective_rewards import N2N, REWARDS, MnasNet, Monas, MonasConstrained, Rena
from rlnas.bench.objectives import Range
from surrogates import invented_benchmark
from tables import small_benchmark

SPAN = {"params": Range(10.0, 1000.0), "latency": Range(0.0, 50.0)}


def of(reward: Any, accuracy: float, **costs: float) -> float:
    named = {name: jnp.float32(cost) for name, cost in costs.items()}
    return float(reward(jnp.float32(accuracy), named))


def test_mnasnet_soft_is_worth_five_percent_a_doubling() -> None:
    reward = MnasNet(100.0, "params").on(None, SPAN)
    assert of(reward, 0.8, params=100) == pytest.approx(0.8)
    assert of(reward, 0.8, params=200) == pytest.approx(0.8 * 2**-0.07)
    assert of(reward, 0.8, params=50) == pytest.approx(0.8 * 2**0.07)
    assert pytest.approx(0.953, abs=1e-3) == 2**-0.07


def test_mnasnet_hard_is_a_limit() -> None:
    reward = MnasNet(100.0, "parameters", w=-1.0, below=0.0).on(None, SPAN)
    assert of(reward, 0.8, params=20) == pytest.approx(0.8)
    assert of(reward, 0.8, params=400) == pytest.approx(0.2)


def test_monas_mixes_or_constrains() -> None:
    mixed = Monas("params", alpha=0.75).on(None, SPAN)
    assert of(mixed, 0.8, params=10) == pytest.approx(0.6)
    assert of(mixed, 0.8, params=505) == pytest.approx(0.6 - 0.125)
    limited = MonasConstrained(100.0, "params").on(None, SPAN)
    assert of(limited, 0.8, params=100) == pytest.approx(0.8)
    assert of(limited, 0.8, params=101) == 0
    assert np.isnan(of(limited, 0.8, params=np.nan))


def test_rena_multiplies_a_penalty_for_each_violation() -> None:
    reward = Rena("100,10", "params,latency", p=0.5).on(None, SPAN)
    assert of(reward, 0.8, params=100, latency=10) == pytest.approx(0.8)
    assert of(reward, 0.8, params=200, latency=5) == pytest.approx(0.4)
    assert of(reward, 0.8, params=200, latency=15) == pytest.approx(0.4 * 0.5**0.5)


def test_n2n_rewards_compression_against_its_teacher() -> None:
    reward = N2N("x", teacher_accuracy=0.9, teacher_params=100.0)
    assert of(reward, 0.9, params=100) == 0
    assert of(reward, 0.9, params=50) == pytest.approx(0.75)
    assert of(reward, 0.45, params=0) == pytest.approx(0.5)
    assert of(reward, 0.99, params=101) == -1


BENCHMARK = small_benchmark(4)
LARGEST = BENCHMARK.space.format(int(np.argmax(BENCHMARK.columns[:, 0])))
PARAMS = int(np.median(BENCHMARK.columns[:, 0]))
WORDS = {
    "mnasnet": f"mnasnet:objective=params,target={PARAMS}",
    "monas": "monas:objective=flops,alpha=.8",
    "monas_constrained": f"monas_constrained:objective=params,limit={PARAMS}",
    "rena": f"rena:objectives=params,seconds,limits={PARAMS},120,p=.9",
    "n2n": f"n2n:teacher={LARGEST}",
}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("mnasnet:objective=params,target=1", "outside what params can be here; expected "),
        (f"mnasnet:objective=params,target={PARAMS},w=.07", "w=0.07, which rewards more params"),
        (f"mnasnet:objective=params,target={PARAMS},below=1", "below=1, which rewards more"),
        ("mnasnet:objective=params", "option 'target' is missing"),
        ("mnasnet:target=5", "small has no objective 'latency'; expected one of accuracy, params"),
        ("monas:objective=params,alpha=2", "alpha=2; expected 0 to 1"),
        ("monas_constrained:objective=flops,limit=3", "limit=3, outside what flops can be"),
        ("rena:objectives=params,flops,limits=1", "expected 2 numbers between commas"),
        (f"rena:limits={PARAMS},p=0", "p=0; expected above 0"),
        ("n2n:teacher=nobody", "found 'nobody'; expected the upper triangle"),
        ("mnasnett:target=5", "did you mean mnasnet?"),
        (f"mnasnet:objective=params,target={PARAMS},v=3", "unknown option 'v'"),
    ],
)
def test_what_does_not_fit_is_refused(word: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        asked_for(BENCHMARK, (), word)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_says_it_in_one_line(capsys: pytest.CaptureFixture) -> None:
    line = ["compare", "--benchmark", "nb101-digits", "--reward", "mnasnet:objective=x,target=1"]
    assert cli.main(line) == 2
    assert capsys.readouterr().err.count("\n") == 1
    line = ["compare", "--benchmark", "nb101-digits", "--objectives", "accuracy", "latncy"]
    assert cli.main(line) == 2
    assert "no objective 'latncy'" in capsys.readouterr().err
    assert cli.main([*line[:-2], "accuracy"]) == 2
    assert "expected another beside it" in capsys.readouterr().err


def test_the_search_sees_the_reward_and_the_truth_is_kept() -> None:
    benchmark = asked_for(BENCHMARK, ["flops"], WORDS["mnasnet"])
    key = jax.random.key(0)
    arch = jnp.int32(20)
    plain, result = BENCHMARK.query(arch, key), benchmark.query(arch, key)
    params, flops = (BENCHMARK._column(name)[20] for name in ("params", "flops"))
    expected = [1 - float(plain.val), flops, params]
    np.testing.assert_allclose(result.objectives, expected, rtol=1e-6)
    factor = (params / PARAMS) ** -0.07
    assert float(result.val) == pytest.approx(float(plain.val) * factor, rel=1e-5)
    assert float(benchmark.reported(arch)) == pytest.approx(
        float(BENCHMARK.reported(arch)) * factor, rel=1e-5
    )
    assert result.test == plain.test and plain.objectives.shape == (0,)
    every = [float(benchmark.reported(jnp.int32(i))) for i in range(BENCHMARK.space.size)]
    assert float(benchmark.optimum) == pytest.approx(max(every), rel=1e-6)
    assert benchmark.describe()["reward"]["target"] == PARAMS
    outside = benchmark.query(jnp.int32(-1), key)
    assert not outside.valid and np.isnan(outside.val) and np.isnan(outside.objectives).all()


def test_a_cost_that_is_not_known_is_no_answer_to_a_reward() -> None:
    columns = np.asarray(BENCHMARK.columns).copy()
    columns[7] = np.nan
    gap = type(BENCHMARK)(**{**vars(BENCHMARK), "columns": jnp.asarray(columns)})
    key = jax.random.key(0)
    assert not asked_for(gap, (), WORDS["mnasnet"]).query(jnp.int32(7), key).valid
    found = asked_for(gap, ["params"]).query(jnp.int32(7), key)
    assert found.valid and np.isnan(found.objectives[1])


# Every agent on a reward, every reward on agents; every family. All pairs would take minutes.
AGENTS = [name for name in agents.names() if name not in ("dqn", "bridge")]
PAIRS = [(name, [*WORDS][i % len(WORDS)]) for i, name in enumerate(AGENTS)]


@pytest.mark.long
@pytest.mark.parametrize(("agent", "reward"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_any_agent_runs_on_any_reward(agent: str, reward: str) -> None:
    benchmark = asked_for(BENCHMARK, (), WORDS[reward])
    history = run_seeds(parse(agent)[1], benchmark, 24, seed_keys(0, 2))
    assert history.valid.all() and np.isfinite(history.val).all()
    assert history.objectives.shape == (2, 24, len(benchmark.objectives))
    shown, _ = parse_reward(WORDS[reward])
    assert benchmark.reports.startswith(f"{shown} reward of")
    ready = benchmark.reward
    names = [objective.name for objective in benchmark.objectives[1:]]
    for found, val in zip(history.objectives[0], history.val[0], strict=True):
        costs = dict(zip(names, map(float, found[1:]), strict=True))
        assert of(ready, 1 - float(found[0]), **costs) == pytest.approx(float(val), rel=1e-4)


def test_every_reward_is_there() -> None:
    assert set(WORDS) == set(REWARDS) == {reward for _, reward in PAIRS}


@pytest.mark.long
@pytest.mark.parametrize("family", ["nb201", "nb301"])
def test_other_families_take_rewards(family: str) -> None:
    benchmark: Any = invented_cells() if family == "nb201" else invented_benchmark()
    _, (span,) = benchmark.costs(["flops"])
    middle = (span.low + span.high) / 2
    rewarded = asked_for(benchmark, ["params"], f"mnasnet:objective=flops,target={middle}")
    history = run_seeds(parse("evolution")[1], rewarded, 12, seed_keys(0, 2))
    assert history.valid.all() and history.objectives.shape == (2, 12, 3)
    assert (history.objectives[..., 2] >= span.low * 0.999).all()
