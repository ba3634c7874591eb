"""How a computation is stopped from outside: Ctrl-C and SIGTERM are the same `KeyboardInterrupt`,
which waits for the end of a step where that matters."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAID = "\nrlnas: interrupted; the same command again goes on where it can"
PATIENCE_S, GRACE_S = 5.0, 40.0
"""Python hears a signal only between two of its own steps, and a compilation may take minutes; what
it then raises may be lost where Python ignores exceptions, in a destructor."""


class Interrupted(KeyboardInterrupt):
    """Stopped by signal `number`."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


heard = threading.Event()
"""Python has heard the latest signal."""


def listen() -> None:
    """For a process of ours: from now on both signals raise `Interrupted`; one that is ignored, as
    under `nohup`, stays so. While a module is imported, where Python does not hear it for
    `PATIENCE_S`, or is still there `GRACE_S` after it did, the process ends: what is on disk is
    whole at any time."""

    def stop(number: int, frame: FrameType | None) -> None:
        heard.set()
        if _importing(frame):
            print(SAID, file=sys.stderr)
            leave(128 + number)
        raise Interrupted(number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    arrived, arrive = os.pipe()
    os.set_blocking(arrive, False)
    signal.set_wakeup_fd(arrive, warn_on_full_buffer=False)
    threading.Thread(target=_end_after, args=(arrived,), daemon=True).start()


def _importing(frame: FrameType | None) -> bool:
    """A compiled module that is being set up may crash where an exception comes out of it."""
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _end_after(arrived: int) -> None:
    """arrived: gets a byte a signal, its number, however busy Python is."""
    while (number := os.read(arrived, 1)[0]) not in SIGNALS:
        continue
    if heard.wait(PATIENCE_S):
        time.sleep(GRACE_S)
    print(SAID, file=sys.stderr)
    _end(128 + number)


def status_of(interrupt: KeyboardInterrupt) -> int:
    """The exit status that shells give who ends by a signal: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + int(getattr(interrupt, "number", signal.SIGINT))


def leave(status: int) -> NoReturn:
    """End this process at once, with all that was printed. What computes on other threads would
    crash in a Python that is being taken down."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _end(status)


def _end(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


class Noted:
    """Whether there was a signal."""

    def __init__(self) -> None:
        self.asked = False
        self.number = int(signal.SIGINT)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        heard.set()
        if self.asked:  # a second time: at once
            raise Interrupted(number)
        self.asked, self.number = True, number

    def stop(self) -> NoReturn:
        """What is asked for."""
        raise Interrupted(self.number)


@contextmanager
def noted() -> Iterator[Noted]:
    """Within, the first signal is only noted: look at `asked` where the state is whole, save it,
    and `stop`. Outside the main thread, and of a signal that is ignored, nothing changes."""
    interrupts = Noted()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    taken = {number: how for number, how in before.items() if how is not signal.SIG_IGN}
    if threading.current_thread() is not threading.main_thread():
        taken = {}
    for number in taken:
        signal.signal(number, interrupts)
    try:
        yield interrupts
    finally:
        for number, how in taken.items():
            signal.signal(number, how)
