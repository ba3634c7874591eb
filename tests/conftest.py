"""Shared fixtures. Shapes and types are checked at run time in the tests (jaxtyping, beartype), and
only here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

TESTS = Path(__file__).parent
# Most of a test's time is compilation. So programs are compiled to be compiled fast, and one cache
# of them serves all workers, the processes that tests start, and the next run.
COMPILED = TESTS.parent / ".pytest_cache" / "jax"
MOST_MAPPINGS = 30_000
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")  # the small ones are many
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# The first halves what is left of the time to compile; parts of a program that are compiled side by
# side take more together than the whole does.
FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def understood(flags: str) -> bool:
    """XLA ends a process that gives it a flag it does not know, and flags come and go."""
    env = os.environ | {"XLA_FLAGS": flags}
    words = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(words, env=env, capture_output=True).returncode == 0


if "XLA_FLAGS" not in os.environ and understood(FLAGS):
    os.environ["XLA_FLAGS"] = FLAGS  # the workers inherit it
# Processes that a test starts may import the helper modules of this folder, as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
)

install_import_hook(["rlnas"], "beartype.beartype")


def pytest_configure(config: pytest.Config) -> None:
    expect_installed()
    if not hasattr(config, "workerinput"):
        from rlnas.bench.compiled import tidy  # there is one, now

        COMPILED.mkdir(parents=True, exist_ok=True)
        tidy(COMPILED)


def expect_installed() -> None:
    """`make test` tests what is installed; to test the sources, `make dev` links them."""
    if find_spec("rlnas") is None:
        raise pytest.UsageError("rlnas is not installed; run `make dev` first")
    for name in ("bench", "agents", "analysis"):
        spec = find_spec(f"rlnas.{name}")
        assert spec is not None and spec.origin is not None
        sources = Path(spec.origin).resolve().parent == TESTS.parent / name
        if sources and os.environ.get("RLNAS_TEST_INSTALLED"):
            raise pytest.UsageError(f"rlnas.{name} is {spec.origin}: expected an installed package")


@pytest.fixture(autouse=True, scope="module")
def few_programs() -> Iterator[None]:
    """Compiled programs are forgotten before there are too many: each is mapped into memory, and a
    process that reaches the system's 65,530 mappings dies."""
    yield
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > MOST_MAPPINGS:
        sys.modules["jax"].clear_caches()


@pytest.fixture(autouse=True, scope="session")
def no_arguments_of_shapes() -> Iterator[None]:
    """Who lowers a program gets its arguments, too, with shapes in place of arrays, which the types
    of our fields do not allow. Nobody looks at them."""
    from jax._src import stages  # heavy: not before there are tests

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stages, "make_args_info", lambda *given: None)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real benchmark samples, or a skip with the reason."""
    folder = os.environ.get("RLNAS_REAL_DATA")
    if not folder:
        pytest.skip("RLNAS_REAL_DATA is not set: no real benchmark samples here")
    return Path(folder)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of its own."""
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `tables.small_table()`."""
    from tables import small_table  # heavy: not for every test

    path = tmp_path_factory.mktemp("table") / "small.npz"
    small_table().save(path)
    return path
