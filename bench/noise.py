"""The noise policy of a benchmark: which of an architecture's trainings a look-up answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.arguments import shown, whole
from rlnas.bench.errors import UserError

NoiseLike = Any
"""A `Noise`, or its text."""


def unknown(found: object) -> UserError:
    return UserError(f"unknown noise policy {shown(found)}; expected mean, sample or repeat=i")


@dataclass(frozen=True)
class Noise:
    """`mean` over the repeats, one drawn with the key (`sample`), or always `repeat` number i.

    Static data of a benchmark: it decides what is traced. `str` gives the text that `parse` reads
    and that manifests hold.
    """

    kind: Any = "mean"
    """mean, sample or repeat."""
    repeat: Any = 0
    """Of kind `repeat` only: which one, from 0."""

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in ("mean", "sample", "repeat"):
            raise unknown(self.kind)
        object.__setattr__(self, "repeat", whole(self.repeat, "the repeat of a noise policy"))

    @classmethod
    def parse(cls, text: NoiseLike) -> Noise:
        """Of `mean`, `sample` or `repeat=i`; a `Noise` is returned as it is. Raises `UserError`."""
        if isinstance(text, Noise):
            return text
        if not isinstance(text, str):
            raise unknown(text)
        kind, equals, number = text.strip().partition("=")
        if kind == "repeat" and number.isdecimal():
            return cls("repeat", number)
        if equals or kind == "repeat":
            raise unknown(text)
        return cls(kind)

    def check(self, repeats: int, name: str) -> None:
        """`UserError` where benchmark `name`, of so many repeats, cannot answer so."""
        if self.kind == "repeat" and self.repeat >= repeats:
            raise UserError(
                f"noise policy '{self}', but {name} has {repeats} repeats; expected i below "
                f"{repeats}"
            )

    def __str__(self) -> str:
        return f"repeat={self.repeat}" if self.kind == "repeat" else self.kind


MEAN = Noise()
