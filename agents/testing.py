"""The contract of an agent, as tests: for ours and for outside packages. pytest is not needed.

In a package of its own, a test file is

    from rlnas.agents.testing import AgentContract

    class TestGreedy(AgentContract):
        agent = "my_package:Greedy"

and `rlnas check my_package:Greedy` runs the same. Subclasses may add tests, or replace one with
its reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.protocol import Agent, AgentConfig, History, Outside, run_seeds, seed_keys
from rlnas.agents.spec import parse
from rlnas.bench.benchmark import Indexed
from rlnas.bench.docs import field_docs
from rlnas.bench.noise import MEAN
from rlnas.bench.stand_ins import GridBenchmark, islands, scrambled
from rlnas.bench.testing import need, need_equal, pinned_tests
from rlnas.bench.workers import in_fresh_python

BUDGET, SEEDS = 40, 6
FULL = partial(scrambled, 120, 6)  # one shape, so one program, for these four
GAPS = partial(scrambled, 120, 6, missing=0.3)
NOTHING = partial(scrambled, 120, 6, missing=1.0)
ISLANDS = partial(islands, 120, 6)
Open = Callable[[], Any]


@pinned_tests
class AgentContract:
    """What every agent promises."""

    agent: str = ""
    """A word of `--agents`, or `module:Class` (`module:Class:option=value`)."""
    benchmarks: ClassVar[Mapping[str, Open]] = {
        "rows": FULL,
        "rows with gaps": GAPS,
        "rows without an answer": NOTHING,
        "vectors": GridBenchmark,
    }
    """On what the histories are checked: name -> a function that opens it."""
    new_on_islands: ClassVar[float] = 0.25
    """The share of queries that at least ask for something new where nothing hangs together."""

    def test_settings(self) -> None:
        """Its settings are a frozen, hashable dataclass with a docstring for every field."""
        config = configured(self.agent)
        settings: Any = type(config)
        name = settings.__name__
        need(isinstance(config, AgentConfig), f"{name} has no method build(space)")
        need(dataclasses.is_dataclass(settings), f"{name} is no dataclass")
        frozen = settings.__dataclass_params__.frozen
        need(frozen, f"{name} is not frozen; expected @dataclass(frozen=True)")
        same = parse(self.agent)[1]
        need(config == same and hash(config) == hash(same), f"two equal {name} are not equal")
        own = (settings.__doc__ or "").strip()
        need(own and not own.startswith(f"{name}("), f"{name} has no docstring")
        docs = field_docs(settings)
        missing = [
            option.name for option in dataclasses.fields(settings) if option.name not in docs
        ]
        need(not missing, f"no docstring below the field {', '.join(missing)}")

    def test_history(self) -> None:
        """It makes the budget's queries exactly, inside the space, and the best is kept."""
        for name, load in self.benchmarks.items():
            check_history(run(self.agent, load), opened(load), name)

    def test_loop(self) -> None:
        """A search is the same alone, in a plain loop of ask, look up, tell, as beside others."""
        there, together, keys = opened(GAPS), run(self.agent, GAPS), seed_keys(0, SEEDS)
        if isinstance(configured(self.agent), Outside):  # such a loop is all there is
            alone = run_seeds(configured(self.agent), there, BUDGET, keys[1:2])._asdict()
            alone = {column: values[0] for column, values in alone.items()}
        else:
            agent = configured(self.agent).build(there.space)
            alone = python_search(agent, there, BUDGET, keys[1])
        for column in History._fields:
            need_equal(getattr(together, column)[1], np.stack(alone[column]), column)

    def test_trace(self) -> None:
        """New keys and new accuracies are no new trace."""
        runs = run(self.agent, GAPS), run(self.agent, FULL), run(self.agent, FULL, seed=1)
        config = counted(self.agent)
        builds = len(config.builds) if isinstance(config, Counted) else 1
        need(builds == 1, f"it was built {builds} times, expected once")
        need(not np.array_equal(runs[1].arch, runs[2].arch), "other keys gave the same search")

    def test_seeds(self) -> None:
        """Searches with different keys differ."""
        archs = run(self.agent, FULL).arch
        different = len({row.tobytes() for row in archs})
        need(different == SEEDS, f"{SEEDS} keys gave {different} different searches")

    def test_process(self) -> None:
        """A search is the same to the last byte in another process."""
        here, there = fingerprint(self.agent), fingerprints_elsewhere([self.agent])[self.agent]
        need(here == there, "another process gave another search")

    def test_missing(self) -> None:
        """Answers without a value do no harm: the search goes on and keeps what has one."""
        some, nothing = run(self.agent, GAPS), run(self.agent, NOTHING)
        need(not some.valid.all(), "it never met an architecture without an answer")
        need(some.valid.any(axis=1).all(), "a search has no answer at all")
        need((some.incumbent[:, -1] >= 0).all(), "a search has no best")
        need(np.isnan(some.val[~some.valid]).all(), "val is a number where there is no answer")
        late = some.is_new[:, BUDGET // 2 :].sum(axis=1).mean()
        need(late > 1, f"{late:.1f} new architectures in the last {BUDGET // 2} queries")
        need((nothing.incumbent == -1).all(), "a best where nothing was answered")
        new = nothing.is_new.sum(axis=1).min()
        need(new > 2, f"{new} different architectures where nothing was answered")

    def test_islands(self) -> None:
        """On a table that falls into single architectures and pairs, it does not stay in one."""
        new = run(self.agent, ISLANDS).is_new.mean()
        need(
            new >= self.new_on_islands,
            f"{new:.0%} of its queries asked for something new where architectures have one "
            f"neighbour or none; expected {self.new_on_islands:.0%} (a fresh start where nothing "
            "is left)",
        )

    def test_blind(self) -> None:
        """It never looks at the test accuracy."""
        other = replace(opened(FULL), test=opened(FULL).test[::-1])
        keys = seed_keys(0, SEEDS)
        history = run_seeds(counted(self.agent), other, BUDGET, keys)
        need_equal(
            history.arch, run(self.agent, FULL).arch, "architectures under other test values"
        )


def check_history(history: Any, there: Any, name: str) -> None:
    """That a `History` [SEEDS, BUDGET] is one of `there`, and that its incumbents are the best."""
    for column, values in zip(History._fields, history, strict=True):
        need_equal(values.shape[:2], (SEEDS, BUDGET), f"{name}: seeds and queries of {column}")
    inside, values = (x.reshape(SEEDS, BUDGET) for x in looked_up(there, history.arch))
    need(inside.all(), f"{name}: {(~inside).sum()} queries are outside the space")
    # Under `sample`, what was recorded is another draw: only that there is an answer is known.
    need_equal(history.valid, ~np.isnan(values), f"{name}: whether the benchmark has an answer")
    if there.noise == MEAN:
        # A surrogate's sums may be taken in another order in a batch of another shape.
        need_equal(history.val, values, f"{name}: val", rtol=1e-6)
    rising = np.maximum.accumulate(np.where(history.valid, history.val, -np.inf), axis=1)
    has_best = history.incumbent >= 0
    best = np.take_along_axis(history.val, history.incumbent.clip(0), 1)
    need_equal(np.where(has_best, best, -np.inf), rising, f"{name}: best so far")
    need((np.diff(history.incumbent, axis=1) >= 0).all(), f"{name}: an incumbent goes back")
    need((history.incumbent <= np.arange(BUDGET)).all(), f"{name}: an incumbent of the future")


def looked_up(there: Any, archs: Any) -> tuple[np.ndarray, np.ndarray]:
    """[seeds * budget] each: whether an architecture is in the space, and its validation accuracy.

    A space whose architectures have no numbers is asked for an answer instead."""

    @jax.jit
    @partial(jax.vmap, in_axes=(None, 0))
    def ask(there: Any, arch: Any) -> Any:
        result = there.query(arch, jax.random.key(0))
        space = there.space
        return space.index(arch) >= 0 if isinstance(space, Indexed) else result.valid, result.val

    inside, values = ask(there, jnp.asarray(archs).reshape(-1, *archs.shape[2:]))
    return np.asarray(inside), np.asarray(values)


def python_search(
    agent: Agent, benchmark: Any, budget: int, key: jax.Array
) -> dict[str, list[np.ndarray]]:
    """`run_search` as one would write it without JAX: a loop, a set, an if. The columns of
    `History`."""
    init_key, key = jax.random.split(key)
    ask, tell, query = jax.jit(agent.ask), jax.jit(agent.tell), jax.jit(benchmark.query)
    state = agent.init(init_key)
    history: dict[str, list[np.ndarray]] = {name: [] for name in History._fields}
    seen: set[str] = set()
    best, incumbent = -np.inf, -1
    for t, step_key in enumerate(jax.random.split(key, budget)):
        ask_key, query_key = jax.random.split(step_key)
        arch, state = ask(ask_key, state)
        result = query(arch, query_key)
        valid = bool(result.valid) and not np.isnan(result.val)
        if valid and result.val > best:
            best, incumbent = float(result.val), t
        text = benchmark.space.format(arch)
        reported, new = benchmark.reported(arch), text not in seen
        row = (arch, result.val, reported, result.sim_seconds, valid, new, incumbent,
               result.objectives)  # fmt: skip
        for name, value in zip(History._fields, row, strict=True):
            history[name].append(np.asarray(value))
        seen.add(text)
        state = tell(state, arch, result._replace(valid=jnp.array(valid)))
    return history


@cache
def configured(agent: str) -> AgentConfig:
    return parse(agent)[1]


@cache
def opened(load: Open) -> Any:
    return load()


@dataclass(frozen=True)
class Counted:
    """Settings that count how often an agent is built, which happens once a trace."""

    config: AgentConfig
    builds: list[str] = field(default_factory=list, compare=False)

    def build(self, space: Any) -> Agent:
        self.builds.append("built")
        return self.config.build(space)


@cache
def counted(agent: str) -> Any:
    """Settings for what has the shapes of `FULL`; as they are where nothing is built."""
    config = configured(agent)
    return config if isinstance(config, Outside) else Counted(config)


@cache
def run(agent: str, load: Open, seed: int = 0) -> History:
    """[SEEDS, BUDGET] as numpy."""
    config = counted(agent) if load in (FULL, GAPS, NOTHING, ISLANDS) else configured(agent)
    history = run_seeds(config, opened(load), BUDGET, seed_keys(seed, SEEDS))
    return jax.tree.map(np.asarray, history)


def fingerprint(agent: str) -> str:
    """sha256 of all that a run leaves behind."""
    content = hashlib.sha256()
    for column in run(agent, GAPS):
        content.update(f"{column.dtype}{column.shape}".encode() + column.tobytes())
    return content.hexdigest()


def fingerprints_elsewhere(agents: Iterable[str], **environment: str) -> dict[str, str]:
    """agent -> `fingerprint`, found by another process with other hashes of texts, in another
    environment."""
    script = (
        "import json, sys\nfrom rlnas.agents.testing import fingerprint\n"
        "print(json.dumps({agent: fingerprint(agent) for agent in sys.argv[1:]}))"
    )
    env = os.environ | {"PYTHONHASHSEED": "123", "PYTHONPATH": os.pathsep.join(sys.path)}
    env |= environment
    done = in_fresh_python(script, *agents, env=env)
    need(done.returncode == 0, f"another process failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])
