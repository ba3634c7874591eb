"""What the values of a table are: single trainings, means or maxima of several, or predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError

KINDS = {"single": "a single training", "mean": "the mean", "max": "the maximum"}
NOT_A_BENCHMARK = "NOT A BENCHMARK"


@dataclass(frozen=True)
class Values:
    """kind: single, mean, max or predicted. of: so many trainings; None: unknown, or single."""

    kind: str = "single"
    of: int | None = None

    @classmethod
    def parse(cls, text: str) -> Values:
        """Of `single`, `mean`, `max`, `mean-of-3`, `max-of-3`, `predicted`. Raises `UserError`."""
        match = re.fullmatch(r"(single|predicted)|(mean|max)(?:-of-([1-9]\d{0,3}))?", text)
        if not match or match[3] == "1":
            raise UserError(
                f"found values {shown(text)}; expected single, mean-of-N or max-of-N, N trainings, "
                "or predicted"
            )
        return cls(match[1] or match[2], int(match[3]) if match[3] else None)

    def __str__(self) -> str:
        return self.kind if self.of is None else f"{self.kind}-of-{self.of}"

    @property
    def caption(self) -> str:
        """For captions: a maximum is above what one training reaches."""
        if self.kind == "predicted":
            return f"{NOT_A_BENCHMARK}: where there was no training, the value is predicted"
        if self.kind == "single":
            return f"each value is {KINDS['single']}"
        several = f"{self.of} trainings" if self.of else "several trainings"
        optimistic = ", which is optimistic" if self.kind == "max" else ""
        return f"each value is {KINDS[self.kind]} of {several}{optimistic}"


SINGLE, PREDICTED = Values(), Values("predicted")


def by_budget(words: Sequence[str]) -> dict[int | None, Values]:
    """What `--values` says: budget in epochs (None: all others) -> values. words: `max-of-3`, or
    `108=max-of-3` for one budget. Raises `UserError`."""
    found: dict[int | None, Values] = {}
    for word in words:
        budget, equals, text = word.rpartition("=")
        if equals and not budget.isdecimal():
            raise UserError(f"--values {word}: expected e.g. max-of-3, or 108=max-of-3")
        epochs = int(budget) if equals else None
        if epochs in found:
            raise UserError(f"--values {word}: said twice of the same budget; expected once")
        found[epochs] = Values.parse(text)
    return found


def check_budgets(
    declared: Mapping[int | None, Values], budgets: Sequence[int], path: Path
) -> None:
    """`UserError` where values of a budget are declared that the file does not have."""
    unknown = declared.keys() - {None, *budgets}
    if unknown:
        raise UserError(
            f"--values {unknown.pop()}=...: {path} has no such budget; expected one of "
            f"{', '.join(map(str, sorted(set(budgets))))}"
        )
