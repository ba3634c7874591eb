"""Where policies end: what is measured of a run, and what counts as collapsed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas.agents.protocol import History
from rlnas.analysis import cli
from rlnas.analysis.stability.measures import Trained, at_rate, ends
from rlnas.analysis.stability.text import sentences
from tables import small_table


def history(archs: list[list[int]], vals: list[list[float]]) -> History:
    val, nothing = np.array(vals, np.float32), np.zeros(np.shape(vals), np.float32)
    some = np.ones(val.shape, bool)
    return History(np.array(archs), val, val, nothing, some, some, nothing.astype(np.int32))


def test_a_run_has_collapsed_that_settled_below_random_search() -> None:
    """The end is the last 2 of 20 queries; all runs began alike."""
    runs = history(
        [[1] * 18 + end for end in ([7, 7], [7, 7], [7, 8])],
        [[0.9] * 18 + end for end in ([0.5, 0.5], [0.8, 0.8], [0.4, 0.6])],
    )
    final, collapsed = ends(runs, found=0.7)
    assert final == pytest.approx([0.5, 0.8, 0.5])
    assert collapsed.tolist() == [True, False, False]


def test_the_rate_stands_behind_other_options() -> None:
    assert at_rate("ppo", "lr", 0.001) == "ppo:lr=0.001"
    assert at_rate("reinforce:policy=lstm", "lr", 1e-5) == "reinforce:policy=lstm,lr=1e-05"


def test_two_sentences() -> None:
    def one(agent: str, rate: float, *final: float) -> Trained:
        return Trained(agent, rate, np.array(final), np.array(final) < 0.5)

    found = [one("a", 0.1, 0.4, 0.6), one("a", 0.2, 0.6, 0.8), one("b", 0.1, 0.2, 0.4)]
    assert sentences(found) == [
        "At its best rate, a at 0.2 ends at 70.00 (sd 14.14, lowest 60.00), b at 0.1 ends at 30.00 "
        "(sd 14.14, lowest 20.00).",
        "Over all rates 25% of a's, 100% of b's trainings collapse.",
    ]


@pytest.mark.long
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    small_table(4).save("small.npz")
    words = "--benchmark small.npz --agents reinforce --rates 50 0.1 --budget 40 --trainings 3"
    assert cli.main(["stability", *words.split()]) == 0
    said = capsys.readouterr().out
    assert "what the policy asks in the last 10% of 40 queries, 3 trainings each" in said
    (folder,) = Path("runs").glob("stability-*")
    assert {path.name for path in folder.iterdir()} == {
        "figure.png", "figure.svg", "trainings.csv", "report.txt", "report.sha256",
        "command.toml",
    }  # fmt: skip
    lines = (folder / "trainings.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 3 and lines[1].startswith("reinforce,0.1,0,")
    assert cli.main(["stability", "--rates", "0"]) == 2
    assert "--rates is 0.0; expected above 0" in capsys.readouterr().err
