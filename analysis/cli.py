"""The command `rlnas`. Which command runs what stands in `COMMANDS`; nothing is imported before it
is asked for."""

from __future__ import annotations

import difflib
import importlib
import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any, NamedTuple

from rlnas.bench.errors import UserError


class Command(NamedTuple):
    """config: `module:class` of a frozen dataclass, its options. run: `module:function` that takes
    one. Both lazy."""

    config: str
    run: str
    summary: str


COMMANDS: dict[str, Command] = {
    "compare": Command(
        "rlnas.analysis.comparison.command:Compare",
        "rlnas.analysis.comparison.command:run",
        "compare search agents at a query budget: figure and table",
    ),
    "plot": Command(
        "rlnas.analysis.comparison.redraw:Plot",
        "rlnas.analysis.comparison.redraw:run",
        "draw figure and table again from stored runs",
    ),
    "report": Command(
        "rlnas.analysis.report.command:Report",
        "rlnas.analysis.report.command:run",
        "the report of finished runs and retrainings again",
    ),
    "train": Command(
        "rlnas.analysis.training.command:Train",
        "rlnas.analysis.training.command:run",
        "train the agent that learns to search",
    ),
    "landscape": Command(
        "rlnas.analysis.landscape.command:Landscape",
        "rlnas.analysis.landscape.command:run",
        "how rugged a benchmark is: optima, basins, rewards",
    ),
    "scale": Command(
        "rlnas.analysis.scale.command:Scale",
        "rlnas.analysis.scale.command:run",
        "look-ups spent on training, by size of the space",
    ),
    "ablate": Command(
        "rlnas.analysis.ablation.command:Ablate",
        "rlnas.analysis.ablation.command:run",
        "train over a grid of settings",
    ),
    "retrain": Command(
        "rlnas.analysis.retrain.command:Retrain",
        "rlnas.analysis.retrain.command:run",
        "train the winners of runs for real",
    ),
    "oneshot": Command(
        "rlnas.analysis.oneshot.command:OneShot",
        "rlnas.analysis.oneshot.command:run",
        "how well shared weights rank cells trained for real",
    ),
    "speed": Command(
        "rlnas.analysis.speed.command:SpeedConfig",
        "rlnas.analysis.speed.command:run_speed",
        "measure this machine against plain references",
    ),
    "bench list": Command(
        "rlnas.bench.commands:ListConfig",
        "rlnas.bench.commands:run_list",
        "which benchmarks are here, or to be had",
    ),
    "bench info": Command(
        "rlnas.bench.commands:InfoConfig",
        "rlnas.bench.commands:run_info",
        "what a benchmark holds, its noise",
    ),
    "bench fetch": Command(
        "rlnas.bench.commands:FetchConfig",
        "rlnas.bench.commands:run_fetch",
        "download an official file",
    ),
    "bench convert": Command(
        "rlnas.bench.commands:ConvertConfig",
        "rlnas.bench.commands:run_convert",
        "an official file into a table or a surrogate",
    ),
    "bench import-csv": Command(
        "rlnas.bench.commands:ImportCsvConfig",
        "rlnas.bench.commands:run_import_csv",
        "any CSV of NAS-Bench-101 cells into a table",
    ),
    "bench export": Command(
        "rlnas.bench.commands:ExportConfig",
        "rlnas.bench.commands:run_export",
        "a table as CSV or parquet",
    ),
    "bench distill": Command(
        "rlnas.bench.nb301.distill:Distill",
        "rlnas.bench.nb301.distill:run",
        "a fast imitation of a surrogate, to train on",
    ),
    "bench rehearse": Command(
        "rlnas.bench.nb101.rehearsal:RehearseConfig",
        "rlnas.bench.nb101.rehearsal:run_rehearse",
        "predict the whole space from a partial table, to rehearse at full size",
    ),
    "bench tabulate": Command(
        "rlnas.bench.retrain.assemble:TabulateConfig",
        "rlnas.bench.retrain.assemble:run_tabulate",
        "train cells, make a table",
    ),
}
GROUPS = {
    "bench": (
        "Benchmarks: the tables of trained architectures, and the surrogates, that are searched."
    )
}
ABOUT = (
    "Reinforcement-learning neural architecture search where a table look-up stands in for "
    "training."
)
EXAMPLES = {
    "": """\
examples:
  rlnas compare                         the four baselines on the table that comes along, 200 seeds each
  rlnas compare --agents random_search evolution:population=100,tournament=10 --budget 50
  rlnas plot runs/compare-* --out figures
  rlnas bench list                      the benchmarks that are here, and how to get more

A comparison is read from its figure and table under runs/compare-<hash>/; runs that are done are kept and reused.""",
    "bench": """\
examples:
  rlnas bench info nb101-digits
  rlnas bench fetch nb101               the official NAS-Bench-101 file, 0.5 GB, checked and converted
  rlnas bench convert nasbench_full.tfrecord
  rlnas bench fetch nb301-yahpo         a surrogate of NAS-Bench-301, 2.6 MB""",
}
FRAME = re.compile(r"\x1b\[[0-9;]*m|[\u2500-\u257f]")  # colours and box-drawing characters
RULE = re.compile(
    r"-{5,}|\u2500{5,}"
)  # tyro draws with dashes where the output has no box-drawing characters
ADVICE = ("For full helptext", "Argument helptext", "Perhaps you meant", "Similar")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, 2 for bad input (one line on stderr), 130 when
    interrupted."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        dispatch(args)
        sys.stdout.flush()
        return 0
    except UserError as error:
        return fail(str(error))
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.filename is None:
            raise
        return fail(f"{error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        print("\nrlnas: interrupted; the same command again goes on where it can", file=sys.stderr)
        return 130


def fail(reason: str) -> int:
    print(f"rlnas: error: {' '.join(reason.split())}", file=sys.stderr)
    return 2


def dispatch(args: list[str]) -> None:
    """Find the command that `args` begin with, read its options, run it."""
    if args[:1] == ["--version"]:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"rlnas {version('rlnas')}")
        except PackageNotFoundError:
            print("rlnas, run from its source folder, not installed")
        return
    name = group = args[0] if args else ""
    options = args[1:]
    if name in GROUPS:
        name, options = " ".join(args[:2]), args[2:]
    else:
        group = ""
    word = name.removeprefix(group).strip()
    if name in COMMANDS:
        command = COMMANDS[name]
        load(command.run)(parse(name, load(command.config), options))
    elif word in ("", "-h", "--help", "help"):
        print(help_text(group))
    else:
        raise UserError(unknown(word, group))


def parse(name: str, config: type, options: list[str]) -> Any:
    """The config of `options`. tyro's multi-line box of an error becomes the one line of a
    `UserError`."""
    import inspect

    import tyro

    errors = io.StringIO()
    try:
        with redirect_stderr(errors):
            return tyro.cli(
                config,
                prog=f"rlnas {name}",
                args=options,
                description=inspect.getdoc(config),  # as written; tyro would drop the examples
                config=(tyro.conf.FlagCreatePairsOff,),
                **(
                    {"default": config.default_for(options)}
                    if hasattr(config, "default_for")
                    else {}
                ),
            )
    except SystemExit as stop:
        if stop.code in (0, None):  # --help
            raise
        raise UserError(f"{one_line(errors.getvalue())}; see rlnas {name} --help") from None


def one_line(box: str) -> str:
    """The gist of a box that tyro draws: its paragraphs without frame, option lists and advice."""
    paragraphs: list[list[str]] = [[]]
    for line in box.splitlines():
        text = FRAME.sub("", line).strip()
        if RULE.search(line):
            paragraphs.append([])  # under the title too
        elif text:
            paragraphs[-1].append(text)
    said = [
        " ".join(lines) for lines in paragraphs[1:] if lines and not lines[0].startswith(ADVICE)
    ]
    text = re.sub(
        r"^Error parsing \w+Config: ", "", "; ".join(said)
    )  # from the checks of the config itself
    meant = [
        lines[1].split(" ")[0]
        for lines in paragraphs
        if len(lines) > 1 and lines[0] == "Perhaps you meant:"
    ]
    return text.rstrip(".") + "".join(f" (perhaps {option}?)" for option in meant)


def load(target: str) -> Any:
    """The attribute that `module:attribute` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def help_text(group: str) -> str:
    """The overview of all commands, or of a group's."""
    listed = {name: command.summary for name, command in COMMANDS.items() if name.startswith(group)}
    width = max(map(len, listed))
    usage = " ".join(["usage: rlnas", *([group] if group else []), "COMMAND [OPTIONS]"])
    lines = [usage, "", GROUPS.get(group, ABOUT), "", "commands:"]
    lines += [f"  rlnas {name.ljust(width)}  {summary}" for name, summary in listed.items()]
    lines += ["", "`rlnas COMMAND --help` explains a command and its options.", "", EXAMPLES[group]]
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
    sys.exit(main())
