"""Code of other packages and of the user's files: whatever it raises becomes one line that names
it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, packages_distributions, version
from pathlib import Path
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.names import visible

OURS = "rlnas"
ADVICE = "mend or remove it (--traceback says more)"


class PluginError(UserError):
    """What is not ours has failed; `__cause__` is what it raised."""


def module_of(thing: Any) -> str:
    """Where the code of a class, a function, an object or a `module:attribute` is from."""
    if isinstance(thing, str):
        return thing.partition(":")[0]
    return str(getattr(thing, "__module__", "") or type(thing).__module__)


def is_ours(thing: Any) -> bool:
    return module_of(thing).partition(".")[0] == OURS


def package_of(entry: EntryPoint) -> str:
    """The distribution that declares an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an installed package"


def origin_of(thing: Any) -> str:
    """The distribution that a thing's code is from, else its module."""
    if isinstance(thing, EntryPoint):
        return package_of(thing)
    module = module_of(thing)
    found = packages_distributions().get(module.partition(".")[0])
    return f"{found[0]} {version(found[0])}" if found else f"the module {module}"


def reason_of(error: BaseException) -> str:
    """What was raised, on one line."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return visible(said if len(said) <= 300 else f"{said[:296]} ...")


def place_of(error: BaseException) -> str:
    """The last place in code that is neither ours nor of a library, `(file, line)`; "" for none."""
    ours = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        known = {"site-packages", "importlib"} & {*path.parts} or frame.filename.startswith(ours)
        if not known and "<" not in frame.filename:
            return f" ({path.name}, line {frame.lineno})"
    return ""


@contextmanager
def blamed(what: str, whose: Any, did: str = "raised") -> Iterator[None]:
    """Within, what is raised is a `PluginError` that names `what`, where it is from and what it
    was; unless `whose` code is ours, whose faults are not dressed up."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        if not isinstance(whose, EntryPoint) and is_ours(whose):
            raise
        said = f"{reason_of(error)}{place_of(error)}"
        raise PluginError(f"{what} of {origin_of(whose)} {did} {said}; {ADVICE}") from error


def left_out(failed: Sequence[PluginError]) -> None:
    """`PluginError` that names what failed while the others went on, if anything did."""
    if failed:
        said = "; ".join(dict.fromkeys(map(str, failed)))
        raise PluginError(f"left out of the comparison: {said}") from failed[0]
