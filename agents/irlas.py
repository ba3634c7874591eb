"""IRLAS: BlockQNN that is also rewarded for the topology of a cell made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from rlnas.agents import apprenticeship
from rlnas.agents.blockqnn import BlockQNN
from rlnas.agents.protocol import History
from rlnas.bench import exemplars
from rlnas.bench.benchmark import Benchmark, Decisions, Listed
from rlnas.bench.bounds import Within
from rlnas.bench.connected import moves_from
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class IRLAS(BlockQNN):
    """IRLAS (Guo et al. 2019, arXiv 1812.05285): BlockQNN with a mirror stimuli function, a reward
    for each choice that says how alike the expert's the topology becomes; the accuracy is learned
    from as before.

    From the paper: the reward is linear in features of a state (type, kernel and predecessors of a
    layer), learned by inverse reinforcement learning so that the expert's feature counts are
    matched. No code of it could be had. Ours: one-hot features of each layer; Abbeel and Ng's
    projection method (2004, `rlnas.agents.apprenticeship`), before the search and without a
    training; the scale; experts that fit the spaces (the paper's is a ResNeXt). weight=0 is
    `blockqnn`.
    """

    expert: str = "resnet"
    """`resnet` (convolutions in a chain and an edge past them), `inception` (branches side by
    side), or the text of a cell."""

    weight: Annotated[float, Within(0, 1000)] = 0.1
    """What the expert's whole topology is worth, as accuracy (a fraction), above uniform
    choices."""

    discount: Annotated[float, Within(0, 1)] = 0.97
    """Of the feature counts, a step."""

    def stimuli(self, decisions: Decisions) -> Float32[np.ndarray, "T K"] | None:
        taken = exemplars.spelled(decisions, self.expert, "irlas")
        if not self.weight:
            return None
        words = decisions.words  # type: ignore[attr-defined]  # `spelled` has asked
        each = apprenticeship.stimuli(decisions, taken, words, self.discount)
        return np.float32(self.weight) * each

    def remarks(
        self, benchmark: Benchmark, keys: Key[Array, " seeds"], history: History
    ) -> tuple[str, ...]:
        """Also how near the expert it asks."""
        said = super().remarks(benchmark, keys, history)
        moves = moves_to_expert(benchmark, self.expert, history.arch)
        if moves is None:
            return said
        known = np.isfinite(moves)
        many = max(1, moves.shape[1] // 10)
        first, last = (
            float(moves[:, part][known[:, part]].mean())
            for part in (slice(None, many), slice(-many, None))
        )
        what = f"its expert ({self.expert}) is {first:.2f} edits away from what it asks in the"
        return (*said, f"{what} first tenth of a search, {last:.2f} in the last (means)")


def moves_to_expert(benchmark: Any, expert: str, archs: Any) -> Any:
    """float [seeds, budget]: edits (moves between neighbours) from the expert to architectures, NaN
    where there is no way or no number; None where the space lists no neighbours, or lacks it."""
    space = benchmark.space
    if not isinstance(space, Listed):
        return None
    try:
        taken = exemplars.spelled(space.decisions, expert, "irlas")  # type: ignore[attr-defined]
    except UserError:
        return None
    number = jax.jit(jax.vmap(space.index))
    start = int(space.index(space.decisions.build(jnp.array(taken))))  # type: ignore[attr-defined]
    if start < 0:
        return None
    moves = moves_from(np.asarray(space.offsets), np.asarray(space.flat), start)
    archs = jnp.asarray(archs)
    numbers = np.asarray(number(archs.reshape(-1, *archs.shape[2:])))
    return np.where(numbers < 0, np.nan, moves[numbers]).reshape(archs.shape[:2])
