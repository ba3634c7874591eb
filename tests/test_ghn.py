"""`rlnas oneshot ghn`: the measures by hand, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REASON = "the extra `retrain` is not installed: no trainings here"
pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.analysis import cli  # noqa: E402
from rlnas.analysis.ghn import measures  # noqa: E402
from rlnas.analysis.ghn.command import Ghn  # noqa: E402
from rlnas.analysis.ghn.data import NETWORKS, Finished  # noqa: E402
from rlnas.analysis.ghn.run import split_of  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.rank import spearman  # noqa: E402
from torch_fixtures import kept, one_thread  # noqa: E402, F401

PREDICTED, SHARED = NETWORKS
WORDS = "oneshot ghn --preset smoke --steps 4 --held 20 --seeds 2 --out"


def test_no_cell_is_held_out_and_trained_on() -> None:
    split = split_of(100, 30, 1)
    assert len(set(split.held)) == 30 and len(split.seen) == 30
    assert sorted([*split.held, *split.trained]) == list(range(100))
    assert set(split.seen) <= set(split.trained)
    assert set(split_of(100, 30, 2).held) != set(split.held)
    with pytest.raises(UserError, match="--held is 51, of 100 cells; expected at most half"):
        split_of(100, 51, 1)


def test_measures_by_hand() -> None:
    rng = np.random.default_rng(0)
    lines = []
    for seed in (1, 2):
        truth = rng.permutation(40) / 40
        for held in (True, False):
            for name in NETWORKS:
                right = name == PREDICTED and held
                scores = truth if right else rng.permutation(40) / 40
                lines.append(
                    pd.DataFrame(
                        {"seed": seed, "network": name, "held": held, "accuracy": scores}
                        | {"loss": np.where(scores == 0, np.nan, 1 - scores)}
                        | {"table_val": truth, "params": (100 * (1 - truth)).astype(int)}
                    )
                )
    frame = pd.concat(lines)
    report = measures.report(Finished({}, frame))
    assert report.of[PREDICTED, True].every.value == pytest.approx(1)
    assert report.of[PREDICTED, True].top.value == pytest.approx(1)
    assert report.of[measures.BY_ACCURACY, True].every.value == pytest.approx(1)
    assert report.of[measures.PARAMETERS, False].every.value == pytest.approx(-1)
    each = [
        float(spearman(one["accuracy"].to_numpy(), one["table_val"].to_numpy()))
        for _, one in frame[frame["held"] & (frame["network"] == SHARED)].groupby("seed")
    ]
    shared = report.of[SHARED, True].every
    assert shared.value == pytest.approx(np.mean(each)) and shared.low < shared.value < shared.high
    assert report.ahead[SHARED].value == pytest.approx(1 - np.mean(each))
    assert report.mean_accuracy[0] == pytest.approx(report.mean_accuracy[1])


@pytest.mark.long
def test_gone_on_with_it_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS.split(), str(tmp_path)]
    with kept():
        assert cli.main(words) == 0
        (folder,) = tmp_path.glob("ghn-*")
        whole = (folder / "scores.parquet").read_bytes()
        assert not list(folder.glob("*.safetensors"))
        for name in ("shared-1.json", "predicted-2.json", "scores.parquet", "manifest.json"):
            (folder / name).unlink()
        assert cli.main(words) == 0
    assert (folder / "scores.parquet").read_bytes() == whole
    capsys.readouterr()
    assert cli.main(["report", str(folder)]) == 0
    assert "20 of them never trained on; 2 seeds" in capsys.readouterr().out
    (folder / "scores.parquet").write_bytes(whole[:-9])
    assert cli.main(["report", str(folder)]) == 2
    assert "scores.parquet is missing or damaged" in capsys.readouterr().err


def test_presets() -> None:
    assert Ghn.for_options([]) == Ghn()
    smoke = Ghn.for_options(["--preset", "smoke", "--held", "25"])
    assert (smoke.preset, smoke.held, smoke.seeds) == ("smoke", 30, 1)
