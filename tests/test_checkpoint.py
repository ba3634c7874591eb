"""Checkpoints: they come back, say what they were trained on, and are refused in one line."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from averages import AGENT, AveragesAgent, AveragesLearner
from rlnas.agents import checkpoint, protocol
from rlnas.agents.checkpoint import FACTS, WEIGHTS, Checkpoint, settings_of
from rlnas.agents.dqn import DQN, DQNLearner
from rlnas.agents.protocol import run_search, run_seeds, seed_keys
from rlnas.agents.spec import parse
from rlnas.analysis.comparison import sweep
from rlnas.bench.errors import UserError
from rlnas.bench.reading import write_json
from rlnas.bench.stand_ins import GridBenchmark, neighbour_lists
from tables import small_benchmark

SETTINGS = AveragesLearner(neighbours=6, alpha=6.0)
PARAMS = {"value": np.linspace(0, 1, 91, dtype=np.float32)}


@pytest.fixture(scope="module")
def benchmark() -> Any:
    return small_benchmark(4)


@pytest.fixture
def folder(tmp_path: Path, benchmark: Any) -> Path:
    facts = {
        "benchmark": benchmark.describe(),
        "shown": "",
        "step": 1,
        "lookups": 12,
        "distinct": 3,
        "validation": 0.9,
        "same_queries": 0.5,
    }
    Checkpoint(AGENT, SETTINGS, PARAMS, facts, np.array([1, 2, 3], np.int32)).save(tmp_path)
    return tmp_path


def test_checkpoints_come_back_and_say_what_they_were_trained_on(folder, benchmark):
    found = Checkpoint.load(folder)
    assert (found.agent, found.settings, len(found.sha256)) == (AGENT, SETTINGS, 64)
    np.testing.assert_array_equal(found.params["value"], PARAMS["value"])
    np.testing.assert_array_equal(found.seen, [1, 2, 3])
    label, config = parse(f"{AGENT}:{folder},patience=3")
    assert label == f"{AGENT}:{folder},patience=3"
    assert config.patience == 3 and config.sha256 == found.sha256
    said = config.pretraining
    assert said.pop("training") == {
        "settings": asdict(SETTINGS),
        "benchmark": benchmark.describe(),
        "shown": "",
    }
    assert said == {
        "lookups": 12, "distinct": 3, "same_queries": 0.5, "trained_on": "small (12 epochs, mean)",
        "checkpoint": str(folder),
    }  # fmt: skip
    assert DQN().pretraining is None
    np.testing.assert_array_equal(
        config.unseen(benchmark, np.array([[0, 1], [3, 4]])), [[True, False], [False, True]]
    )
    assert DQN().unseen(benchmark, np.array([0])) is None


def test_a_checkpoint_searches(folder, benchmark):
    """By its scores, the row's number here: always on to the best neighbour that is unknown."""
    search = parse(f"{AGENT}:{folder},neighbours=20")[1]
    lists = neighbour_lists(benchmark)
    for rows in np.asarray(run_seeds(search, benchmark, 12, seed_keys(0, 2)).arch):
        for t, (here, there) in enumerate(pairwise(rows), 1):
            unknown = lists[here] - {*rows[:t]}
            assert not unknown or there == max(unknown)


def test_a_checkpoint_is_read_once(folder, monkeypatch):
    """And is another one as soon as a byte of it is."""
    first = Checkpoint.load(folder)
    assert Checkpoint.load(folder) is first
    monkeypatch.setattr(checkpoint, "load", None)
    assert Checkpoint.load(folder) is first
    monkeypatch.undo()
    whole = first.sha256
    replace(first, params={"value": PARAMS["value"] + 1}).save(folder)
    assert Checkpoint.load(folder).sha256 != whole
    replace(first, settings=replace(SETTINGS, neighbours=7)).save(folder)
    assert Checkpoint.load(folder).sha256 != whole
    replace(first, facts=first.facts | {"lookups": 13}).save(folder)
    assert Checkpoint.load(folder).sha256 == whole and Checkpoint.load(folder) is not first


def test_a_checkpoint_that_changed_meanwhile_is_refused(folder, benchmark):
    """At every use: the run would be stored as that of the one that was asked for."""
    config = parse(f"{AGENT}:{folder}")[1]
    facts = Checkpoint.load(folder).facts
    Checkpoint(AGENT, SETTINGS, {"value": PARAMS["value"] * 2}, facts, None).save(folder)
    uses = (
        lambda: run_seeds(config, benchmark, 3, seed_keys(0, 2)),
        lambda: config.build(benchmark.space),
        lambda: config.pretraining,
        lambda: config.unseen(benchmark, np.array([0])),
        config.identity,
    )
    for use in uses:
        with pytest.raises(UserError, match=f"the checkpoint in {folder} is another one now"):
            use()


@pytest.mark.long
def test_trainings_share_a_program(folder, benchmark, tmp_path):
    """Their parameters are traced; what is another option, or another setting, is compiled."""

    def searches(*options):
        before = protocol._run_seeds._cache_size()
        for path in (folder, *others):
            word = ",".join([f"{AGENT}:{path}", *options])
            archs.append(np.asarray(run_seeds(parse(word)[1], benchmark, 8, seed_keys(0, 3)).arch))
        return protocol._run_seeds._cache_size() - before

    others = [tmp_path / name for name in "ab"]
    for i, path in enumerate(others):
        params = {"value": np.roll(PARAMS["value"], 30 * (i + 1))}
        Checkpoint(AGENT, SETTINGS, params, Checkpoint.load(folder).facts, None).save(path)
    archs = []
    assert searches() == 1
    assert len({x.tobytes() for x in archs}) == 3  # each with its own parameters all the same
    assert searches("patience=2") == 1
    alone = parse(f"{AGENT}:{others[0]}")[1].build(benchmark.space)
    one = run_search(alone, benchmark, 8, seed_keys(0, 3)[1])
    np.testing.assert_array_equal(archs[1][1], one.arch)


def test_a_run_is_named_by_what_the_checkpoint_is_not_where(folder, benchmark, tmp_path):
    shutil.copytree(folder, tmp_path / "copy", ignore=lambda *_: ["copy"])
    here, copy = (parse(f"{AGENT}:{path}")[1] for path in (folder, tmp_path / "copy"))
    assert here != copy and here.identity() == copy.identity()
    assert here.identity()["sha256"] == Checkpoint.load(folder).sha256
    assert replace(here, sha256="").identity() == here.identity()
    assert replace(here, patience=1).identity() != here.identity()
    words = [f"{AGENT}:{folder}", f"{AGENT}:{tmp_path / 'copy'}"]
    runs = [sweep.compare(benchmark, [w], budget=4, seeds=3, out=tmp_path / "runs") for w in words]
    assert runs[0][0].new and not runs[1][0].new
    assert [run[0].label for run in runs] == words
    with pytest.raises(UserError, match="are the same; give one of them"):
        sweep.compare(benchmark, words, budget=4, seeds=3, out=tmp_path / "runs")


def test_settings_within_settings_come_back():
    for settings in DQNLearner.presets().values():
        written = json.loads(json.dumps(asdict(settings)))
        assert settings_of(DQNLearner, written) == settings


@pytest.mark.parametrize("text", ["", "fine_tune=true"])
def test_what_cannot_learn_on_the_way_wants_a_checkpoint(folder, benchmark, text):
    word = f"{AGENT}:{folder},{text}" if text else AGENT
    with pytest.raises(UserError, match="does not learn during a search"):
        parse(word)[1].build(benchmark.space)


def test_missing_and_damaged_checkpoints_are_named(folder, tmp_path):
    with pytest.raises(UserError, match=f"no checkpoint in {tmp_path / 'nothing'}"):
        AveragesAgent.from_spec(str(tmp_path / "nothing"))
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UserError, match=r"are not those its checkpoint\.json speaks of"):
        AveragesAgent.from_spec(str(folder))
    (folder / FACTS).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        AveragesAgent.from_spec(str(folder))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "rlnas-dqn"}, "is 'rlnas-dqn' version 2, expected 'rlnas-checkpoint' version"),
        ({"version": 3}, "is 'rlnas-checkpoint' version 3, expected"),
        ({"format": None}, "is None version 2, expected"),
        ({"lookups": "many"}, "lookups is 'many', expected a whole number"),
        ({"benchmark": []}, "benchmark is [], expected an object"),
        ({"settings": {"steps": "3"}}, "steps is '3', expected int"),
        ({"agent": "somebody"}, "cannot be used here (unknown agent 'somebody'"),
        ({"agent": "evolution"}, "cannot be used here (evolution is not trained"),
        ({"settings": {"depth": 3}}, "unexpected keyword argument 'depth'"),
        ({"settings": {"steps": 0}}, "cannot be used here (found steps = 0"),
    ],
)
def test_old_and_foreign_checkpoints_are_refused_in_one_line(folder, changes, reason):
    facts = json.loads((folder / FACTS).read_text())
    (folder / FACTS).write_text(json.dumps(facts | changes))
    with pytest.raises(UserError, match="was edited or damaged: its digest is another"):
        AveragesAgent.from_spec(str(folder))
    write_json(folder / FACTS, facts | changes)
    with pytest.raises(UserError) as caught:
        AveragesAgent.from_spec(str(folder))
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_the_checkpoint_of_another_space_is_refused_in_one_line(benchmark, tmp_path):
    settings = DQNLearner(neighbours=4)
    params = settings.fresh(benchmark.space, jax.random.key(0)).params
    facts = {"benchmark": benchmark.describe(), "shown": "", "step": 1}
    facts |= {"lookups": 12, "distinct": 3, "validation": 0.9, "same_queries": 1.0}
    Checkpoint("dqn", settings, jax.tree.map(np.asarray, params), facts, None).save(tmp_path)
    config = parse(f"dqn:{tmp_path}")[1]
    run_seeds(config, benchmark, 2, seed_keys(0, 1))
    other = GridBenchmark()
    assert other.space.num_features != benchmark.space.num_features
    said = "encoded otherwise than this benchmark's, which have "
    with pytest.raises(UserError, match=f"{said}{other.space.num_features} features"):
        run_seeds(config, other, 2, seed_keys(0, 1))


def test_the_checkpoint_of_another_agent_is_refused(folder):
    with pytest.raises(UserError, match=f"is one of {AGENT}; expected {AGENT}:{folder}"):
        DQN.from_spec(str(folder))
