"""Agents as words of a command line: `name`, `name:key=value,key=value`, or `name:text` for agents
that read text. A value that is a text may have commas: what has no `=` goes on with it
(`gp:prior=A,B,initial=4`). `module:Class` stands for the name of an agent that is not registered,
and `label=` before it all says what figures and tables call it."""

from __future__ import annotations

import dataclasses
import re
import types
from pathlib import Path
from typing import (
    Any,
    Literal,
    NamedTuple,
    Protocol,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from rlnas.agents import registry
from rlnas.agents.protocol import AgentConfig
from rlnas.bench import arguments
from rlnas.bench.bounds import check_value, declared
from rlnas.bench.errors import UserError
from rlnas.bench.files import expanded, is_folder
from rlnas.bench.plugins import PluginError, blamed
from rlnas.bench.registry import is_target
from rlnas.bench.run_names import run_folder

ALL = "all"
KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true | false"}
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@runtime_checkable
class ReadsText(Protocol):
    """A settings class that reads all that follows the colon itself, e.g. the folder of what was
    trained."""

    def from_spec(self, text: str) -> AgentConfig:
        """A class method: the settings of a text; "" where there was no colon."""


@runtime_checkable
class ReadsPattern(ReadsText, Protocol):
    """A settings class whose text may be a pattern for several, e.g. folders of trainings."""

    def texts(self, text: str) -> list[str]:
        """A class method: the texts that `text` stands for; itself where it is no pattern."""


class Entry(NamedTuple):
    """An agent that is asked for. name: as registered, or `module:Class`. label: what figures and
    tables call it."""

    name: str
    label: str
    config: AgentConfig


LABELLED = re.compile(r"([^:=]+)=(.*)", re.DOTALL)


def split(word: Any) -> tuple[str, str]:
    """(name, text) of `name:text` or `module:Class:text`, with a label or without."""
    word = arguments.text(word, "an agent")
    labelled = LABELLED.match(word)
    name, _, text = (labelled[2] if labelled else word).partition(":")
    name = name.strip()
    kind, _, rest = text.partition(":")
    target, registered = f"{name}:{kind.strip()}", registry.REGISTRY.entries().get(name)
    if is_target(target) and (registered is None or registered.value == target):
        return target, rest
    return name, text


def parse(word: Any) -> tuple[str, AgentConfig]:
    """(label, settings) of a word such as `evolution:population=100,tournament=10` or `large=...`;
    without a label of its own it is the word.

    Values are converted to the types of the settings' fields, unless the class `ReadsText`. Raises
    `UserError`, naming what would be valid, for an unknown agent, option or value.
    """
    name, text = split(word)
    labelled = LABELLED.match(word)
    label = labelled[1].strip() if labelled else (f"{name}:{text}" if text else name).strip()
    settings: Any = registry.config(name)
    if isinstance(settings, ReadsText):
        return label, settings.from_spec(text)
    if not isinstance(settings, type) or not dataclasses.is_dataclass(settings):
        raise UserError(
            f"agent {name} is {settings!r}; expected a frozen dataclass with a method build(space)"
        )
    try:
        with blamed(f"agent {label!r}", settings):
            config: Any = settings(**options(settings, text))
    except PluginError:
        raise
    except UserError as error:
        raise UserError(f"agent {label!r}: {error}") from None
    return label, config


def parse_all(words: Any) -> list[Entry]:
    """In their order; a word with a pattern is several, and they share its label. Raises
    `UserError` when two words have one label, or when there is none."""
    parsed: list[Entry] = []
    for word in arguments.sequence(words, "the agents", "words such as random_search"):
        before = {entry.label for entry in parsed}
        for one in members(word):
            label, config = parse(one)
            if label in before:
                raise UserError(
                    f"agent {label!r} is given twice; expected different agents or different "
                    "options, or a label=... before one"
                )
            parsed.append(Entry(split(one)[0], label, config))
    if not parsed:
        raise UserError(f"no agents given; expected at least one of {', '.join(registry.names())}")
    return parsed


def everyone() -> list[str]:
    """The registered agents that their name alone is enough for."""

    def is_complete(name: str) -> bool:
        try:
            return bool(parse(name))
        except UserError:
            return False

    return [name for name in registry.names() if is_complete(name)]


def members(word: Any) -> list[str]:
    """The words that a word stands for: one for each text that its pattern finds; for `all`, every
    agent."""
    name, text = split(word)
    if word == ALL:
        return everyone()
    settings: Any = registry.config(name)
    if not isinstance(settings, ReadsPattern):
        return [word]
    return [word.removesuffix(text) + found for found in settings.texts(text)] if text else [word]


def folder_and_options(text: str) -> tuple[str, str]:
    """(folder, options) of `FOLDER,key=value,...`, either part optional. The folder is the longest
    beginning that is one, whatever is in its name."""
    parts = text.split(",")
    for count in range(len(parts), 0, -1):
        folder = expanded(",".join(parts[:count]))
        if folder and is_folder(there := run_folder(Path(folder))):
            return str(there), ",".join(parts[count:])
    if "=" in parts[0] and "/" not in parts[0].partition("=")[0]:
        return "", text
    return expanded(parts[0]), ",".join(parts[1:])


NO_OPTION = {"option": False}
"""Metadata of a field that is no option of a word: `field(metadata=NO_OPTION)`."""


def option_fields(settings: type) -> list[dataclasses.Field]:
    """The fields that users set by `key=value`."""
    fields = dataclasses.fields(settings)
    return [field for field in fields if field.init and field.metadata.get("option", True)]


def options(settings: type, text: str) -> dict[str, Any]:
    """The keyword arguments that `key=value,key=value` stands for."""
    fields = [field.name for field in option_fields(settings)]
    hints = get_type_hints(settings)
    expected = (
        f"expected {', '.join(f'{field}=...' for field in fields)}"
        if fields
        else "it has no options"
    )
    words: dict[str, str] = {}
    last = ""
    for item in text.split(",") if text else []:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals and hints.get(last) is str:  # a text may have commas: it goes on
            words[last] += f",{item.strip()}"
            continue
        if not equals:
            raise UserError(f"found {item!r} where an option key=value should stand; {expected}")
        if key not in fields:
            raise UserError(f"unknown option {key!r}; {expected}")
        if key in words:
            raise UserError(f"option {key!r} is given twice; expected once")
        words[key], last = value, key
    found = {key: convert(key, value, hints[key]) for key, value in words.items()}
    bounds = get_type_hints(settings, include_extras=True)
    for key, value in found.items():
        check_value(value, declared(bounds[key]), key)
    missing = [
        field.name
        for field in option_fields(settings)
        if field.name not in found
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UserError(f"option {missing[0]!r} is missing; {expected}")
    return found


def option_types(settings: type) -> dict[str, str]:
    """option -> what may stand for it, e.g. `a whole number` or `first | full`."""
    hints = get_type_hints(settings)
    return {field.name: spelled(hints[field.name]) for field in option_fields(settings)}


def spelled(hint: Any) -> str:
    """What `convert` reads for a type."""
    if get_origin(hint) in (Union, types.UnionType):
        parts = [spelled(part) for part in get_args(hint) if part is not types.NoneType]
        return " | ".join([*parts, *(["none"] if types.NoneType in get_args(hint) else [])])
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    return KINDS.get(hint, "set it from Python")


def convert(key: str, text: str, hint: Any) -> Any:
    """The value that `text` spells: of type bool, int, float, str, a `Literal`, or a union of them
    and None."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not types.NoneType]
        if len(inner) < len(get_args(hint)) and text.lower() == "none":
            return None
        for part in inner[:-1]:
            try:
                return convert(key, text, part)
            except UserError:
                continue
        return convert(key, text, inner[-1])
    if get_origin(hint) is Literal:
        spelled = {str(choice): choice for choice in get_args(hint)}
        if text in spelled:
            return spelled[text]
        raise UserError(f"found {key}={text!r}; expected one of {', '.join(spelled)}")
    if hint is bool:
        if text.lower() in BOOLEANS:
            return BOOLEANS[text.lower()]
        raise UserError(f"found {key}={text!r}; expected true or false")
    if hint in (int, float, str):
        try:
            return arguments.whole(text, key, least=None) if hint is int else hint(text)
        except ValueError:
            raise UserError(f"found {key}={text!r}; expected {KINDS[hint]}") from None
    raise UserError(
        f"option {key!r} is of type {hint}, which has no spelling here; set it from Python"
    )
