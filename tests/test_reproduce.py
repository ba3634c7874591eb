"""Published numbers beside ours: what is called different, what is not checked and why."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas.agents.spec import parse_all
from rlnas.analysis import cli
from rlnas.analysis.comparison.curves import incumbent_values
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.reproduce import measures, studies
from rlnas.analysis.reproduce.measures import Reproduced, far, mean_of, order, reproduce
from rlnas.analysis.reproduce.studies import STUDIES, Row, Study
from rlnas.analysis.stats import Interval
from rlnas.bench.errors import UserError
from tables import small_benchmark

SEEDS, BUDGET = 6, 5
SAID = ("report.txt", "report.sha256", "command.toml")
STUDY = Study(
    "made", "small", "made up", "test", (2, 5), 100,
    (Row("random", "random_search", (None, 50.0)), Row("nobody", "nobody", (1.0, 2.0))),
    budget=BUDGET,
)  # fmt: skip


@pytest.mark.parametrize("study", STUDIES, ids=[study.name for study in STUDIES])
def test_studies_can_be_run(study: Study) -> None:
    """Their agents are registered, with these options; a number a point, or none."""
    assert len(parse_all([row.agent for row in study.rows])) == len(study.rows)
    assert all(len(row.values) == len(study.points) for row in study.rows)
    assert study.unit == "seconds" or max(study.points) <= study.budget
    assert all(row.values[-1] is not None for row in study.rows)


def test_what_rounding_explains_is_no_difference() -> None:
    assert far(0.004, 0.1, digits=2) == 0
    assert far(-0.205, 0.1, digits=2) == pytest.approx(-2)
    assert far(0.3, 0.0, digits=2) == math.inf


def test_a_mean_has_student_s_interval() -> None:
    found = mean_of(np.array([1.0, 2.0, 3.0, 4.0]))
    half = 3.182446 * np.std([1, 2, 3, 4], ddof=1) / 2
    assert found == pytest.approx((2.5, 2.5 - half, 2.5 + half))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Reproduced]]:
    out = tmp_path_factory.mktemp("reproduce")
    return out, reproduce(STUDY, small_benchmark(4), SEEDS, out)


def test_ours_is_what_a_comparison_has(found: Any) -> None:
    out, (ours, nobody) = found
    (run,) = compare(small_benchmark(4), ["random_search"], budget=BUDGET, seeds=SEEDS, out=out)
    assert not run.new
    values = 100 * incumbent_values(run.history)[:, [1, 4]]
    assert [x.value for x in ours.ours] == pytest.approx(values.mean(0).tolist())
    error = values[:, 1].std(ddof=1) * math.sqrt(1 / SEEDS + 1 / 100)
    assert math.isnan(ours.errors[0])
    assert ours.errors[1] == pytest.approx((values[:, 1].mean() - 50 - 0.005) / error)
    assert not ours.agrees and not nobody.ours and "nobody" in nobody.why


def test_the_other_measures(found: Any) -> None:
    out, (ours, _) = found
    benchmark = small_benchmark(4)
    for measure, top in (("error", 100.0), ("regret", 100 * float(benchmark.optimum))):
        other = reproduce(replace(STUDY, measure=measure), benchmark, SEEDS, out)[0]
        assert other.ours[1].value == pytest.approx(top - ours.ours[1].value)


def test_after_seconds(found: Any) -> None:
    """The first trainings end after some seconds; in the end all are over."""
    out, _ = found
    benchmark = small_benchmark(4)
    (run,) = compare(benchmark, ["random_search"], budget=BUDGET, seeds=SEEDS, out=out)
    seconds = np.cumsum(run.history.sim_seconds, axis=1, dtype=np.float64)
    late = (float(seconds[:, 0].max()), float(seconds[:, -1].min()))
    timed = replace(STUDY, unit="seconds", points=late)
    values = 100 * incumbent_values(run.history)
    places = [[(row <= t).sum() - 1 for t in late] for row in seconds]
    expected = np.take_along_axis(values, np.array(places), 1).mean(0)
    there = reproduce(timed, benchmark, SEEDS, out)[0]
    assert [x.value for x in there.ours] == pytest.approx(expected.tolist())
    never = reproduce(replace(timed, points=(1e12, 2e12)), benchmark, SEEDS, out)[0]
    assert "5 queries end before 2e+12 s" in never.why


def test_pairs_in_the_same_order() -> None:
    def row(theirs: float | None, ours: float) -> Reproduced:
        return Reproduced(Row("", "", (theirs,)), (Interval(ours, ours, ours),), (0.0,))

    rows = [row(1.0, 5.0), row(2.0, 4.0), row(3.0, 6.0), row(3.0, 9.0), row(None, 0.0)]
    assert order(STUDY, rows) == (4, 5)  # only the first two are the other way round


@pytest.mark.usefixtures("cache")
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    here = replace(STUDY, benchmark="nb101-digits")
    gone = replace(STUDY, name="gone", benchmark="nb201-cifar100")
    monkeypatch.setattr(studies, "STUDIES", (here, gone))
    assert cli.main(["reproduce", "--seeds", "4", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "not checked: nobody: unknown agent 'nobody'" in said
    assert "gone: not checked: no table nb201-cifar100 here" in said
    assert "0 of 1 rows agree within 3 standard errors; 3 could not be checked." in said
    (folder,) = tmp_path.glob("reproduce-*")
    assert {"figure.png", "figure.svg", "numbers.csv", *SAID} == {
        path.name for path in folder.iterdir()
    }
    assert cli.main(["reproduce", "--only", "what"]) == 2
    assert "no study 'what'; expected some of made, gone" in capsys.readouterr().err


def test_nothing_that_can_be_checked_is_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise UserError("not today")

    monkeypatch.setattr(measures, "compare", refuse)
    monkeypatch.setattr(studies, "STUDIES", (replace(STUDY, benchmark="nb101-digits"),))
    assert cli.main(["reproduce", "--only", "made", "--out", str(tmp_path)]) == 0
    (folder,) = tmp_path.glob("reproduce-*")
    assert {"numbers.csv", *SAID} == {path.name for path in folder.iterdir()}
