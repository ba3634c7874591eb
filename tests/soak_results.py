"""What a command of `make soak` left, but for times."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

TIMES = (
    "created", "seconds", "wall_seconds", "peak_mb", "speed", "sessions", "session", "digest",
    "arrays", "images_a_second", "images_per_second", "history_sha256", "results_sha256", "sha256",
    "plain_peak_mb", "ours_peak_mb",
)  # fmt: skip
"""Fields of JSON and arrays that tell how long something took, or are digests of such files."""
SKIPPED = (".png", ".svg", ".txt", ".md", ".sha256")
"""Drawn from the others, with times in captions, and digests of such: they must be there."""
TIMED = ("second", "peak")
"""What names of columns with times hold."""


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(x) for key, x in value.items() if key not in TIMES}
    return [without_times(x) for x in value] if isinstance(value, list) else value


def fingerprint(path: Path) -> str:
    """Of a file's contents, but for times."""
    if path.suffix in SKIPPED:
        return "there" if path.stat().st_size else "empty"
    if path.suffix == ".json":
        return json.dumps(without_times(json.loads(path.read_text())), sort_keys=True)
    if path.suffix == ".jsonl":
        lines = path.read_text().splitlines()
        # Two at once may both have recorded a piece.
        return "\n".join(sorted({json.dumps(without_times(json.loads(x))) for x in lines}))
    if path.suffix in (".csv", ".parquet"):
        import pandas as pd

        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        kept = [name for name in frame if not any(time in name for time in TIMED)]
        return frame[kept].to_csv(index=False)
    if path.suffix == ".npz":
        with np.load(io.BytesIO(path.read_bytes())) as file:
            arrays = {name: file[name] for name in sorted(file.files) if name not in TIMES}
        if "meta" in arrays:
            meta = without_times(json.loads(str(arrays["meta"])))
            arrays["meta"] = np.array(json.dumps(meta, sort_keys=True))
        digest = hashlib.sha256()
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def results(folder: Path, patterns: Sequence[str]) -> dict[str, str]:
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    return {
        str(path.relative_to(folder)): fingerprint(path)
        for path in paths
        if path.is_file() and not path.name.startswith(".")
    }


def difference(expected: dict[str, str], found: dict[str, str]) -> str:
    """What is not as it is in the undisturbed run; "" where all is."""
    missing = [name for name in expected if name not in found]
    more = [name for name in found if name not in expected]
    other = [name for name in expected if name in found and expected[name] != found[name]]
    said = [("missing", missing), ("more", more), ("other contents", other)]
    return "; ".join(f"{what}: {', '.join(names[:4])}" for what, names in said if names)
