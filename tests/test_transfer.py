"""The source x target matrix: what is compared with what, and what is called a difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas import bench
from rlnas.analysis import cli
from rlnas.analysis.stats import Interval
from rlnas.analysis.transfer.figure import figure, share
from rlnas.analysis.transfer.measures import Cell, adjusted, measure, with_prior
from rlnas.analysis.transfer.text import matrix, sentences, short
from rlnas.bench.errors import UserError
from tables import small_table

AGENT = "gp:fresh=10,near=4,parents=2,points=16"


def cell(way: Any, source: str, target: str, gain: float = 0.0, p: float = 1.0) -> Cell:
    of = Interval(gain, gain - 0.001, gain + 0.001)
    some = Interval(0.01, 0.009, 0.011)
    return Cell(way, source, target, 5, some, some, of, of, p, 0 if way == "alone" else 91)


MADE = [
    cell("alone", "", "x-a", p=float("nan")),
    cell("alone", "", "x-b", p=float("nan")),
    cell("list", "x-a", "x-b", -0.02, 0.01),
    cell("list", "x-b", "x-a", 0.001, 0.9),
    cell("informed", "x-a", "x-b", 0.008, 0.02),
    cell("informed", "x-b", "x-a", -0.001, 0.03),
]


def test_words() -> None:
    assert with_prior("gp", "b") == "gp:prior=b"
    assert with_prior("gp:initial=4", "b") == "gp:initial=4,prior=b"
    assert short(["x-a", "x-b-c"]) == ["a", "b-c"]
    assert short(["x-a", "y-b"]) == ["x-a", "y-b"]


def test_p_is_adjusted_within_a_way_and_a_number_of_queries() -> None:
    found = adjusted(MADE)
    assert [cell.p for cell in found[2:]] == pytest.approx([0.02, 0.9, 0.04, 0.04])
    assert [cell.verdict for cell in found] == [0, 0, -1, 0, 1, -1]
    assert sentences(found, [5], "gp") == [
        "gp that knows the source, against gp alone: after 5 queries better in 1 and worse in 1 of "
        "2 pairs.",
        "The list, against gp alone: after 5 queries better in 0 and worse in 1 of 2 pairs.",
    ]


def test_a_matrix_has_sources_as_rows_and_targets_as_columns() -> None:
    lines = matrix(adjusted(MADE), 5, "validation").splitlines()
    assert lines[0].split() == ["validation,", "5", "queries", "a", "b"]
    assert lines[3].split()[:3] == ["zero-shot", "a", "."]
    assert lines[3].endswith("-2.00 [-2.10, -1.90]*")
    assert lines[6].split()[:2] == ["informed", "b"] and lines[6].endswith(".")


def test_a_map_has_the_cells_of_its_way_and_the_regret_alone_on_its_diagonal() -> None:
    drawn = figure(adjusted(MADE), [5], "gp")
    maps = [axes for axes in drawn.axes if axes.images]
    assert [axes.get_title(loc="left") for axes in maps] == [
        "zero-shot, 5 queries", "informed, 5 queries",
    ]  # fmt: skip
    assert [[text.get_text() for text in axes.texts] for axes in maps] == [
        ["1.00", "-2.00*", "+0.10", "1.00"],
        ["1.00", "+0.80*", "-0.10*", "1.00"],
    ]


def test_shares_of_the_regret() -> None:
    assert share(0.005, 0.01) == pytest.approx(0.5)
    assert share(-0.05, 0.01) == -1
    assert (share(0.0, 0.0), share(-0.1, 0.0)) == (0, -1)


@pytest.mark.long
def test_what_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list's first query is the source's best; gains are regrets alone less regrets informed."""
    monkeypatch.chdir(tmp_path)
    small_table(4).save("a.npz")
    small_table(4, repeats=2).save("b.npz")
    there = {name: bench.load(name) for name in ("a.npz", "b.npz")}
    found, identity = measure(there, AGENT, [1, 8], seeds=4, seed=0, out=Path("runs"))
    assert len(found) == 2 * 3 * 2
    by = {(c.way, c.target, c.queries): c for c in found}
    alone, informed, listed = (by[way, "a.npz", 8] for way in ("alone", "informed", "list"))
    assert (alone.gain.value, alone.lookups, informed.source) == (0, 0, "b.npz")
    assert informed.lookups == listed.lookups == 91
    val = np.asarray(there["a.npz"].mean_val)
    first = val[np.argsort(-np.asarray(there["b.npz"].mean_val), kind="stable")[0]]
    assert by["list", "a.npz", 1].regret.value == pytest.approx(val.max() - first, abs=1e-6)
    assert listed.gain.value == pytest.approx(alone.regret.value - listed.regret.value, abs=1e-6)
    assert sorted(identity["runs"]) == ["a.npz", "b.npz"]


@pytest.mark.long
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    small_table(4).save("a.npz")
    small_table(4, repeats=2).save("b.npz")
    words = f"--benchmarks a.npz b.npz --agent {AGENT} --budget 6 --points 3 --seeds 3"
    assert cli.main(["transfer", *words.split()]) == 0
    said = capsys.readouterr().out
    assert "Every source has cost 91 to 91 look-ups before the search" in said
    (folder,) = Path("runs").glob("transfer-*")
    assert {path.name for path in folder.iterdir()} == {
        "figure.png", "figure.svg", "transfer.csv", "transfer.json", "report.txt", "manifest.json",
        "report.sha256", "command.toml",
    }  # fmt: skip
    cells = json.loads((folder / "transfer.json").read_text())["cells"]
    assert len(cells) == 2 * 3 * 2 and {c["queries"] for c in cells} == {3, 6}
    runs = [path.stat().st_mtime_ns for path in Path("runs").glob("*/history.npz")]
    assert cli.main(["transfer", *words.split()]) == 0
    assert runs == [path.stat().st_mtime_ns for path in Path("runs").glob("*/history.npz")]
    assert cli.main(["report", str(folder)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--benchmarks a.npz", "--benchmarks is a.npz; expected at least 2 different ones"),
        ("--points 60", "--points has 60; expected 1 to the budget, 50"),
    ],
)
def test_bad_options(words: str, message: str, capsys: Any) -> None:
    assert cli.main(["transfer", *words.split()]) == 2
    assert message in capsys.readouterr().err


def test_agents_without_a_prior_are_refused(tmp_path: Path) -> None:
    there = {name: bench.load("nb101-digits") for name in ("nb101-digits", "other")}
    for agent in ("evolution", "gp:prior=nb101-digits"):
        with pytest.raises(UserError, match="expected one with an option prior, and none given"):
            measure(there, agent, [2], seeds=2, seed=0, out=tmp_path)
