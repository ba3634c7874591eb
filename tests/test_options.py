"""Every option of every command, run once at a value that is not its default.

An option that is new needs a value in `option_lines`; the first test says which one has none.
"""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import averages
from nb201_tables import text as cell_text
from option_lines import AVERAGES, LINES, TRAIN
from rlnas.agents.testing import AgentContract
from rlnas.analysis import cli
from rlnas.bench.family import load, with_importer
from rlnas.bench.fetch import Download
from rlnas.bench.files import sha256
from rlnas.bench.nb101.family import FAMILY
from rlnas.bench.nb101.synthetic import write_synthetic
from rlnas.bench.nb101.table import Table, find
from rlnas.bench.nb301 import distill
from surrogates import invented_benchmark
from tables import small_table

TRAINS = (
    *("ablate", "bench synthetic", "bench tabulate", "compress", "maskconnect", "morph"),
    *("oneshot", "oneshot enas", "oneshot ghn", "retrain", "scale", "train", "transfer"),
)
TORCH = ("retrain", "oneshot", "oneshot enas", "oneshot ghn", "morph", "compress", "maskconnect")
TORCH += ("bench tabulate",)
TORCH += ("bench latency", "bench proxies")


def defaults(name: str) -> list[dict[str, Any]]:
    """The options of a command with their defaults; several where words decide which there are."""
    command = cli.load(cli.COMMANDS[name])
    begin: dict[str, list[list[str]]] = {
        "train": [["dqn"], [AVERAGES], ["incontext"]],
        "bench import-csv": [["--family", family] for family in with_importer()],
    }
    hook = getattr(command, "for_options", lambda words: command)
    return [leaves(hook(words)) for words in begin.get(name, [[]])]


def leaves(settings: Any, prefix: str = "") -> dict[str, Any]:
    """option -> value (default, where `settings` is a class), nested settings too."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        if not isinstance(settings, type):
            value = getattr(settings, field.name)
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            value = field.default
        nested = dataclasses.is_dataclass(value)
        found |= leaves(value, f"{prefix}{field.name}.") if nested else {prefix + field.name: value}
    return found


@pytest.mark.parametrize("name", cli.COMMANDS)
@pytest.mark.usefixtures("world")
def test_every_option_has_a_value_that_is_not_its_default(name: str) -> None:
    parsed = [
        leaves(cli.parse(name, cli.load(cli.COMMANDS[name]), line.split()))
        for line in LINES.get(name, [])
    ]
    without = {
        option
        for options in defaults(name)
        for option, default in options.items()
        if not any(option in values and values[option] != default for values in parsed)
    }
    always = {"train": "agent", "bench import-csv": "family"}.get(name)  # they are varied here
    assert not without - {always}, f"rlnas {name}: give these a value in LINES"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A folder with files of every kind, to be in; what the words in capitals stand for."""
    folder = tmp_path_factory.mktemp("options")
    with pytest.MonkeyPatch.context() as patch, served(folder) as url:
        patch.chdir(folder)
        patch.setenv("RLNAS_CACHE", str(folder / "cache"))
        small_table(4).save("table.npz")
        small_table(4, repeats=2).save("other.npz")
        digits = Table.load(find("nb101-digits"))
        splits = {"splits": {"train": 48, "val": 12, "test": 12}}
        dataclasses.replace(digits, meta=digits.meta | splits).save("digits.npz")
        small_table(5, rows=range(0, 2532, 20)).save("part.npz")
        write_synthetic(Path("made.tfrecord"), max_vertices=3)
        digest = sha256("made.tfrecord")
        size = Path("made.tfrecord").stat().st_size
        small = Download("small", "small", "made.tfrecord", (f"{url}/no",), digest, size)
        patch.setattr(FAMILY, "downloads", (small,))
        patch.setattr(distill, "load", lambda name: invented_benchmark())
        write_images(Path("images.npz"))
        Path("before").mkdir()
        Path("archs.csv").write_text('arch\n"110101 input,maxpool3x3,conv3x3-bn-relu,output"\n')
        Path("rows.csv").write_text("row\n0\n2\n")
        Path("cells.csv").write_text(
            "ops,upper_triangle_bits,acc,note\n"
            "input|output,1,90.5,x\ninput|conv3x3-bn-relu|output,101,91.5,x\n"
        )
        rows = ["input|output,1,3,2", "input|conv3x3-bn-relu|output,101,4,1"]
        Path("costs.csv").write_text(
            "\n".join(["ops,upper_triangle_bits,energy,latency (ms)", *rows]) + "\n"
        )
        lines = [f"{cell_text(i)},{0.5 + i / 100}" for i in range(5)]
        Path("words.csv").write_text("\n".join(["arch,acc", *lines]) + "\n")
        space = load("table.npz").space
        lines = [f'"{space.format(i)}",{i / 60},{i}' for i in range(45)]
        Path("columns.csv").write_text("\n".join(["arch,acc,number", *lines]) + "\n")
        yield {"URL": url, "SHA256": digest, "CELL": "101 input,conv3x3-bn-relu,output"}


class served:
    """A folder on a local server; the address."""

    def __init__(self, folder: Path) -> None:
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

        handler = functools.partial(Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *raised: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def write_images(path: Path) -> None:
    random = np.random.default_rng(0)
    images = {f"x_{part}": random.integers(0, 256, (n, 8, 8), np.uint8) for part, n in PARTS}
    np.savez(path, **images, **{f"y_{part}": np.arange(n) % 4 for part, n in PARTS})


PARTS = (("train", 60), ("test", 12))


def filled(line: str, world: dict[str, str]) -> list[str]:
    """The words of a line. COMPARED, TRAINED: folders that a command has made before;
    GONE: one to be removed."""
    words: list[str] = []
    for word in line.split():
        if word == "COMPARED":
            args = "--benchmark table.npz --epochs 4 --agents random_search --budget 4 --seeds 2"
            words.append(made(["compare", *args.split()], "compare-*"))
        elif word == "GONE":
            Path("removed/scale-1").mkdir(parents=True)
            words.append("removed/scale-1")
        elif word == "TRAINED":
            options = TRAIN.replace("--out out", "--steps 64").split()
            words.append(made(["train", AVERAGES, *options], "train-*"))
        else:
            words.append(world.get(word, word).replace("URL", world["URL"]))
    return words


def made(args: list[str], pattern: str) -> str:
    out = Path("before")
    if not list(out.glob(pattern)):
        assert cli.main([*args, "--out", str(out)]) == 0
    return str(next(out.glob(pattern)))


ELSEWHERE = {"train 2": "test_training_invented"} | dict.fromkeys(
    [
        *("ablate 1", "bench distill 1", "bench tabulate 1", "compare 3", "oneshot 1"),
        *("retrain 1", "train 3"),
    ],
    "test_ray",
)
"""Lines that another file runs, or lines like them."""
HERE = {
    f"{name} {i}": (name, line)
    for name, lines in LINES.items()
    for i, line in enumerate(lines)
    if f"{name} {i}" not in ELSEWHERE
}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        pytest.param(*case, id=number, marks=[pytest.mark.long] if case[0] in TRAINS else [])
        for number, case in HERE.items()
    ],
)
def test_a_command_runs_with_all_its_options(
    name: str,
    line: str,
    world: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    if name in TORCH:
        pytest.importorskip("torch", reason="the extra `retrain` is not installed")
    for test in [x for x in vars(AgentContract) if x.startswith("test_") and x != "test_settings"]:
        monkeypatch.delattr(AgentContract, test)  # tested elsewhere
    status = cli.main([*name.split(), *filled(line, world)])
    out, err = capsys.readouterr()
    assert status == 0, err
    assert out or name == "report"


@dataclasses.dataclass(frozen=True)
class Clash(averages.AveragesLearner):
    """Settings with the name of an option."""

    seed: int = 0
    """Of nothing."""


def test_a_learner_s_setting_may_not_have_the_name_of_an_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(averages.AveragesAgent, "learner", Clash)
    assert cli.main(["train", AVERAGES]) == 2
    said = (
        f"agent {AVERAGES} has settings of the same names as `rlnas train`: seed; give them others"
    )
    assert said in capsys.readouterr().err


def test_the_lines_are_those_of_the_commands() -> None:
    assert set(LINES) == set(cli.COMMANDS)
    assert json.dumps(LINES).count("TRAINED") == 1
