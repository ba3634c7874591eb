"""The agent as a searcher, its checkpoints, and training that survives being killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents import dqn
from rlnas.agents.checkpoint import FACTS, WEIGHTS, Checkpoint
from rlnas.agents.dqn_search import DQN, searcher
from rlnas.agents.protocol import run_search, run_seeds, seed_keys
from rlnas.bench.errors import UserError
from tables import small_benchmark
from test_dqn import CONFIG


@pytest.fixture(scope="module")
def benchmark():
    return small_benchmark(4)


@pytest.fixture(scope="module")
def params(benchmark):
    return dqn.new_learner(CONFIG, benchmark.space, jax.random.key(5)).params


@pytest.fixture
def folder(tmp_path, benchmark, params):
    facts = {
        "benchmark": benchmark.describe(),
        "shown": "",
        "step": 1,
        "lookups": 12,
        "distinct": 3,
        "validation": 0.9,
    }
    Checkpoint(CONFIG, params, facts, np.array([1, 2, 3], np.int32)).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("neighbours", [3, 6, 40])
def test_no_known_architecture_is_asked_while_an_unknown_neighbour_is_left(
    benchmark, params, neighbours
):
    """Also when fewer neighbours are shown than there are, or more."""
    agent = searcher(replace(CONFIG, neighbours=neighbours), benchmark.space, params)
    history = jax.vmap(lambda key: run_search(agent, benchmark, 80, key))(seed_keys(0, 4))
    offsets, flat = np.asarray(benchmark.space.offsets), np.asarray(benchmark.space.flat)
    for walk in np.asarray(history.arch):
        asked = {int(walk[0])}
        for here, there in pairwise(walk):
            unknown = set(flat[offsets[here] : offsets[here + 1]].tolist()) - asked
            if unknown:
                assert int(there) in unknown
            asked.add(int(there))


def test_it_moves_to_the_neighbour_of_the_highest_value(benchmark, params):
    agent = searcher(
        replace(CONFIG, neighbours=benchmark.space.max_degree), benchmark.space, params
    )
    state = agent.init(jax.random.key(0))
    first, state = agent.ask(jax.random.key(1), state)
    state = agent.tell(state, first, benchmark.query(first, jax.random.key(2)))
    second, state = agent.ask(jax.random.key(3), state)
    q = dqn.q_values(CONFIG, benchmark.space, params, state.view)
    assert int(second) == int(state.view.archs[1 + int(jnp.argmax(q))])


def test_patience_starts_the_walk_afresh(benchmark, params):
    agent = searcher(CONFIG, benchmark.space, params, patience=1)
    history = run_search(agent, benchmark, 60, jax.random.key(0))
    space = benchmark.space
    steps = pairwise(np.asarray(history.arch))
    jumps = [
        int(b) not in np.asarray(space.flat[space.offsets[a] : space.offsets[a + 1]])
        for a, b in steps
    ]
    assert sum(jumps) > 20


def test_checkpoints_come_back_and_say_what_they_were_trained_on(folder, params, benchmark):
    found = Checkpoint.load(folder)
    assert found.config == CONFIG and len(found.sha256) == 64
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, found.params, jax.device_get(params))))
    np.testing.assert_array_equal(found.seen, [1, 2, 3])
    config = DQN.from_spec(f"{folder},patience=3")
    assert config.patience == 3 and config.sha256 == found.sha256
    assert config.pretraining == {
        "lookups": 12,
        "distinct": 3,
        "trained_on": "small (12 epochs, mean)",
    }
    assert DQN().pretraining is None
    history = run_seeds(config, benchmark, 20, seed_keys(0, 2))
    assert history.val.shape == (2, 20)
    np.testing.assert_array_equal(
        config.unseen(benchmark, np.array([[0, 1], [3, 4]])), [[True, False], [False, True]]
    )


@pytest.mark.parametrize("text", ["fine_tune=true", "fine_tune=true,updates=2,epsilon=0.1"])
def test_a_checkpoint_can_be_fine_tuned(folder, benchmark, text):
    history = run_seeds(DQN.from_spec(f"{folder},{text}"), benchmark, 12, seed_keys(0, 2))
    assert np.isfinite(history.val).all()


def test_missing_and_damaged_checkpoints_are_named(folder, tmp_path):
    with pytest.raises(UserError, match=f"no checkpoint in {tmp_path / 'nothing'}"):
        DQN.from_spec(str(tmp_path / "nothing"))
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UserError, match=r"are not those its checkpoint\.json speaks of"):
        DQN.from_spec(str(folder))
    (folder / FACTS).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        DQN.from_spec(str(folder))


@pytest.mark.parametrize("text", ["x,patience=no", "epsilon=2", "checkpoint=x", "updates=-1"])
def test_bad_options_are_refused(text):
    with pytest.raises(UserError):
        DQN.from_spec(text)


SMOKE = [
    "--preset",
    "smoke",
    "--steps",
    "3072",
    "--evaluate-every",
    "512",
    "--evaluation-seeds",
    "8",
    "--neighbours",
    "5",
]


def train(out, **kwargs):
    command = [sys.executable, "-m", "rlnas.analysis.cli", "train", *SMOKE, "--out", str(out)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | kwargs
    )


def test_training_goes_on_after_kill_9_to_the_same_bytes(tmp_path):
    whole = train(tmp_path / "whole")
    cut = train(tmp_path / "cut")
    deadline = time.monotonic() + 300
    while not list((tmp_path / "cut").glob("train-*/state.npz")):
        assert cut.poll() is None and time.monotonic() < deadline, (
            "no state was saved before the training ended"
        )
        time.sleep(0.02)
    cut.send_signal(signal.SIGKILL)
    cut.communicate()
    assert not list((tmp_path / "cut").glob("train-*/manifest.json")), (
        "it ended before it could be killed"
    )
    again = train(tmp_path / "cut")
    out, _ = whole.communicate()
    assert whole.returncode == 0 and again.communicate()[0] and again.returncode == 0
    assert "look-ups of" in out
    (a,), (b,) = ((tmp_path / name).glob("train-*") for name in ("whole", "cut"))
    assert (a / WEIGHTS).read_bytes() == (b / WEIGHTS).read_bytes()
    curves = [
        [line.split(",") for line in (f / "curve.csv").read_text().splitlines()] for f in (a, b)
    ]
    seconds = curves[0][0].index("seconds")
    assert [[x for i, x in enumerate(line) if i != seconds] for line in curves[0]] == [
        [x for i, x in enumerate(line) if i != seconds] for line in curves[1]
    ]
    assert (
        json.loads((a / FACTS).read_text())["lookups"]
        == json.loads((b / FACTS).read_text())["lookups"]
    )
    assert sorted(p.name for p in a.iterdir()) == sorted(p.name for p in b.iterdir())
    shutil.rmtree(tmp_path)
