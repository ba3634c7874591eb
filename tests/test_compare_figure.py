"""The figure of a comparison: nothing overlaps, and it makes do with what there is."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import matplotlib
import numpy as np
import pytest

from made_runs import made_run, searches, trained_run
from rlnas.analysis.comparison import captions, measures
from rlnas.analysis.comparison import figure as plots
from rlnas.analysis.comparison.table import text


def texts_that_overlap(figure: Any) -> list[tuple[str, str]]:
    """Pairs of things with text in a figure (panels with their labels, title, legend, note) that
    touch."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [("panel", axes.get_tightbbox(renderer)) for axes in figure.axes]
    boxes += [(text.get_text()[:20], text.get_window_extent(renderer)) for text in figure.texts]
    boxes += [("legend", legend.get_window_extent(renderer)) for legend in figure.legends]
    whole = figure.bbox.padded(1)
    outside = [
        (name, "the edge") for name, box in boxes if not (whole.x0 <= box.x0 and box.x1 <= whole.x1)
    ]
    outside += [
        (name, "the edge") for name, box in boxes if not (whole.y0 <= box.y0 and box.y1 <= whole.y1)
    ]
    pairs = itertools.combinations(boxes, 2)
    return outside + [(a, b) for (a, x), (b, y) in pairs if x.overlaps(y)]


@pytest.mark.parametrize("agents", [1, 4, 9])
def test_nothing_in_the_figure_overlaps(agents: int) -> None:
    labels = ["random_search", *(f"evolution:population={i}" for i in range(1, agents))]
    runs = [made_run(label, searches(0.9 + 0.01 * i)) for i, label in enumerate(labels)]
    figure = plots.comparison(runs)
    assert not texts_that_overlap(figure)
    assert len(figure.axes) == 4


def test_the_figure_makes_do_with_less() -> None:
    """No optimum: no regrets. No seconds: no time. One query, no answers, regrets of zero: still a
    figure."""
    run = made_run("random_search", searches(0.9))
    unknown = dataclasses.replace(run, manifest=run.manifest | {"optimum": None})
    assert len(plots.comparison([unknown]).axes) == 2
    timeless = dataclasses.replace(
        run, history=run.history._replace(sim_seconds=np.full((8, 12), np.nan, np.float32))
    )
    assert len(plots.comparison([timeless]).axes) == 2
    for one, said in ((run, True), (timeless, False)):
        assert ("Time lines" in captions.foot(measures.measure([one]))) == said
    assert "0.0 s" not in text([timeless])
    late = np.where(np.arange(12) < 11, run.history.sim_seconds, np.float32(np.nan))
    partly = dataclasses.replace(run, label="other", history=run.history._replace(sim_seconds=late))
    assert len(plots.comparison([partly]).axes) == 2
    assert len(plots.comparison([run, partly]).axes) == 4
    first, last = measures.measure([partly]).rows
    assert first["simulated_seconds_mean"] > 0 and last["simulated_seconds_mean"] is None
    best = np.full((8, 12), run.manifest["optimum"], np.float32)
    solved = dataclasses.replace(run, history=run.history._replace(reported=best))
    lost = dataclasses.replace(
        run, history=run.history._replace(incumbent=np.full((8, 12), -1, np.int32))
    )
    single = dataclasses.replace(
        run,
        manifest=run.manifest | {"budget": 1},
        history=type(run.history)._make(array[:, :1] for array in run.history),
    )
    for odd in (solved, lost, single):
        assert not texts_that_overlap(plots.comparison([odd]))
        assert text([odd])


def test_drawing_leaves_matplotlibs_state_alone() -> None:
    before = dict(matplotlib.rcParams)
    plots.comparison([made_run("random_search", searches(0.9))])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("gains", "title"),
    [
        ((0.0, 0.1), "b leads at 12 queries: 69.55"),
        ((0.0, 0.1, 0.1), "b and c lead at 12 queries, not told apart: b 69.55"),
        ((0.0, *[0.1] * 4), "b and 3 others lead at 12 queries, not told apart: b 69.55"),
        ((0.1,) * 3, "None of 3 agents is told apart at 12 queries; highest: a 69.55"),
        ((0.1,), "a at 12 queries: 69.55"),
    ],
)
def test_the_title_says_what_was_found(gains: tuple[float, ...], title: str) -> None:
    """Who has the highest interquartile mean, and who is not told apart from it: with the same
    values in another order."""
    rng = np.random.default_rng(0)
    base = searches(0.6, seeds=40)
    runs = [
        made_run("abcde"[i], rng.permutation(base) + np.float32(gain))
        for i, gain in enumerate(gains)
    ]
    for said in (plots.comparison(runs).texts[0].get_text().replace("\n", " "), text(runs)):
        assert said.startswith(title) and " % test accuracy" in said and "[" in said
    leaders = measures.measure(runs).leaders
    assert (len(leaders) == 1) == (sum(gain == 0.1 for gain in gains) == 1)


def test_a_single_training_leads_as_such() -> None:
    runs = [made_run("random_search", searches(0.8)), trained_run("dqn:abc", searches(0.9), 64_000)]
    assert text(runs).startswith("dqn:abc (one training) leads at 12 queries: ")


def test_learned_agents_are_captioned() -> None:
    runs = [made_run("random_search", searches(0.8)), trained_run("dqn:abc", searches(0.9), 64_000)]
    drawn = plots.comparison(runs)
    entries = [entry.get_text() for entry in drawn.legends[0].get_texts()]
    assert entries == ["random_search", "dqn:abc: 64,000 look-ups before"]
    assert not texts_that_overlap(drawn)


@pytest.mark.parametrize("lookups", [60, 64_000, 990_000])
def test_what_was_paid_in_training_is_on_the_axis(lookups: int) -> None:
    """A third panel: the learned agent's curve begins behind its look-ups, the others' at 1; beside
    where the whole space could have been looked up."""
    runs = [
        made_run("random_search", searches(0.8)),
        trained_run("dqn:abc", searches(0.9), lookups),
    ]
    drawn = plots.comparison(runs)
    assert len(drawn.axes) == 6 and not texts_that_overlap(drawn)
    for axes in (drawn.axes[2], drawn.axes[5]):
        assert axes.get_xscale() == "log" and "training included" in axes.get_xlabel()
        chance, learned, *every = (line.get_xdata() for line in axes.get_lines())
        assert (chance[0], chance[-1]) == (1, 12)
        assert (learned[0], learned[-1]) == (lookups + 1, lookups + 12)
        assert [list(x) for x in every] == [[100, 100]]  # architectures of the space
    assert len(plots.comparison(runs[:1]).axes) == 4
