"""AlphaX: Monte-Carlo tree search over the choices that build an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, Key

from rlnas.agents.gumbel import planned
from rlnas.agents.predictor import Known, Predictor
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.decisions import complete, decisions_of
from rlnas.bench.errors import UserError

Planner = Literal["uct", "gumbel"]


class Tree(NamedTuple):
    """Beginnings of architectures; node 0 is the empty one. children: int32 [C, K], the node behind
    each choice, -1 where there is none. visits, values: [C], how often a node was on the way, and
    the mean of what came of it. closed: [C], whether all that it may become was asked. size: how
    many nodes there are."""

    children: Int32[Array, "C K"]
    visits: Int32[Array, " C"]
    values: Float32[Array, " C"]
    closed: Bool[Array, " C"]
    size: Int32[Array, ""]


class Way(NamedTuple):
    """From the root down to a complete sequence of choices.

    taken: the sequence. nodes: int32 [T + 1], those on the way, C for none. parent, choice: where a
    node was added, C where none was. begun: how many choices were made down to the new node.
    known: there is nothing new on it: it ends where a way ended before. open: behind the new node
    something was drawn. closes: bool [T + 1], which of `nodes` it closes.
    """

    taken: Int32[Array, " T"]
    nodes: Int32[Array, " ends"]
    parent: Int32[Array, ""]
    choice: Int32[Array, ""]
    begun: Int32[Array, ""]
    known: Bool[Array, ""]
    open: Bool[Array, ""]
    closes: Bool[Array, " ends"]


class State(NamedTuple):
    """tree; nodes: of the way to the last query. low, high: the range of the values seen, infinite
    before the first. guess: what was predicted of the last query's node, NaN where nothing was.
    known: what the predictor has learnt, () without one."""

    tree: Tree
    nodes: Int32[Array, " ends"]
    low: Float32[Array, ""]
    high: Float32[Array, ""]
    guess: Float32[Array, ""]
    known: Any


@dataclass(frozen=True)
class AlphaX:
    """Monte-Carlo tree search by upper confidence bounds (AlphaX, Wang et al., whose code is
    linnanwang/AlphaX-NASBench101).

    Every query adds a node to a tree: from the root always on to the child of the largest mean +
    2 cp sqrt(2 ln N / n), one that was never visited first, ties at random; from the new node a
    random rollout to an architecture, which is asked, and whose value all nodes on the way hear of.
    Where the way ends at an architecture that was asked before, its value is told them again,
    without a query, and the next way begins. So in that code, with cp = 2 and accuracies as
    they are (`cp=2,rescale=false`): hardly better than random search.

    `predictor`: theirs too. A node's value is the mean of what its rollout is worth and of what a
    network predicts of two more.

    Ours: the actions are the space's decisions in their order (theirs add a node, which wipes all
    edges, or an edge, or stop; many ways lead to one cell, and cells of 7 vertices have none); a
    choice without an alternative is no node; values are rescaled to the range seen so far, with
    another `cp`; an answer without a value counts as the worst seen (theirs: 0, or rolled out
    again); after `returns` known ways the next leaves out what is known to its ends, and when that
    is all there is, it is drawn uniformly.

    `planner=gumbel`, ours: no tree is kept. Choice after choice is planned by Gumbel MuZero
    (Danihelka et al.; mctx, `rlnas[planning]`) in which all values are the predictor's, of a
    random completion, and so only the finished architecture is a query. One that was asked before
    is replaced by a uniform draw.
    """

    cp: float = 0.1
    """Weight of exploration; 2 in the authors' code."""

    rescale: bool = True
    """Rescale values to the range of those seen so far, 0 to 1."""

    predictor: bool = False
    """Predict two more rollouts of every new node (the meta-DNN); gumbel always predicts."""

    planner: Planner = "uct"
    """`uct` keeps a tree of real values; `gumbel` plans anew for each query, by predictions."""

    nodes: int = 2048
    """Room in the tree, or for the queries that the predictor learns from: one a query; a full tree
    grows no more."""

    returns: int = 8
    """Known ways in a row after which a new one is taken."""

    simulations: int = 16
    """Of gumbel, for each choice."""

    initial: int = 10
    """Uniform draws before anything is planned by gumbel, or predicted."""

    width: int = 64
    """Units of each of the predictor's two layers."""

    updates: int = 4
    """Batches of 32 that the predictor learns after each query."""

    learning_rate: float = 0.003
    """Of the predictor."""

    def __post_init__(self) -> None:
        if self.planner not in get_args(Planner):
            raise UserError(f"alphax has planner={self.planner!r}; expected uct or gumbel")
        if self.cp < 0:
            raise UserError(f"alphax has cp={self.cp}; expected 0 or more")
        if self.learning_rate <= 0:
            raise UserError(f"alphax has learning_rate={self.learning_rate}; expected more than 0")
        for name in ("nodes", "simulations", "width", "updates", "returns", "initial"):
            least = 0 if name in ("returns", "initial") else 1
            if getattr(self, name) < least:
                found = f"{name}={getattr(self, name)}"
                raise UserError(f"alphax has {found}; expected at least {least}")

    def build(self, space: SearchSpace) -> Agent:
        decisions, capacity = decisions_of(space, "alphax"), self.nodes
        predictor = Predictor(space, self.width, self.updates, self.learning_rate, self.nodes)
        if self.planner == "gumbel":
            return planned(space, predictor, self.simulations, self.initial)
        steps = len(decisions.sizes)

        def init(key: Key[Array, ""]) -> State:
            tree = Tree(
                children=jnp.full((capacity, max(decisions.sizes)), -1, jnp.int32),
                visits=jnp.zeros(capacity, jnp.int32),
                values=jnp.zeros(capacity, jnp.float32),
                closed=jnp.zeros(capacity, bool),
                size=jnp.int32(1),
            )
            nowhere = jnp.full(steps + 1, capacity, jnp.int32)
            infinite = jnp.float32(jnp.inf)
            known = predictor.init(key) if self.predictor else ()
            return State(tree, nowhere, infinite, -infinite, jnp.float32(jnp.nan), known)

        def promise(tree: Tree, state: State, node: Any) -> Float32[Array, " K"]:
            """Upper confidence bounds of what follows a node; infinite where it was never tried."""
            child = tree.children[node]
            value, visits = tree.values[child], tree.visits[child].astype(jnp.float32)
            if self.rescale:
                spread = state.high - state.low
                value = jnp.where(spread > 0, jnp.clip((value - state.low) / spread, 0, 1), 0)
            above = jnp.log(jnp.maximum(tree.visits[node], 1).astype(jnp.float32))
            bound = value + 2 * self.cp * jnp.sqrt(2 * above / jnp.maximum(visits, 1))
            return jnp.where(child < 0, jnp.inf, bound).astype(jnp.float32)

        def descend(tree: Tree, state: State, key: Key[Array, ""], anew: Any) -> Way:
            """One way down; anew: past all that is closed, or a draw where everything is."""
            none = jnp.int32(capacity)

            def step(now: Any, at: Any) -> Any:
                way, node, rolling = now
                t, key = at
                allowed = decisions.allowed(way.taken, t)
                real = allowed.sum(dtype=jnp.int32) > 1
                picks = real & ~rolling
                children = tree.children[node]
                closed = (children >= 0) & tree.closed[children] & picks
                score = jnp.where(picks, promise(tree, state, node), 0)
                score = jnp.where(allowed & ~(anew & closed), score, -jnp.inf)
                odds = jnp.where(score == score.max(), jnp.float32(0), -jnp.inf)
                choice = jax.random.categorical(key, odds).astype(jnp.int32)
                grows = picks & (children[choice] < 0)
                # In a full tree a new node has number C, which is none.
                after = jnp.where(picks, jnp.where(grows, tree.size, children[choice]), node)
                others = (~allowed | closed).at[choice].set(True).all()
                way = way._replace(
                    taken=way.taken.at[t].set(choice),
                    parent=jnp.where(grows & (tree.size < capacity), node, way.parent),
                    choice=jnp.where(grows, choice, way.choice),
                    begun=jnp.where(grows, t + 1, way.begun),
                    open=way.open | (real & rolling),
                )
                reached = jnp.where(picks, after, none)
                return (way, after, rolling | grows), (reached, others | ~picks)

            each = jnp.arange(steps, dtype=jnp.int32), jax.random.split(key, steps)
            begun = nothing()._replace(open=jnp.array(False)), jnp.int32(0), anew & tree.closed[0]
            (way, _, rolling), (nodes, others) = jax.lax.scan(step, begun, each)
            # A node is closed with the last of its children; the first is an end.
            ends = (way.parent < capacity) & ~way.open
            below = jnp.append(jnp.flip(jnp.cumprod(jnp.flip(others)).astype(bool)), True)
            return way._replace(
                nodes=jnp.append(jnp.int32(0), nodes), known=~rolling, closes=below & ends
            )

        def nothing() -> Way:
            """A known way of no nodes."""
            none, no = jnp.int32(capacity), jnp.zeros(steps + 1, bool)
            return Way(
                taken=jnp.zeros(steps, jnp.int32),
                nodes=jnp.full(steps + 1, capacity, jnp.int32),
                parent=none,
                choice=none,
                begun=jnp.int32(0),
                known=jnp.array(True),
                open=jnp.array(True),
                closes=no,
            )

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            learn_key, way_key, roll_key = jax.random.split(key, 3)
            grown = state.tree

            def again(now: Any) -> Any:
                visits, values, way, tries = now
                tree = grown._replace(visits=visits, values=values)
                last = jnp.where(way.nodes < capacity, way.nodes, 0).max()
                tree = backed_up(tree, way.nodes, tree.values[last])
                key = jax.random.fold_in(way_key, tries)
                way = descend(tree, state, key, tries >= self.returns)
                return tree.visits, tree.values, way, tries + 1

            begun = grown.visits, grown.values, nothing(), jnp.int32(0)
            visits, values, way, _ = jax.lax.while_loop(
                lambda now: now[2].known & (now[3] <= self.returns), again, begun
            )
            known, guess = state.known, jnp.float32(jnp.nan)
            if self.predictor:
                known = predictor.learn(known, learn_key)
                useful = way.open & (known.asked.queries >= self.initial)
                guess = jnp.where(useful, predicted(known, way, roll_key), jnp.nan)
            tree = Tree(
                children=grown.children.at[way.parent, way.choice].set(grown.size),
                visits=visits,
                values=values,
                closed=grown.closed.at[way.nodes].max(way.closes),
                size=grown.size + (way.parent < capacity),
            )
            asked = state._replace(tree=tree, nodes=way.nodes, guess=guess, known=known)
            return decisions.build(way.taken), asked

        def predicted(known: Known, way: Way, key: Key[Array, ""]) -> Float32[Array, ""]:
            """Of two more rollouts from the new node."""

            def one(key: Key[Array, ""]) -> Float32[Array, ""]:
                taken = complete(decisions, way.taken, way.begun, key)
                return predictor.predict(known, decisions.build(taken))

            return jax.vmap(one)(jax.random.split(key)).mean()

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            low = jnp.where(result.valid, jnp.minimum(state.low, result.val), state.low)
            high = jnp.where(result.valid, jnp.maximum(state.high, result.val), state.high)
            worst = jnp.where(jnp.isfinite(low), low, 0)
            value = jnp.where(result.valid, result.val, worst)
            value = jnp.where(jnp.isnan(state.guess), value, (value + state.guess) / 2)
            known = predictor.take_in(state.known, arch, result) if self.predictor else ()
            tree = backed_up(state.tree, state.nodes, value)
            return state._replace(tree=tree, low=low, high=high, known=known)

        return Agent(init, ask, tell)


def backed_up(tree: Tree, nodes: Int32[Array, " ends"], value: Float32[Array, ""]) -> Tree:
    """With one more visit of all nodes on a way, worth `value`. (Number C is no node: left out.)"""
    visits = tree.visits.at[nodes].add(1)
    change = (value - tree.values[nodes]) / visits[nodes]
    return tree._replace(visits=visits, values=tree.values.at[nodes].add(change))
