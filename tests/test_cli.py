"""The command line: its helps, and one line for every kind of bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Literal

import pytest

from rlnas.analysis import cli
from rlnas.bench.errors import UserError
from said import called, complaints


def rlnas(*args: object, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONIOENCODING": encoding}
    words = [sys.executable, "-m", "rlnas.analysis.cli", *map(str, args)]
    return subprocess.run(words, capture_output=True, encoding=encoding, env=env)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_every_command(name: str) -> None:
    done = called(*name.split(" "), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: rlnas {name} ")
    assert "--help" in done.stdout


@pytest.mark.parametrize("args", [[], ["--help"], ["bench"], ["bench", "--help"]])
def test_overview(args: list[str]) -> None:
    done = called(*args)
    assert (done.returncode, done.stderr) == (0, "")
    for name, target in cli.COMMANDS.items():
        if name.startswith("bench") or "bench" not in args:
            line = next(x for x in done.stdout.splitlines() if x.startswith(f"  rlnas {name} "))
            assert 10 < len(cli.summary(target)) <= 80 and line.endswith(cli.summary(target))
    assert "examples:" in done.stdout


def test_version(capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rlnas")


@pytest.mark.parametrize("args", [["--help"], ["compare", "--help"], ["plot", "--help"]])
def test_help_is_quick(args: list[str]) -> None:
    """No help loads what only the work needs."""
    code = (
        "import sys\nfrom rlnas.analysis.cli import main\n"
        f"try: main({args!r})\nexcept SystemExit: pass\n"
        "heavy = {'jax', 'numpy', 'matplotlib', 'torch', 'pandas', 'sklearn', 'xgboost'} & "
        "set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_importing_analysis_is_light() -> None:
    modules = ", ".join(
        f"rlnas.analysis.{name}"
        for name in (
            "store",
            "comparison.command",
            "comparison.runs",
            "report.command",
        )
    )
    code = (
        f"import sys\nimport {modules}\n"
        "print(sorted({'matplotlib', 'torch', 'pandas', 'sklearn', 'xgboost'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        == "[]"
    )


def test_compare_then_plot(table: Path, tmp_path: Path) -> None:
    """Two processes write the same bytes, and draw them again from the histories."""
    args = [
        "compare",
        "--benchmark",
        table,
        "--agents",
        "random_search",
        "local_search",
        "--budget",
        11,
        "--seeds",
        4,
    ]
    for name, run in {"a": rlnas, "b": called}.items():
        done = run(*args, "--out", tmp_path / name)
        assert (done.returncode, complaints(done.stderr)) == (0, "")
        assert "local_search" in done.stdout and "figure.png" in done.stdout
    written = {path.relative_to(tmp_path / "a") for path in (tmp_path / "a").glob("*/*")}
    assert len(written) == 2 * 2 + 5 + 1  # and which is the latest
    for path in written:
        if path.name != "manifest.json":  # it holds the time of day
            assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), (
                path
            )
    (comparison,) = (tmp_path / "a").glob("compare-*")
    done = called("plot", comparison, "--out", tmp_path / "figures")
    assert (done.returncode, done.stderr) == (0, "")
    for path in comparison.glob("*[!l]"):  # not command.toml, which repeats the comparison
        assert (tmp_path / "figures" / path.name).read_bytes() == path.read_bytes(), path


def test_bench_commands(table: Path, tmp_path: Path) -> None:
    listed, told = called("bench", "list"), called("bench", "info", table)
    assert (listed.returncode, told.returncode) == (0, 0), listed.stderr + told.stderr
    assert "small" in told.stdout and "91" in told.stdout
    exported = called("bench", "export", table, "--out", tmp_path / "small.csv")
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "small.csv").stat().st_size > 0


BAD = {
    "comapre": "unknown command 'comapre' of rlnas; expected one of compare, plot, ",
    "bench inof": "unknown command 'inof' of rlnas bench; expected one of list, info,",
    "compare --budget x": "--budget is 'x'; expected a whole number; see rlnas compare --help",
    "compare --bugdet 3": "Unrecognized options: --bugdet, 3 (perhaps --budget?); see rlnas compa",
    "compare --budget": "Missing value for argument '--budget'. Expected 1 values; see rlnas c",
    "compare stray": "Unrecognized options: stray; see",
    "compare --redo maybe": "Unrecognized options: maybe; see",
    "compare --budget 2 --budget 3": "--budget is given 2 times (2, 3); expected once",
    "compare --budget 0": "--budget is 0; expected at least 1 query",
    "compare --seeds 1": "--seeds is 1; expected at least 2",
    "compare --seed -1": "--seed is -1; expected at least 0",
    "compare --agents nobody": "unknown agent 'nobody'; expected one of ",
    "compare --agents": "no agents given; expected at least one of",
    "compare --agents evolution evolution": "agent 'evolution' is given twice",
    "compare --agents evolution:size=3": "unknown option 'size'",
    "compare --benchmark nowhere": "nowhere",
    "compare --benchmark TABLE --noise loud": "policy 'loud'; expected mean, sample or repeat=i",
    "compare --benchmark TABLE --noise repeat=3": "'repeat=3', but small has 3 repeats",
    "compare --benchmark TABLE --epochs 5": "of 5 epochs in small; expected one of [4, 12]",
    "compare --out TABLE": "expected a folder, or a free name",
    "plot": "no runs given; expected run folders, or a compare-... folder",
    "plot nowhere": "no folder nowhere; expected a run folder, or a compare-... folder",
    "plot .": ". is no finished run (no manifest.json)",
    "speed --only nothing": "unknown section 'nothing'",
    "bench info": "Missing from rlnas bench info: STR",
    "bench info nowhere": "nowhere",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line(
    line: str,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    status = cli.main([str(table) if word == "TABLE" else word for word in line.split()])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("rlnas: error: ") and err.endswith("\n") and err.count("\n") == 1
    assert BAD[line] in err
    assert list(tmp_path.iterdir()) == []


def test_bad_input_from_outside() -> None:
    done = rlnas("compare", "--seeds", "many")
    assert (done.returncode, done.stdout) == (2, "")
    reason = "--seeds is 'many'; expected a whole number"
    assert done.stderr == f"rlnas: error: {reason}; see rlnas compare --help\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_bad_options_are_one_line_in_any_encoding(encoding: str) -> None:
    done = rlnas("compare", "--bugdet", "3", encoding=encoding)
    reason = "Unrecognized options: --bugdet, 3 (perhaps --budget?)"
    assert (done.returncode, done.stderr) == (
        2,
        f"rlnas: error: {reason}; see rlnas compare --help\n",
    )


def test_a_file_that_cannot_be_written_is_one_line(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    args = [
        "compare",
        "--benchmark",
        str(table),
        "--budget",
        "2",
        "--seeds",
        "2",
        "--agents",
        "random_search",
    ]
    assert cli.main([*args, "--out", str(tmp_path / "file" / "runs")]) == 2
    err = complaints(capsys.readouterr().err)
    assert err.startswith("rlnas: error: --out is ") and err.count("\n") == 1
    assert err.endswith(f"expected a folder, or a free name, but {tmp_path / 'file'} is a file\n")


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (UserError("found this,\nexpected that"), 2, "rlnas: error: found this, expected that\n"),
        (
            KeyboardInterrupt(),
            130,
            "\nrlnas: interrupted; the same command again goes on where it can\n",
        ),
    ],
)
def test_how_a_command_ends(
    raised: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    stop_with(raised, monkeypatch)
    assert cli.main(["plot"]) == status
    assert capsys.readouterr().err == said


def test_a_fault_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_with(ZeroDivisionError(), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        cli.main(["plot"])


@dataclass(frozen=True)
class Sample:
    """Do nothing: a sample of settings.

    More of it.
    """

    size: int = 3
    """How large."""
    flip: bool = True
    """Images are mirrored."""
    shape: Literal["long", "wide"] = "long"
    """How it is laid out."""

    def __post_init__(self) -> None:
        if self.size < 0:
            raise UserError(f"--size is {self.size}; expected at least 0, which is a line too long")

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Sample:
        return cls(size=5 if "wide" in options else 3)

    def run(self) -> None:
        print(self)


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "plot", f"{__name__}:Sample")


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Sample()),
        ("--no-flip --size 4", Sample(4, False)),
        ("--flip --shape wide", Sample(5, True, "wide")),
    ],
)
def test_a_command_is_a_dataclass_that_runs(
    words: str, expected: Sample, capsys: pytest.CaptureFixture
) -> None:
    assert cli.main(["plot", *words.split()]) == 0
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.usefixtures("sample")
def test_help_says_what_a_flag_does_and_the_choices(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plot", "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--flip, --no-flip Images are mirrored. (default: True)" in said
    assert "--shape {long,wide} How it is laid out. (default: long)" in said
    assert cli.summary(f"{__name__}:Sample") == "Do nothing"


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--size -1", "--size is -1; expected at least 0, which is a line too long"),
        ("--shape tall", "invalid choice 'tall' for argument '--shape'. Expected one of ("),
    ],
)
def test_a_refused_value_is_one_line(words: str, said: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["plot", *words.split()]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"rlnas: error: {said}") and err.count("\n") == 1


def stop_with(raised: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `rlnas plot` end so."""

    def stop(self: object) -> None:
        raise raised

    command = make_dataclass("Stop", (), frozen=True, namespace={"__doc__": "Stop.", "run": stop})
    monkeypatch.setattr(cli, "load", lambda target: command)
