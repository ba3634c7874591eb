"""A table of the whole space predicted from a partial one: to rehearse on, never to report from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class RehearseConfig:
    """Predict every cell of the space from a partial table, to rehearse training and search at full
    size.

    The new table is no benchmark, and says so: its accuracies are a regressor's (gradient boosting
    on the encoding), fitted to the cells of the partial table. Needs the extra `retrain`
    (scikit-learn).
    """

    table: Annotated[str, tyro.conf.Positional]
    """The table to learn from, by name or path."""
    max_vertices: int = 7
    """Predict all cells with at most so many vertices."""
    out: Path | None = None
    """Where to write it; default: the cache folder, under the name TABLE-rehearsal."""


def run_rehearse(config: RehearseConfig) -> None:
    """`rlnas bench rehearse`."""
    import jax.numpy as jnp
    import numpy as np
    from scipy.stats import spearmanr

    from rlnas.bench.nb101.graph import cells, parameters
    from rlnas.bench.nb101.space import make_space
    from rlnas.bench.nb101.table import Table, find, make_meta, new_path, repeat_mean

    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ImportError:
        raise UserError(
            "scikit-learn is not installed; `pip install 'rlnas[retrain]'` to rehearse"
        ) from None
    source = Table.load(find(config.table))
    if len(source.row) < 100:
        raise UserError(
            f"{source.name} has {len(source.row)} cells; expected at least 100 to learn from"
        )
    name = f"{source.name}-rehearsal"
    out = config.out or new_path(name)
    every = cells(config.max_vertices)
    space = make_space(np.arange(len(every.bits)), config.max_vertices)
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
            agreement = spearmanr(into[rows[held], 0, 0], values[held], nan_policy="omit").statistic
    note = (
        f"NOT A BENCHMARK: predicted from {source.name} ({len(rows)} cells), held-out Spearman "
        f"{agreement:.3f}."
    )
    table = Table(
        row=np.arange(len(params), dtype=np.int32),
        epochs=source.epochs[-1:],
        params=params,
        val=predicted.clip(0, 1),
        test=np.full_like(predicted, np.nan),
        train=np.full_like(predicted, np.nan),
        seconds=seconds.clip(0),
        meta=make_meta(
            name,
            max_vertices=config.max_vertices,
            source=f"rehearsal of {source.name}",
            notes=[note],
        ),
    )
    table.save(out)
    print(f"{out}: {len(params):,} cells. {note}")
