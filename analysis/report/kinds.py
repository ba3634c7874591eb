"""What kind of folder it is, and who reports it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rlnas.analysis import store
from rlnas.analysis.comparison.runs import SUMMARY, collect
from rlnas.analysis.comparison.write import write
from rlnas.analysis.retrain.data import is_retraining
from rlnas.analysis.retrain.write import write as write_retraining
from rlnas.analysis.text import REPORT, places
from rlnas.analysis.training.data import CURVE
from rlnas.analysis.training.text import summary
from rlnas.bench.errors import UserError


def report(folders: Sequence[Path], out: Path) -> None:
    """Retrainings and comparisons one by one, drawn again into their own folders; what a training
    came to; the kept report of any other; run folders together, into `out`. `UserError` for a
    folder of no kind."""
    if not folders:
        raise UserError("no folders given; expected a folder that some command has written")
    single: list[Path] = []
    for folder in folders:
        if is_retraining(folder):
            write_retraining(folder)
        elif is_comparison(folder):
            write(collect([folder]), folder)
        elif (folder / CURVE).is_file():
            print(summary(folder))
        elif (folder / REPORT).is_file():
            said = (folder / REPORT).read_text(encoding="utf-8")
            print(f"{said}\n{places({'folder': folder})}")
        elif store.is_done(folder):
            single.append(folder)
        else:
            raise UserError(
                f"{folder} is no finished run, comparison, training, ablation, landscape, "
                "retraining or one-shot study; expected the folder of one"
            )
    if single:
        write(collect(single), out)


def is_comparison(folder: Path) -> bool:
    """Whether a comparison, or something damaged that may have been one, lies there."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except OSError:
        return False
    except ValueError:
        return not (folder / REPORT).is_file()
    return isinstance(summary, dict) and summary.get("format", "rlnas-comparison").endswith(
        "-comparison"
    )
