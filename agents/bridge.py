"""Searchers that know nothing of JAX as agents: optuna's samplers, and any Python object that asks
and is told."""

from __future__ import annotations

import dataclasses
import inspect
import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32, Key

from rlnas.agents import spec
from rlnas.agents.protocol import Agent, History, best_so_far, first_in
from rlnas.bench import workers
from rlnas.bench.arguments import shown
from rlnas.bench.benchmark import Benchmark, Constructive, Decisions, SearchSpace
from rlnas.bench.code import code_of
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned
from rlnas.bench.plugins import reason_of
from rlnas.bench.registry import attribute, is_target
from rlnas.bench.workers import Failure

LIBRARIES = {"optuna": "rlnas.agents.optuna_samplers:Sampler"}
"""What a library's name stands for; all are brought by the extra `bridges`."""
EXPECTED = "expected bridge:optuna:sampler=tpe, or bridge:MODULE:CLASS and its options"


@dataclass(frozen=True)
class Bridge:
    '''A searcher outside JAX: `bridge:optuna:sampler=tpe` (or gp, nsga2, random; needs
    `rlnas[bridges]`), or `bridge:MODULE:CLASS:option=value,...` of an importable module or a file
    in this folder.

    CLASS(problem, seed, **options) is called once a run. From then on its `ask()` gives a choice
    for each variable of an architecture, and `tell(choices, value)` hears the validation accuracy,
    None where there is no answer. All of it, in `mine.py`, is for example

        import random


        class Climb:
            """One choice of the best changed, now and then all of them."""

            def __init__(self, problem, seed, restart: float = 0.1):
                self.sizes, self.restart = problem.sizes, restart
                self.random, self.best, self.value = random.Random(seed), None, 0.0

            def ask(self):
                if self.best is None or self.random.random() < self.restart:
                    return [self.random.randrange(size) for size in self.sizes]
                choices, place = list(self.best), self.random.randrange(len(self.sizes))
                choices[place] = self.random.randrange(self.sizes[place])
                return choices

            def tell(self, choices, value):
                if value is not None and value > self.value:
                    self.best, self.value = choices, value

    and `rlnas compare --agents random_search bridge:mine:Climb:restart=0.2`. A generator function
    will do, too: `value = yield choices`. `problem` is a `Problem`: the variables, and which
    choices may follow others. A choice that may not is replaced by the next one that may (cyclic:
    0 follows the last); what is told are the choices that were looked up. Optuna's samplers hear
    the value of what they drew: one draw is always mapped to one architecture. All draws should
    come from `seed`. Nobody is told the budget, so a shorter run is the beginning of a longer one.

    Queries are counted and keyed as those of other agents; under a budget of seconds more are made
    than fit, and the rest is cut off. Seeds run one by one in worker
    processes; `workers=2` among the options says how many at once, `workers=0` stays in this one.
    From Python, `Bridge(Climb, (("restart", 0.2),))` does the same.
    '''

    target: str | Callable[..., Any] = field(metadata=spec.NO_OPTION)
    """`MODULE:CLASS`, the name of a library, or what these stand for."""

    options: tuple[tuple[str, Any], ...] = field(default=(), metadata=spec.NO_OPTION)
    """(name, value) of its options."""

    workers: int = os.cpu_count() or 1
    """Runs at once, each in a process of its own; 0: one after the other, in this process."""

    BEFORE_OPTIONS: ClassVar[str] = "MODULE:CLASS:"
    """What stands before them in a word."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise UserError(f"found workers={self.workers}; expected 0 or more")

    @classmethod
    def from_spec(cls, text: str) -> Bridge:
        """Of `optuna:options` or `module:Class:options`."""
        target, _, rest = text.partition(":")
        target = target.strip()
        if target in LIBRARIES:
            if find_spec(target) is None:
                raise UserError(
                    f"{target} is not installed; `pip install 'rlnas[bridges]'` to search with it"
                )
        else:
            name, _, rest = rest.partition(":")
            target = f"{target}:{name.strip()}"
            if not is_target(target):
                raise UserError(f"agent {f'bridge:{text}'!r} is of no object; {EXPECTED}")
        own = options_class(cls(target).factory, target)
        try:
            found = spec.options(own, rest)
        except UserError as error:
            raise UserError(f"agent {f'bridge:{text}'!r}: {error}") from None
        processes = {"workers": found.pop("workers")} if "workers" in found else {}
        return cls(target, tuple(found.items()), **processes)

    @property
    def factory(self) -> Callable[..., Any]:
        """Makes the searcher of a run."""
        found = self.target
        if isinstance(found, str):
            found = attribute(LIBRARIES.get(found, found))
        if not callable(found):
            raise UserError(f"{self.name} is {shown(found)}; expected a class or a function")
        return found

    @property
    def name(self) -> str:
        found = self.target
        return found if isinstance(found, str) else f"{found.__module__}:{found.__qualname__}"

    def identity(self) -> dict[str, Any]:
        """What decides its searches, JSON-ready: how many run at once does not."""
        made_of = code_of(self.factory)
        return {"target": self.name, "options": dict(self.options), "code": made_of}

    def build(self, space: SearchSpace) -> Agent:
        raise UserError(f"{self.name} searches outside JAX; `run_seeds` lets it")

    def search_outside(
        self,
        benchmark: Benchmark,
        budget: int,
        keys: Key[Array, " seeds"],
        done: Callable[[int, History], None],
    ) -> None:
        """As `Outside` says. `UserError` for the first run that fails."""
        if not isinstance(benchmark.space, Constructive):
            raise UserError(
                f"{benchmark.name} does not say how an architecture is built by choices"
            )
        data = list(np.asarray(jax.random.key_data(keys)))
        home = getattr(self.factory, "__module__", "")
        if not self.workers or home == "__main__":  # which a fresh process would not find
            for i, key in enumerate(data):
                done(i, self._finished(run(self, benchmark, budget, key)))
            return
        workers.run_all(
            partial(run_in_worker, self, benchmark, budget),
            data,
            min(self.workers, len(data)),
            on_message=lambda i, told: None,
            on_done=lambda i, found: done(i, self._finished(found)),
        )

    def _finished(self, found: History | Failure) -> History:
        if isinstance(found, Failure):
            raise UserError(f"{self.name}: {found.reason}")
        return found


def options_class(factory: Callable[..., Any], name: str) -> type:
    """The options of a factory, its parameters behind the first two, as a class of settings;
    `workers` is one of them."""
    try:
        parameters = list(inspect.signature(factory).parameters.values())[2:]
        hints = get_type_hints(factory.__init__ if isinstance(factory, type) else factory)  # type: ignore[misc]
    except (TypeError, ValueError, NameError) as error:
        raise UserError(f"the options of {name} cannot be read: {error}") from None
    fields: list[Any] = [("workers", int, Bridge.workers)]
    for parameter in parameters:
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            needed = parameter.default is parameter.empty
            guess = str if needed else type(parameter.default)
            default = field() if needed else field(default=parameter.default)
            fields.append((parameter.name, hints.get(parameter.name, guess), default))
    return dataclasses.make_dataclass("Options", fields, kw_only=True)


class Problem:
    """What a searcher outside JAX sees.

    sizes: [T], how many choices each variable has; choice c is a whole number, 0 <= c < size.
    kinds: [T], variables of one kind have choices of one meaning, e.g. operations. key: of the run,
    for who uses JAX; from `seed` for all others. space: what is searched; decisions: of it.
    """

    def __init__(self, space: Any, key: Key[Array, ""]) -> None:
        self.space, self.key = space, key
        self.decisions: Decisions = space.decisions
        self.sizes, self.kinds = self.decisions.sizes, self.decisions.kinds

    def allowed(self, choices: Sequence[int], t: int) -> list[int]:
        """The choices of variable t that may follow the first t of `choices`; the rest of them may
        be missing."""
        taken = np.zeros(len(self.sizes), np.int32)
        taken[:t] = choices[:t]
        return np.flatnonzero(_allowed(self.decisions, taken, np.int32(t))).tolist()


_allowed = jax.jit(lambda decisions, taken, t: decisions.allowed(taken, t))


def repaired(decisions: Decisions, taken: Int[Array, " T"]) -> Int32[Array, " T"]:
    """The same choices, but for each that may not follow those before it the next one that may."""

    def step(taken: Any, t: Any) -> tuple[Any, None]:
        mask: Bool[Array, " K"] = decisions.allowed(taken, t)
        onward = (taken[t] + jnp.arange(len(mask), dtype=jnp.int32)) % len(mask)
        return taken.at[t].set(onward[jnp.argmax(mask[onward])]), None

    steps = jnp.arange(len(decisions.sizes), dtype=jnp.int32)
    return jax.lax.scan(step, taken.astype(jnp.int32), steps)[0]


@jax.jit
def look_up(benchmark: Any, keys: Key[Array, " budget"], t: Any, taken: Any) -> Any:
    """The choices that are looked up, and what `History` says of query number t."""
    decisions = benchmark.space.decisions
    taken = repaired(decisions, taken)
    arch = decisions.build(taken)
    _, query_key = jax.random.split(keys[t])
    result = benchmark.query(arch, query_key)
    valid = result.valid & ~jnp.isnan(result.val)
    reported = benchmark.reported(arch)
    return taken, (arch, result.val, reported, result.sim_seconds, valid, result.objectives)


@pinned()
def run_in_worker(config: Bridge, benchmark: Any, budget: int, key: Any, tell: Any) -> Any:
    """`run` in a process of its own."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several may share a GPU
    return run(config, benchmark, budget, key)


def run(
    config: Bridge, benchmark: Benchmark, budget: int, key_data: np.ndarray
) -> History | Failure:
    """One run of exactly `budget` queries, with the keys of `run_search`: [budget] numpy arrays. A
    fault of the searcher is a `Failure`."""
    init_key, key = jax.random.split(jax.random.wrap_key_data(jnp.asarray(key_data)))
    keys = jax.random.split(key, budget)
    problem = Problem(benchmark.space, jax.random.wrap_key_data(jnp.asarray(key_data)))
    rows = []
    try:
        seed = int(jax.random.bits(init_key, dtype=jnp.uint32))
        searcher = asking(config.factory(problem, seed, **dict(config.options)))
        for t in range(budget):
            taken = checked(searcher.ask(), problem.sizes)
            taken, row = jax.device_get(look_up(benchmark, keys, np.int32(t), taken))
            searcher.tell(taken.tolist(), float(row[1]) if row[4] else None)
            rows.append(row)
    except UserError as error:
        return Failure(str(error))
    except Exception as error:  # whatever a user's object raises
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Failure(f"{reason_of(error)} ({Path(where.filename).name}, line {where.lineno})")
    columns: list[Any] = [np.stack(column) for column in zip(*rows, strict=True)]
    arch, val, reported, seconds, valid, objectives = columns
    new, best = jax.device_get(_summary(arch, val, valid))
    return History(arch, val, reported, seconds, valid, new, best, objectives)


_summary = jax.jit(lambda arch, val, valid: (first_in(arch), best_so_far(val, valid)))


def checked(choices: Any, sizes: Sequence[int]) -> Int32[np.ndarray, " T"]:
    """What was asked for, as an array; `UserError` for anything but choices."""
    try:
        found = np.asarray(choices)
    except ValueError:  # lists of different lengths
        found = np.empty(0)
    if found.shape != (len(sizes),) or found.dtype.kind not in "biu":
        raise UserError(f"asked for {shown(choices)}; expected {len(sizes)} whole numbers")
    if outside := np.flatnonzero((found < 0) | (found >= np.array(sizes))).tolist():
        at = outside[0]
        raise UserError(
            f"asked for choice {found[at]} of variable {at}; expected 0 to {sizes[at] - 1}"
        )
    return found.astype(np.int32)


def asking(searcher: Any) -> Any:
    """What a factory made, with `ask` and `tell`."""
    if inspect.isgenerator(searcher):
        return Generated(searcher)
    if not all(callable(getattr(searcher, name, None)) for name in ("ask", "tell")):
        raise UserError(f"made {shown(searcher)}; expected an object with ask() and tell()")
    return searcher


class Generated:
    """A generator that yields choices and is sent their value."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self.value: float | None = None

    def ask(self) -> Any:
        try:
            return self.generator.send(self.value)
        except StopIteration:
            raise UserError("it has ended; expected choices for as long as it is asked") from None

    def tell(self, choices: Any, value: float | None) -> None:
        self.value = value
