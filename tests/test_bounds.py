"""Hostile values in every option of every command and agent, seeded: what is parsed is finite,
bounded and printable, or one line says what was expected; and what would not fit is refused."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import pytest

import test_options
from rlnas import agents
from rlnas.agents import spec
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis import cli
from rlnas.bench.bounds import (
    BESIDE,
    LONGEST,
    Within,
    check_bounds,
    check_value,
    values_of,
)
from rlnas.bench.errors import UserError
from rlnas.bench.program_memory import check_memory, least_bytes, memory_bytes
from tables import small_benchmark

HOSTILE = (
    "nan", "inf", "-inf", "-1", "0", "0.5", str(2**31), str(2**63), str(10**18), "1e308", "-1e-9",
    "", "\x1b[31m", "a\nb", "../x", "\udcff", "x" * 5000, "\u202e", "0x10", "1_000", "\u0663",
)  # fmt: skip
MOST = 2**32
"""No number beyond this is let through."""


def tame(settings: Any) -> None:
    """Nothing that was parsed is hostile."""
    for value in values_of(settings):
        if isinstance(value, int | float):
            assert math.isfinite(value) and abs(value) <= MOST
        elif isinstance(value, str | Path):
            assert str(value).isprintable() and len(str(value)) <= LONGEST


def commands() -> Iterator[tuple[str, list[str], Any]]:
    """(name, what comes before the options, settings with their defaults)."""
    begin: dict[str, list[list[str]]] = {"train": [["dqn"], ["incontext"]]}
    begin["bench import-csv"] = [["file.csv", "--family", family] for family in ("nb101", "nb201")]
    for name in cli.COMMANDS:
        command = cli.load(cli.COMMANDS[name])
        for words in begin.get(name, [[]]):
            hook = getattr(command, "for_options", lambda words, command=command: command)
            yield name, words, hook(words)


@pytest.mark.long
def test_one_hostile_value_of_every_option_of_the_command_line() -> None:
    drawn = random.Random(13)
    tried = refused = 0
    for name, words, settings in commands():
        options = sorted(test_options.leaves(settings))
        for option in drawn.sample(options, min(6, len(options))):
            first, dot, rest = option.partition(".")
            option = rest if dot and first in BESIDE else option
            command = cli.load(cli.COMMANDS[name])
            for value in drawn.sample(HOSTILE, 3):
                tried += 1
                try:
                    word = f"--{option.replace('_', '-')}={value}"
                    tame(cli.parse(name, command, [*words, word]))
                except UserError as error:
                    refused += 1
                    assert len(str(error)) < 20_000
    print(f"{tried:,} command lines, {refused:,} of them refused")
    assert tried > 200 and refused > tried // 2


def spelled(value: str, hint: Any) -> Any:
    """As tyro reads it for an option of that type; `ValueError` where it does not."""
    if get_origin(hint) is tuple:
        return (spelled(value, get_args(hint)[0]),)
    kinds = {hint, *get_args(hint)}
    for kind in (int, float, Path, str):
        if kind in kinds:
            return kind(value)
    raise ValueError(f"a choice, or a switch: {hint}")


def set_to(settings: Any, option: str, value: str) -> Any:
    """`settings` with one option at a hostile value, as its constructor takes it."""
    first, dot, rest = option.partition(".")
    hint = get_type_hints(type(settings))[first]
    new = set_to(getattr(settings, first), rest, value) if dot else spelled(value, hint)
    return dataclasses.replace(settings, **{first: new})


@pytest.mark.long
def test_hostile_values_of_every_option() -> None:
    """The same behind tyro, which would take minutes: every value in every option."""
    tried = refused = 0
    for _, _, settings in commands():
        if isinstance(settings, type):
            hints = get_type_hints(settings)
            fields = [f.name for f in dataclasses.fields(settings) if is_needed(f)]
            needed = {name: spelled("x", hints[name]) for name in fields}
            settings = settings(**needed)
        for option in test_options.leaves(settings):
            for value in HOSTILE:
                try:
                    hostile = set_to(settings, option, value)
                    tried += 1
                    check_bounds(hostile)
                except ValueError:  # a `UserError` is one
                    refused += 1
                else:
                    tame(hostile)
    print(f"{tried:,} settings tried, {refused:,} values refused")
    assert tried > 1000 and refused > tried // 2


def is_needed(field: dataclasses.Field) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


@pytest.mark.long
def test_hostile_values_of_every_agent_s_options() -> None:
    drawn = random.Random(14)
    tried = refused = 0
    for name in agents.names():
        settings = agents.config(name)
        for field in spec.option_fields(settings):
            if name == "bridge":
                continue  # it passes them on to others' code
            for value in drawn.sample(HOSTILE, 6):
                tried += 1
                try:
                    config = spec.parse(f"{name}:{field.name}={value}")[1]
                    tame(config)
                except UserError:
                    refused += 1
    print(f"{tried:,} agents, {refused:,} of them refused")
    assert tried > 400 and refused > tried // 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("compare --seeds 4294967296", "--seeds is 4294967296; expected at most 1,000,000"),
        ("compare --budget 1000001", "--budget is 1000001; expected at most 1,000,000"),
        ("compare --seeds 1000000 --budget 1000000", "would take 152,000 GB of memory"),
        ("ablate --alpha nan nan", "--alpha is nan; expected a finite number"),
        ("train --learning-rate nan", "--learning-rate is nan; expected a finite number"),
        ("train --shown nan", "--shown is nan; expected a finite number"),
        ("train --shown-vertices 0", "--shown-vertices is 0; expected at least 1"),
        (
            "train --network.layers 1000000000",
            "--network.layers is 1000000000; expected at",
        ),
        ("retrain --first-seed -1", "--first-seed is -1; expected at least 0"),
        ("retrain --epochs -5", "--epochs -5; expected at least 1"),
        ("stability --rates 0.1 inf", "--rates is inf; expected a finite number"),
        ("landscape --alphas 0", "--alphas is 0.0; expected above 0"),
        ("bench synthetic --tables 100000000000", "--tables is 100000000000; expected at most"),
        ("compare --out a\x07b", r"--out is 'a\x07b'; expected a text without control characters"),
        ("compare --agents evolution:tournament=99999999999", "expected at most 1,000,000,000"),
    ],
)
def test_each_has_its_line(line: str, said: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(line.split(" ")) == 2
    assert said in capsys.readouterr().err


def test_bounds() -> None:
    open_, closed = Within(0, 1, open=True), Within(0, 1, " share")
    assert not closed.refusal(0) and not closed.refusal(1)
    assert open_.refusal(0) == "expected above 0" and not open_.refusal(1e-9)
    assert closed.refusal(-0.1) == "expected at least 0 share"
    assert closed.refusal(2) == "expected at most 1"
    check_value(True, None, "a switch")
    with pytest.raises(UserError, match="a rate is nan; expected a finite number"):
        check_value(math.nan, open_, "a rate")


def test_memory_is_told_before_it_is_taken() -> None:
    here = memory_bytes()
    check_memory(here, "all of it", "")
    with pytest.raises(UserError, match=r"twice as much would take .* GB of memory, there are"):
        check_memory(2 * here, "twice as much", "choose less")
    traced = jax.jit(lambda x: (jnp.outer(x, x) + 1).sum()).trace(jnp.zeros(1000, jnp.float32))
    assert 4e6 <= least_bytes(traced.jaxpr) <= 4.1e6


@pytest.mark.parametrize("word", ["evolution:population=1000000000", "gp:points=10000000"])
def test_an_agent_that_does_not_fit(word: str) -> None:
    with pytest.raises(UserError, match="GB of memory, there are"):
        run_seeds(spec.parse(word)[1], small_benchmark(4), 3, seed_keys(0, 10))
