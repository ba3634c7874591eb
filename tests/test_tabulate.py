"""Real trainings, tiny ones: networks as the official ones, seeds that decide all, a list that
survives kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

REASON = "the extra `retrain` is not installed: no real trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.analysis import cli  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101 import graph  # noqa: E402
from rlnas.bench.nb101.cell import Cell, module_hash, parse, trainable_parameters  # noqa: E402
from rlnas.bench.nb101.table import Table  # noqa: E402
from rlnas.bench.retrain import datasets, networks, trainer  # noqa: E402
from rlnas.bench.retrain.assemble import TabulateConfig, cell_list, run_tabulate  # noqa: E402
from rlnas.bench.retrain.recipe import Recipe  # noqa: E402
from rlnas.bench.retrain.tabulate import MANIFEST, RECORDS, read_records, tabulate  # noqa: E402
from test_nb101_cell import README_MATRIX, README_OPS  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

RECIPE = Recipe(epochs=2, checkpoints=(2,), stem_channels=8)
CELLS = cell_list(5)[1]
SOME = [CELLS[i] for i in (0, 3, 40, 90, 500, 1500, 2531)]


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


def network_of(cell: Cell, recipe: Recipe = RECIPE, seed: int = 0):
    return networks.build(
        cell, in_channels=1, stem_channels=recipe.stem_channels, stacks=recipe.stacks, modules=recipe.modules,
        bn_momentum=recipe.bn_momentum, seed=seed,
    )  # fmt: skip


# --- networks
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", SOME, ids=module_hash)
def test_parameters_are_those_of_the_cell(cell: Cell) -> None:
    recipe = Recipe()
    wanted = trainable_parameters(
        cell,
        in_channels=1,
        stem_channels=recipe.stem_channels,
        stacks=recipe.stacks,
        modules=recipe.modules,
    )
    assert networks.count_parameters(network_of(cell, recipe)) == wanted


def test_the_official_network_has_the_published_number_of_parameters() -> None:
    cell = parse(README_MATRIX, README_OPS)
    network = networks.build(
        cell, in_channels=3, stem_channels=128, stacks=3, modules=3, bn_momentum=0.1, seed=0
    )
    assert networks.count_parameters(network) == 2_694_282 == trainable_parameters(cell)


def test_the_momentum_is_set_on_every_batch_norm() -> None:
    network = network_of(SOME[4], replace(RECIPE, bn_momentum=0.03))
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) > 4 and {norm.momentum for norm in norms} == {0.03}


def test_weights_depend_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    first = networks.parameters(network_of(SOME[3]))
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator was used"
    torch.rand(3)
    second = networks.parameters(network_of(SOME[3]))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    other = networks.parameters(network_of(SOME[3], seed=1))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_digits_are_split_once_and_for_all(digits: datasets.Dataset) -> None:
    assert digits.splits == {"train": 300, "val": 797, "test": 700}
    parts = (digits.train, digits.val, digits.test)
    images = torch.cat([part.images for part in parts]).flatten(1)
    everything = datasets.digits()
    assert len(torch.unique(images, dim=0)) == len(images) == 1_797, "an image is in two parts"
    for part, again in zip(parts, (everything.train, everything.val, everything.test), strict=True):
        assert torch.equal(part.images, again.images) and torch.equal(part.labels, again.labels)
        share = np.bincount(part.labels, minlength=10) / len(part)
        assert share.min() > 0.09 and share.max() < 0.11
    assert abs(float(digits.train.images.mean())) < 1e-5 and float(
        digits.train.images.std()
    ) == pytest.approx(1, 1e-3)


# --- one training
# -----------------------------------------------------------------------------------


def test_a_seed_decides_a_training(digits: datasets.Dataset) -> None:
    first, again, other = (trainer.train(SOME[1], digits, RECIPE, seed) for seed in (0, 0, 1))
    for outcome in (first, again, other):
        assert [
            len(x)
            for x in (outcome.val, outcome.test, outcome.train, outcome.seconds, outcome.curve)
        ] == [1] * 4 + [2]
        assert outcome.seconds[0] > 0
        for accuracy, images in (
            (outcome.val[0], 797),
            (outcome.test[0], 700),
            (outcome.train[0], 300),
        ):
            assert accuracy * images == pytest.approx(round(accuracy * images), abs=1e-3)
    same = {key: value for key, value in asdict(first).items() if key != "seconds"}
    assert {key: value for key, value in asdict(again).items() if key != "seconds"} == same
    assert (other.val, other.curve) != (first.val, first.curve)


def test_a_training_learns(digits: datasets.Dataset) -> None:
    outcome = trainer.train(SOME[2], digits, Recipe(epochs=6, checkpoints=(6,), stem_channels=8), 0)
    assert outcome.val[0] > 0.4 and outcome.curve[-1] > outcome.curve[0]


@pytest.mark.parametrize("recompute_bn", [True, False])
def test_measuring_leaves_the_training_untouched(
    digits: datasets.Dataset, recompute_bn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured after every epoch or at the end only: the same weights, running statistics and
    accuracies."""
    trained = []

    def kept(*args, **kwargs):
        trained.append(networks.build(*args, **kwargs))
        return trained[-1]

    monkeypatch.setattr(trainer, "build", kept)
    recipes = [
        Recipe(epochs=3, checkpoints=c, stem_channels=8, recompute_bn=recompute_bn)
        for c in ((1, 2, 3), (3,))
    ]
    often, once = (trainer.train(SOME[2], digits, recipe, 0) for recipe in recipes)
    assert len(often.val) == 3 and often.curve == once.curve
    for key in ("val", "test", "train"):
        assert getattr(often, key)[-1] == getattr(once, key)[0]
    for (name, a), (_, b) in zip(
        *(network.state_dict().items() for network in trained), strict=True
    ):
        assert torch.equal(a, b), name
    norms = [module for module in trained[0].modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}
    assert {int(norm.num_batches_tracked) for norm in norms} == {3 * 5}, (
        "statistics of something else than the training"
    )


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
]
ARGS += [
    "--out",
    "tiny.npz",
    "--recipe.epochs",
    "2",
    "--recipe.checkpoints",
    "2",
    "--recipe.stem-channels",
    "8",
]
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
    deadline = time.monotonic() + 300
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
    again = start(tmp)
    out, err = again.communicate()
    assert again.returncode == 0, err
    assert out == "tiny.npz: 7 cells, 1 of 1 seeds\n"
    return tmp, before


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
    assert table.row.tolist() == list(range(7)) and table.epochs.tolist() == [2]
    assert (
        table.val.shape == table.test.shape == table.train.shape == table.seconds.shape == (7, 1, 1)
    )
    assert table.curve_epochs is not None and table.curve_train is not None
    assert table.curve_epochs.tolist() == [1, 2] and table.curve_train.shape == (7, 1, 2)
    recorded = {record["hash"]: record for record in read_records(tmp / "folder")}
    for row, digest in enumerate(graph.hashes(3)):
        record = recorded[digest.tobytes().hex()]
        for key in ("val", "test", "train", "seconds"):
            assert getattr(table, key)[row, 0, 0] == np.float32(record[key][0])
        np.testing.assert_array_equal(table.curve_train[row, 0], np.float32(record["curve"]))
        cell = cell_list(3)[1][row]
        assert table.params[row] == trainable_parameters(
            cell, in_channels=1, stem_channels=8, modules=1
        )
    meta = table.meta
    assert (meta["name"], meta["max_vertices"]) == ("tiny", 3)
    assert meta["recipe"] == json.loads(
        json.dumps(asdict(Recipe(epochs=2, checkpoints=(2,), stem_channels=8)))
    )
    assert meta["splits"] == {"train": 300, "val": 797, "test": 700}
    assert "digits" in meta["source"] and any("real training" in note for note in meta["notes"])


def test_workers_train_as_this_process_does(
    killed_and_resumed: tuple[Path, list[str]], digits: datasets.Dataset
) -> None:
    table = Table.load(killed_and_resumed[0] / "tiny.npz")
    outcome = trainer.train(cell_list(3)[1][3], digits, RECIPE, 0)
    assert (table.val[3, 0, 0], table.test[3, 0, 0]) == (
        np.float32(outcome.val[0]),
        np.float32(outcome.test[0]),
    )


def test_what_is_done_is_not_done_again(
    killed_and_resumed: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No worker is started: only the table is written again, also of some of the cells."""
    tmp, _ = killed_and_resumed
    monkeypatch.chdir(tmp)
    monkeypatch.setattr("rlnas.bench.retrain.tabulate.ProcessPoolExecutor", None)
    before = (tmp / "tiny.npz").read_bytes(), (tmp / "folder" / RECORDS).read_bytes()
    assert cli.main(["bench", "tabulate", *ARGS]) == 0
    assert ((tmp / "tiny.npz").read_bytes(), (tmp / "folder" / RECORDS).read_bytes()) == before
    some = tmp / "some"
    some.mkdir()
    (some / "list.csv").write_text(
        f"module_hash\n{module_hash(cell_list(3)[1][4])}\n{module_hash(cell_list(3)[1][2])}\n"
    )
    config = TabulateConfig(
        "some",
        max_vertices=3,
        cells=some / "list.csv",
        seeds=1,
        folder=tmp / "folder",
        out=some / "t.npz",
        recipe=RECIPE,
    )
    run_tabulate(config)
    np.testing.assert_array_equal(
        Table.load(some / "t.npz").val, Table.load(tmp / "tiny.npz").val[[2, 4]]
    )
    (some / "list.csv").unlink()
    (some / "t.npz").unlink()
    some.rmdir()
    capsys.readouterr()


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
    killed_and_resumed: tuple[Path, list[str]], options: list[str], reason: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    tmp, _ = killed_and_resumed
    monkeypatch.chdir(tmp)
    before = {path: path.read_bytes() for path in tmp.rglob("*") if path.is_file()}
    assert cli.main(["bench", "tabulate", *ARGS, *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("rlnas: error: ") and err.count("\n") == 1 and reason in err
    assert {path: path.read_bytes() for path in tmp.rglob("*") if path.is_file()} == before


def test_a_training_that_fails_is_told_and_the_rest_done(tmp_path: Path) -> None:
    """With one channel, a cell whose output has two inputs leaves one of them none."""
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
    (tmp_path / RECORDS).write_text(
        '{"hash": "a", "seed": 0}\n{"hash": \n{"hash": "b", "seed": 0}\n'
    )
    with pytest.raises(UserError, match=r"records\.jsonl, line 2: not a record"):
        list(read_records(tmp_path))
