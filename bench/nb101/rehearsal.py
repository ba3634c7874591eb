"""A table of the whole space, predicted where a partial one knows nothing: to rehearse on, never to
report from."""

from __future__ import annotations

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.nb101.graph import cells, parameters
from rlnas.bench.nb101.sizes import sizes
from rlnas.bench.nb101.space import make_space
from rlnas.bench.nb101.table import Table, find, make_meta, new_path
from rlnas.bench.rank import spearman
from rlnas.bench.repeats import repeat_mean
from rlnas.bench.values import NOT_A_BENCHMARK, PREDICTED


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
    edges, labels = features[:, :49].sum(1), features[:, 49:].reshape(-1, 7, 5).sum(1)
    features = np.column_stack([features, np.log(parameters(every)), edges, labels])

    known = source.row < len(features)
    rows, order = source.row[known], np.random.default_rng(0).permutation(int(known.sum()))
    held, fit = order[: len(order) // 10], order[len(order) // 10 :]
    val, seconds = np.full((2, len(features), 1, 1), np.nan, np.float32)
    agreement = math.nan
    for measured, into in ((source.val, val), (source.seconds, seconds)):
        values = repeat_mean(measured[known, -1])
        usable = ~np.isnan(values)
        learnt, there = fit[usable[fit]], held[usable[held]]
        if not len(learnt):
            continue
        # Without early stopping, which sets in at 10,000 cells and makes a worse table of more.
        model = HistGradientBoostingRegressor(max_iter=300, early_stopping=False, random_state=0)
        into[:, 0, 0] = model.fit(features[rows[learnt]], values[learnt]).predict(features)
        if into is val and len(there) > 1:
            agreement = float(spearman(val[rows[there], 0, 0], values[there]))
        into[rows[usable], 0, 0] = values[usable]
    if np.isnan(val).all():
        raise UserError(f"{source.name} has no validation accuracy; expected some to learn from")
    note = (
        f"{NOT_A_BENCHMARK}: predicted from {source.name} ({len(rows):,} cells, which keep their "
        f"values), held-out Spearman {agreement:.3f}."
    )
    unknown = np.full_like(val, np.nan)
    Table(
        row=np.arange(len(features), dtype=np.int32),
        epochs=source.epochs[-1:],
        params=sizes(every, source.meta.get("recipe", {}), rows, source.params[known]),
        val=val.clip(0, 1),
        test=unknown,
        train=unknown,
        seconds=seconds.clip(0),
        meta=make_meta(
            name,
            max_vertices=max_vertices,
            source=f"rehearsal of {source.name}",
            notes=[note],
            values={str(source.epochs[-1]): str(PREDICTED)},
        ),
    ).save(out)
    costs = ", ".join(column.objective.name for column in source.columns)
    left = f" Left out, as nothing predicts them: columns of costs ({costs})." if costs else ""
    return f"{quoted(out)}: {len(features):,} cells. {note}{left}"
