"""Columns of a CSV file, a line an architecture: proxies, costs, accuracies of others."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from rlnas.bench.benchmark import Indexed
from rlnas.bench.csv_file import opened
from rlnas.bench.errors import UserError
from rlnas.bench.files import sha256
from rlnas.bench.naslib import WAYS, text_of

LISTED = 1 << 15
"""Spaces of at most so many architectures are written out to find a text; in larger ones, and of
what is not found, each text is read."""


class Columns(NamedTuple):
    """archs: [n, ...], as they stand in the file. values: name -> float64 [n], NaN where there is
    none. sha256: of the file."""

    archs: Any
    values: dict[str, Float[np.ndarray, " n"]]
    sha256: str


def files_of(words: Sequence[str], benchmarks: Sequence[str]) -> dict[str, Path]:
    """benchmark -> its file, of words FILE, for every benchmark, and BENCHMARK=FILE."""
    found: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        named = bool(equals) and name in benchmarks
        if equals and not named and not Path(word).is_file():
            raise UserError(
                f"--columns {word}: expected FILE or BENCHMARK=FILE, BENCHMARK of "
                f"{' '.join(benchmarks)}"
            )
        for each in [name] if named else benchmarks:
            if each in found:
                raise UserError(f"--columns has two files for {each}; expected one")
            found[each] = Path(path if named else word)
    return found


def read(path: Path, space: Any) -> Columns:
    """All numeric columns of a file. `UserError` names the line that says no architecture of
    `space`. Of lines about one architecture the first counts; the others are told on stderr."""
    with opened(path) as file:
        way = next((way for way in WAYS if set(way) <= set(file.names)), None)
        if way is None:
            raise UserError(
                f"{path}: no column says which architecture a line is (found "
                f"{', '.join(file.names)}); expected arch"
            )
        keys, texts, lines = [file.names.index(name) for name in way], list[str](), list[int]()
        fields: dict[str, list[str]] = {
            name: [] for i, name in enumerate(file.names) if i not in keys and name
        }
        for batch in file.batches():
            lines += batch.lines
            for named in zip(*(batch.fields[i] for i in keys), strict=True):
                texts.append(text_of(dict(zip(way, named, strict=True))))
            for name, column in fields.items():
                column += batch.fields[file.names.index(name)]
    numbers = {name: _numbers(column) for name, column in fields.items()}
    values = {name: column for name, column in numbers.items() if column is not None}
    if not values:
        raise UserError(f"{path}: no column of numbers; expected one beside {', '.join(way)}")
    archs = []
    known = texts_of(space, len(texts))
    first: dict[bytes, int] = {}
    for place, (line, text) in enumerate(zip(lines, texts, strict=True)):
        try:
            arch = known[text] if text in known else np.asarray(space.parse(text))
        except UserError as error:
            raise UserError(f"{path}, line {line}: {error}") from None
        first.setdefault(arch.tobytes(), place)
        archs.append(arch)
    kept = np.array(list(first.values()))
    if len(kept) < len(archs):
        print(
            f"rlnas: {path}: {len(archs) - len(kept):,} lines are about architectures that stand "
            "before; the first of each counts",
            file=sys.stderr,
        )
    there = jnp.asarray(np.stack(archs)[kept])
    return Columns(there, {name: column[kept] for name, column in values.items()}, sha256(path))


def texts_of(space: Any, wanted: int) -> Mapping[str, np.ndarray]:
    """text -> architecture, where writing all out is less work than reading `wanted` texts."""
    numbered = isinstance(space, Indexed)
    if not numbered or space.size > min(LISTED, 4 * wanted):
        return {}
    archs = (np.asarray(space.at(jnp.int32(i))) for i in range(space.size))
    return {space.format(arch): arch for arch in archs}


def _numbers(column: Sequence[str]) -> Float[np.ndarray, " n"] | None:
    """None where any is no number; nothing, and what is not finite, is NaN."""
    try:
        found = [float(text) if text.strip() else math.nan for text in column]
    except ValueError:
        return None
    return np.array([x if math.isfinite(x) else math.nan for x in found])
