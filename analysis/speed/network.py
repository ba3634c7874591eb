"""The surrogate section of `rlnas speed`: YAHPO's network of NAS-Bench-301 in batches, beside plain
numpy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.analysis.speed.measure import Measure, best_of, seconds_of
from rlnas.bench.nb301.forms import yahpo_codes
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.nb301.yahpo import EPOCHS, HEADS, build, expected_shapes

BATCHES = (1, 32, 1_024, 8_192)
PLAIN = 300  # architectures asked of the reference


def measure() -> list[Measure]:
    """Look-ups a second at several batch sizes; weights are random, of the published shapes."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        name: (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in expected_shapes().items()
    }
    arrays |= {
        "epoch_scale": np.float32(1 / 52),
        "runtime_scale": np.array([13_132, 31, 0.01], np.float32),
    }
    network = build(arrays, EPOCHS)
    predict = jax.jit(lambda network, archs: jax.vmap(network.predict)(archs))
    archs = jax.vmap(DartsSpace().sample)(jax.random.split(jax.random.key(0), max(BATCHES)))
    asked = np.asarray(yahpo_codes(archs[:PLAIN]))
    answers: list[float] = []
    reference = PLAIN / seconds_of(lambda: answers.extend(plain(arrays, row) for row in asked))
    error = np.abs(np.asarray(predict(network, archs[:PLAIN]).mean) - answers).max()
    note = (
        "YAHPO's network, random weights; reference: numpy, one at a time; largest difference "
        f"{error:.0e}"
    )
    rates = [n / best_of(lambda n=n: predict(network, jnp.asarray(archs[:n]))) for n in BATCHES]  # type: ignore[misc]
    return [
        Measure(f"network, {n:,}", rate, reference, "1/s", note)
        for n, rate in zip(BATCHES, rates, strict=True)
    ]


def plain(arrays: dict[str, Any], row: np.ndarray) -> float:
    """The accuracy of one architecture, head after head, as the ONNX graph says."""
    embedded = [arrays[f"embds_fct.{i}.weight"][code] for i, code in enumerate(row)]
    x = np.concatenate([*embedded, [EPOCHS * arrays["epoch_scale"]]])
    out = arrays["wide.0.weight"] @ x + arrays["wide.0.bias"]
    for head, layers in HEADS.items():
        hidden = x
        for i, layer in enumerate(layers):
            hidden = _selu(hidden) if i else hidden
            hidden = arrays[f"{head}.{layer}.weight"] @ hidden + arrays[f"{head}.{layer}.bias"]
        out = out + hidden
    return float(1 / (1 + np.exp(-out[0])))


def _selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
