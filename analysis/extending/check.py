"""`rlnas check`: does an agent, or a benchmark, keep what every one promises?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tyro.conf import Positional

from rlnas import agents, bench
from rlnas.bench.errors import UserError
from rlnas.bench.noise import Noise
from rlnas.bench.registry import attribute, is_target


@dataclass(frozen=True)
class Check:
    """Run the contract tests of an agent or a benchmark, and print a line for each.

    An agent: exact budgets, inside the space, one trace, the same bytes in another process, no harm
    by what has no answer, no look at the test accuracy. A benchmark: what it says of itself, its
    answers, noise, texts, neighbours, and the incremental MDP on it. The exit status is 2 when one
    fails. The same tests are in rlnas.agents.testing and rlnas.bench.testing, for your own suite.

    Examples:
      rlnas check evolution:population=50
      rlnas check my_module:Greedy
      rlnas check nb101-digits
      rlnas check my_module:load
    """

    what: Positional[str]
    """An agent or a benchmark that is registered, or the `module:attribute` of an agent's settings
    or a benchmark's load function; modules of this folder are found."""

    def run(self) -> None:
        from rlnas.bench.testing import run_checks

        contract = contract_of(self.what)
        failed = total = 0
        for said, reason in run_checks(contract):
            total, failed = total + 1, failed + bool(reason)
            print(f"failed  {said}: {reason}" if reason else f"ok      {said}", flush=True)
        if failed:
            raise UserError(f"{self.what} fails {failed} of {total} tests, named above")


def contract_of(what: str) -> Any:
    """An `AgentContract` or a `BenchmarkContract` for what a word names; `UserError` if nothing."""
    from rlnas.agents.spec import parse, split

    name, _ = split(what)
    if name in agents.names() or (is_target(name) and hasattr(attribute(name), "build")):
        from rlnas.agents.testing import AgentContract

        parse(what)  # refuses what is wrong with the word
        contract: Any = AgentContract()
        contract.agent = what
        return contract
    from rlnas.bench.testing import BenchmarkContract

    contract = BenchmarkContract()
    if is_target(what):
        contract.load = from_function(attribute(what), what)
    else:
        refuse_unknown(what)
        contract.load = lambda noise: bench.load(what, noise=noise)
    return contract


def from_function(load: Any, what: str) -> Any:
    """The `load(noise)` of a benchmark's load function, as the registry calls it."""
    if not callable(load):
        raise UserError(
            f"{what} is {load!r}; expected an agent's settings class, or a function "
            "load(name, *, epochs, noise)"
        )
    name = what.partition(":")[2]
    return lambda noise: load(name, epochs=None, noise=Noise.parse(noise))


def refuse_unknown(what: str) -> None:
    try:
        bench.family_of(what)
    except UserError:
        raise UserError(
            f"{what!r} is neither an agent nor a benchmark; expected one that `rlnas agents` or "
            "`rlnas bench list` shows, or module:attribute"
        ) from None
