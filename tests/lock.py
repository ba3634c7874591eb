"""`make lock`: writes down the versions that the tests ran with, and their licences, as constraints
that pip reads."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

LOCK = Path(__file__).with_name("versions.txt")
HEAD = """\
# The versions that the tests ran with on Python {}.{}, and their licences; `make test` installs
# these, `make lock` writes them down anew. As constraints: pip install -c tests/versions.txt
"""
NOT_OURS = ("rlnas", "pip")


def licence(of: Distribution) -> str:
    """As its author declares it, the first of: SPDX expression, classifiers, text."""
    meta = of.metadata
    classifiers = [
        line.rsplit(" :: ", 1)[-1]
        for line in meta.get_all("Classifier") or []
        if line.startswith("License")
    ]
    said = meta.get("License-Expression") or "; ".join(classifiers) or meta.get("License") or ""
    return said.strip().splitlines()[0][:60] if said.strip() else "unknown"


def lines() -> list[str]:
    """`name==version  # licence`, without what builds of one version differ by (`+cpu`)."""
    found = {of.metadata["Name"].lower(): of for of in distributions()}
    return [
        f"{of.metadata['Name']}=={of.version.split('+')[0]}  # {licence(of)}"
        for name, of in sorted(found.items())
        if name not in NOT_OURS
    ]


if __name__ == "__main__":
    text = HEAD.format(*sys.version_info[:2]) + "\n".join(lines()) + "\n"
    LOCK.write_text(text, encoding="utf-8")
    print(LOCK)
