"""What a benchmark and a search space promise to agents, environments and the runner.

`SearchSpace` and `Benchmark` are what all have. What only some have is an ability, a protocol of
its own (`Bounded`, `Indexed`, `Listed`, `Part`, `Sized`, `Sizes`, `Operations`, `Costed`,
`Constructive`, `Encoded`, `Graphs`, `Restrictable`), asked for by `isinstance`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int8, Key

from rlnas.bench.noise import Noise

Arch = Any
"""An architecture: an integer array of the space's fixed shape (NAS-Bench-101: an int32 scalar, the
row)."""


NO_OBJECTIVES = np.zeros(0, np.float32)


class QueryResult(NamedTuple):
    """The answer to one look-up. Accuracies are fractions in [0, 1], time is in seconds.

    val: validation accuracy under the benchmark's noise policy; what an agent may optimise.
    test: test accuracy under the same policy (the same repeat); NaN where the benchmark has none.
    sim_seconds: what the trainings that it answers with took: all of them where it is their mean.
    valid: False when the architecture is outside the space or has no measured value; the numbers
    are then NaN.
    objectives: what is to be minimised, of a benchmark asked for several objectives
    (`rlnas.bench.objectives`): the error 1 - accuracy, then the costs; of others [0]. There `val`
    may be a reward made of them.
    """

    val: Float[Array, ""]
    test: Float[Array, ""]
    sim_seconds: Float[Array, ""]
    valid: Bool[Array, ""]
    objectives: Float[Array, " k"] = NO_OBJECTIVES  # type: ignore[assignment]


@runtime_checkable
class SearchSpace(Protocol):
    """A set of architectures with a neighbourhood. A pytree; the array methods are pure, jit- and
    vmap-safe."""

    @property
    def arch_shape(self) -> tuple[int, ...]:
        """Shape of one architecture; () for a scalar."""

    @property
    def size(self) -> int:
        """How many architectures there are."""

    @property
    def max_degree(self) -> int:
        """Upper bound of `degree`, a Python integer (shapes depend on it)."""

    @property
    def num_features(self) -> int:
        """Length f of an encoding."""

    def sample(self, key: Key[Array, ""]) -> Arch:
        """An architecture drawn uniformly."""

    def degree(self, arch: Arch) -> Int[Array, ""]:
        """How many neighbours `arch` has."""

    def neighbour(self, arch: Arch, index: Int[Array, ""]) -> Arch:
        """Neighbour number `index` of `arch`, 0 <= index < degree(arch)."""

    def neighbours(self, key: Key[Array, ""], arch: Arch, n: int) -> tuple[Arch, Bool[Array, " n"]]:
        """Up to n distinct neighbours, drawn without replacement, in random order, and the mask of
        real ones.

        Masked places hold `arch` itself.
        """

    def encode(self, arch: Arch) -> Int[Array, " f"]:
        """int8 [f]: flattened adjacency, then one-hot operations."""

    def parse(self, text: str) -> Arch:
        """The architecture of a text; `UserError` with the reason when there is none."""

    def format(self, arch: Arch) -> str:
        """A text that `parse` reads."""


@runtime_checkable
class Benchmark(Protocol):
    """A search space whose architectures have known (or predicted) accuracies. A frozen pytree."""

    @property
    def space(self) -> Any:
        """A `SearchSpace`."""

    @property
    def name(self) -> str:
        """E.g. `nb101-digits`."""

    @property
    def family(self) -> str:
        """The registered family (`rlnas.bench.family`) it belongs to; "" for none."""

    @property
    def epochs(self) -> int | None:
        """The training budget that is looked up; None where that is not a number of epochs."""

    @property
    def noise(self) -> Noise:
        """The noise policy."""

    @property
    def reports(self) -> str:
        """What `reported` returns, as captions name it: `test accuracy`, or `validation accuracy`
        where no test accuracy exists; another measure, mapped to fractions, by its own name."""

    @property
    def distilled(self) -> str:
        """ "" for a benchmark to report from. Else the name of the one that it imitates: it is for
        training on."""

    @property
    def optimum(self) -> Float[Array, ""]:
        """The largest `reported` value in the space; NaN when unknown. Regret is measured from
        it."""

    def query(self, arch: Arch, key: Key[Array, ""]) -> QueryResult:
        """Look `arch` up."""

    def reported(self, arch: Arch) -> Float[Array, ""]:
        """Mean test accuracy over all repeats: what a search is judged by, never shown to the
        agent."""

    def describe(self) -> dict[str, Any]:
        """JSON-ready facts for manifests: at least name, family, epochs, noise (its text), reports
        and sha256 (of the file; "" for none); `about`, where captions should say what it is."""


# Abilities of a search space


@runtime_checkable
class Bounded(Protocol):
    """A space that tells its architectures from other values of their shape. jit- and vmap-safe."""

    def contains(self, arch: Arch) -> Bool[Array, ""]:
        """Whether `arch` is an architecture; of a part of a space, whether it is one of the whole:
        one that is not here is a question without an answer."""


@runtime_checkable
class Indexed(Protocol):
    """A space that numbers its architectures 0 <= i < size: one number each. jit- and vmap-safe."""

    @property
    def size(self) -> int:
        """How many there are."""

    def index(self, arch: Arch) -> Int[Array, ""]:
        """int32: the number of `arch`; -1 for what is no architecture of the space."""

    def at(self, index: Int[Array, ""]) -> Arch:
        """Architecture number `index`, 0 <= index < size."""


@runtime_checkable
class Listed(Indexed, Protocol):
    """A space that holds all its neighbour lists, in `neighbour`'s order: architecture number i has
    the neighbours flat[offsets[i] : offsets[i + 1]], numbers too. offsets: int32 [size + 1]; flat:
    int32 [E]."""

    offsets: Any
    flat: Any


@runtime_checkable
class Part(Indexed, Protocol):
    """A space that may hold only some architectures of a larger one. rows: int32 [size], ascending:
    their numbers there."""

    rows: Any

    @property
    def whole(self) -> int:
        """How many architectures the larger one has."""


@runtime_checkable
class Sized(Indexed, Protocol):
    """A space whose architectures are of different sizes."""

    def num_vertices(self) -> np.ndarray:
        """int [size]: vertices of every architecture."""


@runtime_checkable
class Sizes(Indexed, Protocol):
    """A space that knows how large its networks are."""

    def trainable_parameters(self) -> np.ndarray:
        """int [size]: of every architecture's network as its benchmark trained it on CIFAR-10
        (where a table has another recipe: the order is much the same)."""


@runtime_checkable
class Operations(Indexed, Protocol):
    """A space that knows what its networks compute, all of them."""

    def operations(self) -> np.ndarray:
        """float [size]: for one image, of every architecture's network as its benchmark trained it
        on CIFAR-10."""


class Graph(NamedTuple):
    """An architecture as labelled directed graphs, one a cell.

    labels: int8 [cells, V]. 0 to K - 1 are operations, K is a cell's output, K + 1 and up are its
    inputs, -1 is no vertex. edges: bool [cells, V, V], from the first to the second; none at what
    is no vertex.
    """

    labels: Int8[Array, "*n cells V"]
    edges: Bool[Array, "*n cells V V"]


@runtime_checkable
class Graphs(Protocol):
    """A space that shows its architectures as graphs. Pure, jit- and vmap-safe."""

    graph_operations: int
    """K, the number of operations."""

    graph_inputs: int
    """Inputs of a cell."""

    def graph(self, arch: Arch) -> Graph:
        """Isomorphic graphs are the same network; another order of the vertices changes nothing."""


@runtime_checkable
class Weighed(Graphs, Protocol):
    """A space that says how large its operations are."""

    graph_weights: tuple[float, ...]
    """[K]: trainable parameters of each operation, in those of a 3x3 convolution of as many
    channels, about."""


@runtime_checkable
class Costed(Protocol):
    """A space that knows what its networks compute. jit- and vmap-safe."""

    def flops(self, arch: Arch) -> Float[Array, ""]:
        """Operations for one image, of the network as its benchmark trained it on CIFAR-10."""

    def density(self, arch: Arch) -> Float[Array, ""]:
        """Edges a vertex."""


def numbers_of(space: Any) -> np.ndarray | None:
    """int [size]: the number of each architecture in the whole that `space` may be a part of, so
    that what was seen in one part is known in another; None where architectures have no numbers."""
    if isinstance(space, Part):
        return np.asarray(space.rows)
    return np.arange(space.size) if isinstance(space, Indexed) else None


@runtime_checkable
class Decisions(Protocol):
    """An architecture as a sequence of T choices, of K kinds of answers at most. A pytree; the
    array methods are pure, jit- and vmap-safe. `taken`, int [T]: the choices; what was not chosen
    yet may be anything."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """[T]: how many choices there are at each step; K is the largest. Shapes depend on it."""

    @property
    def kinds(self) -> tuple[int, ...]:
        """[T]: steps of one kind, counted from 0, have choices of one meaning, e.g. operations."""

    def allowed(self, taken: Int[Array, " T"], t: Int[Array, ""]) -> Bool[Array, " K"]:
        """Which choices may follow the first `t` of `taken`: at least one."""

    def build(self, taken: Int[Array, " T"]) -> Arch:
        """The architecture of a complete sequence of allowed choices. In a part of a space it may
        be one that is not there: its look-up is answered by `valid` False."""

    def sequence(self, arch: Arch) -> Int[Array, " T"]:
        """int32: choices that build `arch`."""

    @property
    def num_states(self) -> int:
        """How many summaries there are."""

    def state(self, taken: Int[Array, " T"], t: Int[Array, ""]) -> Int[Array, ""]:
        """int32: a summary of the first `t` choices, for values in a table: the step, and what was
        chosen near it."""


class Wiring(NamedTuple):
    """Which choices are inputs, of T steps with K choices, and V vertices that may be inputs.

    inputs: bool [T, K, V], the vertices that a choice takes as inputs; a step without any is no
    choice of inputs. made: int [V], the step before which a vertex is complete, T for one that
    nothing waits for. given: bool [V], the inputs of a cell, which no step makes. convolutions:
    bool [T, K], the choices that are convolutions (where there are two sorts: the usual ones).
    """

    inputs: np.ndarray
    made: np.ndarray
    given: np.ndarray
    convolutions: np.ndarray


@runtime_checkable
class Wired(Decisions, Protocol):
    """Decisions that say which of them connect vertices."""

    @property
    def wiring(self) -> Wiring:
        """How."""


@runtime_checkable
class CheckedDecisions(Decisions, Protocol):
    """Decisions of which not every sequence is an architecture."""

    def valid(self, taken: Int[Array, " T"]) -> Bool[Array, ""]:
        """Whether a complete sequence is one."""


@runtime_checkable
class Constructive(Protocol):
    """A space whose architectures are built choice by choice: all of them, and nothing else."""

    @property
    def decisions(self) -> Decisions:
        """How."""


@runtime_checkable
class Encoded(Constructive, Protocol):
    """A space that has a published encoding of which not every vector is an architecture, too."""

    @property
    def plain_decisions(self) -> CheckedDecisions:
        """That one."""


# Abilities of a benchmark


@runtime_checkable
class Restrictable(Benchmark, Protocol):
    """A benchmark that can be cut down to some of its architectures."""

    def restrict(self, places: np.ndarray) -> Benchmark:
        """The benchmark of architectures number `places` (ascending) and the ways between them;
        its optimum is theirs."""
