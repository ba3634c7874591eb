"""The unit of a learned agent is the training: runs of trainings that differ by their seeds only
are one agent."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from averages import AGENT, AveragesLearner
from made_runs import made_run, searches, trained_run
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.spec import parse_all
from rlnas.analysis import stats
from rlnas.analysis.comparison.entrants import entrants
from rlnas.analysis.comparison.figure import comparison
from rlnas.analysis.comparison.measures import measure
from rlnas.analysis.comparison.table import text
from rlnas.bench.errors import UserError
from tables import small_benchmark


def trainings(levels: list[float], label: str = "dqn:runs/train-{}", **changes: object) -> list:
    return [
        trained_run(label.format(i), searches(level), 1000 * (i + 1), **changes)
        for i, level in enumerate(levels)
    ]


def test_trainings_that_differ_by_their_seeds_are_one_agent() -> None:
    runs = [made_run("random_search", searches(0.7)), *trainings([0.8, 0.85, 0.9])]
    plain, pooled = entrants(runs)
    assert (plain.label, pooled.label) == ("random_search", "dqn, 3 trainings")
    assert pooled.runs == tuple(runs[1:])
    assert pooled.reported.shape == (12, 3, 8)
    np.testing.assert_array_equal(pooled.reported[:, 1], runs[2].history.reported.T)
    assert pooled.pretraining["lookups"] == 2000
    row = measure(runs).last("dqn, 3 trainings")
    assert (row["trainings"], row["seeds"], row["pretraining_lookups"]) == (3, 8, 2000)
    ends = stats.bootstrap([pooled.reported[[-1]]])
    assert (row["accuracy_iqm"], row["accuracy_iqm_low"]) == (ends.value[0], ends.low[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"settings": {"alpha": 32}}},
        {"training": {"shown": ", 60 % of the cells"}},
        {"config": {"patience": 5}},
        {"code": "1"},
        {"seed": 1},
    ],
)
def test_other_trainings_are_other_agents(changes: dict) -> None:
    ours = trainings([0.8, 0.9])
    others = trainings([0.8, 0.9], "dqn:runs/other-{}", **changes)
    found = entrants([*ours, *others])
    assert [entrant.runs for entrant in found] == [tuple(ours), tuple(others)]
    assert len({entrant.label for entrant in found}) == 2


def test_what_says_nothing_of_its_training_stays_alone() -> None:
    silent = [trained_run(f"dqn:runs/train-{i}", searches(0.9)) for i in range(2)]
    for run in silent:
        del run.manifest["pretraining"]["training"]
    assert [entrant.label for entrant in entrants(silent)] == [run.label for run in silent]


def test_labels_of_pools() -> None:
    def labels(*words: str, **changes: object) -> list[str]:
        runs = [trained_run(word, searches(0.9), agent="dqn", **changes) for word in words]
        return [entrant.label for entrant in entrants(runs)]

    assert labels("dqn:a", "dqn:b") == ["dqn, 2 trainings"]
    assert labels("dqn:a,b,patience=5", "dqn:c,patience=5") == ["dqn:patience=5, 2 trainings"]
    assert labels("mine", "mine") == ["mine, 2 trainings"]
    assert labels("dqn:a") == ["dqn:a"]
    with pytest.raises(UserError, match="two runs are called dqn:a"):
        entrants([made_run("dqn:a", searches(0.9)), made_run("dqn:a", searches(0.8))])


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "one training; its interval is over searches"),
        (3, "fewer than 5 trainings; an interval over so few is a guess"),
        (5, None),
    ],
)
def test_few_trainings_are_said_in_table_and_figure(count: int, said: str | None) -> None:
    runs = [
        made_run("random_search", searches(0.7)),
        *trainings([0.8, 0.85, 0.9, 0.82, 0.86][:count]),
    ]
    note = comparison(runs).texts[-1].get_text().replace("\n", " ")
    for everything in (text(runs).replace("\n", " "), note):
        if said is None:
            assert "one training" not in everything and "fewer than" not in everything
        else:
            assert said in everything


def test_learned_agents_are_no_reference_unless_asked() -> None:
    runs = [made_run("random_search", searches(0.7)), *trainings([0.9, 0.95])]
    assert measure(runs).reference == "random_search"
    assert measure(runs[1:]).reference is None
    assert "Against" not in text(runs[1:])
    for wanted in ("dqn, 2 trainings", "dqn:runs/train-1"):
        assert measure(runs, wanted).reference == "dqn, 2 trainings"


def test_a_pattern_stands_for_all_finished_trainings_of_the_agent(tmp_path: Path) -> None:
    facts = {"benchmark": small_benchmark(3).describe(), "lookups": 5, "distinct": 3}
    for name in ("train-b", "train-a", "train-unfinished"):
        params = {"value": np.full(7, float(len(name) + ord(name[-1])), np.float32)}
        Checkpoint(AGENT, AveragesLearner(), params, facts, None).save(tmp_path / name)
        if name != "train-unfinished":
            (tmp_path / name / "manifest.json").write_text("{}")
    (tmp_path / "train-no").mkdir()
    pattern = f"{AGENT}:{tmp_path}/train-*"
    found = parse_all(["random_search", pattern])
    labels = [f"{AGENT}:{tmp_path}/train-{x}" for x in "ab"]
    assert [entry.label for entry in found] == ["random_search", *labels]
    for entry in found[1:]:
        assert entry.name == AGENT and entry.config.sha256
        assert entry.config.checkpoint == entry.label.removeprefix(f"{AGENT}:")
    optioned = parse_all([f"mine={pattern},patience=3"])
    assert [(e.name, e.label, e.config.patience) for e in optioned] == [(AGENT, "mine", 3)] * 2
    with pytest.raises(UserError, match="given twice"):
        parse_all([pattern, f"{AGENT}:{tmp_path}/train-a"])
    with pytest.raises(UserError, match=r"no folder .*train-x\* has a finished training"):
        parse_all([f"{AGENT}:{tmp_path}/train-x*"])
    assert len({*itertools.chain.from_iterable([e.config.sha256] for e in found[1:])}) == 2
