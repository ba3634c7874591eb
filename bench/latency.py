"""Our own measurement of latency: how long the network of every architecture of a benchmark takes
to answer on this machine, round after round, so that a busy minute is in one of them only.

A finished measurement is a line of `records.jsonl`, written at once: what was interrupted goes on
where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from rlnas.bench.checks import Each, Fields, Number, Text, Whole
from rlnas.bench.columns import column_file
from rlnas.bench.files import quoted
from rlnas.bench.progress import bar
from rlnas.bench.rank import spearman
from rlnas.bench.records import appending, open_folder, records
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.trained import trained

FORMAT, VERSION = "rlnas-latency", 1
HINT = "choose another --folder"


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

    family, benchmark, origin = trained(name)
    space = benchmark.space
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
    open_folder(folder, {"format": FORMAT, "version": VERSION} | wanted, HINT)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(space.size)[: most or None]
    rules = Fields({"arch": Text(), "round": Whole(), "ms": Each(Number(0, 1e9), len(batches))})
    done = {(x["arch"], x["round"]): x["ms"] for x in records(folder, rules)}
    archs = {i: space.at(jnp.int32(i)) for i in chosen.tolist()}
    texts = {i: space.format(arch) for i, arch in archs.items()}
    total = rounds * len(chosen)
    there = sum((text, turn) in done for text in texts.values() for turn in range(rounds))
    with (
        appending(folder) as write,
        bar(f"latency {name}", total, unit="network", initial=there) as shown,
    ):
        for turn in range(rounds):
            for i in rng.permutation(chosen).tolist():
                if (texts[i], turn) in done:
                    continue
                plan = family.network(benchmark, archs[i])
                found = milliseconds(plan, origin.settings, image, data.classes, batches, runs)
                done[texts[i], turn] = found
                write({"arch": texts[i], "round": turn, "ms": found})
                shown.update()
    order = sorted(texts)
    values = np.array([[done[texts[i], turn] for turn in range(rounds)] for i in order])
    median = np.median(values, axis=1).round(6)
    with column_file(out) as write_columns:
        columns = zip(column_names(batches), median.T, strict=True)
        write_columns({"arch": np.array([texts[i] for i in order])} | dict(columns))
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
