"""What kind of folder it is, and who reports it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlnas.analysis import store
from rlnas.analysis.comparison.plot import plot
from rlnas.analysis.comparison.runs import SUMMARY, collect, is_of_several, reference_in
from rlnas.analysis.comparison.several.write import write as write_several
from rlnas.analysis.comparison.write import write
from rlnas.analysis.compress.data import STUDY as COMPRESSION
from rlnas.analysis.compress.write import write as write_compression
from rlnas.analysis.folders import PARTS, REPORTED, Left, kind_of, tell
from rlnas.analysis.ghn.data import STUDY as GHN
from rlnas.analysis.ghn.write import write as write_ghn
from rlnas.analysis.maskconnect.data import STUDY as MASKCONNECT
from rlnas.analysis.maskconnect.write import write as write_maskconnect
from rlnas.analysis.morph.data import STUDY as MORPH
from rlnas.analysis.morph.write import write as write_morph
from rlnas.analysis.oneshot.write import ENAS, ONESHOT, write_enas
from rlnas.analysis.oneshot.write import write as write_oneshot
from rlnas.analysis.retrain.data import is_retraining
from rlnas.analysis.retrain.write import write as write_retraining
from rlnas.analysis.text import REPORT, kept, places
from rlnas.analysis.training.data import CURVE
from rlnas.analysis.training.text import summary
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.reading import read_json
from rlnas.bench.run_names import run_folder

STUDIES = (
    (COMPRESSION, write_compression),
    (ENAS, write_enas),
    (GHN, write_ghn),
    (MASKCONNECT, write_maskconnect),
    (MORPH, write_morph),
    (ONESHOT, write_oneshot),
)


def report(folders: Sequence[Path], out: Path) -> None:
    """Retrainings and comparisons one by one, drawn again into their own folders; what a training
    came to; the kept report of any other; run folders together, into `out`. What has none is told
    on stderr; `UserError` when that is all."""
    if not folders:
        raise UserError("no folders given; expected a folder that some command has written")
    runs: list[Path] = []
    left: list[Left] = []
    for folder in map(run_folder, folders):
        try:
            if not reported(folder):
                runs.append(folder)
            elif len(folders) > 1:
                print()
        except UserError as error:
            left.append(Left(folder, str(error)))
    if runs:
        plot(runs, out)
    if len(left) == len(folders) == 1:
        raise UserError(left[0].why)
    tell(left)
    if len(left) == len(folders):
        raise UserError(f"nothing to report in {len(folders)} folders")


def reported(folder: Path) -> bool:
    """Report a folder; False where it is a run, which stands beside others. `UserError` where
    there is nothing to report."""
    if is_retraining(folder):
        write_retraining(folder)
    elif study := next((write for one, write in STUDIES if one.is_finished(folder)), None):
        study(folder)
    elif is_comparison(folder):
        again = write_several if is_of_several(folder) else write
        again(collect([folder]), folder, reference_in(folder))
    elif (folder / CURVE).is_file():
        print(of_a_training(folder))
    elif (folder / REPORT).is_file():
        print(f"{kept(folder)}\n{places({'folder': folder})}")
    elif store.is_done(folder) and kind_of(folder) not in PARTS:
        return False
    else:
        raise UserError(why_not(folder))
    return True


def of_a_training(folder: Path) -> str:
    """What it came to; `UserError` for one of a version that did not write as much."""
    try:
        return summary(folder)
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{quoted(folder)} is a training of another version (no {error}); train again"
        ) from None


def why_not(folder: Path) -> str:
    """Why there is nothing to report."""
    kind = kind_of(folder)
    if not folder.is_dir():
        return f"no folder {quoted(folder)}; expected one that some command has written"
    if kind in REPORTED:
        return f"{REPORTED[kind]} that are not finished; the same command again goes on"
    return PARTS.get(
        kind,
        f"{quoted(folder)} is no finished run, comparison, training, ablation, landscape, "
        "retraining or one-shot study; expected the folder of one",
    )


def is_comparison(folder: Path) -> bool:
    """Whether a comparison, or something damaged that may have been one, lies there."""
    if not (folder / SUMMARY).is_file():
        return False
    try:
        summary = read_json(folder / SUMMARY, seal=None)
    except UserError:
        return not (folder / REPORT).is_file()
    return str(summary.get("format", "rlnas-comparison")).endswith("-comparison")
