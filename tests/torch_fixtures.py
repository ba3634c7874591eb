"""torch's global settings as they were; import the one a module needs, it is used by all of its
tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from rlnas.bench.workers import Failure


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


def run_here(
    function: Callable[[Any, Any], Any],
    tasks: Sequence[Any],
    workers: int,
    on_message: Callable[[int, Any], None],
    on_done: Callable[[int, Any], None],
) -> None:
    """`rlnas.bench.workers.run_all` without processes, which take seconds to start."""
    for i, task in enumerate(tasks):
        try:
            result = function(task, lambda told, i=i: on_message(i, told))
        except Exception as error:
            result = Failure(str(error))
        on_done(i, result)
