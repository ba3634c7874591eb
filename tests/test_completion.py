"""`rlnas completion`, as bash itself completes with it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from option_lines import LINES
from rlnas.analysis import cli
from rlnas.analysis.completion.script import options_of
from rlnas.bench.run_names import remember
from said import called


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "script"
    path.write_text(called("completion").stdout, encoding="utf-8")
    return path


def completed(script: Path, line: str, cwd: Path) -> set[str]:
    """What bash offers for the last word of a line."""
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    words = line.split(" ")
    code = (
        f"source {shlex.quote(str(script))}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
        f'COMP_CWORD={len(words) - 1}; _rlnas; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_commands_and_options_are_completed(script: Path, tmp_path: Path) -> None:
    assert completed(script, "rlnas comp", tmp_path) == {"compare", "completion", "compress"}
    assert completed(script, "rlnas bench inf", tmp_path) == {"info"}
    assert completed(script, "rlnas compare --bud", tmp_path) == {"--budget"}
    assert completed(script, "rlnas compare --seeds 3 --na", tmp_path) == {"--name"}
    assert completed(script, "rlnas bench tabulate --recipe.epo", tmp_path) == {"--recipe.epochs"}
    assert completed(script, "rlnas runs --al", tmp_path) == {"--all"}
    assert completed(script, "rlnas runs clean --y", tmp_path) == {"--yes"}
    assert completed(script, "rlnas runs s", tmp_path) == {"show"}


def test_names_of_runs_and_files_are_completed(script: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "compare-1"
    folder.mkdir(parents=True)
    remember(folder, "mine")
    (tmp_path / "mine.txt").write_text("")
    assert completed(script, "rlnas plot mi", tmp_path) == {"mine", "mine.txt"}
    assert completed(script, "rlnas report la", tmp_path) == {"latest"}


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in ("train",)])
def test_every_option_is_there(name: str) -> None:
    offered = {word.replace("--no-", "--").replace(".no-", ".") for word in options_of(name)}
    given = {w.split("=")[0] for line in LINES[name] for w in line.split() if w[:2] == "--"}
    known = {word.replace("--no-", "--").replace(".no-", ".") for word in given}
    if name == "bench import-csv":  # the family says which
        known = {"--family"}
    assert known <= offered


def test_zsh_reads_it_by_its_own_help() -> None:
    assert called("completion", "zsh").stdout.startswith("autoload -U +X bashcompinit")
