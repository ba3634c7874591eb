"""The official ensembles' `surrogate_model.model` files, read without running them.

Each is a pickle of an xgboost or LightGBM `Booster`. A pickle is a little program; here its opcodes
are read one by one and nothing is ever called: a global becomes its name, a call a record of name
and arguments. Globals other than the few that such a file needs are refused by name, as are opcodes
that it does not need. What matters is one entry of the state, `handle`: the model itself, in
xgboost's or LightGBM's own format.
"""

from __future__ import annotations

import pickletools
import struct
import warnings
from dataclasses import dataclass, field
from typing import Any

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.nb301.forest import Forest
from rlnas.bench.nb301.genotype import CONSTANTS
from rlnas.bench.nb301.lightgbm_format import read_lightgbm
from rlnas.bench.nb301.xgboost_format import read_xgboost
from rlnas.bench.reading import UNREADABLE, reason

XGBOOST, LIGHTGBM = "xgboost.core.Booster", "lightgbm.basic.Booster"
GLOBALS = frozenset(
    {
        XGBOOST,
        LIGHTGBM,
        "builtins.bytearray",
        "__builtin__.bytearray",
        "_codecs.encode",
        "numpy.dtype",
    }
    | {"collections.defaultdict", "collections.OrderedDict"}
    | {"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"}
)
MOST_OBJECTS = 100_000
"""The official pickles have a few hundred opcodes; their trees are one string."""


@dataclass
class Call:
    """What a pickle would have made: the global's name, its arguments, and its state or items.
    Inert."""

    name: str
    args: Any = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Global:
    name: str


def read_member(data: bytes, where: str) -> Forest:
    """The trees of one `surrogate_model.model`; `UserError` naming `where` for anything else."""
    booster = opcodes_to_values(data, where)
    state = booster.state if isinstance(booster, Call) else None
    if (
        not isinstance(booster, Call)
        or booster.name not in (XGBOOST, LIGHTGBM)
        or not isinstance(state, dict)
    ):
        raise UserError(
            f"{where}: no pickled xgboost or LightGBM model; expected a surrogate_model.model"
        )
    if booster.name == LIGHTGBM:
        text, best = state.get("handle", state.get("_handle")), state.get("best_iteration", 0)
        if not isinstance(text, str):
            raise UserError(
                f"{where}: a LightGBM pickle without its text model; get the file again"
            )
        forest = read_lightgbm(text, where, best_iteration=best if isinstance(best, int) else 0)
    else:
        forest = read_xgboost(_bytes(state.get("handle"), where), where)
    forest.check(where, len(CONSTANTS))
    return forest


def _bytes(handle: Any, where: str) -> bytes:
    """The argument of `bytearray(...)`: bytes, or text and its encoding in old protocols."""
    if (
        isinstance(handle, Call)
        and handle.name.endswith(".bytearray")
        and isinstance(handle.args, tuple)
    ):
        content = handle.args[0] if handle.args else None
        if isinstance(content, Call) and content.name == "_codecs.encode":
            content = content.args[0] if content.args else None
        handle = content.encode("latin-1", "replace") if isinstance(content, str) else content
    if isinstance(handle, bytes | bytearray):
        return bytes(handle)
    raise UserError(f"{where}: an xgboost pickle without its model; get the file again")


def opcodes_to_values(data: bytes, where: str) -> Any:
    """The object of a pickle, as plain Python values, `Global`s and `Call`s. Runs nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in its texts
            return _Reader(where).read(data)
    except UserError:
        raise
    except (
        *UNREADABLE,
        struct.error,
    ) as error:
        raise UserError(
            f"{where}: damaged or no pickle ({reason(error)}); get the file again"
        ) from None


_MARK = object()
KEYS = (str, bytes, int, float, bool, type(None))
_NUMBERS = "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT"
_TEXTS = "UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING"
_LITERALS = f"{_NUMBERS} {_TEXTS} BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class _Reader:
    """A pickle machine with a stack and a memo, and without a way to call anything."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def read(self, data: bytes) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MOST_OBJECTS:
                raise UserError(
                    f"{self.where}: more than {MOST_OBJECTS:,} pickle opcodes; not an official "
                    "model"
                )
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise ValueError("no end")

    def _step(self, name: str, argument: Any) -> None:
        push = self.stack.append
        if name in _LITERALS:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in ("PROTO", "FRAME"):
            pass
        elif name == "MARK":
            push(_MARK)
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            push({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[name])
        elif name in ("TUPLE", "LIST"):
            push((tuple if name == "TUPLE" else list)(self._to_mark()))
        elif name == "DICT":
            push(_pairs(self._to_mark()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            push(tuple(self._pop() for _ in range(count))[::-1])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            push(self.memo[argument])
        elif name == "POP":
            self.stack.pop()
        elif name in ("APPEND", "APPENDS"):
            items = [self._pop()] if name == "APPEND" else self._to_mark()
            target = self.stack[-1]
            if not isinstance(target, list):
                raise ValueError(f"{name} to a {type(target).__name__}")
            target.extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [self._pop(), self._pop()][::-1] if name == "SETITEM" else self._to_mark()
            target = self.stack[-1]
            target = target.items if isinstance(target, Call) else target
            if not isinstance(target, dict):
                raise ValueError(f"{name} to a {type(target).__name__}")
            target.update(_pairs(items))
        elif name == "GLOBAL":
            push(self._global(".".join(argument.split(" ", 1))))
        elif name == "STACK_GLOBAL":
            attribute, module = self._pop(), self._pop()
            if type(attribute) is not str or type(module) is not str:
                raise ValueError(f"a {type(module).__name__} for the name of a module")
            push(self._global(f"{module}.{attribute}"))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, called = self._pop(), self._pop()
            if not isinstance(called, Global):
                raise ValueError(f"a call of a {type(called).__name__}")
            push(Call(called.name, arguments))
        elif name == "BUILD":
            state = self._pop()
            if not isinstance(self.stack[-1], Call):
                raise ValueError(f"state for a {type(self.stack[-1]).__name__}")
            self.stack[-1].state = state
        else:
            raise UserError(
                f"{self.where}: a pickle with the opcode {name}, which no official model has; "
                "refused"
            )

    def _global(self, name: str) -> Global:
        if name not in GLOBALS:
            raise UserError(
                f"{self.where}: the pickle asks for {shown(name)}, which no official model needs; "
                "refused, nothing was run"
            )
        return Global(name)

    def _pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark in the wrong place")
        return value

    def _to_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("no mark")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """Keys are texts and numbers: hashing what is nested takes as long as its author likes."""
    keys = items[::2]
    if wrong := next((key for key in keys if type(key) not in KEYS), None):
        raise ValueError(f"a {type(wrong).__name__} as a key")
    return dict(zip(keys, items[1::2], strict=True))
