"""Energy, where it can be read: the processor's RAPL counters, the GPU's draw by nvidia-smi."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
SAMPLE_S = 2.0  # often enough for RAPL counters, which wrap after minutes


class EnergyMeter:
    """Joules of the whole processor (RAPL) and GPU (nvidia-smi) between `start` and `stop`, whoever
    used them.

    A source that cannot be read is left out; with none at all, `stop` gives None.
    """

    def __init__(
        self, gpu: str | None = None, powercap: Path = POWERCAP, every_s: float = SAMPLE_S
    ) -> None:
        self.gpu, self.every_s = gpu, every_s
        # intel-rapl:0 is a package; intel-rapl:0:0 a part of it, counted already.
        self.counters = [
            path / "energy_uj"
            for path in sorted(powercap.glob("*-rapl:*"))
            if path.name.count(":") == 1
        ]
        self.joules: dict[str, float] = {}
        self._last: dict[Path, int] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._at = 0.0

    def start(self) -> None:
        self._at = time.monotonic()
        self._sample(first=True)
        if self.joules or self._last:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> dict[str, float] | None:
        self._ended.set()
        if self._thread:
            self._thread.join()
            self._sample()
        return {name: round(value, 1) for name, value in self.joules.items()} or None

    def _run(self) -> None:
        while not self._ended.wait(self.every_s):
            self._sample()

    def _sample(self, first: bool = False) -> None:
        now = time.monotonic()
        for path in self.counters:
            try:
                value = int(path.read_text())
                if path in self._last:
                    gone = value - self._last[path]
                    if gone < 0:
                        gone += int((path.parent / "max_energy_range_uj").read_text())
                    self.joules["cpu"] = self.joules.get("cpu", 0.0) + gone / 1e6
                self._last[path] = value
            except (OSError, ValueError):
                continue  # only root may read it, on most machines
        if self.gpu is not None and (watts := _gpu_watts(self.gpu)) is not None:
            spent = 0.0 if first else watts * (now - self._at)
            self.joules["gpu"] = self.joules.get("gpu", 0.0) + spent
        self._at = now


def _gpu_watts(gpu: str) -> float | None:
    """What the GPU (its number, or UUID) draws just now."""
    words = ["nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "-i", gpu]
    try:
        return float(
            subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
