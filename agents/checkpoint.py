"""A trained agent on disk: safetensors for the numbers, JSON for what they are."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from rlnas.agents.learner import Learner, learner_class
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256

FORMAT, VERSION = "rlnas-checkpoint", 1
WEIGHTS, FACTS = "best.safetensors", "checkpoint.json"
SEEN = "seen_rows"
OF_THE_FILE = ("format", "version", "agent", "settings", "sha256")


@dataclass(frozen=True)
class Checkpoint:
    """agent: as registered. settings: how it was trained. params: what its `score` takes, a dict of
    arrays. facts: JSON-ready; `benchmark` (its `describe()`), `shown`, `lookups` (of the whole
    training), `lookups_to_checkpoint`, `distinct`, `step`, `validation`, and once it is done
    `same_queries` (share of queries that inverted answers leave as they are). seen: int32, the
    numbers of what was looked up in training (NAS-Bench-101: canonical rows), or None where that is
    not remembered. sha256: of all that decides its searches, weights and settings."""

    agent: str
    settings: Learner
    params: Any
    facts: dict[str, Any]
    seen: np.ndarray | None
    sha256: str = ""

    @property
    def pretraining(self) -> dict[str, Any]:
        """For tables and legends: on what it was trained, with how many look-ups; and what all
        trainings share that differ by their seeds only."""
        b = self.facts["benchmark"]
        on = f"{b['name']} ({b['epochs']} epochs, {b['noise']}{self.facts.get('shown', '')})"
        if self.facts.get("invented"):
            on = "invented tables"
        return {
            "lookups": self.facts["lookups"],
            "same_queries": self.facts.get("same_queries"),
            "distinct": self.facts["distinct"],
            "trained_on": on,
            "training": {
                "settings": dataclasses.asdict(self.settings),  # type: ignore[call-overload]
                "benchmark": b,
                "shown": self.facts.get("shown", ""),
            },
        }

    def save(self, folder: Path) -> None:
        """Write both files; the JSON, which names the weights' sha256, last."""
        tensors = {
            key: np.ascontiguousarray(x) for key, x in flatten_dict(self.params, sep="/").items()
        }
        if self.seen is not None:
            tensors[SEEN] = self.seen.astype(np.int32)
        with atomic_path(folder / WEIGHTS) as path:
            save_file(tensors, path)
            digest = sha256(path)
        facts = {
            "format": FORMAT,
            "version": VERSION,
            "agent": self.agent,
            "settings": dataclasses.asdict(self.settings),  # type: ignore[call-overload]
            **self.facts,
        }
        facts["sha256"] = digest
        with atomic_path(folder / FACTS) as path:
            path.write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read and check a checkpoint, or give the one that was made of the same bytes before.
        `UserError` when there is none, its files do not belong together, or it is of another
        version or an agent that is not installed."""
        try:
            text, weights = (folder / FACTS).read_bytes(), (folder / WEIGHTS).read_bytes()
        except FileNotFoundError as error:
            raise UserError(
                f"no checkpoint in {folder} ({Path(error.filename).name} is missing); expected "
                "one of `rlnas train`"
            ) from None
        digest = hashlib.sha256(weights).hexdigest()
        known = _loaded.get((text, digest))
        if known is None or type(known.settings) is not learner_class(known.agent):
            known = _loaded[text, digest] = _parsed(folder, text, weights, digest)
        return known


_loaded: dict[tuple[bytes, str], Checkpoint] = {}


def _parsed(folder: Path, text: bytes, weights: bytes, digest: str) -> Checkpoint:
    """The checkpoint in `folder`, of the contents of its files. digest: the weights' sha256."""
    try:
        facts = json.loads(text)
        tensors = load(weights)
    except (json.JSONDecodeError, SafetensorError, UnicodeDecodeError) as error:
        raise UserError(
            f"the checkpoint in {folder} is damaged ({error}); train it again"
        ) from None
    found = f"{facts.get('format')} version {facts.get('version')}"
    if found != f"{FORMAT} version {VERSION}":
        raise UserError(
            f"the checkpoint in {folder} is {found}, expected {FORMAT} version {VERSION}; "
            "train it again"
        )
    if facts.get("sha256") != digest:
        raise UserError(f"the weights in {folder} are not those its {FACTS} speaks of; train again")
    try:
        settings = settings_of(learner_class(facts["agent"]), facts["settings"])
    except (UserError, KeyError, TypeError) as error:
        raise UserError(
            f"the settings in {folder / FACTS} cannot be used here ({error}); expected those "
            "of an agent that is installed, in its version"
        ) from None
    seen = tensors.pop(SEEN, None)
    rest = {key: value for key, value in facts.items() if key not in OF_THE_FILE}
    with jax.ensure_compile_time_eval():  # it is kept, so nothing of a trace may be in it
        params = jax.tree.map(jnp.asarray, unflatten_dict(tensors, sep="/"))
    decisive = json.dumps([facts["agent"], facts["settings"], digest], sort_keys=True)
    whole = hashlib.sha256(decisive.encode()).hexdigest()
    return Checkpoint(facts["agent"], settings, params, rest, seen, whole)


def settings_of(cls: type[Any], fields: dict[str, Any]) -> Any:
    """The settings of `dataclasses.asdict`, once through JSON."""
    hints = get_type_hints(cls)

    def value(name: str, found: Any) -> Any:
        hint = hints.get(name)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return settings_of(hint, found)
        return tuple(found) if get_origin(hint) is tuple else found

    return cls(**{name: value(name, found) for name, found in fields.items()})
