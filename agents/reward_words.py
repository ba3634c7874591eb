"""Rewards as words of a command line: `name:key=value,...`, in the grammar of agents."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from rlnas.agents.spec import options
from rlnas.bench import arguments
from rlnas.bench.errors import UserError
from rlnas.bench.objective_rewards import REWARDS, Reward
from rlnas.bench.with_objectives import WithObjectives, with_objectives


def parse_reward(word: str) -> tuple[str, Reward]:
    """(name, reward) of a word such as `mnasnet:objective=params,target=1e6`. `UserError`, naming
    what would be valid."""
    name, _, text = arguments.text(word, "a reward").partition(":")
    name = name.strip()
    if name not in REWARDS:
        near = difflib.get_close_matches(name, REWARDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"no reward {name!r}; expected one of {', '.join(REWARDS)}{hint}")
    try:
        reward: Reward = REWARDS[name](**options(REWARDS[name], text))
    except UserError as error:
        raise UserError(f"reward {word!r}: {error}") from None
    return name, reward


def asked_for(benchmark: Any, objectives: Sequence[str], word: str = "") -> WithObjectives:
    """`benchmark`, asked for objectives by name, and searched for the reward that a word stands
    for, if there is one. `UserError`."""
    name, reward = parse_reward(word) if word else ("", None)
    return with_objectives(benchmark, objectives, reward, name)
