"""What a stored format may hold, declared: types, dtypes, shapes and ranges, field by field.

A format says once what it expects, and its reader asks `check` or `check_arrays`, so that code
behind it need not doubt what it got:

    MANIFEST = Fields({"name": Text(), "epochs": Whole(least=1), "wall": Number(null=True)})
    check(found, MANIFEST, path, "make it again")
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError

MOST = (1 << 63) - 1


@runtime_checkable
class Rule(Protocol):
    """What a value must be."""

    def wrong(self, value: Any, at: str) -> str:
        """What is wrong with `value`, which stands at `at`; "" where nothing is."""


def _is(holds: bool, value: Any, at: str, expected: str) -> str:
    return "" if holds else f"{at or 'it'} is {shown(value)}, expected {expected}"


@dataclass(frozen=True, kw_only=True)
class OrNull:
    """A rule that null may be taken to keep."""

    null: bool = False

    def wrong(self, value: Any, at: str) -> str:
        return "" if self.null and value is None else self.unfit(value, at)

    def unfit(self, value: Any, at: str) -> str:
        """What is wrong with a value that is not null."""
        raise NotImplementedError


@dataclass(frozen=True)
class Whole(OrNull):
    """A whole number."""

    least: int = 0
    most: int = MOST

    def unfit(self, value: Any, at: str) -> str:
        good = type(value) is int and self.least <= value <= self.most
        above = f" to {self.most}" if self.most < MOST else " up"
        return _is(good, value, at,
                   f"a whole number from {self.least}{above}")  # fmt: skip


@dataclass(frozen=True)
class Number(OrNull):
    """A number, which JSON keeps finite."""

    least: int | float = -math.inf
    most: int | float = math.inf

    def unfit(self, value: Any, at: str) -> str:
        good = type(value) in (int, float) and self.least <= value <= self.most
        span = f" from {self.least:g} to {self.most:g}"
        span = "" if math.isinf(self.least) and math.isinf(self.most) else span
        return _is(good, value, at, f"a number{span}")


@dataclass(frozen=True)
class Text(OrNull):
    """A text. one_of: which ones there are. form: a regular expression."""

    one_of: tuple[str, ...] = ()
    form: str = ""

    def unfit(self, value: Any, at: str) -> str:
        good = isinstance(value, str) and (not self.one_of or value in self.one_of)
        good = good and (not self.form or re.fullmatch(self.form, value) is not None)
        expected = f"one of {', '.join(self.one_of)}" if self.one_of else "a text"
        expected += f" like {self.form}" if self.form else ""
        return _is(good, value, at, expected)


@dataclass(frozen=True)
class Flag(OrNull):
    """True or false."""

    def unfit(self, value: Any, at: str) -> str:
        return _is(isinstance(value, bool), value, at, "true or false")


@dataclass(frozen=True)
class Each(OrNull):
    """A list. length: how long it must be, where that is known."""

    item: Rule | None = None
    length: int | None = None

    def unfit(self, value: Any, at: str) -> str:
        if not isinstance(value, list):
            return _is(False, value, at, "a list")
        if self.length is not None and len(value) != self.length:
            return f"{at or 'it'} has {len(value)} entries, expected {self.length}"
        if self.item:
            for i, item in enumerate(value):
                if wrong := self.item.wrong(item, f"{at}[{i}]"):
                    return wrong
        return ""


@dataclass(frozen=True)
class Fields(OrNull):
    """An object with these fields. optional: checked where they are there. others: of all other
    fields; None: whatever it is."""

    required: Mapping[str, Rule | None] = field(default_factory=dict)
    optional: Mapping[str, Rule | None] = field(default_factory=dict)
    others: Rule | None = None

    def unfit(self, value: Any, at: str) -> str:
        if not isinstance(value, dict):
            return _is(False, value, at, "an object")
        for name in self.required:
            if name not in value:
                return f"no {f'{at}.' if at else ''}{name}"
        for name, item in value.items():
            known = name in self.required or name in self.optional
            rule = self.required.get(name) or self.optional.get(name) if known else self.others
            if rule and (wrong := rule.wrong(item, f"{at}.{name}" if at else name)):
                return wrong
        return ""


def check(value: Any, rule: Rule, where: Path | str, hint: str) -> Any:
    """`value`, if it is as the rule says; else `UserError`."""
    if wrong := rule.wrong(value, ""):
        raise UserError(f"{where} is damaged, or of another version: {wrong}; {hint}")
    return value


@dataclass(frozen=True)
class ArrayOf:
    """An array. dtype: "" for any kind of whole numbers. shape: sizes, or names of sizes that
    arrays share; `...` at the end: any more axes. nan: whether NaN stands for no value. Infinite
    numbers are refused, unless `anything` goes."""

    dtype: str
    shape: tuple[Any, ...]
    least: int | float = -math.inf
    most: int | float = math.inf
    nan: bool = False
    anything: bool = False

    def wrong(self, array: np.ndarray, name: str, sizes: dict[str, int]) -> str:
        """As of a rule; sizes learns the names that are new."""
        if array.dtype != self.dtype if self.dtype else array.dtype.kind not in "iu":
            return f"{name} is {array.dtype}, expected {self.dtype or 'whole numbers'}"
        axes, rest = self.shape, self.shape[-1:] == (...,)
        axes = axes[:-1] if rest else axes
        if array.ndim == len(axes) or (rest and array.ndim > len(axes)):
            for axis, size in zip(axes, array.shape, strict=False):
                if isinstance(axis, str):
                    sizes.setdefault(axis, size)
        wanted = tuple(sizes.get(a, 0) if isinstance(a, str) else a for a in axes)
        if array.shape[: len(wanted)] != wanted or (array.ndim > len(wanted) and not rest):
            more = ", ..." if rest else ""
            said = ", ".join(map(str, wanted))
            return f"{name} has shape {array.shape}, expected ({said}{more})"
        if array.size and array.dtype.kind in "iuf" and not self.anything:
            low, high = (np.fmin, np.fmax) if self.nan else (np.minimum, np.maximum)
            with np.errstate(invalid="ignore"):
                least, most = low.reduce(array, axis=None), high.reduce(array, axis=None)
            nothing = self.nan and np.isnan(least)
            if not nothing and not (self.least <= least and most <= self.most):
                span = f"{self.least:g} to {self.most:g}"
                return f"{name} goes from {least:g} to {most:g}, expected {span}"
            if array.dtype.kind == "f" and not nothing and np.isinf([least, most]).any():
                return f"{name} has infinite values, expected finite ones"
        return ""


def check_arrays(
    arrays: Mapping[str, np.ndarray],
    rules: Mapping[str, ArrayOf],
    where: Path | str,
    hint: str,
    *,
    sizes: Mapping[str, int] | None = None,
    optional: Collection[str] = (),
) -> dict[str, int]:
    """The sizes of arrays that are as the rules say; else `UserError`. sizes: what is known of
    them. Arrays without a rule are not looked at."""
    known = dict(sizes or {})
    for name, rule in rules.items():
        if name not in arrays:
            if name in optional:
                continue
            raise UserError(f"{where}: no array {name!r}; {hint}")
        if wrong := rule.wrong(arrays[name], name, known):
            raise UserError(f"{where} is damaged, or of another version: {wrong}; {hint}")
    return known
