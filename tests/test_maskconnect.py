"""`rlnas maskconnect`: masks and their cells, gradients straight through, the measures by hand, and
the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REASON = "the extra `retrain` is not installed: no trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.analysis import cli  # noqa: E402
from rlnas.analysis.maskconnect import measures  # noqa: E402
from rlnas.analysis.maskconnect.command import MaskConnect  # noqa: E402
from rlnas.analysis.maskconnect.data import Finished, drawn_sets  # noqa: E402
from rlnas.bench.nb101.cell import OPS, parse  # noqa: E402
from rlnas.bench.nb101.masked import (  # noqa: E402
    START,
    MaskedCell,
    MaskedFit,
    MaskedPlan,
    best_mask,
    cell_of,
    masks_of,
    sampled_mask,
    through,
)
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.retrain import datasets, networks  # noqa: E402
from torch_fixtures import kept, one_thread  # noqa: E402, F401

CONV3, CONV1, POOL = OPS
MASK = ((0,), (0, 1), (1, 2), (0, 3))

# Masks


def test_all_masks_of_a_size() -> None:
    assert len(masks_of(5, 2)) == 1 * 1 * 3 * 6 and len(masks_of(5, 1)) == 1 * 2 * 3 * 4
    assert len(masks_of(4, 3)) == 1 and MASK in masks_of(5, 2)
    assert len(set(masks_of(5, 2))) == 18


def test_a_mask_is_a_cell() -> None:
    cell = cell_of(MASK, [CONV3, CONV1, POOL])
    expected = [[0, 1, 1, 0, 1], [0, 0, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0] * 5]
    assert cell == parse(expected, ["input", CONV3, CONV1, POOL, "output"])
    short = cell_of(((0,), (0, 1), (0, 1), (0, 1)), [CONV3, CONV1, POOL])  # 2 and 3 lead nowhere
    assert short == parse([[0, 1, 1], [0, 0, 1], [0] * 3], ["input", CONV3, "output"])


def test_the_highest_scores_are_chosen_and_sampled_most() -> None:
    scores = torch.zeros((4, 4))
    scores[2, :2] = torch.tensor([0.1, 0.9])
    scores[3, :3] = torch.tensor([0.5, 0.2, 0.5])
    assert best_mask(scores, [1, 1, 2]) == ((0,), (1,), (0, 2))
    assert best_mask(scores, [1, 1, 1]) == ((0,), (1,), (0,))  # of equals the earlier
    generator = torch.Generator().manual_seed(0)
    drawn = [sampled_mask(scores, [1, 1, 2], generator) for _ in range(2000)]
    assert np.mean([mask[1] == (1,) for mask in drawn]) == pytest.approx(0.9, abs=0.03)
    # Both of the equal ones, in either order: 2 x (.5 / 1.2) x (.5 / .7).
    pair = np.mean([mask[2] == (0, 2) for mask in drawn])
    assert pair == pytest.approx(2 * 0.5 / 1.2 * 0.5 / 0.7, abs=0.04)


def test_gradients_go_straight_through() -> None:
    scores = torch.full((4, 4), 0.3, requires_grad=True)
    mask = through(scores, ((0,), (1,), (0, 2)))
    expected = torch.zeros((4, 4))
    expected[1, 0] = expected[2, 1] = expected[3, 0] = expected[3, 2] = 1
    assert torch.equal(mask, expected)
    weights = torch.arange(16.0).reshape(4, 4)
    (mask * weights).sum().backward()
    assert torch.equal(scores.grad, weights)  # of the inactive ones, too


def test_an_inactive_input_does_nothing() -> None:
    torch.manual_seed(0)
    cell = MaskedCell(3, 5, [CONV3, POOL]).eval()
    x = torch.rand((2, 3, 4, 4))
    with torch.no_grad():
        first, second, last = (projection(x) for projection in cell.projections)
        one = cell.operations[0](first)
        two = cell.operations[1](second + one)
        mask = through(torch.full((4, 4), START), ((0,), (0, 1), (0, 2)))
        torch.testing.assert_close(cell(x, mask), last + two)
        mask = through(torch.full((4, 4), START), ((0,), (0,), (1,)))
        torch.testing.assert_close(cell(x, mask), one)


# Trainings


def fit_of(rate: float, epochs: int = 2, adam: bool = False) -> MaskedFit:
    recipe = Recipe(stem_channels=4, stacks=2, epochs=epochs, checkpoints=(epochs,))
    plan = MaskedPlan((CONV3, POOL), 1)
    network, _ = networks.make(plan, recipe.settings, 1, 10, 0)
    return MaskedFit(network, rate, adam, datasets.load("digits"), recipe.settings, 0)


def test_scores_learn_within_their_bounds() -> None:
    learned, again, still = (fit_of(rate, adam=True) for rate in (0.2, 0.2, 0.0))
    before = [weight.clone() for weight in learned.weights]
    for fit in (learned, again, still):
        while not fit.done:
            fit.epoch()
    scores = learned.masked.scores.detach()
    used = torch.tril(torch.ones((4, 4), dtype=torch.bool), -1)
    assert (scores[used] != START).all() and scores.min() >= 0 and scores.max() <= 1
    assert (scores[~used] == START).all()
    assert torch.equal(scores, again.masked.scores) and learned.curve[-1].loss > 0
    assert (still.masked.scores == START).all()
    assert not any(map(torch.equal, before, learned.weights))
    assert learned.chosen() == best_mask(scores, [1, 1, 1]) == learned.masked.mask


@pytest.mark.long
@pytest.mark.parametrize("adam", [False, True])
def test_a_useful_input_is_found(adam: bool) -> None:
    """The output may have the images, or what a vertex makes of nothing: its weights are 0. The
    gradient says how a little more of an input would change the loss, so that it takes a while."""
    fit = fit_of(0.05, 40, adam)
    with torch.no_grad():
        for cell in fit.masked.body:
            for block in (*cell.operations[:1], *cell.projections[:2]):
                for weight in block.parameters():
                    weight.zero_().requires_grad_(False)
    while not fit.done:
        fit.epoch()
    assert fit.chosen()[-1] == (0,)


# Measures


def test_measures_by_hand() -> None:
    masks = [("0|0", 3, 0.90, 20), ("0|1", 2, 0.80, 10), ("0|2", 2, 0.86, 30), ("0|3", 2, 0.84, 5)]
    lines = [
        {"set": 0, "mask": mask, "edges": edges, "params": params, "table_val": val}
        | {"table_test": val - 0.1, "row": params}
        for mask, edges, val, params in masks
    ]
    choices = [{"set": 0, "mask": mask, "val": 0.5} for mask in ("0|0", "0|2", "0|2")]
    report = measures.report(Finished({}, pd.DataFrame(lines), pd.DataFrame(choices)))
    learned, most = (report.of[method] for method in measures.METHODS)
    assert learned.val.value == pytest.approx((0.05 + 0.01 + 0.01) / 3)
    assert learned.test.value == pytest.approx((0.05 + 0.01 + 0.01) / 3)
    assert learned.equal.value == pytest.approx(2 * (0.86 - 2.5 / 3) / 3)
    assert learned.beats.value == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert learned.regret.value == pytest.approx(0.08 / 3)
    assert most.val.value == pytest.approx(0.01) and np.isnan(most.val.low)  # one sequence
    assert report.own == pytest.approx(0.5 - (0.9 + 0.86 + 0.86) / 3)
    assert (report.agreement, report.chance) == (pytest.approx(1 / 3), 1 / 4)
    assert report.inputs[2, 0] == (pytest.approx(1 / 3), 0.25) and report.inputs[2, 1] == (0, 0.25)
    assert (1, 0) not in report.inputs  # no choice


def test_sets_begin_alike() -> None:
    assert drawn_sets(3, 5) == drawn_sets(3, 27)[:5] and len(set(drawn_sets(3, 99))) == 27


# The command

WORDS = "maskconnect --preset smoke --sets 2 --epochs 1 --out"


@pytest.mark.long
def test_gone_on_with_it_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One training is there, one was not finished: it is made again, and reports agree."""
    files = ("masks.parquet", "choices.parquet")
    with kept():
        assert cli.main([*WORDS.split(), str(tmp_path)]) == 0
        (folder,) = tmp_path.glob("maskconnect-*")
        whole = [(folder / name).read_bytes() for name in files]
        (folder / "training-0-0.json").unlink()
        before = (folder / "training-1-0.json").read_bytes()
        for name in (*files, "manifest.json"):
            (folder / name).unlink()
        assert cli.main([*WORDS.split(), str(tmp_path)]) == 0
    assert (folder / "training-1-0.json").read_bytes() == before
    assert [(folder / name).read_bytes() for name in files] == whole
    capsys.readouterr()
    (folder / "figure.png").unlink()
    assert cli.main(["report", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "2 sequences of operations, 2 trainings" in said and "most parameters" in said
    assert (folder / "figure.png").is_file()
    (folder / "choices.parquet").write_bytes(whole[1][:-9])
    assert cli.main(["report", str(folder)]) == 2
    assert "choices.parquet is missing or damaged" in capsys.readouterr().err


def test_too_many_edges_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["maskconnect", "--vertices", "7", "--out", str(tmp_path)]
    assert cli.main(words) == 2
    assert "7 vertices with 2 inputs have 11 edges; a cell has at most 9" in capsys.readouterr().err


def test_presets() -> None:
    assert MaskConnect.for_options([]) == MaskConnect()
    smoke = MaskConnect.for_options(["--preset", "smoke", "--sets", "1"])
    assert (smoke.preset, smoke.vertices, smoke.epochs) == ("smoke", 4, 2)
