"""Which architectures `rlnas retrain` chooses, and what its options say."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nb201_tables
from rlnas import bench
from rlnas.analysis import cli, store
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.retrain import select
from rlnas.analysis.retrain.command import Retrain
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.recipe import NB101
from rlnas.bench.nb201.recipe import NB201, TNB101
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.nb301.network import DartsNetwork
from rlnas.bench.nb301.recipe import NB301
from rlnas.bench.retrain.presets import DIGITS, QUICK

CELL = "110101 input,maxpool3x3,conv3x3-bn-relu,output"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[store.Run]:
    """On the embedded table: 2 agents, 3 seeds, 12 queries."""
    agents = ("random_search", "random_walk")
    return compare(agents=agents, budget=12, seeds=3, out=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def digits() -> Any:
    return bench.load("nb101-digits")


def parse(*words: object) -> Retrain:
    return cli.parse("retrain", Retrain, [str(word) for word in words])


def test_the_top_is_the_best_by_validation_over_all_seeds(
    runs: list[store.Run], digits: Any
) -> None:
    seen: dict[int, float] = {}
    for run in runs:
        for arch, val in zip(np.ravel(run.history.arch), np.ravel(run.history.val), strict=True):
            seen[int(arch)] = max(float(val), seen.get(int(arch), 0.0))
    wanted = sorted(seen, key=lambda arch: (-seen[arch], arch))[:6]
    chosen = select.choose(digits, runs, top=6)
    assert [c.arch for c in chosen] == [digits.space.format(arch) for arch in wanted]
    for c, arch in zip(chosen, wanted, strict=True):
        assert c.groups == ("top",)
        assert c.table_val == pytest.approx(float(digits.mean_val[arch]))
        assert c.table_test == pytest.approx(float(digits.mean_test[arch]))


def test_controls_are_others_than_the_top(runs: list[store.Run], digits: Any) -> None:
    chosen = select.choose(digits, runs, top=4, random=30, seed=1)
    assert (
        len({c.arch for c in chosen}) == 34 and [c.groups for c in chosen[4:]] == [("random",)] * 30
    )
    assert select.choose(digits, runs, top=4, random=30, seed=1) == chosen
    assert select.choose(digits, runs, top=4, random=30, seed=2)[4:] != chosen[4:]
    small = digits.restrict(np.arange(7))
    assert len(select.draw(small, 5, {small.space.format(i) for i in (0, 1)}, 0)) == 5
    with pytest.raises(UserError, match="--random 6, but the space gave only 5"):
        select.draw(small, 6, {small.space.format(i) for i in (0, 1)}, 0)


def test_the_worst_and_the_named(runs: list[store.Run], digits: Any) -> None:
    archs, seen = select.looked_up(runs)
    table = np.asarray(digits.mean_val)[archs]
    worst = digits.space.format(int(archs[table.argmin()]))
    best = digits.space.format(int(archs[seen.argmax()]))
    chosen = select.choose(digits, runs, top=1, worst=2, texts=[worst, best, best, CELL])
    groups = {c.arch: c.groups for c in chosen}
    assert (
        groups[worst] == ("worst", "named")
        and groups[best] == ("top", "named")
        and groups[CELL] == ("named",)
    )
    assert len(chosen) == len(groups) == 4
    # Another form of the same cell is the same architecture.
    other = "111011 input,conv3x3-bn-relu,maxpool3x3,output"
    same = "111101 input,maxpool3x3,conv3x3-bn-relu,output"
    assert (
        len(
            select.choose(digits, [], texts=[other, digits.space.format(digits.space.parse(other))])
        )
        == 1
    )
    assert digits.space.format(digits.space.parse(same)) == same


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Surrogate:
    """Of the DARTS space, without test accuracies."""

    space: DartsSpace
    name = "nb301-mine"
    family = "nb301"

    def query(self, arch: Any, key: Any) -> QueryResult:
        value = arch.astype("float32").sum() / 200
        return QueryResult(value, value * np.nan, value, value >= 0)


def test_surrogates_have_no_test_accuracy_and_make_genotypes() -> None:
    space = DartsSpace()
    arch = np.asarray(space.sample(jax.random.key(0)))
    chosen = select.choose(Surrogate(space), [], random=3, texts=[space.format(arch)])
    assert len(chosen) == 4
    assert all(math.isnan(c.table_test) and 0 < c.table_val < 1 for c in chosen)
    assert isinstance(select.model_of(Surrogate(space), chosen[0].arch), DartsNetwork)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--top", "3"], "--top and --worst choose from finished runs, but none is given"),
        ([], "no architecture is chosen"),
        (["--cells", "110 input"], "--cells '110 input'"),
        (["--csv", "none.csv"], "--csv none.csv: no such file"),
        (["--random", "-1"], "--random is -1; expected at least 0"),
        (["--seeds", "0"], "--seeds is 0; expected at least 1"),
        (["--random", "1", "--dataset", "letters"], "unknown data set 'letters'"),
        (
            ["--random", "1", "--dataset", "digits", "--epochs", "0"],
            "--epochs 0; expected at least 1",
        ),
        (
            ["--random", "1", "--dataset", "digits", "--device", "tpu"],
            "--device tpu; expected auto, cpu or cuda",
        ),
        (["nowhere"], "no folder nowhere"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        parse(*words).run()
    assert reason in str(raised.value) and "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_more_than_the_runs_have(runs: list[store.Run], digits: Any) -> None:
    with pytest.raises(UserError, match=r"--top 9999, but the runs looked up \d+ architectures"):
        select.choose(digits, runs, top=9999)


def test_runs_on_another_table_are_told(runs: list[store.Run]) -> None:
    facts = runs[0].manifest["benchmark"]
    other = [
        replace(run, manifest=run.manifest | {"benchmark": facts | {"sha256": "ab" * 32}})
        for run in runs
    ]
    _, notes = select.ground(other, None, None)
    assert len(notes) == 1 and "with sha256 abababababab, the one here has" in notes[0]
    assert select.ground(runs, None, None)[1] == []
    mixed = [
        runs[0],
        replace(runs[1], manifest=runs[1].manifest | {"benchmark": facts | {"epochs": 5}}),
    ]
    with pytest.raises(UserError, match="cannot be taken together: epochs is 20"):
        select.ground(mixed, None, None)


def test_architectures_from_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'name,arch\nx,"{CELL}"\n')
    assert select.from_csv(path) == [CELL]
    path.write_text("name\nx\n")
    with pytest.raises(UserError, match="has columns name; expected `arch`"):
        select.from_csv(path)


def test_the_preset_follows_what_is_trained(tmp_path: Path) -> None:
    assert parse().settings == NB101 and parse().preset == "nb101"
    assert parse("--dataset", "digits").settings == DIGITS
    assert parse("--preset=quick", "--epochs", "2").settings == replace(QUICK, epochs=2)
    (tmp_path / "summary.json").write_text(json.dumps({"benchmark": {"name": "nb301-yahpo"}}))
    assert parse(tmp_path, "--batch-size", "5").settings == replace(NB301, batch_size=5)
    assert parse("--benchmark", "nb201-cifar100").settings == NB201
    assert parse("--benchmark", "tnb101-normal").settings == TNB101
    nb201_tables.invented("tnb101-jigsaw").save(tmp_path / "mine.npz")
    assert parse("--benchmark", str(tmp_path / "mine.npz")).preset == "tnb101"
    with pytest.raises(UserError, match=r"--preset"):
        parse("--preset", "none")
