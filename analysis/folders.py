"""What a folder is that a command has written, by its name. Light."""

from __future__ import annotations

from pathlib import Path

REPORTED = {
    "train": "trainings",
    "ablate": "ablations",
    "landscape": "landscapes",
    "scale": "the figure of `rlnas scale`",
    "retrain": "retrainings",
    "oneshot": "one-shot studies",
}
"""What is no comparison, and what many of it are called."""
PARTS = {
    "trainings": "what `rlnas retrain` has trained; its folders retrain-... say what came of it",
    "tabulate": "what `rlnas bench tabulate` has trained; its table says what came of it",
}


def kind_of(folder: Path) -> str:
    """The word that its name begins with."""
    return folder.name.partition("-")[0]
