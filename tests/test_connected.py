"""Partial tables: how they hang together, said wherever their numbers are; and values that are
means or maxima."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from nb201_tables import invented, write_csv
from nb201_tables import text as cell_text
from rlnas.analysis.comparison import table as tables
from rlnas.analysis.comparison.captions import foot
from rlnas.analysis.comparison.measures import measure
from rlnas.analysis.comparison.sweep import compare
from rlnas.bench import load
from rlnas.bench.connected import connectivity, region
from rlnas.bench.errors import UserError
from rlnas.bench.family import family_of
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.nb101.importer import ImportCells
from rlnas.bench.nb101.space import make_space
from rlnas.bench.nb201.benchmark import from_table as from_nb201
from rlnas.bench.nb201.import_csv import import_csv as import_nb201
from rlnas.bench.stand_ins import make
from rlnas.bench.values import SINGLE, Values, by_budget
from tables import small_table


def lists(neighbours: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    space = make(neighbours, np.ones(len(neighbours))).space
    return np.asarray(space.offsets), np.asarray(space.flat)


def test_by_hand() -> None:
    """0 -> 1 <- 2, 3 <-> 4, 5 alone: a move one way connects, too, and 1 has no way out."""
    found = connectivity(*lists([[1], [], [1], [4], [3], []]))
    assert found[:3] == (6, 2, pytest.approx(4 / 6)) and found.largest.tolist() == [0, 1, 2]
    assert not found.whole
    assert str(found) == (
        "33.3 % of them without neighbours, mean degree 0.67, largest connected component 3 cells"
    )
    kept = np.array([True, False, True, True, True, False])
    found = connectivity(*lists([[1], [], [1], [4], [3], []]), kept)
    assert found[:3] == (4, 2, 0.5) and found.largest.tolist() == [3, 4]
    line = connectivity(*lists([[i + 1] for i in range(99)] + [[]]))
    assert line.whole and line.largest.tolist() == list(range(100))


@pytest.mark.parametrize("count", [50, 300, 900, 2532])
def test_components_are_scipy_s(count: int) -> None:
    rows = np.sort(np.random.default_rng(count).choice(2532, count, replace=False))
    space = make_space(rows, 5)
    offsets, flat = np.asarray(space.offsets), np.asarray(space.flat)
    found = connectivity(offsets, flat)
    edges = csr_array((np.ones(offsets[-1]), flat[: offsets[-1]], offsets), shape=(count, count))
    _, labels = connected_components(edges, directed=True, connection="weak")
    assert len(found.largest) == np.bincount(labels).max()
    assert len(set(labels[found.largest])) == 1
    assert found.mean_degree == pytest.approx(np.diff(offsets).mean())
    assert found.whole == (count == 2532)


def test_a_partial_table_is_said_to_be_one_everywhere(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        from_table(small_table()).about == ""
        and "about" not in from_table(small_table()).describe()
    )
    rows = np.arange(0, 91, 5)
    hashes = [digest.tobytes().hex() for digest in graph.hashes(4)[rows]]
    lines = [[digest, 0.5 + i / 100] for i, digest in enumerate(hashes)]
    path = write_csv(tmp_path / "t.csv", ["module_hash", "val_4"], lines)
    ImportCells(path, name="mine", max_vertices=4, values=("max-of-3",)).run()
    space = make_space(rows, 4)
    line = f"19 of 91 cells ({connectivity(np.asarray(space.offsets), np.asarray(space.flat))})"
    maximum = "each value is the maximum of 3 trainings, which is optimistic"
    said = capsys.readouterr().out
    assert f"note: partial: {line}\n" in said and said.count("19 of 91") == 1
    assert f"note: values at 4 epochs: {maximum}\n" in said
    facts = dict(family_of("mine").facts("mine"))
    assert facts["partial"] == line and facts["values at 4 epochs"] == maximum
    benchmark = load("mine")
    assert benchmark.about == f"mine is a table of trained architectures, {line}; {maximum}"
    assert benchmark.describe()["values"] == "max-of-3" and benchmark.describe()["repeats"] is None


def test_comparisons_say_it_in_table_and_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.arange(0, 91, 5)
    table = small_table(rows=rows)
    declared = replace(table, meta=table.meta | {"values": {"12": "mean-of-3"}})
    declared.save(tmp_path / "t.npz")
    runs = compare(
        benchmark=str(tmp_path / "t.npz"), agents=("random_search",), budget=3, seeds=2, seed=0,
        noise="mean", epochs=None, out=tmp_path, redo=False,
    )  # fmt: skip
    about = load(tmp_path / "t.npz").about
    assert "19 of 91 cells (" in about and about.endswith("each value is the mean of 3 trainings")
    assert about in tables.text(runs)
    assert foot(measure(runs)).startswith(about)


def test_cells_with_a_value_count_in_nas_bench_201(tmp_path: Path) -> None:
    full = invented()
    val = np.full_like(full.val, np.nan)
    val[:100] = full.val[:100]
    table = replace(full, val=val, test=val, values=Values("mean", 3))
    benchmark = from_nb201(table)
    measured = np.arange(len(val)) < 100
    found = connectivity(benchmark.space.offsets, benchmark.space.flat, measured)
    assert found.isolated > 50 and f"100 of 15,625 cells ({found}) have a value" in benchmark.about
    assert benchmark.about.endswith("; each value is the mean of 3 trainings")
    table.save(tmp_path / "t.npz")
    facts = dict(family_of(str(tmp_path / "t.npz")).facts(str(tmp_path / "t.npz")))
    assert (
        str(found) in facts["partial"]
        and facts["values"] == "each value is the mean of 3 trainings"
    )
    full.save(tmp_path / "t.npz")
    assert "partial" not in dict(family_of(str(tmp_path / "t.npz")).facts(str(tmp_path / "t.npz")))


def test_values_are_read_and_spoken() -> None:
    for text, values in {
        "single": SINGLE, "mean": Values("mean"), "max-of-3": Values("max", 3)
    }.items():  # fmt: skip
        assert Values.parse(text) == values and str(values) == text
    assert Values("mean").caption == "each value is the mean of several trainings"
    assert by_budget(["mean-of-3", "108=max-of-3"]) == {
        None: Values("mean", 3), 108: Values("max", 3)
    }  # fmt: skip
    for word, says in {
        "median": "found values 'median'; expected single",
        "max-of-1": "found values 'max-of-1'",
        "x=max-of-3": "expected e.g. max-of-3, or 108=max-of-3",
    }.items():
        with pytest.raises(UserError, match=says):
            by_budget([word])
    with pytest.raises(UserError, match="said twice of the same budget"):
        by_budget(["mean", "max"])


def test_values_that_names_contradict_or_budgets_that_are_not_there(tmp_path: Path) -> None:
    digest = graph.hashes(4)[1].tobytes().hex()
    path = write_csv(
        tmp_path / "t.csv", ["module_hash", "mean3_val_4", "val_12"], [[digest, 0.5, 0.6]]
    )
    out = tmp_path / "t.npz"
    ImportCells(path, out, name="t", max_vertices=4).run()
    opened = [load(out, epochs=epochs) for epochs in (4, 12)]
    assert [b.values for b in opened] == ["mean-of-3", ""]
    with pytest.raises(
        UserError, match=r"says max-of-3 at 4 epochs, but t\.csv has a column mean3_val_4"
    ):
        ImportCells(path, out, name="t", max_vertices=4, values=("max-of-3",)).run()
    with pytest.raises(UserError, match="no such budget; expected one of 4, 12"):
        ImportCells(path, out, name="t", max_vertices=4, values=("108=max-of-3",)).run()
    path = write_csv(tmp_path / "u.csv", ["arch", "cifar100_val"], [[cell_text(0), 50]])
    with pytest.raises(UserError, match="no such budget; expected one of 200"):
        import_nb201(path, tmp_path, values=["12=max-of-3"])


def share_outside(space, inside: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Of the neighbours of each row `of`, the share that is not inside."""
    offsets, flat = np.asarray(space.offsets), np.asarray(space.flat)
    return np.array([1 - inside[flat[offsets[i] : offsets[i + 1]]].mean() for i in of])


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_region_is_one_piece_and_what_is_left_out_has_its_neighbours_left_out(share) -> None:
    space = load("nb101-digits").space
    offsets, flat = np.asarray(space.offsets), np.asarray(space.flat)
    count = round(share * space.size)
    shares = []
    for seed in range(3):
        places = region(offsets, flat, count, np.random.default_rng(seed))
        assert len(places) == count and (np.diff(places) > 0).all()
        inside = np.isin(np.arange(space.size), places)
        assert connectivity(offsets, flat, inside).whole
        outside = share_outside(space, inside, np.flatnonzero(~inside))
        assert outside.mean() > 0.6 and (outside > 0.5).mean() > 0.9
        random = np.isin(
            np.arange(space.size),
            np.random.default_rng(seed).choice(space.size, count, replace=False),
        )
        shares.append(outside.mean() - share_outside(space, random, np.flatnonzero(~random)).mean())
    assert min(shares) > 0.05
    assert len({tuple(region(offsets, flat, 9, np.random.default_rng(i))) for i in range(5)}) > 1
    again = [region(offsets, flat, count, np.random.default_rng(7)).tolist() for _ in range(2)]
    assert again[0] == again[1]


def test_a_region_by_hand() -> None:
    """0 -> 1 <- 2 is one piece; from wherever it begins, the two others follow, and no more."""
    some = lists([[1], [], [1], [4], [3], []])
    for seed in range(5):
        assert region(*some, 3, np.random.default_rng(seed)).tolist() == [0, 1, 2]
        assert region(*some, 4, np.random.default_rng(seed)).tolist() == [0, 1, 2]
        assert 1 in region(*some, 2, np.random.default_rng(seed)).tolist()
