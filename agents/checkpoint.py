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
from rlnas.bench.arguments import shown
from rlnas.bench.checks import Fields, Flag, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.reading import (
    DIGEST,
    UNREADABLE,
    check_seal,
    content,
    parse_json,
    reason,
    write_json,
)

FORMAT, VERSION = "rlnas-checkpoint", 2
READ = (1, 2)
"""Version 1, of older rlnas, is read too; its JSON has no digest."""
WEIGHTS, FACTS = "best.safetensors", "checkpoint.json"
SEEN = "seen_rows"
MOST_WEIGHTS = 1 << 32
OF_THE_FILE = ("format", "version", "agent", "settings", "sha256", DIGEST)
HOW = "train it again"
RULES = Fields(
    {
        "agent": Text(),
        "settings": Fields(),
        "sha256": Text(),
        "benchmark": Fields(
            {"name": Text(), "epochs": Whole(null=True), "noise": Text()}, {"family": Text()}
        ),
        "lookups": Whole(),
        "distinct": Whole(null=True),
    },
    {
        "shown": Text(),
        "step": Whole(),
        "lookups_to_checkpoint": Whole(),
        "validation": Number(null=True),
        "same_queries": Number(0, 1, null=True),
        "invented": Flag(),
    },
)


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
        """Write both files; the JSON, which names the weights' sha256, last. `UserError` where the
        weights are no numbers."""
        tensors = {
            key: np.ascontiguousarray(x) for key, x in flatten_dict(self.params, sep="/").items()
        }
        if not all(np.isfinite(x).all() for x in tensors.values()):
            raise UserError(
                f"the weights of {self.agent} are no numbers any more, so the training diverged; "
                "choose a smaller learning rate"
            )
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
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read and check a checkpoint, or give the one that was made of the same bytes before.
        `UserError` when there is none, its files do not belong together, or it is of another
        version or an agent that is not installed."""
        try:
            text = content(folder / FACTS, "expected one of `rlnas train`")
            weights = content(folder / WEIGHTS, "expected one of `rlnas train`", MOST_WEIGHTS)
        except UserError as error:
            raise UserError(f"no checkpoint in {folder} ({error})") from None
        digest = hashlib.sha256(weights).hexdigest()
        known = _loaded.get((text, digest))
        if known is None or type(known.settings) is not learner_class(known.agent):
            known = _loaded[text, digest] = _parsed(folder, text, weights, digest)
        return known


_loaded: dict[tuple[bytes, str], Checkpoint] = {}


def _parsed(folder: Path, text: bytes, weights: bytes, digest: str) -> Checkpoint:
    """The checkpoint in `folder`, of the contents of its files. digest: the weights' sha256."""
    path = folder / FACTS
    facts = check_seal(parse_json(text, path, HOW), path, HOW, required=False)
    found = f"{shown(facts.get('format'))} version {shown(facts.get('version'))}"
    if facts.get("format") != FORMAT or facts.get("version") not in READ:
        raise UserError(
            f"the checkpoint in {folder} is {found}, expected {FORMAT!r} version {VERSION}; {HOW}"
        )
    check_seal(facts, path, HOW, required=facts["version"] > 1)
    check(facts, RULES, path, HOW)
    if facts["sha256"] != digest:
        raise UserError(f"the weights in {folder} are not those its {FACTS} speaks of; {HOW}")
    tensors = tensors_of(weights, folder / WEIGHTS)
    try:
        settings = settings_of(learner_class(facts["agent"]), facts["settings"])
    except UNREADABLE as error:
        raise UserError(
            f"the settings in {path} cannot be used here ({reason(error)}); expected those "
            "of an agent that is installed, in its version"
        ) from None
    seen = tensors.pop(SEEN, None)
    if seen is not None and (seen.dtype != np.int32 or seen.ndim != 1 or (seen < 0).any()):
        raise UserError(f"{folder / WEIGHTS} is damaged ({SEEN} are no numbers of rows); {HOW}")
    rest = {key: value for key, value in facts.items() if key not in OF_THE_FILE}
    with jax.ensure_compile_time_eval():  # it is kept, so nothing of a trace may be in it
        params = jax.tree.map(jnp.asarray, unflatten_dict(tensors, sep="/"))
    decisive = json.dumps([facts["agent"], facts["settings"], digest], sort_keys=True)
    whole = hashlib.sha256(decisive.encode()).hexdigest()
    return Checkpoint(facts["agent"], settings, params, rest, seen, whole)


def tensors_of(data: bytes, path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, all finite."""
    try:
        tensors: dict[str, np.ndarray] = dict(load(data))
    except (SafetensorError, *UNREADABLE) as error:
        raise UserError(f"{path} is damaged ({reason(error)}); {HOW}") from None
    for name, array in tensors.items():
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise UserError(f"{path} is damaged ({name[:40]} holds what is no number); {HOW}")
    return tensors


def settings_of(cls: type[Any], fields: dict[str, Any]) -> Any:
    """The settings of `dataclasses.asdict`, once through JSON. Raises `TypeError` for one of
    another type."""
    hints = get_type_hints(cls)
    plain: dict[Any, tuple[type, ...]] = {
        bool: (bool,), int: (int,), float: (int, float), str: (str,)
    }  # fmt: skip

    def value(name: str, found: Any) -> Any:
        hint = hints.get(name)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return settings_of(hint, found)
        if hint in plain and type(found) not in plain[hint]:
            expected = plain[hint][-1].__name__
            raise TypeError(f"{name} is {shown(found)}, expected {expected}")
        return tuple(found) if get_origin(hint) is tuple else found

    return cls(**{name: value(name, found) for name, found in fields.items()})
