"""Words of a command line: options that are repeated, whole numbers, `~`; and what a command prints
can be pasted back, whatever a folder is called."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rlnas import bench
from rlnas.agents.spec import folder_and_options, parse
from rlnas.analysis import cli
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.parse import parse as parse_options
from rlnas.bench.errors import UserError
from rlnas.bench.files import cache_dir, expanded, quoted
from rlnas.bench.options import gathered

AWKWARD = "my runs, a=b:c's"


@dataclass(frozen=True)
class Inner:
    """Nested."""

    checkpoints: tuple[int, ...] = (2, 5)
    """Some."""
    flip: bool = True
    """Whether."""


@dataclass(frozen=True)
class Outer:
    """A command.

    A paragraph that is longer than a line, so that it has to be broken
    where the
    terminal ends.

    Examples:
      rlnas sample
      rlnas sample --agents b
    """

    agents: tuple[str, ...] = ("a",)
    """Several."""
    budget: int = 3
    """One."""
    epochs: int | None = None
    """One, or none."""
    rate: float = 0.5
    """A number."""
    out: Path = Path("runs")
    """A folder, to which a word is
    added in the next line of the source."""
    inner: Inner = field(default_factory=Inner)
    """More."""


def parsed(line: str) -> Outer:
    found = parse_options("sample", Outer, shlex.split(line))
    assert isinstance(found, Outer)
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--agents b --agents c", Outer(("b", "c"))),
        ("--agents=b c --budget 4 --agents d", Outer(("b", "c", "d"), 4)),
        ("--inner.checkpoints 1 --inner.checkpoints=3", Outer(inner=Inner((1, 3)))),
        ("--agents b --budget 4", Outer(("b",), 4)),
        ("--budget 20.0 --epochs 12.", Outer(budget=20, epochs=12)),
        ("--epochs None --rate 2 --budget -4", Outer(epochs=None, rate=2.0, budget=-4)),
    ],
)
def test_a_list_that_is_given_again_is_added_to(line: str, expected: Outer) -> None:
    assert parsed(line) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--budget 3 --budget=4", "--budget is given 2 times (3, 4); expected once"),
        ("--inner.flip --inner.no-flip", "--inner.flip is given 2 times (--inner.flip, --inner.no"),
        ("--rate 1 --agents b --rate 1 --rate 2", "--rate is given 3 times (1, 1, 2); expected"),
        ("--budget x", "--budget is 'x'; expected a whole number; see rlnas sample --help"),
        ("--epochs 3.5", "--epochs is '3.5'; expected a whole number; see rlnas sample --help"),
    ],
)
def test_what_cannot_be_meant_is_one_line(line: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parsed(line)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_words_that_need_nothing_stay_as_they_are() -> None:
    words = ["a", "--x=b", "--y", "c", "--z=-d"]
    assert gathered(words, ["x"]) == words
    assert gathered(["--x_y", "1", "--x-y=2", "--z"], ["x-y"]) == ["--x_y", "1", "2", "--z"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_home_folder(home: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, in values, in the cache's place, in agents, and in what Python is given."""
    assert parsed("--out ~/a").out == home / "a" == parsed("--out=~/a").out
    assert expanded("--note=~ 5") == "--note=~ 5" and expanded("a~/b") == "a~/b"
    monkeypatch.setenv("RLNAS_CACHE", "~/cache")
    assert cache_dir() == home / "cache"
    assert folder_and_options("~/runs/t,alpha=2") == (f"{home}/runs/t", "alpha=2")
    (home / "t.npz").write_bytes(table.read_bytes())
    assert bench.load("~/t.npz").name == "small"
    (run,) = compare("~/t.npz", ["mine=random_search"], budget=2, seeds=2, out="~/runs")
    assert run.label == "mine" and run.folder.parent == home / "runs"


@pytest.mark.parametrize("rest", ["", "memory=3", "memory=3,alpha=2"])
def test_a_folder_may_be_called_anything(rest: str, tmp_path: Path) -> None:
    folder = tmp_path / AWKWARD
    folder.mkdir()
    text = f"{folder},{rest}" if rest else str(folder)
    assert folder_and_options(text) == (str(folder), rest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "")),
        ("memory=3,x=1", ("", "memory=3,x=1")),
        ("nowhere,memory=3", ("nowhere", "memory=3")),
        ("runs/a=b", ("runs/a=b", "")),
    ],
)
def test_a_folder_that_is_not_there(text: str, expected: tuple[str, str]) -> None:
    assert folder_and_options(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("a/b.npz", "a/b.npz"), ("a b", "'a b'"), ("-a", "./-a")]
)
def test_quoted(word: str, expected: str) -> None:
    assert quoted(word) == expected


@pytest.mark.long
def test_what_train_and_compare_print_can_be_pasted_back(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The line that train ends with is a command; so is `plot` with the folder that compare
    names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my table.npz").write_bytes(table.read_bytes())
    words = ["averages:AveragesAgent", "--benchmark", "my table.npz", "--preset", "smoke"]
    small = "--steps 64 --evaluate-every 64 --evaluation-seeds 3 --evaluation-queries 2 5"
    small += " --judging-seeds 4"
    assert cli.main(["train", *words, *small.split(), "--out", AWKWARD]) == 0
    last = capsys.readouterr().out.splitlines()[-1].split(maxsplit=1)
    assert last[0] == "rlnas"
    pasted = shlex.split(last[1])
    assert parse(pasted[-1])[1].checkpoint == str(next(Path(AWKWARD).glob("train-*")))  # type: ignore[attr-defined]
    where = ["--benchmark", "my table.npz", "--budget", "4", "--seeds", "2", "--out", AWKWARD]
    assert cli.main([*pasted, *where]) == 0
    figure = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("figure"))
    (path,) = shlex.split(figure.removeprefix("figure"))
    assert Path(path).is_file() and "'" in path and "," in path
    assert cli.main(["plot", str(Path(path).parent), "--out", "drawn"]) == 0


def test_help_wraps_prose_and_keeps_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Prose of fields too, whose lines break in the source."""
    monkeypatch.setenv("COLUMNS", "70")
    with pytest.raises(SystemExit):
        parsed("--help")
    said = capsys.readouterr().out
    assert said.startswith("usage: rlnas sample ")
    assert said.partition("\n\n")[2].startswith(
        "A command.\n\n"
        "A paragraph that is longer than a line, so that it has to be broken\n"
        "where the terminal ends.\n\n"
        "Examples:\n  rlnas sample\n  rlnas sample --agents b\n\n"
    )
    assert "a word is added in" in said
