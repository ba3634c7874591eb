"""How far long work is, on stderr: a bar where somebody looks on (a terminal, a notebook), else a
line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from tqdm.auto import tqdm

FIRST = 1.0
"""Seconds until the first line: what is done by then says nothing."""
SILENCE = 30.0
"""Seconds after which there is a line although nothing has happened."""


def bar(
    desc: str,
    total: int | None = None,
    *,
    unit: str = "it",
    initial: int = 0,
    unit_scale: bool = False,
    leave: bool = True,
    shown: bool = True,
) -> Any:
    """A `tqdm` bar, or `Lines`, which can as much of it as is used here; a context manager.

    total: in `unit`s; None: unknown. initial: done before. unit_scale: 20.0k for 20,000. leave: a
    bar stays when it is done. shown: False for nothing at all.
    """
    shown = shown and not _SILENT.get()
    if not shown or watched():
        return tqdm(
            desc=desc, total=total, unit=unit, initial=initial, unit_scale=unit_scale, leave=leave,
            disable=not shown,
        )  # fmt: skip
    return Lines(desc, total, unit, initial, unit_scale)


_SILENT: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Within, no bar is shown: another process tells how far this one is."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def watched() -> bool:
    """Whether what is written to stderr can move: in a terminal, and in a notebook."""
    stream = sys.stderr
    notebook = type(stream).__module__.startswith("ipykernel")
    return notebook or (stream is not None and stream.isatty())


class Lines:
    """Progress for a log file: a line after `FIRST`, from then on whenever there is something to
    tell, after every `SILENCE`, and at the end."""

    def __init__(
        self, desc: str, total: int | None, unit: str, initial: int, unit_scale: bool
    ) -> None:
        self.desc, self.n, self.initial, self.postfix = desc, initial, initial, ""
        self.form: dict[str, Any] = {"total": total, "unit": unit, "unit_scale": unit_scale}
        self.started = time.monotonic()
        self.told: str | None = None  # without its times
        self.due = self.started + FIRST
        self.closed = threading.Event()
        self.watch = threading.Thread(target=self._break_silence, daemon=True)
        self.watch.start()

    def update(self, n: int = 1) -> None:
        """So much more is done; it is told with the next line."""
        self.n += n

    def set_description(self, desc: str) -> None:
        """What is done now."""
        self.desc, before = desc, self.desc
        if desc != before:
            self._news()

    def set_postfix(self, **values: Any) -> None:
        """What came of it so far."""
        self.postfix = ", ".join(f"{name}={value}" for name, value in values.items())
        self._news()

    @staticmethod
    def write(text: str, file: Any = None) -> None:
        """A line of its own."""
        print(text, file=file or sys.stderr, flush=True)

    def close(self) -> None:
        """The last line, unless it would say nothing new; no other comes behind it."""
        self.closed.set()
        self.watch.join()
        if self.told is not None and self.told != self._said(0.0):
            self._tell()

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _news(self) -> None:
        if self.told is not None:
            self._tell()

    def _tell(self) -> None:
        self.due = time.monotonic() + SILENCE
        self.told = self._said(0.0)
        self.write(self._said(time.monotonic() - self.started))

    def _said(self, elapsed: float) -> str:
        said: str = tqdm.format_meter(
            n=self.n, elapsed=elapsed, ncols=0, prefix=self.desc, postfix=self.postfix,
            initial=self.initial, **self.form,
        )  # fmt: skip
        return said

    def _break_silence(self) -> None:
        while not self.closed.wait(max(0.01, self.due - time.monotonic())):
            if time.monotonic() >= self.due:
                self._tell()
