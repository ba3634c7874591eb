"""The script that completes: a list of words for each command, made from the commands' settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from rlnas.analysis import cli
from rlnas.analysis.common import common_options
from rlnas.analysis.parse import values
from rlnas.analysis.toml_settings import plain, positional
from rlnas.bench.bounds import BESIDE
from rlnas.bench.run_names import LATEST, NAMES, RUNS

ALWAYS = ("--help", cli.TRACEBACK)


def options_of(name: str) -> list[str]:
    """The options of a command, as words."""
    kind = cli.load(cli.COMMANDS[name])
    ask = getattr(kind, "for_options", None)
    settings = ask([]) if ask else kind
    of = settings if isinstance(settings, type) else type(settings)
    places = positional(of)
    found = [word for word in spelled(settings) if plain(word) not in places]
    return [*found, *(f"--{option}" for option in common_options(kind)), *ALWAYS]


def spelled(settings: Any, prefix: str = "") -> Iterator[str]:
    """Nested ones in full; a switch in the way that changes it."""
    for field, value in values(settings):
        name = field.name.replace("_", "-")
        if dataclasses.is_dataclass(value):
            yield from spelled(value, "" if field.name in BESIDE else f"{prefix}{name}.")
        else:
            yield f"--{prefix}{'no-' if value is True else ''}{name}"


def script(shell: str) -> str:
    """bash's; zsh reads it, too."""
    lines = [f"    {quoted(name)}) words={quoted(' '.join(options_of(name)))} ;;"
             for name in cli.COMMANDS]  # fmt: skip
    tops = dict.fromkeys(name.split()[0] for name in cli.COMMANDS)
    below = {
        group: " ".join(name.split()[1] for name in cli.COMMANDS if name.startswith(f"{group} "))
        for group in dict.fromkeys(name.split()[0] for name in cli.COMMANDS if " " in name)
    }
    groups = [f"    {quoted(name)}) below={quoted(words)} ;;" for name, words in below.items()]
    head = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return head + TEMPLATE.format(
        tops=quoted(" ".join(tops)), groups="\n".join(groups), commands="\n".join(lines),
        names=f"{RUNS}/{NAMES}", latest=LATEST,
    )  # fmt: skip


def quoted(text: str) -> str:
    return f'"{text}"'


TEMPLATE = """\
# rlnas completion: source it
_rlnas() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" first="${{COMP_WORDS[1]}}" words="" below=""
  local command="$first"
  COMPREPLY=()
  if [ "$COMP_CWORD" -le 1 ]; then
    COMPREPLY=($(compgen -W {tops} -- "$current"))
    return
  fi
  case "$first" in
{groups}
  esac
  if [ -n "$below" ]; then
    case " $below " in
      *" ${{COMP_WORDS[2]}} "*) [ "$COMP_CWORD" -gt 2 ] && command="$first ${{COMP_WORDS[2]}}" ;;
    esac
  fi
  case "$command" in
{commands}
  esac
  [ "$COMP_CWORD" -eq 2 ] && words="$words $below"
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *)
      [ "$COMP_CWORD" -eq 2 ] && COMPREPLY=($(compgen -W "$below" -- "$current"))
      COMPREPLY+=($(compgen -W "$(ls {names} 2>/dev/null) {latest}" -- "$current"))
      COMPREPLY+=($(compgen -f -- "$current"))
      ;;
  esac
}}
complete -o filenames -F _rlnas rlnas
"""
