"""Genotypes as papers publish them and programs log them."""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import darts
from rlnas.bench.nb301.genotype import DartsSpace

# As in DARTS' genotypes.py.
DARTS_V2 = (
    "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
SHORT = (
    "0:sep_conv_3x3|1:sep_conv_3x3|0:sep_conv_3x3|1:sep_conv_3x3|0:skip_connect|1:sep_conv_3x3|"
    "0:skip_connect|2:dil_conv_3x3,0:max_pool_3x3|1:max_pool_3x3|1:max_pool_3x3|2:skip_connect|"
    "0:max_pool_3x3|2:skip_connect|1:max_pool_3x3|2:skip_connect"
)
CALL = DARTS_V2.partition(" = ")[2]
WANTED = darts.parse(SHORT)
Theirs = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
SWAPPED = namedtuple("Genotype", "reduce reduce_concat normal normal_concat")


def pairs(edges: Any) -> list[Any]:
    return [list(edges[i : i + 2]) for i in range(0, 8, 2)]


PLAIN = {name: list(value) for name, value in WANTED._asdict().items()}
NESTED = PLAIN | {name: pairs(PLAIN[name]) for name in darts.CELLS}
WEIGHTED = PLAIN | {name: [(*edge, 0.13) for edge in PLAIN[name]] for name in darts.CELLS}
NUMPY = PLAIN | {name: [(op, np.int64(i)) for op, i in PLAIN[name]] for name in darts.CELLS}
TEXTS = {
    "published": DARTS_V2,
    "bare": CALL,
    "qualified": f"genotypes.{CALL}",
    "more qualified": f"best = cnn.genotypes . {CALL}",
    "a log line": f"2019-03-05 07:21:33,482 INFO (epoch 49) genotype = {CALL}",
    "words after it": f"genotype = {CALL}, valid_acc 97.2 (best)",
    "over several lines": CALL.replace("), ", "),\n          "),
    "in quotes": f'"{CALL}"',
    "ranges": CALL.replace("[2, 3, 4, 5]", "range(2, 6)"),
    "lists of ranges": CALL.replace("[2, 3, 4, 5]", "list(range(2, 6))"),
    "numpy's numbers": CALL.replace("2, 3, 4, 5", "np.int64(2), numpy.int32(3), 4, int64(5)"),
    "numpy's inputs": CALL.replace("', 0)", "', np.int64(0))"),
    "numpy's arrays": CALL.replace("[2, 3, 4, 5]", "array([2, 3, 4, 5], dtype='int64')"),
    "without names": f"Genotype({PLAIN['normal']}, range(2, 6), {PLAIN['reduce']}, range(2, 6))",
    "nested pairs": str(darts.Genotype(**NESTED)),
    "with weights": str(darts.Genotype(**WEIGHTED)),
    "numpy in its text": str(darts.Genotype(**NUMPY)),
    "a dictionary": str(PLAIN),
    "an ordered dictionary": f"OrderedDict({list(PLAIN.items())})",
    "JSON": json.dumps(PLAIN),
    "JSON in a log": "best: " + json.dumps(NESTED, indent=1),
    "without concats": json.dumps({name: PLAIN[name] for name in darts.CELLS}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_read(name: str) -> None:
    assert darts.parse(TEXTS[name]) == WANTED
    assert DartsSpace().format(DartsSpace().parse(TEXTS[name])) == SHORT


@pytest.mark.parametrize(
    "found",
    [
        WANTED, tuple(WANTED), list(WANTED), PLAIN, NESTED, WEIGHTED, NUMPY, OrderedDict(PLAIN),
        Theirs(**PLAIN), SWAPPED(**PLAIN), WANTED._replace(normal_concat=range(2, 6)),
        WANTED._replace(reduce_concat=np.arange(2, 6)),
        WANTED._replace(normal=np.array(WANTED.normal)),
    ],
)  # fmt: skip
def test_objects_are_read(found: Any) -> None:
    assert darts.parse(found) == WANTED
    assert DartsSpace().format(DartsSpace().parse(found)) == SHORT


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CALL.replace("'skip_connect'", "'none'", 1), "found operation 'none' in the normal cell"),
        (CALL.replace("', 0)", "', np.int64('0'))", 1), r"found np.int64\('0'\) in a genotype"),
        (CALL.replace("', 0)", "', eval(1))", 1), r"found eval\(1\) in a genotype"),
        ("Genotype([('sep_conv_3x3', f(1))], 1, 2, 3)", r"found f\(1\) in a genotype"),
        (CALL.replace("', 0)", "', x)", 1), "found x in a genotype"),
        (CALL.replace("', 0)", "', 1 + 1)", 1), r"found 1 \+ 1 in a genotype"),
        (CALL.replace("', 0)", "' 0)", 1), "in a genotype; expected"),
        (CALL[:200], "whose brackets do not close"),
        (CALL.replace("normal=[", "normal=range(2, 10000), x=[", 1), r"found range\(2, 10000\)"),
        (CALL.replace("normal_concat", "concat", 1), "found the fields normal, concat, reduce"),
        (CALL.replace("normal=", "*", 1), "in a genotype; expected"),
        (f"{CALL} {CALL}", "found 2 genotypes"),
        (json.dumps({"normal": []}), "found the fields normal of a genotype; expected normal"),
        (SHORT.replace("1:", "x:", 1), "found 'x:sep_conv_3x3' in the normal cell"),
        ("Genotype(1, 2, 3, 4, 5)", r"found Genotype\(1, 2, 3, 4, 5\) in"),
        ("Genotype([], normal=[])", r"found Genotype\(\[\], normal=\[\]\) in"),
        (str(NESTED).replace("]], 'normal_concat'", "], 3], 'normal_concat'"), "node|edge|normal"),
    ],
)  # fmt: skip
def test_the_first_part_not_understood_is_named(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        darts.parse(text)
    assert "\n" not in str(error.value)


def test_nested_cells_and_weights_that_are_wrong() -> None:
    nested = pairs(WANTED.normal)
    nested[1] = nested[1][:1]
    with pytest.raises(UserError, match=r"node 3 of the normal cell is .* expected two edges"):
        darts.parse(NESTED | {"normal": nested})
    wrong = [(*edge, "heavy") for edge in WANTED.normal]
    with pytest.raises(UserError, match=r"found \('sep_conv_3x3', 0, 'heavy'\) in the normal cell"):
        darts.parse(PLAIN | {"normal": wrong})


def test_nothing_is_run(tmp_path: Any) -> None:
    file = tmp_path / "made"
    for code in (f"open({str(file)!r}, 'w')", f"list(open({str(file)!r}, 'w'))"):
        with pytest.raises(UserError):
            darts.parse(CALL.replace("range(2, 6)", code).replace("[2, 3, 4, 5]", code, 1))
    assert not file.exists()
