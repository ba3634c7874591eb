"""bench/progress.py: no work is silent for long, whoever looks on."""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path

import pytest

from rlnas.analysis import cli
from rlnas.bench import progress
from rlnas.bench.progress import Lines, bar

Said = pytest.CaptureFixture[str]


def lines(capsys: Said) -> list[str]:
    """What stderr has, without times."""
    return [re.sub(r" \[[^,\]]*(, *[^,\]]*(it|step)/s)?", " [", x) for x in err(capsys)]


def err(capsys: Said) -> list[str]:
    return capsys.readouterr().err.splitlines()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line comes after a tenth of a second, which is waited for."""
    monkeypatch.setattr(progress, "FIRST", 0.1)


def started(shown: Lines) -> None:
    while shown.told is None:
        time.sleep(0.01)


@pytest.mark.usefixtures("at_once")
def test_a_line_at_the_start_whenever_there_is_news_and_at_the_end(capsys: Said) -> None:
    with bar("train", 200, unit="step", initial=50) as shown:
        started(shown)
        shown.update(50)  # no news, told later
        shown.set_postfix(loss=0.5, val=0.9)
        shown.update(100)
    assert lines(capsys) == [
        "train:  25% 50/200 []",
        "train:  50% 100/200 [, loss=0.5, val=0.9]",
        "train: 100% 200/200 [, loss=0.5, val=0.9]",
    ]


@pytest.mark.usefixtures("at_once")
def test_nothing_is_said_twice(capsys: Said) -> None:
    with bar("one", 2) as shown:
        started(shown)
        shown.set_description("one")
        shown.set_description("two")
    assert lines(capsys) == ["one:   0% 0/2 []", "two:   0% 0/2 []"]


@pytest.mark.usefixtures("at_once")
def test_a_line_although_nothing_happens(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setattr(progress, "SILENCE", 0.05)
    with bar("compile", 2) as shown:
        shown.update()
        time.sleep(0.5)
    said = lines(capsys)
    assert len(said) >= 3 and set(said) == {"compile:  50% 1/2 []"}
    time.sleep(0.15)
    assert err(capsys) == []  # it has ended


def test_what_is_done_at_once_says_nothing(capsys: Said) -> None:
    with bar("neighbours", 2) as shown:
        shown.set_postfix(loss=0.5)
        shown.update(2)
    assert err(capsys) == []


def test_silence_is_shorter_than_a_minute() -> None:
    assert progress.FIRST + progress.SILENCE < 60


def test_nothing_is_shown_where_nothing_is_wanted(capsys: Said) -> None:
    with bar("import", shown=False) as shown:
        shown.update(3)
    assert err(capsys) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Notebook(io.StringIO):
    """What a kernel has in place of stderr says that it is no terminal."""

    __module__ = "ipykernel.iostream"


@pytest.mark.parametrize("kind", [Terminal, Notebook])
def test_a_bar_moves_where_it_can(kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = kind()
    monkeypatch.setattr(sys, "stderr", stream)
    with bar("train", 2) as shown:
        shown.update(2)
    assert "\rtrain: 100%|" in stream.getvalue()


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "small"),
    [
        ("compare", "--agents random_search --budget 3 --seeds 2"),
        ("landscape", "--walks 10 --length 9 --lags 3"),
    ],
)
def test_commands_say_how_far_they_are(
    command: str, small: str, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
) -> None:  # fmt: skip
    monkeypatch.setattr(progress, "FIRST", 0.0)
    where = ["--benchmark", str(table), "--out", str(tmp_path)]
    assert cli.main([command, *where, *small.split()]) == 0
    said = err(capsys)
    assert any("  0% 0/" in line for line in said) and "100% " in said[-1]
