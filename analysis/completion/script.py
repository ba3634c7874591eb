"""The script that completes: a list of words for each command, made from the commands' settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
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
    """The function that completes, in the language of a shell."""
    branch, template = SHELLS[shell]
    groups: dict[str, list[str]] = {}
    for name in cli.COMMANDS:
        if " " in name:
            groups.setdefault(name.split()[0], []).append(name.split()[1])
    options = {name: options_of(name) for name in cli.COMMANDS}
    return template.format(
        tops=" ".join(dict.fromkeys(name.split()[0] for name in cli.COMMANDS)),
        groups=branches(branch, "below", groups),
        commands=branches(branch, "options", options),
        names=f"{RUNS}/{NAMES}",
        latest=LATEST,
    )


def branches(form: str, variable: str, words: Mapping[str, Sequence[str]]) -> str:
    """A case for each key, which sets a variable."""
    return "\n".join(
        form.format(key=key, variable=variable, words=" ".join(found))
        for key, found in words.items()
    )


POSIX = '    "{key}") {variable}="{words}" ;;'
BASH = """\
# rlnas completion: source it
_rlnas() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" first="${{COMP_WORDS[1]}}" options="" below=""
  local command="$first"
  COMPREPLY=()
  if [ "$COMP_CWORD" -le 1 ]; then
    COMPREPLY=($(compgen -W "{tops}" -- "$current"))
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
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *)
      [ "$COMP_CWORD" -eq 2 ] && COMPREPLY=($(compgen -W "$below" -- "$current"))
      COMPREPLY+=($(compgen -W "$(ls {names} 2>/dev/null) {latest}" -- "$current"))
      local IFS=$'\\n'  # file names may hold spaces
      COMPREPLY+=($(compgen -f -- "$current"))
      ;;
  esac
}}
complete -o filenames -F _rlnas rlnas
"""
ZSH = """\
# rlnas completion: source it
_rlnas() {{
  local first="${{words[2]}}" command="${{words[2]}}" options="" below=""
  if (( CURRENT <= 2 )); then
    compadd -- {tops}
    return
  fi
  case "$first" in
{groups}
  esac
  if (( CURRENT > 3 )) && [[ -n "$below" && " $below " == *" ${{words[3]}} "* ]]; then
    command="$first ${{words[3]}}"
  fi
  case "$command" in
{commands}
  esac
  if [[ "$PREFIX" == -* ]]; then
    compadd -- ${{=options}}
    return
  fi
  (( CURRENT == 3 )) && compadd -- ${{=below}}
  compadd -- {latest} {names}/*(N:t)
  _files
}}
(( $+functions[compdef] )) || {{ autoload -U compinit && compinit -i -D }}
compdef _rlnas rlnas
"""
FISH = """\
# rlnas completion: source it
function __rlnas_words
    set -l line (commandline -opc)
    set -l below
    set -l options
    if test (count $line) -le 1
        string split ' ' -- "{tops}"
        return
    end
    set -l command $line[2]
    switch $line[2]
{groups}
    end
    if test (count $line) -gt 2; and contains -- $line[3] $below
        set command "$line[2] $line[3]"
    end
    switch $command
{commands}
    end
    if string match -q -- '-*' (commandline -ct)
        printf '%s\\n' $options
        return
    end
    test (count $line) -eq 2; and printf '%s\\n' $below
    echo {latest}
    command ls {names} 2>/dev/null
end
complete -c rlnas -n 'test (count (commandline -opc)) -le 1' -f
complete -c rlnas -a '(__rlnas_words)'
"""
SHELLS = {
    "bash": (POSIX, BASH),
    "zsh": (POSIX, ZSH),
    "fish": ('        case "{key}"\n            set {variable} {words}', FISH),
}
"""A case, and the whole."""
