"""What is searched, and what a look at it costs: `load(name)` opens a benchmark, `names()` lists
them. Nothing heavy is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlnas.bench.errors import UserError
from rlnas.bench.family import families, family_of, load, load_fidelities, names
from rlnas.bench.jax_setup import pinned
from rlnas.bench.lazy import lazy
from rlnas.bench.noise import Noise

if TYPE_CHECKING:
    from rlnas.bench.benchmark import Benchmark, QueryResult, SearchSpace
    from rlnas.bench.check import check_benchmark
    from rlnas.bench.mdp import IncrementalMDP
    from rlnas.bench.rewards import Exponential, Linear
    from rlnas.bench.search_mdp import SearchMDP
    from rlnas.bench.table_benchmark import TableBenchmark

__all__ = [
    "Benchmark",
    "Exponential",
    "IncrementalMDP",
    "Linear",
    "Noise",
    "QueryResult",
    "SearchMDP",
    "SearchSpace",
    "TableBenchmark",
    "UserError",
    "check_benchmark",
    "families",
    "family_of",
    "load",
    "load_fidelities",
    "names",
    "pinned",
]

_LAZY = {
    "Benchmark": "benchmark",
    "Exponential": "rewards",
    "IncrementalMDP": "mdp",
    "Linear": "rewards",
    "QueryResult": "benchmark",
    "SearchMDP": "search_mdp",
    "SearchSpace": "benchmark",
    "TableBenchmark": "table_benchmark",
    "check_benchmark": "check",
}

__getattr__, __dir__ = lazy(__name__, _LAZY)
