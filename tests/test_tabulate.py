"""A list of trainings that becomes a table: seeds decide all, and it survives kill -9."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REASON = "the extra `retrain` is not installed: no real trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

import fuzz_kinds  # noqa: E402
from rlnas.analysis import cli  # noqa: E402
from rlnas.bench.commands.tabulate import Tabulate  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101 import graph  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.cell import Cell, module_hash, trainable_parameters  # noqa: E402
from rlnas.bench.nb101.network import CellNetwork  # noqa: E402
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.nb101.table import Table  # noqa: E402
from rlnas.bench.nb101.trainings import MANIFEST, RECORDS, read_records, tabulate  # noqa: E402
from rlnas.bench.reading import sealed  # noqa: E402
from rlnas.bench.retrain import datasets, networks  # noqa: E402
from rlnas.bench.retrain.fit import Fit  # noqa: E402
from torch_fixtures import kept, one_thread  # noqa: E402, F401
from worker_tasks import run_here  # noqa: E402

RECIPE = Recipe(epochs=2, checkpoints=(1, 2), stem_channels=4)
CELLS = cell_list(5)[1]


def test_the_digits_are_split_once_and_for_all() -> None:
    digits = datasets.digits()
    assert digits.splits == {"train": 300, "val": 797, "test": 700}
    parts = (digits.train, digits.val, digits.test)
    images = torch.cat([part.images for part in parts]).flatten(1)
    everything = datasets.load("digits")
    assert len(torch.unique(images, dim=0)) == len(images) == 1_797, "an image is in two parts"
    for part, again in zip(parts, (everything.train, everything.val, everything.test), strict=True):
        assert torch.equal(part.images, again.images) and torch.equal(part.labels, again.labels)
        share = np.bincount(part.labels, minlength=10) / len(part)
        assert share.min() > 0.09 and share.max() < 0.11
    assert abs(float(digits.train.images.mean())) < 1e-5 and float(
        digits.train.images.std()
    ) == pytest.approx(1, 1e-3)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"epochs": 3}, "expected the last to be epochs = 3"),
        ({"epochs": 3, "checkpoints": (2, 1, 3)}, "expected ascending epochs"),
        ({"epochs": 3, "checkpoints": (1, 1, 3)}, "expected ascending epochs"),
        ({"epochs": 3, "checkpoints": ()}, "expected ascending epochs"),
        ({"epochs": 3, "checkpoints": (0, 3)}, "expected the last to be epochs = 3"),
        ({"epochs": 0, "checkpoints": (0,)}, "expected at least 1 of each"),
    ],
)
def test_recipes_that_are_none(options: dict, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Recipe(**options)


# --- a list of trainings
# ----------------------------------------------------------------------------

ARGS = [
    "--name",
    "tiny",
    "--max-vertices",
    "3",
    "--seeds",
    "1",
    "--workers",
    "1",
    "--folder",
    "folder",
    "--out",
    "tiny.npz",
]
ARGS += ["--recipe.epochs", "2", "--recipe.checkpoints", "1", "2", "--recipe.stem-channels", "4"]
HASHES = {digest.tobytes().hex() for digest in graph.hashes(3)}


def start(folder: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "rlnas.analysis.cli", "bench", "tabulate", *ARGS]
    return subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def killed_and_resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder where the command was killed midway, a line was cut short, and the command was run
    again; and the lines that were there before."""
    tmp = tmp_path_factory.mktemp("tabulate")
    records = tmp / "folder" / RECORDS
    first = start(tmp)
    deadline = time.monotonic() + 120
    while not records.exists() or records.read_bytes().count(b"\n") < 2:
        assert first.poll() is None and time.monotonic() < deadline, (
            "no two trainings were recorded before the end"
        )
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = records.read_text().splitlines()
    assert 2 <= len(before) < len(HASHES), "it ended before it could be killed"
    assert not (tmp / "tiny.npz").exists()
    with open(records, "a") as file:
        file.write(before[0][: len(before[0]) // 2])
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, kept(), redirect_stdout(said):
        patch.chdir(tmp)
        patch.setattr("rlnas.bench.workers.run_all", run_here)
        assert cli.main(["bench", "tabulate", *ARGS]) == 0
    assert said.getvalue() == "tiny.npz: 7 cells, 1 of 1 seeds\n"
    return tmp, before


@pytest.mark.long
def test_every_training_is_recorded_once(killed_and_resumed: tuple[Path, list[str]]) -> None:
    tmp, before = killed_and_resumed
    lines = (tmp / "folder" / RECORDS).read_text().splitlines()
    assert lines[: len(before)] == before
    records = [json.loads(line) for line in lines]
    assert {(record["hash"], record["seed"]) for record in records} == {
        (digest, 0) for digest in HASHES
    }
    assert len(records) == len(HASHES)
    assert sorted(path.name for path in tmp.iterdir()) == ["folder", "tiny.npz"]
    assert sorted(path.name for path in (tmp / "folder").iterdir()) == sorted([MANIFEST, RECORDS])


def test_the_table_holds_what_was_recorded(killed_and_resumed: tuple[Path, list[str]]) -> None:
    tmp, _ = killed_and_resumed
    table = Table.load(tmp / "tiny.npz")
    assert table.row.tolist() == list(range(7)) and table.epochs.tolist() == [1, 2]
    assert (
        table.val.shape == table.test.shape == table.train.shape == table.seconds.shape == (7, 2, 1)
    )
    assert table.curve_epochs is not None and table.curve_train is not None
    assert table.curve_epochs.tolist() == [1, 2] and table.curve_train.shape == (7, 1, 2)
    recorded = {record["hash"]: record for record in read_records(tmp / "folder")}
    for row, digest in enumerate(graph.hashes(3)):
        record = recorded[digest.tobytes().hex()]
        for key in ("val", "test", "train", "seconds"):
            np.testing.assert_array_equal(getattr(table, key)[row, :, 0], np.float32(record[key]))
        np.testing.assert_array_equal(table.curve_train[row, 0], np.float32(record["curve"]))
        cell = cell_list(3)[1][row]
        assert table.params[row] == trainable_parameters(
            cell, in_channels=1, stem_channels=4, modules=1
        )
    meta = table.meta
    assert (meta["name"], meta["max_vertices"]) == ("tiny", 3)
    assert meta["recipe"] == json.loads(json.dumps(asdict(RECIPE)))
    assert meta["splits"] == {"train": 300, "val": 797, "test": 700}
    assert "digits" in meta["source"] and any("real training" in note for note in meta["notes"])


def by_hand(cell: Cell, seed: int) -> dict[str, Any]:
    """The numbers of a training, in a plain loop over the library's own network."""
    data, settings = datasets.load("digits"), RECIPE.settings
    network, weights = networks.make(CellNetwork(cell), settings, 1, 10, seed, plain=True)
    fit = Fit(network, weights, data, settings, seed)
    found: dict[str, Any] = {"val": [], "test": [], "train": []}
    for _ in range(settings.epochs):
        fit.epoch()
        for part, accuracy in asdict(fit.measure()).items():
            found[part].append(accuracy)
    return found | {"curve": [epoch.accuracy for epoch in fit.curve]}


def test_workers_train_as_a_plain_loop_does(killed_and_resumed: tuple[Path, list[str]]) -> None:
    """To the last bit: before the kill in a worker process, after it here."""
    folder, before = killed_and_resumed
    cells = {module_hash(cell): cell for cell in cell_list(3)[1]}
    records = list(read_records(folder / "folder"))
    for record in (records[len(before) - 1], records[-1]):
        cell = cells[record["hash"]]
        wanted = by_hand(cell, 0)
        assert {key: record[key] for key in wanted} == wanted
        assert by_hand(cell, 1) != wanted
        assert 0 < record["seconds"][0] < record["seconds"][1]


def test_what_is_done_is_not_done_again(
    killed_and_resumed: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No worker is started: only the table is written again, also of some of the cells."""
    tmp, _ = killed_and_resumed
    monkeypatch.chdir(tmp)
    monkeypatch.setattr("rlnas.bench.workers.run_all", None)
    before = (tmp / "tiny.npz").read_bytes(), (tmp / "folder" / RECORDS).read_bytes()
    assert cli.main(["bench", "tabulate", *ARGS]) == 0
    assert ((tmp / "tiny.npz").read_bytes(), (tmp / "folder" / RECORDS).read_bytes()) == before
    some = tmp / "some"
    some.mkdir()
    (some / "list.csv").write_text(
        f"module_hash\n{module_hash(cell_list(3)[1][4])}\n{module_hash(cell_list(3)[1][2])}\n"
    )
    config = Tabulate(
        "some",
        max_vertices=3,
        cells=some / "list.csv",
        seeds=1,
        folder=tmp / "folder",
        out=some / "t.npz",
        recipe=RECIPE,
    )
    config.run()
    np.testing.assert_array_equal(
        Table.load(some / "t.npz").val, Table.load(tmp / "tiny.npz").val[[2, 4]]
    )
    (some / "list.csv").unlink()
    (some / "t.npz").unlink()
    some.rmdir()
    capsys.readouterr()


def without(words: list[str], option: str) -> list[str]:
    """`words` but for an option and its values."""
    if option not in words:
        return words
    at = words.index(option)
    rest = [i for i, word in enumerate(words) if i > at and word.startswith("--")]
    return words[:at] + (words[rest[0] :] if rest else [])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--recipe.learning-rate", "0.1"], "holds trainings with recipe"),
        (["--dataset", "letters"], "unknown data set 'letters'; expected one of digits"),
        (["--seeds", "0"], "found --seeds 0; expected at least 1"),
        (["--cells", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--recipe.epochs", "3"], "expected the last to be epochs = 3"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    killed_and_resumed: tuple[Path, list[str]],
    options: list[str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tmp, _ = killed_and_resumed
    monkeypatch.chdir(tmp)
    before = {path: path.read_bytes() for path in tmp.rglob("*") if path.is_file()}
    assert cli.main(["bench", "tabulate", *without(ARGS, options[0]), *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("rlnas: error: ") and err.count("\n") == 1 and reason in err
    assert {path: path.read_bytes() for path in tmp.rglob("*") if path.is_file()} == before


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_training_that_fails_is_told_and_the_rest_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one channel, a cell whose output has two inputs leaves one of them none."""
    monkeypatch.setattr("rlnas.bench.workers.run_all", run_here)
    one = Recipe(epochs=1, checkpoints=(1,), stem_channels=1, stacks=1)
    two_inputs = next(c for c in CELLS if c.num_vertices == 4 and c.matrix[1][3] and c.matrix[2][3])
    failures = tabulate(
        [two_inputs, CELLS[1], CELLS[2]], "digits", one, [0], tmp_path / "folder", workers=1
    )
    assert len(failures) == 1 and failures[0].startswith(f"cell {module_hash(two_inputs)} seed 0: ")
    assert {record["hash"] for record in read_records(tmp_path / "folder")} == set(
        map(module_hash, CELLS[1:3])
    )


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    fuzz_kinds.make_records(tmp_path)
    path = tmp_path / RECORDS
    first, second, third = path.read_text().splitlines()
    changed = json.loads(second) | {"val": [0.9, 0.95]}
    twice = json.dumps(sealed(json.loads(first) | {"val": [0.9, 0.95]}))
    for lines, reason in (
        ((first, '{"hash": ', third), "line 2 is damaged"),
        ((first, json.dumps(changed), third), "line 2 was edited or damaged"),
        ((first, second, twice), "line 3 is the training of line 1 with other values"),
        ((first, json.dumps(sealed(changed | {"seed": -1})), third), "seed is -1"),
    ):
        path.write_text("\n".join(lines) + "\n")
        with pytest.raises(UserError, match=reason):
            list(read_records(tmp_path))
    path.write_text("\n".join((first, second, first)) + "\n")
    assert len(list(read_records(tmp_path))) == 2  # the same again
