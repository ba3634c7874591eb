"""A training: which checkpoint is kept, what is counted, what is shown, and that it survives being
killed; all on one that takes a moment."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from averages import AGENT, AveragesLearner
from rlnas import agents
from rlnas.agents.checkpoint import FACTS, WEIGHTS, Checkpoint
from rlnas.agents.dqn import DQNLearner
from rlnas.agents.evaluate import evaluate
from rlnas.agents.learner import has_setting, presets
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.trained import Trained
from rlnas.analysis import store
from rlnas.analysis.report.command import Report
from rlnas.analysis.training import data, loop, text
from rlnas.analysis.training.command import Train
from rlnas.bench import code, progress
from rlnas.bench.connected import connectivity
from rlnas.bench.errors import UserError
from rlnas.bench.family import families, named
from rlnas.bench.nb101.benchmark import from_table
from tables import small_table

LEARNER = AveragesLearner(neighbours=5, horizon=4, steps=192, actors=8, spread=0.1)
QUERIES, SEEDS, JUDGES = (3, 6), 4, 8


def config(out: Path) -> Train:
    return Train(
        AGENT, learner=LEARNER, evaluate_every=48, evaluation_seeds=SEEDS,
        evaluation_queries=QUERIES, judging_seeds=JUDGES, shown=0.5, out=out,
    )  # fmt: skip


def test_all_programs_are_compiled_before_the_first_evaluation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are prepared, some beside others, are those that are called."""
    told: list[list[int]] = []

    class Counting:
        def start(self, folder: Path, settings: Any) -> None: ...

        def log(self, step: int, values: Any) -> None:
            names = ("run", "evaluate", "_run_seeds")
            told.append([caplog.text.count(f"compilation of jit({name})") for name in names])

        def finish(self) -> None:
            self.log(0, {})

    jax.clear_caches()
    monkeypatch.setattr(loop, "CHUNK", 4)
    with caplog.at_level(logging.DEBUG, "jax._src.dispatch"):
        loop.train(config(tmp_path), opposed(), [Counting()])
    # Evaluations see the part that is shown, judges the whole table.
    assert told[0][1:] == [2, 2] and told[0][0] > 0
    assert told == [told[0]] * 5


def test_calls_end_where_learning_starts_and_at_evaluations() -> None:
    assert list(loop.chunks(0, 50, 5, 20)) == [
        (5, False),
        (15, True),
        (16, True),
        (4, True),
        (10, True),
    ]
    assert list(loop.chunks(36, 50, 5, 20)) == [(4, True), (10, True)]
    assert list(loop.chunks(50, 50, 5, 20)) == []


def opposed() -> Any:
    """A table of 91 cells whose test accuracy falls where validation accuracy rises."""
    table = small_table(4)
    return from_table(replace(table, test=np.clip(1.5 - table.val, 0, 1)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loop.train(config(tmp_path_factory.mktemp("training")), opposed())


def part() -> Any:
    shown, _ = loop.shown_part(config(Path()), opposed())
    return shown


@pytest.mark.long
def test_the_best_by_validation_is_kept(trained):
    """Though test accuracy says the opposite."""
    _, rows = data.read(trained)
    val, reported = (
        [np.mean([row[f"{what}_{q}"] for q in QUERIES]) for row in rows]
        for what in ("val", "reported")
    )
    assert len(rows) == 4 and len(set(val)) > 1
    chosen = int(np.argmax(val))
    assert chosen != int(np.argmax(reported))
    saved = Checkpoint.load(trained)
    assert saved.facts["step"] == rows[chosen]["step"]
    assert saved.facts["validation"] == pytest.approx(val[chosen])
    judges = seed_keys(0, SEEDS, "evaluation")
    found, _ = evaluate(LEARNER, saved.params, part(), judges, QUERIES, False)
    for i, q in enumerate(QUERIES):
        assert float(found.val[i]) == rows[chosen][f"val_{q}"]


def test_every_look_up_is_counted(trained):
    _, rows = data.read(trained)
    for number, row in enumerate(rows, 1):
        steps = 6 * number
        of_actors = 8 * (1 + steps + steps // LEARNER.horizon)
        assert row["step"] == 8 * steps
        assert row["lookups"] == of_actors + number * SEEDS * QUERIES[-1]
    facts = Checkpoint.load(trained).facts
    (chosen,) = (row for row in rows if row["step"] == facts["step"])
    assert (facts["lookups_to_checkpoint"], facts["distinct"]) == (
        chosen["lookups"], chosen["distinct"]
    )  # fmt: skip
    assert facts["lookups"] == rows[-1]["lookups"] >= chosen["lookups"]


def test_only_what_is_shown_is_seen(trained):
    shown, whole = part(), opposed()
    manifest, rows = data.read(trained)
    saved = Checkpoint.load(trained)
    assert manifest["cells_shown"] == shown.space.size == round(0.5 * whole.space.size)
    assert saved.facts["shown"] == ", 50% of the cells"
    assert len(saved.seen) == saved.facts["distinct"]
    assert set(saved.seen) <= set(np.asarray(shown.space.rows).tolist())
    assert rows[-1]["distinct"] > 0.8 * shown.space.size


def test_a_region_may_be_shown_in_place_of_random_cells():
    whole = opposed()
    drawn, in_one = (replace(config(Path()), shown_region=x) for x in (False, True))
    (some, _), (region, said) = (loop.shown_part(c, whole) for c in (drawn, in_one))
    assert said == ", 50% of the cells in one region"
    assert region.space.size == some.space.size == round(0.5 * whole.space.size)
    assert connectivity(*map(np.asarray, (region.space.offsets, region.space.flat))).whole
    names = {
        store.hash_of(loop.identity_of(c, LEARNER, whole, part))
        for c, part in ((drawn, some), (in_one, region))
    }
    assert len(names) == 2
    other, _ = loop.shown_part(replace(in_one, shown_seed=1), whole)
    assert other.space.rows.tolist() != region.space.rows.tolist()


def test_a_region_is_refused_where_there_is_none_so_large():
    scattered = opposed().restrict(np.arange(0, 91, 7))
    with pytest.raises(UserError, match=r"largest connected part of small has .* with --shown-reg"):
        loop.shown_part(replace(config(Path()), shown=0.99, shown_region=True), scattered)


def test_the_summary_tells_the_checkpoint_beside_the_baselines(trained):
    manifest, rows = data.read(trained)
    said = text.summary(trained)
    facts = Checkpoint.load(trained).facts
    (line,) = (line.split() for line in said.splitlines() if line.startswith(f"{AGENT} "))
    judged = manifest["judged"][AGENT]
    numbers = [f"{100 * x:.2f}" for x in (*judged["val"], *judged["reported"])]
    assert line[1:] == [f"{facts['lookups']:,}", *numbers]
    assert f"{SEEDS * QUERIES[-1] * len(rows):,} of them in evaluations" in said
    assert f"at step {facts['step']}) {facts['lookups_to_checkpoint']:,}" in said
    assert f"rlnas compare --agents random_search {AGENT}:{trained}" in said
    history = run_seeds(RandomSearch(), opposed(), 6, seed_keys(0, JUDGES))
    best = np.maximum.accumulate(np.asarray(history.val), axis=1).mean(0)
    wanted = manifest["judged"]["random_search"]["val"]
    np.testing.assert_allclose(wanted, best[[2, 5]], rtol=1e-6)
    assert facts["same_queries"] == 1 and text.BLIND in said
    assert {path.name for path in trained.iterdir()} == {
        "config.json", "manifest.json", "curve.csv", "curve", FACTS, WEIGHTS
    }  # fmt: skip


def test_its_report_is_its_summary(trained, capsys):
    Report((trained,)).run()
    assert capsys.readouterr().out == f"{text.summary(trained)}\n"


def test_a_finished_training_is_left_as_it_is_and_told_as_such(trained, capsys):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert loop.train(config(trained.parent), opposed()) == trained
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before
    assert f"rlnas: {trained} is reused from 20" in capsys.readouterr().err


def test_another_code_is_another_training(monkeypatch):
    def name():
        return store.hash_of(loop.identity_of(config(Path()), LEARNER, opposed(), part()))

    before = name()
    assert name() == before
    for module in ("averages", "rlnas.agents.evaluate", "rlnas.analysis.training.loop"):
        read = code.source_of(module)
        monkeypatch.setitem(code._read, module, replace(read, digest="edited"))
        assert name() != before
        monkeypatch.setitem(code._read, module, read)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "devices_of", lambda learner: [None] * 8)
        assert name() != before
    assert name() == before
    monkeypatch.setattr(store, "configuration", lambda: {"x64": True})
    assert name() != before


KILLED = """
import os, signal, sys
from pathlib import Path
from rlnas.analysis.training import loop
from test_training import config, opposed

save = loop.save_state


def save_and_die(path, progress):
    save(path, progress)
    if len(progress.rows) == 2:
        os.kill(os.getpid(), signal.SIGKILL)


loop.save_state = save_and_die
loop.train(config(Path(sys.argv[1])), opposed())
"""


@pytest.mark.long
def test_training_goes_on_after_kill_9_to_the_same_bytes(trained, tmp_path, monkeypatch, capsys):
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run(words, capture_output=True, text=True, env=os.environ)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not list(tmp_path.glob("*/manifest.json"))
    monkeypatch.setattr(progress, "FIRST", 0.0)
    folder = loop.train(config(tmp_path), opposed())
    said = capsys.readouterr().err  # nor is it silent while it is judged
    assert "train: 100% " in said and "judge: 100% 1/1" in said
    assert folder.name == trained.name
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in trained.iterdir())
    assert (folder / WEIGHTS).read_bytes() == (trained / WEIGHTS).read_bytes()
    assert (folder / FACTS).read_bytes() == (trained / FACTS).read_bytes()
    curves = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in data.read(f)[1]]
        for f in (folder, trained)
    ]
    assert curves[0] == curves[1]


def test_the_state_of_another_program_is_refused(trained, tmp_path):
    state = jax.jit(LEARNER.init)(LEARNER.mdp(part()), jax.random.key(0))
    path = tmp_path / data.STATE
    data.save_state(path, data.Progress(state, [{"step": 1}], 0.5))
    again = data.load_state(path, state)
    assert (again.rows, again.best) == ([{"step": 1}], 0.5)
    pairs = zip(*(jax.tree.leaves(s._replace(key=())) for s in (state, again.state)), strict=True)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
    other = replace(LEARNER, actors=4)
    with pytest.raises(UserError, match="was written by another version"):
        data.load_state(path, jax.jit(other.init)(other.mdp(part()), jax.random.key(0)))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"state\.npz: damaged"):
        data.load_state(path, state)


def test_folders_that_are_no_training_are_refused(trained, tmp_path):
    with pytest.raises(UserError, match="is no finished training"):
        data.read(tmp_path)
    copy = shutil.copytree(trained, tmp_path / "copy")
    (copy / data.CURVE).unlink()  # is for other programs
    manifest, rows = data.read(copy)
    edited = manifest | {"curve": [rows[0] | {"val_3": 1.0}]}
    (copy / "manifest.json").write_text(json.dumps(edited))
    with pytest.raises(UserError, match="was edited or damaged"):
        data.read(copy)
    (copy / "manifest.json").write_text(json.dumps({"kind": "ablate"}))
    with pytest.raises(UserError, match="its kind is 'ablate'"):
        data.read(copy)


# Settings


def test_settings_are_the_presets_of_agent_and_benchmark_and_the_options_beside_them():
    own = DQNLearner.presets()
    made = Train.for_options(["--preset", "smoke"])
    assert made.learner == own["smoke"]
    assert made.agent == "dqn" and made.preset == "smoke"
    assert loop.settings_of(Train(preset="paper"), opposed()) == own["paper"]
    on_nb301 = Train.for_options(["dqn", "--benchmark=nb301-yahpo"])
    assert on_nb301.learner == replace(own["default"], neighbours=100)
    assert presets("dqn", named("nb301"))["paper"].network.width == 512
    with pytest.raises(UserError, match="has no preset 'huge'; expected one of default, grid"):
        loop.settings_of(Train(preset="huge"), opposed())
    with pytest.raises(UserError, match="evolution is not trained; expected one of dqn"):
        Train.for_options(["evolution"])
    with pytest.raises(UserError, match="the agent first"):
        loop.settings_of(Train(learner=RandomSearch()), opposed())


def test_what_a_family_changes_is_a_setting_of_some_learner():
    """A misspelt one would change nothing."""
    learners = [agents.config(name) for name in agents.names()]
    known = [c.learner.presets() for c in learners if issubclass(c, Trained)]
    for family in families().values():
        for preset, changes in family.learner_presets.items():
            for name in changes:
                assert any(preset in own and has_setting(own[preset], name) for own in known)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"shown": 0.0}, "--shown is 0.0"),
        ({"shown": 0.5, "shown_vertices": 4}, "both given"),
        ({"shown_region": True}, "--shown-region is given without --shown"),
        ({"evaluate_every": 0}, "--evaluate-every is 0"),
        ({"evaluation_seeds": 0}, "--evaluation-seeds is 0"),
        ({"judging_seeds": 0}, "--judging-seeds is 0"),
        ({"evaluation_queries": (20, 10)}, "--evaluation-queries is '20 10'"),
        ({"evaluation_queries": ()}, "--evaluation-queries is ''"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_options_out_of_their_range_are_refused(options, reason):
    with pytest.raises(UserError, match=reason):
        Train(**options).run()
