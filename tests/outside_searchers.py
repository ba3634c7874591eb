"""Searchers that know nothing of JAX, for tests/test_bridge.py and the contract; the module is
imported by worker processes."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax


class Draws:
    """Uniform choices."""

    def __init__(self, problem: Any, seed: int) -> None:
        self.sizes, self.random = problem.sizes, random.Random(seed)

    def ask(self) -> list[int]:
        return [self.random.randrange(size) for size in self.sizes]

    def tell(self, choices: Sequence[int], value: float | None) -> None:
        pass


class Replay:
    """The draws of `random_search`."""

    def __init__(self, problem: Any, seed: int) -> None:
        _, key = jax.random.split(problem.key)
        self.keys = iter(jax.random.split(key, 100))
        decisions, sample = problem.decisions, problem.space.sample
        self.draw = jax.jit(lambda key: decisions.sequence(sample(jax.random.split(key)[0])))

    def ask(self) -> Any:
        return self.draw(next(self.keys))

    def tell(self, choices: Sequence[int], value: float | None) -> None:
        pass


def stepping(problem: Any, seed: int, step: int = 1, last: int | None = None) -> Iterator[Any]:
    """A generator: an odometer over all choices; LOG has what it was sent."""
    number = seed % 100
    while last is None or number < last:
        rest, choices = number, []
        for size in problem.sizes:
            choices.append(rest % size)
            rest //= size
        LOG.append((choices, (yield choices)))
        number += step


LOG: list[Any] = []


class Counted(Draws):
    """Leaves a line a run in `file`; dies in the third one while there is no file `spared`."""

    def __init__(self, problem: Any, seed: int, file: str, spared: str) -> None:
        super().__init__(problem, seed)
        with Path(file).open("a") as log:
            log.write(f"{seed} {os.getpid()}\n")
        runs = len(Path(file).read_text().splitlines())
        self.dies = runs == 3 and not Path(spared).exists()

    def ask(self) -> list[int]:
        if self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().ask()


class Faulty(Draws):
    """Asks for what `what` says."""

    def __init__(self, problem: Any, seed: int, what: str) -> None:
        super().__init__(problem, seed)
        good = self.sizes
        self.answers: dict[str, Any] = {
            "short": [0],
            "large": [good[0], *[0] * (len(good) - 1)],
            "negative": [*[0] * (len(good) - 1), -1],
            "fraction": [0.5] * len(good),
            "ragged": [[0], 0],
            "nothing": None,
        }
        self.what = what

    def ask(self) -> Any:
        return self.answers[self.what]


def nobody(problem: Any, seed: int) -> str:
    return "nobody"


NUMBER = 3
