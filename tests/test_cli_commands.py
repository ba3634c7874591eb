"""Commands for real, some in a process of their own: what they leave behind, and what bad input
leaves behind: nothing.

`compare`, `plot`, `bench list`, `info` and `export` are in `test_cli`; `train` in
`test_training`, `bench tabulate` in `test_tabulate`, a whole `ablate` in `test_ablation`,
`landscape` in `test_landscape`.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rlnas.bench.files import sha256
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.synthetic import write_synthetic
from rlnas.bench.nb101.table import Table
from said import called, complaints


def rlnas(*args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in `cwd`, whose folder `cache` is its cache."""
    return called(*args, cwd=cwd, RLNAS_CACHE=str(cwd / "cache"))


def process(*args: object, cwd: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """The same in a process of its own; `before`: Python lines to run first."""
    code = f"import sys\n{before}\nfrom rlnas.analysis.cli import main; sys.exit(main())"
    env = os.environ | {"RLNAS_CACHE": str(cwd / "cache")}
    words = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(words, capture_output=True, text=True, env=env, cwd=cwd)


def refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    """Exit status 2, nothing on stdout, one line on stderr, with the reason."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    said = complaints(done.stderr)
    assert said.startswith("rlnas: error: ") and said.endswith("\n") and said.count("\n") == 1
    assert reason in said


def written(folder: Path) -> set[str]:
    """Every file below `folder`, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- bench convert
# ----------------------------------------------------------------------------------


def test_convert(tmp_path: Path) -> None:
    """Without --out the table is found by its name from then on."""
    count = write_synthetic(tmp_path / "made.tfrecord", max_vertices=4, budgets=(12, 108))
    done = process("bench", "convert", "made.tfrecord", "--max-vertices", 4, cwd=tmp_path)
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    (path,) = (tmp_path / "cache").rglob("made.npz")
    assert done.stdout.startswith(f"{path}: 91 cells x 3 repeats at 12, 108 epochs\n")
    assert done.stdout.endswith("next: rlnas bench info made\n")
    table = Table.load(path)
    assert table.val.size == count and not np.isnan(table.val).any()
    told = rlnas("bench", "info", "made", cwd=tmp_path)
    assert told.returncode == 0 and "91, at most 4 vertices" in told.stdout


def flip(byte: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:byte] + bytes([data[byte] ^ 1]) + data[byte + 1 :]


@pytest.mark.parametrize(
    ("spoil", "options", "reason"),
    [
        (
            lambda data: data[:-5],
            (),
            "made.tfrecord: record 273 (byte offset 91,885): the file ends",
        ),
        (
            lambda data: data[:700] + bytes([data[700] ^ 1]) + data[701:],
            (),
            "made.tfrecord: record 3 (byte offset 666): found checksum",
        ),
        (lambda data: data, ("--sha256", "0" * 64), "expected 0000"),
        (lambda data: b"", (), "made.tfrecord"),
    ],
    ids=["truncated", "flipped", "sha256", "empty"],
)
def test_convert_refuses(tmp_path: Path, spoil, options: tuple[str, ...], reason: str) -> None:
    path = tmp_path / "made.tfrecord"
    write_synthetic(path, max_vertices=4)
    path.write_bytes(spoil(path.read_bytes()))
    args = ("bench", "convert", path, "--max-vertices", 4, "--out", "made.npz", *options)
    refused(rlnas(*args, cwd=tmp_path), reason)
    assert written(tmp_path) == {"made.tfrecord"}


# --- bench fetch
# ------------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a folder served on this machine, with the file `file.bin` in it."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "file.bin").write_bytes(np.random.default_rng(0).bytes(200_000))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def register(digest: str) -> str:
    """Lines that make a small file known to `bench fetch`; its own address answers nothing."""
    return (
        "from rlnas.bench import fetch\nfetch.RETRY_WAIT_S = 0.0\n"
        "from rlnas.bench.nb101.family import FAMILY\nFAMILY.downloads = (fetch.Download("
        f"'small', 'small', 'small.bin', ('http://127.0.0.1:9/x',), {digest!r}, 200_000),)"
    )


def fetch_words(url: str) -> list[str]:
    return f"bench fetch small --url {url}/file.bin --folder here --no-convert".split()


def test_fetch(url: str, tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(200_000)
    (tmp_path / "wanted").write_bytes(data)
    before = register(sha256(tmp_path / "wanted"))
    args = fetch_words(url)
    done = process(*args, cwd=tmp_path, before=before)
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    assert "complete" in done.stdout and "next: rlnas bench convert" in done.stdout
    assert (tmp_path / "here" / "small.bin").read_bytes() == data
    assert written(tmp_path) == {"wanted", "here/small.bin"}


def test_fetch_refuses_another_file(url: str, tmp_path: Path) -> None:
    args = fetch_words(url)
    refused(process(*args, cwd=tmp_path, before=register("0" * 64)), f"expected {'0' * 64}")
    assert written(tmp_path) == set()


def test_fetch_refuses_a_file_that_is_not_the_official_one(tmp_path: Path) -> None:
    """Checked before anything is asked of the network."""
    (tmp_path / "mine.tfrecord").write_bytes(b"not it")
    refused(
        rlnas("bench", "fetch", "nb101", "--from-file", "mine.tfrecord", cwd=tmp_path),
        "expected 522,767,376",
    )
    assert written(tmp_path) == {"mine.tfrecord"}
    refused(
        rlnas("bench", "fetch", "nb102", cwd=tmp_path),
        "nothing named 'nb102' to fetch; expected one of nb101",
    )


# --- bench import-csv
# -------------------------------------------------------------------------------

HEAD = "module_hash,epochs,repeat,validation_accuracy,test_accuracy,training_time\n"


def csv_of(rows: range) -> str:
    names = [digest.tobytes().hex() for digest in graph.hashes(4)]
    return HEAD + "".join(
        f"{names[row]},108,{repeat},{0.5 + row / 200 + repeat / 1000},{0.4 + row / 200},{row + 1}\n"
        for row in rows
        for repeat in range(2)
    )


def test_import_csv(tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text(csv_of(range(10, 60)))
    args = (
        "bench",
        "import-csv",
        "cells.csv",
        "--name",
        "mine",
        "--out",
        "mine.npz",
        "--max-vertices",
        4,
    )
    done = rlnas(*args, "--note", "made on the spot", cwd=tmp_path)
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    assert done.stdout.startswith("mine.npz: 50 cells x 2 repeats at 108 epochs\n")
    assert "note: made on the spot" in done.stdout
    table = Table.load(tmp_path / "mine.npz")
    assert table.row.tolist() == list(range(10, 60))
    np.testing.assert_allclose(table.val[:, 0, 1], 0.501 + np.arange(10, 60) / 200, atol=1e-6)
    np.testing.assert_allclose(table.test[:, 0, 0], 0.4 + np.arange(10, 60) / 200, atol=1e-6)
    np.testing.assert_allclose(table.seconds[:, 0, 0], np.arange(11, 61))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (csv_of(range(10, 20)) + f"{'0' * 32},108,0,0.5,0.5,1\n", "line 22"),
        (csv_of(range(10, 20)) + csv_of(range(12, 13)).removeprefix(HEAD), "line 22"),
        (csv_of(range(10, 20)).replace("validation_accuracy", "accuracy"), "validation_accuracy"),
        (csv_of(range(10, 20)).replace("0.55,", "55.0,", 1), "line 2"),
    ],
    ids=["unknown", "twice", "column", "percent"],
)
def test_import_csv_refuses(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "cells.csv").write_text(text)
    args = (
        "bench",
        "import-csv",
        "cells.csv",
        "--name",
        "mine",
        "--out",
        "mine.npz",
        "--max-vertices",
        4,
    )
    refused(rlnas(*args, cwd=tmp_path), reason)
    assert written(tmp_path) == {"cells.csv"}


# --- speed
# ------------------------------------------------------------------------------------------


@pytest.mark.long
def test_speed(tmp_path: Path) -> None:
    args = ("speed", "--size", "small", "--only", "lookups", "--cores", 1, "--json", "record.json")
    done = process(*args, cwd=tmp_path)  # a child's peak begins at its parent's
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    assert "at most 5 vertices, 1 cores; synthetic" in done.stdout and "look-ups" in done.stdout
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["size"], record["cores"]) == ("small", 1)
    (section,) = record["sections"]
    assert section["section"] == "lookups" and 10 < section["peak_mb"] < 4_000
    (measure,) = section["measures"]
    assert measure["ours"] > 0 and measure["reference"] > 0
    assert measure["ratio"] == pytest.approx(measure["ours"] / measure["reference"])


def test_speed_refuses(tmp_path: Path) -> None:
    refused(
        rlnas("speed", "--size", "huge", cwd=tmp_path),
        "invalid choice 'huge' for argument '--size'",
    )
    refused(rlnas("speed", "--cores", 0, "--json", "record.json", cwd=tmp_path), "--cores 0")
    assert written(tmp_path) == set()


# --- ablate
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--vary", "gama=0.5"), "--vary gama=0.5: no such setting"),
        (("--alpha", "6", "6"), "has one twice"),
        (("--benchmark", "nowhere"), "nowhere"),
        (("--preset", "huge"), "invalid choice 'huge' for argument '--preset'"),
    ],
)
def test_ablate_refuses(tmp_path: Path, options: tuple[str, ...], reason: str) -> None:
    refused(rlnas("ablate", *options, cwd=tmp_path), reason)
    assert written(tmp_path) == set()
