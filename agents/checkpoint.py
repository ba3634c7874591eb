"""A trained agent on disk: safetensors for the numbers, JSON for what they are."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from rlnas.agents.dqn import DQNConfig
from rlnas.agents.networks import NetworkConfig
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256

FORMAT, VERSION = "rlnas-dqn", 1
WEIGHTS, FACTS = "best.safetensors", "checkpoint.json"
SEEN = "seen_rows"


@dataclass(frozen=True)
class Checkpoint:
    """config: how it was trained. params: the network's. facts: JSON-ready; `benchmark` (its
    `describe()`), `protocol`, `lookups`, `distinct`, `step`, `validation`. seen: int32, what was
    looked up in training (NAS-Bench-101: canonical rows), or None where the space is too large to
    remember. sha256: of the weights' file."""

    config: DQNConfig
    params: Any
    facts: dict[str, Any]
    seen: np.ndarray | None
    sha256: str = ""

    @property
    def pretraining(self) -> dict[str, Any]:
        """For tables and legends: on what it was trained, with how many look-ups."""
        b = self.facts["benchmark"]
        on = f"{b['name']} ({b['epochs']} epochs, {b['noise']}{self.facts.get('shown', '')})"
        return {
            "lookups": self.facts["lookups"],
            "distinct": self.facts["distinct"],
            "trained_on": on,
        }

    def save(self, folder: Path) -> None:
        """Write both files; the JSON, which names the weights' sha256, last."""
        from safetensors.numpy import save_file

        tensors = {
            key: np.ascontiguousarray(x) for key, x in flatten_dict(self.params, sep="/").items()
        }
        if self.seen is not None:
            tensors[SEEN] = self.seen.astype(np.int32)
        with atomic_path(folder / WEIGHTS) as path:
            save_file(tensors, path)
        facts = {
            "format": FORMAT,
            "version": VERSION,
            "config": dataclasses.asdict(self.config),
            **self.facts,
        }
        facts["sha256"] = sha256(folder / WEIGHTS)
        with atomic_path(folder / FACTS) as path:
            path.write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read and check a checkpoint; `UserError` when there is none or its files do not belong
        together."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            facts = json.loads((folder / FACTS).read_text())
            digest = sha256(folder / WEIGHTS)
            tensors = load_file(folder / WEIGHTS)
        except FileNotFoundError as error:
            raise UserError(
                f"no checkpoint in {folder} ({Path(error.filename).name} is missing); expected "
                "one of `rlnas train`"
            ) from None
        except (json.JSONDecodeError, SafetensorError, UnicodeDecodeError) as error:
            raise UserError(
                f"the checkpoint in {folder} is damaged ({error}); train it again"
            ) from None
        if (facts.get("format"), facts.get("version")) != (FORMAT, VERSION) or facts.get(
            "sha256"
        ) != digest:
            raise UserError(
                f"the weights in {folder} are not those its {FACTS} speaks of; train again"
            )
        seen = tensors.pop(SEEN, None)
        config = config_from_json(facts["config"])
        rest = {
            key: value
            for key, value in facts.items()
            if key not in ("format", "version", "config", "sha256")
        }
        return cls(config, unflatten_dict(tensors, sep="/"), rest, seen, digest)


def config_from_json(fields: dict[str, Any]) -> DQNConfig:
    """The `DQNConfig` of `dataclasses.asdict`."""
    return DQNConfig(**{**fields, "network": NetworkConfig(**fields["network"])})
