"""On what a training runs, and how: the parts that change its speed and its last digits, not what
it is."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from rlnas.bench.errors import UserError

Switch = Literal["auto", "on", "off"]
PACKAGES = ("torch", "nasbench_pytorch", "sklearn")
"""What the extra `retrain` brings."""


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


def installed(package: str) -> bool:
    """Whether a package can be imported; it is not."""
    try:
        return find_spec(package) is not None
    except ValueError:  # sys.modules says None, or it has no spec
        return False


def require() -> None:
    """`UserError` when a package is missing that trainings need."""
    for package in PACKAGES:
        if not installed(package):
            raise UserError(f"{package} is not installed; `pip install 'rlnas[retrain]'` to train")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
