"""Tables of predicted values are to rehearse on: they are searched where that is asked for, and
whatever shows numbers of them says that they are no benchmark. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.values import NOT_A_BENCHMARK, PREDICTED


def check_rehearsal(benchmark: Any, asked: bool) -> None:
    """`UserError` for a table of predictions, unless `--rehearsal` was given."""
    if is_rehearsal(benchmark.describe()) and not asked:
        raise UserError(
            f"{benchmark.name} is {NOT_A_BENCHMARK}: its values are predicted; --rehearsal takes "
            "it all the same, and says so in figure and table"
        )


def is_rehearsal(facts: Mapping[str, Any]) -> bool:
    """facts: of a benchmark's `describe`, as manifests keep them."""
    return facts.get("values") == str(PREDICTED)


def called(facts: Mapping[str, Any]) -> str:
    """The name of a benchmark in titles and tables."""
    return f"{facts.get('name')}{f' ({NOT_A_BENCHMARK})' if is_rehearsal(facts) else ''}"
