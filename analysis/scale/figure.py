"""The figure of `rlnas scale`: gain over random search against look-ups spent on training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

from rlnas.analysis.scale.data import Training
from rlnas.analysis.scale.measures import line
from rlnas.analysis.scale.text import finding
from rlnas.analysis.style import RC, STYLES, blank, plain_ticks, save


def write(folder: Path, groups: Mapping[str, Sequence[Training]], queries: int) -> list[Path]:
    """`figure.png` and `.svg`. Lines: mean over trainings; bands: from the worst training to the
    best."""
    with matplotlib.rc_context(RC):
        figure = blank(figsize=(10, 4.9), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True)  # also where one has nothing to draw
        for (name, group), (colour, dashes, marker) in zip(groups.items(), STYLES, strict=False):
            size = group[0].architectures
            said = f"{size:,.0f}" if size < 1e9 else f"{size:.1e}".replace("e+", "e")
            count = f"{len(group)} training" + ("s" if len(group) > 1 else "")
            label = f"{name}: {said} architectures, {count}"
            for axes, relative in zip(panels, (False, True), strict=True):
                drawn = line(group, relative=relative)
                axes.fill_between(
                    drawn.lookups,
                    100 * drawn.low,
                    100 * drawn.high,
                    color=colour,
                    alpha=0.18,
                    linewidth=0,
                )
                axes.plot(
                    drawn.lookups, 100 * drawn.mean, color=colour, linestyle=dashes, marker=marker,
                    markeredgecolor="white", markeredgewidth=0.6, label=label,
                )  # fmt: skip
        panels[0].set_ylabel("Validation accuracy above random search's\n(percentage points)")
        panels[0].axhline(0, color="black", linestyle=":", linewidth=1)
        panels[1].set_ylabel("Regret left (% of random search's)")
        panels[1].axhline(100, color="black", linestyle=":", linewidth=1)
        panels[1].set_ylim(bottom=0)
        for axes in panels:
            axes.set_xlabel("Look-ups spent on training")
            axes.set_xscale("log")
            plain_ticks(axes.xaxis)
            axes.grid(True, which="major")
        # Below the title, in lines that it leaves: names of tables may be wider than a panel.
        labels = panels[0].get_legend_handles_labels()
        figure.legend(*labels, loc="upper left", bbox_to_anchor=(0, 0.955), fontsize=9)
        figure.suptitle(
            finding(groups, queries) + "\n" * len(groups),
            x=0.01,
            ha="left",
            fontweight="bold",
        )
        note = (
            "Mean over trainings, bands from the worst to the best. Accuracy: validation, of the "
            "incumbent, mean over "
            "searches. Dotted: random search, as many queries.\nRight: distance to the best "
            "accuracy that any search "
            "here found in the space, as a share of random search's. Look-ups include those of "
            "evaluations."
        )
        figure.supxlabel(note, fontsize=7.5, color="#555555", x=0.01, ha="left")
    return save(figure, folder)
