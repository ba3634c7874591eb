"""What JAX has compiled is kept for the next process, in the cache folder: a second comparison of
the same kind starts at once. Light."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from rlnas.bench.files import cache_dir

FOLDER = "JAX_COMPILATION_CACHE_DIR"
MAX_BYTES = 1_000_000_000
UNFUSED = "--xla_cpu_use_fusion_emitters=false"
"""A third less time to compile what is not optimised. Other bytes: `store.decided_by` has it."""
FAST = f"{UNFUSED} --xla_cpu_parallel_codegen_split_count=1"
"""Parts of a program that are compiled side by side take more together than the whole does."""
UNDERSTOOD = "0.10."
"""The jaxlib that was seen to know both: XLA ends a process that gives it a flag it does not
know."""


def keep_compiled() -> None:
    """For a process of ours, and those it starts, before the first import of JAX. A folder that a
    user has named stays; without one of our own that can be written to, nothing is kept."""
    if "jax" in sys.modules or FOLDER in os.environ:
        return
    folder = cache_dir() / "jax" / machine()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever writes there runs code here, so nobody else's folder is taken.
        if not (os.access(folder, os.W_OK | os.X_OK) and is_own(folder)):
            return
        tidy(folder)
    except OSError:
        return
    os.environ[FOLDER] = str(folder)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")  # small ones are many
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # A damaged entry, or a full disk: the program is compiled, which nobody needs to know.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")


def compile_fast() -> None:
    """The same for programs that run for less time than it takes to optimise them."""
    if "jax" in sys.modules:
        return
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    if version("jaxlib").startswith(UNDERSTOOD):
        os.environ.setdefault("XLA_FLAGS", FAST)


def machine() -> str:
    """A name for processors that run the same machine code, where one home serves several."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    kind = f"{platform.machine()} {flags or platform.processor()}"
    return f"{platform.machine()}-{hashlib.sha256(kind.encode()).hexdigest()[:8]}"


def is_own(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def tidy(folder: Path, most: int = MAX_BYTES) -> None:
    """Without what a killed process left empty; of too much, the newest half of `most` stays."""
    found = [(path, path.stat()) for path in folder.iterdir() if path.is_file()]
    found.sort(key=lambda one: one[1].st_mtime, reverse=True)
    full = sum(stat.st_size for _, stat in found) > most
    kept = 0
    for path, stat in found:
        kept += stat.st_size
        if not stat.st_size or (full and kept > most // 2):
            path.unlink(missing_ok=True)
