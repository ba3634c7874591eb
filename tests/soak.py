"""`make soak`: what may be stopped is stopped, again and again, and must come to the same results.

Each command below is first run undisturbed. Then, round after round, it is started in an empty
folder and stopped at random moments by SIGKILL, SIGINT or SIGTERM, up to `MOST_STOPS` times, then
run to its end; now and then two of it at once. What is left must be what the undisturbed run left:
the same files, the same contents but for times. No process may be left after five seconds, no file
half-written.

    make soak ARGS="--minutes 60 --seed 1 --only compare,train"
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from soak_cases import CASES, Case
from soak_results import difference, results

MOST_STOPS = 4
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
STATUS = {signal.SIGKILL: (-9,), signal.SIGINT: (130,), signal.SIGTERM: (130, 143)}
MARK = "RLNAS_SOAK"
ORPHANS_AFTER = 5.0
PATIENCE = 900.0


@dataclass
class Count:
    """Of one command. undisturbed: the seconds it takes."""

    undisturbed: float = 0.0
    rounds: int = 0
    stops: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


# --- processes


def start(words: str, folder: Path, mark: str) -> subprocess.Popen[bytes]:
    import shlex

    env = os.environ | {MARK: mark, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--as-rlnas", *shlex.split(words)]
    with open(folder.parent / f"{folder.name}.log", "ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )


def marked(mark: str) -> list[int]:
    """Processes that were started under this mark, and what they started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def orphans(mark: str) -> list[int]:
    """Those that are left after some seconds; ended, so that the next round starts clean."""
    deadline = time.monotonic() + ORPHANS_AFTER
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for number in left:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return left


# --- rounds


def round_of(
    case: Case, world: dict[str, str], expected: dict[str, str], within: float, seed: str, to: Path
) -> tuple[list[str], str]:
    """(the stops made, what is wrong). within: seconds that an undisturbed run takes."""
    rng = random.Random(seed)
    folder = to / f"{case.name}-{seed.rpartition('-')[2]}"
    folder.mkdir()
    case.prepare(folder)
    words, stops = case.words(world), []
    for i in range(rng.randint(1, MOST_STOPS)):
        mark = f"{seed}-{i}"
        running = start(words, folder, mark)
        how = rng.choice(SIGNALS)
        try:
            running.wait(rng.uniform(0.02, 1.0) * within)
        except subprocess.TimeoutExpired:
            running.send_signal(how)
            stops.append(how.name)
            try:
                status = running.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                return stops, f"{how.name}: still running after 30 s"
            # It may have ended by itself in the meantime, or not have begun to listen.
            early = (-how,) if how != signal.SIGKILL else ()
            if status not in (*STATUS[how], 0, *early):
                return stops, f"{how.name}: status {status}"
        else:
            if running.returncode:
                return stops, f"status {running.returncode} without a stop"
        if left := orphans(mark):
            return stops, f"{how.name}: {len(left)} processes left after {ORPHANS_AFTER:.0f} s"
        temporary = [path.name for path in folder.rglob("*.tmp*")]
        if temporary and stops and stops[-1] != "SIGKILL" and "SIGKILL" not in stops:
            return stops, f"{stops[-1]}: half-written {temporary[0]}"
    together = [
        start(words, folder, f"{seed}-end-{j}") for j in range(2 if rng.random() < 0.2 else 1)
    ]
    for running in together:
        if running.wait(PATIENCE):
            return stops, f"resumed: status {running.returncode}"
    if len(together) > 1:
        stops.append("two at once")
    return stops, difference(expected, results(folder, case.left))


def undisturbed(case: Case, world: dict[str, str], to: Path) -> tuple[dict[str, str], float]:
    folder = to / f"{case.name}-undisturbed"
    folder.mkdir()
    case.prepare(folder)
    start(case.words(world), folder, "warm").wait(PATIENCE)  # programs are compiled once
    again = to / f"{case.name}-again"
    again.mkdir()
    case.prepare(again)
    began = time.monotonic()
    status = start(case.words(world), again, "timed").wait(PATIENCE)
    took = time.monotonic() - began
    first, second = (results(x, case.left) for x in (folder, again))
    if status or not second:
        log = (to / f"{again.name}.log").read_text()[-2000:]
        raise SystemExit(f"{case.name}: status {status} undisturbed, {len(second)} files\n{log}")
    if wrong := difference(first, second):
        raise SystemExit(f"{case.name}: two undisturbed runs differ: {wrong}")
    return second, took


class Slow(http.server.BaseHTTPRequestHandler):
    """A file of 3 MB in pieces, over some two seconds; knows ranges."""

    body = np.random.default_rng(0).bytes(3_000_000)

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        begin = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        self.send_response(206 if asked else 200)
        rest = self.body[begin:]
        if asked:
            last = len(self.body) - 1
            self.send_header("Content-Range", f"bytes {begin}-{last}/{len(self.body)}")
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        for i in range(0, len(rest), 150_000):
            try:
                self.wfile.write(rest[i : i + 150_000])
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:
        pass


def soak(names: Sequence[str], minutes: float, rounds: int, seed: int, to: Path) -> int:
    """Until the time is over, or so many rounds of each were made; the number of failures."""
    from importlib.util import find_spec

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    world = {"url": f"http://127.0.0.1:{server.server_port}/soak.tfrecord"}
    os.environ["RLNAS_CACHE"] = str(to / "cache")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(to / "jax")
    here = [
        case for case in CASES if case.name in names and all(find_spec(need) for need in case.needs)
    ]
    counts = {case.name: Count() for case in here}
    expected: dict[str, dict[str, str]] = {}
    deadline = time.monotonic() + 60 * minutes
    number = 0
    while time.monotonic() < deadline and number < rounds:
        for case in here:
            count = counts[case.name]
            if case.name not in expected:
                expected[case.name], count.undisturbed = undisturbed(case, world, to)
            if time.monotonic() > deadline:
                break
            key = f"{seed}-{case.name}-{number}"
            stops, wrong = round_of(case, world, expected[case.name], count.undisturbed, key, to)
            count.rounds += 1
            for stop in stops:
                count.stops[stop] = count.stops.get(stop, 0) + 1
            if wrong:
                count.failures.append(f"round {key}: {wrong}")
                print(f"{case.name}: FAILED {key}: {wrong}", flush=True)
            else:
                clean(to, f"{case.name}-{number}")
        number += 1
        print(f"after {number} rounds", *(f"{n} {c.rounds}" for n, c in counts.items()), flush=True)
    server.shutdown()
    server.server_close()
    tell(counts)
    return sum(len(count.failures) for count in counts.values())


def clean(to: Path, name: str) -> None:
    import shutil

    shutil.rmtree(to / name, ignore_errors=True)
    (to / f"{name}.log").unlink(missing_ok=True)


def tell(counts: dict[str, Count]) -> None:
    kinds = [*(s.name for s in SIGNALS), "two at once"]
    print(f"{'':18}{'rounds':>8}" + "".join(f"{kind:>13}" for kind in kinds) + f"{'failures':>10}")
    for name, c in counts.items():
        numbers = "".join(f"{c.stops.get(kind, 0):>13}" for kind in kinds)
        print(f"{name:18}{c.rounds:>8}{numbers}{len(c.failures):>10}")
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
    with tempfile.TemporaryDirectory() as folder:
        failures = soak(
            given.only.split(","), given.minutes, given.rounds, given.seed, Path(folder)
        )
    return int(failures > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-rlnas"]:
        as_rlnas(sys.argv[2:])
    sys.exit(main(sys.argv[1:]))
