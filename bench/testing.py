"""The contract of a benchmark, as tests: for ours and for outside packages. pytest is not needed.

In a package of its own, a test file is

    from rlnas.bench.testing import BenchmarkContract
    from my_package import load

    class TestMine(BenchmarkContract):
        @staticmethod
        def load(noise):
            return load("mine", noise=noise)

and `rlnas check mine` runs the same. Subclasses may add tests, or replace one with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.bench.benchmark import Bounded, Constructive, Indexed, Part, Restrictable
from rlnas.bench.check import check_benchmark
from rlnas.bench.decisions import uniform
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned
from rlnas.bench.mdp import IncrementalMDP

MANY = 64
"""Architectures that are looked at."""
MOST_NEIGHBOURS = 256
"""Neighbourhoods up to this size are drawn whole."""


class BrokenPromise(AssertionError):
    """One line: what was found, what was expected."""


def need(kept: Any, found: str) -> None:
    """Raise `BrokenPromise` unless `kept`; unlike `assert`, also under `python -O`."""
    if not bool(kept):
        raise BrokenPromise(found)


def need_equal(found: Any, expected: Any, what: str, rtol: float = 0.0) -> None:
    """`BrokenPromise` unless two arrays are equal, NaN to NaN, up to a relative difference."""
    found, expected = np.asarray(found), np.asarray(expected)
    need(found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}")
    if found.dtype.kind == "f":
        same = np.isclose(found, expected, rtol=rtol, atol=rtol, equal_nan=True)
    else:
        same = found == expected
    if not same.all():
        place = tuple(int(i) for i in np.argwhere(~same)[0])
        need(
            False,
            f"{what}: {(~same).sum()} of {same.size} differ, at {list(place)} found "
            f"{found[place]}, expected {expected[place]}",
        )


def run_checks(contract: Any) -> Iterator[tuple[str, str]]:
    """(what a test of `contract` says, "" or the reason why it fails), one after the other."""
    for name in dir(contract):
        if name.startswith("test_"):
            check = getattr(contract, name)
            said = " ".join((check.__doc__ or name).split()).split(". ")[0].removesuffix(".")
            try:
                check()
            except AssertionError as error:
                yield said, str(error) or "refused"
            except Exception as error:  # whatever an outside package raises
                yield said, f"{type(error).__name__}: {error}"
            else:
                yield said, ""


def pinned_tests(contract: type) -> type:
    """Its tests run as JAX is set while rlnas computes (`rlnas.bench.pinned`)."""
    for name in [name for name in vars(contract) if name.startswith("test_")]:
        setattr(contract, name, pinned()(getattr(contract, name)))
    return contract


@pinned_tests
class BenchmarkContract:
    """What every benchmark promises, alone and inside the MDP. `load(noise)` opens it."""

    @staticmethod
    def load(noise: str) -> Any:
        """The benchmark under the noise policy `mean` or `sample`; `UserError` where it has no
        such."""
        raise NotImplementedError("give the contract a `load(noise)` that returns the benchmark")

    def test_declares(self) -> None:
        """It has every member, is a pytree of arrays, and its answers have the promised shapes."""
        there = opened(self.load)
        check_benchmark(there)
        leaves, structure = jax.tree.flatten(there)
        need(jax.tree.unflatten(structure, leaves).name == there.name, "its name is lost in jit")
        json.dumps(there.describe(), allow_nan=False)

    def test_accuracies(self) -> None:
        """Accuracies are fractions, seconds are positive, what has no answer is NaN."""
        found = query_all(self.load, "mean", 0)
        need(found.valid.any(), f"none of {MANY} drawn architectures has an answer")
        need_equal(found.valid, ~np.isnan(found.val), "`valid` against val that is not NaN")
        for name in ("val", "test"):
            values = getattr(found, name)[found.valid]
            values = values[~np.isnan(values)]
            need(
                ((values >= 0) & (values <= 1)).all(),
                f"{name} is from {values.min(initial=0)} to {values.max(initial=1)}, expected "
                "fractions from 0 to 1",
            )
        seconds = found.sim_seconds[found.valid]
        need((seconds > 0).all(), f"sim_seconds is {seconds.min(initial=0)}, expected above 0")

    def test_reported(self) -> None:
        """What is reported is the noiseless test accuracy, or declared to be another measure."""
        there, found = opened(self.load), query_all(self.load, "mean", 0)
        reported = np.asarray(jax.jit(jax.vmap(there.reported))(archs(self.load)))
        if there.reports.startswith("validation"):
            need_equal(reported, found.val, "reported against val", 1e-6)
            need(np.isnan(found.test).all(), "`reports` says validation, but test is not NaN")
        else:
            need_equal(reported, found.test, "reported against test", 1e-6)
        optimum = float(there.optimum)
        best = np.nanmax(reported)
        need(np.isnan(optimum) or best <= optimum, f"reported {best} is above optimum {optimum}")

    def test_noise(self) -> None:
        """Sampled noise comes from the key alone and is around the mean."""
        try:
            opened(self.load, "sample")
        except UserError:
            return  # it has one answer only
        a, again, b = (query_all(self.load, "sample", seed).val for seed in (1, 1, 2))
        need_equal(a, again, "val, twice with the same keys")
        error = a - query_all(self.load, "mean", 0).val
        error = error[~np.isnan(error)]
        if (error != 0).any():
            need((a != b).any(), "other keys gave the same noise")
            spread = 5 * error.std() / len(error) ** 0.5
            need(abs(error.mean()) <= spread + 1e-6, f"samples are {error.mean()} off the mean")

    def test_outside(self) -> None:
        """What is not in the space has no answer."""
        there = opened(self.load)
        outside = jnp.full_like(archs(self.load)[0], -1)
        found = jax.jit(there.query)(outside, jax.random.key(0))
        need(not found.valid and np.isnan(found.val), f"it answered {found}")
        need(np.isnan(there.reported(outside)), "`reported` is not NaN")

    def test_batch(self) -> None:
        """A batch of questions equals single ones."""
        there, together = opened(self.load), query_all(self.load, "mean", 0)
        for i in range(3):
            alone = jax.jit(there.query)(archs(self.load)[i], jax.random.key(9))
            need_equal(alone.val, together.val[i], "val alone against in a batch", 1e-5)

    def test_text(self) -> None:
        """The text of an architecture is read back as the same one."""
        space = opened(self.load).space
        for arch in archs(self.load)[:5]:
            need_equal(space.parse(space.format(arch)), arch, f"parse({space.format(arch)!r})")

    def test_neighbours(self) -> None:
        """Neighbours are distinct, others, as many as `degree` says, and told apart by `encode`."""
        space = opened(self.load).space
        few, every = min(12, space.max_degree), min(MOST_NEIGHBOURS, space.max_degree)
        draw = jax.jit(space.neighbours, static_argnums=2)
        listed = jax.jit(jax.vmap(space.neighbour, (None, 0)))
        for i, arch in enumerate(archs(self.load)[:4]):
            degree = int(space.degree(arch))
            need(degree <= space.max_degree, f"degree {degree} is above {space.max_degree}")
            near, mask = jax.tree.map(np.asarray, draw(jax.random.key(i), arch, few))
            need_equal(mask.sum(), min(few, degree), "neighbours, against degree")
            need_equal(near[~mask], np.broadcast_to(arch, near[~mask].shape), "masked places")
            several = np.concatenate([arch[None], near[mask]])
            need(distinct(several) == len(several), "a neighbour comes twice, or is itself")
            codes = np.asarray(jax.vmap(space.encode)(jnp.asarray(several)))
            need(codes.dtype == np.int8, f"encode gives {codes.dtype}, expected int8")
            need(
                distinct(codes) == len(codes),
                f"{len(codes)} architectures have {distinct(codes)} encodings",
            )
            if degree <= every:
                near, mask = jax.tree.map(np.asarray, draw(jax.random.key(i), arch, every))
                numbered = np.asarray(listed(arch, jnp.arange(every)))[:degree]
                need(
                    {x.tobytes() for x in near[mask]} == {x.tobytes() for x in numbered},
                    "`neighbours` draws others than `neighbour` numbers",
                )

    def test_contains(self) -> None:
        """Where a space tells what it contains: all that it draws, and nothing far away."""
        space = opened(self.load).space
        size = space.size
        if isinstance(space, Bounded):
            contains = jax.jit(space.contains)
            need(all(map(contains, archs(self.load))), "what was drawn is said to be outside")
            for far in (-2, 127):
                outside = jnp.full_like(archs(self.load)[0], far)
                if outside.ndim or far < 0 or far >= size:
                    need(not contains(outside), f"{far} everywhere is said to be an architecture")

    def test_numbers(self) -> None:
        """Where architectures have numbers: one each, back and forth, -1 outside the space."""
        space = opened(self.load).space
        if isinstance(space, Indexed):
            index = jax.jit(space.index)
            for arch in archs(self.load)[:5]:
                number = index(arch)
                need(0 <= number < space.size, f"number {number} of {space.size}")
                need_equal(space.at(number), arch, f"architecture number {number}")
            outside = index(jnp.full_like(archs(self.load)[0], -1))
            need(outside == -1, f"what is not in the space has number {outside}, expected -1")

    def test_decisions(self) -> None:
        """Where architectures are built by choices: any allowed ones are one, and all are built."""
        space = opened(self.load).space
        if not isinstance(space, Constructive):
            return
        there = space.decisions
        need(
            len(there.kinds) == len(there.sizes),
            f"{len(there.kinds)} kinds of {len(there.sizes)} steps",
        )
        found = decided(self.load)
        need((found.drawn < np.array(there.sizes)).all(), "a choice is above its `sizes`")
        need(distinct(found.built) > 1, f"{MANY} drawn sequences build one architecture")
        need_equal(found.rebuilt, archs(self.load), "architectures, built of their `sequence`")
        need(found.allowed.all(), "a choice of a `sequence` is not allowed")
        lowest, highest = found.states.min(), found.states.max()
        need(
            lowest >= 0 and highest < there.num_states,
            f"states from {lowest} to {highest}, expected from 0 and below {there.num_states}",
        )
        if not (isinstance(space, Part) and space.size < space.whole):
            need(found.inside.all(), "allowed choices build what is not in the space")
        need(not (found.valid & ~found.inside).any(), "what is not in the space has an answer")

    def test_part(self) -> None:
        """Where it can be cut down to a part: the same answers, the best of the part as optimum."""
        if not isinstance(opened(self.load), Restrictable):
            return
        there = opened(self.load)
        numbers = np.asarray(jax.jit(jax.vmap(there.space.index))(archs(self.load)))
        places = np.unique(numbers)[:20]
        part = there.restrict(places)
        check_benchmark(part)
        need(part.space.size == len(places), f"a part of {len(places)} has {part.space.size}")
        mine = jax.vmap(part.space.at)(jnp.arange(len(places)))
        theirs = jax.vmap(there.space.at)(jnp.asarray(places))
        reported = np.asarray(jax.vmap(part.reported)(mine))
        need_equal(reported, jax.vmap(there.reported)(theirs), "reported of the part", 1e-6)
        if not np.isnan(float(there.optimum)):
            need_equal(part.optimum, np.nanmax(reported), "optimum of the part", 1e-6)

    def test_mdp(self) -> None:
        """The incremental MDP runs on it, and its reward is the difference of shaped accuracies."""
        mdp = IncrementalMDP(opened(self.load), neighbours=9, horizon=4)
        step = jax.jit(mdp.step)
        observation, state = jax.jit(mdp.reset)(jax.random.key(0))
        shape = (10, opened(self.load).space.num_features)
        need(observation.encoding.shape == shape, f"encoding {observation.encoding.shape}, {shape}")
        for i in range(6):
            before = state
            _, state, reward, terminated, truncated, info = step(jax.random.key(i), state, 0)
            need_equal(info.arch, before.archs[1], "architecture after action 0")
            expected = mdp.shaping(info.val) - mdp.shaping(before.val)
            need_equal(reward, expected, "reward", 1e-4)
            ends = int(before.t) == 3 or not before.mask[1:].any()
            need(bool(truncated) == ends and not bool(terminated), f"wrong end, step {i}")
            need(bool(info.moved) == bool(before.mask[1]), f"wrong `moved`, step {i}")


@cache
def opened(load: Callable[..., Any], noise: str = "mean") -> Any:
    return load(noise=noise)


@cache
def archs(load: Callable[..., Any]) -> Any:
    """[MANY, *arch_shape], drawn from the space."""
    sample = jax.vmap(opened(load).space.sample)
    return sample(jax.random.split(jax.random.key(0), MANY))


def distinct(rows: np.ndarray) -> int:
    """How many different rows."""
    return len({row.tobytes() for row in rows})


@cache
def query_all(load: Callable[..., Any], noise: str, seed: int) -> Any:
    """The answers about `archs`, as numpy."""
    keys = jax.random.split(jax.random.key(seed), MANY)
    found = jax.jit(lambda b, a: jax.vmap(b.query)(a, keys))(opened(load, noise), archs(load))
    return jax.tree.map(np.asarray, found)


class Decided(NamedTuple):
    """What decisions do, as numpy. Of [MANY] uniform sequences: drawn, the choices; built; inside,
    whether that is in the space; valid, whether it has an answer. Of the sequences of `archs`:
    rebuilt; allowed, whether each choice is; states, each step's state."""

    drawn: Any
    built: Any
    inside: Any
    valid: Any
    rebuilt: Any
    allowed: Any
    states: Any


@cache
def decided(load: Callable[..., Any]) -> Decided:
    @jax.jit
    def decide(there: Any, archs: Any, keys: Any) -> Decided:
        space, decisions = there.space, there.space.decisions
        steps = jnp.arange(len(decisions.sizes), dtype=jnp.int32)

        def draw(key: Any) -> Any:
            drawn = uniform(decisions, key)
            built = decisions.build(drawn)
            valid = there.query(built, key).valid
            inside = space.index(built) >= 0 if isinstance(space, Indexed) else valid
            return drawn, built, inside, valid

        def follow(arch: Any) -> Any:
            taken = decisions.sequence(arch)
            choices = jnp.arange(max(decisions.sizes))
            allowed = jax.vmap(lambda t: decisions.allowed(taken, t) & (choices == taken[t]))(steps)
            states = jax.vmap(lambda t: decisions.state(taken, t))(steps)
            return decisions.build(taken), allowed.any(-1), states

        return Decided(*jax.vmap(draw)(keys), *jax.vmap(follow)(archs))

    keys = jax.random.split(jax.random.key(0), MANY)
    return jax.tree.map(np.asarray, decide(opened(load), archs(load), keys))
