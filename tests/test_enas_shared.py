"""`rlnas oneshot enas`: the controller and shared weights by turns, stopped and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

REASON = "the extra `retrain` is not installed: no supernet here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.analysis import cli  # noqa: E402
from rlnas.analysis.oneshot import choices, enas  # noqa: E402
from rlnas.analysis.oneshot.alternating import Search, Turns  # noqa: E402
from rlnas.analysis.oneshot.choices import Found  # noqa: E402
from rlnas.analysis.oneshot.command import Enas  # noqa: E402
from rlnas.analysis.oneshot.report import Truth  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.nb101.space import make_space  # noqa: E402
from rlnas.bench.nb101.supernet_training import Schedule  # noqa: E402
from rlnas.bench.retrain import datasets  # noqa: E402
from torch_fixtures import kept, one_thread  # noqa: E402, F401

ROWS, CELLS = cell_list(4)
TURNS = Turns(Schedule(epochs=3, steps=4, learning_rate=0.05), controller_steps=2, samples=6)


def begun(seed: int = 5, turns: Turns = TURNS) -> Search:
    digits, recipe = datasets.load("digits"), Recipe(stem_channels=4)
    return Search(make_space(ROWS, 4), CELLS, digits, recipe, turns, seed)


@pytest.mark.long
def test_going_on_is_not_stopping(tmp_path: Path) -> None:
    """Stored after every turn and read by another process's search: the same bytes at the end."""
    straight, path = begun(), tmp_path / "state.safetensors"
    before = straight.drawn(50, 1)
    for turn in range(3):
        straight.epoch()
        one = begun()
        if turn:
            one.read(path)
        one.epoch()
        one.write(path)
    resumed = begun()
    resumed.read(path)
    for name, tensor in straight.training.state().items():
        assert torch.equal(tensor, resumed.training.state()[name]), name
    a, b = straight.finish(), resumed.finish()
    for name in ("places", "accuracy", "loss", "rewards"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert len(a.rewards) == 3 and (a.seconds > 0).all()
    assert (straight.drawn(50, 1) != before).any()  # it has learned something
    with pytest.raises(UserError, match="another training"):
        begun(seed=6).read(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match="edited or damaged"):
        begun().read(path)


@pytest.mark.long
def test_the_controller_moves_towards_what_is_rewarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told 1 for a pooling first vertex and 0 for another, it draws poolings."""
    turns = replace(TURNS, schedule=Schedule(1, 1, 0.01), controller_steps=120)
    search = begun(turns=turns)
    pools = np.array([cell.ops[1] == "maxpool3x3" for cell in CELLS])
    before = pools[search.drawn(1000, 1)].mean()
    monkeypatch.setattr(
        search.training, "accuracy_on", lambda batch, cell: float(cell.ops[1] == "maxpool3x3")
    )
    search.epoch()
    assert pools[search.drawn(1000, 1)].mean() > before + 0.05


def test_choices_by_hand() -> None:
    val = np.linspace(0.5, 0.9, 40)[:, None].repeat(2, axis=1)
    truth = Truth(np.arange(40), CELLS[:40], val, val + 0.01, None, (20,), np.arange(40), 1.0)
    places = np.array([3, 3, 20, 39, *range(4, 14)], np.int32)
    loss = np.array([0.1, 0.1, 0.2, 9.0, *np.linspace(1, 2, 10)], np.float32)
    # The ten different ones of smallest loss: 3, 20, 4 to 11; the best of them by accuracy is 20.
    assert choices.kept_of(places, -loss, truth) == pytest.approx(val[20, 0] + 0.01)
    found = Found(places, loss / 10, loss, np.array([0.5, 0.6]), np.array([1.0, 2.0, 3.0]))
    report = choices.report_of(truth, [found], [], 2.0, 6.0)
    best, first, _, chance = report.choices
    assert (best.seconds, first.seconds) == (26.0, 6.0)
    assert first.test == [pytest.approx(val[3, 0] + 0.01)]
    assert np.mean(chance.test) == pytest.approx(0.71) and report.best == pytest.approx(0.91)
    json.dumps(report.summary(), allow_nan=False)


@pytest.mark.long
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(Enas.for_options(["--preset", "smoke"]), epochs=1, steps=3, out=tmp_path)
    with kept():
        config.run()
    said = capsys.readouterr().out
    assert "controller on the table, 10 trained" in said and "random choice, 10 trained" in said
    folder = next(tmp_path.glob("enas-*"))
    names = {path.name for path in folder.iterdir()}
    assert {"manifest.json", "figure.png", "figure.svg", "seed-1.npz"} <= names
    assert not [name for name in names if name.endswith(".safetensors")]
    figure = (folder / "figure.png").read_bytes()
    (folder / "figure.png").unlink()
    assert cli.main(["report", str(folder)]) == 0
    assert (folder / "figure.png").read_bytes() == figure
    before = (folder / "seed-1.npz").read_bytes()
    with kept(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(enas.Search, "epoch", None)  # nothing is searched again
        config.run()
    assert (folder / "seed-1.npz").read_bytes() == before
    (folder / "seed-1.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"seed-1\.npz: damaged"):
        config.run()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"max_vertices": 2}, "--max-vertices is 2"),
        ({"seed": -1}, "--seed is -1"),
        ({"benchmark": "no-such-table"}, "no table"),
        ({"dataset": "no-such-images"}, "no-such-images"),
    ],
)
def test_bad_options_are_one_line(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason):
        replace(Enas(out=tmp_path), **change).run()  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
