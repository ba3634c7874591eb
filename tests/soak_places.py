"""Where `make soak` runs its commands: with other devices and without a home, on disks that are
full or may not be written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PLAIN = "plain"
SPREAD = "8 devices"
NOWHERE = "/proc/nowhere"
"""Not even root can make it."""
CACHES = ("HOME", "RLNAS_CACHE", "XDG_CACHE_HOME")
DISKS = ("full disk", "read-only")
PAGE = 4096


def surroundings(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Environments in which the same command must come to the same results, by name."""
    flags = f"{environment.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count="
    homeless = {name: value for name, value in environment.items() if name not in CACHES}
    return {
        PLAIN: dict(environment),
        "1 device": environment | {"XLA_FLAGS": f"{flags}1"},
        SPREAD: environment | {"XLA_FLAGS": f"{flags}8"},
        "no HOME": homeless,
        "HOME is nowhere": homeless | {"HOME": NOWHERE},
    }


def mount(*words: str) -> bool:
    if os.geteuid():
        return False
    return not subprocess.run(["mount", *words], capture_output=True).returncode


@contextmanager
def disk(folder: Path) -> Iterator[bool]:
    """Within, `folder` is a disk of its own, in memory; False where that is refused."""
    mounted = mount("-t", "tmpfs", "-o", "size=1g", "rlnas-soak", str(folder))
    try:
        yield mounted
    finally:
        if mounted:  # lazily, as something may have been left that still reads there
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def can_mount(scratch: Path) -> bool:
    scratch.mkdir()
    with disk(scratch) as mounted:
        return mounted


def used(folder: Path) -> int:
    """Bytes that the files in a folder take on such a disk."""
    paths = [folder, *folder.rglob("*")]
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in paths if path.is_file())


@contextmanager
def obstructed(folder: Path, how: str, room: int) -> Iterator[None]:
    """Within, the disk at `folder` has only `room` bytes left, or may not be written. room: of full
    disks."""
    size = used(folder) + max(room // PAGE, 1) * PAGE  # 0 would be without a limit
    option = f"size={size}" if how == "full disk" else "ro"
    assert mount("-o", f"remount,{option}", str(folder)), f"{folder} cannot be remounted {option}"
    try:
        yield
    finally:
        assert mount("-o", "remount,rw,size=1g", str(folder))
