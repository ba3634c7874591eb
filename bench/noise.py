"""The noise policy of a benchmark: which of an architecture's trainings a look-up answers with."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas.bench.errors import UserError


def unknown(text: str) -> UserError:
    return UserError(f"unknown noise policy {text!r}; expected mean, sample or repeat=i")


@dataclass(frozen=True)
class Noise:
    """`mean` over the repeats, one drawn with the key (`sample`), or always `repeat` number i.

    Static data of a benchmark: it decides what is traced. `str` gives the text that `parse` reads
    and that manifests hold.
    """

    kind: str = "mean"
    """mean, sample or repeat."""
    repeat: int = 0
    """Of kind `repeat` only: which one, from 0."""

    def __post_init__(self) -> None:
        if self.kind not in ("mean", "sample", "repeat") or self.repeat < 0:
            raise unknown(self.kind)

    @classmethod
    def parse(cls, text: str | Noise) -> Noise:
        """Of `mean`, `sample` or `repeat=i`; a `Noise` is returned as it is. Raises `UserError`."""
        if isinstance(text, Noise):
            return text
        kind, _, number = text.partition("=")
        if text in ("mean", "sample"):
            return cls(text)
        if kind != "repeat" or not number.isdecimal():
            raise unknown(text)
        return cls("repeat", int(number))

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
