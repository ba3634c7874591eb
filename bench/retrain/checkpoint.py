"""A training under way as one `.safetensors` file: tensors, and all else as JSON in its header.
Never pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rlnas.bench.files import atomic_path


def save(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Written whole or not at all: a kill leaves the file of the epoch before."""
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"about": json.dumps(about)})


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """What `save` wrote; None when there is no such file, or nothing that can be used."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(  # noqa: SIM118
                file.metadata()["about"]
            )
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError):
        return None
