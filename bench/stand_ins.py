"""Made-up benchmarks that the contract tests run on: neighbour lists, NaN on demand, vectors as
architectures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int8, Int32, Key

from rlnas.bench.arguments import shown
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.decisions import DigitDecisions, IndexDecisions
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError
from rlnas.bench.exemplars import Words, one_hot
from rlnas.bench.neighbour_lists import NeighbourLists
from rlnas.bench.noise import MEAN


class Named:
    """Decisions with cells that agents may take for made by hand; a text is the choices."""

    sizes: tuple[int, ...]

    @property
    def experts(self) -> dict[str, str]:
        ones = "".join("1" if t else "0" for t in range(len(self.sizes)))
        return {"resnet": "0" * len(self.sizes), "inception": ones}

    def spelled(self, text: str) -> tuple[int, ...]:
        taken = tuple(map(int, text)) if text.isascii() and text.isdecimal() else ()
        if len(taken) != len(self.sizes) or any(
            c >= size for c, size in zip(taken, self.sizes, strict=True)
        ):
            many, most = len(self.sizes), max(self.sizes)
            raise UserError(f"found {shown(text)}; expected {many} digits below {most}")
        return taken

    @property
    def words(self) -> Words:
        return one_hot(self.sizes)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NamedRows(Named, IndexDecisions):
    """Of rows."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ListSpace(NeighbourLists):
    """Rows 0..M-1 with neighbour lists. offsets: int32 [M + 1], flat: int32 [E]."""

    offsets: Int32[Array, " ends"]
    flat: Int32[Array, " E"]
    max_degree: int = field(metadata={"static": True})

    num_features = 2

    @property
    def decisions(self) -> NamedRows:
        return NamedRows(self)

    def encode(self, arch: Int32[Array, ""]) -> Int8[Array, " 2"]:
        return jnp.stack([arch % 128, arch // 128]).astype(jnp.int8)

    def parse(self, text: str) -> Int32[Array, ""]:
        return jnp.int32(int(text))

    def format(self, arch: Any) -> str:
        return str(int(arch))


def facts(benchmark: Any) -> dict[str, Any]:
    """What every benchmark says of itself."""
    said = {key: getattr(benchmark, key) for key in ("name", "family", "epochs", "reports")}
    return said | {"noise": str(benchmark.noise), "sha256": ""}


BASE, DIGITS = 3, 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NamedDigits(Named, DigitDecisions):
    """Of digits."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GridSpace:
    """Vectors of 4 digits below 3, as int8 [4] (not a scalar, as DARTS cells are not); neighbours
    differ in one."""

    num_features = DIGITS
    arch_shape = (DIGITS,)
    size = BASE**DIGITS
    max_degree = DIGITS * (BASE - 1)
    decisions = NamedDigits.chain(DIGITS, BASE)

    def contains(self, arch: Int[Array, " 4"]) -> Bool[Array, ""]:
        return ((arch >= 0) & (arch < BASE)).all()

    def sample(self, key: Key[Array, ""]) -> Int8[Array, " 4"]:
        return jax.random.randint(key, (DIGITS,), 0, BASE, jnp.int8)

    def degree(self, arch: Int8[Array, " 4"]) -> Int32[Array, ""]:
        return jnp.int32(self.max_degree)

    def neighbour(self, arch: Int8[Array, " 4"], index: Int[Array, ""]) -> Int8[Array, " 4"]:
        place, change = index // (BASE - 1), index % (BASE - 1) + 1
        return arch.at[place].set(((arch[place] + change) % BASE).astype(jnp.int8))

    def neighbours(
        self, key: Key[Array, ""], arch: Int8[Array, " 4"], n: int
    ) -> tuple[Int8[Array, "n 4"], Bool[Array, " n"]]:
        index, mask = draw(key, self.degree(arch), n)
        archs = jax.vmap(lambda i: self.neighbour(arch, i))(index)
        return jnp.where(mask[:, None], archs, arch), mask

    def encode(self, arch: Int8[Array, " 4"]) -> Int8[Array, " 4"]:
        return arch

    def parse(self, text: str) -> Int8[Array, " 4"]:
        return jnp.asarray([int(digit) for digit in text], jnp.int8)

    def format(self, arch: Any) -> str:
        return "".join(str(int(digit)) for digit in arch)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GridBenchmark:
    """`GridSpace`; the validation accuracy is (digits read in base 3) / 128, exact in binary: a
    step up in a digit is one up. Test accuracies are in the opposite order."""

    space: GridSpace = field(default_factory=GridSpace)

    name = "grid"
    family = distilled = ""
    epochs = None
    noise = MEAN
    reports = "test accuracy"

    @property
    def optimum(self) -> Float32[Array, ""]:
        return jnp.float32(80 / 128)

    def query(self, arch: Int8[Array, " 4"], key: Key[Array, ""]) -> QueryResult:
        test = self.reported(arch)
        return QueryResult(self.optimum - test, test, jnp.float32(1.0), ~jnp.isnan(test))

    def reported(self, arch: Int8[Array, " 4"]) -> Float32[Array, ""]:
        inside = ((arch >= 0) & (arch < BASE)).all()
        number = (arch * BASE ** jnp.arange(DIGITS)).sum()
        return jnp.where(inside, (80 - number) / jnp.float32(128), jnp.nan)

    def describe(self) -> dict[str, Any]:
        return facts(self)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ListBenchmark:
    """val, test: float32 [M]; NaN in `val` is an architecture without an answer. Every look-up
    costs `seconds`."""

    space: ListSpace
    val: Float32[Array, " M"]
    test: Float32[Array, " M"]
    seconds: float = field(default=2.0, metadata={"static": True})

    name = "stand-in"
    family = distilled = ""
    epochs = None
    noise = MEAN
    reports = "test accuracy"

    @property
    def optimum(self) -> Float32[Array, ""]:
        return jnp.nanmax(self.test)

    def query(self, arch: Int32[Array, ""], key: Key[Array, ""]) -> QueryResult:
        inside = (arch >= 0) & (arch < self.val.shape[0])
        row = jnp.clip(arch, 0, self.val.shape[0] - 1)
        valid = inside & ~jnp.isnan(self.val[row])
        nan = jnp.float32(jnp.nan)
        val, test = (jnp.where(valid, x[row], nan) for x in (self.val, self.test))
        return QueryResult(val, test, jnp.where(valid, self.seconds, nan), valid)

    def reported(self, arch: Int32[Array, ""]) -> Float32[Array, ""]:
        inside = (arch >= 0) & (arch < self.test.shape[0])
        return jnp.where(inside, self.test[arch], jnp.nan)

    def describe(self) -> dict[str, Any]:
        return facts(self)


def make(neighbours: list[list[int]], val: np.ndarray) -> ListBenchmark:
    """The benchmark of explicit neighbour lists and validation accuracies [M]. test = 1 - val: what
    is best in the one is worst in the other, so that nobody can take one for the other."""
    degrees = [len(row) for row in neighbours]
    space = ListSpace(
        offsets=jnp.asarray(np.concatenate([[0], np.cumsum(degrees)]), jnp.int32),
        flat=jnp.asarray(
            np.concatenate([*neighbours, [0]]), jnp.int32
        ),  # never empty: a gather needs an element
        max_degree=max(1, *degrees),
    )
    val = np.asarray(val, np.float32)
    return ListBenchmark(space, jnp.asarray(val), jnp.asarray(np.float32(1) - val))


def ring(val: np.ndarray) -> ListBenchmark:
    """Rows in a circle, each with the two beside it as neighbours."""
    m = len(val)
    return make([[(i - 1) % m, (i + 1) % m] for i in range(m)], val)


def scrambled(rows: int, degree: int, seed: int = 0, missing: float = 0.0) -> ListBenchmark:
    """Degrees from 0 to 2 * `degree`, random neighbours (no self, none twice), a share `missing`
    without a value."""
    rng = np.random.default_rng(seed)
    neighbours = []
    for row in range(rows):
        others = rng.choice(rows - 1, rng.integers(2 * degree + 1), replace=False)
        neighbours.append((others + (others >= row)).tolist())
    val = rng.uniform(0.5, 1.0, rows)
    return make(neighbours, np.where(rng.random(rows) < missing, np.nan, val))


def islands(rows: int, degree: int, seed: int = 0) -> ListBenchmark:
    """Of the shapes of `scrambled`, so one program for both; but half of the rows are pairs, and
    half have no neighbour, as in a table of few cells."""
    there = scrambled(rows, degree, seed)
    paired = rows // 4 * 2
    flat = np.zeros_like(there.space.flat)
    flat[:paired] = np.arange(paired) ^ 1
    offsets = jnp.asarray(np.minimum(np.arange(rows + 1), paired), jnp.int32)
    return replace(there, space=replace(there.space, offsets=offsets, flat=jnp.asarray(flat)))


def neighbour_lists(benchmark: Any) -> list[set[int]]:
    """The neighbours of every row, as plain Python sets; also of a `TableBenchmark`."""
    offsets, flat = np.asarray(benchmark.space.offsets), np.asarray(benchmark.space.flat)
    return [set(flat[a:b].tolist()) for a, b in pairwise(offsets)]
