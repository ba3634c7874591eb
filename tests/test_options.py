"""Every option of every command, run once at a value that is not its default.

An option that is new needs a value in `LINES`; the first test says which one has none.
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

AVERAGES = "averages:AveragesAgent"
MDP = (
    "--alpha 8 --no-relative --reward-scale 2 --neighbours 4 --horizon 7 --stay --steps 96 "
    "--actors 8"
)
NETWORK = "--network.width 16 --network.layers 2 --network.heads 4 --network.feed-forward 8"
TRAIN = (
    "--benchmark table.npz --preset smoke --noise repeat=1 --epochs 4 --seed 3 --out out "
    "--rehearsal --evaluate-every 64 --evaluation-seeds 4 --evaluation-queries 2 5 "
    "--judging-seeds 4"
)
INVENTED = TRAIN.replace("table.npz", "synthetic-tnb101").replace("--rehearsal ", "")
RECIPE = (
    "--epochs 1 --batch-size 20 --optimiser sgd --learning-rate 0.1 --momentum 0.5 --nesterov "
    "--decay 0.8 --epsilon 0.5 --weight-decay 0.001 --gradient-clip 5 --no-drop-last "
    "--bn-momentum 0.2 --bn-epsilon 0.001 --recompute-bn --no-tf-init --channels 4 --stacks 1 "
    "--modules 1 --layers 5 --crop-padding 1 --no-flip --cutout 2 --auxiliary-weight 0.4 "
    "--drop-path 0.1 --val-images 12"
)
ENGINE = "--device cpu --amp off --channels-last on --compile off --deterministic off --threads 1"
TABULATE = (
    "--recipe.epochs 2 --recipe.checkpoints 1 2 --recipe.batch-size 16 --recipe.learning-rate 0.1 "
    "--recipe.momentum 0.8 --recipe.decay 0.8 --recipe.epsilon 0.9 --recipe.weight-decay 0.001 "
    "--recipe.gradient-clip 4 --recipe.bn-momentum 0.2 --recipe.no-recompute-bn "
    "--recipe.stem-channels 4 --recipe.stacks 1 --recipe.modules 2"
)
ON_RAY = "--executor ray --address auto --gpus-per-task 0.5"
LINES: dict[str, list[str]] = {
    "compare": [
        "--benchmark table.npz --agents random_search evolution:population=3,tournament=2 "
        "--budget 7 --seeds 3 --seed 5 --noise sample --epochs 4 --reference random_search "
        "--rehearsal --out out --redo",
        "--benchmark table.npz --agents random_search nsga2:population=2 --budget 5 --seeds 3 "
        "--objectives accuracy params --reward monas:objective=params --out out",
        "--benchmark table.npz --agents random_search hyperband --seconds 900 --seeds 3 --out out",
        ON_RAY,
    ],
    "fidelity": [
        "table.npz --agents random_search early_stopping --seconds 900 --seeds 3 --seed 5 "
        "--fidelities 4 --architectures 50 --noise sample --epochs 12 --reference random_search "
        "--rehearsal --out out --redo"
    ],
    "plot": ["COMPARED --out drawn --reference random_search"],
    "report": ["COMPARED --out drawn", "COMPARED --html report.html"],
    "show": ["9 --benchmark table.npz --epochs 4 --out cell.svg"],
    "train": [
        f"dqn {TRAIN} --log tensorboard --shown 0.6 --shown-region --shown-seed 2 {MDP} {NETWORK} "
        "--network.dropout 0.1 --gamma 0.5 --epsilon-base 0.3 --epsilon-exponent 3 "
        "--learning-starts 32 --n-step 1 --batch-size 8 "
        "--updates 2 --capacity 256 --priority-alpha 0.5 --priority-beta 0.5 "
        "--learning-rate 0.001 --gradient-clip 1 --target-every 16",
        f"{AVERAGES} {TRAIN} --shown-vertices 3 --rollout 3 --rate 0.4 --spread 0.1",
        f"incontext {INVENTED} {NETWORK} --network.dropout 0.1 --alpha 2 "
        "--horizon 9 --read 8 --fresh 12 --parents 2 --near 3 --current 2 --no-history "
        "--no-surrogate --steps 48 --actors 4 --passes 1 --batches 2 "
        "--learning-rate 0.01 --gradient-clip 2 --clip 0.1 --trace 0.5 --entropy 0.02 "
        "--sharpness 2 --anytime 0.5 --algorithm double_q --gamma 0.9 --n-step 2 --target-rate 0.5",
    ],
    "landscape": [
        "--benchmark table.npz --walks 20 --length 12 --lags 4 --alphas 2 8 --seed 1 --epochs 4 "
        "--rehearsal --out out"
    ],
    "scale": ["TRAINED --queries 5 --out out"],
    "ablate": [
        f"--agent {AVERAGES} --preset smoke --benchmark table.npz --alpha 4 --neighbours 3 "
        "--vary rate=0.4,0.5 --seeds 2 --steps 64 --evaluation-seeds 3 --seed 2 --workers 1 "
        "--rehearsal --out out",
        ON_RAY,
    ],
    "retrain": [
        "COMPARED --top 1 --random 1 --worst 1 --cells CELL --csv archs.csv --seed 2 "
        f"--dataset images.npz --data-dir here --preset quick {RECIPE} --seeds 1 "
        f"--first-seed 7 --workers 1 {ENGINE} "
        "--plain-loop-batches 1 --keep-weights --benchmark table.npz --table-epochs 4 --out out",
        f"--cells CELL {ON_RAY}",
    ],
    "oneshot": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --epochs 1 "
        "--steps 3 --learning-rate 0.01 --seeds 1 --seed 2 --score accuracy --trainings 1 "
        "--out out",
        ON_RAY,
    ],
    "compress": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --teachers 2 "
        "--batches 1 --rollouts 3 --epochs 2 --learning-rate 0.1 --policy-rate 0.1 --entropy 0.1 "
        "--tolerance 0.2 --seed 2 --out out"
    ],
    "morph": [
        "--benchmark digits.npz --dataset images.npz --preset smoke --max-vertices 4 --pairs 1 "
        "--parent-epochs 1 --epochs 1 --learning-rate 0.1 --edits 2 --episodes 1 --nets 1 "
        "--start CELL --policy-rate 0.1 --entropy 0.1 --seeds 1 "
        "--seed 2 --out out"
    ],
    "probe": [
        "random_search --benchmark table.npz --budget 4 --seeds 3 --seed 1 --source part.npz "
        "--rehearsal --out out"
    ],
    "stability": [
        "--benchmark table.npz --agents evolution --rates 2 3 --option tournament --budget 20 "
        "--trainings 3 --seed 1 --out out"
    ],
    "transfer": [
        "--benchmarks table.npz other.npz --agent gp:fresh=5,near=2,parents=2 --budget 4 "
        "--points 3 --seeds 2 --seed 1 --out out"
    ],
    "predict": [
        "table.npz --predictors params --train 10 20 --draws 2 --pool 60 --epochs 4 --seed 1 "
        "--out out",
        "table.npz --predictors params --train 10 --columns columns.csv --truth acc --out out",
    ],
    "runs": ["before --all"],
    "runs show": ["COMPARED"],
    "runs rm": ["GONE"],
    "runs clean": ["before --yes --hours 2"],
    "reproduce": ["--only tnb101-jigsaw --seeds 4 --out out"],
    "speed": ["--size small --only enumeration --cores 1 --json record.json"],
    "completion": ["zsh"],
    "agents": ["evolution"],
    "check": ["random_search"],
    "new agent": ["brand_new --folder made/agent"],
    "new benchmark": ["brand-new --folder made/benchmark"],
    "bench list": [""],
    "bench info": ["table.npz"],
    "bench show": ["9 --benchmark table.npz --epochs 4 --out other.png"],
    "bench fetch": [
        "small --url URL/made.tfrecord --folder fetched --no-convert",
        "small --from-file made.tfrecord --no-convert",
    ],
    "bench convert": [
        "made.tfrecord --name other --out converted.npz --sha256 SHA256 --allow-missing "
        "--max-vertices 3"
    ],
    "bench import-csv": [
        "cells.csv --family nb101 --name mine --out mine.npz --columns acc=validation_accuracy "
        "--epochs 5 --percent --values max-of-3 --note of-a-test --max-vertices 3 --continues",
        "words.csv --family nb201 --out mine --columns acc=cifar100_val --epochs 7 --fractions "
        "--values 7=mean-of-3 --note of-a-test",
    ],
    "bench add-columns": [
        "table.npz costs.csv --columns energy=joules --unit J --degenerate keep --note of-a-test "
        "--out costly.npz"
    ],
    "bench export": ["table.npz --format parquet --shape wide --out table.parquet"],
    "bench distill": [
        "nb301-tiny --labels 128 --rounds 1 --width 8 --steps 20 --seed 1 --out distilled.npz",
        ON_RAY,
    ],
    "bench rehearse": ["part.npz --max-vertices 5 --out rehearsal.npz"],
    "bench proxies": [
        "nb101-mnist --proxies params snip --batch 8 --seed 1 --cells 1 --folder proxies "
        "--out proxies.csv"
    ],
    "bench synthetic": ["--tables 2 --beside nb101-digits nb101-digits --seed 1"],
    "bench latency": [
        "nb101-mnist --batches 2 --runs 1 --rounds 2 --cells 2 --folder lat --out latency.csv"
    ],
    "bench tabulate": [
        "--name tiny --max-vertices 4 --cells rows.csv --dataset images.npz --seeds 1 --workers 1 "
        f"--folder trainings --out tiny.npz {TABULATE}",
        f"--name tiny {ON_RAY}",
    ],
}
TRAINS = (
    *("ablate", "bench synthetic", "bench tabulate", "compress", "morph", "oneshot", "retrain"),
    *("scale", "train", "transfer"),
)
TORCH = ("retrain", "oneshot", "morph", "compress", "bench tabulate")
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
        "retrain 1",
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
