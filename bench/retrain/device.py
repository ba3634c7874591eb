"""The engine of this machine: chosen, set up, and described for manifests."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from rlnas.bench.errors import UserError
from rlnas.bench.retrain.engine import Engine, Options, cores

COMPILE_STEPS = 5_000
"""torch.compile takes a minute or so a network; below so many steps that is not won back. Ours, not
measured."""


def resolve(options: Options, steps: int, threads: int) -> Engine:
    """The engine of `options` here. steps: of one training. threads: a worker's share of the
    cores."""
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError(f"found --device {options.device}; expected auto, cpu or cuda")
    gpu = kind == "cuda"
    if gpu and not torch.cuda.is_available():
        raise UserError(f"found --device {options.device}, but torch sees no GPU here; choose cpu")
    amp = options.amp
    if amp == "auto":
        amp = ("bf16" if torch.cuda.is_bf16_supported() else "fp16") if gpu else "off"
    if amp == "fp16" and not gpu:
        raise UserError("found --amp fp16 on the CPU; expected off or bf16")
    deterministic = _switch(options.deterministic, not gpu)
    return Engine(
        device=device,
        amp=amp,
        channels_last=_switch(options.channels_last, gpu),
        compile=_switch(options.compile, gpu and not deterministic and steps >= COMPILE_STEPS),
        deterministic=deterministic,
        threads=options.threads or threads,
    )


def _switch(asked: str, auto: bool) -> bool:
    return auto if asked == "auto" else asked == "on"


def prepare(engine: Engine) -> None:
    """Set this process's torch up for `engine`. Call before the device is used for the first
    time."""
    if engine.deterministic:
        # cuBLAS is deterministic only then.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(engine.deterministic)
    # A guard against reading what was never written, at the price of writing all memory twice.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(engine.threads)
    if engine.device != "cpu":
        torch.backends.cudnn.benchmark = not engine.deterministic
        torch.backends.cuda.matmul.allow_tf32 = (
            torch.backends.cudnn.allow_tf32
        ) = not engine.deterministic


def one_thread() -> None:
    """Of this process, where processor time is measured: threads that wait for others spend it."""
    torch.set_num_threads(1)


def describe(engine: Engine) -> dict[str, Any]:
    """The machine and the versions, for manifests."""
    gpu = torch.cuda.get_device_name(engine.device) if engine.device != "cpu" else None
    found = {"torch": str(torch.__version__)}
    for package in ("nasbench-pytorch", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "engine": asdict(engine),
        "device_name": gpu or _cpu_name() or platform.processor() or platform.machine(),
        "cores": cores(),
        "cuda": torch.version.cuda if gpu else None,
        "versions": found,
    }


def _cpu_name() -> str | None:
    """As Linux calls the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(
                (line.partition(":")[2].strip() for line in file if line.startswith("model name")),
                None,
            )
    except OSError:
        return None
