"""Whatever the public API is called with, only `UserError`s of one line come out of it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nb201_tables import invented_cells
from rlnas import agents, bench
from rlnas.agents import spec
from rlnas.bench.arguments import shown, whole
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import OPS, Cell, parse
from rlnas.bench.nb201 import cell as nb201
from rlnas.bench.nb301 import darts
from rlnas.bench.noise import Noise
from surrogates import invented_benchmark
from tables import small_benchmark


@contextmanager
def unchecked() -> Iterator[None]:
    """As users have it: in other tests types are checked at run time."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def as_users_have_it() -> Iterator[None]:
    with unchecked():
        yield


MATRIX = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
NAMES = ["input", OPS[0], "output"]
CELLS, EDGES, DARTS = small_benchmark(4), invented_cells(), invented_benchmark()
TEXTS = [
    there.space.format(there.space.sample(jax.random.key(1))) for there in (CELLS, EDGES, DARTS)
]
GENOTYPE = darts.parse(TEXTS[2])
with unchecked():
    NO_CELLS = [Cell(MATRIX, NAMES), Cell("x", None)]

# Pieces of what is right, what is nearly right, and what nobody expects.
atoms = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 120), st.floats(), st.text(max_size=8),
    st.binary(max_size=3), st.complex_numbers(max_magnitude=2),
    st.sampled_from([
        *TEXTS, *NAMES, "mean", "sample", "repeat=0", "repeat=", "98", "4", 20.0, 2**70, "x" * 5000,
        "nb101-digits", "nb301", "nb201-cifar100", "random_search", "evolution:population=x",
        "evolution:=", "Genotype(", "{", "0:none|,", darts.text(GENOTYPE), "\0", "\ud800", "a\nb",
        GENOTYPE, GENOTYPE._asdict(), darts, Cell, Path("x"), Path("."), np.float32(0.97),
        np.array(0), np.array([]), np.eye(3), np.array(["a", None], object),
        np.array("2020", "M8[Y]"),
        pd.DataFrame(MATRIX), pd.Series(NAMES), pd.NA, jnp.arange(22), jnp.ones((2, 2)),
        *NO_CELLS, Noise("repeat", 1), jax.random.key(0), object(),
        np.zeros(22, np.int8), np.zeros(6, np.int8), iter([1, 2]), range(6), {1, 2}, {"normal": 3},
    ]),
)  # fmt: skip
anything = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from([*darts.Genotype._fields, "x"]), inner, max_size=4),
    ),
    max_leaves=12,
)


def edited(value: Any, place: int, new: Any) -> Any:
    """A nested list with one leaf, by its number, replaced."""
    if not isinstance(value, list | tuple):
        return new
    items = list(value)
    items[place % len(items)] = edited(items[place % len(items)], place // len(items), new)
    return items


def nearly(right: Any) -> st.SearchStrategy[Any]:
    return st.builds(partial(edited, right), st.integers(0, 10**6), atoms)


def cut(text: str) -> st.SearchStrategy[str]:
    """A text with some of its letters replaced."""
    ends = st.integers(0, len(text))
    return st.builds(
        lambda a, b, new: text[: min(a, b)] + new + text[max(a, b) :],
        ends,
        ends,
        st.text(max_size=3),
    )


spaces = [there.space for there in (CELLS, EDGES, DARTS)]
ARCHS = [jax.device_get(space.sample(jax.random.key(0))).tolist() for space in spaces]
some = {
    "load": (bench.load, anything),
    "load epochs": (lambda x: bench.load("nb101-digits", epochs=x), anything),
    "load noise": (lambda x: bench.load("nb101-digits", noise=x), anything),
    "family_of": (bench.family_of, anything),
    "Noise": (Noise, anything),
    "Noise repeat": (lambda x: Noise("repeat", x), anything),
    "Noise.parse": (Noise.parse, st.one_of(anything, cut("repeat=1"))),
    "parse matrix": (lambda x: parse(x, NAMES), st.one_of(anything, nearly(MATRIX))),
    "parse ops": (lambda x: parse(MATRIX, x), st.one_of(anything, nearly(NAMES))),
    "row": (CELLS.space.row, anything),
    "nb201 from_text": (lambda x: nb201.digits_of(nb201.TRANSNAS, x), anything),
    "genotype": (darts.parse, st.one_of(anything, nearly(GENOTYPE), cut(darts.text(GENOTYPE)))),
    "config": (agents.config, anything),
    "spec": (spec.parse, st.one_of(anything, cut("evolution:population=5,tournament=2"))),
    "specs": (spec.parse_all, st.one_of(anything, st.lists(anything, max_size=3))),
    **{
        f"{there.name} {name}": (call, st.one_of(anything, cut(text), nearly(arch)))
        for there, text, arch in zip((CELLS, EDGES, DARTS), TEXTS, ARCHS, strict=True)
        for name, call in {
            "parse": there.space.parse,
            "format": there.space.format,
            "lookup": there.lookup,
            "key": partial(there.lookup, text),
        }.items()
    },
}


@pytest.mark.parametrize("name", some)
def test_only_user_errors_come_out(name: str, cache: Path) -> None:
    call, values = some[name]

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(values)
    def check(value: Any) -> None:
        try:
            call(value)
        except UserError as error:
            assert "\n" not in str(error) and str(error) and len(str(error)) < 1000

    check()


def test_numbers_of_any_library_and_their_texts_are_whole_numbers() -> None:
    for value in (20, 20.0, "20", np.int8(20), np.float32(20), jnp.int32(20), np.array(20)):
        assert whole(value, "epochs") == 20 and type(whole(value, "epochs")) is int
    for value in (20.5, "20.5", True, None, "x", float("nan"), float("inf"), [20], "2e1"):
        with pytest.raises(UserError, match=r"epochs is .*; expected a whole number"):
            whole(value, "epochs")
    assert bench.load("nb101-digits", epochs=20.0).epochs == 20
    assert bench.load("nb101-digits", epochs="20").epochs == 20
    with pytest.raises(UserError, match=r"epochs is 20\.5; expected a whole number"):
        bench.load("nb101-digits", epochs=20.5)
    with pytest.raises(UserError, match="unknown noise policy None; expected mean"):
        bench.load("nb101-digits", noise=None)
    with pytest.raises(UserError, match="unknown option 'colour' of benchmark 'nb101-digits'"):
        bench.load("nb101-digits", colour="red")


def test_a_look_up_takes_a_text_an_architecture_or_a_cell() -> None:
    for there, text in zip((CELLS, EDGES, DARTS), TEXTS, strict=True):
        arch = there.space.parse(text)
        values = {
            float(there.lookup(form).val) for form in (text, arch, np.asarray(arch), arch.tolist())
        }
        assert len(values) == 1
    assert float(CELLS.lookup(CELLS.space.cell(5)).val) == float(CELLS.lookup(5).val)
    assert float(DARTS.lookup(GENOTYPE).val) == float(DARTS.lookup(GENOTYPE._asdict()).val)
    for there, wrong in ((CELLS, 91), (EDGES, 5), (DARTS, 5)):
        for value in (wrong, "text", None, 0.5):
            with pytest.raises(UserError, match=r"expected|no cell"):
                there.lookup(value)
    with pytest.raises(UserError, match="key is 0; expected one key"):
        CELLS.lookup(5, 0)


def test_values_are_shown_in_one_short_line() -> None:
    assert shown("a\nb") == r"'a\nb'" and shown(np.float32(0.5)) == "0.5"
    assert shown(np.zeros((50, 50))).endswith(" ...") and "\n" not in shown(np.zeros((50, 50)))
    assert len(shown("x" * 1000)) == 120
    broken: Callable[..., Any] = type("Broken", (), {"__repr__": lambda self: 1 / 0})
    assert shown(broken()) == "a Broken"


def test_noise_stays_plain_data() -> None:
    assert Noise("repeat", 1.0) == Noise.parse("repeat=1") == Noise.parse(" repeat=1")
    assert pickle.loads(pickle.dumps(Noise())) == Noise() and hash(Noise("sample"))
