"""What a surrogate of NAS-Bench-301 promises: an accuracy, how far its members disagree, and
seconds."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float32, Int8


class Prediction(NamedTuple):
    """mean, std: of the validation accuracy over an ensemble's members, fractions (std over n, not
    n - 1; 0 for one member). seconds: simulated training time, NaN where unknown."""

    mean: Float32[Array, ""]
    std: Float32[Array, ""]
    seconds: Float32[Array, ""]


@runtime_checkable
class Surrogate(Protocol):
    """A model of accuracy and training time: a frozen pytree, its arrays leaves."""

    @property
    def members(self) -> int:
        """How many models agree or not; noise is their spread."""

    def predict(self, arch: Int8[Array, " 22"]) -> Prediction:
        """Of one architecture; jit- and vmap-safe."""
