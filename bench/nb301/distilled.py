"""A small network that imitates a surrogate of NAS-Bench-301: far cheaper, and always named
distilled."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int8, Key

from rlnas.bench.checks import ArrayOf, Fields, Text, Whole, check, check_arrays
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned
from rlnas.bench.nb301.genotype import NUM_FEATURES, DartsSpace
from rlnas.bench.nb301.surrogate import Prediction

FORMAT = ("rlnas-nb301-distilled", 2)
META = Fields({"of": Fields({"name": Text(), "epochs": Whole(1)}), "members": Whole(1, 1 << 16)})
MOST_LAYERS = 16
OUTPUTS = 3
"""Accuracy, the members' standard deviation, seconds; each standardised by `shift` and `scale`."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DistilledNetwork:
    """layers: (weights [in, out], bias [out]), SELU between them, from `DartsSpace.encode` to the
    three outputs.

    shift, scale: float32 [3], of the outputs. members: of what it imitates; 1 means that it knows
    no noise.
    """

    layers: tuple[tuple[Array, Array], ...]
    shift: Float32[Array, " 3"]
    scale: Float32[Array, " 3"]
    members: int = field(metadata={"static": True})

    def predict(self, arch: Int8[Array, " 22"]) -> Prediction:
        mean, std, seconds = self.standardised(DartsSpace().encode(arch)) * self.scale + self.shift
        return Prediction(mean, jnp.maximum(std, 0.0), seconds)

    def standardised(self, encoding: Int8[Array, "*n f"]) -> Float32[Array, "*n 3"]:
        """The outputs before `shift` and `scale`."""
        x = encoding.astype(jnp.float32)
        for i, (weights, bias) in enumerate(self.layers):
            x = (jax.nn.selu(x) if i else x) @ weights + bias
        return x


def new_network(
    key: Key[Array, ""], width: int, shift: np.ndarray, scale: np.ndarray, members: int
) -> DistilledNetwork:
    """Two hidden layers of `width`, LeCun-normal weights. An output of scale 0 or NaN is constant:
    `shift`."""
    if width < 1:
        raise UserError(f"found a width of {width}; expected at least 1")
    sizes = [NUM_FEATURES, width, width, OUTPUTS]
    layers = [
        (
            jax.random.normal(k, (a, b), jnp.float32) / np.float32(np.sqrt(a)),
            jnp.zeros(b, jnp.float32),
        )
        for k, a, b in zip(
            jax.random.split(key, len(sizes) - 1), sizes[:-1], sizes[1:], strict=True
        )
    ]
    known = jnp.nan_to_num(jnp.asarray(scale, jnp.float32))
    return DistilledNetwork(tuple(layers), jnp.asarray(shift, jnp.float32), known, members)


@pinned()
def invented(seed: int = 0, width: int = 8, members: int = 3) -> DistilledNetwork:
    """A network of random weights: an invented surrogate, for tests and examples where no real one
    is at hand."""
    key = jax.random.key(seed)
    return new_network(
        key, width, np.array([0.93, 0.002, 5000]), np.array([0.01, 0.001, 800]), members
    )


def to_arrays(network: DistilledNetwork) -> dict[str, np.ndarray]:
    """For an `.npz`."""
    arrays = {f"{what}{i}": np.asarray(x) for i, pair in enumerate(network.layers)
              for what, x in zip(("weights", "bias"), pair, strict=True)}  # fmt: skip
    return arrays | {"shift": np.asarray(network.shift), "scale": np.asarray(network.scale)}


def checked(arrays: dict[str, np.ndarray], meta: dict[str, Any], where: Path) -> DistilledNetwork:
    """`from_arrays` of a file; `UserError` where that is damaged, or no such network."""
    hint = "distill it again"
    check(meta, META, where, hint)
    count = sum(name.startswith("weights") for name in arrays)
    if not 1 <= count <= MOST_LAYERS:
        raise UserError(f"{where} has {count} layers, expected 1 to {MOST_LAYERS}; {hint}")
    widths = [NUM_FEATURES, *(f"width {i}" for i in range(1, count)), OUTPUTS]
    rules = {
        "shift": ArrayOf("float32", (OUTPUTS,), nan=True),
        "scale": ArrayOf("float32", (OUTPUTS,)),
    }
    for i in range(count):
        rules[f"weights{i}"] = ArrayOf("float32", (widths[i], widths[i + 1]))
        rules[f"bias{i}"] = ArrayOf("float32", (widths[i + 1],))
    check_arrays(arrays, rules, where, hint)
    return from_arrays(arrays, meta["members"])


def from_arrays(arrays: dict[str, np.ndarray], members: int) -> DistilledNetwork:
    """What `to_arrays` gave. Raises `KeyError` when something is missing."""
    count = sum(name.startswith("weights") for name in arrays)
    layers = tuple(
        (jnp.asarray(arrays[f"weights{i}"]), jnp.asarray(arrays[f"bias{i}"])) for i in range(count)
    )
    return DistilledNetwork(
        layers, jnp.asarray(arrays["shift"]), jnp.asarray(arrays["scale"]), members
    )
