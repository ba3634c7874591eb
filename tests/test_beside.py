"""Work beside other work: what a thread inherits, where errors go, what is left to compile."""

from __future__ import annotations

import logging
import threading
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from rlnas.bench.beside import beside, compiled
from rlnas.bench.jax_setup import pinned


def test_a_thread_works_under_the_settings_that_are_pinned() -> None:
    def settings() -> tuple[bool, bool, str]:
        config = jax.config
        return config.jax_enable_x64, config.jax_threefry_partitionable, str(jax.random.key(0))

    jax.config.update("jax_threefry_partitionable", False)
    try:
        with pinned(), beside() as submit:
            found = submit(settings)
            where = submit(threading.current_thread)
    finally:
        jax.config.update("jax_threefry_partitionable", True)
    with pinned():
        assert found.result() == settings()
    assert where.result() is not threading.current_thread()


def test_what_was_raised_there_is_raised_at_the_end() -> None:
    done = []

    def failing() -> None:
        raise ValueError("there")

    with pytest.raises(ValueError, match="there"), beside() as submit:
        submit(partial(done.append, 1))
        submit(failing)
    assert done == [1]


def test_an_exception_here_leaves_out_what_is_not_begun() -> None:
    begun, free, done = threading.Event(), threading.Event(), []

    def waiting() -> None:
        begun.set()
        free.wait(60)

    with pytest.raises(KeyError), beside() as submit:
        first = submit(waiting)
        second = submit(partial(done.append, 1))
        begun.wait(60)
        raise KeyError
    free.set()
    first.result(60)
    assert second.cancelled() and not done


def test_nothing_is_left_to_compile(caplog: pytest.LogCaptureFixture) -> None:
    @jax.jit
    def program(x: jax.Array) -> jax.Array:
        return jnp.sin(x) + 1

    here = jnp.ones(3)
    with pinned(), caplog.at_level(logging.DEBUG, "jax._src.dispatch"):
        with beside() as submit:
            submit(partial(compiled, program, jax.ShapeDtypeStruct((3,), jnp.float32)))
        assert compilations(caplog, "program") == 1
        program(here)
        assert compilations(caplog, "program") == 1
        program(here[:2])
        assert compilations(caplog, "program") == 2


def compilations(caplog: pytest.LogCaptureFixture, name: str) -> int:
    return caplog.text.count(f"Finished XLA compilation of jit({name})")
