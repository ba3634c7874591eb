"""The commands that `make soak` stops, small ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """words: after `rlnas`. prepare: makes what it needs in the folder. left: patterns of the files
    that count. spread: over several devices it is another training, with results of its own."""

    name: str
    words: Callable[[dict[str, str]], str]
    prepare: Callable[[Path], None] = lambda folder: None
    left: Sequence[str] = ("**/*",)
    needs: Sequence[str] = ()
    spread: bool = False


def line(words: str) -> Callable[[dict[str, str]], str]:
    return lambda world: words.format(**world)


def tfrecord(folder: Path) -> None:
    from rlnas.bench.nb101.synthetic import write_synthetic

    write_synthetic(folder / "made.tfrecord", max_vertices=5)


def table(folder: Path) -> None:
    from tables import small_table

    small_table(4).save(folder / "table.npz")


RECIPE = "--recipe.epochs 2 --recipe.checkpoints 1 2 --recipe.stem-channels 4"
CASES = (
    Case(
        "compare",
        line(
            "compare --agents random_search local_search evolution --budget 30 --seeds 12 --out out"
        ),
    ),
    Case(
        "train",
        line(
            "train --preset smoke --steps 2048 --evaluate-every 512 --evaluation-seeds 2 "
            "--judging-seeds 4 --out out"
        ),
        spread=True,
    ),
    Case(
        "train-incontext",
        line("train incontext --preset smoke --evaluation-seeds 2 --judging-seeds 4 --out out"),
        spread=True,
    ),
    Case(
        "ablate",
        line(
            "ablate --preset smoke --steps 1536 --seeds 1 --evaluation-seeds 2 --workers 2 "
            "--out out"
        ),
    ),
    Case("convert", line("bench convert made.tfrecord --allow-missing --out made.npz"), tfrecord),
    Case("fetch", line("bench fetch soak-file --url {url} --folder out --no-convert")),
    Case(
        "tabulate",
        line(
            "bench tabulate --name tiny --max-vertices 3 --dataset digits --seeds 1 --workers 2 "
            f"--folder folder --out tiny.npz {RECIPE}"
        ),
        needs=("torch", "sklearn"),
    ),
    Case(
        "retrain",
        line(
            "retrain --cells '110101 input,maxpool3x3,conv3x3-bn-relu,output' "
            "'101 input,conv3x3-bn-relu,output' --dataset digits --preset quick --channels 4 "
            "--stacks 1 --seeds 1 --epochs 3 --workers 2 --threads 1 --plain-loop-batches 0 "
            "--out out"
        ),
        needs=("torch", "sklearn"),
    ),
    Case(
        "oneshot",
        line("oneshot --preset smoke --steps 20 --seeds 1 --out out"),
        needs=("torch", "sklearn"),
    ),
    Case(
        "oneshot enas",
        line("oneshot enas --preset smoke --out out"),
        needs=("torch", "sklearn"),
    ),
    Case(
        "oneshot ghn",
        line("oneshot ghn --preset smoke --steps 20 --out out"),
        needs=("torch", "sklearn"),
    ),
    Case(
        "morph",
        line("morph --preset smoke --max-vertices 4 --pairs 3 --parent-epochs 1 --out out"),
        needs=("torch", "sklearn"),
    ),
    Case(
        "compress",
        line("compress --preset smoke --max-vertices 4 --teachers 2 --out out"),
        needs=("torch", "sklearn"),
    ),
    Case(
        "maskconnect",
        line("maskconnect --preset smoke --seeds 2 --out out"),
        needs=("torch", "sklearn"),
    ),
    Case(
        "distill",
        line(
            "bench distill nb301-soak --labels 2048 --rounds 1 --width 16 --steps 400 --out far.npz"
        ),
        needs=("onnx",),
    ),
)
