"""What a folder is that a command has written, by its name; folders that are left out. Light."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rlnas.bench.files import quoted

REPORTED = {
    "train": "trainings",
    "ablate": "ablations",
    "landscape": "landscapes",
    "scale": "the figure of `rlnas scale`",
    "retrain": "retrainings",
    "oneshot": "one-shot studies",
    "enas": "searches with shared weights",
    "ghn": "studies of predicted weights",
    "morph": "studies of inherited weights",
    "compress": "compressions",
    "maskconnect": "studies of learned inputs",
    "probe": "probes",
    "fronts": "fronts",
    "fidelity": "studies of fidelities",
    "seconds": "comparisons by seconds",
    "fidelities": "comparisons by queries at any fidelity",
    "predict": "measurements of predictors",
}
"""What is no comparison, and what many of it are called."""
DRAWN_BY = {
    "fronts": "compare --objectives",
    "seconds": "compare --seconds",
    "fidelities": "compare --any-fidelity",
    "fidelity": "fidelity",
}
"""Which command draws a folder again where `rlnas plot` does not."""
PARTS = {
    "trainings": "what `rlnas retrain` has trained; its folders retrain-... say what came of it",
    "timed": "runs that may ask any fidelity; their folders seconds-..., fidelities-... and "
    "fidelity-... say what came of them",
    "predictions": "what `rlnas predict` has measured; its folders predict-... say what came of it",
    "proxies": "what `rlnas bench proxies` has computed; its file says what came of it",
    "tabulate": "what `rlnas bench tabulate` has trained; its table says what came of it",
}


def kind_of(folder: Path) -> str:
    """The word that its name begins with."""
    return folder.name.partition("-")[0]


class Left(NamedTuple):
    """A folder that is left out, and why."""

    folder: Path
    why: str


def tell(left: Sequence[Left]) -> None:
    """On stderr: what is left, a line a reason."""
    for why in dict.fromkeys(entry.why for entry in left):
        folders = " ".join(quoted(entry.folder) for entry in left if entry.why == why)
        print(f"rlnas: left out: {folders} ({why})", file=sys.stderr)
