"""`rlnas predict`: what is measured, on what, and what the command keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas import bench
from rlnas.analysis import cli
from rlnas.analysis.predict import columns
from rlnas.analysis.predict.data import Pool, pool_of, smaller
from rlnas.analysis.predict.figure import APART, apart, figure
from rlnas.analysis.predict.measures import Row, Score, row_of, score, split
from rlnas.analysis.predict.text import text
from rlnas.analysis.stats import Interval
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.rank import spearman
from tables import small_table


def test_a_score_of_hand() -> None:
    """20 values, of which the best tenth are the last two; the best is said to be the worst."""
    vals = np.arange(20) / 100
    said = np.arange(20.0)
    said[19] = -1
    found = score(said, vals, 2.5)
    # 19 ranks are one off, and one is 19 off: rho = 1 - 6 (19 + 361) / (20 (400 - 1)).
    assert found.spearman == pytest.approx(1 - 6 * 380 / 7980)
    assert found.kendall == pytest.approx(1 - 2 * 19 / 190)
    assert (found.best_spearman, found.best_kendall) == (-1, -1)
    assert found.regret_1 == pytest.approx(0.01) and found.regret_10 == pytest.approx(0.01)
    assert found.seconds == 2.5
    turned = score(-said, vals)
    assert turned.spearman == -found.spearman and turned.regret_1 == 0


def test_what_a_predictor_says_nothing_of_is_last() -> None:
    vals = np.arange(20) / 100
    said = np.where(vals > 0.15, np.nan, vals)
    found = score(said, vals)
    assert found.spearman == 1 and found.regret_1 == pytest.approx(0.04)


def test_draws_share_what_is_held_out() -> None:
    order, out = split(100, 30, 0, 0)
    assert sorted([*order[:30], *out]) == list(range(100))
    assert not np.array_equal(out, split(100, 30, 0, 1)[1])
    assert np.array_equal(out, split(100, 30, 0, 0)[1])


def test_labels_stand_apart() -> None:
    places = apart([0.1, 0.11, 0.12, 0.5, 0.9])
    assert min(np.diff(places)) == pytest.approx(APART)
    assert places[1] == pytest.approx(0.11) and places[3:] == [0.5, 0.9]


def made_rows() -> list[Row]:
    some = dict.fromkeys(Score._fields, Interval(0.5, 0.4, 0.6))
    return [
        Row("x", "gp", 10, 3, 40, some), Row("x", "gp", 20, 3, 40, some),
        Row("x", "params", 0, 3, 40, some | {"seconds": Interval(*[float("nan")] * 3)}),
    ]  # fmt: skip


def test_figure_and_text() -> None:
    said = text(made_rows(), [10, 20], 3)
    assert "x, 40 architectures held out" in said
    assert "gp                    0.50 [0.40, 0.60]  0.50 [0.40, 0.60]" in said
    (line,) = (x for x in said.split("trained on 20")[1].splitlines() if x.startswith("params"))
    assert line.split()[-1] == "-" and "50.00 [40.00, 60.00]" in line
    drawn = figure(made_rows(), [10, 20])
    axes = drawn.axes[0]
    assert [text.get_text() for text in axes.texts] == ["params"]
    assert axes.lines[0].get_xdata().tolist() == [10, 20]


def test_means_over_draws() -> None:
    scores = [Score(*[x] * 7) for x in (0.1, 0.2, 0.6)]
    pool = Pool("x", None, np.zeros(50), np.zeros(50), {}, {})
    found = row_of(pool, "gp", 10, 20, scores)
    assert (found.held_out, found.draws) == (30, 3)
    value, low, high = found.scores["spearman"]
    assert value == pytest.approx(0.3) and 0.09 < low < 0.3 < high < 0.61


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    small_table(4).save("a.npz")
    return tmp_path


def write_columns(path: str, **more: Any) -> Any:
    """A file with a column for each of the 91 cells."""
    space = bench.load("a.npz").space
    texts = [space.format(i) for i in range(91)]
    lines = [f'"{text}",{i},{90 - i / 10},x' for i, text in enumerate(texts)]
    Path(path).write_text("\n".join(["arch,number,acc,note", *lines]) + "\n")
    return texts


def test_pools(here: Path) -> None:
    found = pool_of("a.npz", 1000, 0)
    there = bench.load("a.npz")
    np.testing.assert_allclose(found.vals, there.mean_val, rtol=1e-6)
    assert list(found.free) == ["4 epochs"]
    np.testing.assert_allclose(found.free["4 epochs"], bench.load("a.npz", epochs=4).mean_val)
    drawn = pool_of("a.npz", 50, 0)
    assert len(set(np.asarray(drawn.archs).tolist())) == 50
    write_columns("c.csv")
    with_file = pool_of("a.npz", 1000, 0, file=Path("c.csv"))
    assert with_file.about["data"] == found.about["data"]
    assert with_file.free["number"].tolist() == list(range(91))
    other = pool_of("a.npz", 1000, 0, file=Path("c.csv"), truth="acc")
    assert list(other.free) == ["number"] and other.vals[10] == pytest.approx(0.89)
    with pytest.raises(UserError, match="--truth is x; expected a column of --columns: number"):
        pool_of("a.npz", 1000, 0, file=Path("c.csv"), truth="x")


def test_smaller_budgets(here: Path) -> None:
    table = bench.load_fidelities("a.npz").budgets
    assert smaller(table, ()) == [4] and smaller(table, (5, 12)) == []
    assert smaller(bench.load_fidelities("nb101-digits").budgets, ()) == [2, 5, 10]
    assert smaller(bench.load_fidelities("synthetic", epochs=36).budgets, ()) == [4, 12]
    curve = Budgets(tuple(range(1, 99)), continues=True)
    assert smaller(curve, ()) == [] and smaller(curve, (98, 50, 7)) == [7, 50]
    assert smaller(Budgets((200,)), ()) == []


def test_files(here: Path, capsys: Any) -> None:
    assert columns.files_of(["a=x.csv"], ["a", "b"]) == {"a": Path("x.csv")}
    assert columns.files_of(["x.csv"], ["a", "b"]) == dict.fromkeys(["a", "b"], Path("x.csv"))
    for words, said in ((["x.csv", "a=y.csv"], "two files for a"), (["c=y.csv"], "BENCHMARK of a")):
        with pytest.raises(UserError, match=said):
            columns.files_of(words, ["a", "b"])
    space = bench.load("a.npz").space
    texts = write_columns("c.csv")
    content = Path("c.csv").read_text()
    Path("c.csv").write_text(content + f'"{texts[3]}",500,1,x\n')
    assert columns.read(Path("c.csv"), space).values["number"].max() == 90
    assert "1 lines are about architectures that stand before" in capsys.readouterr().err
    for bad, said in (
        ("arch,number\nnone,1\n", "line 2: found 'none'"),
        ("name,number\nnone,1\n", "no column says which architecture a line is"),
        (f'arch,note\n"{texts[0]}",x\n', "no column of numbers"),
    ):
        Path("c.csv").write_text(bad)
        with pytest.raises(UserError, match=said):
            columns.read(Path("c.csv"), space)


def test_names_of_naslib(here: Path) -> None:
    space = bench.load("a.npz").space
    Path("n.csv").write_text("adjacency,ops,val\n0110000100010000,0 2 4 1,3\n")
    found = columns.read(Path("n.csv"), space)
    assert int(found.archs[0]) == space.row("110011 input,maxpool3x3,conv3x3-bn-relu,output")
    half = "0:0 1:5 1:1 0:1 1:3 0:3 1:3 3:2"
    Path("d.csv").write_text(f"normal,reduce,val\n{half},{half},3\n")
    said = DartsSpace().format(columns.read(Path("d.csv"), DartsSpace()).archs[0])
    first = "0:max_pool_3x3|1:dil_conv_3x3|0:avg_pool_3x3|1:avg_pool_3x3"
    assert said.startswith(first)


@pytest.mark.long
def test_the_command(here: Path, capsys: Any) -> None:
    words = [
        "predict",
        "a.npz",
        "--predictors",
        "gp",
        "params",
        "--train",
        "10",
        "20",
        "--draws",
        "2",
    ]
    assert cli.main(words) == 0
    (folder,) = Path("runs").glob("predict-*")
    assert {path.name for path in folder.iterdir()} == {
        "figure.png", "figure.svg", "predict.csv", "predict.json", "report.txt", "manifest.json",
        "report.sha256", "command.toml",
    }  # fmt: skip
    rows = json.loads((folder / "predict.json").read_text())["rows"]
    assert [(row["predictor"], row["cells"]) for row in rows] == [
        ("gp", 10), ("gp", 20), ("4 epochs", 0), ("params", 0),
    ]  # fmt: skip
    assert rows[2]["spearman"] > 0.9 and rows[0]["held_out"] == 71
    parts = sorted(Path("runs/predictions").iterdir())
    content = parts[0].read_text()
    parts[0].write_text(content.replace('"draws": 2', '"draws": 3'))
    capsys.readouterr()
    assert cli.main(words) == 0
    said = capsys.readouterr().err
    assert "1 of 2 measurements reused" in said and "was edited or damaged" in said
    again = json.loads(parts[0].read_text())["scores"]
    before = json.loads(content)["scores"]
    assert [x["spearman"] for x in again] == [x["spearman"] for x in before]
    assert cli.main(["report", str(folder)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--predictors oracle", "unknown predictor 'oracle'"),
        ("--predictors gp gp", "--predictors is gp gp; expected different ones"),
        ("--train 80", "--train has 80, and a.npz has 91 architectures with a value; expected at"),
        ("--train 10 10", "--train is 10 10; expected at least 1, all different"),
        ("--epochs 5", "--epochs has 5, which none of a.npz has below its largest budget"),
        ("--truth acc", "--truth is acc; expected --columns FILE with it"),
        ("--columns c.csv --truth zen", "--truth is zen; expected a column of --columns: number"),
        ("--columns no.csv", "no.csv: no such file"),
        ("--draws 1", "--draws is 1; expected at least 2, an interval needs them"),
    ],
)
def test_bad_options(here: Path, words: str, message: str, capsys: Any) -> None:
    write_columns("c.csv")
    assert cli.main(["predict", "a.npz", *words.split()]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
    assert not Path("runs").exists()


# Against published and measured numbers (docs/SYSTEMS.md of the project's workshop).


@pytest.mark.long
def test_epochs_and_parameters_rank_10_001_cells(real_data: Path, here: Path) -> None:
    """4, 12 and 36 epochs rank the 108-epoch values by .45, .62, .88, within the best tenth by .07,
    .14, .38; parameters by .45."""
    words = [
        "--family",
        "nb101",
        "--name",
        "sample",
        "--out",
        "sample.npz",
        "--values",
        "108=max-of-3",
    ]
    file = str(real_data / "nb101_validation_sample.csv.gz")
    assert cli.main(["bench", "import-csv", file, *words]) == 0
    pool = pool_of("sample.npz", 16_000, 0)
    assert len(pool.vals) == 10_001
    found = {name: score(said, pool.vals) for name, said in pool.free.items()}
    assert [round(x.spearman, 3) for x in found.values()] == [0.451, 0.615, 0.879]
    assert [round(x.best_spearman, 2) for x in found.values()] == [0.07, 0.14, 0.38]
    params = score(pool.space.trainable_parameters().astype(float), pool.vals)
    assert round(params.spearman, 3) == 0.453


def test_proxies_of_naslib(real_data: Path) -> None:
    """725 DARTS pairs: nwot ranks their accuracies by .56, parameters and norms by .52, FLOPs .48,
    synflow .22."""
    found = columns.read(real_data / "nb301_zero_cost_sample.csv.gz", DartsSpace())
    vals = found.values["val_accuracy"]
    ranks = {name: float(spearman(x, vals)) for name, x in found.values.items()}
    expected = {"nwot": 0.56, "params": 0.52, "l2_norm": 0.52, "flops": 0.48, "synflow": 0.22}
    assert {name: ranks[name] for name in expected} == pytest.approx(expected, abs=0.006)
