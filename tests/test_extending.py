"""rlnas agents, check and new; and the README's way to an agent and a benchmark of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rlnas import agents, bench
from rlnas.agents.spec import option_types, split
from rlnas.agents.testing import AgentContract
from rlnas.analysis import cli
from rlnas.bench.docs import field_docs

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The packages that `rlnas new` writes, and a folder into which both are installed."""
    source, installed = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    assert cli.main(["new", "agent", "greedy", "--folder", str(source / "greedy")]) == 0
    assert cli.main(["new", "benchmark", "my-cells", "--folder", str(source / "mine")]) == 0
    options = "--quiet --no-deps --no-build-isolation --no-index --disable-pip-version-check"
    command = [sys.executable, "-m", "pip", "install", *options.split(), "--target", installed]
    command += [source / "greedy", source / "mine"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(source=source, installed=installed)


@pytest.fixture
def installed(
    packages: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SimpleNamespace:
    """Both importable, as after `pip install`; and an empty folder to be in."""
    monkeypatch.syspath_prepend(str(packages.installed))
    monkeypatch.chdir(tmp_path)
    return packages


def said_by(capsys: pytest.CaptureFixture, *args: str) -> str:
    assert cli.main(list(args)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


# A package of one's own


@pytest.mark.long
@pytest.mark.parametrize("name", ["greedy", "my-cells"])
def test_a_new_package_passes_the_contract(
    name: str, installed: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    lines = said_by(capsys, "check", name).splitlines()
    assert len(lines) >= 8 and all(line.startswith("ok      ") for line in lines)


@pytest.mark.long
def test_its_own_test_is_the_contract(installed: SimpleNamespace) -> None:
    """Collected and run by pytest, one test of each: the rest is `rlnas check`."""
    for folder, test in (("greedy", "test_settings"), ("mine", "test_text")):
        words = [sys.executable, "-m", "pytest", "-q", "-k", test, installed.source / folder]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.long
def test_a_new_agent_and_a_new_benchmark_are_compared_and_listed(
    installed: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    args = ["--benchmark", "my-cells", "--budget", "20", "--seeds", "4"]
    words = ["random_search", "greedy", "greedy:restart=0.9"]
    table = said_by(capsys, "compare", *args, "--agents", *words)
    assert "greedy:restart=0.9" in table
    assert "my-cells" in said_by(capsys, "bench", "list")
    assert "1,024" in said_by(capsys, "bench", "info", "my-cells")
    line = next(x for x in said_by(capsys, "agents").splitlines() if x.startswith("greedy"))
    assert line.endswith("now and then a random architecture (greedy 0.1.0)")
    told = said_by(capsys, "agents", "greedy")
    assert "  restart: a number = 0.2\n      Probability of a random architecture." in told


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("agent Greedy", "'Greedy' cannot be the name of a module; expected small letters"),
        ("agent 2fast", "'2fast' cannot be the name of a module"),
        ("agent class", "'class' cannot be the name of a module"),
        ("agent ../up", "'../up' cannot be the name of a module"),
        ("agent so-so", "an agent cannot be named 'so-so'; expected _ instead of -"),
        ("agent evolution", "there is a agent 'evolution' already"),
        ("agent json", "there is a Python module 'json' already"),
        ("benchmark nb101-digits", "there is a benchmark 'nb101-digits' already"),
        ("benchmark rlnas", "there is a Python module 'rlnas' already"),
        ("benchmark free --folder taken", "taken is there already; expected a free name"),
        ("agent", "Missing from rlnas new agent: STR"),
    ],
)
def test_a_bad_name_is_one_line_and_nothing_is_written(
    line: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    assert cli.main(["new", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"rlnas: error: {reason}") and err.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["taken"]


# rlnas check

BROKEN = '''
from dataclasses import dataclass
from rlnas.agents.random_search import RandomSearch

@dataclass(frozen=True)
class Broken(RandomSearch):
    """Says nothing of its option."""
    size: int = 3

value = 3
'''


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_agent", raising=False)
    (tmp_path / "broken_agent.py").write_text(BROKEN)


@pytest.mark.usefixtures("broken")
def test_a_failed_check_is_a_line_and_exit_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in [x for x in vars(AgentContract) if x.startswith("test_") and x != "test_settings"]:
        monkeypatch.delattr(AgentContract, name)  # they are slow, and none fails
    assert cli.main(["check", "broken_agent:Broken"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("failed  Its settings are ") and "below the field size" in out
    assert err == ("rlnas: error: broken_agent:Broken fails 1 of 1 tests, named above\n")


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("nobody", "'nobody' is neither an agent nor a benchmark; expected one that `rlnas ag"),
        (
            "nobody:Nothing",
            "nobody:Nothing cannot be imported (ModuleNotFoundError: No module named 'nobody')",
        ),
        ("broken_agent:Missing", "broken_agent:Missing: "),
        ("broken_agent:value", "broken_agent:value is 3; expected an agent's settings class, or"),
        ("evolution:size=3", "agent 'evolution:size=3': unknown option 'size'"),
        ("broken_agent:Broken:size=x", "agent 'broken_agent:Broken:size=x': found size='x'; ex"),
    ],
)
def test_what_cannot_be_checked_is_one_line(
    what: str, reason: str, capsys: pytest.CaptureFixture
) -> None:
    assert cli.main(["check", what]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"rlnas: error: {reason}") and err.count("\n") == 1


# Words and what is said of agents


@pytest.mark.usefixtures("broken")
def test_words_of_agents_are_split() -> None:
    assert split("broken_agent:Broken:size=4") == ("broken_agent:Broken", "size=4")
    assert split("evolution:population=4") == ("evolution", "population=4")


@pytest.mark.parametrize("name", agents.names())
def test_every_agent_says_what_it_is_and_what_its_options_mean(
    name: str, capsys: pytest.CaptureFixture
) -> None:
    told = said_by(capsys, "agents", name)
    docs = field_docs(agents.config(name))
    for option, kind in option_types(agents.config(name)).items():
        assert f"  {option}: {kind} = " in told
        assert " ".join(docs[option].split()) in " ".join(told.split())
    assert f"{name}  " in said_by(capsys, "agents")


def test_an_unknown_agent_is_one_line(capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["agents", "nobody"]) == 2
    assert capsys.readouterr().err.startswith("rlnas: error: unknown agent 'nobody'; expected one")


# README.md


def block(title: str, language: str = "python") -> str:
    """The first block of code in a section of the README."""
    section = README.split(f"\n### {title}\n")[1]
    return section.split(f"```{language}\n")[1].split("```")[0]


def test_the_readme_s_agent_is_the_one_that_new_agent_writes(packages: SimpleNamespace) -> None:
    written = (packages.source / "greedy" / "greedy.py").read_text()
    code = [line for line in block("Adding an agent").splitlines() if line]
    assert code == [line for line in written.splitlines()[1:] if line]
    assert len(code) <= 25


def test_the_readme_s_environment_runs(capsys: pytest.CaptureFixture) -> None:
    exec(compile(block("The environment"), "README.md", "exec"), {})
    assert capsys.readouterr().out.count("\n") == 3


def test_public_names_are_there() -> None:
    from rlnas import analysis

    for package in (agents, bench, analysis):
        assert len(set(package.__all__)) == len(package.__all__) >= 4
        for name in package.__all__:
            assert getattr(package, name) is not None and name in dir(package)
