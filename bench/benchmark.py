"""What a benchmark and a search space promise to agents, environments and the runner."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Int, Key

from rlnas.bench.errors import UserError

Arch = Any
"""An architecture: an integer array of the space's fixed shape (NAS-Bench-101: an int32 scalar, the
row)."""


class QueryResult(NamedTuple):
    """The answer to one look-up. Accuracies are fractions in [0, 1], time is in seconds.

    val: validation accuracy under the benchmark's noise policy; what an agent may optimise.
    test: test accuracy under the same policy (the same repeat); NaN where the benchmark has none.
    sim_seconds: what training it once took.
    valid: False when the architecture is outside the space or has no measured value; the numbers
    are then NaN.
    """

    val: Float[Array, ""]
    test: Float[Array, ""]
    sim_seconds: Float[Array, ""]
    valid: Bool[Array, ""]


@runtime_checkable
class SearchSpace(Protocol):
    """A set of architectures with a neighbourhood. A pytree; the array methods are pure, jit- and
    vmap-safe."""

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
    def noise(self) -> str:
        """The noise policy: `mean` (over repeats), `sample` (one repeat, drawn with the key) or
        `repeat=i`."""

    @property
    def reports(self) -> str:
        """What `reported` returns: `test accuracy`, or `validation accuracy` where no test accuracy
        exists."""

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
        """JSON-ready facts for manifests: name, budget, noise policy, sha256 of the file, sizes."""


def parse_noise(text: str, repeats: int) -> int:
    """A noise policy as an integer: -1 `mean`, -2 `sample`, i >= 0 `repeat=i`."""
    if text in ("mean", "sample"):
        return {"mean": -1, "sample": -2}[text]
    kind, _, number = text.partition("=")
    if kind != "repeat" or not number.isdecimal():
        raise UserError(f"unknown noise policy {text!r}; expected mean, sample or repeat=i")
    if int(number) >= repeats:
        raise UserError(
            f"noise policy {text!r}, but the table has {repeats} repeats; expected i below "
            f"{repeats}"
        )
    return int(number)
