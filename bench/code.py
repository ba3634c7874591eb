"""The code behind a result, as a hash: who edits it gets results of another name.

What counts is the syntax of each module, without comments, docstrings and layout. A module counts
with all that it imports, wherever the import stands: from its own package, from `bench` and
`agents` of rlnas, and from files that are not installed. Packages that are installed beside it
count with their version. No module is run to find out.
"""

from __future__ import annotations

import ast
import hashlib
import json
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OURS = ("rlnas.bench", "rlnas.agents")
"""Followed from everywhere; the rest of rlnas shows and stores results, and decides none."""
NOT_COUNTED = {
    "rlnas.bench.checks", "rlnas.bench.errors", "rlnas.bench.executor", "rlnas.bench.fetch",
    "rlnas.bench.npz", "rlnas.bench.progress", "rlnas.bench.ray_tasks", "rlnas.bench.reading",
    "rlnas.bench.tensors",
} | {
    "beartype", "jaxtyping", "safetensors", "tqdm", "typing_extensions", "tyro"
}  # fmt: skip
"""What computes no number: modules of ours, and installed packages."""


def code_of(*things: Any) -> str:
    """16 hex digits for the code of objects (and of what their fields hold), classes, functions,
    and modules by their name."""
    found = sources(set().union(*(modules_of(thing) for thing in things)))
    text = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sources(modules: Iterable[str]) -> dict[str, str]:
    """module -> hash of its source, of `modules` and all they import; package -> version, of the
    installed ones."""
    todo, found = set(modules), dict[str, str]()
    own = {"rlnas", *(name.partition(".")[0] for name in todo)}
    followed = {*todo}
    while todo:
        name = todo.pop()
        top = name.partition(".")[0]
        if top in own or not installed(top):
            if source := source_of(name):
                found[name] = source.digest
                todo |= {x for x in source.imports if counts(x)} - followed
                followed |= todo
        else:
            found[top] = version_of(top)
    return found


def counts(module: str) -> bool:
    """Whether a module that is imported is followed, or counted with its package's version."""
    top = module.partition(".")[0]
    if module in NOT_COUNTED or top in NOT_COUNTED or top in sys.stdlib_module_names:
        return False
    return top != "rlnas" or module.startswith(OURS)


def modules_of(thing: Any) -> set[str]:
    """The modules that define the types of an object and of what its fields hold; of a class, a
    function, or the name of a module: that one."""
    if isinstance(thing, str):
        return {thing}
    if hasattr(thing, "__qualname__"):
        return {home(thing)}
    own = home(type(thing))
    return {own, *_held(thing, {own.partition(".")[0], "rlnas"})}


def _held(thing: Any, tops: set[str]) -> Iterator[str]:
    """Of the values in an object's fields, those whose types are of the packages `tops`."""
    values: Iterable[Any] = ()
    if is_dataclass(thing) and not isinstance(thing, type):
        values = [getattr(thing, field.name) for field in fields(thing)]
    elif isinstance(thing, Mapping):
        values = thing.values()
    elif isinstance(thing, list | tuple):
        values = thing
    for value in values:
        kind = value if hasattr(value, "__qualname__") else type(value)
        if kind.__module__.partition(".")[0] in tops:
            yield home(kind)
        yield from _held(value, tops)


def home(kind: Any) -> str:
    """The module of a class or function. What was typed into a session has no source that could be
    read again: a name that no other session, and no other definition, has."""
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if kind.__module__ == "__main__" and not (path and Path(path).is_file()):
        return f"__main__.{_session(kind)}"
    return str(kind.__module__)


@cache
def _session(kind: Any) -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Source:
    """digest: of the syntax. imports: modules."""

    spec: ModuleSpec | None
    digest: str
    imports: frozenset[str]


_read: dict[str, Source] = {}
"""As it was when first asked for: a file that is edited later is not what this process runs, until
it is loaded again and has another spec."""


def source_of(name: str) -> Source | None:
    """None where `name` is no module, or one without a file."""
    spec = spec_of(name)
    if (known := _read.get(name)) and known.spec is spec:
        return known
    if name.startswith("__main__."):
        return Source(None, name, frozenset())
    path = getattr(sys.modules.get(name), "__file__", None) or (spec.origin if spec else None)
    if path is None or not Path(path).is_file():
        return None
    content = Path(path).read_bytes()
    if Path(path).suffix != ".py":
        _read[name] = Source(spec, hashlib.sha256(content).hexdigest(), frozenset())
    else:
        tree = ast.parse(content)
        package = name if Path(path).stem == "__init__" else name.rpartition(".")[0]
        digest = hashlib.sha256(repr(skeleton(tree)).encode()).hexdigest()
        _read[name] = Source(spec, digest, frozenset(imports(tree, package)))
    return _read[name]


def spec_of(name: str) -> ModuleSpec | None:
    """How a module is found; nothing is imported."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    parent, _, _ = name.rpartition(".")
    if not parent:
        return find_spec(name)
    above = spec_of(parent)
    places = above.submodule_search_locations if above else None
    return PathFinder.find_spec(name, places) if places is not None else None


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """What a module of `package` imports anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")
            above = above[: len(above) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if spec_of(inner) else module


def skeleton(node: Any) -> Any:
    """A syntax tree as nested tuples, the same in every version of Python: no places, no empty
    fields, no strings that stand alone, which are docstrings."""
    if isinstance(node, list):
        return tuple(skeleton(x) for x in node if not is_docstring(x))
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = ((name, getattr(node, name, None)) for name in node._fields)
    kept = tuple((name, skeleton(x)) for name, x in parts if x is not None and x != [])
    return (type(node).__name__, *kept)


def is_docstring(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def installed(top: str) -> bool:
    """Whether a top-level package is installed; not, that is, a file that someone works on."""
    spec = spec_of(top)
    places: list[str | None] = []
    if spec:
        places += spec.submodule_search_locations or [spec.origin]
    folders = {part for place in places if place for part in Path(place).parts}
    return bool(folders & {"site-packages", "dist-packages"})


@cache
def version_of(package: str) -> str:
    """Of the distribution that brings a top-level package; "" where nobody knows."""
    try:
        return version(package)
    except PackageNotFoundError:
        names = packages_distributions().get(package, [])
        return ", ".join(sorted(f"{name} {version(name)}" for name in set(names)))
