"""`--config FILE.toml`: settings as a file and back, and the file in every result's folder."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from option_lines import LINES
from rlnas.analysis import cli
from rlnas.analysis.common import taken
from rlnas.analysis.outcome import COMMAND
from rlnas.analysis.parse import parse
from rlnas.analysis.toml_settings import LEFT_OUT, flat, to_toml
from rlnas.bench.errors import UserError
from said import called
from test_options import world  # noqa: F401

SAME = [(name, line) for name, lines in LINES.items() for line in lines]


def settings_of(name: str, words: list[str]):
    """As the command line reads them."""
    kind = cli.load(cli.COMMANDS[name])
    return parse(name, kind, taken(name, kind, words)[0])


@pytest.mark.parametrize(("name", "line"), SAME, ids=[f"{n} {i}" for i, (n, _) in enumerate(SAME)])
@pytest.mark.usefixtures("world")
def test_every_option_comes_back(name: str, line: str, tmp_path: Path) -> None:
    settings = settings_of(name, line.split())
    path = tmp_path / "settings.toml"
    path.write_text(to_toml(name, settings), encoding="utf-8")
    tomllib.loads(path.read_text(encoding="utf-8"))
    again = settings_of(name, ["--config", str(path)])
    wanted, found = dict(flat(settings)), dict(flat(again))
    for option in LEFT_OUT:
        assert wanted.pop(option, None) is None or option in found
        found.pop(option, None)
    assert found == wanted


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[options]\nagents = ["gp", "random_search"]\nbudget = 7\nrehearsal = true\n')
    found = settings_of("compare", ["--config", str(path), "--budget", "9", "--no-rehearsal"])
    assert (found.budget, found.agents, found.rehearsal) == (9, ("gp", "random_search"), False)
    path.write_text('[options]\nruns = ["a"]\nout = "there"\n')
    assert settings_of("plot", [f"--config={path}"]).runs == (Path("a"),)
    found = settings_of("plot", ["b", "c", "--config", str(path)])
    assert (found.runs, found.out) == ((Path("b"), Path("c")), Path("there"))


@pytest.mark.parametrize("text", ['quote " and \\ and \x7f', "ünïcode", "#no comment", "[x]"])
def test_texts_come_back(text: str) -> None:
    settings = cli.load(cli.COMMANDS["compare"])(reference=text)
    assert tomllib.loads(to_toml("compare", settings))["options"]["reference"] == text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a = ", "is no TOML"),
        ("\xff", "is no TOML"),
        ("budget = 3", "has 'budget'; expected `command` and `[options]`"),
        ('command = "plot"', "is of the command 'plot'; expected one of 'compare'"),
        ("options = 3", "expected a table"),
        ("[options]\nbudget = 1979-05-27", "budget is"),
        ("[options]\nagents = [[1]]", "agents is [1]"),
        ("[options]\nbudgets = 3", "budgets"),
        ("[options]\nbudget = 'many'", "budget"),
        ("[[options]]\nx = 1", "expected a table"),
        (None, "No such file"),
    ],
)
def test_a_bad_file_is_one_line(content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    done = called("compare", "--config", path)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * 1_100_000)
    with pytest.raises(UserError, match="larger than"):
        settings_of("compare", ["--config", str(path)])


@pytest.mark.long
def test_a_result_is_repeated_by_its_file(table: Path, tmp_path: Path) -> None:
    words = ["--benchmark", table, "--agents", "random_search", "random_walk", "--budget", 4]
    assert called("compare", *words, "--seeds", 3, cwd=tmp_path).returncode == 0
    (folder,) = (tmp_path / "runs").glob("compare-*")
    before = (folder / COMMAND).read_bytes()
    done = called("compare", "--config", folder / COMMAND, "--out", "other", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "other" / folder.name / COMMAND).read_bytes() == before


def test_help_speaks_of_both() -> None:
    for name, has_name in (("compare", True), ("bench info", False), ("bench tabulate", False)):
        said = " ".join(called(*name.split(), "--help").stdout.split())
        assert "--config FILE.toml" in said
        assert ("--name NAME: what the result is called" in said) is has_name
