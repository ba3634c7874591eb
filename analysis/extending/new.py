"""`rlnas new agent`, `rlnas new benchmark`: a small package to begin with."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

from tyro.conf import Positional

from rlnas import agents, bench
from rlnas.analysis.extending import templates
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted, writing

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True)
class NewAgent:
    """Write a small package with an agent of its own, to be installed and changed.

    It has a pyproject.toml that registers the agent, a module, and a test of what every agent
    promises, which it passes. Nothing is overwritten.

    Examples:
      rlnas new agent greedy
    """

    name: Positional[str]
    """The agent's name: small letters, digits and `_`."""
    folder: Path | None = None
    """Where to write the package; default: a new folder of that name, here."""

    def run(self) -> None:
        if "-" in self.name:
            raise UserError(f"an agent cannot be named {self.name!r}; expected _ instead of -")
        check_free("agent", self.name, agents.names())
        texts = {
            "{module}.py": templates.AGENT,
            "test_{module}.py": templates.AGENT_TEST,
        }
        folder = write(self.name, "agents", class_of(self.name), texts, self.folder)
        print(f"next: pip install -e {quoted(folder)}")
        print(f"      rlnas check {self.name}")
        print(f"      rlnas compare --agents random_search {self.name}")


@dataclass(frozen=True)
class NewBenchmark:
    """Write a small package with a benchmark of its own, to be installed and changed.

    It has a pyproject.toml that registers the benchmark, a module with a search space and made-up
    accuracies, and a test of what every benchmark promises, which it passes. Nothing is
    overwritten.

    Examples:
      rlnas new benchmark my-cells
    """

    name: Positional[str]
    """The benchmark's name: small letters, digits, `-` and `_`."""
    folder: Path | None = None
    """Where to write the package; default: a new folder of that name, here."""

    def run(self) -> None:
        check_free("benchmark", self.name, bench.names())
        texts = {
            "{module}.py": templates.BENCHMARK,
            "test_{module}.py": templates.BENCHMARK_TEST,
        }
        folder = write(self.name, "benchmarks", "load", texts, self.folder)
        print(f"next: pip install -e {quoted(folder)}")
        print(f"      rlnas check {self.name}")
        print(f"      rlnas compare --benchmark {self.name}")


def check_free(kind: str, name: str, taken: list[str]) -> None:
    """`UserError` unless `name` can be the name of a new agent or benchmark, and of its module."""
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(module):
        raise UserError(
            f"{name!r} cannot be the name of a module; expected small letters, digits and _, the "
            "first a letter"
        )
    if name in taken:
        raise UserError(f"there is a {kind} {name!r} already; expected another name")
    if find_spec(module) is not None:
        raise UserError(f"there is a Python module {module!r} already; expected another name")


def class_of(name: str) -> str:
    """`my_agent` -> `MyAgent`."""
    return "".join(part.capitalize() for part in re.split("[-_]", name))


def write(
    name: str, group: str, attribute: str, texts: Mapping[str, str], folder: Path | None
) -> Path:
    """The package's folder, whole or not at all; prints what it holds."""
    folder = folder or Path(name)
    if folder.exists():
        raise UserError(f"{folder} is there already; expected a free name, as with --folder")
    module = name.replace("-", "_")
    words = {
        "name": name,
        "project": name.replace("_", "-"),
        "module": module,
        "group": group,
        "about": f"The {group.removesuffix('s')} {name} for rlnas",
    }
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
        try:
            files = {"pyproject.toml": templates.PYPROJECT} | dict(texts)
            for file, text in files.items():
                in_code = attribute if file == "pyproject.toml" else class_of(name)
                filled = Template(text).substitute(words, attribute=in_code)
                (made / file.format(module=module)).write_text(filled, encoding="utf-8")
            made.chmod(0o755)
            os.rename(made, folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    for file in files:
        print(quoted(folder / file.format(module=module)))
    return folder
