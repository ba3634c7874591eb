"""The command `rlnas`.

A command is declared once: `COMMANDS` maps its name to `module:class` of a frozen dataclass, whose
fields with the docstrings below them are the options, whose docstring is the help (its first
clause the summary), and whose method `run()` does it. A class method `for_options(words)` may
give the defaults, or the class, that some words ask for. No command's module is imported before
it is asked for.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from rlnas.analysis.common import taken
from rlnas.analysis.interrupts import SAID, leave, listen, status_of
from rlnas.analysis.outcome import Asked, under_way
from rlnas.analysis.parse import parse
from rlnas.bench.compiled import compile_fast, keep_compiled
from rlnas.bench.errors import UserError
from rlnas.bench.files import FULL
from rlnas.bench.jax_setup import pin_process
from rlnas.bench.names import visible
from rlnas.bench.options import asked

TRACEBACK = "--traceback"
"""Anywhere in a command line: where an error came from is printed above its line."""
COMMANDS: dict[str, str] = {
    "compare": "rlnas.analysis.comparison.command:Compare",
    "plot": "rlnas.analysis.comparison.command:Plot",
    "report": "rlnas.analysis.report.command:Report",
    "show": "rlnas.analysis.show.command:Show",
    "train": "rlnas.analysis.training.command:Train",
    "landscape": "rlnas.analysis.landscape.command:Landscape",
    "fidelity": "rlnas.analysis.fidelity.command:Fidelity",
    "scale": "rlnas.analysis.scale.command:Scale",
    "probe": "rlnas.analysis.probe.command:Probe",
    "ablate": "rlnas.analysis.ablation.command:Ablate",
    "retrain": "rlnas.analysis.retrain.command:Retrain",
    "oneshot": "rlnas.analysis.oneshot.command:OneShot",
    "oneshot enas": "rlnas.analysis.oneshot.command:Enas",
    "oneshot ghn": "rlnas.analysis.ghn.command:Ghn",
    "morph": "rlnas.analysis.morph.command:Morph",
    "compress": "rlnas.analysis.compress.command:Compress",
    "maskconnect": "rlnas.analysis.maskconnect.command:MaskConnect",
    "stability": "rlnas.analysis.stability.command:Stability",
    "transfer": "rlnas.analysis.transfer.command:Transfer",
    "predict": "rlnas.analysis.predict.command:Predict",
    "runs": "rlnas.analysis.runs.command:Runs",
    "runs show": "rlnas.analysis.runs.command:ShowRun",
    "runs rm": "rlnas.analysis.runs.command:Remove",
    "runs clean": "rlnas.analysis.runs.command:Clean",
    "reproduce": "rlnas.analysis.reproduce.command:Reproduce",
    "speed": "rlnas.analysis.speed.command:Speed",
    "completion": "rlnas.analysis.completion.command:Completion",
    "agents": "rlnas.analysis.extending.agents:Agents",
    "check": "rlnas.analysis.extending.check:Check",
    "new agent": "rlnas.analysis.extending.new:NewAgent",
    "new benchmark": "rlnas.analysis.extending.new:NewBenchmark",
    "bench list": "rlnas.bench.commands.list:List",
    "bench info": "rlnas.bench.commands.info:Info",
    "bench show": "rlnas.analysis.show.command:Show",
    "bench fetch": "rlnas.bench.commands.fetch:Fetch",
    "bench convert": "rlnas.bench.commands.convert:Convert",
    "bench import-csv": "rlnas.bench.commands.import_csv:ImportCsv",
    "bench add-columns": "rlnas.bench.commands.add_columns:AddColumns",
    "bench export": "rlnas.bench.commands.export:Export",
    "bench distill": "rlnas.bench.commands.distill:Distill",
    "bench rehearse": "rlnas.bench.commands.rehearse:Rehearse",
    "bench tabulate": "rlnas.bench.commands.tabulate:Tabulate",
    "bench latency": "rlnas.bench.commands.latency:Latency",
    "bench proxies": "rlnas.bench.commands.proxies:Proxies",
    "bench synthetic": "rlnas.bench.commands.synthetic:Synthetic",
}
GROUPS = {
    "new": "A small package with an agent or a benchmark of your own.",
    "bench": (
        "Benchmarks: the tables of trained architectures, and the surrogates, that are searched."
    ),
}
ABOUT = (
    "Reinforcement-learning neural architecture search where a table look-up stands in for "
    "training."
)
EXAMPLES = {
    "": """\
examples:
  rlnas compare                         the four baselines on the table that comes along
  rlnas compare --agents random_search evolution:population=100,tournament=10 --budget 50
  rlnas plot runs/*                     what has been compared, drawn again
  rlnas bench list                      the benchmarks that are here, and how to get more

A comparison is read from its figure and table under runs/compare-<hash>/; runs that are done are
kept and reused.""",
    "new": """\
examples:
  rlnas new agent greedy
  rlnas new benchmark my-cells""",
    "bench": """\
examples:
  rlnas bench info nb101-digits
  rlnas bench fetch nb101               NAS-Bench-101, 0.5 GB, checked and converted
  rlnas bench convert nasbench_full.tfrecord
  rlnas bench fetch nb301-yahpo         a surrogate of NAS-Bench-301, 2.6 MB""",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, 2 for bad input (one line on stderr), 130 or 143 when
    interrupted."""
    args = list(sys.argv[1:] if argv is None else argv)
    traced = TRACEBACK in args
    try:
        dispatch([word for word in args if word != TRACEBACK])
        sys.stdout.flush()
        return 0
    except UserError as error:
        return fail(str(error), error, traced)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.filename is None and error.errno not in FULL:
            raise
        where = error.filename or "what was being written"
        return fail(f"{error.strerror}: {where}", error, traced)
    except KeyboardInterrupt as error:
        print(SAID, file=sys.stderr)
        return status_of(error)


def entry() -> NoReturn:
    """The process `rlnas`."""
    listen()
    try:
        status = main()
    except KeyboardInterrupt as error:  # once more, while it was being told
        leave(status_of(error))
    if status > 128:
        leave(status)
    sys.exit(status)


def fail(reason: str, error: Exception, traced: bool) -> int:
    """Say why, on one line; traced: where it came from before that."""
    if traced:
        traceback.print_exception(error)
    print(f"rlnas: error: {visible(' '.join(reason.split()))}", file=sys.stderr)
    return 2


def dispatch(args: list[str]) -> None:
    """Find the command that `args` begin with, read its options, run it."""
    pin_process()
    if args[:1] == ["--version"]:
        return print(version_text())
    name = group = args[0] if args else ""
    options = args[1:]
    pair = " ".join(args[:2])
    if name in GROUPS or pair in COMMANDS:
        name, options = pair, args[2:]
    else:
        group = ""
    word = name.removeprefix(group).strip()
    if name in COMMANDS:
        keep_compiled()
        if asked(options).get("--preset") == "smoke":
            compile_fast()
        kind = load(COMMANDS[name])
        options, common = taken(name, kind, options)
        command = parse(name, kind, options)
        with under_way(Asked(name, command, common.name)):
            command.run()
    elif word in ("", "-h", "--help", "help"):
        print(help_text(group))
    else:
        raise UserError(unknown(word, group))


def version_text() -> str:
    try:
        return f"rlnas {version('rlnas')}"
    except PackageNotFoundError:
        return "rlnas, run from its source folder, not installed"


def load(target: str) -> Any:
    """The attribute that `module:attribute` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def summary(target: str) -> str:
    """The first clause of a class's docstring, read from the source: nothing is imported."""
    module, _, name = target.partition(":")
    found = find_spec(module)
    if found is None or found.origin is None:
        return ""
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    (node,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    return re.split(r"[.;:] ", paragraph)[0].removesuffix(".")


def help_text(group: str) -> str:
    """The overview of all commands, or of a group's."""
    listed = {name: target for name, target in COMMANDS.items() if name.startswith(group)}
    width = max(map(len, listed))
    usage = " ".join(["usage: rlnas", *([group] if group else []), "COMMAND [OPTIONS]"])
    lines = [usage, "", GROUPS.get(group, ABOUT), "", "commands:"]
    lines += [f"  rlnas {name.ljust(width)}  {summary(target)}" for name, target in listed.items()]
    lines += [
        "",
        "`rlnas COMMAND --help` explains a command and its options; `--traceback` anywhere says",
        "where an error comes from.",
        "",
        EXAMPLES[group],
    ]
    return "\n".join(lines)


def unknown(word: str, group: str) -> str:
    """The line about a command that does not exist."""
    names = [name.removeprefix(group).strip() for name in COMMANDS if name.startswith(group)]
    names = list(dict.fromkeys(name.split(" ")[0] for name in names))
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    prefix = f"rlnas {group}".strip()
    return (
        f"unknown command {word!r} of {prefix}; expected one of {', '.join(names)}{hint} (see "
        f"{prefix} --help)"
    )


if __name__ == "__main__":
    entry()
