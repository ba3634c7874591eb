"""Run folders: what is written comes back, and what was damaged is named."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from rlnas.agents.protocol import History
from rlnas.analysis import store
from rlnas.bench.errors import UserError
from test_stats import history

SPEC = store.RunSpec(
    benchmark={"name": "b", "noise": "mean"},
    agent="random_search",
    config={"n": 3},
    code="0123456789abcdef",
    jax={"prng": "threefry2x32", "partitionable": True, "x64": False, "platform": "cpu"},
    budget=4,
    seed=0,
    seeds=2,
)
FACTS = {"reports": "test accuracy", "optimum": 0.75, "architectures": 8.0, "pretraining": None}


def save(folder: Path, data: History | None = None) -> Path:
    store.save(folder, SPEC, data or history(), label="rs", facts=FACTS, wall_seconds=1.25)
    return folder


def test_round_trip_is_exact(tmp_path: Path) -> None:
    run = store.load(save(tmp_path / "run"))
    for name, array in history()._asdict().items():
        loaded = getattr(run.history, name)
        assert loaded.dtype == array.dtype
        np.testing.assert_array_equal(loaded, array)
    assert run.label == "rs"
    assert run.manifest["hash"] == SPEC.hash
    assert run.manifest["optimum"] == 0.75
    assert run.manifest["pretraining"] is None
    assert {"rlnas", "jax", "numpy", "python"} <= set(run.manifest["versions"])
    assert {"created", "wall_seconds", "budget", "seed", "seeds", "config", "benchmark"} <= set(
        run.manifest
    )


def test_equal_histories_are_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = (save(tmp_path / "a") / store.HISTORY).read_bytes()
    monkeypatch.setattr(
        "time.time", lambda: 2_000_000_000.0
    )  # zip entries could carry the time of day
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert (save(tmp_path / "b") / store.HISTORY).read_bytes() == first


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    assert sorted(path.name for path in save(tmp_path / "run").iterdir()) == [
        store.HISTORY,
        store.MANIFEST,
    ]
    objects = history()._replace(arch=np.array([[{}] * 4] * 2, dtype=object))
    with pytest.raises(ValueError, match="pickled"):
        save(tmp_path / "pickled", objects)
    assert not (tmp_path / "pickled").exists()


def test_hash_is_of_canonical_json() -> None:
    assert store.hash_of({"b": (1, 2.5), "a": None}) == store.hash_of({"a": None, "b": [1, 2.5]})
    assert store.hash_of({"a": 1}) == "015abd7f5cc57a2d"  # sha256 of {"a":1}
    changed = [
        dataclasses.replace(SPEC, **{field: value})
        for field, value in [
            ("benchmark", {"name": "b", "noise": "sample"}),
            ("agent", "evolution"),
            ("config", {"n": 4}),
            ("code", "1123456789abcdef"),
            ("jax", SPEC.jax | {"prng": "rbg"}),
            ("jax", SPEC.jax | {"partitionable": False}),
            ("jax", SPEC.jax | {"x64": True}),
            ("budget", 5),
            ("seed", 1),
            ("seeds", 3),
        ]
    ]
    assert len({SPEC.hash, *(spec.hash for spec in changed)}) == 11


def test_json_has_no_nan_and_refuses_what_it_cannot_say(tmp_path: Path) -> None:
    store.write_json(
        tmp_path / "x.json",
        {"a": float("nan"), "b": np.float32(0.5), "c": Path("p"), "d": (1, True)},
    )
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "a": None,
        "b": 0.5,
        "c": "p",
        "d": [1, True],
        "digest": "a8731d4889bb88930935e897d4080b8c50450cd686c6d7d4ce3f1be79f50b38a",
    }
    with pytest.raises(TypeError, match="no JSON for a set"):
        store.to_json({1, 2})


def test_what_is_reused_is_told_with_its_age(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = store.load(save(tmp_path / "run")).manifest | {
        "created": "2026-01-02T03:04:05+00:00"
    }
    assert store.reused(manifest) == "reused from 2026-01-02 03:04 UTC"
    monkeypatch.setattr(store, "versions", lambda: manifest["versions"] | {"jax": "99"})
    made = f"made with jax {manifest['versions']['jax']}"
    assert store.reused(manifest) == f"reused from 2026-01-02 03:04 UTC, {made}"
    files = [tmp_path / name for name in "ab"]
    for path, age in zip(files, (10**9, 10**9 + 60), strict=True):
        path.touch()
        os.utime(path, (age, age))
    store.tell_reused("cells", files, 3)
    said = "rlnas: 2 of 3 cells reused, the oldest from 2001-09-09 01:46 UTC\n"
    assert capsys.readouterr().err == said
    store.tell_reused("cells", [], 3)
    assert capsys.readouterr().err == ""


def truncate(folder: Path) -> None:
    path = folder / store.HISTORY
    path.write_bytes(path.read_bytes()[:-100])


def flip(folder: Path) -> None:
    path = folder / store.HISTORY
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(bytes(data))


def edit(key: str, value: object) -> object:
    def damage(folder: Path) -> None:
        path = folder / store.MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

    return damage


def forge(key: str, value: object) -> object:
    """With the digest that belongs to it."""

    def damage(folder: Path) -> None:
        path = folder / store.MANIFEST
        store.write_json(path, json.loads(path.read_text()) | {key: value})

    return damage


DAMAGES = {
    "truncated": (truncate, "history.npz is missing or not what manifest.json says"),
    "flipped": (flip, "history.npz is missing or not what manifest.json says"),
    "no history": (lambda folder: (folder / store.HISTORY).unlink(), "history.npz is missing"),
    "no manifest": (lambda folder: (folder / store.MANIFEST).unlink(), "is no finished run"),
    "half a manifest": (
        lambda folder: (folder / store.MANIFEST).write_text('{"format": "rl'),
        r"manifest\.json is damaged",
    ),
    "a list": (lambda folder: (folder / store.MANIFEST).write_text("[]"), "holds no JSON object"),
    "edited settings": (edit("budget", 3), "was edited"),
    "forged settings": (forge("budget", 3), "was edited"),
    "edited label": (edit("label", "gp"), "was edited"),
    "edited optimum": (edit("optimum", 0.5), "was edited"),
    "edited pretraining": (edit("pretraining", {}), "was edited"),
    "other format": (forge("version", 99), "version 99, expected rlnas-run version 4"),
    "a list for a text": (forge("reports", []), r"reports is \[\], expected a text"),
    "no time": (forge("wall_seconds", "long"), "wall_seconds is 'long', expected a number"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(tmp_path: Path, name: str) -> None:
    damage, message = DAMAGES[name]
    folder = save(tmp_path / "run")
    damage(folder)  # type: ignore[operator]
    with pytest.raises(store.DamagedRun, match=message) as caught:
        store.load(folder)
    assert isinstance(caught.value, UserError)
    assert "\n" not in str(caught.value)


def test_a_bad_history_is_named(tmp_path: Path) -> None:
    path = tmp_path / "h.npz"
    with pytest.raises(store.DamagedRun, match=r"h\.npz: no such file"):
        store.load_history(path, 2, 4)
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(store.DamagedRun, match="damaged"):
        store.load_history(path, 2, 4)
    store.save_history(path, history())
    with pytest.raises(store.DamagedRun, match=r"shape \(2, 4\), expected \(3, 4"):
        store.load_history(path, 3, 4)
