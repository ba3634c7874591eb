"""From settings to stored runs: kills, edits, and what is there already change no byte."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from rlnas import agents
from rlnas.agents.protocol import History, run_seeds, seed_keys
from rlnas.agents.random_walk import RandomWalk
from rlnas.analysis import store
from rlnas.analysis.comparison import sweep
from rlnas.analysis.comparison.command import Compare
from rlnas.analysis.comparison.table import text
from rlnas.analysis.comparison.write import origin
from surrogates import invented_benchmark
from test_compare import AGENTS, config, runs_of, searched  # noqa: F401

# ruff: noqa: F811


def test_an_edited_agent_is_run_again(
    config: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """What another code found is not told as this one's; a run that is reused is told as such."""
    source = Path(inspect.getsourcefile(RandomWalk)).read_text()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def runs_with(text: str) -> set[str]:
        (tmp_path / "edited.py").write_text(text)
        sys.modules.pop("edited", None)
        dataclasses.replace(config, agents=("edited:RandomWalk",), out=tmp_path / "runs").run()
        return {path.parent.name for path in (tmp_path / "runs").glob("*/history.npz")}

    first = runs_with(source)
    assert " queries in " in (said := capsys.readouterr().out) and "reused" not in said
    assert runs_with(source + "# a comment") == first
    (folder,) = (tmp_path / "runs").glob("*/history.npz")
    created = store.load(folder.parent).manifest["created"]
    made = f"(reused from {created[:10]} {created[11:16]} UTC)"
    assert f"edited:RandomWalk  {made}" in capsys.readouterr().out
    assert len(runs_with(source + "EDITED = True")) == 2
    assert "reused" not in capsys.readouterr().out


def test_blocks_and_kills_change_nothing(
    config: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of two seeds, killed after each, give the bytes of one block."""
    monkeypatch.setattr(sweep, "BLOCK", 2)
    blocks = []
    run_seeds = sweep.run_seeds

    def killed(*args: Any) -> Any:
        if len(blocks) % 2:
            blocks.append("kill")
            raise KeyboardInterrupt
        blocks.append(args[3].shape)
        return run_seeds(*args)

    monkeypatch.setattr(sweep, "run_seeds", killed)
    again = dataclasses.replace(config, out=tmp_path)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            again.run()
    assert len(list(tmp_path.glob("*/part-*"))) == 2
    assert not list(tmp_path.glob("compare-*"))
    runs = searched(again)
    assert blocks.count((2,)) == 6 and len(blocks) == 11  # no block was run twice
    for run, folder in zip(runs, (run.folder for run in runs_of(config)), strict=True):
        assert run.folder.name == folder.name
        assert (run.folder / "history.npz").read_bytes() == (folder / "history.npz").read_bytes()
    assert not list(tmp_path.glob("*/part-*"))


# What is there is taken over


@pytest.fixture(scope="module")
def there(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """Two blocks and a half of a search, run before."""
    out = tmp_path_factory.mktemp("there")
    asked = Compare(benchmark=(str(table),), agents=AGENTS[1:], budget=12, seeds=25, out=out)
    searched(asked)
    return asked


@pytest.mark.parametrize(
    ("seeds", "budget", "kept", "blocks"),
    [
        (40, 12, 20, 2),  # the third block was not full
        (25, 7, 25, 0),
        (40, 7, 20, 2),
        (13, 12, 13, 0),
        (13, 7, 13, 0),
        (25, 13, 0, 3),
    ],
)
def test_more_seeds_and_shorter_budgets_take_what_is_there(
    there: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: int, budget: int,
    kept: int, blocks: int,
) -> None:  # fmt: skip
    """To the bytes of a run that finds nothing there."""
    asked = dataclasses.replace(there, seeds=seeds, budget=budget)
    (alone,) = searched(dataclasses.replace(asked, out=tmp_path))
    calls = []
    monkeypatch.setattr(sweep, "run_seeds", lambda *a: calls.append(a[3].shape) or run_seeds(*a))
    (run,) = searched(asked)
    assert calls == [(sweep.BLOCK,)] * blocks
    assert run.folder.name == alone.folder.name == f"{run.folder.name[:16]}-{budget}x{seeds}"
    whole, other = ((x.folder / store.HISTORY).read_bytes() for x in (run, alone))
    assert whole == other
    said = origin(run)
    assert (f"{kept} of {seeds} seeds reused from 20" in said) == bool(kept)
    assert (f"{(seeds - kept) * budget:,} queries in " in said) == bool(blocks)
    (again,) = searched(asked)
    assert origin(again).startswith("reused from 20")
    (redone,) = searched(dataclasses.replace(asked, redo=True))
    assert redone.manifest["beginning"] is None and len(calls) == blocks + -(-seeds // 10)
    store.forget_parts(run.folder)
    for path in run.folder.iterdir():
        path.unlink()


def test_another_search_or_a_damaged_one_is_not_taken_over(there: Compare, tmp_path: Path) -> None:
    asked = dataclasses.replace(there, budget=7, out=tmp_path)
    for other in ({"seed": 1}, {"noise": "sample"}, {"epochs": 4}, {"agents": AGENTS[:1]}):
        searched(dataclasses.replace(asked, budget=12, **other))
    (damaged,) = searched(dataclasses.replace(asked, budget=9))
    (damaged.folder / store.HISTORY).write_bytes(b"nothing")
    (run,) = searched(asked)
    assert run.manifest["beginning"] is None


def test_a_shorter_search_is_the_beginning_of_a_longer_one() -> None:
    """Up to the rounding of a surrogate's float sums, which XLA may order by the length."""
    settings, keys = agents.config("evolution")(), seed_keys(0, 3)
    short, long = (
        jax.tree.map(np.asarray, run_seeds(settings, invented_benchmark("sample"), n, keys))
        for n in (5, 12)
    )
    for name in History._fields:
        cut = getattr(long, name)[:, :5]
        np.testing.assert_allclose(getattr(short, name), cut, rtol=1e-6, err_msg=name)


def test_what_an_agent_has_to_say_is_kept_and_printed(table: Path, tmp_path: Path) -> None:
    words = ("random_search", "blockqnn:workers=2")
    for _ in range(2):  # made, then reused
        runs = sweep.compare(str(table), words, budget=6, seeds=2, out=tmp_path)
        assert "remarks" not in runs[0].manifest and len(runs[1].manifest["remarks"]) == 1
        assert "blockqnn:workers=2: 2 simulated workers take 0." in text(runs)
