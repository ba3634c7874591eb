"""Pickles are read without running them: hostile and strange ones are refused in one line."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas.bench.errors import UserError
from rlnas.bench.nb301.legacy import Call, opcodes_to_values, read_member

XGBOOST = b"cxgboost.core\nBooster\n"
DOUBLED = b"\x80\x04(K\x01t\x94" + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(40))
"""A tuple of two of the last, forty times, memo 40: to hash it or print it never ends."""


def read(data: bytes) -> Any:
    return read_member(data, "there")


class Hostile:
    """Unpickled, calls `function(*arguments)`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.reduced


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), "posix.system"),
        (eval, ("open('{}', 'w')",), "builtin.*eval"),
        (exec, ("open('{}', 'w')",), "builtin.*exec"),
        (getattr, (dict, "__class__"), "builtin.*getattr"),
        (open, ("{}", "w"), "io.open"),
        (defaultdict, (list,), "builtin.*list"),
        (np.save, ("{}", 1), "numpy.*save"),
    ],
)
def test_a_hostile_pickle_runs_nothing_and_is_named(
    tmp_path: Path, protocol: int, function: Callable, arguments: tuple, name: str
) -> None:
    mark = tmp_path / "executed"
    filled = tuple(x.format(mark) if isinstance(x, str) else x for x in arguments)
    for payload in (Hostile(function, *filled), {"handle": [Hostile(function, *filled)]}):
        with pytest.raises(
            UserError, match=f"there: the pickle asks for '.*{name}'.*nothing was run"
        ):
            read(pickle.dumps(payload, protocol))
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cposix\nsystem\n(S'touch x'\ntR.",
        b"(S'touch x'\niposix\nsystem\n.",
        b"(cposix\nsystem\nS'touch x'\no.",
        b"cxgboost.core\nBooster\n(S'x'\no.",
        b"\x80\x04\x82\x01.",
        b"Pother\n.",
        XGBOOST + b"(}(X\x05\x00\x00\x00stateK\x01ub.",
        XGBOOST + b"}b.",
        b"cbuiltins\nbytearray\nI1099511627776\n\x85R.",
        b"\x80\x03X\xff\xff\xff\x7f.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x03]r\xff\xff\xff\xff.",
        b"ccollections\ndefaultdict\n)R(K\x01K\x02u.",
        b"))" * 200_000 + b".",
        b"",
        b".",
        b"R.",
        b"hello",
        b"h\x05.",
        b"K\x01K\x02a.",
        DOUBLED + b"}h\x28K\x01s.",
        DOUBLED + b"(h\x28K\x01d.",
        DOUBLED + b"h\x28\x8c\x01a\x93.",
        DOUBLED + b"\x8c\x01ah\x28\x93.",
    ],
)
def test_strange_pickles_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(UserError, match=r"^there: ") as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_what_is_let_through_is_inert() -> None:
    value = {
        "best": defaultdict(OrderedDict, {"valid_0": OrderedDict({"rmse": np.float64(2.5)})}),
        "data": bytearray(b"abc"),
    }
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        found = opcodes_to_values(pickle.dumps(value, protocol), "there")
        best = found["best"]
        assert (
            isinstance(best, Call)
            and best.name == "collections.defaultdict"
            and list(best.items) == ["valid_0"]
        )
        inner = best.items["valid_0"]
        assert isinstance(inner, Call) and inner.items["rmse"].name.endswith("multiarray.scalar")


def test_an_escape_that_python_does_not_know_is_no_warning() -> None:
    assert opcodes_to_values(b"S'\\d'\n.", "there") == "\\d"
