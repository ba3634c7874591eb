"""CSV files of cells become tables; what is wrong with one is said with its line."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nb201_tables import invented, text, write_csv
from rlnas.bench import load as open_benchmark
from rlnas.bench.errors import UserError
from rlnas.bench.nb201 import table as tables
from rlnas.bench.nb201 import tasks
from rlnas.bench.nb201.cell import TRANSNAS
from rlnas.bench.nb201.family import FAMILY
from rlnas.bench.nb201.import_csv import import_csv
from rlnas.bench.nb201.table import Table

HEADER = ["idx", "arch", "cifar100_val", "c100_test", "c10v_val", "params_m"]


def lines(count: int = 3) -> list[list[object]]:
    return [[i, text(i), 50 + i, 40 + i, 80 + i, 1.5] for i in range(count)]


def test_several_data_sets_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))
    path = write_csv(tmp_path / "some.csv", HEADER, lines())
    done = import_csv(path, notes=["from a friend"])
    assert [table.name for table in done.tables] == ["nb201-cifar100", "nb201-cifar10-valid"]
    assert done.skipped == ("params_m",)
    assert sorted(tables.available()) == ["nb201-cifar10-valid", "nb201-cifar100"]
    table = tables.load(done.paths[0])
    assert table.cells == 3 and table.epochs == 200 and table.notes == ("from a friend",)
    assert table.val[:3, 0] == pytest.approx([0.50, 0.51, 0.52])
    assert table.test[2, 0] == pytest.approx(0.42) and np.isnan(table.seconds).all()
    benchmark = open_benchmark("nb201-cifar100")
    assert benchmark.reports == "test accuracy" and benchmark.epochs == 200
    assert float(benchmark.lookup(text(1)).val) == pytest.approx(0.51)
    with pytest.raises(UserError, match="no value"):
        benchmark.lookup(text(3))
    other = open_benchmark("nb201-cifar10-valid")
    assert other.reports == "validation accuracy"
    with pytest.raises(UserError, match="expected 200, the only one"):
        open_benchmark("nb201-cifar100", epochs=12)
    with pytest.raises(UserError, match="no table nb201-imagenet16-120 here"):
        open_benchmark("nb201-imagenet16-120")


def test_repeats_renamed_columns_and_gzip(tmp_path: Path) -> None:
    plain = write_csv(
        tmp_path / "x.csv",
        ["arch", "acc", "cifar100_val_repeat1", "cifar100_time_s_repeat0"],
        [[text(5), 0.5, 0.6, 90], ["000001", 0.4, "", 80]],
    )
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    done = import_csv(path, tmp_path, columns=["acc=cifar100_val"], fractions=True, epochs=12)
    (table,) = done.tables
    assert (table.repeats, table.epochs, table.cells) == (2, 12, 2)
    assert table.val[5] == pytest.approx([0.5, 0.6])
    assert table.seconds[5] == pytest.approx([90, np.nan], nan_ok=True)


def test_maxima_over_epochs_are_said(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "t.csv",
        ["arch_ops", "autoencoder_val_best", "autoencoder_test_best", "jigsaw_val_best"],
        [["012333", 0.5, 0.6, 94.0], [text(9, TRANSNAS), -0.1, 0.6, 93.0]],
    )
    done = import_csv(path, tmp_path)
    ssim, jigsaw = done.tables
    assert ssim.measure == "SSIM (best over the epochs)" and ssim.epochs == 30
    assert ssim.notes == ("val: 1 values below 0 count as 0",)
    assert ssim.val[9, 0] == 0.0 and jigsaw.val[9, 0] == pytest.approx(0.93)
    assert jigsaw.epochs == 10


def test_metrics_become_fractions(tmp_path: Path) -> None:
    def made(name: str, values: list[float], fractions: bool) -> Table:
        body = [[text(i, tasks.of_benchmark(name).variant), x] for i, x in enumerate(values)]
        column = f"{name.partition('-')[2]}_val"
        path = write_csv(tmp_path / "t.csv", ["arch", column], body)
        return import_csv(path, tmp_path, fractions=fractions).tables[0]

    loss = made("tnb101-room_layout", [-0.5, 0.0], False)
    assert loss.val[:2, 0] == pytest.approx([np.exp(-0.5), 1.0]) and "from -0.5" in loss.notes[0]
    assert made("nb201-cifar100", [73.5], False).val[0, 0] == pytest.approx(0.735)
    assert made("nb201-cifar100", [0.5], True).val[0, 0] == 0.5
    for name, values, fractions, says in (
        ("tnb101-room_layout", [0.5], False, "at most 0"),
        ("nb201-cifar100", [0.5, 0.9], False, "--fractions"),
        ("nb201-cifar100", [-3.0, 50.0], False, "expected 0 or more"),
        ("nb201-cifar100", [101], False, "expected a percentage"),
        ("nb201-cifar100", [50.0], True, "expected a fraction; leave --fractions out"),
        ("tnb101-autoencoder", [-1.5], False, "expected SSIM from -1 to 1"),
    ):
        with pytest.raises(UserError, match=says):
            made(name, values, fractions)


WRONG = {
    "an unknown cell": (HEADER, [[0, "conv", 1, 1, 1, 1]], "line 2: 'conv'"),
    "another number": (HEADER, [[1, text(0), 50, 50, 50, 1]], "the same cell in every column"),
    "no such number": (HEADER, [[15625, text(0), 50, 50, 50, 1]], "expected 0 to 15624"),
    "a cell twice": (HEADER, [*lines(1), *lines(1)], "line 3: cell .* was line 2"),
    "no number": (HEADER, [[0, text(0), "x", 1, 1, 1]], "cifar100_val is 'x'"),
    "a short line": (HEADER, [[0, text(0), 50]], "3 fields, expected 6"),
    "no lines": (HEADER, [], "a header and no lines"),
    "no measurements": (["idx", "accuracy"], [[0, 1]], "no column of a known data set or task"),
    "no cells": (["cifar100_val"], [[50]], "no column says which cell"),
    "both spaces": (["arch", "cifar100_val", "jigsaw_val"], [["000000", 1, 1]], "one of them"),
    "twice the same": (["idx", "c100_val", "cifar100_val"], [[0, 50, 50]], "same measurement"),
    "fractions": (["idx", "c100_val"], [[0, 0.5]], "holds no percentages; pass --fractions"),
    "best and last": (
        ["idx", "c100_val", "c100_test_best"], [[0, 50, 50]], "some columns of cifar100 are maxima",
    ),
    "nothing to search by": (["idx", "c100_test"], [[0, 50]], "no cell has a validation value"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, wrong: str) -> None:
    header, body, says = WRONG[wrong]
    path = write_csv(tmp_path / "wrong.csv", header, body)
    with pytest.raises(UserError, match=says) as error:
        import_csv(path, tmp_path / "out")
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "selection"),
    [("nb201-cifar100", "last"), ("tnb101-room_layout", "best"), ("tnb101-autoencoder", "last")],
)
def test_what_is_exported_comes_back(tmp_path: Path, name: str, selection: str) -> None:
    full = invented(name, repeats=2)
    val, test = full.val.copy(), full.test.copy()
    gone = np.arange(len(val)) % 20 > 0
    val[gone], test[gone] = np.nan, np.nan
    table = replace(full, val=val, test=test, seconds=np.where(np.isnan(val), np.nan, full.seconds))
    table = replace(table, selection=selection)
    table.save(tmp_path / "table.npz")
    path = tmp_path / "wide.csv.gz"
    said = FAMILY.export(str(tmp_path / "table.npz"), path, "wide")
    assert f"{table.cells:,} cells" in said
    (back,) = import_csv(path, tmp_path).tables
    assert (back.name, back.selection, back.repeats) == (name, selection, 2)
    for key in ("val", "test", "seconds"):
        np.testing.assert_allclose(getattr(back, key), getattr(table, key), rtol=1e-6)
    FAMILY.export(str(tmp_path / "table.npz"), tmp_path / "long.csv", "long")
    lines = (tmp_path / "long.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 2 * table.cells and "repeat,validation,test,seconds" in lines[0]


def test_damaged_tables(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    invented().save(path)
    assert tables.load(path).val.shape == (15_625, 1)
    for content, says in ((path.read_bytes()[:1000], "damaged"), (b"", "damaged")):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(UserError, match=says):
            tables.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", allow_pickle=False, meta=np.array('{"format": "x"}'))
    with pytest.raises(UserError, match="format 'x'"):
        tables.load(tmp_path / "other.npz")
