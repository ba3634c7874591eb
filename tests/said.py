"""Commands in the process of a test, and what they have said."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
from pathlib import Path
from unittest import mock

from rlnas.analysis import cli

PROGRESS = re.compile(r"\[\d\d:\d\d[<,]")


def called(*words: object, cwd: Path | str = ".", **env: str) -> subprocess.CompletedProcess[str]:
    """`rlnas WORDS` here, in `cwd`: a process of its own takes seconds to start."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, env),
    ):
        try:
            status = cli.main([*map(str, words)])
        except SystemExit as ended:  # after --help
            status = int(ended.code or 0)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def complaints(stderr: str) -> str:
    """What is left of stderr without the lines that slow machines make of progress."""
    kept = [line for line in stderr.splitlines(keepends=True) if not PROGRESS.search(line)]
    return "".join(kept)
