"""What the packages import, how long their files are, and that nothing is pickled: read from the
source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "agents", "analysis")  # each may import those before it
HEAVY = {"torch", "nasbench_pytorch", "xgboost", "matplotlib", "pandas", "sklearn", "ray", "onnx"}
TORCH_HOME = ROOT / "bench" / "retrain"
TORCH_FILES = {"torch_network.py", "supernet.py"}  # of a family
MAX_LINES = 400

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
EACH_FILE = pytest.mark.parametrize(
    "path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES]
)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("rlnas", *parts[:-1]) if parts[-1] == "__init__" else ("rlnas", *parts))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere, also inside functions."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its direction"
            found.add(node.module or "")
    return {name.split(".")[0] for name in found}


def loaded_by(modules: list[str]) -> set[str]:
    """The heavy packages that importing `modules` in a fresh process loads."""
    code = f"import sys\nimport {', '.join(modules)}\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_what_the_command_line_reads_is_light() -> None:
    """The packages, the command line and the settings of every command load nothing heavy; what a
    command needs is imported when it runs."""
    light = [name for name in map(module_of, FILES) if name.endswith((".command", ".cli"))]
    light += ["rlnas.bench", "rlnas.agents", "rlnas.analysis", "rlnas.bench.commands.tabulate"]
    assert "rlnas.analysis.comparison.command" in light
    assert loaded_by(light) == set()


def test_the_probe_sees_a_heavy_import() -> None:
    assert loaded_by(["matplotlib"]) == {"matplotlib"}


@EACH_FILE
def test_imports_run_one_way(path: Path) -> None:
    allowed = PACKAGES[: PACKAGES.index(path.relative_to(ROOT).parts[0]) + 1]
    assert imported(path) & {*PACKAGES, "tests"} <= set(allowed)


@EACH_FILE
def test_torch_lives_in_one_place(path: Path) -> None:
    if TORCH_HOME not in path.parents and path.name not in TORCH_FILES:
        assert not imported(path) & {"torch", "nasbench_pytorch"}


@EACH_FILE
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@EACH_FILE
def test_nothing_is_pickled(path: Path) -> None:
    """numpy refuses pickles unless told otherwise; nobody tells it, nor asks anyone else."""
    assert not imported(path) & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    for node in nodes(path):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            refused = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            assert keyword.arg != "allow_pickle" or refused, f"{path}:{node.lineno}"
        called = ast.unparse(node.func)
        assert called not in ("torch.load", "torch.save"), f"{path}:{node.lineno}"
        assert called.rpartition(".")[2] not in ("read_pickle", "to_pickle"), (
            f"{path}:{node.lineno}"
        )


@EACH_FILE
def test_no_global_random_generator(path: Path) -> None:
    """Randomness comes from keys and generators that are passed; `random.Random` makes one."""
    for node in nodes(path):
        assert not isinstance(node, ast.ImportFrom) or node.module != "random", path
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "random":
            assert node.attr == "Random", f"{path}:{node.lineno}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).removesuffix(".default_rng")
            assert called.rpartition(".")[0] != "np.random", f"{path}:{node.lineno}"
