"""One style an agent, whoever is drawn beside it; none depends on its colour."""

from __future__ import annotations

import itertools

import pytest

from rlnas.agents import registry
from rlnas.analysis.style import REFERENCE_STYLE, STYLES, styles_of


def test_styles_are_told_apart_without_colours() -> None:
    assert len({style[1:] for style in [*STYLES[:55], REFERENCE_STYLE]}) == 56
    assert len(set(STYLES)) == len(STYLES) == 7 * 5 * 11
    assert all(a[0] != b[0] for a, b in itertools.pairwise(STYLES))


def test_an_agent_looks_the_same_in_every_company() -> None:
    every = styles_of({name: name for name in registry.names()})
    for first, second in itertools.permutations(registry.names(), 2):
        assert styles_of({first: first, second: second}) == {
            first: every[first], second: every[second],
        }  # fmt: skip
    assert every["random_search"] == REFERENCE_STYLE
    assert styles_of({"dqn, 5 trainings": "dqn"}) == {"dqn, 5 trainings": every["dqn"]}


def test_variants_are_told_apart() -> None:
    agents = {f"evolution:population={i}": "evolution" for i in range(4)}
    agents |= {"evolution": "evolution", "mine:Mine": "mine:Mine", "local_search": "local_search"}
    found = styles_of(agents)
    assert found["evolution"] == styles_of({"evolution": "evolution"})["evolution"]
    assert len({style[0] for style in found.values()}) == len(agents)
    assert len({style[1:] for style in found.values()}) == len(agents)


@pytest.mark.parametrize("others", [[], ["theirs", "another"]])
def test_agents_of_other_packages_come_behind_ours(
    others: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = styles_of({name: name for name in registry.REGISTRY.builtin})
    more = [*registry.REGISTRY.builtin, *others]
    monkeypatch.setattr(type(registry.REGISTRY), "names", lambda self: sorted(more))
    after = styles_of({name: name for name in more})
    assert {name: after[name] for name in before} == before
    assert len(set(after.values())) == len(more)
