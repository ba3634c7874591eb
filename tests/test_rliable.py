"""Our statistics of several benchmarks against those of rliable 1.2.0 (Agarwal et al. 2021), which
is not installed here: its numbers for two small matrices of scores, [12 runs, 3 tasks], that a
formula gives.

They were printed by (numpy 2.4.6, scipy 1.17.1, arch 7.2.0)

    get_interval_estimates({"x": x, "y": y}, lambda s: np.array([aggregate_iqm(s),
        aggregate_mean(s), aggregate_optimality_gap(s)]), reps=50000, random_state=RandomState(0))
    get_interval_estimates({"x,y": (x, y)}, probability_of_improvement, reps=20000, ...)
    create_performance_profile({"x": x, "y": y}, TAUS, reps=20000)
"""

from __future__ import annotations

import numpy as np
import pytest

from rlnas.analysis import stats
from rlnas.analysis.comparison.measures import mirrored

TAUS = np.array([-0.25, 0.1, 0.25, 0.5, 0.75, 1.0])
"""None of them is a score: rliable counts what is above, we what is at least as high."""
IQM = {"x": (0.40147235, 0.2640139, 0.5371416), "y": (0.28989702, 0.14390516, 0.44393813)}
MEAN = {"x": (0.40035942, 0.28625973, 0.51402863), "y": (0.29658621, 0.18099054, 0.41220715)}
GAP = {"x": (0.61265313, 0.50554669, 0.72157464), "y": (0.70698326, 0.59346265, 0.8206708)}
IMPROVEMENT = (0.6087962962962963, 0.47222222, 0.73842593)
PROFILE = {
    "x": (
        (0.91666667, 0.72222222, 0.66666667, 0.41666667, 0.22222222, 0.08333333),
        (0.83333333, 0.58333333, 0.52777778, 0.25, 0.11111111, 0.0),
        (1.0, 0.83333333, 0.80555556, 0.58333333, 0.36111111, 0.16666667),
    ),
    "y": (
        (0.88888889, 0.69444444, 0.5, 0.30555556, 0.16666667, 0.05555556),
        (0.80555556, 0.55555556, 0.36111111, 0.16666667, 0.05555556, 0.0),
        (0.97222222, 0.83333333, 0.63888889, 0.44444444, 0.27777778, 0.13888889),
    ),
}
MANY = 20_000
ERROR = 0.006
"""Of an end of an interval by so many replicates on either side."""
STEP = 1 / 36 + 1e-6
"""A run more or less: ends of intervals of a share lie on its multiples."""


def scores(name: str) -> list[np.ndarray]:
    """An array [1 training, 12 seeds] a benchmark."""
    shift = {"x": 1.0, "y": 0.0}[name]
    i, j = np.mgrid[0:12, 0:3]
    matrix = np.sin(1.7 * i + 2.3 * j + shift) / 2 + 0.3 * j + 0.1 * shift
    return [column[None] for column in matrix.T]


def agrees(ours: stats.Interval, theirs: tuple[float, float, float], error: float) -> None:
    assert ours.value == pytest.approx(theirs[0], abs=1e-7)
    assert (ours.low, ours.high) == pytest.approx(theirs[1:], abs=error)


@pytest.mark.parametrize("name", ["x", "y"])
def test_iqm_mean_and_optimality_gap(name: str) -> None:
    """With their stratified bootstrap intervals: one over all runs together is wider."""
    strata = scores(name)
    agrees(stats.bootstrap(strata, replicates=MANY), IQM[name], ERROR)
    agrees(stats.bootstrap(strata, stats.mean, replicates=MANY), MEAN[name], ERROR)
    capped = [np.minimum(values, 1.0) for values in strata]
    gap = mirrored(stats.bootstrap(capped, stats.mean, replicates=MANY), 1.0)
    agrees(gap, GAP[name], ERROR)
    pooled = stats.bootstrap([np.concatenate(strata, axis=1)], stats.mean, replicates=MANY)
    assert pooled.high - pooled.low > 1.1 * (MEAN[name][2] - MEAN[name][1])


def test_probability_of_improvement() -> None:
    found = stats.probability_of_improvement(scores("x"), scores("y"), replicates=MANY).above
    agrees(found, IMPROVEMENT, ERROR)


@pytest.mark.parametrize("name", ["x", "y"])
def test_performance_profile(name: str) -> None:
    reached = [(v >= TAUS[:, None, None]).astype(np.float64) for v in scores(name)]
    ours = stats.bootstrap(reached, stats.mean, replicates=MANY)
    np.testing.assert_allclose(ours.value, PROFILE[name][0], atol=1e-7)
    np.testing.assert_allclose(ours.low, PROFILE[name][1], atol=STEP)
    np.testing.assert_allclose(ours.high, PROFILE[name][2], atol=STEP)
