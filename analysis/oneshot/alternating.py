"""ENAS: the controller and the shared weights, trained by turns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.enas_controller import EnasController
from rlnas.agents.policy import draw
from rlnas.analysis.oneshot.choices import Found
from rlnas.bench import keys
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import supernet, supernet_training
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.space import CellSpace
from rlnas.bench.nb101.supernet_training import HINT, Schedule, Training
from rlnas.bench.retrain.datasets import Dataset

FORMAT = "rlnas-enas-1"
VAL_IMAGES = 160  # a reward is the accuracy on so many, as in ENAS


@dataclass(frozen=True)
class Turns:
    """schedule: of the shared weights. controller_steps: updates of the controller after every
    epoch of them. samples: cells drawn from it at the end."""

    schedule: Schedule
    controller_steps: int
    samples: int


class Search:
    """One search under way; all is drawn from `seed`.

    Every epoch trains the shared weights on cells that the controller draws, one a batch; then the
    controller learns by REINFORCE (`rlnas.agents.enas_controller`, whose batches of 10 these are)
    from each cell's accuracy on one minibatch of validation images. Ours: batch norms take the
    minibatch's own statistics.
    """

    def __init__(
        self,
        space: CellSpace,
        cells: Sequence[Cell],
        dataset: Dataset,
        recipe: Recipe,
        turns: Turns,
        seed: int,
    ) -> None:
        self.cells, self.dataset, self.turns, self.seed = cells, dataset, turns, seed
        most = max(cell.num_vertices for cell in cells)
        self.training = Training(dataset, recipe, turns.schedule, most, seed)
        config = EnasController()
        agent, policy = config.build(space), config.controller(space)
        self.batch = config.batch
        self.key = keys.root(seed, "search")
        self.state = agent.init(jax.random.fold_in(self.key, 0))
        self.ask, self.tell = jax.jit(agent.ask), jax.jit(agent.tell)
        self.rewards = np.zeros(0, np.float32)
        self.seconds = np.zeros(2)

        def cells_of(params: Any, key: Any, count: int) -> Any:
            one = lambda key: policy.decisions.build(draw(policy, params, key).taken)  # noqa: E731
            return jax.vmap(one)(jax.random.split(key, count))

        self._cells_of = jax.jit(cells_of, static_argnums=2)
        self.identity = {
            "format": FORMAT,
            "cells": hashlib.sha256(repr(list(cells)).encode()).hexdigest(),
            "seed": seed,
            "recipe": asdict(recipe),
            "turns": asdict(turns),
        }

    def drawn(self, count: int, purpose: int) -> np.ndarray:
        """[count]: places of cells drawn from the controller as it is. purpose: a key each."""
        key = jax.random.fold_in(self.key, purpose)
        return np.asarray(self._cells_of(self.state.learner.params, key, count))

    def epoch(self) -> None:
        """The shared weights, then the controller."""
        done, schedule = self.training.done.epoch, self.turns.schedule
        start = process_time()
        places = iter(self.drawn(schedule.steps, 2 * done + 2).tolist())
        self.training.epoch(lambda: [self.cells[next(places)]])
        turn = process_time()
        key = jax.random.fold_in(self.key, 2 * done + 3)
        rewards = []
        batches = self.training.minibatches(self.dataset.val, VAL_IMAGES)
        for ask_key in jax.random.split(key, self.turns.controller_steps * self.batch):
            place, self.state = self.ask(ask_key, self.state)
            rewards.append(self.training.accuracy_on(next(batches), self.cells[int(place)]))
            unknown, none = jnp.float32(jnp.nan), jnp.float32(0)
            result = QueryResult(jnp.float32(rewards[-1]), unknown, none, jnp.bool_(True))
            self.state = self.tell(self.state, place, result)
        self.rewards = np.append(self.rewards, np.float32(np.mean(rewards)))
        self.seconds = self.seconds + np.array([turn - start, process_time() - turn])

    def finish(self) -> Found:
        """Draw the last cells and score them."""
        start = process_time()
        places = self.drawn(self.turns.samples, 1)
        some = [self.cells[place] for place in places.tolist()]
        accuracy, loss = supernet.score(self.training.net, some, self.dataset)
        seconds = np.append(self.seconds, process_time() - start)
        return Found(places, accuracy, loss, self.rewards, seconds)

    # --- storing and going on --------------------------------------------------------------------

    def write(self, path: Path) -> None:
        """All of it between two epochs."""
        tensors: dict[str, Any] = self.training.state() | {
            f"controller/{i}": np.array(leaf) for i, leaf in enumerate(jax.tree.leaves(self.state))
        }
        tensors |= {"rewards": self.rewards, "seconds": self.seconds}
        supernet_training.write(path, self.identity, tensors, self.training.done)

    def read(self, path: Path) -> None:
        """Go on from what `write` wrote; `UserError` for another search's."""
        tensors, done = supernet_training.read(path, self.identity)
        leaves, shape = jax.tree.flatten(self.state)
        names = [f"controller/{i}" for i in range(len(leaves))]
        shapes = {name: leaf.shape for name, leaf in zip(names, leaves, strict=True)}
        shapes["rewards"] = (done.epoch,)
        if shapes != {name: tuple(tensors[name].shape) for name in shapes if name in tensors}:
            raise UserError(f"{path} holds another controller; {HINT}")
        self.training.restore(tensors, done, path)
        self.state = jax.tree.unflatten(
            shape,
            [jnp.asarray(tensors[n].numpy(), x.dtype) for n, x in zip(names, leaves, strict=True)],
        )
        self.rewards = tensors["rewards"].numpy()
        self.seconds = tensors["seconds"].numpy()
