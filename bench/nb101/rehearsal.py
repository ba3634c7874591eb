"""A table of the whole space predicted from a partial one: to rehearse on, never to report from."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.nb101.graph import cells, parameters
from rlnas.bench.nb101.space import make_space
from rlnas.bench.nb101.table import Table, find, make_meta, new_path
from rlnas.bench.rank import spearman
from rlnas.bench.repeats import repeat_mean


def rehearse(table: str, max_vertices: int, out: Path | None) -> str:
    """Write the table and say what it is. table: name or path of the partial one. out: default, the
    cache folder. Raises `UserError` without scikit-learn."""
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor  # an extra
    except ImportError:
        raise UserError(
            "scikit-learn is not installed; `pip install 'rlnas[retrain]'` to rehearse"
        ) from None
    source = Table.load(find(table))
    if len(source.row) < 100:
        raise UserError(
            f"{source.name} has {len(source.row)} cells; expected at least 100 to learn from"
        )
    name = f"{source.name}-rehearsal"
    out = out or new_path(name)
    every = cells(max_vertices)
    space = make_space(np.arange(len(every.bits)), max_vertices)
    features = np.asarray(space.encode(jnp.arange(len(every.bits), dtype=jnp.int32)), np.float32)
    params = parameters(every)
    edges, labels = features[:, :49].sum(1), features[:, 49:].reshape(-1, 7, 5).sum(1)
    features = np.column_stack([features, np.log(params), edges, labels])

    known = source.row < len(params)
    rows, order = source.row[known], np.random.default_rng(0).permutation(int(known.sum()))
    held, fit = order[: len(order) // 10], order[len(order) // 10 :]
    predicted = np.full((len(params), 1, 1), np.nan, np.float32)
    seconds = predicted.copy()
    for measured, into in ((source.val, predicted), (source.seconds, seconds)):
        values = repeat_mean(measured[known, -1])
        usable = ~np.isnan(values)
        if not usable.any():
            continue
        model = HistGradientBoostingRegressor(max_iter=300, random_state=0)
        into[:, 0, 0] = model.fit(
            features[rows[fit]][usable[fit]], values[fit][usable[fit]]
        ).predict(features)
        if into is predicted:
            there = held[usable[held]]
            agreement = float(spearman(into[rows[there], 0, 0], values[there]))
    note = (
        f"NOT A BENCHMARK: predicted from {source.name} ({len(rows)} cells), held-out Spearman "
        f"{agreement:.3f}."
    )
    Table(
        row=np.arange(len(params), dtype=np.int32),
        epochs=source.epochs[-1:],
        params=params,
        val=predicted.clip(0, 1),
        test=np.full_like(predicted, np.nan),
        train=np.full_like(predicted, np.nan),
        seconds=seconds.clip(0),
        meta=make_meta(
            name,
            max_vertices=max_vertices,
            source=f"rehearsal of {source.name}",
            notes=[note],
        ),
    ).save(out)
    return f"{quoted(out)}: {len(params):,} cells. {note}"
