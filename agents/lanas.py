"""LaNAS: a tree of linear splits that divides the space by what was answered, good from bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int8, Int32, Key

from rlnas.agents.occasional import when
from rlnas.agents.protocol import Agent
from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.memory import Memory


class Tree(NamedTuple):
    """Splits of a full binary tree, level after level: x goes to the good child, the first, where
    x . weights >= offset. weights: float32 [N, f]. offsets: float32 [N]."""

    weights: Float32[Array, "N f"]
    offsets: Float32[Array, " N"]


class State(NamedTuple):
    """codes: int8 [M, f], of the queries in `asked`. leaves: int32 [M], where they lie."""

    asked: Memory
    codes: Int8[Array, "M f"]
    leaves: Int32[Array, " M"]
    tree: Tree


@dataclass(frozen=True)
class LaNAS:
    """Latent-action NAS (Wang et al. 2019, arXiv 1906.06832; facebookresearch/LaMCTS).

    After some uniform draws a full binary tree is built on all answers: each node fits a linear
    regression to its architectures' encodings and sends those above its mean prediction to the good
    child. A leaf is chosen from the root by UCT, mean + 2 cp sqrt(2 ln N / n), and a random
    architecture in it is asked that was not asked before. Every so many answers the tree is built
    anew.

    As there: 10 draws, splits of 4 levels (31 nodes), 20 answers to a tree, cp = .1. Ours: ridge
    regression in closed form, where that code takes 20,000 steps of Adam (its loss' minimum is the
    plain regression); accuracies rescaled from the worst to the best seen, so that cp means the
    same on every table; the architecture is the first of `draws` uniform draws that lies in the
    leaf, else the one that agrees longest with the way to it, where that code scores the whole
    table, which a surrogate's space does not allow. An answer without a value counts as the worst.
    """

    initial: int = 10
    """Uniform draws before the first tree."""

    every: int = 20
    """Answers from one tree to the next."""

    levels: int = 4
    """Splits on the way to a leaf; there are 2^levels leaves."""

    cp: float = 0.1
    """Weight of exploration."""

    ridge: float = 1.0
    """Penalty of the squared weights."""

    draws: int = 256
    """Uniform draws that a query is chosen from."""

    memory: int = 512
    """Latest queries that trees are built on, and none of which is asked again."""

    def __post_init__(self) -> None:
        for name in ("initial", "every", "levels", "draws", "memory"):
            if (value := getattr(self, name)) < 1:
                raise UserError(f"lanas has {name}={value}; expected at least 1")
        if self.levels > 8:
            raise UserError(f"lanas has levels={self.levels}; expected at most 8, 256 leaves")
        if self.cp < 0 or self.ridge <= 0:
            raise UserError(
                f"lanas has cp={self.cp}, ridge={self.ridge}; expected cp from 0, ridge above 0"
            )

    def build(self, space: SearchSpace) -> Agent:
        def init(key: Key[Array, ""]) -> State:
            nodes, f = 2**self.levels - 1, space.num_features
            tree = Tree(jnp.zeros((nodes, f), jnp.float32), jnp.zeros(nodes, jnp.float32))
            codes = jnp.zeros((self.memory, f), jnp.int8)
            leaves = jnp.zeros(self.memory, jnp.int32)
            return State(memory.empty(space, self.memory), codes, leaves, tree)

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            asked, _, leaves, tree = state
            archs = jax.vmap(space.sample)(jax.random.split(key, self.draws))
            there = memory.held(asked)
            nodes, good = self.path(leaves, rescaled(asked.vals, there), there)
            codes = jax.vmap(space.encode)(archs).astype(jnp.float32)
            agrees = is_good(tree, codes, nodes) == good
            length = jnp.cumprod(agrees, axis=1).sum(1)
            known = jax.vmap(lambda arch: memory.knows(asked, arch))(archs)
            chosen = jnp.argmax(jnp.where(known, -1, length))
            return archs[jnp.where(asked.queries < self.initial, 0, chosen)], state

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            asked, codes, leaves, tree = state
            at = asked.queries % self.memory
            asked = memory.remember(asked, arch, result)
            code = space.encode(arch)
            codes = codes.at[at].set(code)
            leaves = leaves.at[at].set(self.leaf(tree, code.astype(jnp.float32)))
            there = memory.held(asked)
            since = asked.queries - self.initial
            due = (since >= 0) & (since % self.every == 0)
            shared = codes, rescaled(asked.vals, there), there
            tree, leaves = when(due, self.grown, (tree, leaves), shared)
            return State(asked, codes, leaves, tree)

        return Agent(init, ask, tell)

    def grown(
        self, _: tuple[Tree, Int32[Array, " M"]], told: tuple[Array, Array, Array]
    ) -> tuple[Tree, Int32[Array, " M"]]:
        """A new tree on codes, values and which of them are there; and the leaf of each."""
        codes, vals, there = told
        x = codes.astype(jnp.float32)
        inside = there[None]
        splits = []
        for _level in range(self.levels):
            split = Tree(*jax.vmap(lambda here: self.split(x, vals, here))(inside))
            good = (x @ split.weights.T >= split.offsets).T
            inside = jnp.stack([inside & good, inside & ~good], 1).reshape(-1, len(vals))
            splits.append(split)
        tree: Tree = jax.tree.map(lambda *parts: jnp.concatenate(parts), *splits)
        return tree, inside.argmax(0).astype(jnp.int32)

    def split(
        self, x: Float32[Array, "M f"], vals: Float32[Array, " M"], here: Bool[Array, " M"]
    ) -> tuple[Float32[Array, " f"], Float32[Array, ""]]:
        """Weights and offset: ridge regression on those that are `here`, at its mean prediction."""
        many = jnp.maximum(here.sum(), 1)
        centre = jnp.where(here[:, None], x, 0).sum(0) / many
        mean = jnp.where(here, vals, 0).sum() / many
        apart = jnp.where(here[:, None], x - centre, 0)
        square = apart.T @ apart + self.ridge * jnp.eye(x.shape[1])
        factor = jax.scipy.linalg.cho_factor(square, lower=True)
        weights = jax.scipy.linalg.cho_solve(factor, apart.T @ jnp.where(here, vals - mean, 0))
        return weights, weights @ centre

    def leaf(self, tree: Tree, code: Float32[Array, " f"]) -> Int32[Array, ""]:
        """The number of the leaf that an architecture lies in; 0 is good at every split."""
        bad = code @ tree.weights.T < tree.offsets
        node = jnp.int32(0)
        for level in range(self.levels):
            node = 2 * node + bad[2**level - 1 + node]
        return node

    def path(
        self, leaves: Int32[Array, " M"], vals: Float32[Array, " M"], there: Bool[Array, " M"]
    ) -> tuple[Int32[Array, " levels"], Bool[Array, " levels"]]:
        """The splits on the way to the leaf that UCT chooses, and whether it is good at each. A
        child without answers comes first, of equals the good one."""
        of_leaf = (leaves[:, None] == jnp.arange(2**self.levels)) & there[:, None]
        counts = of_leaf.sum(0).astype(jnp.float32)
        sums = jnp.where(there, vals, 0) @ of_leaf
        node, nodes, good = jnp.int32(0), [], []
        for level in range(self.levels):
            n, total = (x.reshape(2 ** (level + 1), -1).sum(1) for x in (counts, sums))
            pair = 2 * node + jnp.arange(2)
            above = jnp.log(jnp.maximum(n[pair].sum(), 1.0))
            seen = jnp.maximum(n[pair], 1.0)
            bound = total[pair] / seen + 2 * self.cp * jnp.sqrt(2 * above / seen)
            bad = jnp.argmax(jnp.where(n[pair] > 0, bound, jnp.inf)).astype(jnp.int32)
            nodes.append(2**level - 1 + node)
            good.append(bad == 0)
            node = 2 * node + bad
        return jnp.stack(nodes), jnp.stack(good)


def is_good(
    tree: Tree, codes: Float32[Array, "n f"], nodes: Int32[Array, " levels"]
) -> Bool[Array, "n levels"]:
    """Of each architecture, which of these splits would call it good."""
    return codes @ tree.weights[nodes].T >= tree.offsets[nodes]


def rescaled(vals: Float32[Array, " M"], there: Bool[Array, " M"]) -> Float32[Array, " M"]:
    """From the worst (0) to the best seen (1); without a value: 0, and where there is none."""
    known = there & jnp.isfinite(vals)
    low = jnp.where(known, vals, jnp.inf).min()
    high = jnp.where(known, vals, -jnp.inf).max()
    scaled = (vals - low) / jnp.maximum(high - low, 1e-6)
    return jnp.where(known, scaled, 0.0).astype(jnp.float32)
