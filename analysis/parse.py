"""From the words of a command line to a command's settings: what tyro does, and what it leaves."""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from itertools import groupby
from types import MappingProxyType
from typing import Any, SupportsIndex

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from rlnas.analysis.common import ABOUT, common_options
from rlnas.analysis.one_line import one_line
from rlnas.bench import arguments
from rlnas.bench.bounds import check_bounds
from rlnas.bench.docs import field_docs
from rlnas.bench.errors import UserError
from rlnas.bench.files import expanded
from rlnas.bench.options import gathered

WIDEST = 100
RULES = ConstructorRegistry()
VALUE = "the value"
OURS = re.compile(f"Error parsing (\\S+): (?:.*: )?{VALUE} (.*)")
"""What tyro makes of a refusal of ours; the longer part is about the kinds of an option that may
also be None."""


@RULES.primitive_rule
def whole_numbers(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[int] | None:
    """20.0 is 20, and what is no number is told in our words."""
    if info.type is not int:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda words: arguments.whole(words[0], VALUE, least=None),
        is_instance=lambda value: isinstance(value, int) and not isinstance(value, bool),
        str_from_instance=lambda value: [str(value)],
    )


def parse(name: str, command: type, options: Sequence[str]) -> Any:
    """The settings that `options` spell. `UserError` where tyro, or the settings, refuse them."""
    words = [expanded(word) for word in options]
    given: dict[str, Any] = {}
    if asked := getattr(command, "for_options", None):
        found = asked(words)
        command = found if isinstance(found, type) else type(found)
        given = {} if isinstance(found, type) else {"default": found}
    words = gathered(words, [*list_options(given.get("default", command))])
    if "--help" in words or "-h" in words:
        explain(given.get("default", command))
    errors = io.StringIO()
    try:
        with redirect_stderr(errors), RULES:
            settings = tyro.cli(
                command,
                prog=f"rlnas {name}",
                args=words,
                description=described(command, [ABOUT[name] for name in common_options(command)]),
                **given,
            )
    except SystemExit as stop:
        if stop.code in (0, None):  # --help
            raise
        reason = stop.__context__
        if isinstance(reason, UserError | tyro.constructors.UnsupportedTypeAnnotationError):
            raise reason from None  # the settings' own checks; a fault of ours
        said = OURS.sub(r"\1 \2", one_line(errors.getvalue()))
        raise UserError(f"{said}; see rlnas {name} --help") from None
    check_bounds(settings)
    return settings


def values(settings: Any) -> Iterator[tuple[dataclasses.Field, Any]]:
    """The fields of an instance, or of a class with its defaults."""
    for field in dataclasses.fields(settings):
        value = field.default if isinstance(settings, type) else getattr(settings, field.name)
        if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        yield field, value


def list_options(settings: Any, prefix: str = "") -> Iterator[str]:
    """The options that take several values, nested ones in full."""
    for field, value in values(settings):
        name = prefix + field.name.replace("_", "-")
        if dataclasses.is_dataclass(value):
            yield from list_options(value, f"{name}.")
        elif isinstance(value, tuple):
            yield name


def explain(settings: Any) -> None:
    """Put the docstrings of the fields where tyro looks first: it would break their lines where the
    source does."""
    docs = field_docs(settings if isinstance(settings, type) else type(settings))
    for field, value in values(settings):
        if dataclasses.is_dataclass(value):
            explain(value)
        elif field.name in docs:
            field.metadata = MappingProxyType({**field.metadata, "help": docs[field.name]})


class Whole(str):
    """A text that stays as it is: tyro splits a description into lines and joins them anew."""

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:  # type: ignore[override]
        return [str(self)]


def described(command: type, more: Sequence[str] = ()) -> Whole:
    """Its docstring, wrapped. more: lines behind it."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    lines: list[str] = []
    source = [*(inspect.getdoc(command) or "").splitlines(), *(x for m in more for x in ("", m))]
    for prose, group in groupby(source, is_prose):
        block = list(group)
        lines += textwrap.wrap(" ".join(block), width, break_on_hyphens=False) if prose else block
    return Whole("\n".join(lines))


def is_prose(line: str) -> bool:
    """Whether a line of a docstring is not blank, nor an example as it is."""
    return bool(line) and not line[0].isspace()
