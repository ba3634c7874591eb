"""What is installed: one import root, whatever else lies on the path or is installed beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("bench", "agents", "analysis")
QUIET = ("--quiet", "--disable-pip-version-check")
OFFLINE = ("--no-deps", "--no-index")
WHEEL = [sys.executable, "-m", "pip", "wheel", *QUIET, *OFFLINE, "--no-build-isolation", "-w"]
COMMAND = [sys.executable, "-m", "rlnas.analysis.cli"]


def run(words: Sequence[object], cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env=os.environ | env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def content(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, since building leaves files among the sources."""
    folder = tmp_path_factory.mktemp("sources")
    unwanted = shutil.ignore_patterns("__pycache__")
    for path in ROOT.iterdir():
        if path.name in (*FOLDERS, "data", "tests", "notebooks"):
            shutil.copytree(path, folder / path.name, ignore=unwanted)
        elif path.is_file():
            shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run([*WHEEL, out, sources], out)
    return next(out.iterdir())


# --- the wheel


def test_one_name_is_installed(wheel: Path) -> None:
    assert {name.split("/")[0] for name in content(wheel)} == {"rlnas", "rlnas-0.1.0.dist-info"}


def test_every_source_is_installed(wheel: Path) -> None:
    found = {name for name in content(wheel) if name.startswith("rlnas/")}
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    expected = {f"rlnas/{path.relative_to(ROOT).as_posix()}" for path in paths}
    expected |= {f"rlnas/{folder}/py.typed" for folder in FOLDERS}
    pages = "analysis/report/templates"
    expected |= {f"rlnas/{pages}/{path.name}" for path in (ROOT / pages).iterdir()}
    data = ROOT / "data"
    shipped = [path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()]
    expected |= {f"rlnas/bench/data/{name}" for name in shipped}
    assert found == expected


def test_the_source_distribution_builds_the_same_wheel(
    sources: Path, wheel: Path, tmp_path: Path
) -> None:
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    run([sys.executable, "-c", build, tmp_path], sources)
    (archive,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    ours = {path.name for kind in ("*.py", "*.txt") for path in (ROOT / "tests").glob(kind)}
    assert ours == {path.name for path in (unpacked / "tests").iterdir()}
    out = tmp_path / "wheel"
    run([*WHEEL, out, unpacked], tmp_path)
    assert content(next(out.iterdir())) == content(wheel)


# --- beside other packages


@pytest.fixture(scope="module")
def decoys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with names that research code likes, none of which may be imported."""
    folder = tmp_path_factory.mktemp("decoys")
    for name in (*FOLDERS, "data", "tests"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('the decoy {name}')\n")
    return folder


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "bench info nb101-digits",
        "compare --agents random_search --budget 3 --seeds 2 --out OUT",
    ],
)
def test_the_command_runs_among_decoys(words: str, decoys: Path, tmp_path: Path) -> None:
    args = [str(tmp_path) if word == "OUT" else word for word in words.split()]
    path = os.pathsep.join([str(decoys), os.environ["PYTHONPATH"]])
    commands = [COMMAND]
    script = Path(sysconfig.get_path("scripts")) / "rlnas"
    if script.exists():
        commands.append([str(script)])
    assert script.exists() or "RLNAS_TEST_INSTALLED" not in os.environ
    for command in commands:
        assert run([*command, *args], decoys, PYTHONPATH=path)


def test_the_decoys_would_be_seen(decoys: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import bench"], cwd=decoys, capture_output=True)
    assert b"the decoy bench" in done.stderr


# What rlnas needs is here; it comes after what is installed there.
OURS = f"""
import sys
sys.path.append({sysconfig.get_path("purelib")!r})
from rlnas import agents, analysis
from rlnas.bench.nb101.table import find
agents.config("random_search")
print(agents.__file__, find("nb101-digits"))
"""
THEIRS = "import agents; print(agents.__file__)"


@pytest.mark.long
def test_beside_a_package_that_installs_agents(wheel: Path, tmp_path: Path) -> None:
    """Before, after, and when it is gone (`openai-agents` is such a package)."""
    other = tmp_path / "other"
    (other / "agents").mkdir(parents=True)
    (other / "agents" / "__init__.py").touch()
    (other / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='other-agents', packages=['agents'])\n"
    )
    run([*WHEEL, tmp_path, other], tmp_path)
    (agents,) = tmp_path.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, symlinks=True)
    site = next((home / "lib").glob("python*")) / "site-packages"

    def pip(*words: object) -> None:
        pip = [sys.executable, "-m", "pip", "--python", home / "bin" / "python"]
        run([*pip, *words, *QUIET], tmp_path, PYTHONPATH="")

    def files(code: str) -> set[str]:
        out = run([home / "bin" / "python", "-c", code], tmp_path, PYTHONPATH="")
        return {Path(path).relative_to(site).as_posix() for path in out.split()}

    ours = {"rlnas/agents/__init__.py", "rlnas/bench/data/nb101-digits.npz"}
    theirs = {"agents/__init__.py"}
    pip("install", *OFFLINE, agents)
    pip("install", *OFFLINE, wheel)
    assert (files(OURS), files(THEIRS)) == (ours, theirs)
    pip("uninstall", "--yes", "other-agents")
    assert files(OURS) == ours
    pip("install", *OFFLINE, agents)
    assert (files(OURS), files(THEIRS)) == (ours, theirs)
    pip("uninstall", "--yes", "rlnas")
    assert files(THEIRS) == theirs
    assert not list((site / "rlnas").rglob("*.py"))
