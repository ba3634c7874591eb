"""A graph network on the cells of an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32

from rlnas.agents.gaussian_process import normal_scores
from rlnas.agents.predictors.protocol import Model
from rlnas.bench.benchmark import Graph, Graphs, SearchSpace
from rlnas.bench.bounds import Rate, Share, Within
from rlnas.bench.errors import UserError

Some = Annotated[int, Within(1, 100_000)]


class Network(nn.Module):
    """Graphs [*n, cells, V] -> one number each. A layer is half what comes along the edges and half
    what comes against them; kinds: of vertices."""

    layers: int
    width: int
    hidden: int
    kinds: int

    @nn.compact
    def __call__(self, graph: Graph) -> Float32[Array, "*n"]:
        kinds = jnp.arange(self.kinds, dtype=jnp.int8)
        x = (graph.labels[..., None] == kinds).astype(jnp.float32)
        there = (graph.labels >= 0).astype(jnp.float32)[..., None]
        itself = jnp.eye(graph.labels.shape[-1], dtype=jnp.float32)
        onward = graph.edges.astype(jnp.float32) + itself
        ways = []
        for way in (jnp.swapaxes(onward, -1, -2), onward):
            ways.append(way / way.sum(-1, keepdims=True))  # row v: the mean of what v sees
        for _ in range(self.layers):
            x = there * sum(nn.relu(nn.Dense(self.width)(way @ x)) / 2 for way in ways)
        mean = x.sum(-2) / jnp.maximum(there.sum(-2), 1)
        flat = mean.reshape(*mean.shape[:-2], -1)  # a cell after the other
        return nn.Dense(1)(nn.relu(nn.Dense(self.hidden)(flat)))[..., 0]


@dataclass(frozen=True)
class GraphNetwork:
    """A graph convolution network (Wen et al. 2020, arXiv 1912.00848: along the edges and against
    them), as NASLib's GCN. There: 4 layers of 144 units and 128 behind, Adam 1e-4 with weight decay
    3e-4, batches of 7, 300 epochs
    (`graph_network:layers=4,width=144,hidden=128,batch=7,steps=21000,learning_rate=1e-4` with 500
    cells). Ours: smaller, faster, larger steps on a cosine to 0, a fixed number of batches; normal
    scores for values; every cell's mean over its vertices, one after the other."""

    layers: Annotated[int, Within(1, 100)] = 3
    """Graph convolutions."""

    width: Some = 64
    """Units of each."""

    hidden: Some = 64
    """Units of the layer behind them."""

    steps: Some = 400
    """Batches that it learns from."""

    batch: Some = 32
    """Architectures in a batch, drawn with replacement."""

    learning_rate: Rate = 3e-3
    """Of Adam, at the beginning."""

    weight_decay: Share = 3e-4
    """Of Adam."""

    free, pure = False, True

    def build(self, space: SearchSpace) -> Model:
        if not isinstance(space, Graphs):
            raise UserError(
                f"graph_network needs graphs, and {type(space).__name__} shows none; expected "
                "another predictor, such as ensemble"
            )
        kinds = space.graph_operations + 1 + space.graph_inputs
        network = Network(self.layers, self.width, self.hidden, kinds)
        schedule = optax.cosine_decay_schedule(self.learning_rate, self.steps)
        optimiser = optax.adamw(schedule, weight_decay=self.weight_decay)

        def fit(graphs: Graph, values: Any, key: Any) -> Any:
            known = jnp.isfinite(values)
            scores = normal_scores(values, known)
            init_key, batch_key = jax.random.split(key)
            params = network.init(init_key, jax.tree.map(lambda x: x[:1], graphs))
            order = jnp.argsort(~known, stable=True)  # what is known stands first
            size, many = (self.steps, self.batch), jnp.maximum(known.sum(), 1)
            batches = order[jax.random.randint(batch_key, size, 0, many, jnp.int32)]

            def step(learning: Any, places: Any) -> Any:
                params, moments = learning

                def loss(params: Any) -> Float32[Array, ""]:
                    found: Any = network.apply(params, jax.tree.map(lambda x: x[places], graphs))
                    return ((found - scores[places]) ** 2).mean()

                updates, moments = optimiser.update(jax.grad(loss)(params), moments, params)
                return (optax.apply_updates(params, updates), moments), None

            return jax.lax.scan(step, (params, optimiser.init(params)), batches)[0][0]

        def predict(params: Any, graphs: Graph) -> Any:
            return network.apply(params, graphs)

        return Model(jax.vmap(space.graph), fit, predict)
