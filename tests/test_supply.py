"""What the project is made of: versions that are written down, licences, and that they agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lock import LOCK

PYPROJECT = LOCK.parents[1] / "pyproject.toml"
LINE = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[\w.]+)  # (?P<licence>.+)")


def locked() -> dict[str, re.Match[str]]:
    text = LOCK.read_text(encoding="utf-8")
    found = [LINE.fullmatch(x) for x in text.splitlines() if not x.startswith("#")]
    assert all(found), text
    return {canonicalize_name(match["name"]): match for match in found if match}


def declared() -> list[Requirement]:
    """The core's, and those of every extra that `dev` brings; W&B and MLflow it does not."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    dev = [Requirement(word) for word in extras["dev"]]
    brought = [name for requirement in dev for name in requirement.extras]
    words = [*project["dependencies"], *(word for name in brought for word in extras[name])]
    found = [*dev, *map(Requirement, words)]
    here = [r for r in found if r.marker is None or r.marker.evaluate()]
    return [r for r in here if r.name != "rlnas"]


def test_each_declared_requirement_is_locked_at_a_version_that_satisfies_it():
    known = locked()
    for requirement in declared():
        match = known[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(match["version"]), match[0]


def test_licences_are_known_and_allow_redistribution():
    licences = {name: match["licence"] for name, match in locked().items()}
    assert not [name for name, licence in licences.items() if licence == "unknown"]
    assert not [name for name, licence in licences.items() if re.search(r"\bA?GPL", licence)]


def test_what_is_installed_fits_together():
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
