"""Any agent behind a predictor that passes or drops its proposals."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from rlnas.agents import asked as record
from rlnas.agents import spec
from rlnas.agents.occasional import when
from rlnas.agents.predictors.ensemble import PathEnsemble
from rlnas.agents.predictors.gp import GaussianProcess
from rlnas.agents.predictors.line import Line
from rlnas.agents.predictors.protocol import Model, Predictor
from rlnas.agents.protocol import Agent, Outside, Parametrised, Pretrained
from rlnas.agents.random_search import RandomSearch
from rlnas.bench import graphs, memory
from rlnas.bench.benchmark import Arch, Benchmark, QueryResult, SearchSpace
from rlnas.bench.bounds import Within
from rlnas.bench.errors import UserError
from rlnas.bench.memory import Memory

Name = Literal["gp", "ensemble", "params", "none"]
PREDICTORS: dict[str, Predictor] = {
    "gp": GaussianProcess(),
    "ensemble": PathEnsemble(steps=100),
    "params": Line(),
}


class State(NamedTuple):
    """inner: the agent's own. asked: the latest answers; codes: [answers, ...], what the predictor
    sees of them; learnt: what it made of them. every: all that was asked (`asked.nothing`)."""

    inner: Any
    asked: Memory
    codes: Any
    learnt: Any
    every: Any


@dataclass(frozen=True)
class Filter:
    """Another agent's proposals, of which a predictor asks the first that is good enough:
    `filter:AGENT,predictor=gp`, `filter:evolution:population=20,tries=8`; what stands before the
    first option of the filter is the agent's. random_search where none is named.

    The idea of Faster BlockQNN (Zhong et al. 2018, arXiv 1808.05584) for any agent: it is asked
    for up to `tries` proposals from the same state with different keys; the first that the
    predictor puts above the threshold is looked up, else the one it puts highest, and only that one
    counts for the agent. Ours: the predictors, of this search's answers alone; the threshold in
    normal scores; what was asked before is passed over as long as anything else is proposed
    (`predictor=none` does nothing but that: the control). An agent whose proposals do not depend on
    the key is as it is without. An option that both have is the filter's.
    """

    agent: Any = field(default=RandomSearch(), metadata=spec.NO_OPTION)
    """Settings of who proposes."""

    predictor: Name = "gp"
    """`gp` or `ensemble`, as those of `rlnas predict`; `params`, a line through the answers against
    the parameters of the operations; `none`."""

    tries: Annotated[int, Within(1, 4096)] = 16
    """Proposals to choose from."""

    threshold: Annotated[float, Within(-10, 10)] = 0.0
    """In normal scores of the answers so far: 0 is their middle, 1 better than 84 % of them."""

    warm_up: Annotated[int, Within(1, 100_000)] = 20
    """Queries before the predictor has a say."""

    relearn: Annotated[int, Within(1, 100_000)] = 5
    """Queries after which it learns anew."""

    answers: Annotated[int, Within(8, 4096)] = 160
    """Latest answers that it learns from."""

    BEFORE_OPTIONS: ClassVar[str] = "AGENT,"
    """What stands before them in a word."""

    def __post_init__(self) -> None:
        if isinstance(self.agent, Outside):
            raise UserError(
                f"filter takes no agent that searches outside JAX ({type(self.agent).__name__}); "
                "choose another"
            )
        if self.predictor not in get_args(Name):
            raise UserError(
                f"filter has predictor={self.predictor!r}; expected {', '.join(get_args(Name))}"
            )

    @classmethod
    def from_spec(cls, text: str) -> Filter:
        """Of `AGENT`, or `AGENT,option=value`."""
        own = {option.name for option in spec.option_fields(cls)}
        parts = text.split(",") if text else []
        starts = (i for i, part in enumerate(parts) if part.partition("=")[0].strip() in own)
        first = next(starts, len(parts))
        word = ",".join(parts[:first]).strip()
        try:
            if unknown := word.partition(":")[0].partition(",")[2]:
                spec.options(cls, unknown)
            agent = spec.parse(word)[1] if word else RandomSearch()
            return cls(agent, **spec.options(cls, ",".join(parts[first:])))
        except UserError as error:
            raise UserError(f"agent {f'filter:{text}'!r}: {error}") from None

    def identity(self) -> dict[str, Any]:
        """The options; whose proposals, and its settings."""
        inner, kind = self.agent, type(self.agent)
        settings = inner.identity() if isinstance(inner, Parametrised) else asdict(inner)
        own = {name: x for name, x in vars(self).items() if name != "agent"}
        return {"agent": f"{kind.__module__}:{kind.__qualname__}", "config": settings, **own}

    def parts(self) -> tuple[Any, Any]:
        """With the agent's program in its place, and its parameters."""
        if not isinstance(self.agent, Parametrised):
            return self, None
        program, params = self.agent.parts()
        return replace(self, agent=program), params

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """The agent's."""
        return self.agent.pretraining if isinstance(self.agent, Pretrained) else None

    def unseen(self, benchmark: Benchmark, archs: np.ndarray) -> np.ndarray | None:
        """As the agent says."""
        known = isinstance(self.agent, Pretrained)
        return self.agent.unseen(benchmark, archs) if known else None

    def build(self, space: SearchSpace, params: Any = None) -> Agent:
        inner = self.agent.build(space) if params is None else self.agent.build(space, params)
        model = model_of(space, self.predictor)

        def seen(arch: Arch) -> Any:
            return jax.tree.map(lambda x: x[0], model.see(arch[None]))

        def init(key: Key[Array, ""]) -> State:
            blank = memory.empty(space, self.answers)
            code = jax.eval_shape(seen, jax.eval_shape(space.sample, key))
            codes = jax.tree.map(lambda x: jnp.zeros((self.answers, *x.shape), x.dtype), code)
            learnt = jax.eval_shape(model.fit, codes, blank.vals, key)
            nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), learnt)
            return State(inner.init(key), blank, codes, nothing, record.nothing(space))

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            fit_key, key = jax.random.split(key)
            queries = state.asked.queries
            trusted = queries >= self.warm_up
            due = trusted & ((queries - self.warm_up) % self.relearn == 0)
            vals = jnp.where(jnp.isfinite(state.asked.vals), state.asked.vals, jnp.nan)
            given = state.codes, vals, fit_key
            # `when` takes no traced arrays but as arguments: kernels hold some.
            fit, held = jax.closure_convert(model.fit, *given)
            learnt = when(due, lambda _, known: fit(*known), state.learnt, (*given, *held))
            proposals, states = jax.vmap(inner.ask, (0, None))(
                jax.random.split(key, self.tries), state.inner
            )
            fresh = ~jax.vmap(lambda arch: record.knows(space, state.every, arch))(proposals)
            # Equal ones are equal up to rounding: the first of them, in any batch.
            scores = jnp.round(model.predict(learnt, model.see(proposals)), 3)
            scores = jnp.where(trusted, scores, self.threshold + 1.0)
            good = fresh & (scores > self.threshold)
            highest = jnp.argmax(jnp.where(fresh, scores, scores - 1e4))
            place = jnp.where(good.any(), jnp.argmax(good), highest)
            taken = jax.tree.map(lambda x: x[place], states)
            return proposals[place], state._replace(inner=taken, learnt=learnt)

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            at = state.asked.queries % self.answers
            code = seen(arch)
            return State(
                inner.tell(state.inner, arch, result),
                memory.remember(state.asked, arch, result),
                jax.tree.map(lambda x, new: x.at[at].set(new), state.codes, code),
                state.learnt,
                record.note(space, state.every, arch),
            )

        return Agent(init, ask, tell)


def model_of(space: Any, predictor: Name) -> Model:
    """The predictor on `space`, codes worked out once where they can be; of `none`, one that finds
    everything good enough."""
    if predictor == "none":
        return Model(
            lambda archs: jnp.zeros(len(archs)),
            lambda codes, values, key: (),
            lambda nothing, codes: jnp.full(len(codes), 1e3),
        )
    model = PREDICTORS[predictor].build(space)
    if predictor != "ensemble":  # whose codes the others have already, or do not need
        return model
    code = graphs.known(space, lambda arch: model.see(arch[None])[0])
    return model._replace(see=jax.vmap(code))
