"""What `rlnas fidelity` says of the fidelities themselves."""

from __future__ import annotations

from collections.abc import Sequence

from rlnas.analysis.fidelity.measures import Agreement
from rlnas.analysis.text import aligned, number, plain


def text(name: str, caption: str, agreement: Sequence[Agreement]) -> str:
    lines = [["epochs", "seconds", "all", "best tenth", "best 1 % in its best 10 %"]]
    lines += [
        [str(one.epochs), number(one.seconds, digits=1), *map(plain, (one.all, one.best, one.kept))]
        for one in agreement[:-1]
    ]
    last = agreement[-1]
    return "\n".join([
        f"{name}: {caption}",
        f"Spearman's correlation of validation accuracy with that after {last.epochs} epochs "
        f"({last.seconds:,.1f} s), over {last.architectures:,} architectures [95 % bootstrap "
        "interval]; the best tenth by whole trainings.",
        "",
        aligned(lines, right=range(len(lines[0]))),
    ])  # fmt: skip


def rows(name: str, agreement: Sequence[Agreement]) -> list[dict]:
    """As lines of a CSV."""
    return [
        {
            "benchmark": name, "epochs": one.epochs, "architectures": one.architectures,
            "seconds_mean": one.seconds,
            **{
                f"{what}{end}": value
                for what, found in (
                    ("spearman", one.all), ("spearman_best_tenth", one.best),
                    ("best_hundredth_kept", one.kept),
                )
                for end, value in zip(("", "_low", "_high"), found, strict=True)
            },
        }
        for one in agreement
    ]  # fmt: skip
