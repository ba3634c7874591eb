"""`make minimum`: the core runs with the lowest versions that pyproject.toml declares, installed in
a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Every module, but for those that need an extra.
IMPORT = """
import importlib, pkgutil
import rlnas.bench, rlnas.agents, rlnas.analysis
for package in (rlnas.bench, rlnas.agents, rlnas.analysis):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            extras = {"torch", "nasbench_pytorch", "sklearn", "mlxtend", "onnx", "gymnasium"}
            if error.name.split(".")[0] not in extras:
                raise
"""
LINES = """
bench list
bench info nb101-digits
bench export nb101-digits --out table.csv
compare --agents random_search local_search evolution --budget 20 --seeds 2 --out compared
train --preset smoke --steps 2048 --evaluate-every 1024 --evaluation-seeds 4 --out trained
landscape --walks 4 --length 30 --lags 3 --out walked
"""


def lowest() -> list[str]:
    """The requirements of the core, each `>=` an `==`."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        declared = tomllib.load(file)["project"]["dependencies"]
    assert all(requirement.count(">=") == 1 for requirement in declared), declared
    return [requirement.replace(">=", "==") for requirement in declared]


def check(folder: Path) -> None:
    def run(*words: object) -> str:
        print("+", *words, flush=True)
        return subprocess.run(
            [*map(str, words)], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    run(sys.executable, "-m", "venv", "venv")
    python, rlnas = folder / "venv" / "bin" / "python", folder / "venv" / "bin" / "rlnas"
    run(python, "-m", "pip", "install", "--quiet", *lowest(), ROOT)
    run(python, "-c", IMPORT)
    names = "from rlnas.analysis.cli import COMMANDS; print(*COMMANDS, sep='\\n')"
    for name in run(python, "-c", names).splitlines():
        run(rlnas, *name.split(), "--help")
    for line in LINES.strip().splitlines():
        run(rlnas, *line.split())
    run(rlnas, "plot", *(folder / "compared").glob("compare-*"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder))
