"""The hash of the code behind a result: what changes it, and what does not."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rlnas import agents
from rlnas.agents.protocol import run_search
from rlnas.bench import code
from rlnas.bench.code import code_of, modules_of, sources
from tables import small_benchmark

AGENT = '''
"""An agent."""
from dataclasses import dataclass

import sibling
from some_package.inner import helper
from rlnas.agents import Agent


@dataclass(frozen=True)
class Mine:
    """Settings."""

    size: int = 3
    """How many."""

    def build(self, space):
        return helper(space, self.size)
'''
FILES = {
    "mine.py": AGENT,
    "sibling.py": "FACTOR = 2\n",
    "unrelated.py": "FACTOR = 2\n",
    "some_package/__init__.py": "",
    "some_package/inner.py": "from . import deep\ndef helper(space, n):\n    return deep.value\n",
    "some_package/deep.py": "value = 1\n",
    "some_package/aside.py": "value = 1\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of an agent with files of its own, none of them installed."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # edits come faster than its clock
    yield tmp_path
    forget()


def forget() -> None:
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."), None)
    importlib.invalidate_caches()


def fresh() -> str:
    """The hash as another process would find it."""
    forget()
    return code_of(importlib.import_module("mine").Mine())


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("mine.py", "size: int = 3", "size: int = 4"),
        ("mine.py", "helper(space, self.size)", "helper(space, self.size + 1)"),
        ("sibling.py", "2", "3"),
        ("some_package/inner.py", "return deep.value", "return -deep.value"),
        ("some_package/deep.py", "1", "1.0"),
    ],
)
def test_an_edit_counts(folder: Path, file: str, old: str, new: str) -> None:
    before = fresh()
    assert fresh() == before
    text = (folder / file).read_text()
    (folder / file).write_text(text.replace(old, new))
    assert fresh() != before
    (folder / file).write_text(text)
    assert fresh() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("mine.py", '"""Settings."""', '"""All its settings."""'),
        ("mine.py", '"""How many."""', ""),
        ("mine.py", "size: int = 3", "size: int = 0x3  # comment"),
        ("mine.py", "helper(space, self.size)", "helper(\n            space,\n self.size,\n)"),
        ("unrelated.py", "2", "3"),
        ("some_package/aside.py", "1", "2"),
    ],
)
def test_words_layout_and_other_files_do_not(folder: Path, file: str, old: str, new: str) -> None:
    before = fresh()
    (folder / file).write_text((folder / file).read_text().replace(old, new))
    assert fresh() == before


def test_what_runs_is_what_was_read_first(folder: Path) -> None:
    """An edit after the import is not what this process runs; loaded again, it is."""
    before = fresh()
    module = sys.modules["mine"]
    (folder / "mine.py").write_text(AGENT.replace("size: int = 3", "size: int = 5"))
    assert code_of(module.Mine()) == before
    importlib.reload(module)
    assert code_of(module.Mine()) != before


def test_nothing_is_run_to_find_out(folder: Path) -> None:
    (folder / "sibling.py").write_text("raise SystemExit\n")
    (folder / "some_package" / "__init__.py").write_text("raise SystemExit\n")
    found = sources({"some_package.inner", "sibling"})
    assert set(found) == {"some_package.inner", "some_package.deep"} | {"sibling"}
    assert "sibling" not in sys.modules and "some_package" not in sys.modules


def test_of_ours_what_decides_is_followed() -> None:
    found = sources(modules_of(agents.config("evolution")()) | modules_of(run_search))
    assert {f"rlnas.agents.{x}" for x in ("evolution", "random_walk")} < set(found)
    assert {"rlnas.bench.draw", "rlnas.bench.memory", "rlnas.agents.protocol", "jax"} < set(found)
    assert not {"rlnas.agents.dqn", "jaxtyping", "rlnas"} & set(found)
    found = sources({"rlnas.analysis.ablation.jobs"})
    assert {"rlnas.analysis.ablation.jobs", "rlnas.agents.evaluate"} < set(found)
    assert not [x for x in found if x.startswith("rlnas.analysis") and not x.endswith(".jobs")]


def test_an_object_counts_with_what_it_holds() -> None:
    found = modules_of(small_benchmark(4))
    assert {"rlnas.bench.nb101.benchmark", "rlnas.bench.nb101.space", "rlnas.bench.noise"} <= found
    held = modules_of(Holder({"a": [small_benchmark(4).space]}, run_search, Holder))
    space = {"rlnas.bench.nb101.space", "rlnas.bench.nb101.forms"}
    assert held == {__name__, "rlnas.agents.protocol"} | space


@dataclass(frozen=True)
class Holder:
    """Holds other things."""

    things: Any
    function: Any
    kind: Any


def test_installed_packages_count_with_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_of("rlnas.agents.networks")
    assert sources({"rlnas.agents.networks"})["flax"]
    monkeypatch.setattr(code, "version_of", lambda package: "99")
    assert code_of("rlnas.agents.networks") != before
    assert len(sources({"flax"})["flax"]) == 64  # as the agent's own package: its source


IMPORT = "from rlnas.bench.code import code_of\n"


def run_python(words: list[str], typed: str = "") -> str:
    """What another process prints."""
    command = [sys.executable, *words]
    return subprocess.run(command, input=typed, capture_output=True, text=True).stdout


def test_what_was_typed_in_a_session_is_nobody_else_s() -> None:
    """Two sessions that type the same, or one that types it twice, say nothing of each other."""
    script = (
        f"{IMPORT}class A: pass\nB = A\nclass A: pass\n"
        "print(code_of(A()), code_of(B()), code_of(A()))"
    )
    said = [run_python([], script).split() for _ in range(2)]
    for a, b, again in said:
        assert a == again != b
    assert said[0][0] != said[1][0]


def test_a_script_counts_with_its_text(tmp_path: Path) -> None:
    def said(text: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(f"{IMPORT}class A:\n    {text}\nprint(code_of(A()))")
        return run_python([str(path)])

    assert len(said("x = 1")) == 17
    assert said("x = 1") == said("x = 1  # one") != said("x = 2")


def test_a_module_without_a_source_is_its_bytes(folder: Path) -> None:
    (folder / "compiled.so").write_bytes(b"1")
    module = ModuleType("compiled")
    module.__file__ = str(folder / "compiled.so")
    sys.modules["compiled"] = module
    try:
        before = code_of("compiled")
        code._read.pop("compiled")
        (folder / "compiled.so").write_bytes(b"2")
        assert code_of("compiled") != before
    finally:
        del sys.modules["compiled"]
