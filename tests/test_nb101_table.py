"""The columnar table: round trips, damaged files, noise, names, export."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas.bench.agreement import agreement
from rlnas.bench.commands.convert import Convert
from rlnas.bench.commands.export import Export
from rlnas.bench.commands.info import Info
from rlnas.bench.commands.list import List
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph, table
from rlnas.bench.nb101.export import export
from rlnas.bench.nb101.import_csv import import_csv
from rlnas.bench.nb101.measurements import Measurements, assemble
from rlnas.bench.nb101.table import Table, find, make_meta
from rlnas.bench.npz import save_npz
from rlnas.bench.repeats import repeat_mean

MEASURES = ("val", "test", "train", "seconds")


def make(
    rows: int = 91, budgets: tuple[int, ...] = (4, 12), repeats: int = 3, **changes: Any
) -> Table:
    rng = np.random.default_rng(1)
    shape = (rows, len(budgets), repeats)
    return dataclasses.replace(
        Table(
            row=np.arange(rows, dtype=np.int32),
            epochs=np.array(budgets, np.int32),
            params=graph.parameters(graph.cells(4))[:rows].astype(np.int32),
            **{key: rng.random(shape).astype(np.float32) for key in MEASURES},
            meta=make_meta("made", max_vertices=4, source="a test", notes=["invented"]),
        ),
        **changes,
    )


def assert_same(a: Table, b: Table) -> None:
    for key in ("row", "epochs", "params", *MEASURES):
        x, y = getattr(a, key), getattr(b, key)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y, err_msg=key)


def with_gaps(full: Table) -> Table:
    holes = {key: getattr(full, key).copy() for key in MEASURES}
    holes["test"][:, 0] = np.nan
    holes["val"][3, 1, 2] = np.nan
    for values in holes.values():
        values[5] = np.nan
    return dataclasses.replace(full, **holes)


# --- round trips ------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["plain", "compressed"])
def test_save_and_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(table, "SMALL_BYTES", limit)
    curve: dict[str, Any] = {
        "curve_epochs": np.array([1, 2], np.int32),
        "curve_train": np.full((91, 3, 2), 0.5, np.float32),
    }
    saved = with_gaps(make(**curve))
    saved.save(tmp_path / "a.npz")
    loaded = Table.load(tmp_path / "a.npz")
    assert_same(saved, loaded)
    assert loaded.meta == saved.meta and loaded.name == "made" and loaded.repeats == 3
    assert loaded.curve_train is not None and loaded.curve_train.shape == (91, 3, 2)
    saved.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("shape", ["long", "wide"])
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_export_and_import_is_the_same_table(tmp_path: Path, shape: str, ending: str) -> None:
    for i, original in enumerate(
        (make(), with_gaps(make()), make(rows=7, budgets=(108,), repeats=1))
    ):
        path = export(original, tmp_path / f"t{i}{ending}", shape=shape, progress=False)
        back = import_csv(path, tmp_path / f"t{i}.npz", name="back", max_vertices=4, progress=False)
        assert_same(original, Table.load(back))


def test_export_writes_what_is_documented(tmp_path: Path) -> None:
    original = make()
    with open(export(original, tmp_path / "t.csv", progress=False)) as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 91 * 2 * 3
    line = lines[6 * 40 + 3 + 1]  # row 40, second budget, second repeat
    cells = graph.cells(4)
    assert line["module_hash"] == graph.hashes(4)[40].tobytes().hex()
    assert int(line["num_vertices"]) == cells.num_vertices[40] == len(line["ops"].split("|"))
    assert len(line["upper_triangle_bits"]) == 6 and (line["epochs"], line["repeat"]) == ("12", "1")
    assert np.float32(line["validation_accuracy"]) == original.val[40, 1, 1]
    assert np.float32(line["training_time"]) == original.seconds[40, 1, 1]
    assert int(line["trainable_params"]) == original.params[40]


def test_parquet_holds_the_same_as_csv(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    original = with_gaps(make())
    for shape in ("long", "wide"):
        read = pq.read_table(
            export(original, tmp_path / f"{shape}.parquet", shape=shape, progress=False)
        )
        with open(export(original, tmp_path / f"{shape}.csv", shape=shape, progress=False)) as file:
            header, *lines = csv.reader(file)
        assert read.column_names == header and read.num_rows == len(lines)
        for key, texts in zip(header, zip(*lines, strict=True), strict=True):
            for value, text in zip(read[key].to_pylist(), texts, strict=True):
                assert ("" if value is None else value) == (
                    type(value)(text) if text else ""
                ) or np.float32(text) == np.float32(value)


def test_export_refuses_unknown_formats(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.xlsx: cannot tell the format.*\.csv"):
        export(make(), tmp_path / "t.xlsx", progress=False)
    with pytest.raises(UserError, match="shape 'tall'"):
        export(make(), tmp_path / "t.csv", shape="tall", progress=False)
    assert not list(tmp_path.iterdir())


# --- damaged files ----------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        Table.load(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text
    return text


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    assert "no such file" in refused(path)
    make().save(path)
    data = path.read_bytes()
    for broken in (b"", b"hello", data[: len(data) // 2], data[:-30]):
        path.write_bytes(broken)
        assert "damaged, or not made by rlnas" in refused(path)
    refusals = 0
    for at in range(0, len(data), 397):
        flipped = bytearray(data)
        flipped[at] ^= 16
        path.write_bytes(flipped)
        try:  # a flip in a date or the like of the archive changes nothing that is read
            assert_same(Table.load(path), make())
        except UserError:
            refusals += 1
    assert refusals > 10
    with open(path, "wb") as file:
        np.save(file, np.arange(3))
    assert "not a zip file" in refused(path)
    objects: dict[str, Any] = {
        key: np.array([{}]) for key in ("row", "epochs", "params", *MEASURES, "meta")
    }
    np.savez(path, **objects)
    assert "not numbers or texts" in refused(path)


def rewritten(path: Path, **changes: Any) -> Path:
    """The file of a sound table with some arrays changed (None: left out), not checked; with the
    digests that belong to it, if its metadata are some."""
    make().save(path)
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files if key != "meta"} | changes
    meta = arrays.pop("meta", {})
    kept = {key: value for key, value in arrays.items() if value is not None}
    if not isinstance(meta, dict):
        np.savez(path, **kept | ({} if meta is None else {"meta": meta}))
        return path
    meta = make().meta | meta
    save_npz(path, (meta.pop("format"), meta.pop("version")), kept, **meta)
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"val": None}, "no array 'val'"),
        ({"meta": None}, "no array 'meta'"),
        ({"meta": {"version": 4}}, "version 4, expected 'rlnas-nb101-table' version 3"),
        ({"meta": {"format": "other"}}, "is 'other'"),
        ({"meta": {"max_vertices": 9}}, "max_vertices is 9"),
        ({"meta": {"max_vertices": [4]}}, "max_vertices is [4]"),
        ({"meta": {"values": {"4": "mean-of-none"}}}, "mean-of-none"),
        ({"meta": np.array("[]")}, "no JSON object"),
        ({"meta": np.array("{")}, "is damaged"),
        ({"meta": np.array(json.dumps(make().meta))}, "it has no digest"),
        ({"val": np.full((91, 2, 3), np.nan, np.float32)}, "no validation accuracy"),
        ({"row": np.arange(91, dtype=np.int32)[::-1]}, "rows that do not ascend"),
        ({"row": np.arange(1, 92, dtype=np.int32)}, "rows of 91 and above"),
        ({"row": np.arange(91)}, "row is int64, expected int32"),
        ({"epochs": np.array([12, 4], np.int32)}, "epochs"),
        ({"params": np.zeros(3, np.int32)}, "params has shape (3,)"),
        (
            {"test": np.zeros((91, 2, 1), np.float32)},
            "test has shape (91, 2, 1), expected (91, 2, 3)",
        ),
        ({"val": np.zeros((91, 2), np.float32)}, "val has shape (91, 2)"),
        ({"val": np.full((91, 2, 3), 93.0, np.float32)}, "val goes from 93 to 93"),
        ({"seconds": np.full((91, 2, 3), -1.0, np.float32)}, "seconds goes from -1 to -1"),
    ],
)
def test_wrong_contents_are_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason in refused(rewritten(tmp_path / "t.npz", **changes))


def test_a_wrong_table_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="val goes from 2 to 2"):
        make(val=np.full((91, 2, 3), 2.0, np.float32)).save(tmp_path / "t.npz")
    assert not list(tmp_path.iterdir())


# --- what a table says of itself ---------------------------------------------------------------


def test_best_and_means_by_hand() -> None:
    nan = np.nan
    val = np.array(
        [[[0.1, 0.9], [0.5, 0.7]], [[0.2, 0.2], [nan, 0.65]], [[0.3, nan], [nan, nan]]], np.float32
    )
    measures: dict[str, Any] = dict.fromkeys(MEASURES, val)
    some = make(rows=3, repeats=2, **measures)
    np.testing.assert_allclose(repeat_mean(val[:, 1]), [0.6, 0.65, nan], rtol=1e-6)
    assert some.best_val == pytest.approx(0.65) and some.best_test == pytest.approx(0.65)
    assert np.isnan(dataclasses.replace(some, test=np.full_like(val, nan)).best_test)


def test_noise_by_hand() -> None:
    from scipy.stats import spearmanr

    values = np.array(
        [[0.1, 0.2, 0.15], [0.5, 0.4, 0.45], [0.3, 0.5, 0.1], [0.9, 0.8, 0.7], [0.5, np.nan, 0.5]]
    )
    noise = agreement(values)
    whole = values[:4]
    pairs = [spearmanr(whole[:, a], whole[:, b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    assert (noise.cells, noise.repeats) == (4, 3)
    assert noise.spearman == pytest.approx(np.mean(pairs))
    assert noise.sd_between_cells == pytest.approx(whole.mean(axis=1).std(ddof=1))
    assert noise.sd_between_repeats == pytest.approx(whole.std(axis=1, ddof=1).mean())


def test_noise_recovers_what_was_put_in() -> None:
    rng = np.random.default_rng(0)
    values = 0.9 + 0.02 * rng.standard_normal((20_000, 1)) + 0.01 * rng.standard_normal((20_000, 3))
    noise = agreement(values.astype(np.float32))
    assert noise.share_between_cells == pytest.approx(0.8, abs=0.01)
    assert noise.reliability == pytest.approx(12 / 13, abs=0.01)
    assert noise.sd_between_repeats == pytest.approx(
        0.01 * 0.8862, rel=0.02
    )  # c4(3): the mean of sds is below


def test_noise_without_enough_data_is_unknown() -> None:
    assert np.isnan(agreement(np.random.default_rng(0).random((10, 1))).spearman)
    assert np.isnan(agreement(np.full((10, 3), np.nan)).share_between_cells)
    constant = agreement(np.full((10, 3), 0.5))
    assert np.isnan(constant.spearman) and np.isnan(constant.share_between_cells)


# --- many runs, any order -----------------------------------------------------------------------


def test_assemble_does_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(0)
    row, epochs, repeat = (
        a.ravel().astype(np.int32) for a in np.meshgrid([5, 2, 9], [108, 4], [2, 7], indexing="ij")
    )
    val, test, train, seconds = rng.random((4, 12)).astype(np.float32)
    for _ in range(3):
        order = rng.permutation(12)
        columns = [
            x[order] for x in (row, epochs, repeat, val, test, train, seconds, np.arange(12))
        ]
        dense = assemble(Measurements(*columns), where=str, cell_name=str, allow_missing=False)
        assert dense.row.tolist() == [2, 5, 9] and dense.epochs.tolist() == [4, 108]
        assert (
            dense.val[1, 1, 0] == val[0]
            and dense.val[0, 0, 1] == val[7]
            and dense.seconds[2, 0, 1] == seconds[11]
        )


# --- names and commands ------------------------------------------------------------------------


def test_find_by_name_and_by_path(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "embedded_dir", lambda: tmp_path / "data")
    with pytest.raises(UserError, match=r"no table 'made'.*none yet.*rlnas bench list"):
        find("made")
    make().save(tmp_path / "data" / "made.npz")
    assert find("made") == tmp_path / "data" / "made.npz" == find(tmp_path / "data" / "made.npz")
    make().save(cache / "tables" / "made.npz")
    assert find("made") == cache / "tables" / "made.npz"
    for bad in ("", "a/b", "../x", ".hidden", "a b"):
        with pytest.raises(UserError, match="table name"):
            table.default_path(bad)
    with pytest.raises(UserError, match="belongs to the official table"):
        table.new_path("nb101-108")
    assert table.new_path("nb101-108", official=True).name == "nb101-108.npz"


def test_list_and_info(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make().save(cache / "tables" / "made.npz")
    make(repeats=1, budgets=(108,), meta=make_meta("single", max_vertices=4, source="x")).save(
        cache / "tables" / "single.npz"
    )
    (cache / "tables" / "broken.npz").write_bytes(b"no zip")
    List().run()
    text = capsys.readouterr().out
    assert (
        "made" in text
        and "4, 12" in text
        and "damaged" in text
        and "rlnas bench fetch nb101-full" in text
    )
    Info("made").run()
    text = capsys.readouterr().out
    best = repeat_mean(make().val[:, -1]).max()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert (
        f"best validation {best:.6f} (mean over repeats, 12 epochs)" in lines
        and "note invented" in lines
    )
    assert text.count("rank correlation between repeats") == 2 and "91, at most 4 vertices" in text
    Info("single").run()
    assert "unknown: it takes two repeats" in capsys.readouterr().out


def test_export_command(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make().save(cache / "tables" / "made.npz")
    Export("made", format="parquet").run()
    assert (tmp_path / "made.parquet").is_file()
    Export("made", out=tmp_path / "other.csv.gz", shape="wide").run()
    assert (tmp_path / "other.csv.gz").is_file()
    with pytest.raises(UserError, match="--format xml"):
        Export("made", format="xml").run()


def test_convert_command(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rlnas.bench.nb101.synthetic import write_synthetic

    write_synthetic(tmp_path / "synthetic-4.tfrecord", max_vertices=4)
    Convert(tmp_path / "synthetic-4.tfrecord", max_vertices=4).run()
    text = capsys.readouterr().out
    assert (
        "91 cells x 3 repeats at 108 epochs" in text
        and "next: rlnas bench info synthetic-4" in text
    )
    assert find("synthetic-4") == cache / "tables" / "synthetic-4.npz"


def test_opening_a_table_loads_nothing_heavy(tmp_path: Path) -> None:
    make().save(tmp_path / "t.npz")
    code = (
        "import sys; from rlnas.bench import fetch; from rlnas.bench.commands import info; "
        "from rlnas.bench.nb101.table import Table; "
        f"Table.load({str(tmp_path / 't.npz')!r}); "
        "print([m for m in ('jax', 'torch', 'pandas', 'scipy', 'pyarrow', 'matplotlib') if m in "
        "sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
