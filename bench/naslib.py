"""How NASLib's files (NAS-Bench-Suite-Zero: proxies with accuracies) name architectures."""

from __future__ import annotations

from collections.abc import Mapping

from rlnas.bench.errors import UserError

NB101_OPS = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
DARTS_OPS = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3",
    "dil_conv_5x5",
)  # fmt: skip
WAYS = (("arch",), ("adjacency", "ops"), ("normal", "reduce"))
"""Columns that say which architecture a line is: a text that the space reads, or NASLib's for
NAS-Bench-101 and for DARTS."""


def text_of(row: Mapping[str, str]) -> str:
    """The text that a space reads, of a line with the columns of one of `WAYS`. `UserError`."""
    try:
        if "arch" in row:
            return row["arch"]
        if "adjacency" in row:
            return _cell(row["adjacency"], row["ops"])
        return ",".join(_half(row[name]) for name in ("normal", "reduce"))
    except (ValueError, IndexError):
        raise UserError(f"it is no architecture as NASLib writes it: {dict(row)}") from None


def _cell(adjacency: str, ops: str) -> str:
    names = [NB101_OPS[int(op)] for op in ops.split()]
    n = len(names)
    if len(adjacency) != n * n:
        raise ValueError
    bits = "".join(adjacency[x * n + y] for x in range(n) for y in range(x + 1, n))
    return f"{bits} {','.join(names)}"


def _half(edges: str) -> str:
    pairs = [edge.split(":") for edge in edges.split()]
    return "|".join(f"{int(source)}:{DARTS_OPS[int(op)]}" for source, op in pairs)
