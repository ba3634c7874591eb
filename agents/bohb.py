"""BOHB: Hyperband whose new architectures come from densities of good and of bad ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int8, Int32, Key

from rlnas.agents import kde
from rlnas.agents.brackets import Kind, Proposer, check_eta, hyperband, racing, rungs
from rlnas.agents.fidelity import FULL, Choice, FidelityAgent, at_full
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, Decisions, Indexed, QueryResult, SearchSpace
from rlnas.bench.decisions import decisions_of
from rlnas.bench.errors import UserError
from rlnas.bench.fidelity import Budgets


class Points(NamedTuple):
    """What was answered at each rung, the latest `points`. codes: the choices that build an
    architecture; vals: -inf where there was no value; total: how many there were."""

    codes: Int8[Array, "rungs points T"]
    vals: Float32[Array, "rungs points"]
    total: Int32[Array, " rungs"]


@dataclass(frozen=True)
class BOHB:
    """BOHB (Falkner et al. 2018, arXiv 1807.01774), with HpBandSter's settings.

    Brackets are those of `hyperband`. A new architecture is a uniform draw with probability
    `random`; else the best of `samples` that are drawn around good ones, by the ratio of two
    densities: of the best 15 % at a budget, and of the others, T + 1 at least of either, T the
    number of choices. The largest budget that has as many counts. Bandwidths are at least .3, as in
    the scripts for NAS-Bench-101 (HpBandSter's own default is .001).

    Ours: the variables are the choices that build an architecture (`decisions`), where the scripts
    have the published encoding; a choice that is not allowed is drawn among those that are; a
    candidate that a partial table lacks, or that the densities know, is replaced by a uniform draw;
    at most the latest `points` of a budget are known; a bandwidth is never wider than flat. Where
    there is one budget it is a TPE.
    """

    brackets: Kind = "hpbandster"
    """As of `hyperband`."""

    eta: float = 3.0
    """As of `hyperband`."""

    min_epochs: int = 0
    """As of `hyperband`."""

    random: float = 1 / 3
    """Share of uniform draws among new architectures."""

    samples: int = 64
    """Candidates drawn around good architectures."""

    top: int = 15
    """Percent of the answers at a budget that are good."""

    bandwidth: float = 0.3
    """The least."""

    points: int = 256
    """Answers at a budget that are remembered, the latest."""

    def __post_init__(self) -> None:
        check_eta("bohb", self.eta, self.min_epochs)
        if not 0 <= self.random <= 1:
            raise UserError(f"bohb has random={self.random}; expected 0 to 1")
        if not 0 < self.top < 100:
            raise UserError(f"bohb has top={self.top}; expected 1 to 99")
        if not 0 < self.bandwidth <= 1:
            raise UserError(f"bohb has bandwidth={self.bandwidth}; expected above 0, at most 1")
        for name, least in {"samples": 1, "points": 8}.items():
            if not least <= (value := getattr(self, name)) <= 4096:
                raise UserError(f"bohb has {name}={value}; expected {least} to 4,096")

    def build(self, space: SearchSpace) -> Agent:
        return at_full(self.build_for(space, FULL))

    def build_for(self, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
        ladder = rungs(budgets, self.eta, self.min_epochs)
        proposer = self.proposer(space, ladder)
        return racing(space, hyperband(ladder, self.eta, self.brackets), proposer)

    def proposer(self, space: SearchSpace, ladder: tuple[int, ...]) -> Proposer:
        sizes = np.array(decisions_of(space, "bohb").sizes, np.float32)
        steps = len(sizes)

        def init(key: Key[Array, ""]) -> Points:
            room = len(ladder), self.points
            return Points(
                jnp.zeros((*room, steps), jnp.int8),
                jnp.full(room, -jnp.inf, jnp.float32),
                jnp.zeros(len(ladder), jnp.int32),
            )

        def learn(points: Points, choice: Choice, result: QueryResult) -> Points:
            rung = jnp.searchsorted(jnp.asarray(ladder), choice.fidelity)
            at = points.total[rung] % self.points
            code = decisions_of(space, "bohb").sequence(choice.arch).astype(jnp.int8)
            val = jnp.where(result.valid, result.val, -jnp.inf).astype(jnp.float32)
            return Points(
                points.codes.at[rung, at].set(code),
                points.vals.at[rung, at].set(val),
                points.total.at[rung].add(1),
            )

        def propose(key: Key[Array, ""], points: Points, space: Any) -> Arch:
            luck_key, uniform_key, model_key = jax.random.split(key, 3)
            held = jnp.arange(self.points) < points.total[:, None]
            found = jax.vmap(lambda vals, used: kde.split(vals, used, steps, self.top))(
                points.vals, held
            )
            at = len(ladder) - 1 - jnp.argmax(found.there[::-1])  # the largest budget that can
            one = jax.tree.map(lambda x: x[at], found)
            modelled = found.there.any() & (
                jax.random.uniform(luck_key, (), jnp.float32) >= self.random
            )
            best = self.likeliest(model_key, space, points.codes[at], one, sizes)
            return jnp.where(modelled, best, space.sample(uniform_key))

        return Proposer(init, propose, learn, costly=True)

    def likeliest(
        self, key: Key[Array, ""], space: Any, codes: Any, split: kde.Split, sizes: kde.Sizes
    ) -> Arch:
        """Of candidates around good points, the one whose good density is largest beside the
        bad."""
        decisions, steps = decisions_of(space, "bohb"), len(sizes)
        widths = [kde.bandwidths(codes, which, sizes, self.bandwidth) for which in split[1:3]]
        pick_key, word_key, mend_key, other_key = jax.random.split(key, 4)
        luck = jax.random.uniform(pick_key, (self.samples,), jnp.float32)
        around = split.order[(luck * split.good.sum()).astype(jnp.int32)]
        words = jax.random.uniform(word_key, (2, self.samples, steps), jnp.float32)
        ranks = jax.random.uniform(mend_key, (self.samples, steps, int(sizes.max())), jnp.float32)

        def candidate(place: Any, stays: Any, which: Any, rank: Any) -> Arch:
            wanted = kde.perturbed((stays, which), codes[place], widths[0], sizes)
            return decisions.build(mended(decisions, wanted, rank))

        archs = jax.vmap(candidate)(around, words[0], words[1], ranks)
        others = jax.vmap(space.sample)(jax.random.split(other_key, self.samples))
        new = ~kde.among(jax.vmap(decisions.sequence)(archs), codes, split.good | split.bad)
        if isinstance(space, Indexed):
            new &= jax.vmap(space.index)(archs) >= 0
        archs = jnp.where(new.reshape(-1, *[1] * (archs.ndim - 1)), archs, others)
        at = jax.vmap(decisions.sequence)(archs)
        ours, theirs = (
            kde.log_density(at, codes, which, width, sizes)
            for which, width in zip(split[1:3], widths, strict=True)
        )
        return archs[jnp.argmax(ours - theirs)]


def mended(
    decisions: Decisions, wanted: Int32[Array, " T"], ranks: Float32[Array, "T K"]
) -> Int32[Array, " T"]:
    """`wanted`, a choice that may not follow those before replaced by the allowed one of the
    highest rank."""

    def choose(taken: Any, t: Any) -> tuple[Any, None]:
        allowed = decisions.allowed(taken, t)
        other = jnp.where(allowed, ranks[t], -1).argmax().astype(jnp.int32)
        return taken.at[t].set(jnp.where(allowed[wanted[t]], wanted[t], other)), None

    steps = jnp.arange(len(wanted), dtype=jnp.int32)
    return jax.lax.scan(choose, wanted, steps)[0]
