"""The texts of the packages that `rlnas new` writes (`string.Template`)."""

from __future__ import annotations

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "$project"
version = "0.1.0"
description = "$about"
requires-python = ">=3.11"
dependencies = ["rlnas"]

[project.entry-points."rlnas.$group"]
$name = "$module:$attribute"

[tool.setuptools]
py-modules = ["$module"]
"""

AGENT = '''\
"""The agent $name for rlnas."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from rlnas.agents import Agent


@dataclass(frozen=True)
class $attribute:
    """A random neighbour of the best architecture so far, now and then a random architecture."""

    restart: float = 0.2
    """Probability of a random architecture."""

    def build(self, space):
        def init(key):
            return space.sample(key), jnp.float32(-jnp.inf)

        def ask(key, state):
            best, value = state
            start, move, luck = jax.random.split(key, 3)
            near, real = space.neighbours(move, best, 1)
            anew = jax.random.bernoulli(luck, self.restart) | ~real[0] | (value == -jnp.inf)
            return jnp.where(anew, space.sample(start), near[0]), state

        def tell(state, arch, result):
            better = result.valid & (result.val > state[1])
            return jnp.where(better, arch, state[0]), jnp.where(better, result.val, state[1])

        return Agent(init, ask, tell)
'''

AGENT_TEST = '''\
"""What every agent promises; add what $name promises besides."""

from rlnas.agents.testing import AgentContract


class Test$attribute(AgentContract):
    agent = "$module:$attribute"
'''

BENCHMARK = '''\
"""The benchmark $name for rlnas: words of operations, each trained once.

The accuracies are made up; put the measured ones in their place, in `load`.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rlnas.bench import Noise, QueryResult, UserError
from rlnas.bench.draw import draw

LENGTH = 5
OPERATIONS = ("none", "skip", "convolution", "pooling")
KINDS = len(OPERATIONS)
STATIC = {"static": True}  # for what is no array: texts, numbers that shapes depend on


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Space:
    """Architectures are int8 [LENGTH], numbers of operations; neighbours differ in one place."""

    arch_shape = (LENGTH,)
    size = KINDS**LENGTH
    max_degree = LENGTH * (KINDS - 1)
    num_features = LENGTH * KINDS

    def sample(self, key):
        return jax.random.randint(key, self.arch_shape, 0, KINDS, jnp.int8)

    def index(self, arch):
        """Its number below `size`; -1 for what is no architecture."""
        inside = ((arch >= 0) & (arch < KINDS)).all()
        return jnp.where(inside, (arch * KINDS ** jnp.arange(LENGTH)).sum(), -1)

    def at(self, index):
        return (index // KINDS ** jnp.arange(LENGTH) % KINDS).astype(jnp.int8)

    def degree(self, arch):
        return jnp.int32(self.max_degree)

    def neighbour(self, arch, index):
        place, step = index // (KINDS - 1), index % (KINDS - 1) + 1
        return arch.at[place].set(((arch[place] + step) % KINDS).astype(jnp.int8))

    def neighbours(self, key, arch, n):
        index, real = draw(key, self.degree(arch), n)
        near = jax.vmap(lambda i: self.neighbour(arch, i))(index)
        return jnp.where(real[:, None], near, arch), real

    def encode(self, arch):
        return jax.nn.one_hot(arch, KINDS, dtype=jnp.int8).ravel()

    def parse(self, text):
        words = text.split()
        if len(words) != LENGTH or not set(words) <= set(OPERATIONS):
            raise UserError(f"found {text!r}; expected {LENGTH} words of {', '.join(OPERATIONS)}")
        return jnp.asarray([OPERATIONS.index(word) for word in words], jnp.int8)

    def format(self, arch):
        return " ".join(OPERATIONS[int(kind)] for kind in arch)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class $attribute:
    """val, test (fractions), seconds: float32 [size], by the number of the architecture; NaN where
    unknown."""

    val: Any
    test: Any
    seconds: Any
    space: Space = field(default_factory=Space)
    noise: Noise = field(default=Noise(), metadata=STATIC)
    name: str = field(default="$name", metadata=STATIC)

    family = distilled = ""
    epochs = None
    reports = "test accuracy"

    @property
    def optimum(self):
        return jnp.nanmax(self.test)

    def query(self, arch, key):
        val, test, seconds = (self.column(x, arch) for x in (self.val, self.test, self.seconds))
        return QueryResult(val, test, seconds, ~jnp.isnan(val))

    def reported(self, arch):
        return self.column(self.test, arch)

    def column(self, values, arch):
        number = self.space.index(arch)
        return jnp.where(number >= 0, values[number], jnp.nan)

    def describe(self):
        facts = {key: getattr(self, key) for key in ("name", "family", "epochs", "reports")}
        return facts | {"noise": str(self.noise), "sha256": ""}


def load(name, *, epochs, noise):
    """What `rlnas.bench.load("$name")` calls."""
    if noise.kind != "mean":
        raise UserError(f"{name} has one answer for each architecture; expected --noise mean")
    random = np.random.default_rng(0)
    val, test = (random.uniform(0.5, 0.95, Space.size).astype(np.float32) for _ in range(2))
    return $attribute(*map(jnp.asarray, (val, test, np.full(Space.size, 60, np.float32))))
'''

BENCHMARK_TEST = '''\
"""What every benchmark promises; add what $name promises besides."""

from rlnas.bench import Noise
from rlnas.bench.testing import BenchmarkContract

from $module import load


class Test$attribute(BenchmarkContract):
    @staticmethod
    def load(noise):
        return load("$name", epochs=None, noise=Noise.parse(noise))
'''
