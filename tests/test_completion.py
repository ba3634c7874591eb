"""`rlnas completion`, as the shells themselves complete with it."""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import get_args

import pytest

from option_lines import LINES
from rlnas.analysis import cli
from rlnas.analysis.completion.command import Shell
from rlnas.analysis.completion.script import options_of
from rlnas.bench.run_names import remember
from said import called

EXPECTED = {
    "rlnas comp": {"compare", "completion", "compress"},
    "rlnas bench inf": {"info"},
    "rlnas compare --bud": {"--budget"},
    "rlnas compare --seeds 3 --na": {"--name"},
    "rlnas bench tabulate --recipe.epo": {"--recipe.epochs"},
    "rlnas runs --al": {"--all"},
    "rlnas runs clean --y": {"--yes"},
    "rlnas runs s": {"show"},
    "rlnas plot mi": {"mine", "mine.npz"},
    "rlnas report la": {"latest"},
    "rlnas plot a": {"a b.npz"},
}
"""What shells offer for the last word of a line; in a folder with a run `mine`, and files."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in get_args(Shell):
        (folder / f".{shell}").write_text(called("completion", shell).stdout, encoding="utf-8")
    run = folder / "runs" / "compare-1"
    run.mkdir(parents=True)
    remember(run, "mine")
    for name in ("mine.npz", "a b.npz"):
        (folder / name).write_text("")
    return folder


def program(shell: str) -> str:
    return shutil.which(shell) or pytest.skip(f"no {shell} here")


def said(words: list[str], cwd: Path) -> list[str]:
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("line", EXPECTED)
def test_bash(line: str, world: Path) -> None:
    words = line.split(" ")
    code = (
        f"source .bash; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
        f'COMP_CWORD={len(words) - 1}; _rlnas; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    assert set(said([program("bash"), "-c", code], world)) == EXPECTED[line]


@pytest.mark.parametrize("line", EXPECTED)
def test_fish(line: str, world: Path) -> None:
    code = f"source .fish; complete -C {shlex.quote(line)}"
    assert set(said([program("fish"), "--no-config", "-c", code], world)) == EXPECTED[line]


@pytest.mark.parametrize("line", EXPECTED)
def test_zsh_in_a_terminal(line: str, world: Path) -> None:
    """Only a line that is edited completes. Several words are listed below it."""
    with Terminal([program("zsh"), "-f", "-i"], world) as terminal:
        terminal.types("PS1='ready'; source .zsh; rlnas() { print -r -- \"<${(j:|:)@}>\" }\n")
        terminal.shows(r"[\r\nm]ready")
        terminal.types(f"{line}\t")
        found = EXPECTED[line]
        if len(found) == 1:
            (word,) = found
            terminal.types("\n")
            terminal.shows(re.escape(f"<{'|'.join([*line.split()[1:-1], word])}>"))
        else:
            terminal.types("\t")
            for word in found:
                terminal.shows(rf"[\s\x07]{re.escape(word)}\s")


class Terminal:
    """A program in a pseudo terminal."""

    def __init__(self, words: list[str], cwd: Path) -> None:
        pty = pytest.importorskip("pty", reason="no pseudo terminals here")
        self.seen = ""
        master, slave = pty.openpty()
        self.file = master
        self.process = subprocess.Popen(
            words, cwd=cwd, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(cwd), "COLUMNS": "200"},
        )  # fmt: skip
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *raised: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.file)

    def types(self, text: str) -> None:
        os.write(self.file, text.encode())

    def shows(self, pattern: str, seconds: float = 30.0) -> None:
        """Wait until it does."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, self.seen
            if select.select([self.file], [], [], 0.1)[0]:
                self.seen += os.read(self.file, 65536).decode(errors="replace")


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in ("train",)])
def test_every_option_is_there(name: str) -> None:
    offered = {word.replace("--no-", "--").replace(".no-", ".") for word in options_of(name)}
    given = {w.split("=")[0] for line in LINES[name] for w in line.split() if w[:2] == "--"}
    known = {word.replace("--no-", "--").replace(".no-", ".") for word in given}
    if name == "bench import-csv":  # the family says which
        known = {"--family"}
    assert known <= offered
