"""Commands in tasks that any machine can do, done here one after another: the same numbers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas.analysis.comparison import blocks
from rlnas.analysis.comparison.command import Compare
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor, check_same
from rlnas.bench.nb301 import distill
from rlnas.bench.plugins import PluginError
from surrogates import invented_benchmark
from tables import small_table
from worker_tasks import act, run_here

ON_RAY = Executor("ray")


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of tasks as they are done; each is sent as to another machine."""
    names: list[str] = []

    def run_all(
        self: Executor, function: Callable[..., Any], tasks: list[Any], workers: Any, *told: Any
    ) -> None:
        sent = [pickle.loads(pickle.dumps(task)) for task in tasks]
        names.extend(map(str, sent))
        run_here(pickle.loads(pickle.dumps(function)), sent, 1, *told)

    ours = Executor.run_all
    monkeypatch.setattr(
        Executor,
        "run_all",
        lambda self, *a, **k: ours(self, *a, **k) if self == LOCAL else run_all(self, *a),
    )
    monkeypatch.setattr(Executor, "opened", lambda *given: nullcontext())
    monkeypatch.setattr(Executor, "check", lambda self: None)
    return names


def histories(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("history.npz")}


@pytest.mark.long
def test_a_comparison(table: Path, tmp_path: Path, done: list[str]) -> None:
    """Of two benchmarks; with blocks of whole and of half length."""
    small_table(3).save(tmp_path / "other.npz")
    config = Compare(
        benchmark=(str(table), str(tmp_path / "other.npz")),
        agents=("random_search", "evolution:population=4,tournament=2"),
        reward="monas:objective=params", budget=6, seeds=15, out=tmp_path / "here",
    )  # fmt: skip
    config.run()
    assert not done
    replace(config, out=tmp_path / "there", where=ON_RAY).run()
    assert len(done) == 8 and done[1] == f"random_search on {table}, seeds from 10"
    here = histories(tmp_path / "here")
    assert len(here) == 4 and here == histories(tmp_path / "there")


@pytest.mark.long
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"seconds": 900.0}, "seeds from 50"),
        ({"any_fidelity": True}, "seeds from 50"),
        ({"objectives": ("accuracy", "params")}, "seeds from 10"),
    ],
    ids=["seconds", "any-fidelity", "objectives"],
)
def test_comparisons_with_more_than_accuracy(
    given: dict[str, Any], named: str, table: Path, tmp_path: Path, done: list[str]
) -> None:
    """Of half-length last blocks, too. An agent outside JAX stays here."""
    outside = ("bridge:outside_searchers:Draws:workers=0",) if "objectives" not in given else ()
    config = Compare(
        (str(table),), ("random_search", "evolution:population=4,tournament=2", *outside),
        budget=6, seeds=12 if "objectives" in given else 55, out=tmp_path / "here", **given,
    )  # fmt: skip
    config.run()
    assert not done
    replace(config, out=tmp_path / "there", where=ON_RAY).run()
    assert len(done) == 4 and done[1] == f"random_search on {table}, {named}"
    here = histories(tmp_path / "here")
    assert len(here) == 2 + len(outside) and here == histories(tmp_path / "there")


def test_another_table_of_that_name_is_refused(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = blocks.opened(blocks.Source(str(table), epochs=4))
    monkeypatch.setattr(blocks, "opened", lambda source: other)
    config = Compare((str(table),), ("random_search",), budget=6, seeds=2, out=tmp_path,
                     where=ON_RAY)  # fmt: skip
    with pytest.raises(PluginError, match=r"1 of 1 tasks failed, first random_search on .*: "):
        config.run()


def test_what_differs_is_named() -> None:
    check_same("x", {"a": 1}, {"a": 1})
    with pytest.raises(UserError, match=r"settings of JAX on \S+ has platform 'gpu', expected 'c"):
        check_same("settings of JAX", {"platform": "gpu"}, {"platform": "cpu"})
    with pytest.raises(UserError, match="has b None, expected 2"):
        check_same("x", {"a": 1}, {"a": 1, "b": 2})


def test_labels_of_a_surrogate(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    monkeypatch.setattr(distill, "CHUNK", 8)
    monkeypatch.setattr(distill, "_loaded", lambda name: invented_benchmark())
    benchmark = invented_benchmark()
    archs = np.random.default_rng(0).integers(0, 2, (20, 22)).astype(np.int8)
    counted: list[int] = []
    here = distill.label(benchmark, archs, counted.append)
    there = distill.label(benchmark, archs, counted.append, ON_RAY)
    assert counted == [8, 8, 4] * 2 and done[2] == "4 labels of nb301-invented"
    for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(np.unique(here.values[:, 0])) > 10
    monkeypatch.setattr(distill, "_loaded", lambda name: invented_benchmark(noise="sample"))
    with pytest.raises(UserError, match="architectures could not be labelled: nb301-invented on"):
        distill.label(benchmark, archs, counted.append, ON_RAY)


@pytest.mark.long
def test_supernets(tmp_path: Path, done: list[str]) -> None:
    pytest.importorskip("torch", reason="the extra `retrain` is not installed")
    pytest.importorskip("nasbench_pytorch", reason="the extra `retrain` is not installed")
    from rlnas.analysis.oneshot.command import OneShot
    from rlnas.analysis.oneshot.data import ground_of
    from rlnas.analysis.oneshot.train import train_and_score
    from torch_fixtures import kept

    config = OneShot(preset="smoke", max_vertices=4, epochs=1, steps=4, seeds=2)
    ground = ground_of(config.benchmark, config.dataset, 4)
    cells, about = len(ground.truth.cells), ground.facts
    with kept():
        here = train_and_score(config, cells, tmp_path / "here", about)
        assert not done
        ray = replace(config, where=ON_RAY)
        there = train_and_score(ray, cells, tmp_path / "there", about)
    assert done == ["supernet of seed 1", "supernet of seed 2"]
    for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a.accuracy, b.accuracy)
        np.testing.assert_array_equal(a.loss, b.loss)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_in_this_process_what_a_task_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="two"):
        LOCAL.run_all(act, ["a", "raise"], 0, lambda *told: None, lambda *ended: None)
