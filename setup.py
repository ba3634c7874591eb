"""The folders bench/, agents/ and analysis/ are installed below one root: rlnas.bench, ... The rest
is in pyproject.toml, which cannot say this of a folder and all that is in it."""

from setuptools import find_packages, setup

FOLDERS = ("bench", "agents", "analysis")
DATA = "rlnas.bench.data"

setup(
    packages=[
        DATA,
        *(f"rlnas.{name}" for name in find_packages(include=[f"{f}*" for f in FOLDERS])),
    ],
    package_dir={DATA: "data", **{f"rlnas.{folder}": folder for folder in FOLDERS}},
)
