"""The words of a command line before it is parsed: some options decide what the others are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def words_of(options: Sequence[str]) -> list[str]:
    """All words; `--name=value` is two."""
    return [word for option in options for word in option.split("=", 1)]


def asked(options: Sequence[str]) -> dict[str, str]:
    """word -> the word behind it, so `["--name"]` is what the option is given."""
    return dict(pairwise(words_of(options)))
