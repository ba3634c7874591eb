"""What a predictor is worth: how it ranks architectures that it has not seen, and what its top is
worth."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from rlnas.agents.predictors.protocol import Predictor
from rlnas.analysis.predict import programs
from rlnas.analysis.predict.data import Pool
from rlnas.analysis.stats import Interval, bootstrap, mean
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned
from rlnas.bench.rank import kendall, spearman

PURPOSE = zlib.crc32(b"predict")
"""Folded into the draws' seeds."""
BEST = 0.1
"""The share of the held-out architectures within which the order is looked at, too."""
TOPS = (1, 10)
FEWEST = 30
"""Architectures that have to be held out at least: of ten in the best tenth an order says little,
of three nothing."""


class Score(NamedTuple):
    """Of one fit, on held-out architectures. spearman, kendall; the same within the best tenth by
    their true values (best_...); regret of the best of the predicted top 1 and 10, fractions;
    seconds that the fit took."""

    spearman: float
    kendall: float
    best_spearman: float
    best_kendall: float
    regret_1: float
    regret_10: float
    seconds: float


@dataclass(frozen=True)
class Row:
    """Over the draws. cells: trained on; 0 of what needs no training. scores: means with
    intervals, by the names of `Score`."""

    benchmark: str
    predictor: str
    cells: int
    draws: int
    held_out: int
    scores: dict[str, Interval]


def score(
    said: Float[np.ndarray, " n"], vals: Float[np.ndarray, " n"], seconds: float = math.nan
) -> Score:
    """Of scores, NaN where a predictor says nothing, against the true values. What it says nothing
    of is left out of the ranks, and last of its top."""
    known = np.isfinite(said)
    good = known & (vals >= np.quantile(vals, 1 - BEST))
    order = np.argsort(-np.where(known, said, -np.inf), kind="stable")
    best = vals.max()
    ranks = [
        float(f(said[of], vals[of])) if of.sum() > 1 else math.nan
        for of in (known, good)
        for f in (spearman, kendall)
    ]
    regrets = [float(best - vals[order[:top]].max()) for top in TOPS]
    return Score._make([*ranks, *regrets, seconds])


def split(many: int, most: int, seed: int, draw: int) -> tuple[Any, Any]:
    """(a draw's order, of which the first n are those trained on; the held-out places, behind the
    largest n)."""
    order = np.random.default_rng([seed, PURPOSE, draw]).permutation(many)
    return order, np.sort(order[most:])


def check_enough(pool: Pool, train: Sequence[int]) -> None:
    """`UserError` where too few architectures would be held out."""
    if (left := len(pool.vals) - max(train)) < FEWEST:
        raise UserError(
            f"--train has {max(train):,}, and {pool.name} has {len(pool.vals):,} architectures "
            f"with a value; expected at most {max(0, len(pool.vals) - FEWEST):,}, so that "
            f"{FEWEST} are held out (found {max(0, left):,})"
        )


def free_scores(
    said: Float[np.ndarray, " N"], pool: Pool, most: int, seed: int, draws: int
) -> list[Score]:
    """Of what needs no training, on the same held-out architectures."""
    found = []
    for draw in range(draws):
        _, out = split(len(pool.vals), most, seed, draw)
        found.append(score(said[out], pool.vals[out]))
    return found


@pinned()
def trained_scores(
    config: Predictor, codes: Any, pool: Pool, cells: int, most: int, seed: int, draws: int
) -> list[Score]:
    """A score a draw. The first fit is done twice, and the second timed: it may have had to be
    compiled. Programs have room for `most`, so that one serves all numbers of cells; what they
    take is said of the largest."""
    found = []
    for draw in range(draws):
        order, out = split(len(pool.vals), most, seed, draw)
        vals = np.where(np.arange(most) < cells, pool.vals[order[:most]], np.nan)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), PURPOSE), draw)
        for _ in range(1 if draw else 2):
            start = time.perf_counter()
            learnt = programs.fit(config, pool.space, chosen(codes, order[:most]), vals, key)
            seconds = time.perf_counter() - start
        said = programs.predict(config, pool.space, learnt, chosen(codes, out))
        found.append(score(said, pool.vals[out], seconds))
    return found


def chosen(codes: Any, places: Int[np.ndarray, " n"]) -> Any:
    return jax.tree.map(lambda x: x[places], codes)


def row_of(pool: Pool, predictor: str, cells: int, most: int, scores: Sequence[Score]) -> Row:
    """Means over the draws."""
    found = {}
    for name, values in zip(Score._fields, zip(*scores, strict=True), strict=True):
        interval = bootstrap([np.array(values)[None]], mean)
        found[name] = Interval(*(float(x) for x in interval))
    return Row(pool.name, predictor, cells, len(scores), len(pool.vals) - most, found)
