"""Thousands of damaged, edited and hostile files of every format: prints what came of each kind.

python tests/soak_fuzz.py [INPUTS OF EACH KIND = 150] [SEED = 0] [KINDS ...]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from fuzz_kinds import OWN
from fuzz_models import MODELS
from fuzz_tables import IMAGES, TABLES
from fuzzing import attack

WIDTHS = (8, 9, 11, 10, 7)


def main(inputs: str = "150", seed: str = "0", *names: str) -> int:
    every = (*OWN, *MODELS, *TABLES, *IMAGES)
    line("kind", ("inputs", "refused", "as before", "accepted", "wrong"))
    total, wrong, started = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for kind in (kind for kind in every if not names or kind.name in names):
            found = attack(kind, int(inputs), int(seed), Path(scratch) / "scratch")
            bad = len(found.wrong)
            line(kind.name, (inputs, found.refused, found.same, found.accepted, bad))
            print("".join(f"    {said}\n" for said in found.wrong), end="", flush=True)
            total, wrong = total + int(inputs), wrong + bad
    print(f"{total:,} inputs, {wrong} wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def line(name: str, cells: tuple[object, ...]) -> None:
    print(f"{name:26}" + "".join(f"{x!s:>{w}}" for x, w in zip(cells, WIDTHS, strict=True)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
