"""Tables from CSV: the real samples as they are, every way to name a cell, and lines that must be
refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas.bench.agreement import agreement
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.nb101.import_csv import import_csv
from rlnas.bench.nb101.importer import ImportCells
from rlnas.bench.nb101.table import Table

HASHES = [digest.tobytes().hex() for digest in graph.hashes(4)]


def load(folder: Path, text: str, **options: Any) -> Table:
    path = folder / "t.csv"
    path.write_text(text)
    return Table.load(
        import_csv(path, folder / "t.npz", name="t", max_vertices=4, progress=False, **options)
    )


def refused(folder: Path, text: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(folder, text, **options)
    assert [path.name for path in folder.iterdir()] == ["t.csv"]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- the real samples ---------------------------------------------------------------------------


def real(real_data: Path, folder: Path, name: str, **options: Any) -> Table:
    return Table.load(
        import_csv(real_data / name, folder / "t.npz", name="t", progress=False, **options)
    )


@pytest.mark.long
def test_real_validation_sample(real_data: Path, tmp_path: Path) -> None:
    table = real(
        real_data, tmp_path, "nb101_validation_sample.csv.gz", notes=["a sample"],
        values=["single", "108=max-of-3"],
    )  # fmt: skip
    assert table.val.shape == (10_001, 4, 1) and table.epochs.tolist() == [4, 12, 36, 108]
    assert np.isnan(table.test).all() and not np.isnan(table.val).any()
    assert np.isnan(table.seconds[:, :3]).all() and not np.isnan(table.seconds[:, 3]).any()
    row = int(np.searchsorted(table.row, row_of("00005c142e6f48ac74fdcf73e3439874")))
    np.testing.assert_allclose(
        table.val[row, :, 0], [0.360477, 0.421975, 0.900140, 0.930489], atol=1e-7
    )
    assert table.seconds[row, 3, 0] == pytest.approx(1768.976) and table.params[row] == 8_555_530
    notes = table.meta["notes"]
    assert notes[0] == "a sample" and "one repeat: its noise is unknown" in notes
    assert "test is unknown" in notes
    last, first = from_table(table), from_table(table, epochs=4)
    assert last.about == (
        "t is a table of trained architectures, 10,001 of 423,624 cells (63.6 % of them without "
        "neighbours, mean degree 0.46, largest connected component 482 cells); each value is the "
        "maximum of 3 trainings, which is optimistic"
    )
    assert last.describe()["values"] == "max-of-3" and last.describe()["repeats"] is None
    assert first.about.endswith("; each value is a single training")
    assert "values" not in first.describe() and first.describe()["repeats"] == 1


def row_of(digest: str) -> int:
    found = (graph.hashes() == np.frombuffer(bytes.fromhex(digest), np.uint8)).all(axis=1)
    return int(np.flatnonzero(found)[0])


def test_real_mean_of_three_sample(real_data: Path, tmp_path: Path) -> None:
    table = real(real_data, tmp_path, "nb101_mean3_sample.csv.gz")
    assert table.val.shape == (945, 4, 1) and int((~np.isnan(table.val)).sum()) == 3_420
    row = int(np.searchsorted(table.row, row_of("001a6fcc8b38cbc515be788a86bdc804")))
    np.testing.assert_allclose(
        table.test[row, :, 0], [0.20526175, 0.50140224, 0.84445112, 0.88378072], atol=1e-7
    )
    assert table.meta["values"] == dict.fromkeys(["4", "12", "36", "108"], "mean-of-3")
    assert from_table(table).about.endswith("each value is the mean of 3 trainings")
    assert "columns not imported: recovered_from" in table.meta["notes"]


def test_real_ecnas_table(real_data: Path, tmp_path: Path) -> None:
    table = real(real_data, tmp_path, "ecnas_4v9e_4epochs.csv.gz", max_vertices=4)
    assert table.row.tolist() == list(range(91)) and table.meta["max_vertices"] == 4
    assert table.val.shape == (91, 3, 3) and table.epochs.tolist() == [0, 1, 4]
    assert not any(np.isnan(x).any() for x in (table.val, table.test, table.train, table.seconds))
    row = row_of("001a6fcc8b38cbc515be788a86bdc804")
    np.testing.assert_allclose(table.val[row, 2], [0.28705930, 0.36067708, 0.40655047], atol=1e-7)
    assert agreement(table.val[:, -1]).spearman == pytest.approx(0.823, abs=0.001)


# --- cells --------------------------------------------------------------------------------------

# input -> maxpool3x3 -> conv1x1 -> output, and an edge from the input to the output
SPECS = {
    "upper_triangle_bits": ("101101", "input|maxpool3x3|conv1x1-bn-relu|output"),
    "adjacency": ("0101 0010 0001 0000", '"input,maxpool3x3,conv1x1-bn-relu,output"'),
    "nested": (
        '"[[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]"',
        "\"['input', 'maxpool3x3', 'conv1x1-bn-relu', 'output']\"",
    ),
    # the same, and vertex 3 leads nowhere
    "unpruned": ("1011100010", "input|maxpool3x3|conv1x1-bn-relu|conv3x3-bn-relu|output"),
}


def test_every_way_to_name_a_cell(tmp_path: Path) -> None:
    rows = {}
    for kind, (digits, ops) in SPECS.items():
        column = {"nested": "adjacency", "unpruned": "upper_triangle_bits"}.get(kind, kind)
        rows[kind] = load(
            tmp_path, f"{column},ops,val_acc,epochs\n{digits},{ops},0.5,4\n"
        ).row.tolist()
        (tmp_path / "t.npz").unlink()
    (row,) = rows["adjacency"]
    assert rows == {kind: [row] for kind in SPECS}
    cells = graph.cells(4)
    assert cells.num_vertices[row] == 4 and sorted(cells.ops[row, :2]) == [1, 2]
    assert load(tmp_path, f"hash,val_acc,epochs\n{HASHES[row].upper()},0.5,4\n").row.tolist() == [
        row
    ]


@pytest.mark.parametrize(
    ("columns", "line", "reason"),
    [
        ("module_hash", "0" * 32, "is no NAS-Bench-101 cell with at most 4 vertices"),
        ("module_hash", "xyz", "module_hash 'xyz'; expected 32 hexadecimal digits"),
        (
            "upper_triangle_bits,ops",
            "1011,input|maxpool3x3|output",
            "for 3 operations; expected 3 digits",
        ),
        (
            "upper_triangle_bits,ops",
            "001,input|maxpool3x3|output",
            "no path from the input to the output",
        ),
        (
            "upper_triangle_bits,ops",
            "100,input|maxpool3x3|output",
            "no path from the input to the output",
        ),
        ("upper_triangle_bits,ops", "101,input|avgpool|output", "unknown operation 'avgpool'"),
        (
            "adjacency,ops",
            "010001,input|maxpool3x3|output",
            "6 entries for 3 operations; expected 9",
        ),
        ("adjacency,ops", "010001100,input|maxpool3x3|output", "on or below the diagonal"),
        (
            "upper_triangle_bits,ops",
            "1000100101,input|maxpool3x3|maxpool3x3|maxpool3x3|output",
            "more than 4 vertices",
        ),
        (
            "module_hash,upper_triangle_bits,ops",
            f"{HASHES[0]},101,input|maxpool3x3|output",
            "one of them is wrong",
        ),
        (
            "module_hash,params",  # the first line's are right, so the file is of these networks
            f"{HASHES[0]},123",
            f"expected {graph.parameters(graph.cells(4))[0]} for this cell",
        ),
    ],
)
def test_lines_with_a_wrong_cell(tmp_path: Path, columns: str, line: str, reason: str) -> None:
    good = {
        "module_hash": HASHES[0],
        "upper_triangle_bits": "1",
        "adjacency": "0100",
        "ops": "input|output",
        "params": str(graph.parameters(graph.cells(4))[0]),
    }
    first = ",".join(good[column] for column in columns.split(","))
    text = refused(tmp_path, f"{columns},val_acc_4ep\n{first},0.5\n\n{line},0.5\n")
    assert text.startswith("t.csv: line 4: ") and reason in text


def test_counts_of_other_networks_are_kept_where_lines_agree(tmp_path: Path) -> None:
    text = "module_hash,params,epochs,val_acc\n"
    text += "".join(f"{HASHES[i]},{1000 + i},{e},0.5\n" for i in (2, 1) for e in (4, 12))
    table = load(tmp_path, text)
    assert table.params.tolist() == [1001, 1002] and "other networks" in table.meta["notes"][0]
    (tmp_path / "t.npz").unlink()
    wrong = text.replace("1002,12", "1003,12")
    assert "line 2: params is 1002; another line of this cell" in refused(tmp_path, wrong)
    wrong = text.replace("1002,12", ",12")
    assert "line 3: params is empty; expected a whole number" in refused(tmp_path, wrong)
    counts = graph.parameters(graph.cells(4))[:1].tolist()
    none = load(tmp_path, f"module_hash,val_acc_4ep\n{HASHES[0]},0.5\n")
    assert none.params.tolist() == counts and "no trainable_params" in none.meta["notes"][0]


# --- measurements -------------------------------------------------------------------------------


def test_long_form_with_everything(tmp_path: Path) -> None:
    lines = [
        "repeat,module_hash,epochs,training_time,train_accuracy,test_accuracy,validation_accuracy,colour",
        f"7,{HASHES[2]},108,5.5,0.9,0.7,0.8,red",
        f"3,{HASHES[2]},108,,,,0.6,",
        f"3,{HASHES[1]},4,1,0.1,0.2,0.3,blue",
    ]
    table = load(tmp_path, "\n".join(lines))
    assert table.row.tolist() == [1, 2] and table.epochs.tolist() == [4, 108] and table.repeats == 2
    np.testing.assert_array_equal(table.val[1, 1], np.array([0.6, 0.8], np.float32))
    np.testing.assert_array_equal(table.test[1, 1], np.array([np.nan, 0.7], np.float32))
    assert table.seconds[1, 1, 1] == 5.5 and table.train[0, 0, 0] == np.float32(0.1)
    assert int(np.isnan(table.val).sum()) == 2 * 2 * 2 - 3
    assert "columns not imported: colour" in table.meta["notes"]


def test_wide_form_and_other_names(tmp_path: Path) -> None:
    header = "cell,accuracy,validation_accuracy_36ep_repeat1,test_acc_36ep_repeat0"
    text = f"{header}\n{HASHES[3]},0.25,0.5,0.75\n"
    columns = ("cell=module_hash", "accuracy=validation_accuracy_36ep_repeat0")
    table = load(tmp_path, text, columns=columns)
    np.testing.assert_array_equal(table.val, np.array([[[0.25, 0.5]]], np.float32))
    np.testing.assert_array_equal(table.test, np.array([[[0.75, np.nan]]], np.float32))


def test_epochs_percent_and_notes_from_the_options(tmp_path: Path) -> None:
    text = f"module_hash,validation_accuracy,test_accuracy\n{HASHES[0]},93.5,\n"
    assert "line 2: validation_accuracy is 93.5; above 1" in refused(tmp_path, text, epochs=108)
    table = load(tmp_path, text, epochs=108, percent=True, notes=["mine"])
    assert table.val[0, 0, 0] == np.float32(0.935) and table.epochs.tolist() == [108]
    assert table.meta["notes"][0] == "mine" and table.meta["source"] == "t.csv"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        ("module_hash,val_acc_4ep\n", "a header and no lines"),
        ("colour,val_acc_4ep\nred,1\n", "no column says which cell"),
        (
            f"module_hash,colour\n{HASHES[0]},red\n",
            "no validation accuracy (found module_hash, colour)",
        ),
        (f"module_hash,val_acc\n{HASHES[0]},0.5\n", "nothing says after how many epochs"),
        (
            f"module_hash,val_acc,validation_accuracy,epochs\n{HASHES[0]},0.5,0.5,4\n",
            "are the same measurement",
        ),
        (f"module_hash,hash,val_acc_4ep\n{HASHES[0]},{HASHES[0]},0.5\n", "are both module_hash"),
        (
            f"module_hash,val_acc_4ep,epochs\n{HASHES[0]},0.5,4\n",
            "epochs is a column and stands in column names",
        ),
        (f"module_hash,val_acc_4ep\n{HASHES[0]}\n", "line 2: 1 fields, expected 2"),
        (
            f"module_hash,val_acc_4ep\n{HASHES[0]},high\n",
            "line 2: val_acc_4ep is 'high'; expected a number",
        ),
        (
            f"module_hash,val_acc_4ep\n{HASHES[0]},-0.5\n",
            "line 2: val_acc_4ep is -0.5; expected 0 or more",
        ),
        (f"module_hash,val_acc_4ep,seconds_4ep\n{HASHES[0]},1,inf\n", "line 2: seconds_4ep is inf"),
        (
            f"module_hash,val_acc,epochs\n{HASHES[0]},0.5,4.5\n",
            "line 2: epochs is 4.5; expected a whole number",
        ),
        (
            f"module_hash,val_acc,epochs\n{HASHES[0]},0.5,\n",
            "line 2: epochs is empty; expected a whole number",
        ),
    ],
)
def test_files_that_must_be_refused(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refused(tmp_path, text)


def test_repeated_lines_are_named(tmp_path: Path) -> None:
    lines = [f"{HASHES[i % 5]},4,{i // 5},0.5" for i in range(15)]
    text = "module_hash,epochs,repeat,val_acc\n" + "\n".join([*lines, lines[7]])
    message = refused(tmp_path, text)
    assert (
        message.startswith("t.csv: line 17: ")
        and "repeat 1 stands there already (t.csv: line 9)" in message
    )
    assert HASHES[2] in message


def test_wrong_options(tmp_path: Path) -> None:
    text = f"module_hash,val_acc_4ep\n{HASHES[0]},0.5\n"
    assert "--columns x=ops: expected COLUMN=NAME" in refused(tmp_path, text, columns=["x=ops"])
    assert "--columns val_acc_4ep: expected COLUMN=NAME" in refused(
        tmp_path, text, columns=["val_acc_4ep"]
    )
    assert "no such name" in refused(tmp_path, text, columns=["val_acc_4ep=happiness"])
    with pytest.raises(UserError, match="no such file"):
        import_csv(tmp_path / "absent.csv", name="t")


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(b"module_hash,val_acc_4ep\n" + f"{HASHES[0]},0.5\n".encode() * 50)
    (tmp_path / "t.csv.gz").write_bytes(whole[:-12])
    with pytest.raises(UserError, match=r"t\.csv\.gz: .*expected CSV text"):
        import_csv(
            tmp_path / "t.csv.gz", tmp_path / "t.npz", name="t", max_vertices=4, progress=False
        )
    assert not (tmp_path / "t.npz").exists()


def test_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "t.csv").write_text(f"module_hash,val_acc_4ep\n{HASHES[0]},0.5\n")
    ImportCells(tmp_path / "t.csv", name="mine", max_vertices=4).run()
    text = capsys.readouterr().out
    assert "1 cells x 1 repeat at 4 epochs" in text and "note: one repeat" in text
    assert Table.load(tmp_path / "cache" / "tables" / "mine.npz").name == "mine"
    with pytest.raises(UserError, match="belongs to the official table"):
        ImportCells(tmp_path / "t.csv", name="nb101-full", max_vertices=4).run()
