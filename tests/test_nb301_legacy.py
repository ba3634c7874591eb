"""Model files: parity with what wrote them, and what happens with damaged ones."""

from __future__ import annotations

import json
import pickle
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forests import random_forest
from rlnas.bench.errors import UserError
from rlnas.bench.nb301.forest import Forest, evaluate
from rlnas.bench.nb301.genotype import DartsSpace, official_features
from rlnas.bench.nb301.legacy import read_member
from rlnas.bench.nb301.lightgbm_format import read_lightgbm
from rlnas.bench.nb301.synthetic_ensemble import grow, to_xgboost
from rlnas.bench.nb301.ubjson import read_ubjson
from rlnas.bench.nb301.xgboost_format import read_xgboost

XGBOOST = b"cxgboost.core\nBooster\n"


def features(count: int, seed: int = 0) -> np.ndarray:
    keys = jax.random.split(jax.random.key(seed), count)
    return np.asarray(official_features(jax.vmap(DartsSpace().sample)(keys)))


def legacy(forest: Forest, binf: bool = True, snapshot: bool = True) -> bytes:
    """The binary form of xgboost 1.0 to 1.2, as a snapshot or as `save_model` wrote it."""
    out = b"binf" if binf else b""
    out += struct.pack("<fIiii", forest.base, 56, 0, 1, 0).ljust(136, b"\0")
    for text in (b"reg:squarederror", b"gbtree"):
        out += struct.pack("<Q", len(text)) + text
    out += struct.pack("<i", forest.trees).ljust(160, b"\0")
    for first, last in zip(forest.offsets[:-1], forest.offsets[1:], strict=True):
        out += struct.pack("<iiiiii", 1, last - first, 0, 0, 56, 0).ljust(148, b"\0")
        for node in range(first, last):
            inner = forest.left[node] >= 0
            where_missing = 1 << 31 if node % 2 else 0
            value = forest.threshold[node] if inner else forest.value[node]
            fields = (
                forest.left[node],
                forest.right[node],
                int(forest.feature[node]) | where_missing,
                value,
            )
            out += struct.pack("<iiiIf", -1, *fields)
        out += bytes(16 * (last - first))
    out += bytes(4 * forest.trees)
    return (
        b"CONFIG-offset:" + struct.pack("<q", len(out)) + out + b'{"learner":{}}'
        if snapshot
        else out
    )


def pickled(handle: bytes) -> bytes:
    """As Python 3 pickles an xgboost 1.1 booster, protocol 3."""
    before = b"\x80\x03" + XGBOOST + b")\x81}(X\x06\x00\x00\x00handlecbuiltins\nbytearray\nB"
    after = b"\x85RX\x07\x00\x00\x00boosterX\x06\x00\x00\x00gbtreeub."
    return before + struct.pack("<I", len(handle)) + handle + after


def read(data: bytes) -> Forest:
    return read_member(data, "there")


@pytest.mark.parametrize("kind", ["xgb_v1.0", "lgb_runtime_v1.0"])
def test_official_files_predict_as_the_official_code(real_data: Path, kind: str) -> None:
    from rlnas.bench.nb301.darts import Genotype
    from rlnas.bench.nb301.genotype import from_genotype

    folder = real_data / "nb301_official_layout"
    expected = json.loads((folder / f"expected_{kind}.json").read_text())
    for place, name in enumerate(expected["member_dirs"]):
        forest = read_member((folder / name / "surrogate_model.model").read_bytes(), name)
        for query in expected["queries"]:
            cells = [
                tuple((op, source) for op, source in query[cell]) for cell in ("normal", "reduce")
            ]
            genotype = Genotype(cells[0], (2, 3, 4, 5), cells[1], (2, 3, 4, 5))
            x = np.asarray(official_features(jnp.asarray(from_genotype(genotype))))
            assert evaluate(forest, x) == pytest.approx(query["members"][place], rel=1e-6)


@pytest.mark.parametrize("binf", [True, False])
@pytest.mark.parametrize("snapshot", [True, False])
def test_the_legacy_form_is_read_as_it_was_written(binf: bool, snapshot: bool) -> None:
    forest = random_forest(3)
    found = read(pickled(legacy(forest, binf, snapshot)))
    for key in ("offsets", "left", "right"):
        np.testing.assert_array_equal(getattr(found, key), getattr(forest, key))
    x = features(20)
    np.testing.assert_allclose(
        [evaluate(found, row) for row in x], [evaluate(forest, row) for row in x], rtol=1e-6
    )
    assert found.base == np.float32(forest.base) and not found.inclusive


@pytest.fixture(scope="module")
def booster() -> Any:
    import xgboost

    x = features(300)
    y = 90 + x[:, 10] - 0.3 * x[:, 33] * x[:, 15] + np.random.default_rng(0).normal(size=len(x))
    parameters = {"max_depth": 5, "base_score": 0.5, "nthread": 1, "seed": 0}
    return xgboost.train(parameters, xgboost.DMatrix(x, y), 12)


def xgboost_says(booster: Any, x: np.ndarray) -> np.ndarray:
    import xgboost

    return np.asarray(booster.predict(xgboost.DMatrix(x)))


@pytest.mark.parametrize("form", ["json", "ubj"])
def test_what_a_current_xgboost_saves(booster: Any, form: str) -> None:
    x = features(40, seed=1)
    forest = read_xgboost(bytes(booster.save_raw(form)), "there")
    assert forest.trees == 12
    np.testing.assert_allclose(
        [evaluate(forest, row) for row in x], xgboost_says(booster, x), rtol=1e-6
    )


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_what_a_current_xgboost_pickles(booster: Any, protocol: int) -> None:
    x = features(20, seed=2)
    forest = read(pickle.dumps(booster, protocol))
    np.testing.assert_allclose(
        [evaluate(forest, row) for row in x], xgboost_says(booster, x), rtol=1e-6
    )


def test_xgboost_reads_the_synthetic_model() -> None:
    import xgboost

    forest = grow(30, np.random.default_rng(0), depth=5)
    data = to_xgboost(forest)
    x = features(20)
    wanted = [evaluate(forest, row) for row in x]
    np.testing.assert_allclose(xgboost_says(xgboost.Booster(model_file=data), x), wanted, rtol=1e-6)
    np.testing.assert_allclose(
        [evaluate(read_xgboost(bytes(data), "there"), row) for row in x], wanted, rtol=1e-6
    )


LIGHTGBM = """tree
version=v3
num_class=1
num_tree_per_iteration=1
objective=regression

Tree=0
num_leaves=3
num_cat=0
split_feature=10 16
threshold=2.5000000000000004 1.0000000180025095e-35
decision_type=2 2
left_child=1 -1
right_child=-3 -2
leaf_value=1 2 4
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
leaf_value=8
shrinkage=1


end of trees

parameters:
[objective: regression]
"""


def test_a_lightgbm_text_model() -> None:
    forest = read_lightgbm(LIGHTGBM, "there")
    x = np.zeros((4, 56))
    x[:, 10] = 2, 2, 3, 0
    x[:, 16] = 0, 1, 0, 5
    assert [evaluate(forest, row) for row in x] == [9, 10, 12, 10]
    assert evaluate(read_lightgbm(LIGHTGBM, "there", best_iteration=1), x[2]) == 4
    assert evaluate(read_lightgbm(LIGHTGBM, "there", best_iteration=-1), x[2]) == 12


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("objective=regression", "objective=binary sigmoid:1", "expected plain regression"),
        ("objective=regression", "objective=regression sqrt", "expected plain regression"),
        ("num_class=1", "num_class=3", "expected plain regression"),
        ("num_cat=0", "num_cat=1", "categorical or linear"),
        ("decision_type=2 2", "decision_type=6 2", "takes 0 for missing"),
        ("leaf_value=1 2 4", "leaf_value=1 2", "tree 0 has 2 values of leaf_value, expected 3"),
        ("leaf_value=1 2 4", "leaf_value=1 2 x", "damaged LightGBM"),
        ("right_child=-3 -2", "right_child=-3 -9", "no leaf of it"),
        ("num_leaves=3", "num_leaves=0", "categorical or linear"),
        ("end of trees", "", "no end of trees"),
        ("Tree=", "tree ", "no trees"),
    ],
)
def test_other_lightgbm_models_are_refused(old: str, new: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"there: .*{reason}"):
        read_lightgbm(LIGHTGBM.replace(old, new), "there")


def test_what_a_current_lightgbm_pickles() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    x = features(400)
    y = 7000 + 30 * x[:, 10] * x[:, 33] + np.random.default_rng(0).normal(size=len(x))
    parameters = {"num_leaves": 17, "objective": "regression", "verbosity": -1, "num_threads": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lightgbm.train(parameters, lightgbm.Dataset(x, y), 10)
        wanted = model.predict(x[:30])
    forest = read(pickle.dumps(model))
    assert forest.inclusive
    np.testing.assert_allclose(
        [evaluate(forest, row) for row in x[:30].astype(np.float64)], wanted, rtol=1e-12
    )


@pytest.mark.parametrize("wrap", [pickled, bytes])
def test_a_cut_off_model_is_refused(wrap: Callable[[bytes], bytes]) -> None:
    """Cut everywhere: in the pickle, the offset, the parameters, each tree, the list behind the
    trees."""
    whole = legacy(random_forest(0, trees=2, depth=3))
    end = len(whole) - len(b'{"learner":{}}')
    for size in {*range(0, 700), *range(700, end, 7), end - 1}:
        with pytest.raises(UserError, match="there: "):
            read(pickled(whole)[:size]) if wrap is pickled else read_xgboost(whole[:size], "there")


@pytest.mark.parametrize("form", ["json", "ubj"])
def test_a_cut_off_document_is_refused(booster: Any, form: str) -> None:
    whole = bytes(booster.save_raw(form))
    for size in {*range(1, 60), *range(60, len(whole), len(whole) // 60), len(whole) - 1}:
        with pytest.raises(UserError, match="there: damaged"):
            read_xgboost(whole[:size], "there")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda model: model["learner"]["objective"].update(name="rank:ndcg"),
            "objective 'rank:ndcg'",
        ),
        (lambda model: model["learner"]["gradient_booster"].update(name="dart"), "booster 'dart'"),
        (lambda model: model["learner"]["learner_model_param"].update(num_class="3"), "3 outputs"),
        (lambda model: model["learner"]["learner_model_param"].update(base_score="x"), "damaged"),
        (lambda model: trees_of(model).pop(), "11 trees"),
        (lambda model: trees_of(model)[3]["split_indices"].pop(), "differ in length"),
        (lambda model: trees_of(model)[3]["split_type"].__setitem__(0, 1), "categorical"),
        (lambda model: model.pop("learner"), "no 'learner'"),
    ],
)
def test_other_xgboost_models_are_refused(
    booster: Any, change: Callable[[Any], Any], reason: str
) -> None:
    model = json.loads(booster.save_raw("json"))
    change(model)
    with pytest.raises(UserError, match=f"there: .*{reason}"):
        read_xgboost(json.dumps(model).encode(), "there")


def test_ubjson_has_no_more_values_than_bytes() -> None:
    """Items of a type without content take no bytes; there is one budget for all containers."""
    items = b"[$T#l" + struct.pack(">i", 30_000)
    assert read_ubjson(items + bytes(30_000)) == [True] * 30_000
    with pytest.raises(ValueError, match=r"more values than bytes|items at byte"):
        read_ubjson(b"[" + items * 6000)


def trees_of(model: Any) -> Any:
    return model["learner"]["gradient_booster"]["model"]["trees"]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("left", 10_000, "outside its tree"),
        ("right", -7, "outside its tree"),
        ("feature", 56, "beyond the 56"),
        ("value", np.nan, "is no number"),
    ],
)
def test_nodes_that_cannot_be_are_refused(key: str, value: float, reason: str) -> None:
    forest = random_forest(0)
    place = int(np.flatnonzero((forest.left < 0) == (key == "value"))[0])
    getattr(forest, key)[place] = value
    with pytest.raises(UserError, match=f"there: .*{reason}"):
        forest.check("there", 56)


def test_ubjson_values() -> None:
    document = (
        b"{i\x01a[$l#i\x02\0\0\0\x01\xff\xff\xff\xffi\x01b[i\x05SU\x02xyTFZ]"
        b"i\x01c{#i\x01i\x01dD?\xf0\0\0\0\0\0\0}"
    )
    found = read_ubjson(document)
    assert (
        found["a"].tolist() == [1, -1]
        and found["b"] == [5, "xy", True, False, None]
        and found["c"] == {"d": 1.0}
    )
    for bad in (
        b"[" * 100,
        b"[$l]",
        b"[#l\x7f\xff\xff\xff",
        b"?",
        b"{i\xff",
        b"[$l#l\x7f\xff\xff\xff",
        b"SZ",
    ):
        with pytest.raises(ValueError, match=r"byte|levels|parse|type"):
            read_ubjson(bad)
