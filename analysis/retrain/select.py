"""Which architectures `rlnas retrain` trains: the best of finished runs, controls, the worst, and
named ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from rlnas import bench
from rlnas.analysis.retrain.data import Chosen
from rlnas.analysis.store import Run
from rlnas.bench.errors import UserError
from rlnas.bench.family import named
from rlnas.bench.jax_setup import pinned
from rlnas.bench.retrain.plan import NetworkPlan

DRAWS = 50  # times twice what is wanted: enough in any space that is larger than that
BLOCK = 1024  # architectures asked of a benchmark at once


def ground(runs: Sequence[Run], benchmark: str | None, epochs: int | None) -> tuple[Any, list[str]]:
    """(the benchmark of the runs, or the named one, with noise `mean`; lines to print about what
    does not fit)."""
    notes: list[str] = []
    facts = [run.manifest["benchmark"] for run in runs]
    for run, other in zip(runs[1:], facts[1:], strict=True):
        for key in ("name", "epochs", "sha256"):
            if facts[0].get(key) != other.get(key):
                raise UserError(
                    f"these runs cannot be taken together: {key} is {facts[0].get(key)} in "
                    f"{runs[0].folder} but "
                    f"{other.get(key)} in {run.folder}; give runs on one benchmark"
                )
    name = benchmark or (facts[0]["name"] if facts else "nb101-digits")
    if epochs is None and facts:
        epochs = facts[0].get("epochs")
    try:
        loaded = bench.load(name, epochs=epochs, noise="mean")
    except UserError as error:
        if benchmark is not None or not runs:
            raise
        raise UserError(
            f"the benchmark of these runs cannot be opened: {error}; name it by --benchmark"
        ) from None
    found = loaded.describe().get("sha256")
    wanted = facts[0].get("sha256") if facts else found
    if found != wanted:
        notes.append(
            f"note: the runs searched {facts[0]['name']} with sha256 {str(wanted)[:12]}, the one "
            "here has "
            f"{str(found)[:12]}: table accuracies below are of the one here"
        )
    return loaded, notes


@pinned()
def choose(
    benchmark: Any,
    runs: Sequence[Run],
    *,
    top: int = 0,
    random: int = 0,
    worst: int = 0,
    texts: Sequence[str] = (),
    seed: int = 0,
) -> list[Chosen]:
    """Distinct architectures: the `top` by the validation accuracy that the runs saw, of all seeds;
    the `worst` by the table among those they looked up; `random` ones, drawn uniformly from the
    benchmark without the top; and `texts`.

    One that is in several groups is listed once, with all of them. Order: as just named.
    """
    space = benchmark.space
    groups: dict[str, list[str]] = {}

    def add(archs: Iterable[Any], group: str) -> None:
        for arch in archs:
            names = groups.setdefault(space.format(arch), [])
            if group not in names:
                names.append(group)

    if top or worst:
        if not runs:
            raise UserError(
                "--top and --worst choose from finished runs, but none is given; give run "
                "folders, or --cells"
            )
        archs, seen = looked_up(runs)
        for name, wanted in (("top", top), ("worst", worst)):
            if wanted > len(archs):
                raise UserError(
                    f"found --{name} {wanted}, but the runs looked up {len(archs):,} "
                    "architectures; ask for fewer"
                )
        add(archs[np.argsort(-seen, kind="stable")[:top]], "top")
        if worst:
            table = table_accuracies(benchmark, archs)[0]
            add(archs[np.argsort(table, kind="stable")[:worst]], "worst")  # NaN sorts last
    if random > (size := int(space.size)):
        raise UserError(
            f"found --random {random}, but {benchmark.name} has {size:,} architectures; ask for "
            "fewer"
        )
    if random:
        first = {text for text, names in groups.items() if "top" in names}
        add(draw(benchmark, random, first, seed), "random")
    named = []
    for text in texts:
        try:
            named.append(np.asarray(space.parse(text)))
        except UserError as error:
            raise UserError(f"--cells {text!r}: {error}") from None
    add(named, "named")
    if not groups:
        raise UserError(
            "no architecture is chosen; give --top with run folders, --random, --cells or --csv"
        )
    accuracies = table_accuracies(
        benchmark, np.stack([np.asarray(space.parse(text)) for text in groups])
    )
    return [
        Chosen(text, tuple(names), float(val), float(test))
        for (text, names), val, test in zip(groups.items(), *accuracies, strict=True)
    ]


def looked_up(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray]:
    """(distinct architectures [n, ...], the best validation accuracy each was seen with [n]),
    ascending."""
    archs, seen = [], []
    for run in runs:
        valid = np.asarray(run.history.valid)
        archs.append(np.asarray(run.history.arch)[valid])
        seen.append(np.asarray(run.history.val)[valid])
    distinct, place = np.unique(np.concatenate(archs), axis=0, return_inverse=True)
    best = np.full(len(distinct), -math.inf)
    np.maximum.at(best, place.reshape(-1), np.concatenate(seen))
    return distinct, best


def table_accuracies(benchmark: Any, archs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (validation [n], test [n]) of architectures [n, ...] in the benchmark; NaN where it has
    none."""
    result = _ask(benchmark, archs)
    return np.asarray(result.val, np.float64), np.asarray(result.test, np.float64)


@jax.jit
def _ask(benchmark: Any, archs: Any) -> Any:
    key = jax.random.key(0)  # the noise policy is `mean`: nothing is drawn
    return jax.lax.map(lambda arch: benchmark.query(arch, key), archs, batch_size=BLOCK)


@partial(jax.jit, static_argnums=2)
def _sample(benchmark: Any, key: Any, count: int) -> Any:
    return jax.vmap(benchmark.space.sample)(jax.random.split(key, count))


def draw(benchmark: Any, wanted: int, without: set[str], seed: int) -> list[Any]:
    """`wanted` distinct architectures with an answer, uniformly from the benchmark's others than
    `without`."""
    found: dict[str, Any] = {}
    for key in jax.random.split(jax.random.key(seed), DRAWS):
        archs = np.asarray(_sample(benchmark, key, 2 * wanted))
        for arch, val in zip(archs, table_accuracies(benchmark, archs)[0], strict=True):
            text = benchmark.space.format(arch)
            if text not in without and not np.isnan(val):
                found.setdefault(text, arch)
            if len(found) == wanted:
                return list(found.values())
    raise UserError(
        f"found --random {wanted}, but the space gave only {len(found)} others than the top; ask "
        "for fewer"
    )


def from_csv(path: Path) -> list[str]:
    """The column `arch` of a CSV file."""
    if not path.is_file():
        raise UserError(f"--csv {path}: no such file; expected a CSV with a column `arch`")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, compression=None)
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(
            f"--csv {path} is no CSV ({error}); expected one with a column `arch`"
        ) from None
    if "arch" not in frame:
        raise UserError(
            f"--csv {path} has columns {', '.join(map(str, frame.columns))}; expected `arch`"
        )
    return frame["arch"].tolist()


def model_of(benchmark: Any, text: str) -> NetworkPlan:
    """How the architecture of that text is built."""
    return named(benchmark.family).network(benchmark, benchmark.space.parse(text))
