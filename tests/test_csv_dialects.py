"""CSV files as spreadsheets, pandas and people write them, through both importers: read, or refused
by name."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nb201_tables import text as cell_text
from rlnas.bench.csv_file import name_of
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.import_csv import import_csv
from rlnas.bench.nb101.table import Table
from rlnas.bench.nb201.import_csv import import_csv as import_nb201

HASHES = [digest.tobytes().hex() for digest in graph.hashes(4)]
VAL, TEST, SECONDS = [91.5, 92.25, 93.0], [81.5, np.nan, 83.0], [10.0, 20.5, 1e3]


def nb101(path: Path, **options: Any) -> Any:
    target = path.parent / "out" / "t.npz"
    import_csv(path, target, name="t", max_vertices=4, progress=False, **options)
    return Table.load(target)


def nb201(path: Path, **options: Any) -> Any:
    return import_nb201(path, path.parent / "out", **options).tables[0]


FRAMES = {
    "nb101": pd.DataFrame(
        {"module_hash": HASHES[:3], "val_4": VAL, "test_4": TEST, "seconds_4": SECONDS}
    ),
    "nb201": pd.DataFrame(
        {
            "arch": list(map(cell_text, range(3))),
            "cifar100_val": VAL,
            "cifar100_test": TEST,
            "cifar100_seconds": SECONDS,
        }
    ),
}
READERS = {"nb101": partial(nb101, percent=True), "nb201": nb201}
BOTH = pytest.mark.parametrize("family", FRAMES)


def quoted(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, quoting=csv.QUOTE_ALL)


def plain(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


def european(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, sep=";", decimal=",")


def headed(frame: pd.DataFrame, change: Callable[[str], str]) -> str:
    return frame.rename(columns=change).to_csv(index=False)


def signed(frame: pd.DataFrame, write: Callable[[pd.DataFrame], str], sign: str) -> str:
    """Accuracies with a % sign."""
    mark = "," if write is european else "."
    shown = frame.copy()
    for column in frame.columns[1:3]:
        numbers = [str(x).replace(".", mark) + sign for x in frame[column]]
        shown[column] = ["" if text.startswith("nan") else text for text in numbers]
    return write(shown)


DIALECTS: dict[str, Callable[[pd.DataFrame], str | bytes]] = {
    "plain": plain,
    "semicolons and decimal commas": european,
    "semicolons": lambda f: f.to_csv(index=False, sep=";"),
    "tabs": lambda f: f.to_csv(index=False, sep="\t"),
    "tabs and decimal commas": lambda f: f.to_csv(index=False, sep="\t", decimal=","),
    "pandas' index": lambda f: f.to_csv(),
    "a named index": lambda f: f.to_csv(index_label="index"),
    "an index written twice": lambda f: f.reset_index().to_csv(),
    "R's row names": lambda f: f.to_csv().removeprefix(","),
    "everything in quotes": quoted,
    "spaces after commas": lambda f: quoted(f).replace('","', '", "'),
    "Windows' line ends": lambda f: plain(f).replace("\n", "\r\n"),
    "old line ends": lambda f: plain(f).replace("\n", "\r"),
    "a BOM": lambda f: plain(f).encode("utf-8-sig"),
    "UTF-16": lambda f: european(f).encode("utf-16"),
    "gzip": lambda f: gzip.compress(plain(f).encode()),
    "Excel's first line": lambda f: "sep=;\r\n" + european(f),
    "more columns and lines": lambda f: plain(f).replace("\n", ",,\n") + ",,,,,\n\n ,,,,,\n",
    "names in capitals": lambda f: headed(f, str.upper),
    "names with spaces": lambda f: headed(f, lambda name: f" {name.replace('_', ' ').title()} "),
    "a unit in the name": lambda f: headed(f, lambda n: n + " (%)" * ("val" in n or "test" in n)),
    **{f"nothing is {na!r}": partial(lambda f, na: f.to_csv(index=False, na_rep=na), na=na)
       for na in ("NA", "N/A", "nan", "NaN", "null", "None", "-", "#N/A", "<NA>", " ")},
}  # fmt: skip


def check(table: Any) -> None:
    for values, expected in ((table.val, VAL), (table.test, TEST)):
        known = np.asarray(values).reshape(-1)[:3]
        np.testing.assert_allclose(known, np.array(expected) / 100, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(table.seconds).reshape(-1)[:3], SECONDS)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@BOTH
@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_are_read(family: str, dialect: str, tmp_path: Path) -> None:
    check(READERS[family](written(tmp_path, DIALECTS[dialect](FRAMES[family]))))


@BOTH
@pytest.mark.parametrize("sign", ["%", " %"])
@pytest.mark.parametrize("write", [plain, european])
@pytest.mark.parametrize("option", [False, True])
def test_percent_signs_go_before_options(
    family: str, write: Any, sign: str, option: bool, tmp_path: Path
) -> None:
    path = written(tmp_path, signed(FRAMES[family], write, sign))
    name = {"nb101": "percent", "nb201": "fractions"}[family]
    check({"nb101": nb101, "nb201": nb201}[family](path, **{name: option}))


REFUSED: dict[str, tuple[Callable[[pd.DataFrame], str | bytes], str]] = {
    "an Excel workbook": (lambda f: b"PK\x03\x04\0\0", "an Excel workbook; save its sheet as CSV"),
    "parquet": (lambda f: b"PAR1\0\0", "a parquet file"),
    "UTF-16 without its mark": (lambda f: plain(f).encode("utf-16-le"), "UTF-16 without its mark"),
    "Latin letters": (lambda f: plain(f).encode() + b"\xe9", "expected CSV text in UTF-8"),
    "nothing": (lambda f: b"", "empty file; expected a header line"),
    "a header": (lambda f: plain(f[:0]), "a header and no lines"),
    "a quote that does not end": (lambda f: plain(f) + '"', "unexpected end of data"),
    "thousands": (lambda f: plain(f).replace("1000.0", '"1,000.0"'), "is '1,000.0'; expected a"),
    "decimal commas with commas": (lambda f: plain(f).replace("91.5", '"91,5"'), "is '91,5'"),
    "an error of a formula": (lambda f: plain(f).replace("91.5", "#DIV/0!"), "is '#DIV/0!'"),
    "digits with underscores": (lambda f: plain(f).replace("91.5", "9_1"), "is '9_1'; expected"),
    "a sign here and there": (lambda f: plain(f).replace("91.5", "91.5%"), "expected a % sign, as"),
    "above 100": (lambda f: plain(f).replace("91.5", "101"), "above 100, expected a percentage"),
    "a fraction among percentages": (lambda f: plain(f).replace("92.25", "0.15"), "is 0.15; guess"),
    "a longer line": (lambda f: plain(f) + "a,1,2,3,4\n", "line 5: 5 fields, expected 4"),
}


@BOTH
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_read_is_named(family: str, what: str, tmp_path: Path) -> None:
    write, says = REFUSED[what]
    path = written(tmp_path, write(FRAMES[family]))
    with pytest.raises(UserError) as error:
        READERS[family](path)
    assert says in str(error.value) and "t.csv" in str(error.value)
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.long
@BOTH
def test_spoilt_files_are_one_line(family: str, tmp_path: Path) -> None:
    text = plain(FRAMES[family])
    ends = st.integers(0, len(text))
    spoilt = st.one_of(st.text(max_size=4), st.sampled_from(['"', ",", ";", "\n", "%", "\0", "e9"]))

    @settings(max_examples=80, deadline=None, derandomize=True, database=None)
    @given(ends, st.integers(0, 12), spoilt, st.sampled_from(["utf-8", "utf-16", "latin-1"]))
    def check(start: int, length: int, new: str, encoding: str) -> None:
        content = text[:start] + new + text[start + length :]
        try:
            READERS[family](written(tmp_path, content.encode(encoding, "replace")))
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 2000

    check()


@BOTH
def test_units_are_judged_a_column_at_a_time(family: str, tmp_path: Path) -> None:
    """One accuracy in percent, the other a fraction: no option for the whole file is true."""
    frame = FRAMES[family].copy()
    val, test = frame.columns[1:3]
    frame[test] /= 100
    path = written(tmp_path, plain(frame))
    percents, fractions = {
        "nb101": (partial(nb101, percent=True), nb101),
        "nb201": (nb201, partial(nb201, fractions=True)),
    }[family]
    with pytest.raises(UserError, match=rf"{test} goes from 0\.815 to 0\.83, so it holds no per"):
        percents(path)
    with pytest.raises(UserError, match=rf"line 2: {val} is 91\.5; above 1, expected a fraction"):
        fractions(path)
    check(percents(path, columns=[f"{test}={test}_fraction"]))
    check(fractions(path, columns=[f"{val}={val}_percent"]))
    with pytest.raises(UserError, match=f"{test} goes from"):
        fractions(path, columns=[f"{val}={val}_percent", f"{test}={test}_percent"])


def test_names_are_compared_without_case_spaces_and_units() -> None:
    for text, name in {
        " Validation Accuracy (%) ": ("validation_accuracy", True),
        "val-acc [percent]": ("val_acc", True),
        "val_acc%": ("val_acc", True),
        "val_acc_pct": ("val_acc", True),
        "test_accuracy_fraction": ("test_accuracy", False),
        "training time (s)": ("training_time", None),
        "training time (h)": ("training_time_(h)", None),
        "val": ("val", None),
    }.items():
        assert tuple(name_of(text)) == name


def test_short_names_of_nas_bench_101(tmp_path: Path) -> None:
    text = (
        "hash,val_4,test_4,train_4,seconds_4,val_108,val_108_repeat_1,valid 108 epochs repeat 2\n"
        f"{HASHES[1]},.1,.2,.3,4,.5,.6,.7\n"
    )
    table = nb101(written(tmp_path, text))
    assert table.epochs.tolist() == [4, 108] and table.repeats == 3
    np.testing.assert_allclose(table.val[0, 1], [0.5, 0.6, 0.7], rtol=1e-6)
    assert [float(x[0, 0, 0]) for x in (table.test, table.train, table.seconds)] == [
        np.float32(0.2), np.float32(0.3), 4
    ]  # fmt: skip
    text = f"hash,repeat_1,repeat_2,repeat3\n{HASHES[1]},.1,.2,.3\n"
    table = nb101(written(tmp_path, text), epochs=108)
    np.testing.assert_allclose(table.val[0, 0], [0.1, 0.2, 0.3], rtol=1e-6)
    text = f"hash,val,test,train,seconds,repeat,epochs\n{HASHES[1]},.1,.2,.3,4,7,108.0\n"
    table = nb101(written(tmp_path, text))
    assert float(table.val[0, 0, 0]) == np.float32(0.1) and table.epochs.tolist() == [108]


# input -> maxpool3x3 -> conv1x1 -> output, and an edge from the input to the output
MATRIX = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
OPS = ["input", "maxpool3x3", "conv1x1-bn-relu", "output"]
SPELLED = {
    "digits": "0101001000010000",
    "rows of digits": "0101 0010 0001 0000",
    "Python": str(MATRIX.tolist()),
    "Python's booleans": str(MATRIX.astype(bool).tolist()),
    "numpy": str(MATRIX),
    "numpy's booleans": str(MATRIX.astype(bool)),
    "numpy's floats": str(MATRIX.astype(float)),
    "numpy's own form": repr(MATRIX),
    "numpy's booleans' form": repr(MATRIX.astype(np.uint8)),
    "escaped line ends": str(MATRIX).replace("\n", "\\n"),
    "torch": f"tensor({MATRIX.tolist()}, dtype=torch.uint8)",
}
OPERATIONS = {
    "bars": "|".join(OPS),
    "commas": ",".join(OPS),
    "Python": str(OPS),
    "numpy": str(np.array(OPS)),
    "spaces": " ".join(OPS),
}


@pytest.mark.parametrize("edges", SPELLED)
@pytest.mark.parametrize("ops", OPERATIONS)
def test_cells_as_they_are_printed(edges: str, ops: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"module_adjacency": [SPELLED[edges]], "module_operations": OPERATIONS[ops], "val_4": 0.5}
    )
    table = nb101(written(tmp_path, plain(frame)))
    cells = graph.cells(4)
    assert cells.num_vertices[table.row[0]] == 4 and cells.bits[table.row[0]] == 0b101101
    assert cells.ops[table.row[0], :2].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("column", "text", "says"),
    [
        ("adjacency", "101001000010000", "adjacency 101001000010000 has lost its leading zeros"),
        ("adjacency", "101001000010000.0", "has lost its leading zeros (expected 16 digits)"),
        ("adjacency", "1.01001E+14", "adjacency 1.01001E+14 has lost its last digits"),
        ("adjacency", '"1,01001E+14"', "has lost its last digits"),
        ("upper_triangle_bits", "1101", "upper_triangle_bits 1101 has lost its leading zeros"),
        ("adjacency", str(MATRIX * 0.97).replace("\n", " "), "row 0, column 1 of the adjacency"),
        ("adjacency", "0102001000010000", "adjacency with 1 entries for 4 operations; expected 16"),
    ],
)
def test_cells_that_a_spreadsheet_has_spoilt(
    column: str, text: str, says: str, tmp_path: Path
) -> None:
    path = written(tmp_path, f"{column},ops,val_4\n{text},{'|'.join(OPS)},0.5\n")
    with pytest.raises(UserError) as error:
        nb101(path)
    assert says in str(error.value) and str(error.value).startswith("t.csv: line 2: ")


def test_digits_of_nas_bench_201_that_a_spreadsheet_has_spoilt(tmp_path: Path) -> None:
    path = written(tmp_path, "arch,cifar100_val\n1234,50\n")
    with pytest.raises(UserError, match="line 2: 1234 has 4 of 6 digits: leading zeros are miss"):
        nb201(path)
    table = nb201(written(tmp_path, "arch_index,CIFAR-100 val (%)\n5.0,50\n"))
    assert np.flatnonzero(~np.isnan(table.val)).tolist() == [5]
