"""What is known of a space before a search: how other benchmarks, or trained agents, rank it.

A source is a benchmark over the same architectures, every value of it looked up beforehand, or the
folder of a trained agent whose scores do not depend on answers. An agent takes `values(space)`: a
source's ranking in normal scores, whatever its values are.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float32, Int32

from rlnas import bench
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.learner import View
from rlnas.bench.benchmark import Indexed, SearchSpace, numbers_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import expanded
from rlnas.bench.jax_setup import pinned
from rlnas.bench.lists import values_of

LIMIT = 1 << 20
"""Spaces up to this size can have a prior: every architecture's value is in memory."""
VIEWS = 64
"""Views of a trained agent that are scored together."""

Kind = tuple[str, int, int]
"""Equal for spaces whose numbers mean the same: the class, the length of an encoding, and the size;
0 where a space may be a part of a larger one."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Known:
    """What sources say, arrays to be traced. numbers: int32 [n] each, ascending, of architectures
    in the whole space (`numbers_of`). values: float32 [n] each, NaN where there is none; their
    order alone counts. kind: of the space."""

    numbers: tuple[Int32[Array, " _n"], ...]
    values_there: tuple[Float32[Array, " _n"], ...]
    kind: Kind = field(metadata={"static": True})

    def values(self, space: SearchSpace) -> Float32[Array, "sources size"]:
        """Each source's ranking of the architectures of `space`, in its order, as normal scores: 0
        is the median, and what is unknown to the source. `UserError` for another space."""
        if (here := kind_of(space)) != self.kind:
            raise UserError(
                f"the prior is about {said(self.kind)}, and this search about {said(here)}; "
                "expected sources over the same architectures"
            )
        there: Any = space
        own = there.rows if is_part(space) else jnp.arange(space.size)
        return jnp.stack(
            [
                normal_scores(matched(numbers, values, own.astype(jnp.int32)))
                for numbers, values in zip(self.numbers, self.values_there, strict=True)
            ]
        )


@dataclass(frozen=True, eq=False)
class Source:
    """One source. sha256: of its file, or of all that decides a trained agent's searches. lookups:
    how many accuracies it took. numbers, values: see `Known`."""

    name: str
    sha256: str
    lookups: int
    kind: Kind
    numbers: Int32[np.ndarray, " n"]
    values: Float32[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Prior:
    """All sources of a text, over one space."""

    sources: tuple[Source, ...]

    @cached_property
    def identity(self) -> list[dict[str, str]]:
        """JSON-ready: the names, the sources' sha256, and that of what was made of them."""
        return [
            {
                "name": source.name,
                "sha256": source.sha256,
                "values": hashlib.sha256(
                    source.numbers.tobytes() + source.values.tobytes()
                ).hexdigest(),
            }
            for source in self.sources
        ]

    @property
    def pretraining(self) -> dict[str, Any]:
        """See `rlnas.agents.protocol.Pretrained`."""
        return {
            "lookups": sum(source.lookups for source in self.sources),
            "how": "knows",
            "trained_on": " and ".join(source.name for source in self.sources),
        }

    @cached_property
    def known(self) -> Known:
        """The arrays."""
        return Known(
            tuple(jnp.asarray(source.numbers) for source in self.sources),
            tuple(jnp.asarray(source.values) for source in self.sources),
            self.sources[0].kind,
        )


class WithPrior:
    """Settings of an agent, a dataclass with the field `prior`: a text for `resolve`, "" for none.
    Its `build(space, known)` takes a `Known`, or None where there is no prior."""

    prior: str

    def identity(self) -> dict[str, Any]:
        """The options, and the sources' sha256."""
        sources = {"sources": resolve(self.prior).identity} if self.prior else {}
        return asdict(cast(Any, self)) | sources

    def parts(self) -> tuple[Any, Any]:
        """The options without the sources' names, and what the sources say."""
        if not self.prior:
            return self, None
        return replace(cast(Any, self), prior=""), resolve(self.prior).known

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """What the sources took, and what they are; None without."""
        return resolve(self.prior).pretraining if self.prior else None

    def unseen(self, benchmark: Any, archs: np.ndarray) -> None:
        """Unknown: the sources' values are of other trainings."""


@pinned()
def resolve(text: str) -> Prior:
    """The sources of `SOURCE,SOURCE,...`, each a benchmark as `rlnas.bench.load` takes it or the
    folder of a training. `UserError` for one that is neither, twice the same, and for those of
    different or too large spaces."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not word or words.count(word) > 1:
            raise UserError(f"found prior={text!r}; expected different sources, a comma between")
    sources = tuple(source_of(word) for word in words)
    for source in sources:
        if source.kind != sources[0].kind:
            raise UserError(
                f"{sources[0].name} is about {said(sources[0].kind)}, and {source.name} about "
                f"{said(source.kind)}; expected sources over the same architectures"
            )
    return Prior(sources)


def source_of(word: str) -> Source:
    folder = Path(expanded(word))
    return of_training(folder) if folder.is_dir() else of_benchmark(word)


def of_benchmark(word: str) -> Source:
    """Its mean validation values at its largest training budget."""

    there = bench.load(word)
    facts = there.describe()
    return benchmark_source(there, str(facts["name"]), str(facts.get("sha256", "")))


def benchmark_source(benchmark: Any, name: str, sha256: str) -> Source:
    """Every value of a benchmark; each is a look-up."""

    kind, numbers = kind_of(benchmark.space), numbers_of(benchmark.space)
    values = np.asarray(values_of(benchmark)[0], np.float32)
    assert numbers is not None  # it has a kind
    return Source(
        name, sha256, int((~np.isnan(values)).sum()), kind, numbers.astype(np.int32), values
    )


_trained: dict[str, Source] = {}


def of_training(folder: Path) -> Source:
    """What a trained agent thinks of each architecture of the benchmark it was trained on: its
    score for moving there, mean over the views of all architectures (each with the neighbours that
    training would draw for it) in which it is a neighbour. Ours; only for agents that do not look
    at answers. Worked out once a process."""

    saved = Checkpoint.load(folder)
    if saved.settings.remembers:
        raise UserError(
            f"the agent in {folder} scores by the answers of a search; expected a benchmark, or "
            "the training of one that scores architectures alone"
        )
    if saved.sha256 not in _trained:
        space = bench.load(saved.facts["benchmark"]["name"]).space
        kind, numbers = kind_of(space), numbers_of(space)
        assert numbers is not None
        values = scores_of(saved.settings, saved.params, space)
        before = saved.pretraining
        _trained[saved.sha256] = Source(
            f"{saved.agent} trained on {before['trained_on']}",
            saved.sha256,
            int(before["lookups"]),
            kind,
            numbers.astype(np.int32),
            values,
        )
    return _trained[saved.sha256]


def scores_of(learner: Any, params: Any, space: Any) -> Float32[np.ndarray, " size"]:
    """A blind learner's mean score of moving to each architecture; NaN for what no view shows."""
    slots, total, count = learner.neighbours, np.zeros(space.size), np.zeros(space.size)
    keys = jax.random.split(jax.random.key(0), space.size)
    look = jax.jit(partial(_looked, learner, slots))
    for start in range(0, space.size, VIEWS):
        # The last ones again, rather than another shape to compile.
        rows = np.minimum(np.arange(start, start + VIEWS), space.size - 1)
        to, scores, real = map(np.asarray, look(space, params, jnp.asarray(rows), keys[rows]))
        real = real & (np.arange(start, start + VIEWS) < space.size)[:, None]
        np.add.at(total, to[real], scores[real])
        np.add.at(count, to[real], 1)
    with np.errstate(invalid="ignore"):
        return (total / np.where(count > 0, count, np.nan)).astype(np.float32)


def _looked(learner: Any, slots: int, space: Any, params: Any, rows: Any, keys: Any) -> Any:
    """Views of architectures number `rows`: the numbers of their neighbours, the scores, which of
    them are real; [rows, slots] each."""

    def view(row: Any, key: Any) -> View:
        arch = space.at(row)
        near, real = space.neighbours(key, arch, slots)
        return View(jnp.concatenate([arch[None], near]), jnp.append(True, real))

    views = jax.vmap(view)(rows.astype(jnp.int32), keys)
    scores = learner.score(space, params, views)[:, :slots]
    to = jax.vmap(jax.vmap(space.index))(views.archs[:, 1:])
    return to, scores, views.mask[:, 1:] & (to >= 0)


def kind_of(space: Any) -> Kind:
    """`UserError` for a space whose architectures have no numbers, or too many."""
    if not isinstance(space, Indexed) or space.size > LIMIT:
        raise UserError(
            f"found a space ({type(space).__module__}) whose architectures are not numbered, or "
            f"more than {LIMIT:,}, where a prior has a value for each; expected a table"
        )
    there: Any = space
    kind = type(there)
    size = 0 if is_part(there) else int(there.size)
    return f"{kind.__module__}.{kind.__qualname__}", int(there.num_features), size


def is_part(space: Any) -> bool:
    """As `isinstance(space, Part)`, which would ask for its `whole`: not to be had from arrays that
    are traced."""
    return hasattr(type(space), "whole")


def said(kind: Kind) -> str:
    name, _, size = kind
    return f"{size:,} architectures of {name}" if size else f"architectures of {name}"


def matched(
    numbers: Int32[Array, " n"], values: Float32[Array, " n"], own: Int32[Array, " size"]
) -> Float32[Array, " size"]:
    """Values by number; NaN where a source lacks one of `own`."""
    at = jnp.minimum(jnp.searchsorted(numbers, own), len(numbers) - 1)
    return jnp.where(numbers[at] == own, values[at], jnp.nan)


def normal_scores(values: Float32[Array, " n"]) -> Float32[Array, " n"]:
    """Ranks as quantiles of the normal distribution, equal values with equal rank; 0 for NaN. (As
    those of `gaussian_process`, by sorting: there are many.)"""
    there = ~jnp.isnan(values)
    ordered = jnp.sort(jnp.where(there, values, jnp.inf))
    below, upto = (jnp.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    share = (below + upto) / (2 * jnp.maximum(there.sum(), 1).astype(jnp.float32))
    return jnp.where(there, norm.ppf(jnp.where(there, share, 0.5)), 0.0).astype(jnp.float32)
