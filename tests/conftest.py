"""Shared fixtures. Shapes and types are checked at run time in the tests (jaxtyping, beartype), and
only here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

TESTS = Path(__file__).parent
# Processes that a test starts may import the helper modules of this folder, as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
)

install_import_hook(["rlnas"], "beartype.beartype")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real benchmark samples, or a skip with the reason."""
    folder = os.environ.get("RLNAS_REAL_DATA")
    if not folder:
        pytest.skip("RLNAS_REAL_DATA is not set: no real benchmark samples here")
    return Path(folder)
