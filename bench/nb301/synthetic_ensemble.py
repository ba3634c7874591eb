"""A synthetic ensemble of the official one's size, for measuring: its predictions mean nothing.

The official trees were fitted to about 51,000 architectures with 14 of the 56 features a tree
(colsample_bytree .2545; 42 % of the features are constants, so a tree tests 8 to 9), 9 of those a
level, at least 39 architectures a leaf and depth at most 13. Trees grown here obey the same limits;
their splits are drawn at random, and the architectures in a node are computed, not counted. Trained
with the official hyperparameters on 57,000 random architectures, xgboost 3.2 gives 893 nodes a
tree, 447 leaves, mean leaf depth 10.6, 8.6 features and 55.6 distinct splits; these have 885, 443,
10.4, 8.5 and 55.4.

Members after the first have its trees with features of equal range exchanged and leaves of their
own, which costs as much to evaluate and less to make.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rlnas.bench.nb301.forest import Forest
from rlnas.bench.nb301.genotype import CONSTANTS, FEATURE_OF_CODE, NUM_CODES
from rlnas.bench.nb301.leafsets import HIGHEST, LOWEST, LeafSets, pack

MEMBERS, TREES, DEPTH = 10, 11_822, 13
SAMPLES, LEAST = 51_300, 39
COLUMNS, COLUMNS_A_LEVEL = 14, 9
MEAN, SPREAD = 93.0, 0.5  # percent


def _cumulated() -> np.ndarray:
    """float [34, 13]: the share of random architectures whose code is below v, at place v + 1."""
    present = np.array([2 / node for node in (2, 3, 4, 5) for _ in range(node)])
    shares = np.zeros((NUM_CODES, 12))
    shares[:28, 1:8] = np.tile(present, 2)[:, None] / 7
    shares[:28, 0] = 1 - np.tile(present, 2)
    for code in range(28, NUM_CODES):
        shares[code, 1 : HIGHEST[code] + 2] = 1 / (HIGHEST[code] + 1)
    return np.concatenate([np.zeros((NUM_CODES, 1)), shares.cumsum(1)], axis=1)


def grow(
    trees: int, rng: np.random.Generator, depth: int = DEPTH, samples: float = SAMPLES
) -> Forest:
    """Random trees within the official limits; nodes in xgboost's order, level by level."""
    below = _cumulated()
    varying = np.full(len(CONSTANTS), -1)
    varying[FEATURE_OF_CODE] = np.arange(NUM_CODES)
    columns = rng.random((trees, len(CONSTANTS))).argsort(1)[:, :COLUMNS]
    tree, number = np.arange(trees), np.zeros(trees, np.int64)
    low, high = (np.tile(bound, (trees, 1)) for bound in (LOWEST, HIGHEST))
    count, sizes = np.full(trees, float(samples)), np.ones(trees, np.int64)
    parts = []
    for level in range(depth + 1):
        nodes = len(tree)
        each = np.arange(nodes)
        order = rng.random((trees, COLUMNS)).argsort(1)[:, :COLUMNS_A_LEVEL]
        codes = varying[np.take_along_axis(columns, order, 1)]
        allowed = np.zeros((trees, NUM_CODES + 1), bool)
        allowed[np.arange(trees)[:, None], codes] = True  # the constants fall into the last column
        open_ = allowed[tree, :-1] & (low < high)
        code = np.where(open_, rng.random(open_.shape, np.float32), -1).argmax(1)
        first, last = low[each, code].astype(int), high[each, code].astype(int)
        limit = first + 1 + rng.integers(np.maximum(last - first, 1))
        bottom, top = below[code, first + 1], below[code, last + 2]
        share = (below[code, limit + 1] - bottom) / (top - bottom)
        split = open_.any(1) & (np.minimum(share, 1 - share) * count >= LEAST) & (level < depth)
        children = np.full(nodes, -1, np.int64)
        mine = tree[split]
        before = np.bincount(mine, minlength=trees)
        place = np.arange(len(mine)) - np.repeat(np.cumsum(before) - before, before)
        children[split] = sizes[mine] + 2 * place
        sizes += 2 * before
        value = (rng.normal(size=nodes) * SPREAD / np.sqrt(trees)).astype(np.float32)
        threshold = np.where(split, limit - 0.5, value).astype(np.float32)
        parts.append((tree, number, np.where(split, FEATURE_OF_CODE[code], 0), threshold, children))
        at, limits = each[split], limit[split].astype(np.int8)
        low_right, high_left = low[at].copy(), high[at].copy()
        high_left[np.arange(len(at)), code[split]] = limits - 1
        low_right[np.arange(len(at)), code[split]] = limits
        # Siblings side by side, so that the nodes of a tree stay together and in order.
        low = np.stack([low[at], low_right], 1).reshape(-1, NUM_CODES)
        high = np.stack([high_left, high[at]], 1).reshape(-1, NUM_CODES)
        count = (count[at, None] * np.stack([share[at], 1 - share[at]], 1)).reshape(-1)
        number = np.stack([children[at], children[at] + 1], 1).reshape(-1)
        tree = np.repeat(tree[at], 2)
    tree, number, feature, threshold, children = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    offsets = np.concatenate([[0], sizes.cumsum()])
    place = np.empty(len(tree), np.int64)
    place[offsets[tree] + number] = np.arange(len(tree))
    left = children[place].astype(np.int32)
    return Forest(
        offsets=offsets,
        feature=feature[place].astype(np.int32),
        threshold=threshold[place],
        left=left,
        right=np.where(left >= 0, left + 1, -1).astype(np.int32),
        value=threshold[place],
        base=MEAN,
        inclusive=False,
    )


def exchanged(
    forest: Forest, packed: LeafSets, rng: np.random.Generator
) -> tuple[Forest, LeafSets]:
    """The same member with features of equal range exchanged and leaves of its own, as nodes and
    packed."""
    to = np.arange(NUM_CODES)
    ranges = np.stack([LOWEST, HIGHEST], 1)
    for bounds in np.unique(ranges, axis=0):
        alike = np.flatnonzero((ranges == bounds).all(1))
        to[alike] = rng.permutation(alike)
    of_feature = np.arange(len(CONSTANTS))
    of_feature[FEATURE_OF_CODE] = FEATURE_OF_CODE[to]
    row = np.empty_like(packed.row)
    row[:, to] = packed.row
    # Leaves are scaled, not drawn: node and packed order differ.
    factor = np.float32(rng.uniform(0.5, 1.5))
    value = np.where(forest.left < 0, forest.value * factor, forest.value)
    base = forest.base + (packed.base - forest.base) * float(factor)
    return (
        replace(
            forest,
            feature=of_feature[forest.feature].astype(np.int32),
            value=value,
            threshold=value,
        ),
        replace(packed, row=row, leaves=packed.leaves * factor, base=base),
    )


def members(
    count: int, trees: int, seed: int = 0, depth: int = DEPTH
) -> Iterator[tuple[Forest, LeafSets]]:
    """The members one by one, as nodes and packed: the same trees."""
    rng = np.random.default_rng(seed)
    forest = grow(trees, rng, depth)
    packed = pack(forest)
    yield forest, packed
    for _ in range(count - 1):
        yield exchanged(forest, packed, rng)


def to_xgboost(forest: Forest) -> bytearray:
    """The UBJSON model that a current xgboost's `Booster(model_file=...)` loads."""
    size = np.diff(forest.offsets)
    parent = np.full(len(forest.left), 2**31 - 1, np.int32)
    start = np.repeat(forest.offsets[:-1], size)
    inner = np.flatnonzero(forest.left >= 0)
    for child in (forest.left, forest.right):
        parent[start[inner] + child[inner]] = inner - start[inner]
    ones = np.ones(int(size.max()), np.float32)
    columns = {
        "split_conditions": np.where(forest.left >= 0, forest.threshold, forest.value).astype(
            ">f4"
        ),
        "split_indices": forest.feature.astype(">i4"),
        "left_children": forest.left.astype(">i4"),
        "right_children": forest.right.astype(">i4"),
        "parents": parent.astype(">i4"),
    }
    floats, bytes_ = ones.astype(">f4"), np.zeros(int(size.max()), np.uint8)
    out = bytearray()
    out += (
        b"{" + _key("learner") + b"{" + _key("attributes") + b"{}" + _key("feature_names") + b"[]"
    )
    out += _key("feature_types") + b"[]" + _key("gradient_booster") + b"{" + _key("model") + b"{"
    out += _texts("gbtree_model_param", num_parallel_tree="1", num_trees=str(forest.trees))
    out += _key("iteration_indptr") + _list(np.arange(forest.trees + 1))
    out += _key("tree_info") + _list(np.zeros(forest.trees, int))
    out += _key("trees") + b"[#L" + struct.pack(">q", forest.trees)
    for number, (first, last) in enumerate(
        zip(forest.offsets[:-1].tolist(), forest.offsets[1:].tolist(), strict=True)
    ):
        nodes = last - first
        out += b"{" + _key("id") + b"l" + struct.pack(">i", number)
        for key, values in columns.items():
            out += _key(key) + _array("d" if key == "split_conditions" else "l", values[first:last])
        for key in ("base_weights", "loss_changes", "sum_hessian"):
            out += _key(key) + _array("d", floats[:nodes])
        for key in ("default_left", "split_type"):
            out += _key(key) + _array("U", bytes_[:nodes])
        for key, kind in (("categories", "l"), ("categories_nodes", "l")):
            out += _key(key) + _array(kind, np.zeros(0, ">i4"))
        for key in ("categories_segments", "categories_sizes"):
            out += _key(key) + _array("L", np.zeros(0, ">i8"))
        size_text, width = str(nodes), str(len(CONSTANTS))
        out += (
            _texts(
                "tree_param",
                num_deleted="0",
                num_feature=width,
                num_nodes=size_text,
                size_leaf_vector="1",
            )
            + b"}"
        )
    out += b"}" + _key("name") + _text("gbtree") + b"}"
    base = f"{forest.base:.9g}"
    out += _texts(
        "learner_model_param",
        base_score=base,
        boost_from_average="0",
        num_class="0",
        num_feature=width,
        num_target="1",
    )
    out += _key("objective") + b"{" + _texts("reg_loss_param", scale_pos_weight="1")
    out += _key("name") + _text("reg:squarederror") + b"}}"
    out += _key("version") + b"[" + b"".join(b"i" + bytes([number]) for number in (2, 1, 0)) + b"]}"
    return out


def _key(name: str) -> bytes:
    return b"L" + struct.pack(">q", len(name)) + name.encode()


def _text(value: str) -> bytes:
    return b"S" + _key(value)


def _texts(name: str, **values: str) -> bytes:
    return (
        _key(name)
        + b"{"
        + b"".join(_key(key) + _text(value) for key, value in values.items())
        + b"}"
    )


def _array(kind: str, values: np.ndarray) -> bytes:
    return b"[$" + kind.encode() + b"#L" + struct.pack(">q", len(values)) + values.tobytes()


def _list(values: np.ndarray) -> bytes:
    """Integers one by one: where xgboost expects no typed array."""
    head = b"[#L" + struct.pack(">q", len(values))
    return head + b"".join(b"l" + struct.pack(">i", value) for value in values.tolist())
