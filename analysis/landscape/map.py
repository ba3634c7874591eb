"""A map of all architectures by their encodings, or by what an agent learned of them."""

from __future__ import annotations

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from rlnas.analysis.style import RC, blank
from rlnas.bench.landscape import principal_components, ranks

POINTS = 20_000  # of a map; more would only overdraw


def encoding_map(
    points: Float[np.ndarray, "M d"], accuracy: Float[np.ndarray, " M"], name: str, *, seed: int = 0
) -> Figure:
    """Architectures as points on the first two principal components of any description, dark where
    accurate.

    points: encodings as floats, or the learned embeddings. accuracy: fractions; cells without one
    are left out. The colour is the rank, since a few bad cells would take up a scale of accuracies.
    At most 20,000, drawn with `seed`.
    """
    coordinates, shares = principal_components(points)
    x, y = coordinates.T
    known = np.flatnonzero(~np.isnan(accuracy))
    if len(known) > POINTS:
        known = np.random.default_rng(seed).choice(known, POINTS, replace=False)
    share = 100 * ranks(accuracy)[known] / np.sum(~np.isnan(accuracy))
    order = np.argsort(-share, kind="stable")  # the best on top
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(6.6, 4.8), layout="constrained")
        axes = drawn.subplots()
        scattered = axes.scatter(
            x[known[order]], y[known[order]], c=share[order], cmap="viridis", s=9, linewidths=0
        )
        best = known[share.argmin()]
        axes.scatter(
            x[best],
            y[best],
            marker="*",
            s=170,
            color="#D55E00",
            edgecolors="white",
            linewidths=0.8,
            label=f"best by validation, {100 * accuracy[best]:.2f} %",
        )
        axes.set_title(name, loc="left", fontweight="bold")
        axes.set_xlabel(f"Principal component 1 ({100 * shares[0]:.0f} % of the variance)")
        axes.set_ylabel(f"Principal component 2 ({100 * shares[1]:.0f} % of the variance)")
        axes.legend(loc="best", fontsize=8)
        drawn.colorbar(scattered, label="Rank by validation accuracy, best first (%)")
    return drawn
