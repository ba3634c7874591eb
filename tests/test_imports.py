"""What the packages import, how long their files are, and that nothing is pickled: read from the
source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from rlnas.analysis import cli

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "agents", "analysis")  # each may import those before it
HEAVY = {
    "flax", "jax", "matplotlib", "nasbench_pytorch", "numpy", "onnx", "optax", "optuna", "pandas",
    "mlxtend", "pyarrow", "ray", "scipy", "sklearn", "torch", "xgboost",
}  # fmt: skip
OPTIONAL = {
    "google.protobuf", "gymnasium", "gymnax", "jinja2", "markupsafe", "mctx", "mlflow", "mlxtend",
    "moocore", "nasbench_pytorch", "onnx", "optuna", "ray", "sklearn", "tensorboardX", "torch",
    "wandb", "xgboost",
}  # fmt: skip
"""Of an extra: what needs them imports them where it does, and runs without them otherwise."""
TORCH_HOME = ROOT / "bench" / "retrain"
TORCH_FILES = {  # of a family
    *("torch_network.py", "supernet.py", "supernet_training.py", "hypernet.py"),
    *("inherit.py", "shrink.py", "masked.py"),
}
MAX_LINES = 400

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
EACH_FILE = pytest.mark.parametrize(
    "path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES]
)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("rlnas", *parts[:-1]) if parts[-1] == "__init__" else ("rlnas", *parts))


MODULES = {module_of(path): path for path in FILES}


LIGHT = {"cli.py", "command.py", "settings.py", "family.py", "importer.py"}
LIGHT |= {"compiled.py", "jax_setup.py"}


def is_light(path: Path) -> bool:
    """Whether a module reaches its implementation by imports inside functions: the packages, the
    command line, the settings of commands and of JAX, and what says which benchmarks there are."""
    if path.name in LIGHT:
        return True
    top = path.parent.parent == ROOT and path.name == "__init__.py"
    return top or path.parent.name in ("commands", "extending")


@cache
def tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(tree(path))


def imports(path: Path, inside: bool) -> dict[str, int]:
    """module -> line, of what a file imports at its top (not for type checkers only), or inside
    functions."""
    found: dict[str, int] = {}

    def visit(node: ast.AST, in_function: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import | ast.ImportFrom) and in_function == inside:
                found.update(dict.fromkeys(modules_of(child), child.lineno))
            visit(child, in_function or isinstance(child, ast.FunctionDef))

    visit(tree(path), False)
    return found


def modules_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, f"line {node.lineno}: a relative import hides its direction"
    full = [f"{node.module}.{alias.name}" for alias in node.names]
    return [name if name in MODULES else str(node.module) for name in full]


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere, also inside functions."""
    every = (modules_of(n) for n in nodes(path) if isinstance(n, ast.Import | ast.ImportFrom))
    return {name.split(".")[0] for names in every for name in names}


def loaded_by(modules: list[str]) -> set[str]:
    """The heavy packages that importing `modules` in a fresh process loads."""
    code = f"import sys\nimport {', '.join(modules)}\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_what_the_command_line_reads_is_light() -> None:
    """The packages, the command line and the settings of every command load nothing heavy; what a
    command needs is imported when it runs."""
    light = [name for name, path in MODULES.items() if is_light(path)]
    assert {target.partition(":")[0] for target in cli.COMMANDS.values()} < set(light)
    assert loaded_by(light) == set()


def test_the_probe_sees_a_heavy_import() -> None:
    assert loaded_by(["matplotlib"]) == {"matplotlib", "numpy"}


@EACH_FILE
def test_imports_run_one_way(path: Path) -> None:
    allowed = PACKAGES[: PACKAGES.index(path.relative_to(ROOT).parts[0]) + 1]
    for name in (*imports(path, False), *imports(path, True)):
        root, package, *_ = f"{name}.".split(".")
        assert root not in (*PACKAGES, "tests"), f"{path} imports {name}"
        assert root != "rlnas" or package in (*allowed, ""), f"{path} imports {name}"


@EACH_FILE
def test_imports_stand_at_the_top(path: Path) -> None:
    """Except in light modules, and of what an extra brings, also through a module of ours."""
    if is_light(path):
        return
    for name, line in imports(path, True).items():
        inner = imports(MODULES[name], False) if name in MODULES else {name: 0}
        optional = any(x == o or x.startswith(f"{o}.") for x in inner for o in OPTIONAL)
        assert optional, f"{path}:{line} imports {name} inside a function"


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Light modules may reach their implementation from inside a function; nothing else goes in a
    circle."""
    edges = {
        name: {
            other
            for inside in ((False,) if is_light(path) else (False, True))
            for other in imports(path, inside)
            if other in MODULES and other != name
        }
        for name, path in MODULES.items()
    }
    while leaves := [name for name, others in edges.items() if not others & edges.keys()]:
        for name in leaves:
            del edges[name]
    assert not edges, f"in circles, or above one: {sorted(edges)}"


@EACH_FILE
def test_torch_lives_in_one_place(path: Path) -> None:
    if TORCH_HOME not in path.parents and path.name not in TORCH_FILES:
        assert not imported(path) & {"torch", "nasbench_pytorch"}


@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "tests").glob("*.py"))], ids=lambda path: path.stem
)
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
