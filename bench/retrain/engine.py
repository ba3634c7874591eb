"""On what a training runs, and how: the parts that change its speed and its last digits, not what
it is."""

from dataclasses import dataclass
from typing import Any, Literal

from rlnas.bench.errors import UserError

Switch = Literal["auto", "on", "off"]
COMPILE_STEPS = 5_000
"""torch.compile takes a minute or so a network; below so many steps that is not won back. Ours, not
measured."""


@dataclass(frozen=True)
class Engine:
    """A resolved choice. amp: `off`, `bf16` or `fp16`. threads: of one worker process, on the
    CPU."""

    device: str = "cpu"
    amp: str = "off"
    channels_last: bool = False
    compile: bool = False
    deterministic: bool = True
    threads: int = 1

    def numerics(self) -> dict[str, Any]:
        """What results depend on in more than their last digits."""
        return {"device": self.device.partition(":")[0], "amp": self.amp}


@dataclass(frozen=True)
class Options:
    """As asked for on the command line."""

    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU when there is one."""
    amp: Literal["auto", "off", "bf16", "fp16"] = "auto"
    """Mixed precision; auto: bf16 on a GPU that has it, else fp16 with a scaled loss; off on the
    CPU."""
    channels_last: Switch = "auto"
    """Memory format of images and weights; auto: on a GPU."""
    compile: Switch = "auto"
    """torch.compile; auto: on a GPU, when a training is long enough to win its time back."""
    deterministic: Switch = "auto"
    """A seed gives the same curve twice, to the last bit; auto: on the CPU, where it costs
    nothing."""
    threads: int = 0
    """Threads of a worker process, on the CPU; 0: the cores shared out evenly."""


def require() -> None:
    """`UserError` when a package is missing that trainings need."""
    try:
        import nasbench_pytorch  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed; `pip install 'rlnas[retrain]'` to train"
        ) from None


def resolve(options: Options, steps: int, threads: int) -> Engine:
    """The engine of `options` here. steps: of one training. threads: a worker's share of the
    cores."""
    import torch

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
    import os

    import torch

    if engine.deterministic:
        os.environ.setdefault(
            "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
        )  # cuBLAS is deterministic only then
    torch.use_deterministic_algorithms(engine.deterministic)
    # A guard against reading what was never written, at the price of writing all memory twice.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(engine.threads)
    if engine.device != "cpu":
        torch.backends.cudnn.benchmark = not engine.deterministic
        torch.backends.cuda.matmul.allow_tf32 = (
            torch.backends.cudnn.allow_tf32
        ) = not engine.deterministic


def describe(engine: Engine) -> dict[str, Any]:
    """The machine and the versions, for manifests."""
    import os
    import platform
    from dataclasses import asdict
    from importlib.metadata import PackageNotFoundError, version

    import torch

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
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
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


def cores() -> int:
    """How many cores this process may use."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
