"""A grid of trainings: planned, resumed, surviving its failures; and its numbers by hand."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from averages import AGENT, AveragesLearner
from rlnas import agents, bench
from rlnas.agents.dqn import DQNLearner
from rlnas.agents.learner import changed
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis.ablation import data, jobs, measures, text
from rlnas.analysis.ablation.command import Ablate
from rlnas.analysis.ablation.plan import GRIDS, Row, plan
from rlnas.analysis.cli import main
from rlnas.bench.errors import UserError
from tables import small_benchmark, small_table
from worker_tasks import run_here

FACTS = {"name": "a benchmark"}
ALPHAS = (1.0, 6.0)


def tiny(folder: Path) -> Ablate:
    """A row of two alphas with two seeds each, a moment long, in `folder`."""
    return Ablate(
        agent=AGENT, preset="smoke", benchmark=str(folder / "small.npz"), alpha=ALPHAS,
        neighbours=(3,), vary=("spread=0.01",), seeds=2, steps=320, evaluation_seeds=4, workers=1,
        out=folder / "runs",
    )  # fmt: skip


def rows_of(config: Ablate) -> tuple[list[Row], Path]:
    there = bench.load(config.benchmark)
    return plan(config, there.describe(), there)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ablate, dict[str, int]]:
    """The row, done in this process, and how often that traced its training and its evaluation."""
    folder = tmp_path_factory.mktemp("ablation")
    small_table().save(folder / "small.npz")
    traced = {"init": 0, "agent": 0}
    (row,), _ = rows_of(tiny(folder))
    with pytest.MonkeyPatch.context() as patch:
        for name in traced:
            patch.setattr(
                AveragesLearner, name, counting(traced, name, getattr(AveragesLearner, name))
            )
        patch.setattr("rlnas.bench.workers.run_all", run_here)
        assert jobs.run_jobs([row]) == []
    return tiny(folder), traced


def counting(counts: dict[str, int], name: str, function: Callable[..., Any]) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        counts[name] += 1
        return function(*args, **kwargs)

    return wrapper


# --- the plan
# ---------------------------------------------------------------------------------------


def test_a_grid_is_every_combination() -> None:
    config = Ablate(
        alpha=(6.0, 1.0),
        neighbours=(5, 10),
        vary=("gamma=0.5,0.9", "network.width=32,64"),
        seeds=3,
        steps=999,
    )
    rows, folder = plan(config, FACTS)
    found = [(r.settings.neighbours, r.settings.gamma, r.settings.network.width) for r in rows]
    assert found == [(n, g, w) for n in (5, 10) for g in (0.5, 0.9) for w in (32, 64)]
    for row in rows:
        assert row.alphas == (6.0, 1.0) and row.seeds == 3 and row.folder == folder
        own = row.settings
        assert dict(row.varied) == {
            "neighbours": own.neighbours, "gamma": own.gamma, "network.width": own.network.width
        }  # fmt: skip
        base = DQNLearner.presets()["grid"]
        assert row.settings == changed(base, dict(row.varied) | {"steps": 999})
    cells = [row.cell(alpha) for row in rows for alpha in row.alphas]
    assert len(set(cells)) == len(cells) == 16


@pytest.mark.parametrize("preset", ["smoke", "default", "paper"])
def test_presets(preset: Any) -> None:
    grid = GRIDS[preset]
    rows, _ = plan(Ablate(preset=preset), FACTS)
    assert [row.settings.neighbours for row in rows] == list(grid.neighbours)
    assert {row.alphas for row in rows} == {grid.alpha}
    assert {row.seeds for row in rows} == {grid.seeds}


def test_values_have_the_type_of_their_setting() -> None:
    (row, other), _ = plan(Ablate(neighbours=(5,), vary=("stay=true,no", "n_step=2")), FACTS)
    assert row.settings.stay is True and other.settings.stay is False
    assert row.settings.n_step == 2 and isinstance(row.settings.n_step, int)


def test_the_folder_is_named_by_all_that_decides_the_result() -> None:
    def folder(facts: dict[str, str] = FACTS, **options: Any) -> str:
        return plan(Ablate(**options), facts)[1].name

    changes = [
        {"alpha": (1.0,)},
        {"neighbours": (3,)},
        {"vary": ("gamma=0.5",)},
        {"seeds": 2},
        {"seed": 1},
        {"steps": 9},
    ]
    names = [folder(), folder({"name": "another"}), folder(evaluation_seeds=7)] + [
        folder(**c) for c in changes
    ]
    assert len(set(names)) == len(names)
    assert folder(workers=7, out=Path("elsewhere")) == folder()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"vary": ("gama=0.5",)}, "--vary gama=0.5: no such setting; expected FIELD=value"),
        ({"vary": ("network.depth=2",)}, "--vary network.depth=2: no such setting"),
        ({"vary": ("nothing.width=2",)}, "--vary nothing.width=2: no such setting"),
        ({"vary": ("gamma",)}, "--vary gamma: no such setting"),
        ({"vary": ("gamma=",)}, "--vary gamma=: no such setting"),
        ({"vary": ("iterations=5",)}, "--vary iterations=5: no such setting"),
        ({"vary": ("optimiser=5",)}, "--vary optimiser=5: no such setting"),
        ({"vary": ("network=64",)}, "--vary network=64: no such setting"),
        ({"vary": ("gamma=high",)}, "found gamma='high'; expected a number"),
        ({"vary": ("gamma=0.5,1",)}, "found gamma = 1.0; expected at least 0 and below 1"),
        ({"vary": ("network.heads=3",)}, "expected a multiple of the heads"),
        ({"vary": ("alpha=1,2",)}, "alpha has an option of its own, --alpha"),
        ({"vary": ("steps=1,2",)}, "steps has an option of its own, --steps"),
        (
            {"vary": ("gamma=0.5", "gamma=0.9")},
            "gamma is varied twice; give all its values at once",
        ),
        ({"vary": ("gamma=0.5,0.50",)}, "gamma 0.5 0.5 has one twice; give each once"),
        ({"neighbours": (5, 5)}, "neighbours 5 5 has one twice; give each once"),
        ({"alpha": (6.0, 6.0)}, "alpha 6.0 6.0 has one twice; give each once"),
        ({"neighbours": (0,)}, "found neighbours = 0; expected at least 1"),
        ({"seeds": 0}, "--seeds is 0; expected at least 1"),
        ({"workers": 0}, "--workers is 0; expected at least 1"),
        ({"evaluation_seeds": 0}, "--evaluation-seeds is 0; expected at least 1"),
        ({"steps": 0}, "found steps = 0; expected at least 1"),
        ({"seed": -1}, "--seed is -1; expected 0 to 4294967295"),
    ],
)
def test_settings_that_are_none_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError) as caught:
        plan(Ablate(**options), FACTS)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


# --- the jobs
# ---------------------------------------------------------------------------------------


@pytest.mark.long
def test_alphas_and_seeds_share_one_program(done: tuple[Ablate, dict[str, int]]) -> None:
    """Two alphas with two seeds each: the training and the evaluation are traced once."""
    assert done[1] == {"init": 1, "agent": 1}


def test_each_alpha_leaves_one_line_a_seed(done: tuple[Ablate, dict[str, int]]) -> None:
    (row,), folder = rows_of(done[0])
    assert sorted((folder / "cells").iterdir()) == sorted(row.cell(alpha) for alpha in ALPHAS)
    by_alpha = {}
    for alpha in ALPHAS:
        lines = data.read_cell(row.cell(alpha), 2)
        assert [(line["alpha"], line["neighbours"], line["seed"]) for line in lines] == [
            (alpha, 3, 0),
            (alpha, 3, 1),
        ]
        assert len({line["loss"] for line in lines}) == 2, "two seeds gave the same training"
        by_alpha[alpha] = [line["loss"] for line in lines]
        for line in lines:
            # A look-up for each of 8 actors at its start, at each of 40 steps, and at the start of
            # every new episode.
            assert line["lookups"] == 8 * (1 + 40 + 40 // 4)
            assert all(0.4 < line[f"reported_{q}"] < 1 for q in (10, 20, 50))
            assert line["val_50"] >= line["val_20"] >= line["val_10"]
    assert by_alpha[1.0] != by_alpha[6.0]


@pytest.mark.long
def test_the_command_does_what_is_missing_and_nothing_else(
    done: tuple[Ablate, dict[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One alpha's file is deleted: a worker process does it again, to the same bytes; table and
    figure are written."""
    shutil.copytree(done[0].out, tmp_path / "runs", symlinks=False)
    config = replace(done[0], out=tmp_path / "runs")
    (row,), folder = rows_of(config)
    kept, missing = row.cell(1.0).stat().st_mtime_ns, row.cell(6.0).read_bytes()
    row.cell(6.0).unlink()
    assert len(data.collect([row], bench.load(config.benchmark))) == 2
    args = [
        "ablate",
        "--preset",
        "smoke",
        "--agent",
        AGENT,
        "--vary",
        "spread=0.01",
        "--benchmark",
        config.benchmark,
        "--alpha",
        "1",
        "6",
        "--neighbours",
        "3",
    ]
    args += [
        "--seeds",
        "2",
        "--steps",
        "320",
        "--evaluation-seeds",
        "4",
        "--workers",
        "1",
        "--out",
        str(config.out),
    ]
    assert main(args) == 0
    said = capsys.readouterr().out
    assert (
        "accuracy of the incumbent after 20 queries" in said and str(folder / "figure.svg") in said
    )
    assert row.cell(1.0).stat().st_mtime_ns == kept and row.cell(6.0).read_bytes() == missing
    written = {"cells", "results.parquet", "results.csv", "figure.png", "figure.svg"}
    written |= {"report.txt", "report.sha256", "command.toml"}
    assert {path.name for path in folder.iterdir()} == written
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]

    results = pd.read_parquet(folder / "results.parquet")
    assert [*zip(results["alpha"], results["seed"], strict=True)] == [
        (1, 0),
        (1, 1),
        (6, 0),
        (6, 1),
    ]
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "results.csv"),
        results,
        check_dtype=False,
        check_exact=False,
        rtol=1e-5,
    )
    lines = data.read_cell(row.cell(1.0), 2) + json.loads(missing)["results"]
    pd.testing.assert_frame_equal(results[[*lines[0]]], pd.DataFrame(lines))


def test_what_is_done_is_only_written_again(
    done: tuple[Ablate, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker is started, and equal results are equal bytes."""
    monkeypatch.setattr("rlnas.bench.workers.run_all", None)
    _, folder = rows_of(done[0])
    found = []
    for _ in range(2):
        done[0].run()
        found.append({path.name: path.read_bytes() for path in folder.glob("*.*")})
    assert len(found[0]) == 6 and found[0] == found[1]


def test_random_search_stands_beside_every_training(done: tuple[Ablate, dict[str, int]]) -> None:
    config, _ = done
    benchmark = bench.load(config.benchmark)
    frame = data.collect(rows_of(config)[0], benchmark)
    keys = seed_keys(0, 4, "evaluation")
    history = run_seeds(agents.config("random_search")(), benchmark, 50, keys)
    for query in (10, 20, 50):
        best = np.argmax(np.asarray(history.val)[:, :query], axis=1)
        for measure in ("val", "reported"):
            wanted = np.asarray(getattr(history, measure))[np.arange(4), best].mean()
            found = frame[f"random_search_{measure}_{query}"].to_numpy()
            assert found == pytest.approx([wanted] * 4, abs=1e-6)


def in_a_worker(row: Row, tell: Callable[[Any], None]) -> None:
    """In place of `run_row`: with 5 neighbours the process dies, with 4 it is the real one, else it
    is done."""
    if row.settings.neighbours == 5:
        os._exit(9)
    if row.settings.neighbours == 4:
        jobs.run_row(row, tell)
    for alpha in row.alphas:
        numbers = dict.fromkeys(data.CELL.required["results"].item.required, 0.5)
        tell((alpha, [numbers | {"seed": seed, "lookups": 1} for seed in range(row.seeds)]))


@pytest.mark.long
def test_a_job_that_fails_or_dies_does_not_stop_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker, four jobs, most neighbours first: the first process dies, the second job finds no
    benchmark, the others are done."""
    config = Ablate(alpha=ALPHAS, neighbours=(5, 4, 2, 3), out=tmp_path)
    rows, _ = plan(config, FACTS)
    rows[1] = replace(rows[1], benchmark=str(tmp_path / "deleted.npz"))
    monkeypatch.setattr(jobs, "run_row", in_a_worker)
    failures = jobs.run_jobs(rows, workers=1)
    assert len(failures) == 2 and not any("\n" in line for line in failures)
    assert failures[0].startswith("neighbours 5: the worker process ended with exit status 9")
    assert failures[1].startswith("neighbours 4: UserError: ") and "deleted.npz" in failures[1]
    assert [[row.cell(alpha).exists() for alpha in ALPHAS] for row in rows] == [[False] * 2] * 2 + [
        [True] * 2
    ] * 2
    assert jobs.run_jobs(rows[2:], workers=1) == []


def test_failures_are_told_after_the_rest_is_written(
    done: tuple[Ablate, dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(jobs, "run_jobs", lambda *given: ["neighbours 3: OSError: no room"])
    with pytest.raises(
        UserError,
        match=r"1 of 1 jobs failed, first neighbours 3: OSError: no room; the same command",
    ):
        done[0].run()
    assert "figure.png" in capsys.readouterr().out


# --- the numbers
# ------------------------------------------------------------------------------------


def frame_of(**accuracies: tuple[float, ...]) -> pd.DataFrame:
    """`alpha_<alpha>=(validation accuracy of seed 0, of seed 1, ...)` after 20 queries; what is
    reported is the reverse of it. Random search's: 0.92 and 0.1."""
    lines = [
        {"alpha": float(name.removeprefix("alpha_")), "neighbours": 5, "gamma": 0.9, "seed": seed,
         "lookups": 100, "val_20": value, "reported_20": 1 - value,
         "random_search_val_20": 0.92, "random_search_reported_20": 0.1}
        for name, values in accuracies.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def test_the_summary_by_hand() -> None:
    """Judged by validation, though what is reported says the opposite."""
    frame = frame_of(alpha_6=(0.93, 0.95, 0.91, 0.93), alpha_1=(0.9, 0.9, 0.9, 0.9))
    lines = measures.summary(frame, 20)
    assert [*lines["alpha"]] == [1.0, 6.0] and [*lines["trainings"]] == [4, 4]
    assert [*lines["val"]] == pytest.approx([0.9, 0.93])
    assert [*lines["reported"]] == pytest.approx([0.1, 0.07])
    assert [*lines["better"]] == [0, 3]
    flat, spread = lines.iloc[0], lines.iloc[1]
    assert np.isnan(flat["val_low"]) and np.isnan(flat["val_high"])  # all alike: no interval
    assert 0.91 <= spread["val_low"] < 0.93 < spread["val_high"] <= 0.95
    assert "gamma" not in lines, "what has one value is no axis"
    said = text.table(frame, small_benchmark(), "somebody")
    assert "3 of 8 trainings beat random search by validation; means from 90.00 to 93.00" in said
    assert "3 of 4" in said and "93.00 [" in said and "somebody on small" in said


def test_what_is_varied_is_an_axis() -> None:
    frame = pd.concat(
        [frame_of(alpha_6=(0.91, 0.92)), frame_of(alpha_6=(0.93, 0.94)).assign(gamma=0.5)]
    )
    assert measures.columns_varied(frame) == ["neighbours", "gamma"]
    lines = measures.summary(frame, 20)
    assert [*zip(lines["gamma"], lines["val"], strict=True)] == [
        (0.5, pytest.approx(0.935)),
        (0.9, pytest.approx(0.915)),
    ]
