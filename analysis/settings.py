"""What the options of many commands share: defaults, and checks. `UserError` names the option and
its range."""

from __future__ import annotations

from pathlib import Path

from rlnas.bench.errors import UserError
from rlnas.bench.files import folder_refusal, quoted

BASELINES = ("random_search", "random_walk", "local_search", "evolution")
"""The agents that a comparison has unless told otherwise."""


def check_at_least(least: int, what: str = "", **options: int) -> None:
    """options: values by the name of their field. what: said behind the number, e.g. " query"."""
    for name, value in options.items():
        if value < least:
            option = name.replace("_", "-")
            raise UserError(f"--{option} is {value}; expected at least {least}{what}")


def check_seed(seed: int, option: str = "seed") -> None:
    """A root of randomness is a 32-bit number."""
    if not 0 <= seed < 2**32:
        raise UserError(f"--{option} is {seed}; expected 0 to {2**32 - 1}")


def check_folder(out: Path) -> None:
    """A folder of results is a folder, or is not there yet."""
    if expected := folder_refusal(out):
        raise UserError(f"--out is {quoted(out)}; {expected}")
