"""An ONNX file of the structure of YAHPO's network for nb301, with random weights: valid and
runnable."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rlnas.bench.nb301.yahpo import HEADS, expected_shapes


def write(path: Path, seed: int = 0) -> None:
    """The graph: 34 embeddings, scaled epoch, three heads, sigmoid, scaling;
    batch size 1."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(seed)
    weights = {
        name: (rng.normal(size=shape) * (0.5 / np.sqrt(shape[-1]))).astype(np.float32)
        for name, shape in expected_shapes().items()
    }
    nodes, constants = [], 0

    def constant(value: object, dtype: type = np.float32) -> str:
        nonlocal constants
        constants += 1
        tensor = numpy_helper.from_array(np.array(value, dtype))
        nodes.append(helper.make_node("Constant", [], [f"c{constants}"], value=tensor))
        return f"c{constants}"

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    embedded = []
    for i in range(34):
        code = node("Gather", ["x_cat", constant(i, np.int64)], f"code{i}", axis=1)
        embedded.append(node("Gather", [f"embds_fct.{i}.weight", code], f"e{i}"))
    epoch = node("Gather", ["x_cont", constant(0, np.int64)], "epoch", axis=1)
    scaled = node(
        "Unsqueeze", [node("Mul", [epoch, constant(1 / 52)], "scaled")], "column", axes=[1]
    )
    x = node("Concat", [*embedded, scaled], "x", axis=1)

    def linear(x: str, name: str) -> str:
        return node("Gemm", [x, f"{name}.weight", f"{name}.bias"], f"{name}.out", transB=1)

    out = linear(x, "wide.0")
    for head, layers in HEADS.items():
        hidden = x
        for i, layer in enumerate(layers):
            hidden = linear(
                node("Selu", [hidden], f"{head}.selu{i}") if i else hidden, f"{head}.{layer}"
            )
        out = node("Add", [out, hidden], f"sum.{head}")
    squashed = node("Sigmoid", [out], "squashed")
    accuracy = node(
        "Div",
        [node("Gather", [squashed, constant(0, np.int64)], "s0", axis=1), constant(0.01)],
        "accuracy",
    )
    runtime = node(
        "Sub",
        [node("Gather", [squashed, constant(1, np.int64)], "s1", axis=1), constant(0.01)],
        "r0",
    )
    runtime = node(
        "Add", [node("Mul", [runtime, constant(13_132.0)], "r1"), constant(30.5)], "runtime"
    )
    columns = [
        node("Unsqueeze", [name], f"{name}.column", axes=[1]) for name in (accuracy, runtime)
    ]
    node("Concat", columns, "y", axis=1)
    graph = helper.make_graph(
        nodes,
        "invented",
        [
            helper.make_tensor_value_info("x_cat", TensorProto.INT32, [1, 34]),
            helper.make_tensor_value_info("x_cont", TensorProto.FLOAT, [1, 1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), path)
