"""`rlnas scale`: hand-computed gains, the table, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_runs import training_manifest
from rlnas.analysis.cli import main
from rlnas.analysis.scale.data import grouped, read
from rlnas.analysis.scale.measures import line
from rlnas.analysis.scale.text import finding
from rlnas.bench.reading import write_json


def write_training(
    folder: Path, benchmark: str, cells: float, seed: int, accuracies: list[float], **more: Any
) -> Path:
    """What `rlnas train` leaves, as far as this command reads it."""
    folder.mkdir()
    curve = [
        {"step": i, "seconds": 1.0, "lookups": 100 * (i + 1), "val_10": 0.1, "val_20": accuracy,
         "val_50": accuracy}
        for i, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    manifest = training_manifest() | {
        "benchmark": {"name": benchmark, "reports": "test accuracy"}, "cells_shown": cells,
        "seed": seed, "curve": curve,
        "baselines": {
            "random_search": {"val": [0.5, 0.6, 0.7], "reported": []},
            "local_search": {"val": [0.5, 0.6, 0.8], "reported": []},
        }, **more,
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [
        write_training(tmp_path / "a", "large", 1e18, 0, [0.6, 0.7, 0.9]),
        write_training(tmp_path / "b", "large", 1e18, 1, [0.5, 0.9, 1.0]),
        write_training(tmp_path / "c", "small", 91, 0, [0.6, 0.65]),
    ]


def test_gain_and_regret_left_are_as_computed_by_hand(folders: list[Path]) -> None:
    groups = grouped([read(folder, 20) for folder in folders])
    assert list(groups) == ["small", "large"]
    gain, left = (line(groups["large"], relative=relative) for relative in (False, True))
    np.testing.assert_array_equal(gain.lookups, [100, 200, 300])
    np.testing.assert_allclose(gain.mean, [-0.05, 0.2, 0.35])
    np.testing.assert_allclose(gain.low, [-0.1, 0.1, 0.3])
    # The best that any search found is 1.0, so random search's regret is 0.4.
    np.testing.assert_allclose(left.mean, [1.125, 0.5, 0.125])
    assert finding(groups, 20).endswith("random ones: +5.00 to +35.00 points of validation")
    # In the small space a baseline found the best: 0.8.
    np.testing.assert_allclose(line(groups["small"], relative=True).mean, [1.0, 0.75])


def test_figure_and_table(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scale", *map(str, folders), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "large" in out and "1.00e+18" in out and "never" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "figure.png",
        "figure.svg",
        "report.txt",
        "report.sha256",
        "command.toml",
        "table.csv",
    }
    with open(tmp_path / "out" / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and rows[0]["benchmark"] == "small"


def test_trainings_of_different_settings_are_kept_apart(tmp_path: Path) -> None:
    """Named by what differs; the best that is known of the space is known to all of them."""
    kinds = {
        "a": {"settings": {"alpha": 6.0, "network": {"width": 32}}},
        "b": {"settings": {"alpha": 8.0, "network": {"width": 32}}},
        "c": {"settings": {"alpha": 8.0, "network": {"width": 64}}},
    }
    found = [
        read(write_training(tmp_path / f"{name}{seed}", "small", 91, seed, [0.6, best], **more), 20)
        for (name, more), best in zip(kinds.items(), (0.7, 0.8, 0.9), strict=True)
        for seed in (0, 1)
    ]
    groups = grouped(found)
    assert list(groups) == [
        "small, alpha 6.0, network.width 32",
        "small, alpha 8.0, network.width 32",
        "small, alpha 8.0, network.width 64",
    ]
    assert {(len(group), t.best) for group in groups.values() for t in group} == {(2, 0.9)}
    (alone,) = grouped(found[:2])
    assert alone == "small"


def test_one_benchmark_is_not_another_of_the_same_name(tmp_path: Path) -> None:
    folders = [write_training(tmp_path / str(e), "small", 91, e, [0.6]) for e in (4, 12)]
    for folder in folders:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["benchmark"]["epochs"] = int(folder.name)
        write_json(folder / "manifest.json", manifest)
    groups = grouped([read(folder, 20) for folder in folders])
    assert list(groups) == ["small, epochs 4", "small, epochs 12"]


def test_what_is_not_finished_is_left_and_named(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train-1").mkdir()
    words = [*map(str, folders), str(tmp_path / "train-1"), "--out", str(tmp_path / "out")]
    assert main(["scale", *words]) == 0
    said = capsys.readouterr()
    assert "small" in said.out and said.err.startswith(f"rlnas: left out: {tmp_path / 'train-1'} (")


def test_other_folders_and_counts_are_refused(folders: list[Path], tmp_path: Path, capsys) -> None:
    assert main(["scale", str(tmp_path)]) == 2
    assert "is no finished training" in capsys.readouterr().err
    assert main(["scale", str(folders[0]), "--queries", "7"]) == 2
    assert "was evaluated at: 10, 20, 50" in capsys.readouterr().err
    (folders[0] / "manifest.json").write_text(json.dumps({"kind": "ablate"}))
    assert main(["scale", str(folders[0])]) == 2
