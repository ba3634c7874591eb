"""`rlnas fidelity` and `rlnas compare --seconds`: what they measure, say and refuse."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from rlnas import bench
from rlnas.agents.timed import TimedHistory
from rlnas.analysis import cli
from rlnas.analysis.fidelity import measures
from rlnas.analysis.fidelity.measures import agreements, answers, best_kept, shown
from rlnas.analysis.seconds.measures import asked, worth
from rlnas.analysis.seconds.sweep import costs_of
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.import_csv import import_csv
from rlnas.bench.nb301.load import convert_network
from rlnas.bench.npz import load_npz
from said import complaints
from tables import small_table


def history() -> TimedHistory:
    """Two runs: three queries at 10, 20 and 30 s, the third of a lower fidelity; one at 25 s."""
    made = np.array([[True, True, True], [True, False, False]])
    return TimedHistory(
        arch=np.array([[0, 1, 2], [3, 0, 0]], np.int32),
        fidelity=np.array([[0, 1, 0], [1, -1, -1]], np.int32),
        val=np.array([[0.9, 0.5, 0.95], [0.7, np.nan, np.nan]], np.float32),
        reported=np.array([[0.6, 0.8, 0.7], [0.75, np.nan, np.nan]], np.float32),
        sim_seconds=np.array([[10, 10, 10], [25, 0, 0]], np.float32),
        valid=made,
        made=made,
        incumbent=np.array([[0, 1, 1], [0, 0, 0]], np.int32),
    )


def test_what_the_incumbent_is_worth_at_a_second() -> None:
    at = np.array([9.0, 10.0, 19.0, 20.0, 25.0, 100.0])
    expected = [[np.nan, 0.6, 0.6, 0.8, 0.8, 0.8], [np.nan, np.nan, np.nan, np.nan, 0.75, 0.75]]
    np.testing.assert_allclose(worth(history(), at), expected, rtol=1e-6)
    assert asked(history(), 20.0).tolist() == [2, 0]
    assert asked(history(), 1e9).tolist() == [3, 1]


def test_which_fidelities_are_shown() -> None:
    assert shown((4, 12, 36, 108)) == [4, 12, 36, 108]
    assert shown(tuple(range(1, 99))) == [1, 2, 4, 7, 14, 26, 51, 98]


def test_the_best_hundredth_in_the_best_tenth_by_hand() -> None:
    whole = np.arange(200.0)
    assert best_kept(whole, whole).tolist() == [1, 1]  # of 200 the best two
    other = whole.copy()
    other[199] = -1  # the best is last there
    assert best_kept(other, whole).tolist() == [0, 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("fidelity")
    small_table(4, budgets=(4, 12, 36)).save(found / "table.npz")
    small_table(4, budgets=(12,)).save(found / "one.npz")
    lacking = small_table(4)
    lacking.seconds[:] = np.nan
    lacking.save(found / "lacking.npz")
    return found


LINE = "fidelity table.npz --agents random_search hyperband early_stopping --seconds 7000 --seeds 4"


@pytest.mark.long
def test_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    assert cli.main(LINE.split()) == 0
    said = capsys.readouterr()
    assert "4, 12, 36 epochs, each a training of its own: it costs the whole" in said.out
    assert "left out: early_stopping extrapolates curves" in said.err
    out = next(Path("runs").glob("fidelity-*"))
    with (out / "agreement.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epochs"] for row in rows] == ["4", "12", "36"]
    assert {row["architectures"] for row in rows} == {"91"}
    assert float(rows[2]["spearman"]) == 1.0 and 0.9 < float(rows[0]["spearman"]) < 1
    assert float(rows[0]["seconds_mean"]) == 120.0  # three repeats of 4 epochs
    with (out / "table.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["agent"] for row in table] == ["random_search", "hyperband"] * 4
    last = {row["agent"]: row for row in table[-2:]}
    assert float(last["random_search"]["queries_mean"]) == 7000 // 1080
    assert float(last["hyperband"]["queries_mean"]) > 12
    assert {"figure.png", "figure.svg", "report.txt"} <= {path.name for path in out.iterdir()}
    assert cli.main(LINE.split()) == 0
    assert capsys.readouterr().out.count("reused from") == 2
    assert cli.main(["report", str(out)]) == 0
    assert "Spearman's correlation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("fidelity table.npz --fidelities 5", "no fidelity of 5 epochs in small; expected 4, 12"),
        ("fidelity one.npz", "small knows 12 epochs alone; expected a benchmark with several"),
        ("fidelity table.npz --seconds 100", "--seconds is 100, and the cheapest query of small"),
        ("compare --benchmark table.npz --seconds 100", "cheapest query of small costs 120.00"),
        ("compare --benchmark table.npz --seconds 500 --agents random_search",
         "random_search has no query that fits into 500 s"),
        ("fidelity lacking.npz", "does not say how long all its trainings took"),
        ("compare --benchmark table.npz --seconds 0", "--seconds is 0.0; expected above 0"),
        ("compare --benchmark table.npz --seconds nan", "--seconds is nan; expected a finite"),
        ("compare --benchmark table.npz --seconds 7000 --agents early_stopping",
         "early_stopping extrapolates curves of more than 5 checkpoints"),
        ("compare --benchmark table.npz --seconds 500 --agents "
         "bridge:outside_searchers:Draws:workers=0", "has no query that fits into 500 s"),
        ("compare --benchmark table.npz --seconds 7000 --any-fidelity",
         "--any-fidelity is given with --seconds"),
        ("compare --benchmark table.npz --any-fidelity --reward mnasnet:objective=params,target=9",
         "--any-fidelity is given with --objectives or --reward"),
        ("compare --benchmark nb101-digits --any-fidelity --noise sample --agents "
         "bridge:outside_searchers:Draws:workers=0", "give --noise mean"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    line: str, why: str, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    assert cli.main([*line.split(), "--out", "nothing"]) == 2
    said = complaints(capsys.readouterr().err)
    assert why in said and said.count("\n") == 1
    assert not list(Path("nothing").glob("*"))


@pytest.mark.long
def test_a_budget_of_queries_at_any_fidelity(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    agents = "random_search hyperband bridge:outside_searchers:Draws:workers=0"
    line = f"compare --any-fidelity --budget 70 --agents {agents} --seeds 3 --out q --benchmark"
    assert cli.main([*line.split(), "table.npz"]) == 0
    said = capsys.readouterr().out
    assert "after 70 queries at any fidelity on small" in said
    out = next(Path("q").glob("fidelities-*"))
    with (out / "table.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["queries"] for row in table[::3]] == ["7", "14", "35", "70"]
    assert [float(row["seconds_mean"]) for row in table[::3]] == [1080 * n for n in (7, 14, 35, 70)]
    spent = [float(row["seconds_mean"]) for row in table[-3:]]
    assert spent[0] == 70 * 1080 > 1.5 * spent[1]  # 70 whole trainings, and shorter ones
    assert cli.main(["report", str(out)]) == 0
    assert cli.main([*line.split(), "table.npz"]) == 0
    assert capsys.readouterr().out.count("reused from") == 3
    # Seconds that nobody knows are not asked for.
    assert cli.main([*line.split(), "lacking.npz"]) == 0
    assert [row for row in capsys.readouterr().out.splitlines() if "hyperband  " in row]


@pytest.mark.long
def test_they_are_drawn_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    lines = (
        "fidelity table.npz --agents random_search evolution --seconds 7000 --seeds 2 --out d",
        "compare --benchmark table.npz --any-fidelity --budget 9 --agents random_search evolution "
        "--seeds 2 --out d",
    )
    assert not any(cli.main(line.split()) for line in lines)
    study, queries = (next(Path("d").glob(f"{kind}-*")) for kind in ("fidelity", "fidelities"))
    capsys.readouterr()
    assert cli.main(["plot", str(study), "--out", "e"]) == 0
    assert capsys.readouterr().out.startswith((study / "report.txt").read_text())
    for name in ("table.csv", "agreement.csv", "report.txt", "seconds.json"):
        assert (Path("e") / name).read_bytes() == (study / name).read_bytes()
    assert cli.main(["plot", str(study), str(queries), "--out", "f"]) == 0
    for each in (study, queries):
        table = Path("f") / each.name / "table.csv"
        assert table.read_bytes() == (each / "table.csv").read_bytes()
        assert (table.parent / "figure.png").is_file()
    next(Path("d").glob("timed-*/manifest.json")).unlink()
    capsys.readouterr()
    assert cli.main(["plot", str(queries), str(study), "--out", "g"]) in (0, 2)
    assert "manifest.json" in capsys.readouterr().err
    assert cli.main(["plot", "d/fronts-1", "--out", "h"]) == 2
    assert "the same `rlnas compare --objectives` again draws" in capsys.readouterr().err


@pytest.mark.long
def test_queries_of_whole_trainings_are_those_of_a_plain_comparison(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    line = "compare --benchmark table.npz --agents evolution --budget 20 --seeds 3 --out p"
    assert cli.main(line.split()) == 0
    assert cli.main([*line.split(), "--any-fidelity"]) == 0
    timed, plain = (
        load_npz(next(Path("p").glob(f"{kind}/history.npz")), hint="")[0]
        for kind in ("timed-*", "*-20x3")
    )
    assert timed["made"].all() and (timed["fidelity"] == 2).all()
    for name in ("arch", "val", "reported", "sim_seconds", "valid", "incumbent"):
        np.testing.assert_array_equal(timed[name], plain[name])


def test_a_damaged_run_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    line = "compare --benchmark table.npz --seconds 7000 --agents random_search --seeds 4 --out b"
    assert cli.main(line.split()) == 0
    run = next(Path("b").glob("timed-*"))
    whole = (run / "history.npz").read_bytes()
    (run / "history.npz").write_bytes(whole[:-9])
    capsys.readouterr()
    assert cli.main(line.split()) == 0
    assert "redoing random_search" in capsys.readouterr().err
    assert (run / "history.npz").read_bytes() == whole


def test_costs(folder: Path) -> None:
    found = costs_of(bench.load_fidelities(str(folder / "table.npz")))
    assert found == (120.0, 120.0, 1080.0)


# Numbers of the real samples, computed by others with numpy.


def test_nas_bench_101_s_fidelities(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "REPLICATES", 10)
    path = import_csv(
        real_data / "nb101_validation_sample.csv.gz", tmp_path / "sample.npz", name="sample",
        progress=False,
    )  # fmt: skip
    fidelities = bench.load_fidelities(str(path))
    epochs = fidelities.budgets.epochs
    assert epochs == (4, 12, 36, 108) and not fidelities.budgets.continues
    found = agreements(epochs, answers(fidelities, epochs, 20_000, 0))
    assert {one.architectures for one in found} == {10_001}
    values = [[x.value for x in (one.all, one.best, one.kept)] for one in found[:3]]
    expected = [[0.451, 0.07, 0.21], [0.615, 0.14, 0.50], [0.879, 0.38, 0.88]]
    np.testing.assert_allclose(np.array(values)[:, 0], np.array(expected)[:, 0], atol=6e-4)
    np.testing.assert_allclose(np.array(values)[:, 1:], np.array(expected)[:, 1:], atol=0.015)


def test_nas_bench_301_s_curves(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "REPLICATES", 10)
    pytest.importorskip("onnx", reason="the extra `nb301` is not installed")
    path = convert_network(real_data / "nb301_yahpo_v1.onnx", tmp_path / "yahpo.npz")
    fidelities = bench.load_fidelities(str(path))
    assert fidelities.budgets.continues
    epochs = (1, 5, 10, 25, 50, 98)
    found = agreements(epochs, answers(fidelities, epochs, 2500, 0))
    # Of other random pairs than theirs.
    all_, best = (np.array([getattr(one, name).value for one in found[:5]])
                  for name in ("all", "best"))  # fmt: skip
    np.testing.assert_allclose(all_, [0.80, 0.84, 0.88, 0.97, 0.99], atol=0.03)
    np.testing.assert_allclose(best, [0.37, 0.45, 0.52, 0.82, 0.91], atol=0.15)


def test_too_few_architectures_have_a_value(folder: Path) -> None:
    table = small_table(4)
    table.val[5:, 0] = np.nan
    table.save(folder / "few.npz")
    with pytest.raises(UserError, match="5 architectures with a value at all of 4, 12 epochs"):
        answers(bench.load_fidelities(str(folder / "few.npz")), (4, 12), 100, 0)
