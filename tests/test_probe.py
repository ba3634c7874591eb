"""Whether an agent reads its answers: toys that do and do not, what is measured of them, and what
is said."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from averages import AGENT
from rlnas.agents.protocol import Agent
from rlnas.agents.random_search import RandomSearch
from rlnas.analysis import cli
from rlnas.analysis.comparison import sweep
from rlnas.analysis.probe.controls import FOREST, ONCE, best_of, check_source, controls
from rlnas.analysis.probe.measures import Probe, Row, counts_of, probe, reads
from rlnas.analysis.probe.text import sentences, text
from rlnas.analysis.probe.variants import AS_IT_IS, CHANCE, FREED, INVERTED, PERMUTED, TWIN
from rlnas.analysis.stats import Interval
from rlnas.analysis.store import load
from rlnas.analysis.training.controls import PARAMETERS
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.stand_ins import GridBenchmark
from surrogates import invented_benchmark
from tables import small_benchmark, small_table

CELLS = 91


@dataclass(frozen=True)
class Blind:
    """Asks one cell after the other, whatever it hears."""

    def build(self, space: Any) -> Agent:
        def ask(key: Any, state: Any) -> Any:
            return state, (state + 1) % CELLS

        return Agent(space.sample, ask, lambda state, arch, result: state)


@dataclass(frozen=True)
class Reader:
    """Asks a little above the best it heard of, where the values of `rising` rise."""

    def build(self, space: Any) -> Agent:
        def init(key: Any) -> Any:
            return space.sample(key), jnp.float32(-1)

        def ask(key: Any, state: Any) -> Any:
            step = jax.random.randint(key, (), -2, 9)
            return jnp.clip(state[0] + step, 0, CELLS - 1), state

        def tell(state: Any, arch: Any, result: Any) -> Any:
            better = result.val > state[1]
            return jnp.where(better, arch, state[0]), jnp.where(better, result.val, state[1])

        return Agent(init, ask, tell)


def rising() -> Any:
    """A table whose accuracies rise from cell to cell."""
    table = small_table(4)
    ramp = np.linspace(0.6, 0.9, CELLS, dtype=np.float32)[:, None, None]
    return replace(table, val=np.broadcast_to(ramp, table.val.shape).copy())


def made(config: Any, benchmark: Any, out: Path, budget: int = 20, seeds: int = 20) -> Probe:
    return probe(
        benchmark, benchmark.name, "toy", config,
        budget=budget, seeds=seeds, seed=0, source=None, out=out,
    )  # fmt: skip


def test_one_that_is_blind_asks_the_same_whatever_it_hears(tmp_path):
    found = made(Blind(), from_table(rising()), tmp_path)
    assert [found.row(what).same for what in (AS_IT_IS, PERMUTED, INVERTED)] == [1, 1, 1]
    assert not reads(found)
    assert sentences(found) == [
        "toy asks the same cells whatever the answers are: 100 % of its queries stay when they are "
        "permuted, 100 % when inverted."
    ]
    for what in (PERMUTED, INVERTED):  # what it asked is judged by the true values
        np.testing.assert_array_equal(found.curves[what], found.curves[AS_IT_IS])
    assert found.row(CHANCE).same < 0.1


@pytest.mark.long
def test_one_that_reads_falls_under_wrong_answers(tmp_path):
    """It climbs; told that up is down, it stays where it began or goes below."""
    benchmark = from_table(rising())
    found = made(Reader(), benchmark, tmp_path, budget=40)
    assert reads(found)
    own, permuted, inverted = (found.curves[x][:, -1] for x in (AS_IT_IS, PERMUTED, INVERTED))
    assert own.mean() > 0.89 and permuted.mean() < own.mean() - 0.02
    assert inverted.mean() < permuted.mean() - 0.02
    assert 1 / 40 <= found.row(PERMUTED).same < 0.5  # the first query is before any answer
    assert "toy reads its answers" in sentences(found)[0]
    assert "queries falls from" in sentences(found)[1]
    val = np.asarray(benchmark.mean_val, np.float64)
    for folder in tmp_path.iterdir():
        run = load(folder)
        if "answers" in run.manifest["config"]:
            wanted = np.maximum.accumulate(val[run.history.arch], axis=1)
            np.testing.assert_allclose(found.curves[run.label], wanted, rtol=1e-6)
            column = found.row(run.label).validation.value
            np.testing.assert_allclose(column, wanted.mean(0)[[9, 19, 39]], rtol=1e-6)
    assert found.difference(PERMUTED, AS_IT_IS).value == pytest.approx((permuted - own).mean())


@pytest.mark.long
def test_every_run_permutes_by_itself(tmp_path):
    """Were it one permutation for all, all would be drawn to the same cell."""
    found = made(Reader(), from_table(rising()), tmp_path, budget=60, seeds=20)
    assert len(set(found.curves[PERMUTED][:, -1].round(6).tolist())) > 5


def test_a_space_without_numbers_says_what_it_does_instead(tmp_path):
    found = made(RandomSearch(), invented_benchmark(), tmp_path, budget=3, seeds=2)
    assert not found.permutes and [row.what for row in found.rows][-1] == CHANCE
    said = text(found)
    assert "drawn by a hash of what was asked; without numbers there is no permutation" in " ".join(
        said.split()
    )
    assert "Without a search" not in said


# Controls


def test_a_control_looks_up_no_more_than_the_agent():
    benchmark = small_benchmark(4)
    val, test = (np.asarray(x, np.float64) for x in (benchmark.mean_val, benchmark.mean_test))
    rows = {row.name: row for row in controls(benchmark, 0, [5, 10], 200, 0)}
    assert rows[ONCE].before == rows[PARAMETERS].before == 0
    # The best of 10 without replacement, in the mean: by the order statistics of 91.
    ranks = np.sort(val)
    weights = np.array([np.prod([(i - j) / (90 - j) for j in range(9)]) for i in range(91)])
    wanted = (ranks * weights).sum() / weights.sum()
    assert rows[ONCE].validation[:, 1].mean() == pytest.approx(wanted, abs=0.006)
    largest = np.argsort(-benchmark.space.trainable_parameters(), kind="stable")[:5]
    best = largest[val[largest].argmax()]
    assert rows[PARAMETERS].validation[0, 0] == val[best]
    assert rows[PARAMETERS].reported[0, 0] == test[best]
    if FOREST in rows:
        assert rows[FOREST].before == 0 and rows[FOREST].validation.shape == (20, 2)
    paid = {row.name: row for row in controls(benchmark, 1000, [5], 3, 0)}
    everything = paid["everything looked up"]
    assert everything.before == 91
    assert everything.validation.tolist() == [[val.max()]] * 3
    if FOREST in paid:
        assert paid[FOREST].before == 9
    assert best_of(np.array([np.nan, 0.1, 0.3, 0.3]), np.array([0, 1, 3, 2])) == 3
    assert best_of(np.array([np.nan]), np.array([0])) == -1


def test_a_source_without_controls_is_refused():
    with pytest.raises(UserError, match="--source small would not be used: grid cannot be listed"):
        check_source(small_benchmark(4), GridBenchmark())


def test_a_source_is_a_list_of_what_both_have():
    benchmark, source = small_benchmark(4), small_benchmark(5, rows=np.arange(0, 2532, 2))
    (listed,) = [row for row in controls(benchmark, 0, [1, 3], 2, 0, source) if "list" in row.name]
    theirs = np.asarray(source.mean_val)[:46]  # of rows 0, 2, ..., 90
    order = 2 * np.argsort(-theirs, kind="stable")
    val = np.asarray(benchmark.mean_val, np.float64)
    assert listed.name == "list of small" and listed.before == 0
    assert listed.validation.tolist() == [[val[order[0]], val[order[:3]].max()]]


# What is said


def invented(same: float, permuted: float, chance: float) -> Probe:
    """100 runs of 20 queries that end around these values."""
    spread = np.linspace(-0.01, 0.01, 100)

    def curve(what: str, end: float) -> np.ndarray:
        runs = np.random.default_rng(len(what)).permutation(spread)  # pairs of runs differ
        return np.linspace(end - 0.1, end, 20)[None] + runs[:, None]

    def row(what: str, before: int, same: float | None, value: float) -> Row:
        values = np.array([value])
        return Row(
            what, before, same, Interval(values, values - 0.001, values + 0.001),
            Interval(values - 0.02, values - 0.021, values - 0.019),
        )  # fmt: skip

    curves = {AS_IT_IS: 0.95, PERMUTED: permuted, INVERTED: 0.85, TWIN: 0.9, CHANCE: chance}
    shares = {AS_IT_IS: 1.0, PERMUTED: same, INVERTED: same, TWIN: 0.03, CHANCE: 0.001}
    paid = {AS_IT_IS: 1200, PERMUTED: 1200, INVERTED: 1200}
    rows = [row(what, paid.get(what, 0), shares[what], end) for what, end in curves.items()]
    rows.append(row(PARAMETERS, 0, None, 0.93))
    return Probe(
        "toy", "table", "test accuracy", 100, (20,), rows,
        {what: curve(what, end) for what, end in curves.items()}, True,
    )  # fmt: skip


BEFORE = """\
toy reads its answers: 12.5 % of its queries stay the same when they are permuted, 12.5 % when
inverted. Permuted, the best it asks in 20 queries falls from 95.00 to 90.00 % validation
(difference -5.00 [-5.14, -4.86] points): the level of random search (90.00; difference 0.00 [-0.16,
0.16]). Untrained it finds 90.00 %, trained 95.00 % (difference 5.00 [4.83, 5.17] points).

toy on table, 20 queries, 100 runs of each: validation accuracy (%) of the best asked after 20
queries, and its test accuracy after the last"""
TABLE = """\
                  before     same  20                    reported
----------------  ------  -------  --------------------  --------------------
as it is           1,200  100.0 %  95.00 [94.90, 95.10]  93.00 [92.90, 93.10]
permuted answers   1,200   12.5 %  90.00 [89.90, 90.10]  88.00 [87.90, 88.10]
inverted answers   1,200   12.5 %  85.00 [84.90, 85.10]  83.00 [82.90, 83.10]
untrained twin         0    3.0 %  90.00 [89.90, 90.10]  88.00 [87.90, 88.10]
random search          0    0.1 %  90.00 [89.90, 90.10]  88.00 [87.90, 88.10]
most parameters        0        -  93.00 [92.90, 93.10]  91.00 [90.90, 91.10]"""
AFTER = """\
Permuted: every look-up answers with the value of another architecture, by a new permutation in each
run. Inverted: it answers 1 - v. Whatever an agent was told, what it asked is judged by the true
values: the best by validation among it, mean over runs with 95 % intervals.
Without a search: what as many look-ups buy, those before the search included; a random forest asks
what it predicts best."""


def test_what_is_printed():
    """Paragraphs are as wide as a terminal; the table is as it is."""
    finding, title, table, notes = text(invented(0.125, 0.90, 0.90)).split("\n\n")
    assert table == TABLE
    assert " ".join(f"{finding} {title}".split()) == " ".join(BEFORE.split())
    assert " ".join(notes.split()) == " ".join(AFTER.split())


def test_the_sentences_follow_the_numbers():
    assert ": below random search (92.00" in sentences(invented(0.1, 0.90, 0.92))[1]
    assert ": above random search (88.00" in sentences(invented(0.1, 0.90, 0.88))[1]
    assert "queries RISES from 95.00 to 97.00 %" in sentences(invented(0.1, 0.97, 0.9))[1]
    assert "queries hardly changes: from 95.00 to 95.00" in sentences(invented(0.9, 0.95, 0.9))[1]
    assert "stay the same when they are permuted, 100.0 %" in sentences(invented(0.9999, 0.9, 1))[0]
    assert sentences(invented(1.0, 0.95, 0.9))[0].startswith("toy asks the same cells whatever the")


def test_the_counts_end_with_the_budget():
    assert counts_of(50) == [10, 20, 50] and counts_of(30) == [10, 20, 30] and counts_of(4) == [4]
    assert counts_of(80) == [10, 20, 50, 80]


# The command


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rising().save("rising.npz")
    return tmp_path


OPTIONS = ["--benchmark", "rising.npz", "--budget", "12", "--seeds", "12"]
WORDS = ["probe", "test_probe:Reader", *OPTIONS]


@pytest.mark.long
def test_interrupted_it_goes_on_and_done_it_is_reused(here, monkeypatch, capsys):
    assert cli.main([*WORDS, "--out", "whole"]) == 0
    whole = next(Path("whole").glob("probe-*"))
    ran, calls = sweep.run_blocks, list[Any]()

    def counted(config: Any, *args: Any) -> None:
        calls.append(config)
        if len(calls) == 3:
            raise KeyboardInterrupt
        ran(config, *args)

    monkeypatch.setattr(sweep, "run_blocks", counted)
    assert cli.main(WORDS) == 130
    folder = next(Path("runs").glob("probe-*"))
    assert folder.name == whole.name and not (folder / "manifest.json").exists()
    assert cli.main(WORDS) == 0
    assert len(calls) == 5  # two were done; the third again, and random search
    for name in ("numbers.json", "report.txt", "figure.png", "figure.svg"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    capsys.readouterr()
    assert cli.main(WORDS) == 0
    out, err = capsys.readouterr()
    assert len(calls) == 5 and {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    assert f"rlnas: {folder} is reused from 20" in err
    assert out.startswith((folder / "report.txt").read_text()) and "figure.png" in out
    assert cli.main(["report", str(folder)]) == 0
    assert (folder / "report.txt").read_text() in capsys.readouterr().out
    assert cli.main([*WORDS, "--seed", "1"]) == 0 and len(list(Path("runs").glob("probe-*"))) == 2


@pytest.mark.long
def test_a_trained_agent_is_held_against_its_untrained_twin(here, capsys):
    options = "--benchmark rising.npz --preset smoke --evaluation-seeds 3 --judging-seeds 4"
    assert cli.main(["train", AGENT, *options.split(), "--spread", "0.1", "--steps", "640"]) == 0
    (training,) = Path("runs").glob("train-*")
    lookups = json.loads((training / "checkpoint.json").read_text())["lookups"]
    word = f"{AGENT}:{training}"
    words = f"probe {word} --benchmark rising.npz --budget 12 --seeds 12".split()
    assert cli.main(words) == 0
    (folder,) = Path("runs").glob("probe-*")
    found = json.loads((folder / "numbers.json").read_text())
    rows = {row["what"]: row for row in found["rows"]}
    assert rows[AS_IT_IS]["lookups_before"] == rows[FREED]["lookups_before"] == lookups
    assert rows[TWIN]["lookups_before"] == rows[CHANCE]["lookups_before"] == 0
    assert rows[PERMUTED]["same_queries"] == rows[INVERTED]["same_queries"] == 1
    assert rows[TWIN]["same_queries"] < 0.5 and rows[FREED]["same_queries"] < 1
    ends = {what: row["validation"]["value"][-1] for what, row in rows.items()}
    assert ends[TWIN] < ends[AS_IT_IS]
    assert ends["everything looked up"] == pytest.approx(0.9)
    said = " ".join(capsys.readouterr().out.split())
    assert f"{word} asks the same cells whatever the answers are: 100 % of its queries" in said
    assert "Untrained it finds" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("random_search --budget 0", "--budget is 0; expected at least 1 query"),
        ("random_search --seeds 1", "--seeds is 1; expected at least 2, an interval needs them"),
        ("random_search --seed -1", "--seed is -1"),
        ("nobody", "nobody"),
        ("all", " agents; expected one, e.g. rlnas probe alphax"),
        ("bridge:outside_searchers:Draws", "searches outside JAX, so its answers cannot be"),
        ("random_search --source rising.npz", "--source small is the benchmark that is searched"),
        ("random_search --source nb201.npz", "nb201"),
        ("dqn:nowhere", "nowhere"),
    ],
)
def test_what_cannot_be_probed_is_one_line(words, reason, here, capsys):
    args = ["probe", *words.split()]
    assert cli.main([*args, "--benchmark", "rising.npz"]) == 2
    err = capsys.readouterr().err
    assert reason in err and err.count("\n") == 1, err
    assert {path.name for path in here.iterdir()} == {"rising.npz"}
