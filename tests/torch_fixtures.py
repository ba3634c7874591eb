"""torch's global settings as they were; import the one a module needs, it is used by all of its
tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread while a test runs: test workers share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Undoes `rlnas.bench.retrain.device.prepare`, which is for a process of its own."""
    with kept():
        yield


@contextmanager
def kept() -> Iterator[None]:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
