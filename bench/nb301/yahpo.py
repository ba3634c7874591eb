"""YAHPO Gym's neural surrogate of the NAS-Bench-301 learning curves, evaluated in JAX.

Pfisterer et al. 2022 (arXiv 2109.03670) fitted it to the learning curves that Zela et al. published
with NAS-Bench-301 (arXiv 2008.09777); the file is `nb301/model.onnx` of slds-lmu/yahpo_data
(Apache-2.0). 34 embeddings and the scaled epoch make 337 features; a wide, a deep and a deeper head
are added up and squashed. Multi-fidelity: the epoch, 1 to 98, is the training budget.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int8

from rlnas.bench.arguments import shown
from rlnas.bench.checks import ArrayOf, check_arrays
from rlnas.bench.errors import UserError
from rlnas.bench.nb301.darts import NODES, OPS, PAIRS
from rlnas.bench.nb301.forms import BY_NAME
from rlnas.bench.nb301.genotype import NUM_CODES, NUM_EDGES, codes
from rlnas.bench.nb301.surrogate import Prediction
from rlnas.bench.reading import UNREADABLE, content, reason

EPOCHS = 98
AGAIN, MOST_ONNX = "fetch it again", 1 << 26
HEADS = {"deep": ("0.1", "1.1", "2.0"), "deeper": ("0.1", "1.1", "2.1", "3.1", "4.0")}
"""Linear layers of the heads as the file names them; SELU between them."""
FIRSTS = ("wide.0", "deep.0.1", "deeper.0.1")
"""The first layers, which see embeddings and epoch."""
OP_TYPES = {
    "Gather", "Constant", "Concat", "Mul", "Cast", "Unsqueeze", "Shape", "ConstantOfShape", "Gemm",
    "Add", "Selu", "Sigmoid", "Div", "Sub",
}  # fmt: skip


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class YahpoNetwork:
    """The network at one epoch.

    table: float32 [34, 11, 12], a code's embedding at place code + 1, filled up with zeros. first:
    [34 * 12, 770] and first_bias [770], the first layers of all heads side by side, the epoch
    already in the bias. deep, deeper: the other layers, (weights [in, out], bias [out]). scale: the
    runtime's factor, offset and place, in seconds.
    """

    table: Float32[Array, "codes values width"]
    first: Float32[Array, "inputs hidden"]
    first_bias: Float32[Array, " hidden"]
    deep: tuple[tuple[Array, Array], ...]
    deeper: tuple[tuple[Array, Array], ...]
    scale: Float32[Array, " 3"]
    epochs: int = field(metadata={"static": True})

    members = 1

    def predict(self, arch: Int8[Array, " 22"]) -> Prediction:
        """Validation accuracy (a fraction) and runtime in seconds at the network's epoch."""
        code = codes(arch).astype(jnp.int32) + 1
        embedded = self.table[jnp.arange(NUM_CODES), code].reshape(-1)
        hidden = embedded @ self.first + self.first_bias
        wide, deep, deeper = jnp.split(hidden, [2, 2 + self.deep[0][0].shape[0]])
        out = jax.nn.sigmoid(wide + _head(deep, self.deep) + _head(deeper, self.deeper))
        factor, offset, least = self.scale
        return Prediction(out[0], jnp.float32(0), (out[1] - least) * factor + offset)


def _head(
    x: Float32[Array, " hidden"], layers: tuple[tuple[Array, Array], ...]
) -> Float32[Array, " 2"]:
    for weights, bias in layers:
        x = jax.nn.selu(x) @ weights + bias
    return x


def read_onnx(path: Path) -> dict[str, np.ndarray]:
    """The numbers of YAHPO's file, by the names they have in it, plus `epoch_scale` and
    `runtime_scale` [3].

    Raises `UserError` for a damaged file, one of another structure, or when the `onnx` package is
    missing.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import numpy_helper
    except ImportError:
        raise UserError("reading an ONNX file takes the onnx package, which is not installed; "
                        "pip install 'rlnas[nb301]'") from None  # fmt: skip
    data = content(path, AGAIN, MOST_ONNX)
    try:
        graph = onnx.load_model_from_string(data).graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        if len(tensors) < len(graph.initializer):
            raise ValueError("a tensor that is there twice")
        known = expected_shapes()
        shapes = {name: tuple(tensor.dims) for name, tensor in tensors.items()}
        values = {node.output[0]: node.attribute[0].t for node in graph.node
                  if node.op_type == "Constant"}  # fmt: skip
        for tensor in (*tensors.values(), *values.values()):
            if tensor.external_data or tensor.data_location:
                raise ValueError("its numbers are in another file")
            if min(tensor.dims, default=0) < 0 or math.prod(tensor.dims) > len(data):
                raise ValueError(f"a tensor of shape {list(tensor.dims)[:8]}")
        wrong = [name for name, shape in known.items() if shapes.get(name) != shape]
        arrays = {} if wrong else {
            name: np.array(numpy_helper.to_array(tensors[name]), np.float32) for name in known
        }  # fmt: skip
        constants = {name: np.asarray(numpy_helper.to_array(t)) for name, t in values.items()}
    except (DecodeError, *UNREADABLE) as error:
        raise UserError(f"{path}: no readable ONNX file ({reason(error)}); {AGAIN}") from None

    def second(op_type: str) -> list[float]:
        """The constant that each node of a type works with, in the graph's order."""
        nodes = [node for node in graph.node if node.op_type == op_type]
        found = [constants[name] for node in nodes for name in node.input if name in constants]
        return [float(value.reshape(())) for value in found
                if value.size == 1 and value.dtype.kind in "biuf"]  # fmt: skip

    scales = {op: second(op) for op in ("Mul", "Sub", "Div")}
    adds = [value for value in second("Add") if value]
    strange = shown(found) if (found := sorted({n.op_type for n in graph.node} - OP_TYPES)) else ""
    if (
        wrong
        or strange
        or [len(scales["Mul"]), len(scales["Sub"]), len(scales["Div"]), len(adds)] != [2, 1, 1, 1]
    ):
        what = (
            f"{wrong[0]} of shape {shapes.get(wrong[0])}"
            if wrong
            else f"operations {strange or 'out of place'}"
        )
        raise UserError(
            f"{path}: found {what}; expected YAHPO Gym's network for nb301 (version 1), {AGAIN}"
        )
    kept = arrays
    kept["epoch_scale"] = np.array(scales["Mul"][0], np.float32)
    kept["runtime_scale"] = np.array([scales["Mul"][1], adds[0], scales["Sub"][0]], np.float32)
    check(kept, path)
    return kept


def check(arrays: dict[str, np.ndarray], where: Path | str) -> None:
    """`UserError` where the network's numbers are not all there, or are no numbers."""
    shapes = expected_shapes() | {"epoch_scale": (), "runtime_scale": (3,)}
    rules = {name: ArrayOf("float32", shape) for name, shape in shapes.items()}
    check_arrays(arrays, rules, where, "convert the ONNX file again")


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """name -> shape of all numbers in YAHPO's file."""
    pairs = [len(PAIRS[node]) + 1 for node in NODES[1:]] * 2
    values = [len(OPS) + 1] * (2 * NUM_EDGES) + pairs
    shapes: dict[str, tuple[int, ...]] = {
        f"embds_fct.{i}.weight": (count, {4: 6, 7: 10, 8: 10, 11: 12}[count])
        for i, count in enumerate(values)
    }
    width = sum(shape[1] for shape in shapes.values()) + 1
    for head, sizes in {
        "wide": [2],
        "deep": [512, 512, 2],
        "deeper": [256, 256, 128, 128, 2],
    }.items():
        names = HEADS.get(head, ("0",))
        for name, fan_in, fan_out in zip(names, [width, *sizes], sizes, strict=False):
            shapes |= {
                f"{head}.{name}.weight": (fan_out, fan_in),
                f"{head}.{name}.bias": (fan_out,),
            }
    return shapes


def bias_at(arrays: dict[str, np.ndarray], epochs: int) -> Float32[np.ndarray, " hidden"]:
    """The first layers' bias, what they make of the epoch added."""
    bias = np.concatenate([arrays[f"{head}.bias"] for head in FIRSTS])
    last = np.concatenate([arrays[f"{head}.weight"].T[-1] for head in FIRSTS])
    return bias + np.float32(epochs) * arrays["epoch_scale"] * last


def build(arrays: dict[str, np.ndarray], epochs: int) -> YahpoNetwork:
    """The network at `epochs`, of what `read_onnx` gives (or its `.npz` holds)."""
    if not 1 <= epochs <= EPOCHS:
        raise UserError(
            f"found a budget of {epochs} epochs; expected 1 to {EPOCHS}, what YAHPO's surrogate "
            "knows"
        )
    embeddings = [arrays[f"embds_fct.{i}.weight"] for i in range(NUM_CODES)]
    embeddings = [e[BY_NAME] if i < 2 * NUM_EDGES else e for i, e in enumerate(embeddings)]
    values, width = (max(e.shape[axis] for e in embeddings) for axis in (0, 1))
    table = np.stack(
        [np.pad(e, ((0, values - e.shape[0]), (0, width - e.shape[1]))) for e in embeddings]
    )
    firsts = [arrays[f"{head}.weight"].T for head in FIRSTS]
    first = np.concatenate(firsts, axis=1)
    # The rows of the padded embeddings: those of the narrow ones, zeros between.
    rows = np.zeros((NUM_CODES, width, first.shape[1]), np.float32)
    at = 0
    for i, e in enumerate(embeddings):
        rows[i, : e.shape[1]] = first[at : at + e.shape[1]]
        at += e.shape[1]

    def layers(head: str) -> tuple[tuple[Any, Any], ...]:
        names = [f"{head}.{name}" for name in HEADS[head][1:]]
        return tuple(
            (jnp.asarray(arrays[f"{n}.weight"].T), jnp.asarray(arrays[f"{n}.bias"])) for n in names
        )

    return YahpoNetwork(
        table=jnp.asarray(table),
        first=jnp.asarray(rows.reshape(-1, first.shape[1])),
        first_bias=jnp.asarray(bias_at(arrays, epochs)),
        deep=layers("deep"),
        deeper=layers("deeper"),
        scale=jnp.asarray(arrays["runtime_scale"]),
        epochs=epochs,
    )
