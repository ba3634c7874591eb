"""agents/spec.py: agents as words of a command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from rlnas.agents import registry
from rlnas.agents.evolution import Evolution
from rlnas.agents.local_search import LocalSearch
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.spec import NO_OPTION, convert, option_types, options, parse, parse_all
from rlnas.bench.errors import UserError


@pytest.mark.parametrize(
    ("word", "label", "expected"),
    [
        ("random_search", "random_search", RandomSearch()),
        ("evolution", "evolution", Evolution()),
        ("evolution:", "evolution", Evolution()),
        (" evolution:population=100 ", "evolution:population=100", Evolution(population=100)),
        (
            "evolution:population=9, tournament = 2",
            "evolution:population=9, tournament = 2",
            Evolution(9, 2),
        ),
        (
            "local_search:variant=full,memory=0",
            "local_search:variant=full,memory=0",
            LocalSearch("full", memory=0),
        ),
    ],
)
def test_words(word, label, expected):
    assert parse(word) == (label, expected)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("evolve", "unknown agent 'evolve'; expected one of .*evolution, .*local_search"),
        ("", "unknown agent ''; expected one of"),
        ("evolution:size=3", r"unknown option 'size'; expected population=\.\.\., tournament="),
        ("random_search:x=1", "unknown option 'x'; it has no options"),
        (
            "evolution:population",
            "found 'population' where an option key=value should stand; expected population=",
        ),
        ("evolution:population=ten", "found population='ten'; expected a whole number"),
        ("evolution:population=1.5", "found population='1.5'; expected a whole number"),
        ("evolution:population=5,population=6", "option 'population' is given twice"),
        (
            "evolution:population=5,replacement=no",
            "tournament=10 without replacement; expected at most 5",
        ),
        ("local_search:variant=best", "found variant='best'; expected one of first, full"),
        ("local_search:memory=-1", "memory=-1; expected 0 or more"),
    ],
)
def test_refusals_say_what_is_valid(word, message):
    with pytest.raises(UserError, match=message) as caught:
        parse(word)
    assert "\n" not in str(caught.value)


def test_the_message_names_the_word():
    with pytest.raises(UserError, match="agent 'evolution:population=0':"):
        parse("evolution:population=0")


def test_lists_keep_their_order_and_refuse_repeats():
    parsed = parse_all(["random_walk", "evolution:population=40", "evolution"])
    assert [entry.label for entry in parsed] == [
        "random_walk",
        "evolution:population=40",
        "evolution",
    ]
    with pytest.raises(UserError, match="agent 'evolution' is given twice"):
        parse_all(["evolution", "evolution:"])
    with pytest.raises(UserError, match=r"no agents given; expected at least one of .*evolution"):
        parse_all([])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("mine=random_search", ("random_search", "mine", RandomSearch())),
        (" a large one = evolution:population=100 ", ("evolution", "a large one", Evolution(100))),
        ("evolution:population=100", ("evolution", "evolution:population=100", Evolution(100))),
    ],
)
def test_a_label_before_an_agent_is_what_it_is_called(word, expected):
    assert parse_all([word]) == [expected]


def test_labels_tell_the_same_words_apart_and_are_each_given_once():
    parsed = parse_all(["a=evolution", "evolution"])
    assert [entry.label for entry in parsed] == ["a", "evolution"]
    with pytest.raises(UserError, match=r"agent 'a' is given twice; .* or a label=.* before one"):
        parse_all(["a=evolution", "a=random_search"])
    with pytest.raises(UserError, match="unknown agent 'population=3'"):
        parse_all(["evolution=population=3"])


@dataclass(frozen=True)
class Reader(RandomSearch):
    text: str = ""

    @classmethod
    def from_spec(cls, text: str) -> Reader:
        return cls(text)


@dataclass(frozen=True)
class Needy(RandomSearch):
    rate: float
    mode: Literal[1, 2] = 1
    cap: int | None = None
    on: bool = False


@pytest.fixture
def extra_agents(monkeypatch):
    classes = {"reader": Reader, "needy": Needy}
    monkeypatch.setattr(registry, "config", lambda name: classes[name])


@pytest.mark.usefixtures("extra_agents")
def test_an_agent_may_read_its_own_text():
    assert parse("reader:runs/a=b,c:7.safetensors") == (
        "reader:runs/a=b,c:7.safetensors",
        Reader("runs/a=b,c:7.safetensors"),
    )
    assert parse("reader") == ("reader", Reader(""))


@pytest.mark.usefixtures("extra_agents")
def test_values_are_converted_to_the_types_of_the_fields():
    assert parse("needy:rate=1e-3,mode=2,cap=none,on=True")[1] == Needy(1e-3, 2, None, True)
    assert parse("needy:rate=2,cap=7.0")[1] == Needy(2.0, cap=7)
    with pytest.raises(UserError, match=r"option 'rate' is missing; expected rate=\.\.\., mode="):
        parse("needy:cap=3")
    with pytest.raises(UserError, match="found on='maybe'; expected true or false"):
        parse("needy:rate=1,on=maybe")
    with pytest.raises(UserError, match="found rate='fast'; expected a number"):
        parse("needy:rate=fast")
    with pytest.raises(UserError, match="found cap='x'; expected a whole number"):
        parse("needy:rate=1,cap=x")


@dataclass(frozen=True)
class Worded(Needy):
    rate: float = 1.0
    prior: str = ""
    other: str = "x"


def test_a_text_goes_on_behind_a_comma_until_the_next_option():
    assert options(Worded, "prior=a,b/c, d,cap=3") == {"prior": "a,b/c,d", "cap": 3}
    assert options(Worded, "cap=3,prior=a,,other=b,c") == {"cap": 3, "prior": "a,", "other": "b,c"}
    assert options(Worded, "prior=,a") == {"prior": ",a"}
    with pytest.raises(UserError, match="found 'b' where an option key=value should stand"):
        options(Worded, "prior=a,cap=3,b")
    with pytest.raises(UserError, match="found 'a' where an option key=value should stand"):
        options(Worded, "a,prior=b")
    with pytest.raises(UserError, match="unknown option 'b'"):
        options(Worded, "prior=a,b=c")
    with pytest.raises(UserError, match="option 'prior' is given twice"):
        options(Worded, "prior=a,cap=3,prior=b")


def test_types_without_a_spelling_are_named():
    with pytest.raises(UserError, match="option 'sizes' is of type"):
        convert("sizes", "1", tuple)


@dataclass(frozen=True)
class Filled(Needy):
    rate: float = field(default=0.5, metadata=NO_OPTION)


def test_a_field_may_be_no_option():
    """What `from_spec` fills in is not for users to set, nor listed."""
    assert options(Filled, "cap=3") == {"cap": 3}
    with pytest.raises(UserError, match=r"unknown option 'rate'; expected mode=\.\.\., cap="):
        options(Filled, "rate=3")
    assert option_types(Filled) == {
        "mode": "1 | 2", "cap": "a whole number | none", "on": "true | false",
    }  # fmt: skip


def test_all_are_those_that_need_nothing_but_their_name() -> None:
    found = [entry.label for entry in parse_all(["all", "small=evolution:population=5"])]
    assert found == [name for name in registry.names() if name != "bridge"] + ["small"]
