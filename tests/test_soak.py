"""A short `make soak`: commands are stopped at random moments and come to the same results; and the
harness sees what it is there to see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import soak
import soak_cases
import soak_results

linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are in /proc")


@linux
@pytest.mark.parametrize("name", ["convert", "fetch"])
def test_stopped_at_random_it_comes_to_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("RLNAS_CACHE", "JAX_COMPILATION_CACHE_DIR"):  # `soak` sets them
        monkeypatch.setenv(variable, os.environ.get(variable, ""))
    assert soak.soak([name], minutes=10, rounds=1, seed=3, to=tmp_path) == 0


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
