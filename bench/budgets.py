"""Which training budgets a benchmark has. Light."""

from __future__ import annotations

from typing import NamedTuple

GOES_ON = "checkpoints of one training: to go on costs the difference"
APART = "each a training of its own: it costs the whole"

ESTIMATED = "what shorter ones took is not known: their share of the epochs"


class Budgets(NamedTuple):
    """What an agent knows of the fidelities before it asks. epochs: ascending; a fidelity is a
    place in it. continues: whether a longer training goes on with a shorter one. estimated: whether
    what shorter ones took is not known, and taken to be their share of the epochs."""

    epochs: tuple[int, ...]
    continues: bool = False
    estimated: bool = False

    @property
    def top(self) -> int:
        """The fidelity of the whole training."""
        return len(self.epochs) - 1

    @property
    def every_epoch(self) -> bool:
        """Whether they are the epochs of a learning curve, one after the other."""
        steps = {b - a for a, b in zip(self.epochs, self.epochs[1:], strict=False)}
        return len(self.epochs) > 4 and steps == {1}

    @property
    def caption(self) -> str:
        """As `rlnas bench info` says it."""
        if len(self.epochs) == 1:
            return f"{self.epochs[0]} epochs alone"
        listed = f"{self.epochs[0]} to {self.epochs[-1]}" if self.every_epoch else ", ".join(
            map(str, self.epochs)
        )  # fmt: skip
        guess = f"; {ESTIMATED}" if self.estimated else ""
        return f"{listed} epochs, {GOES_ON if self.continues else APART}{guess}"
