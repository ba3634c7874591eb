"""`make soak`: what may be stopped is stopped, again and again, and must come to the same results.

Each command below is first run undisturbed. Then, round after round, it is started in an empty
folder and stopped at random moments by SIGKILL, SIGINT or SIGTERM, up to `MOST_STOPS` times, then
run to its end; now and then two of it at once, with 1 or 8 XLA devices, or without a home. What is
left must be what the undisturbed run left: the same files, the same contents but for times. No
process may be left after five seconds, no file half-written. In some rounds it is not stopped but
finds its disk full, or read-only (root only, as disks are mounted): it must end with status 2 and a
line that names the target, and come to the same results once there is room.

    make soak ARGS="--minutes 60 --seed 1 --only compare,train"
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from soak_cases import CASES, Case
from soak_places import DISKS, PLAIN, SPREAD, can_mount, disk, obstructed, surroundings, used
from soak_results import difference, results
from soak_server import Slow, served

MOST_STOPS = 4
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
STATUS = {signal.SIGKILL: (-9,), signal.SIGINT: (130,), signal.SIGTERM: (130, 143)}
MARK = "RLNAS_SOAK"
ORPHANS_AFTER = 5.0
STOPPED_AFTER = 60.0
"""Seconds; long, as the machine may be busy with other things."""
PATIENCE = 900.0


@dataclass
class Count:
    """Of one command. seconds: spent on it; events: stops and the like, by kind."""

    rounds: int = 0
    seconds: float = 0.0
    events: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def fails(self, where: str, wrong: str) -> None:
        self.failures.append(f"{where}: {wrong}")
        print(f"FAILED {where}: {wrong}", flush=True)


# --- processes


def start(
    words: str, folder: Path, mark: str, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    env = environment | {MARK: mark, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--as-rlnas", *shlex.split(words)]
    with open(folder.parent / f"{folder.name}.log", "ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )


def marked(mark: str) -> list[int]:
    """Processes that were started under this mark or one that begins so, and what they started."""
    found, begin = [], f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                there = (entry / "environ").read_bytes().split(b"\0")
                if any(line.startswith(begin) for line in there):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def orphans(mark: str) -> list[int]:
    """Those that are left after some seconds; ended, so that the next round starts clean."""
    deadline = time.monotonic() + ORPHANS_AFTER
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    end(left)
    return left


def end(processes: Sequence[int]) -> None:
    for number in processes:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


# --- rounds


@dataclass(frozen=True)
class Undisturbed:
    """What a command left when nothing stopped it. seconds: it took, of the wall clock and of
    processors; size: bytes on disk."""

    left: dict[str, str]
    seconds: float
    busy: float
    size: int


def undisturbed(case: Case, world: dict[str, str], to: Path, place: str = PLAIN) -> Undisturbed:
    folder, again = (to / folder_name(f"{case.name} {place} {i}") for i in (1, 2))
    folder.mkdir()
    case.prepare(folder)
    environment = surroundings(os.environ)[place]
    start(case.words(world), folder, "warm", environment).wait(PATIENCE)  # compiled once
    again.mkdir()
    case.prepare(again)
    before, busy, began = used(again), children(), time.monotonic()
    status = start(case.words(world), again, "timed", environment).wait(PATIENCE)
    took = time.monotonic() - began
    first, second = (results(x, case.left) for x in (folder, again))
    if status or not second:
        log = (to / f"{again.name}.log").read_text()[-2000:]
        raise Broken(f"status {status} undisturbed, {len(second)} files\n{log}")
    if wrong := difference(first, second):
        raise Broken(f"two undisturbed runs differ: {wrong}")
    return Undisturbed(second, took, children() - busy, used(again) - before)


def children() -> float:
    """Processor seconds of all that has ended."""
    of = resource.getrusage(resource.RUSAGE_CHILDREN)
    return of.ru_utime + of.ru_stime


class Broken(Exception):
    """A command that does not even run when nothing stops it."""


@dataclass(frozen=True)
class Round:
    """One command in its own folder. events: what was done to it, added to as it happens."""

    case: Case
    words: str
    expected: Undisturbed
    folder: Path
    mark: str
    rng: random.Random
    environment: dict[str, str]
    events: list[str]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        return start(self.words, self.folder, f"{self.mark}-{name}", self.environment)

    def stopped(self) -> str:
        """Stop it, some times; what is wrong."""
        for i in range(self.rng.randint(1, MOST_STOPS)):
            running, how = self.start(str(i)), self.rng.choice(SIGNALS)
            try:
                running.wait(self.rng.uniform(0.02, 1.0) * self.expected.seconds)
            except subprocess.TimeoutExpired:
                running.send_signal(how)
                self.events.append(how.name)
                try:
                    status = running.wait(STOPPED_AFTER)
                except subprocess.TimeoutExpired:
                    os.killpg(running.pid, signal.SIGKILL)
                    return f"{how.name}: still running after {STOPPED_AFTER:.0f} s"
                # It may have ended by itself in the meantime, or not have begun to listen.
                early = (-how,) if how != signal.SIGKILL else ()
                if status not in (*STATUS[how], 0, *early):
                    return f"{how.name}: status {status}"
            else:
                if running.returncode:
                    return f"status {running.returncode} without a stop"
            if left := orphans(f"{self.mark}-{i}"):
                return f"{how.name}: {len(left)} processes left after {ORPHANS_AFTER:.0f} s"
            if "SIGKILL" not in self.events and (half := self.half_written()):
                return f"{how.name}: half-written {half}"
        return ""

    def half_written(self) -> str:
        return next((path.name for path in self.folder.rglob("*.tmp*")), "")

    def refused(self, disk: str) -> str:
        """Run it where the disk is too small for it, or may not be written; what is wrong."""
        log = self.folder.parent / f"{self.folder.name}.log"
        self.events.append(disk)
        before = contents(self.folder)
        with obstructed(self.folder, disk, int(self.rng.uniform(0, 0.8) * self.expected.size)):
            status = self.start("refused").wait(PATIENCE)
            said = log.read_text().rstrip().splitlines()
            if status != 2:
                return f"{disk}: status {status}"
            if "Traceback (most" in "\n".join(said):
                return f"{disk}: a traceback"
            if not said[-1].startswith("rlnas: error: ") or not named(said[-1], self.words):
                return f"{disk}: the line does not name the target: {said[-1]}"
            if left := orphans(f"{self.mark}-refused"):
                return f"{disk}: {len(left)} processes left after {ORPHANS_AFTER:.0f} s"
            if half := self.half_written():
                return f"{disk}: half-written {half}"
            if disk == "read-only" and contents(self.folder) != before:
                return f"{disk}: something changed"
        return ""

    def resumed(self) -> str:
        """Run it to its end, now and then two of it at once; what is wrong."""
        twice = self.rng.random() < 0.2
        if twice:
            self.events.append("two at once")
        for running in [self.start(f"end-{i}") for i in range(1 + twice)]:
            if running.wait(PATIENCE):
                return f"resumed: status {running.returncode}"
        return difference(self.expected.left, results(self.folder, self.case.left))


def named(line: str, words: str) -> bool:
    """Whether a line names what the command was to write."""
    given = shlex.split(words)
    targets = [given[i + 1] for i, word in enumerate(given) if word in ("--out", "--folder")]
    return any(target in line for target in targets)


def contents(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def round_of(
    case: Case,
    world: dict[str, str],
    expected: Undisturbed,
    to: Path,
    mark: str,
    place: str = PLAIN,
    on: str = "",
) -> tuple[list[str], str]:
    """(what was done, what is wrong). place: of `surroundings`; on: of `DISKS`."""
    folder = to / folder_name(mark)
    folder.mkdir()
    events, environment = [place] if place != PLAIN else [], surroundings(os.environ)[place]
    rng = random.Random(f"{mark} stops")
    with disk(folder) if on else nullcontext():
        case.prepare(folder)
        it = Round(case, case.words(world), expected, folder, mark, rng, environment, events)
        try:
            wrong = (it.refused(on) if on else it.stopped()) or it.resumed()
        except subprocess.TimeoutExpired as error:
            wrong = f"still running after {error.timeout:.0f} s"
        finally:
            end(marked(f"{mark}-"))
    return events, f"{' '.join(events)}: {wrong}" if wrong else ""


def folder_name(mark: str) -> str:
    return f"round-{mark}".replace(" ", "-")


def drawn(mark: str, number: int, disks: bool) -> tuple[str, str]:
    """(place, on) of a command's round. disks: whether some may be mounted; every other one is."""
    places = list(surroundings(os.environ))
    place = random.Random(mark).choice([*[PLAIN] * len(places), *places])
    return place, ("", DISKS[0], "", DISKS[1])[number % 4] if disks else ""


def soak(
    names: Sequence[str], minutes: float, rounds: int, seed: int, to: Path, world: dict[str, str]
) -> int:
    """Until the time is over, or so many rounds of each were made; the number of failures."""
    os.environ["RLNAS_CACHE"] = str(to / "cache")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(to / "jax")
    here = [
        case for case in CASES if case.name in names and all(find_spec(need) for need in case.needs)
    ]
    if not (disks := can_mount(to / "disk")):
        print("no disk can be mounted here (root only): no full or read-only ones")
    counts = {case.name: Count() for case in here}
    expected: dict[tuple[str, str], Undisturbed] = {}
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline and (
        left := [case for case in here if counts[case.name].rounds < rounds]
    ):
        case = min(left, key=lambda case: counts[case.name].seconds)  # equal shares of the time
        count, began = counts[case.name], time.monotonic()
        mark = f"{seed}-{case.name}-{count.rounds}"
        place, on = drawn(mark, count.rounds, disks)
        where = SPREAD if case.spread and place == SPREAD else PLAIN
        if (case.name, where) not in expected:
            try:
                alone = expected[case.name, where] = undisturbed(case, world, to, where)
                print(f"{case.name}: {alone.seconds:.0f} s undisturbed, {alone.busy:.0f} s busy")
            except Broken as error:
                here.remove(case)
                count.fails(case.name, str(error))
                continue
        events, wrong = round_of(case, world, expected[case.name, where], to, mark, place, on)
        count.rounds += 1
        count.seconds += time.monotonic() - began
        count.events.update(events)
        if wrong:
            count.fails(mark, wrong)
            print((to / f"{folder_name(mark)}.log").read_text()[-1500:])
        else:
            print(f"{mark}: {' '.join(events)}", flush=True)
            clean(to, folder_name(mark))
    tell(counts)
    return sum(len(count.failures) for count in counts.values())


def clean(to: Path, name: str) -> None:
    shutil.rmtree(to / name, ignore_errors=True)
    (to / f"{name}.log").unlink(missing_ok=True)


def tell(counts: dict[str, Count]) -> None:
    places = [name for name in surroundings(os.environ) if name != PLAIN]
    kinds = [*(how.name for how in SIGNALS), "two at once", *DISKS, *places]
    heads = ["rounds", *kinds, "failures"]
    print(f"{'':16}" + "".join(f"  {head}" for head in heads))
    for name, c in counts.items():
        numbers = [c.rounds, *(c.events[kind] for kind in kinds), len(c.failures)]
        cells = (f"{x:>{len(head) + 2}}" for x, head in zip(numbers, heads, strict=True))
        print(f"{name:16}" + "".join(cells))
        for failure in c.failures:
            print(f"    {failure}")


def as_rlnas(words: Sequence[str]) -> None:
    """The process `rlnas`; with one more benchmark, that is distilled, and one more download."""
    if "soak-file" in words:
        from rlnas.bench.fetch import Download
        from rlnas.bench.nb101.family import FAMILY

        digest, url = hashlib.sha256(Slow.body).hexdigest(), words[words.index("--url") + 1]
        size = len(Slow.body)
        FAMILY.downloads = (Download("soak-file", "soak", "soak.tfrecord", (url,), digest, size),)
    if "nb301-soak" in words:
        from rlnas.bench.nb301 import distill
        from surrogates import invented_benchmark

        distill.load = lambda name: invented_benchmark()
    from rlnas.analysis import cli

    sys.argv = ["rlnas", *words]
    cli.entry()


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=10**6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(case.name for case in CASES))
    given = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that disks are unmounted
    with tempfile.TemporaryDirectory() as folder, served() as world:
        names = given.only.split(",")
        failures = soak(names, given.minutes, given.rounds, given.seed, Path(folder), world)
    return int(failures > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-rlnas"]:
        as_rlnas(sys.argv[2:])
    sys.exit(main(sys.argv[1:]))
