"""What is said of a retraining: correlations, regret, groups, and whether it is a transfer."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from rlnas.analysis.retrain.figure import finding
from rlnas.analysis.retrain.text import cost, label
from rlnas.analysis.retrain.verdict import judge, relation
from rlnas.analysis.stats import Interval
from rlnas.bench.errors import UserError
from rlnas.bench.rank import FEWEST, kendall, spearman
from rlnas.bench.retrain.recipes import presets

CELL = "110101 input,maxpool3x3,conv3x3-bn-relu,output"


def results(
    table: list[float], trained: list[list[float]], groups: list[str], kind: str = "test"
) -> pd.DataFrame:
    """Architectures a, b, ... with the table's and the retrained accuracies; validation is test +
    .01."""
    rows = [
        {
            "arch": "abcdefghijklmnop"[i],
            "groups": groups[i],
            "table_val": said + 0.01,
            "table_test": said if kind == "test" else math.nan,
            "seed": seed,
            "status": "done",
            "reason": "",
            "epochs": 1,
            "params": 10,
            "train": 1.0,
            "val": value + 0.01,
            "test": value,
            "seconds": 1.0,
            "images_per_second": 1.0,
            "peak_mb": 1.0,
            "device": "cpu",
        }
        for i, (said, values) in enumerate(zip(table, trained, strict=True))
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_correlations_are_scipys() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, (2, 40, 9)).astype(float)  # with ties
    for mine, theirs in (
        (spearman, scipy_stats.spearmanr),
        (kendall, scipy_stats.kendalltau),
    ):
        wanted = [theirs(a, b).statistic for a, b in zip(x, y, strict=True)]
        np.testing.assert_allclose(mine(x, y), wanted, rtol=1e-12)
    assert math.isnan(kendall(np.ones(3), np.arange(3.0)))


def test_a_verdict_by_hand() -> None:
    table = [0.9, 0.8, 0.7, 0.6]
    trained = [[0.80, 0.84], [0.90, 0.90], [0.70, 0.60], [0.50, 0.56]]
    verdict = judge(results(table, trained, ["top", "top", "random", "random"]))
    assert [line.arch for line in verdict.lines] == [
        "b",
        "a",
        "c",
        "d",
    ] and verdict.measure == "test accuracy"
    first = verdict.lines[0]
    assert (first.rank, first.table_rank, first.low, first.high, first.retrained, first.seeds) == (
        1,
        2,
        0.9,
        0.9,
        0.9,
        2,
    )
    assert verdict.lines[1].low == 0.80 and verdict.lines[1].high == 0.84
    assert verdict.spearman.value == pytest.approx(0.8) and verdict.kendall.value == pytest.approx(
        4 / 6
    )
    assert math.isnan(verdict.spearman.low) and math.isnan(verdict.kendall.high)  # of so few
    assert (verdict.choice, verdict.best) == ("a", "b")
    assert verdict.regret.value == pytest.approx(0.08)
    assert verdict.regret.low == pytest.approx(0.06) and verdict.regret.high == pytest.approx(0.10)
    assert verdict.seed_sd == pytest.approx(math.sqrt((0.0008 + 0 + 0.005 + 0.0018) / 4))
    top, random = verdict.groups
    assert (top.name, top.size, random.name) == ("top", 2, "random")
    assert (
        top.test == pytest.approx(0.86)
        and top.val == pytest.approx(0.87)
        and top.table_test == pytest.approx(0.85)
    )
    assert top.against.value == pytest.approx(0.86 - 0.59)
    assert top.against.low == pytest.approx(0.82 - 0.65) and top.against.high == pytest.approx(
        0.90 - 0.53
    )
    assert math.isnan(random.against.value)


def test_a_table_that_says_nothing_has_an_interval_around_zero() -> None:
    rng = np.random.default_rng(3)
    frame = results(list(rng.random(16)), [[x] for x in rng.random(16)], ["top"] * 16)
    verdict = judge(frame)
    assert (
        verdict.spearman.low < 0 < verdict.spearman.high
        and verdict.kendall.low < 0 < verdict.kendall.high
    )
    right = judge(
        results(list(np.arange(16) / 16), [[x] for x in np.arange(16) / 16], ["top"] * 16)
    )
    assert right.spearman.value == 1 and right.regret.value == 0
    assert math.isnan(right.spearman.low) and math.isnan(right.regret.low)
    manifest = {"benchmark": {"name": "x"}}
    said = [finding(v, manifest) for v in (verdict, right)]
    assert said[0].startswith("No agreement shown between x and retraining: Spearman ")
    assert said[1] == "x against retraining, 16 architectures: Spearman 1.00, without an interval"
    for ends, begins in (((0.3, 0.9), "x ranks much as"), ((-0.9, -0.3), "x ranks against")):
        made = replace(verdict, spearman=Interval(0.5, *ends))
        assert finding(made, manifest).startswith(begins)


def test_few_architectures_have_no_interval_of_a_correlation() -> None:
    """Resamples of four that agree are 1.00 as well, which is not what is known."""
    for n in (4, FEWEST - 1, FEWEST):
        table, rng = np.arange(n) / 20, np.random.default_rng(1)
        trained = [[x] for x in table + rng.normal(scale=0.1, size=n)]
        verdict = judge(results(list(table), trained, ["top"] * n))
        for found in (verdict.spearman, verdict.kendall):
            assert math.isfinite(found.value)
            assert math.isnan(found.low) == math.isnan(found.high) == (n < FEWEST)


def test_a_surrogate_is_judged_by_validation() -> None:
    verdict = judge(results([0.9, 0.8], [[0.7], [0.6]], ["top", "top"], kind="val"))
    assert verdict.measure == "validation accuracy"
    assert verdict.lines[0].table == pytest.approx(0.91) and verdict.lines[
        0
    ].retrained == pytest.approx(0.71)
    assert math.isnan(verdict.spearman.low), "an interval of two architectures"


def test_what_is_unknown_of_the_cost_is_no_number() -> None:
    frame = results([0.9, 0.8], [[0.7], [0.6]], ["top", "top"])
    machine = {"engine": {"device": "cpu"}, "device_name": "a computer"}
    manifest = {"machine": machine, "sessions": []}
    (line,) = cost(manifest, frame)
    assert "2.0 s of training (the median one 1.0 s), at most 1 MB" in line
    frame.loc[0, ["seconds", "peak_mb"]] = math.nan
    assert "- of training (the median one 1.0 s), at most 1 MB" in cost(manifest, frame)[0]
    frame[["seconds", "peak_mb"]] = math.nan
    assert "- of training (the median one -), at most - MB" in cost(manifest, frame)[0]


def test_trainings_that_did_not_end_well() -> None:
    frame = results([0.9, 0.8, 0.7], [[0.7, 0.8], [0.6, 0.6], [0.5, 0.5]], ["top"] * 3)
    frame.loc[frame["arch"] == "b", ["status", "reason", "test", "val"]] = [
        "diverged",
        "the loss is nan",
        None,
        None,
    ]
    frame.loc[1, "status"] = "failed"
    verdict = judge(frame)
    assert [line.arch for line in verdict.lines] == ["a", "c"] and verdict.missing == ("b",)
    assert verdict.lines[0].seeds == 1 and verdict.lines[0].retrained == 0.7
    frame[["status", "reason"]] = "diverged", "the loss is nan"
    with pytest.raises(UserError, match=r"no training ended well.*the first: the loss is nan"):
        judge(frame)


def manifest(
    benchmark: str, dataset: str, preset: str, seeds: tuple[int, ...] = (1000,), **changes: Any
) -> dict[str, Any]:
    facts = {"name": benchmark, "epochs": 108, "repeats": 3}
    settings = asdict(replace(presets()[preset], **changes))
    return {
        "benchmark": facts,
        "dataset": {"name": dataset},
        "settings": settings,
        "seeds": list(seeds),
    }


@pytest.mark.parametrize(
    ("about", "kind", "said"),
    [
        (
            manifest("nb101-digits", "digits", "digits"),
            "same",
            "Data and recipe are the table's. The seeds are new.",
        ),
        (
            manifest("nb101-digits", "digits", "digits", (2, 3)),
            "same",
            "Seeds 2 are the table's own",
        ),
        (
            manifest("nb101-digits", "digits", "digits", epochs=5),
            "recipe",
            "epochs differ from preset digits",
        ),
        (
            manifest("nb101-digits", "cifar10", "quick"),
            "transfer",
            "nb101-digits was measured on digits",
        ),
        (manifest("nb101-108", "cifar10", "nb101"), "same", "Data and recipe are the table's"),
        (manifest("nb101-full", "cifar10", "nb101", epochs=36), "recipe", "epochs differ"),
        (
            manifest("nb101-108", "images.npz", "nb101"),
            "transfer",
            "these trainings are on images.npz",
        ),
        (manifest("nb301-yahpo", "cifar10", "nb301"), "same", "Data and recipe"),
        (manifest("mine", "digits", "digits"), "unknown", "take this for a transfer"),
    ],
)
def test_a_transfer_is_called_one(about: dict[str, Any], kind: str, said: str) -> None:
    found, sentence = relation(about)
    assert found == kind and said in sentence


def test_names_for_the_terminal() -> None:
    assert label(CELL) == "110101 mp 3x3"
    assert label("0:skip_connect|" * 20) == ("0:skip_connect|" * 20)[:41] + "..."
