"""The recurrent controllers: an LSTM that makes one choice after the other.

Zoph and Le's and NASNet's have a softmax for every decision; ENAS' shares one among decisions of a
kind, bounds its logits, and chooses inputs by attention to anchors, states kept of the vertices
that were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float32, Int, Key

from rlnas.bench.benchmark import Decisions, Wired, Wiring


class Remembered(NamedTuple):
    """carry: (c, h) of every layer. anchors: states of the vertices that are complete, [V, units];
    keys: what attention compares, [V, units]."""

    carry: tuple[Any, ...]
    anchors: Float32[Array, "V units"]
    keys: Float32[Array, "V units"]


@dataclass(frozen=True)
class Lstm:
    """A policy: LSTM, embedding of the choice before as input, a softmax a step.

    units, layers: of the LSTM. embedding: width of its input; None: `units`. scale: parameters are
    uniform in +-scale. shared: one softmax a kind of decisions instead of one a step. temperature,
    bound: logits are bound x tanh(logits / temperature) where there is a bound. reduce: the bound
    of what is no input is divided by it. favour: first bias of convolutions. anchors: inputs are
    chosen by attention where the space says what they are.
    """

    decisions: Decisions
    units: int
    layers: int = 1
    embedding: int | None = None
    scale: float = 0.1
    shared: bool = False
    temperature: float = 1.0
    bound: float | None = None
    reduce: float = 1.0
    favour: float = 0.0
    anchors: bool = False

    @cached_property
    def wiring(self) -> Wiring:
        if self.anchors and isinstance(self.decisions, Wired):
            return self.decisions.wiring
        steps, most = len(self.decisions.sizes), max(self.decisions.sizes)
        none = np.zeros((steps, most), bool)
        return Wiring(none[..., None], np.array([steps]), np.array([False]), none)

    @cached_property
    def plan(self) -> Plan:
        return plan(len(self.decisions.sizes), self.wiring)

    @property
    def events(self) -> np.ndarray:
        return self.plan.step

    def init(self, key: Key[Array, ""]) -> dict[str, Any]:
        sizes, kinds = self.decisions.sizes, self.decisions.kinds
        width = self.embedding or self.units
        outputs = max(kinds) + 1 if self.shared else len(sizes)
        bias = np.zeros((outputs, max(sizes)), np.float32)
        bias[self._output] += self.favour * self.wiring.convolutions
        shapes = {
            "start": (width,),
            "embedding": ((max(kinds) + 1) * max(sizes), width),
            "readout": (outputs, self.units, max(sizes)),
        }
        if self.wiring.inputs.any():
            square = (self.units, self.units)
            shapes |= {"key": square, "query": square, "attention": (self.units,)}
        cell = nn.OptimizedLSTMCell(self.units)
        params: dict[str, Any] = {name: jnp.zeros(shape) for name, shape in shapes.items()}
        for layer in range(self.layers):
            x = jnp.zeros(width if layer == 0 else self.units)
            start = cell.initialize_carry(key, x.shape)
            params[f"lstm_{layer}"] = jax.eval_shape(cell.init, key, start, x)["params"]
        blank = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.float32), params)
        flat, unravel = ravel_pytree(blank)  # one draw compiles faster than one a matrix
        drawn = jax.random.uniform(key, flat.shape, jnp.float32, -self.scale, self.scale)
        return unravel(drawn) | {"bias": jnp.asarray(bias)}

    def begin(self, params: Any) -> Remembered:
        zeros = jnp.zeros(self.units, jnp.float32)
        states = jnp.zeros((self.wiring.inputs.shape[-1], self.units), jnp.float32)
        return Remembered(tuple((zeros, zeros) for _ in range(self.layers)), states, states)

    def step(
        self, params: Any, memory: Remembered, taken: Int[Array, " T"], event: Int[Array, ""]
    ) -> tuple[Float32[Array, " K"], Remembered]:
        step, before, fresh, vertex, given = (jnp.asarray(table)[event] for table in self.plan)
        inputs, at = self.wiring.inputs, jnp.minimum(step, len(self.decisions.sizes) - 1)
        choice = taken[before]
        kind = jnp.asarray(self.decisions.kinds, jnp.int32)[before]
        x = params["embedding"][kind * max(self.decisions.sizes) + choice]
        if inputs.any():
            # Behind a choice of inputs: the mean of their anchors.
            named = jnp.asarray(inputs.astype(np.float32))[before, choice]
            mean = named @ memory.anchors / jnp.maximum(named.sum(), 1)
            x = jnp.where(jnp.asarray(inputs.any((1, 2)))[before], mean, x)
        x = jnp.where(fresh, params["start"], x)
        cell, carry = nn.OptimizedLSTMCell(self.units), []
        for layer, old in enumerate(memory.carry):
            new, x = cell.apply({"params": params[f"lstm_{layer}"]}, old, x)
            carry.append(new)
        output = jnp.asarray(self._output)[at]
        logits = self._bounded(x @ params["readout"][output] + params["bias"][output], self.reduce)
        if inputs.any():
            scores = jnp.tanh(memory.keys + x @ params["query"]) @ params["attention"]
            of_inputs = jnp.asarray(inputs.astype(np.float32))[at] @ self._bounded(scores, 1.0)
            logits = jnp.where(jnp.asarray(inputs.any((1, 2)))[at], of_inputs, logits)
        made = jnp.arange(inputs.shape[-1])[:, None] == vertex
        anchors = jnp.where(made, jnp.where(given, 0.0, x), memory.anchors)
        keys = jnp.where(made, x @ params["key"], memory.keys) if inputs.any() else memory.keys
        return logits, Remembered(tuple(carry), anchors, keys)

    def _bounded(self, logits: Any, reduce: float) -> Any:
        if self.bound is None:
            return logits / self.temperature
        return self.bound / reduce * jnp.tanh(logits / self.temperature)

    @property
    def _output(self) -> np.ndarray:
        """int [T]: the softmax of each step."""
        return np.array(self.decisions.kinds if self.shared else range(len(self.decisions.sizes)))


class Plan(NamedTuple):
    """The steps of the LSTM, int32 or bool [E]. step: what is decided, T for nothing. before: the
    decision whose choice is the input. fresh: the input is the start vector instead. vertex: whose
    anchor the state becomes, -1 for none; given: as a key alone, the anchor being zero."""

    step: np.ndarray
    before: np.ndarray
    fresh: np.ndarray
    vertex: np.ndarray
    given: np.ndarray


def plan(steps: int, wiring: Wiring) -> Plan:
    """Before a step for which a vertex must be complete, the LSTM makes one step more for it."""
    events: list[tuple[int, int, bool, int, bool]] = []
    fresh = True
    for t in range(steps):
        for vertex in np.flatnonzero(wiring.made == t).tolist():
            given = bool(wiring.given[vertex])
            events.append((steps, max(t - 1, 0), fresh or given, vertex, given))
            fresh = True
        events.append((t, max(t - 1, 0), fresh, -1, False))
        fresh = False
    types = (np.int32, np.int32, bool, np.int32, bool)
    columns = zip(zip(*events, strict=True), types, strict=True)
    return Plan(*(np.array(column, dtype) for column, dtype in columns))
