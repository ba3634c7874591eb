"""What JAX has compiled is there for the next process, and no harm when it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlnas.analysis import cli
from rlnas.bench import compiled
from rlnas.bench.compiled import FAST, FOLDER, compile_fast, keep_compiled, tidy

PROGRAM = """\
from rlnas.bench.compiled import keep_compiled
keep_compiled()
import jax
print(float(jax.jit(lambda x: x * 2 + 1)(3.0)))
"""


def run(cache: Path, **changes: str) -> str:
    """The stderr of a process that compiles something."""
    kept = {name: value for name, value in os.environ.items() if name != FOLDER}
    env = kept | {"RLNAS_CACHE": str(cache)} | changes
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout) == (0, "7.0\n"), done.stderr
    return done.stderr


def entries(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.glob("jax/*/*-cache")}


@pytest.mark.long
def test_programs_are_kept_and_taken_even_beside_damaged_ones(tmp_path: Path) -> None:
    run(tmp_path)
    first = entries(tmp_path)
    assert first
    run(tmp_path)
    assert entries(tmp_path) == first
    damages = [b"", b"garbage", next(iter(first.values()))[:-7]]
    for path, damage in zip(tmp_path.glob("jax/*/*-cache"), 9 * damages, strict=False):
        path.write_bytes(damage)
    assert run(tmp_path) == ""  # and no word about it


def test_a_folder_of_the_user_s_goes_before(tmp_path: Path) -> None:
    run(tmp_path, **{FOLDER: str(tmp_path / "own")})
    assert list((tmp_path / "own").iterdir()) and not entries(tmp_path)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As before the first import of JAX, with nothing set."""
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.delitem(sys.modules, "jax")
    return tmp_path / "cache"


def test_a_folder_that_is_nobody_s_to_write_to_is_no_error(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.write_text("a file")
    keep_compiled()
    assert FOLDER not in os.environ
    fresh.unlink()
    monkeypatch.setattr(compiled, "is_own", lambda folder: False)
    keep_compiled()
    assert FOLDER not in os.environ
    monkeypatch.undo()


def test_the_folder_is_for_its_owner_alone(fresh: Path) -> None:
    keep_compiled()
    folder = Path(os.environ.pop(FOLDER))
    assert fresh in folder.parents and folder.stat().st_mode & 0o77 == 0


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    for i in range(6):
        (tmp_path / f"{i}-cache").write_bytes(b"x" * 10 * (i != 4))
        os.utime(tmp_path / f"{i}-cache", (i, i))
    tidy(tmp_path, most=50)
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["0", "1", "2", "3", "5"]
    tidy(tmp_path, most=49)
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["3", "5"]


def test_small_programs_are_not_optimised(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_DISABLE_MOST_OPTIMIZATIONS", raising=False)
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    compile_fast()
    assert os.environ.pop("JAX_DISABLE_MOST_OPTIMIZATIONS") == "1"
    assert os.environ["XLA_FLAGS"] == "--mine"


@pytest.mark.parametrize(("installed", "flags"), [("0.10.9", FAST), ("0.11.0", None)])
def test_flags_are_for_the_jaxlib_that_knows_them(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, installed: str, flags: str | None
) -> None:
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    monkeypatch.setenv("XLA_FLAGS", "to be restored")
    del os.environ["XLA_FLAGS"]
    monkeypatch.setattr(compiled, "version", lambda name: installed)
    compile_fast()
    assert os.environ.get("XLA_FLAGS") == flags


def test_commands_keep_what_they_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(cli, "keep_compiled", lambda: told.append("kept"))
    monkeypatch.setattr(cli, "compile_fast", lambda: told.append("fast"))
    assert cli.main(["--version"]) == 0 and not told
    assert cli.main(["agents", "evolution"]) == 0 and told == ["kept"]
    assert cli.main(["ablate", "--preset=smoke", "--benchmark", "none"]) == 2
    assert told == ["kept", "kept", "fast"]
