"""What a search has to cross: how rugged a benchmark is, where its local optima lie, what its
rewards look like.

Random walks and sampled moves work on any search space. Optima, basins and ranks need every value
and every neighbour list, so a `Listed` space; an architecture's number is called its row. A
look-up without a value (NaN) is no cell of the landscape: it is nobody's optimum, step or reward,
but walks go through it.
"""

from __future__ import annotations

from rlnas.bench.landscape.component import largest_component
from rlnas.bench.landscape.map import principal_components
from rlnas.bench.landscape.optima import (
    Ascent,
    Optima,
    RankProfile,
    local_optima,
    rank_profile,
    ranks,
    steepest_ascent,
)
from rlnas.bench.landscape.rewards import (
    REWARD_EDGES,
    Moves,
    RewardProfile,
    all_moves,
    moves_of,
    reward_profile,
    sampled_moves,
    shaped_rewards,
)
from rlnas.bench.landscape.walks import (
    Autocorrelation,
    autocorrelation,
    correlation_length,
    random_walks,
)
from rlnas.bench.lists import best_neighbours, lists_of, over_rows, values_of

__all__ = [
    "REWARD_EDGES",
    "Ascent",
    "Autocorrelation",
    "Moves",
    "Optima",
    "RankProfile",
    "RewardProfile",
    "all_moves",
    "autocorrelation",
    "best_neighbours",
    "correlation_length",
    "largest_component",
    "lists_of",
    "local_optima",
    "moves_of",
    "over_rows",
    "principal_components",
    "random_walks",
    "rank_profile",
    "ranks",
    "reward_profile",
    "sampled_moves",
    "shaped_rewards",
    "steepest_ascent",
    "values_of",
]
