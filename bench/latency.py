"""Our own measurement of latency: how long the network of every architecture of a benchmark takes
to answer on this machine, round after round, so that a busy minute is in one of them only.

A finished measurement is a line of `records.jsonl`, written at once: what was interrupted goes on
where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from rlnas.bench.benchmark import Indexed
from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.columns import column_file
from rlnas.bench.errors import UserError
from rlnas.bench.family import family_of, load
from rlnas.bench.files import quoted, writing
from rlnas.bench.progress import bar
from rlnas.bench.rank import spearman
from rlnas.bench.reading import check_seal, content, parse_json, read_json, sealed, write_json
from rlnas.bench.retrain.engine import Engine

RECORDS, MANIFEST = "records.jsonl", "manifest.json"
FORMAT, VERSION = "rlnas-latency", 1
HINT = "choose another --folder"
MOST_BYTES = 1 << 30


def column_names(batches: Sequence[int]) -> list[str]:
    """`latency_ms` of single images, `latency_64_ms` of a batch of 64."""
    return ["latency_ms" if size == 1 else f"latency_{size}_ms" for size in batches]


def measure(
    name: str, batches: Sequence[int], runs: int, rounds: int, folder: Path, out: Path, most: int
) -> str:
    """Measure what is missing in `folder`, write the medians over rounds to `out`, and say what it
    is. most: so many architectures, drawn; 0 for all. Raises `UserError`."""
    from rlnas.bench.retrain import datasets, device
    from rlnas.bench.retrain.inference import milliseconds

    family, benchmark = family_of(name), load(name)
    origin, space = family.origin(name, benchmark.epochs), benchmark.space
    if origin is None or not isinstance(space, Indexed):
        raise UserError(
            f"{name}: rlnas does not know the trainings behind it, so it cannot build its networks;"
            " expected a table of its own, such as nb101-digits"
        )
    data = datasets.load(origin.dataset)
    channels, height, width = map(int, data.train.images.shape[1:])
    image = channels, height, width
    machine = device.describe(Engine())
    wanted = {
        "benchmark": benchmark.name,
        "image": list(image),
        "classes": data.classes,
        "batches": list(batches),
        "runs": runs,
        "machine": machine["device_name"],
        "versions": machine["versions"],
    }
    _open(folder, wanted)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(space.size)[: most or None]
    done = _records(folder, len(batches))
    archs = {i: space.at(jnp.int32(i)) for i in chosen.tolist()}
    texts = {i: benchmark.space.format(arch) for i, arch in archs.items()}
    total = rounds * len(chosen)
    there = sum((text, turn) in done for text in texts.values() for turn in range(rounds))
    with (
        writing(folder / RECORDS, folder / RECORDS),
        open(folder / RECORDS, "a", encoding="utf-8") as file,
        bar(f"latency {name}", total, unit="network", initial=there) as shown,
    ):
        for turn in range(rounds):
            for i in rng.permutation(chosen).tolist():
                if (texts[i], turn) in done:
                    continue
                plan = family.network(benchmark, archs[i])
                found = milliseconds(plan, origin.settings, image, data.classes, batches, runs)
                done[texts[i], turn] = found
                line = sealed({"arch": texts[i], "round": turn, "ms": found})
                file.write(json.dumps(line) + "\n")
                file.flush()
                shown.update()
    order = sorted(texts)
    values = np.array([[done[texts[i], turn] for turn in range(rounds)] for i in order])
    median = np.median(values, axis=1).round(6)
    with column_file(out) as write:
        columns = zip(column_names(batches), median.T, strict=True)
        write({"arch": np.array([texts[i] for i in order])} | dict(columns))
    return _said(out, wanted, values, name)


def _said(out: Path, about: dict[str, Any], values: np.ndarray, name: str) -> str:
    """values: ms [networks, rounds, batches]."""
    networks, rounds, _ = values.shape
    lines = [
        f"{quoted(out)}: {networks:,} networks, median of {rounds} rounds of {about['runs']} runs, "
        f"one thread of {about['machine']}, torch {about['versions']['torch']}"
    ]
    for b, size in enumerate(about["batches"]):
        of = values[..., b]
        if rounds > 1 and networks > 2:
            alike = np.mean([spearman(of[:, a], of[:, c]) for a in range(rounds) for c in range(a)])
            between = f", Spearman between rounds {alike:.3f}"
        else:
            between = ""
        middle = np.median(of, axis=1)
        lines.append(
            f"batch {size}: {middle.min():.3f} to {middle.max():.3f} ms, median "
            f"{np.median(middle):.3f}{between}"
        )
    lines.append(f"to put it into a table: rlnas bench add-columns {name} {quoted(out)}")
    return "\n".join(lines)


RULES = Fields(
    {"benchmark": Text(), "batches": Each(Whole(1)), "runs": Whole(1), "machine": Text()},
)


def _open(folder: Path, wanted: dict[str, Any]) -> None:
    path = folder / MANIFEST
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {"format": FORMAT, "version": VERSION} | wanted)
        return
    found = check(read_json(path, hint=HINT), RULES, path, HINT)
    for key, value in ({"format": FORMAT, "version": VERSION} | wanted).items():
        if found.get(key) != value:
            raise UserError(
                f"{folder} holds measurements with another {key} ({found.get(key)}, here {value}); "
                f"{HINT}"
            )


def _records(folder: Path, batches: int) -> dict[tuple[str, int], list[float]]:
    """(architecture, round) -> milliseconds. A last line cut short by a kill is removed."""
    path, hint = folder / RECORDS, "delete that line and run again"
    if not path.exists():
        return {}
    rules = Fields({"arch": Text(), "round": Whole(), "ms": Each(Number(0, 1e9), batches)})
    data = content(path, hint, MOST_BYTES)
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    found: dict[tuple[str, int], list[float]] = {}
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
        where = f"{path}, line {number}"
        record = check(check_seal(parse_json(line, where, hint), where, hint), rules, where, hint)
        found[record["arch"], record["round"]] = record["ms"]
    return found
