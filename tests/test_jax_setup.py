"""The same bytes, however JAX is set outside, or a refusal in one line."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.protocol import run_search, run_seeds, seed_keys
from rlnas.agents.spec import parse
from rlnas.agents.testing import GAPS, fingerprint
from rlnas.analysis import cli, store
from rlnas.bench import jax_setup
from rlnas.bench.compiled import UNFUSED
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import PINNED, configuration, pinned
from rlnas.bench.mdp import IncrementalMDP
from tables import small_benchmark

DEVICES = "--xla_force_host_platform_device_count=8"
ENVIRONMENTS = {
    "x64": {"JAX_ENABLE_X64": "1"},
    "rbg": {"JAX_DEFAULT_PRNG_IMPL": "rbg"},
    "not partitionable": {"JAX_THREEFRY_PARTITIONABLE": "0"},
    "8 devices": {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {DEVICES}"},
}
AGENTS = ("random_walk", "evolution")
LEARNS = "dqn:neighbours=4,updates=1"


def digest(tree: Any) -> str:
    content = hashlib.sha256()
    for leaf in map(np.asarray, jax.tree.leaves(tree)):
        content.update(f"{leaf.dtype}{leaf.shape}".encode() + leaf.tobytes())
    return content.hexdigest()


def direct(agent: str) -> str:
    """A search that is jitted here, by someone who makes his own keys."""
    config, benchmark = parse(agent)[1], GAPS()
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(jnp.arange(2))
    search = jax.vmap(lambda key: run_search(config.build(benchmark.space), benchmark, 9, key))
    return digest(jax.jit(search)(keys))


def environment() -> str:
    """A few steps in the MDP, of someone who makes his own keys, with drawn repeats."""
    mdp = IncrementalMDP(small_benchmark(4, noise="sample"), neighbours=5, horizon=2)
    key = jax.random.key(7)
    found = [jax.jit(mdp.reset)(key)]
    for _ in range(3):
        found.append(jax.jit(mdp.step)(key, found[-1][1], jnp.int32(0)))
    return digest(found)


def told(function: Any, *args: Any) -> str:
    try:
        return str(function(*args))
    except UserError as error:
        return f"refused: {error}"


def everything(learns: bool) -> dict[str, str]:
    """What must be the same, or refused, everywhere. learns: what learns in a search, too."""
    found = {f"run_seeds {agent}": fingerprint(agent) for agent in AGENTS}
    own = (*AGENTS, LEARNS) if learns else AGENTS
    found |= {f"run_search {agent}": told(direct, agent) for agent in own}
    return found | {
        "MDP": told(environment),
        "keys": digest(jax.random.key_data(seed_keys(3, 5))),
        "configuration": json.dumps(configuration()),
    }


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    return everything(learns=True)


@pytest.mark.long
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_same_bytes_or_a_refusal(name: str, here: dict[str, str]) -> None:
    learns = name != "8 devices"  # that is another compilation
    script = f"import json, test_jax_setup as t; print(json.dumps(t.everything({learns})))"
    env = os.environ | ENVIRONMENTS[name]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert learns == (there.keys() == here.keys())
    refused = {what for what, said in there.items() if said.startswith("refused: ")}
    for what in there.keys() - refused:
        assert there[what] == here[what], what
    own = {"MDP", *(what for what in there if what.startswith("run_search"))}
    assert refused == (own if name in ("rbg", "not partitionable") else set())
    assert not any("\n" in there[what] for what in refused)


@pytest.mark.long
def test_the_command_line_does_not_mind(tmp_path: Path) -> None:
    words = ["train", "averages:AveragesAgent", "--preset", "smoke", "--evaluation-seeds", "2"]
    words += ["--judging-seeds", "2"]
    assert cli.main([*words, "--out", str(tmp_path / "plain")]) == 0
    command = [sys.executable, "-m", cli.__name__, *words, "--out", str(tmp_path / "odd")]
    mixed = ENVIRONMENTS["x64"] | ENVIRONMENTS["rbg"] | ENVIRONMENTS["not partitionable"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | mixed)
    plain, odd = (sorted((tmp_path / name).rglob("*.safetensors")) for name in ("plain", "odd"))
    assert [x.parent.name for x in plain] == [x.parent.name for x in odd] and len(plain) == 1
    assert plain[0].read_bytes() == odd[0].read_bytes()


def test_a_process_is_pinned_before_jax_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    jax_setup.pin_process()
    assert os.environ["JAX_ENABLE_X64"] == "1"  # too late: JAX has read it
    for name in PINNED:
        monkeypatch.setenv(f"JAX_{name.upper()}", "something")
    monkeypatch.delitem(sys.modules, "jax")
    jax_setup.pin_process()
    assert os.environ["JAX_ENABLE_X64"] == "0"
    assert os.environ["JAX_DEFAULT_PRNG_IMPL"] == "threefry2x32"
    assert os.environ["JAX_THREEFRY_PARTITIONABLE"] == "1"


@pytest.fixture
def odd() -> Iterator[None]:
    """JAX set otherwise, in this process."""
    with jax.enable_x64(True), jax.default_prng_impl("rbg"), jax.threefry_partitionable(False):
        yield


@pytest.mark.usefixtures("odd")
def test_pinned_is_for_a_while() -> None:
    with pinned():
        assert jnp.arange(2).dtype == jnp.int32 and "fry" in str(jax.random.key(0).dtype)
    assert jnp.arange(2).dtype == jnp.int64 and "rbg" in str(jax.random.key(0).dtype)
    with pytest.raises(UserError, match="default_prng_impl = rbg"):
        run_seeds(parse("random_search")[1], GAPS(), 3, jax.random.split(jax.random.key(0)))


def test_what_decides_is_in_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.decided_by()
    assert before["jax"].items() > PINNED.items() and before["jax"]["platform"] == "cpu"
    with jax.enable_x64(True):
        assert store.decided_by() == before  # it is pinned, whatever is set outside
    plain = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", not plain)
    assert store.decided_by() != before  # sums may be taken in another order
    jax.config.update("jax_disable_most_optimizations", plain)
    flags = os.environ.get("XLA_FLAGS", "")
    other = flags.replace(UNFUSED, "") if UNFUSED in flags else f"{flags} {UNFUSED}"
    monkeypatch.setenv("XLA_FLAGS", other)
    assert store.decided_by() != before
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert store.decided_by() == before
    monkeypatch.setitem(PINNED, "enable_x64", True)
    assert store.decided_by() != before
