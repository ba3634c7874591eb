"""A training under way as one `.safetensors` file: tensors, and all else as JSON in its header.
Never pickle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from rlnas.bench.checks import Each, Fields, Number, Rule, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.tensors import read_tensors, save_tensors

HINT = "it is trained again"
ANYTHING = Fields()
OF_A_JOB = Fields(
    {
        "arch": Text(),
        "seed": Whole(),
        "threads": Whole(),
        "measured": Each(Fields({"epoch": Whole(1)}, others=Number())),
        "fit": Fields({"groups": Each(Fields()), "optimiser": Fields(), "curve": Each(Fields())}),
    }
)


def save(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Written whole or not at all: a kill leaves the file of the epoch before."""
    save_tensors(path, tensors, about, bytes_of)


def load(
    path: Path, rules: Rule = ANYTHING
) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """What `save` wrote; None when there is no such file, or, said on stderr, one that is not what
    was written, or not as the rules say."""
    if not path.exists():
        return None
    try:
        tensors, about = read_tensors(path, tensors_of, HINT)
        return tensors, check(about, rules, path, HINT)
    except UserError as error:
        print(f"rlnas: {error}", file=sys.stderr)
        return None
