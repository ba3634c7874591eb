"""xgboost models as pickled since 1.0, read with numpy: the legacy binary form, JSON and UBJSON.

A snapshot of xgboost 1.0 to 1.2 is `CONFIG-offset:`, i64 offset, then `offset` bytes of model and
some JSON of settings. The model, little endian: `binf` (absent in 1.0), 136 bytes of
`LearnerModelParam`, objective and booster name (u64 length and text each), 160 bytes of
`GBTreeModelParam`, the trees, an i32 a tree, attributes. A tree: 148 bytes, 20 bytes a node, 16
bytes of statistics a node. Later snapshots are `{"Config": ..., "Model": {"learner": ...}}`, as
JSON (1.3 on) or UBJSON (1.7 on); a file from `save_model` is the `Model` alone.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb301.forest import Forest
from rlnas.bench.nb301.ubjson import read_ubjson
from rlnas.bench.reading import UNREADABLE, reason

SNAPSHOT = b"CONFIG-offset:"
LEARNER_BYTES, BOOSTER_BYTES, TREE_BYTES, STATISTICS_BYTES = 136, 160, 148, 16
NODE = np.dtype(
    [("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("feature", "<u4"), ("value", "<f4")]
)
OBJECTIVES = ("reg:squarederror", "reg:linear")
"""Predictions of others are no plain sums."""


class _Damaged(ValueError):
    pass


def read_xgboost(data: bytes, where: str) -> Forest:
    """The trees of a model in any of the three forms; `UserError` naming `where` when it is damaged
    or another kind."""
    try:
        with np.errstate(all="ignore"):  # what is no number is found in the forest
            return _read(data, where)
    except UserError:
        raise
    except (*UNREADABLE, struct.error) as error:
        raise UserError(
            f"{where}: damaged xgboost model ({reason(error)}); get the file again"
        ) from None


def _read(data: bytes, where: str) -> Forest:
    if data.startswith(SNAPSHOT):
        start = len(SNAPSHOT) + 8
        if len(data) < start:
            raise _Damaged("no offset")
        (size,) = struct.unpack_from("<q", data, len(SNAPSHOT))
        if not 0 < size <= len(data) - start:
            raise _Damaged(f"{len(data) - start} bytes of a model of {size}")
        return _read_binary(memoryview(data)[start : start + size], where)
    if data.startswith(b"{"):
        is_text = data[1:].lstrip()[:1] in (b'"', b"}")
        return _read_document(json.loads(data) if is_text else read_ubjson(data), where)
    return _read_binary(memoryview(data), where)


def _refuse_others(where: str, objective: str, booster: str, outputs: int) -> None:
    if objective not in OBJECTIVES or booster != "gbtree" or outputs > 1:
        found = f"objective {objective[:40]!r}, booster {booster[:40]!r}, {max(outputs, 1)} outputs"
        raise UserError(f"{where}: {found}; expected {OBJECTIVES[0]!r}, 'gbtree', one output")


class _Cursor:
    """Takes consecutive parts of a buffer."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.place = data, 0

    def take(self, size: int, what: str) -> memoryview:
        if size < 0 or self.place + size > len(self.data):
            raise _Damaged(f"cut off in {what}")
        part = self.data[self.place : self.place + size]
        self.place += size
        return part

    def text(self, what: str) -> str:
        (size,) = struct.unpack("<Q", self.take(8, what))
        return bytes(self.take(size, what)).decode("utf-8", "replace")


def _read_binary(data: memoryview, where: str) -> Forest:
    cursor = _Cursor(data)
    if bytes(data[:4]) == b"binf":
        cursor.take(4, "its first bytes")
    base, _features, classes = struct.unpack_from(
        "<fIi", cursor.take(LEARNER_BYTES, "the learner's parameters")
    )
    objective, booster = cursor.text("the objective"), cursor.text("the booster's name")
    _refuse_others(where, objective, booster, classes)
    (count,) = struct.unpack_from("<i", cursor.take(BOOSTER_BYTES, "the booster's parameters"))
    if not 0 < count <= len(data) // TREE_BYTES:
        raise _Damaged(f"{count} trees in {len(data)} bytes")
    parts = []
    for tree in range(count):
        header = cursor.take(TREE_BYTES, f"tree {tree} of {count}")
        _roots, nodes, _deleted, _depth, _num_features, leaf_vector = struct.unpack_from(
            "<6i", header
        )
        if nodes < 1 or leaf_vector > 1:
            raise _Damaged(f"tree {tree} has {nodes} nodes and {leaf_vector} values a leaf")
        parts.append(
            np.frombuffer(cursor.take(nodes * NODE.itemsize, f"tree {tree} of {count}"), NODE)
        )
        cursor.take(nodes * STATISTICS_BYTES, f"tree {tree} of {count}")
    cursor.take(4 * count, "the list of trees")
    nodes = np.concatenate(parts)
    inner = nodes["left"] >= 0
    return Forest(
        offsets=np.cumsum([0, *map(len, parts)]),
        feature=np.where(inner, nodes["feature"] & 0x7FFFFFFF, 0).astype(
            np.int32
        ),  # bit 31: where missing goes
        threshold=nodes["value"],
        left=nodes["left"],
        right=np.where(inner, nodes["right"], np.int32(-1)),
        value=nodes["value"],
        base=float(np.float32(base)),
        inclusive=False,
    )


def _read_document(document: Any, where: str) -> Forest:
    learner = document.get("Model", document)["learner"]
    parameters, booster = learner["learner_model_param"], learner["gradient_booster"]
    outputs = max(int(parameters.get("num_class", 0)), int(parameters.get("num_target", 1)))
    _refuse_others(where, str(learner["objective"]["name"]), str(booster["name"]), outputs)
    trees = booster["model"]["trees"]
    if len(trees) != int(booster["model"]["gbtree_model_param"]["num_trees"]) or not trees:
        raise _Damaged(f"{len(trees)} trees")

    def column(key: str, dtype: type) -> np.ndarray:
        return np.concatenate([np.asarray(tree[key], dtype).reshape(-1) for tree in trees])

    sizes = [len(tree["left_children"]) for tree in trees]
    for tree, size in zip(trees, sizes, strict=True):
        if any(
            np.any(kind) for kind in (tree.get("split_type", ()), tree.get("categories_nodes", ()))
        ):
            raise UserError(
                f"{where}: an xgboost model with categorical splits; NAS-Bench-301's have none"
            )
        if any(
            len(tree[key]) != size
            for key in ("right_children", "split_indices", "split_conditions")
        ):
            raise _Damaged("a tree's lists differ in length")
    values = column("split_conditions", np.float32)
    return Forest(
        offsets=np.cumsum([0, *sizes]),
        feature=column("split_indices", np.int32),
        threshold=values,
        left=column("left_children", np.int32),
        right=column("right_children", np.int32),
        value=values,
        base=_base_score(parameters["base_score"]),
        inclusive=False,
    )


def _base_score(text: Any) -> float:
    """`5E-1`, or `[5E-1]` since 3.1."""
    return float(np.float32(str(text).strip("[]")))
