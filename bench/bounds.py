"""What numbers and texts may be: declared beside an option's type (`Annotated[int, Within(1, 9)]`),
checked for all options in one place; without a declaration, what the type can mean at all."""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.files import EXPORT, PAGE, PICTURE, RECORD, TABLE, file_refusal, folder_refusal


@dataclasses.dataclass(frozen=True)
class Within:
    """least, most: of each number; open: whether `least` itself is left out. what: said behind the
    least, e.g. " query"."""

    least: int | float
    most: int | float = 10**9
    what: str = ""
    open: bool = False

    def refusal(self, value: int | float) -> str:
        """What was expected; "" of a value that is within."""
        if math.isnan(value) or value < self.least or (self.open and value == self.least):
            return f"expected {'above' if self.open else 'at least'} {self.least:,}{self.what}"
        return f"expected at most {self.most:,}" if value > self.most else ""


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a command writes: a folder, or a file that may be there only if it begins as `ours`."""

    ours: re.Pattern[bytes] | None = None

    def refusal(self, path: Path) -> str:
        """What was expected; "" of a place where writing harms nothing of others."""
        return file_refusal(path, self.ours) if self.ours else folder_refusal(path)


WHOLE = Within(-(10**9))
"""Of a whole number that declares nothing."""
NUMBER = Within(-1e9, 1e9)
LONGEST = 4000
"""Characters of a text, or a path."""

Seed = Annotated[int, Within(0, 2**32 - 1)]
"""A root of randomness is a 32-bit number."""
Epochs = Annotated[int | None, Within(0)]
Workers = Annotated[int, Within(1, 1024)]
Searches = Annotated[int, Within(1, 1_000_000)]
Queries = Annotated[int, Within(1, 1_000_000, " query")]
Share = Annotated[float, Within(0, 1)]
Rate = Annotated[float, Within(0, 1000, open=True)]
Vertices = Annotated[int, Within(2, 7)]
Folder = Annotated[Path, Target()]
TableFile = Annotated[Path | None, Target(TABLE)]
ExportFile = Annotated[Path | None, Target(EXPORT)]
RecordFile = Annotated[Path | None, Target(RECORD)]
PageFile = Annotated[Path | None, Target(PAGE)]
PictureFile = Annotated[Path | None, Target(PICTURE)]


BESIDE = ("learner", "settings", "options", "where")
"""Nested settings whose options stand beside the others: `--steps`, not `--learner.steps`."""


def check_bounds(settings: Any, prefix: str = "") -> None:
    """`UserError` for the first option of a command, nested ones too, that is out of its bounds, no
    finite number, or cannot be printed. What is no dataclass has no options."""
    if not dataclasses.is_dataclass(settings):
        return
    kind: type = type(settings)
    hints = _hints(kind)
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        name = prefix + field.name
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            check_bounds(value, "" if field.name in BESIDE else f"{name}.")
            continue
        for one in value if isinstance(value, tuple) else (value,):
            check_value(one, declared(hints.get(field.name)), f"--{name.replace('_', '-')}")


@cache
def _hints(settings: type) -> dict[str, Any]:
    return get_type_hints(settings, include_extras=True)


def check_value(value: Any, bounds: Within | Target | None, what: str) -> None:
    """`UserError` for one value that is out of its bounds; None: those of its type."""
    if expected := _refusal(value, bounds):
        found = shown(str(value)) if isinstance(value, str | Path) else value
        raise UserError(f"{what} is {found}; {expected}")


def declared(hint: Any) -> Within | Target | None:
    """The `Within` or `Target` of a type, or of the items or the kinds that it is made of."""
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Within | Target):
                return extra
        return declared(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType, tuple):
        found = (declared(part) for part in get_args(hint))
        return next((one for one in found if one), None)
    return None


def _refusal(value: Any, bounds: Within | Target | None) -> str:
    if isinstance(value, bool):
        return ""
    number = bounds if isinstance(bounds, Within) else None
    if isinstance(value, int):
        return (number or WHOLE).refusal(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return "expected a finite number"
        return (number or NUMBER).refusal(value)
    if isinstance(value, str | Path):
        text = str(value)
        if not text.isprintable():
            return "expected a text without control characters"
        if len(text) > LONGEST:
            return f"expected at most {LONGEST} characters"
        return bounds.refusal(Path(text)) if isinstance(bounds, Target) else ""
    return ""


def values_of(settings: Any) -> Iterator[Any]:
    """All values of settings, nested ones and those of lists too."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from values_of(value)
        else:
            yield from value if isinstance(value, tuple) else (value,)
