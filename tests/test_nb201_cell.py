"""NAS-Bench-201's and TransNAS-Bench-101's cells: texts, the official order, isomorphic cells and
sizes, against the real samples as well."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb201_tables import text
from rlnas.bench.errors import UserError
from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.cell import NB201, TRANSNAS, VARIANTS
from rlnas.bench.nb201.skeleton import nb201, trainable_parameters, transnas

CELLS = st.tuples(*[st.integers(0, 4)] * 6)


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@given(CELLS)
def test_texts_come_back(digits: tuple[int, ...]) -> None:
    assert cell.from_text(NB201, cell.to_text(NB201, digits)) == digits
    assert cell.from_text(NB201, "".join(map(str, digits))) == digits
    if max(digits) < 4:
        assert cell.from_text(TRANSNAS, cell.to_text(TRANSNAS, digits)) == digits


def test_the_official_forms() -> None:
    assert cell.to_text(NB201, (0, 1, 2, 3, 4, 0)) == (
        "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
    )
    # The example of TransNASBench's README.
    assert cell.from_text(TRANSNAS, "64-41414-1_02_333") == (1, 0, 2, 3, 3, 3)
    assert cell.to_text(TRANSNAS, (1, 0, 2, 3, 3, 3)) == "64-41414-1_02_333"


def test_the_official_order() -> None:
    """As asserted in NAS-Bench-201's own exps/NAS-Bench-201/main.py."""
    known = {
        0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
        "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
        9: "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
        123: "|avg_pool_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+"
        "|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
    }
    assert {number: text(number) for number in known} == known
    for variant in VARIANTS:
        assert len(set(cell.official_order(variant))) == variant.size


@pytest.mark.parametrize(
    ("variant", "wrong", "says"),
    [
        (NB201, "conv", "expected |op~0|"),
        (NB201, "|none~0|+|none~0|none~1|", "[1, 2]"),
        (NB201, "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", "'none~0'"),
        (NB201, "|none~0|+|none~0|max~1|+|none~0|none~1|none~2|", "'max~1'"),
        (NB201, "000005", "'000005'"),
        (TRANSNAS, "000004", "from 0 to 3"),
        (TRANSNAS, "|none~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|", "avg_pool_3x3~2"),
    ],
)
def test_texts_that_are_no_cells(variant: cell.Variant, wrong: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        cell.from_text(variant, wrong)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_isomorphic_cells() -> None:
    def unique(variant: cell.Variant, word: str) -> str:
        return cell.unique_text(variant, tuple(map(int, word)))

    # A convolution on 0->1 and a skip on 1->3 is the convolution on 0->3.
    assert unique(NB201, "300010") == unique(NB201, "000300") != unique(NB201, "300020")
    # The same through node 2, whose sum is spelled with a nothing in it: the rule does not see it.
    assert unique(NB201, "030001") != unique(NB201, "000300")
    # A skip into node 1 is the input again, but a convolution in TransNAS's strided cells.
    assert unique(NB201, "100020") == unique(NB201, "000200")
    assert unique(TRANSNAS, "100020") != unique(TRANSNAS, "000200")
    assert unique(TRANSNAS, "300010") == unique(TRANSNAS, "000300")
    for variant, distinct in ((NB201, 6466), (TRANSNAS, 1696)):
        found = np.array(cell.representatives(variant))
        assert len(set(found)) == distinct
        assert (found[found] == found).all() and (found <= np.arange(variant.size)).all()


def test_sizes_by_hand() -> None:
    nothing, conv = (0,) * 6, (3, 0, 0, 0, 0, 0)
    # One stage of one cell of one channel on one grey pixel: stem 9 + 2, last norm 2, classifier 4.
    tiny = {"classes": 2, "channels": 1, "cells": 1, "stages": 1, "in_channels": 1}
    one = nb201(channels=1, modules=1, cells=1, in_channels=1)
    assert trainable_parameters(nothing, one, classes=2) == 11 + 2 + 4
    assert trainable_parameters(conv, one, classes=2) == 11 + 2 + 4 + 9 + 2
    # Stem (9 + 2), last norm and ReLU 3, global pool (1 + 1)^2, classifier 2; the cell's 9 + 3.
    assert cell.flops(nothing, side=1, **tiny) == 11 + 3 + 4 + 2
    assert cell.flops(conv, side=1, **tiny) == 11 + 3 + 4 + 2 + 9 + 3
    assert trainable_parameters(nothing, nb201()) == 73_306
    assert trainable_parameters(nothing, nb201(), classes=100) == 79_156


def test_sizes_of_transnas_by_hand() -> None:
    """Channels 32, 64 in the stem, then 128, 128, 256, 256, 512 by module of two cells."""
    stem = 9 * 3 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64
    head = 512 * 47 + 47
    made = transnas()
    assert trainable_parameters((0,) * 6, made, classes=47) == stem + head == 43_599
    # Into node 3 from node 0: it widens in the first cells of the modules 1, 3 and 5.
    wide, same = ((64, 128), (128, 256), (256, 512)), (128, 128, 128, 256, 256, 256, 512)
    for digit, area in ((2, 1), (3, 9)):
        edge = sum(area * a * b + 2 * b for a, b in wide) + sum(area * w * w + 2 * w for w in same)
        digits = (0, 0, 0, digit, 0, 0)
        assert trainable_parameters(digits, made, classes=47) == stem + edge + head
    # A skip is two 1 x 1 convolutions to half of the channels there, and nothing elsewhere.
    skip = sum(a * b + 2 * b for a, b in wide)
    assert trainable_parameters((0, 0, 0, 1, 0, 0), made, classes=47) == stem + skip + head
    # Between inner nodes the channels are those of the output: 2 cells a module.
    inner = sum(9 * w * w + 2 * w for w in (128, 128, 128, 128, 256, 256, 256, 256, 512, 512))
    assert trainable_parameters((0, 0, 3, 0, 0, 0), made, classes=47) == stem + inner + head
    assert trainable_parameters((0, 0, 0, 0, 1, 1), made, classes=47) == stem + head


@pytest.mark.long
def test_strings_order_and_sizes_of_the_real_sample(real_data: Path) -> None:
    found = rows(real_data / "nb201_accuracy_c10v_c100.csv.gz")
    assert len(found) == NB201.size
    for number, row in enumerate(found):
        digits = cell.official_order(NB201)[number]
        assert (int(row["idx"]), row["arch"]) == (number, cell.to_text(NB201, digits))
        sizes = trainable_parameters(digits, nb201()), cell.flops(digits)
        said = (round(1e6 * float(row[key])) for key in ("params_m_c10", "flops_m_c10"))
        assert sizes == tuple(said), row["arch"]


def test_isomorphic_cells_of_the_real_sample(real_data: Path) -> None:
    """HW-NAS-Bench-360 measured every isomorphic cell once."""
    found = rows(real_data / "nb201_hw360_cifar100.csv.gz")
    assert [int(row["rep_idx"]) for row in found] == list(cell.representatives(NB201))


def test_the_order_of_the_transnas_sample(real_data: Path) -> None:
    found = rows(real_data / "tnb101_micro_4tasks.csv.gz")
    order = [cell.from_text(TRANSNAS, row["arch_ops"]) for row in found]
    assert order == list(cell.official_order(TRANSNAS))
