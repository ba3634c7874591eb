"""Real processes of the command line, stopped from outside: the status shells expect, one line, no
crash, no half-written file, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rlnas.analysis.interrupts import Interrupted, Noted, noted, status_of
from tables import small_table

COMPARE = "compare --benchmark table.npz --agents random_search --budget 40 --seeds 100000"
ABLATE = (
    "ablate --preset smoke --benchmark table.npz --alpha 1 2 --neighbours 3 4 --seeds 2 "
    "--steps 10000000 --workers 2"
)
SAID = "rlnas: interrupted; the same command again goes on where it can"


def started(line: str, folder: Path) -> subprocess.Popen:
    """The command in `folder`, where a `table.npz` lies."""
    small_table(4).save(folder / "table.npz")
    # A shell that starts the tests in the background makes them, and what they start, ignore it.
    begin = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    begin += "from rlnas.analysis.cli import entry; entry()"
    return subprocess.Popen(
        [sys.executable, "-c", begin, *line.split()], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def until(holds: Callable[[], bool], seconds: float = 240.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_comparison_that_is_stopped(number: signal.Signals, status: int, tmp_path: Path) -> None:
    process = started(COMPARE, tmp_path)
    try:
        assert until(lambda: any(tmp_path.glob("runs/*/part-*.npz")))
        process.send_signal(number)
        said = process.communicate(timeout=60)[1].splitlines()
    finally:
        process.kill()
    assert (process.returncode, said[-1]) == (status, SAID)
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.name]


DEAF = "lock(mutex)"  # for ever: the lock is its own
LOST = "while True:\n  try: time.sleep(9)\n  except BaseException: pass"


@pytest.mark.parametrize(
    ("number", "status", "busy"), [(signal.SIGINT, 130, DEAF), (signal.SIGTERM, 143, LOST)]
)
def test_a_process_ends_that_does_not_hear_a_signal_or_loses_it(
    number: signal.Signals, status: int, busy: str
) -> None:
    """As in a compilation, which holds the main thread for minutes, or in a destructor."""
    script = (
        "import ctypes, signal, threading, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from rlnas.analysis import interrupts\n"
        "interrupts.PATIENCE_S = interrupts.GRACE_S = 0.2\n"
        "interrupts.listen()\n"
        "lock, mutex = ctypes.CDLL(None).pthread_mutex_lock, ctypes.create_string_buffer(64)\n"
        "lock(mutex)\n"
        f"threading.Timer(1.0, lambda: print('here', flush=True)).start()\n{busy}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert (process.returncode, said.strip()) == (status, SAID)


@pytest.mark.parametrize("importing", [True, False])
def test_an_import_is_not_left_by_an_exception(importing: bool, tmp_path: Path) -> None:
    """Compiled modules may crash of one (`make soak`: `bench tabulate` did, once in an hour)."""
    (tmp_path / "slow.py").write_text(
        "import time\ndef wait():\n  try:\n    print('here', flush=True)\n    time.sleep(60)\n"
        "  finally: print('unwound', flush=True)\n"
    )
    (tmp_path / "slower.py").write_text("import slow\nslow.wait()\n")
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from rlnas.analysis import interrupts; import slow\ninterrupts.listen()\n"
    ) + ("import slower" if importing else "slow.wait()")
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    finally:
        process.kill()
    if importing:
        assert (process.returncode, out, said.strip()) == (130, "", SAID)
    else:
        assert out == "unwound\n" and "Interrupted" in said


def children(parent: int) -> list[int]:
    """The processes that it started and that are still there."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return [int(word) for word in found]


def works(process: int) -> bool:
    """Whether it is there, and holds memory as one with JAX does."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return False
    return pages * os.sysconf("SC_PAGE_SIZE") > 150e6


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_survives_an_ablation(number: signal.Signals, tmp_path: Path) -> None:
    process = started(ABLATE, tmp_path)
    try:
        assert until(lambda: sum(map(works, children(process.pid))) == 2)
        workers = [child for child in children(process.pid) if works(child)]
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGKILL)
    assert until(lambda: not any(map(works, workers)), 10.0)


def test_both_signals_wait_until_they_are_asked_for() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with noted() as stopped:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopped.asked
            with pytest.raises(Interrupted) as again:
                stopped.stop()
            assert status_of(again.value) == 143
    finally:
        for number, how in before.items():
            signal.signal(number, how)
    assert status_of(KeyboardInterrupt()) == 130 and not Noted().asked
