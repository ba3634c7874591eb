"""The noise policy of a benchmark: which of an architecture's trainings a look-up answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.arguments import shown, whole
from rlnas.bench.errors import UserError

NoiseLike = Any
"""A `Noise`, or its text."""


def unknown(found: object) -> UserError:
    return UserError(
        f"unknown noise policy {shown(found)}; expected mean, sample or repeat=i; mean:i,j and "
        "sample:i,j for some of the repeats"
    )


@dataclass(frozen=True)
class Noise:
    """`mean` over the repeats, one drawn with the key (`sample`), or always `repeat` number i;
    `mean:0,2` and `sample:0,2` of these repeats only, which are then all that there is of the
    table: what is reported is of them, too.

    Static data of a benchmark: it decides what is traced. `str` gives the text that `parse` reads
    and that manifests hold.
    """

    kind: Any = "mean"
    """mean, sample or repeat."""
    repeat: Any = 0
    """Of kind `repeat` only: which one, from 0."""
    only: tuple[int, ...] = ()
    """Of the other kinds: the repeats, ascending; empty for all."""

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in ("mean", "sample", "repeat"):
            raise unknown(self.kind)
        object.__setattr__(self, "repeat", whole(self.repeat, "the repeat of a noise policy"))
        if list(self.only) != sorted(set(self.only)) or (self.only and self.kind == "repeat"):
            raise unknown(str(self))

    @classmethod
    def parse(cls, text: NoiseLike) -> Noise:
        """Of `mean`, `sample`, `repeat=i`, `mean:i,j` or `sample:i,j`; a `Noise` is returned as it
        is. Raises `UserError`."""
        if isinstance(text, Noise):
            return text
        if not isinstance(text, str):
            raise unknown(text)
        kind, colon, places = text.strip().partition(":")
        if colon and all(place.isdecimal() for place in places.split(",")):
            return cls(kind, only=tuple(map(int, places.split(","))))
        kind, equals, number = text.strip().partition("=")
        if kind == "repeat" and number.isdecimal():
            return cls("repeat", number)
        if equals or kind == "repeat":
            raise unknown(text)
        return cls(kind)

    def check(self, repeats: int, name: str) -> None:
        """`UserError` where benchmark `name`, of so many repeats, cannot answer so."""
        if max((self.repeat, *self.only)) >= repeats:
            raise UserError(
                f"noise policy '{self}', but {name} has {repeats} repeats; expected i below "
                f"{repeats}"
            )

    def __str__(self) -> str:
        if self.kind == "repeat":
            return f"repeat={self.repeat}"
        return self.kind + (f":{','.join(map(str, self.only))}" if self.only else "")


MEAN = Noise()
