"""All measurements of `rlnas predict`: what was measured before is read, the rest is done and
kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rlnas.agents.predictors import registry
from rlnas.agents.predictors.boosting import Boosting
from rlnas.agents.predictors.protocol import Predictor
from rlnas.analysis import store
from rlnas.analysis.predict import programs
from rlnas.analysis.predict.data import Pool
from rlnas.analysis.predict.measures import (
    Row,
    Score,
    check_enough,
    free_scores,
    row_of,
    trained_scores,
)
from rlnas.bench.checks import Each, Fields, Number, check
from rlnas.bench.errors import UserError
from rlnas.bench.progress import bar
from rlnas.bench.reading import read_json, write_json

FORMAT, VERSION = "rlnas-prediction", 1
AGAIN = "it is measured again"
FOLDER = "predictions"


def chosen(words: Sequence[str]) -> dict[str, Predictor]:
    """label -> settings; without words all that are installed."""
    if len(set(words)) < len(words):
        raise UserError(f"--predictors is {' '.join(words)}; expected different ones")
    return {word: registry.parse(word) for word in words or registry.PREDICTORS}


def measured(
    pools: Sequence[Pool],
    predictors: Mapping[str, Predictor],
    train: Sequence[int],
    *,
    draws: int,
    seed: int,
    out: Path,
    strict: bool,
) -> list[Row]:
    """A row for each benchmark, predictor and number of cells. strict: a predictor that a space, or
    this installation, does not have is an error; else it is left out and told."""
    for pool in pools:
        check_enough(pool, train)
    most = max(train)
    rows: list[Row] = []
    reused: list[Path] = []
    trained = [config for config in predictors.values() if not config.free]
    total = len(pools) * len(trained) * len(train)
    with bar("predict", total, unit="fit") as shown:
        for pool in pools:
            free = dict(pool.free)
            for label, config in predictors.items():
                try:
                    codes = programs.see(config, pool.space, pool.archs)
                except UserError as error:
                    if strict:
                        raise
                    print(f"rlnas: {label} left out on {pool.name}: {error}", file=sys.stderr)
                    continue
                if config.free:
                    free.setdefault(label, codes)
                    continue
                for cells in train:
                    identity = about(pool, config, cells, most, draws, seed)
                    path = out / FOLDER / f"{store.hash_of(identity)}.json"
                    scores = kept(path, draws)
                    if scores is None:
                        scores = trained_scores(config, codes, pool, cells, most, seed, draws)
                        keep(path, identity, scores)
                    else:
                        reused.append(path)
                    rows.append(row_of(pool, label, cells, most, scores))
                    shown.update()
            for label, said in free.items():
                scores = free_scores(said, pool, most, seed, draws)
                rows.append(row_of(pool, label, 0, most, scores))
    store.tell_reused("measurements", reused, total)
    return rows


def about(
    pool: Pool, config: Predictor, cells: int, most: int, draws: int, seed: int
) -> dict[str, Any]:
    """What decides the scores, times aside."""
    settings: Any = config
    library = {"library": config.resolved} if isinstance(config, Boosting) else {}
    return {
        "format": FORMAT,
        "version": VERSION,
        "data": pool.about["data"],
        "space": type(pool.space).__qualname__,
        "predictor": type(config).__name__,
        "config": asdict(settings) | library,
        "cells": cells,
        "most": most,
        "draws": draws,
        "seed": seed,
        **store.decided_by(config, pool.space),
    }


def kept(path: Path, draws: int) -> list[Score] | None:
    """The scores of a measurement that need not be done again; a damaged one is told on stderr."""
    if not path.is_file():
        return None
    try:
        rules = Fields(dict.fromkeys(Score._fields, Number(null=True)))
        wanted = Fields({"scores": Each(rules, draws)})
        found = check(read_json(path, hint=AGAIN), wanted, path, AGAIN)
    except UserError as error:
        print(f"rlnas: {error}", file=sys.stderr)
        return None
    return [
        Score(*(float("nan") if x[name] is None else x[name] for name in Score._fields))
        for x in found["scores"]
    ]


def keep(path: Path, identity: Mapping[str, Any], scores: Sequence[Score]) -> None:
    """Write a measurement."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**identity, "scores": [score._asdict() for score in scores]})


def lines(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Lines of a table; intervals as three columns."""
    for row in rows:
        found: dict[str, Any] = {
            key: getattr(row, key)
            for key in ("benchmark", "predictor", "cells", "draws", "held_out")
        }
        for name, interval in row.scores.items():
            ends = zip(("", "_low", "_high"), interval, strict=True)
            found |= {f"{name}{end}": x for end, x in ends}
        yield found
