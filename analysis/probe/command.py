"""`rlnas probe`: does an agent read the answers it gets?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.bounds import Folder, Queries, Seed, Within
from rlnas.bench.plugins import blamed


@dataclass(frozen=True)
class Probe:
    """See whether an agent reads its answers: give it wrong ones, and look what it asks.

    The agent searches as it is; with permuted answers, each that of another architecture; with
    inverted ones, 1 - v; a trained one also untrained; one that never asks again also with that
    allowed; and random search beside it. Whatever it was told, what it asked is judged by the true
    values. One that reads asks something else, and falls to the level of random search; one that
    does not asks the same. Beside them: what as many look-ups buy without a search, those of its
    training included.

    Writes OUT/probe-<hash>/: figure, numbers.json, report.txt, and the searches. The same command
    again says the same again; interrupted, it goes on.

    Examples:
      rlnas probe gp
      rlnas probe local_search --budget 100 --seeds 200
      rlnas probe dqn:runs/train-0123456789abcdef
      rlnas probe gp --benchmark nb201-cifar100 --source nb201-cifar10-valid
    """

    agent: Positional[str]
    """Whom, as a word of `rlnas compare --agents`."""

    benchmark: str = "nb101-digits"
    """What it searches: a name that `rlnas bench list` shows, or the path of a table."""

    budget: Queries = 50
    """Queries of a run."""

    seeds: Annotated[int, Within(2, 1_000_000, ", an interval needs them")] = 100
    """Runs of each kind."""

    seed: Seed = 0
    """Root of all randomness."""

    source: str = ""
    """Another benchmark of the same architectures, of which the ranking is a control, too."""

    rehearsal: bool = False
    """Take a table of predictions (`rlnas bench rehearse`), which is no benchmark."""

    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder probe-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` for an option out of its range."""
        check_at_least(1, " query", budget=self.budget)
        check_at_least(2, ", an interval needs them", seeds=self.seeds)
        check_seed(self.seed)
        check_folder(self.out)

    def run(self) -> None:
        """Search, or find what is there; print the table, and where all lies."""
        from rlnas import bench
        from rlnas.analysis import store
        from rlnas.analysis.outcome import finished
        from rlnas.analysis.probe.controls import check_source
        from rlnas.analysis.probe.variants import identity, probed
        from rlnas.analysis.probe.write import write
        from rlnas.analysis.rehearsal import check_rehearsal
        from rlnas.analysis.text import kept, places
        from rlnas.bench.checks import Fields, check
        from rlnas.bench.reading import read_json

        self.check()
        label, config = probed(self.agent)
        there = bench.load(self.benchmark)
        check_rehearsal(there, self.rehearsal)
        source = bench.load(self.source) if self.source else None
        if source is not None:
            check_source(source, there)
        settings = {"budget": self.budget, "seeds": self.seeds, "seed": self.seed}
        who = identity(label, config, there, source) | settings
        folder = store.folder_of(self.out, "probe", who)
        if store.is_done(folder):
            path, again = folder / store.MANIFEST, "delete its folder and run again"
            done = check(read_json(path, hint=again), Fields(store.MADE), path, again)
            print(f"rlnas: {folder} is {store.reused(done)}", file=sys.stderr)
            finished(folder)
        else:
            with blamed(f"agent {label}", type(config)):
                write(folder, who, there, label, config, source, **settings)
        said = kept(folder)
        paths = {"figure": "figure.png", "": "figure.svg", "numbers": "numbers.json"}
        print(f"{said}\n{places({what: folder / name for what, name in paths.items()})}")
