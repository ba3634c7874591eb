"""A short `make soak`: commands are stopped at random moments and come to the same results; and the
harness sees what it is there to see."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import soak
import soak_cases
import soak_results
from soak_places import DISKS, NOWHERE, PLAIN, can_mount, surroundings
from soak_server import served

linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are in /proc")


@pytest.mark.long
@linux
def test_stopped_or_refused_it_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lightest of the commands."""
    monkeypatch.setattr(soak, "MOST_STOPS", 2)
    case = next(case for case in soak_cases.CASES if case.name == "fetch")
    disks = DISKS if can_mount(tmp_path / "disk") else ()
    with served() as world:
        alone = soak.undisturbed(case, world, tmp_path)
        rounds = (
            ("0", PLAIN, ""),
            ("1", "HOME is nowhere", ""),
            *(("2", PLAIN, on) for on in disks),
        )
        for number, place, on in rounds:
            done, wrong = soak.round_of(case, world, alone, tmp_path, f"3-{on}{number}", place, on)
            assert wrong == "" and (on in done or not on)


@linux
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("raise SystemExit(0)", "read-only: status 0"),
        ("raise SystemExit('rlnas: error: full')", "read-only: status 1"),
        ("print('rlnas: error: full'); raise SystemExit(2)", "read-only: the line does not name"),
        ("print('rlnas: error: to out: full'); raise SystemExit(2)", ""),
    ],
)
def test_a_refusal_is_a_line_with_the_target(
    script: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script_instead(self: soak.Round, name: str) -> subprocess.Popen:
        with open(f"{self.folder}.log", "ab") as log:
            return subprocess.Popen([sys.executable, "-c", script], stdout=log, stderr=log)

    monkeypatch.setattr(soak.Round, "start", script_instead)
    monkeypatch.setattr(soak, "obstructed", lambda *args: nullcontext())
    (tmp_path / "x").mkdir()
    case, alone = soak_cases.CASES[0], soak.Undisturbed({}, 1.0, 1.0, 0)
    at = (tmp_path / "x", "mark", random.Random(0), {}, [])
    wrong = soak.Round(case, "compare --out out", alone, *at).refused("read-only")
    assert wrong.startswith(expected) and bool(wrong) == bool(expected)


def test_surroundings_keep_the_flags_that_are_there() -> None:
    given = {"XLA_FLAGS": "--a=1", "HOME": "/x", "RLNAS_CACHE": "/y", "PATH": "/bin"}
    found = surroundings(given)
    assert found["8 devices"]["XLA_FLAGS"] == "--a=1 --xla_force_host_platform_device_count=8"
    assert found["no HOME"] == {"XLA_FLAGS": "--a=1", "PATH": "/bin"}
    assert found[PLAIN] == given and NOWHERE in found["HOME is nowhere"].values()


def test_every_case_is_a_command_and_every_name_another() -> None:
    from rlnas.analysis import cli

    names = [case.name for case in soak_cases.CASES]
    assert len(set(names)) == len(names)
    for case in soak_cases.CASES:
        words = case.words({"url": "http://127.0.0.1/x"}).split()
        assert words[0] in cli.COMMANDS or " ".join(words[:2]) in cli.COMMANDS


def test_a_difference_is_seen_but_times_are_none(tmp_path: Path) -> None:
    for name, seconds, value in (("a", 1, 0.5), ("b", 2, 0.5), ("c", 1, 0.6)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "x.npz", val=np.full(3, value), seconds=np.full(3, seconds))
        (tmp_path / name / "y.json").write_text(json.dumps({"val": value, "seconds": seconds}))
    same, again, other = (soak_results.results(tmp_path / name, ["**/*"]) for name in "abc")
    assert soak_results.difference(same, again) == ""
    assert soak_results.difference(same, other) == "other contents: x.npz, y.json"
    assert soak_results.difference(same, {}) == "missing: x.npz, y.json"


@linux
def test_a_process_that_stays_is_found_and_ended() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    left = subprocess.Popen(command, env=os.environ | {soak.MARK: "orphan"})
    before, soak.ORPHANS_AFTER = soak.ORPHANS_AFTER, 0.2
    try:
        assert soak.orphans("orphan") == [left.pid] and soak.orphans("another") == []
    finally:
        soak.ORPHANS_AFTER = before
        left.kill()
        left.wait()
