"""Genotypes as papers publish them and programs log them, read without running them.

Understood are DARTS' `Genotype(...)`, also with a module's name, assigned, or after other words of
a log line; a dictionary or JSON of its fields; and the short form `input:operation|...,...`. Inside
stand literals and calls without effect: range, list, tuple, dict, numpy's numbers and arrays.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
"""Of DARTS' `Genotype`, in this order."""
FORMS = (
    "Genotype(normal=[(operation, input), ...], normal_concat=range(2, 6), reduce=[...], "
    "reduce_concat=range(2, 6)), a dictionary of these, or `input:operation|...,...` (normal, then "
    "reduction cell)"
)
LONGEST_RANGE = 16
_CALL = re.compile(r"(?:[A-Za-z_]\w*\s*\.\s*)*\bGenotype\s*\(")
_DICTIONARY = re.compile(r"(?:[A-Za-z_]\w*\.)*\b(?:OrderedDict|dict)\s*\(|\{")
_EDGE = re.compile(r"\s*(\d{1,2}):(\w+)\s*")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def read(text: str) -> dict[str, Any]:
    """The fields that stand in a text, unchecked. `UserError` names the first part that is not
    understood."""
    calls = list(_CALL.finditer(text))
    if len(calls) > 1:
        raise UserError(f"found {len(calls)} genotypes in {shown(text)}; expected one")
    if calls:
        return _fields(_evaluated(_balanced(text, calls[0].start())))
    if start := _DICTIONARY.search(text):
        return _fields(_evaluated(_balanced(text, start.start())))
    return _short(text)


def _short(text: str) -> dict[str, Any]:
    cells = text.strip().split(",")
    if len(cells) != len(FIELDS) // 2 or ":" not in text:
        raise UserError(f"found {shown(text)}; expected {FORMS}")
    found: dict[str, Any] = {}
    for name, cell in zip(FIELDS[::2], cells, strict=True):
        edges = []
        for word in cell.split("|"):
            match = _EDGE.fullmatch(word)
            if not match:
                raise UserError(
                    f"found {shown(word)} in the {name} cell; expected input:operation, e.g. "
                    "0:sep_conv_3x3"
                )
            edges.append((match[2], int(match[1])))
        found[name] = edges
    return found


def _balanced(text: str, start: int) -> str:
    """From `start` to the bracket that closes the first one opened there."""
    open_: list[str] = []
    quote = ""
    for place in range(start, len(text)):
        letter = text[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _CLOSING:
            open_.append(_CLOSING[letter])
        elif open_ and letter == open_[-1]:
            open_.pop()
            if not open_:
                return text[start : place + 1]
        elif letter in _CLOSING.values():
            break
    raise UserError(f"found {shown(text[start:])}, whose brackets do not close; expected {FORMS}")


def _evaluated(text: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's parser, about what it finds odd
            node = ast.parse(text, mode="eval").body
        return _value(node)
    except UserError:
        raise
    except SyntaxError as error:
        at = (error.text or text)[max(0, (error.offset or 1) - 1) :]
        raise UserError(f"found {shown(at)} in a genotype; expected {FORMS}") from None
    except (ValueError, RecursionError, MemoryError):
        raise UserError(f"found {shown(text)}; expected {FORMS}") from None


def _value(node: ast.expr) -> Any:
    """A literal, or a known call, of the like."""
    match node:
        case ast.Constant(value=value) if not isinstance(value, bytes | complex):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_key(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.Name(id="null"):
            return None
        case ast.Call(func=function, args=arguments, keywords=named):
            name = ast.unparse(function).rpartition(".")[2]
            if name in CALLS and all(word.arg for word in named):
                values = [_value(argument) for argument in arguments]
                words = {str(word.arg): _value(word.value) for word in named}
                try:
                    return CALLS[name](values, words)
                except (TypeError, ValueError, IndexError, OverflowError):
                    pass
    raise UserError(f"found {shown_code(node)} in a genotype; expected {FORMS}")


def _key(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise UserError(f"found the key {shown_code(node)} in a genotype; expected {', '.join(FIELDS)}")


def shown_code(node: ast.AST | None) -> str:
    """An expression in a message, without quotes around it."""
    return shown(ast.unparse(node) if node else "**")[1:-1]


def _genotype(values: list[Any], words: dict[str, Any]) -> dict[str, Any]:
    if len(values) > len(FIELDS) or words.keys() & FIELDS[: len(values)]:
        raise ValueError
    return dict(zip(FIELDS, values, strict=False)) | words


def _range(values: list[Any], words: dict[str, Any]) -> list[int]:
    start, stop = values if len(values) == 2 else (0, *values)
    if words or not all(type(end) is int and 0 <= end <= LONGEST_RANGE for end in (start, stop)):
        raise ValueError
    return list(range(start, stop))


def _list(values: list[Any], words: dict[str, Any]) -> list[Any]:
    """Of numpy's array too, with its dtype."""
    if len(values) > 1 or words.keys() - {"dtype"}:
        raise ValueError
    return list(*values)


def _dict(values: list[Any], words: dict[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in dict(*values).items()} | words


def _number(kind: Callable[[Any], Any]) -> Callable[[list[Any], dict[str, Any]], Any]:
    def call(values: list[Any], words: dict[str, Any]) -> Any:
        (value,) = values
        if words or isinstance(value, str):
            raise ValueError
        return kind(value)

    return call


CALLS: Mapping[str, Callable[[list[Any], dict[str, Any]], Any]] = MappingProxyType(
    {
        "Genotype": _genotype,
        "range": _range,
        "list": _list,
        "tuple": _list,
        "array": _list,
        "dict": _dict,
        "OrderedDict": _dict,
        **{f"int{bits}": _number(int) for bits in ("", 8, 16, 32, 64)},
        **{f"uint{bits}": _number(int) for bits in (8, 16, 32, 64)},
        **{f"float{bits}": _number(float) for bits in ("", 16, 32, 64)},
        "str_": lambda values, words: str(*values),
    }
)


def _fields(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise UserError(f"found {shown(found)}; expected {FORMS}")
    return found
