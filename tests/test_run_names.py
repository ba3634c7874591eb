"""Runs by name, `latest`, `rlnas runs` and what removes them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rlnas.analysis import load_runs
from rlnas.analysis.runs.data import files_in, results
from rlnas.analysis.runs.remove import remove
from rlnas.bench.errors import UserError
from rlnas.bench.run_names import LATEST, NAMES, named, names_in, newest, remember, run_folder
from said import called


@pytest.fixture(scope="module")
def made(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two comparisons below `runs`, the first of them called `short`; one half-done run."""
    folder = tmp_path_factory.mktemp("named")
    words = ["compare", "--benchmark", table, "--agents", "random_search", "random_walk"]
    for more in (["--budget", 4, "--seeds", 3, "--name", "short"], ["--budget", 5, "--seeds", 3]):
        done = called(*words, *more, cwd=folder)
        assert done.returncode == 0, done.stderr
    half = folder / "runs" / f"{'0' * 16}-5x20"
    half.mkdir()
    (half / "part-000000-000010-x.npz").write_bytes(b"x" * 1500)
    os.utime(half / "part-000000-000010-x.npz", (1e9, 1e9))
    (folder / "runs" / "notes").mkdir()
    return folder


@pytest.fixture
def there(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, to be in."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.long
def test_a_name_and_latest_stand_for_folders_everywhere(there: Path) -> None:
    short, last = run_folder(Path("short")), run_folder(Path(LATEST))
    assert short.name.startswith("compare-") and last.name.startswith("compare-") and short != last
    assert run_folder(Path("runs/short")) == short
    assert run_folder(Path(short.name)) == short  # without `runs/`
    for words in (["plot", "short", "--out", "a"], ["report", "latest"]):
        assert called(*words).returncode == 0
    assert (there / "a" / "table.csv").read_text().count("\n4,") == 0
    assert len(load_runs("short", architectures=False)) == 2 * 3 * 4
    assert len(load_runs(Path("latest"), architectures=False)) == 2 * 3 * 5


def test_a_folder_that_is_there_goes_before_a_name(there: Path) -> None:
    Path("short").mkdir()
    assert run_folder(Path("short")) == Path("short")


def test_an_unknown_name_is_one_line(there: Path) -> None:
    for words in (["plot", "longer"], ["report", "longer"], ["runs", "show", "longer"]):
        done = called(*words)
        assert done.returncode == 2 and "longer" in done.stderr and done.stderr.count("\n") == 1


def test_latest_is_known_without_its_file(there: Path) -> None:
    shutil.rmtree(Path("runs") / NAMES)
    here = run_folder(Path(LATEST))
    assert here == newest(Path("runs")) != Path(LATEST)


@pytest.mark.parametrize("word", ["../..", "/etc", "..", "a/b", "\x00", "gone"])
def test_a_name_leads_out_of_no_folder(there: Path, word: str) -> None:
    (Path("runs") / NAMES / "evil").write_text(word)
    assert named(Path("runs"), "evil") is None
    assert run_folder(Path("evil")) == Path("evil")


@pytest.mark.parametrize("name", [LATEST, "compare-0123456789abcdef", "a/b", ".x", "-x", "x y"])
def test_names_that_mean_something_else_are_refused(there: Path, name: str) -> None:
    done = called("compare", "--name", name)
    assert done.returncode == 2 and "--name" in done.stderr and done.stderr.count("\n") == 1


def test_a_name_that_moves_is_told(there: Path, table: Path) -> None:
    words = ["compare", "--benchmark", table, "--agents", "random_search", "random_walk"]
    done = called(*words, "--budget", 5, "--seeds", 3, "--name=short")
    assert done.returncode == 0 and "short was the name of runs/compare-" in done.stderr
    assert run_folder(Path("short")) == run_folder(Path(LATEST))


def test_runs_are_listed_with_what_they_are(there: Path) -> None:
    said = called("runs").stdout
    lines = [line for line in said.splitlines() if line.startswith("compare-")]
    assert len(lines) == 2 and "latest" in lines[0] and "short" in lines[1]
    assert all("random_search, random_walk on small" in line and "done" in line for line in lines)
    assert f"{'0' * 16}-5x20" in said and "half" in said and "notes" not in said
    assert "4 runs that these are made of" in said
    assert len(called("runs", "--all").stdout.splitlines()) == 2 + 2 + 4 + 1
    assert called("runs", "none").returncode == 2


def test_one_is_shown_with_the_command_that_repeats_it(there: Path) -> None:
    said = called("runs", "show", "short").stdout
    folder = run_folder(Path("short"))
    assert f"repeat   rlnas compare --config {folder}/command.toml" in said
    assert "summary.json" in said and "names    short" in said
    part = next(p.name for p in Path("runs").iterdir() if p.name.endswith("-4x3"))
    assert f"part of  {folder}" in called("runs", "show", part).stdout


def test_what_a_comparison_needs_stays(there: Path) -> None:
    folder = run_folder(Path("short"))
    parts = [p for p in Path("runs").iterdir() if p.name.endswith("-4x3")]
    done = called("runs", "rm", parts[0])
    assert done.returncode == 2 and f"is a part of {folder}" in done.stderr
    assert called("runs", "rm", "short", *parts).returncode == 0
    assert not folder.exists() and not any(part.exists() for part in parts)
    assert "short" not in str(names_in(Path("runs")))
    assert not list(Path("runs").glob(".removed*"))


def test_a_run_by_seconds_stays_while_a_comparison_by_seconds_needs_it(there: Path) -> None:
    run, user = Path("runs") / f"timed-{'0' * 16}", Path("runs") / f"seconds-{'1' * 16}"
    for folder in (run, user):
        folder.mkdir()
    (user / "seconds.json").write_text(f'{{"runs": [{{"hash": "{run.name}", "agent": "x"}}]}}')
    with pytest.raises(UserError, match=f"is a part of runs/{user.name}"):
        remove([run])
    remove([run, user])
    assert not run.exists() and not user.exists()


def test_files_that_go_while_they_are_listed_are_no_error(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = there / "runs" / f"{'0' * 16}-5x20" / "part-000000-000010-x.npz"
    listed = Path.rglob

    def rglob(self: Path, pattern: str) -> list[Path]:
        found = list(listed(self, pattern))
        part.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "rglob", rglob)
    assert not files_in(part.parent)
    assert next(one for one in results(there / "runs") if one.folder == part.parent).size == 0


def test_nothing_but_runs_is_removed(there: Path) -> None:
    for word in ("runs", "runs/notes", "/", "runs/.names", "short/.."):
        done = called("runs", "rm", "short", word)
        assert done.returncode == 2, word
    assert run_folder(Path("short")).is_dir() and (there / "runs" / "notes").is_dir()


def test_clean_asks_and_leaves_what_is_at_work(there: Path) -> None:
    half, new = (Path("runs") / f"{digit * 16}-5x20" for digit in "01")
    new.mkdir()
    (new / "part-000000-000010-x.npz").write_bytes(b"x")
    done = called("runs", "clean")
    assert done.returncode == 0 and "--yes removes them" in done.stdout and half.is_dir()
    assert str(half) in done.stdout and str(new) in done.stderr
    assert called("runs", "clean", "--yes").returncode == 0
    assert new.is_dir() and not half.exists()
    assert called("runs", "clean", "--yes", "--hours", 0).returncode == 0
    assert not new.exists() and run_folder(Path("short")).is_dir()


def test_python_leaves_names_alone(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "compare-1"
    folder.mkdir(parents=True)
    assert newest(tmp_path / "runs") is None
    remember(folder, "mine")
    assert names_in(tmp_path / "runs") == {"compare-1": [LATEST, "mine"]}
