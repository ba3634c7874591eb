"""Full disks, devices, links and hostile names: what is written is whole and where it belongs, or a
line says what could not be."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from made_runs import made_run
from rlnas.analysis import cli, store
from rlnas.analysis.comparison import write as comparison
from rlnas.analysis.comparison.figure import comparison as figure_of
from rlnas.analysis.comparison.measures import measure
from rlnas.analysis.style import save
from rlnas.bench.columns import column_file
from rlnas.bench.errors import UserError
from rlnas.bench.files import (
    EXPORT,
    RECORD,
    WriteError,
    at_once,
    atomic_path,
    file_refusal,
    quoted,
)
from rlnas.bench.names import valid_name, visible
from rlnas.bench.nb101.synthetic import write_synthetic
from rlnas.bench.npz import save_npz
from rlnas.bench.reading import read_json
from tables import small_table

RANDOM = np.random.default_rng(0)


@contextmanager
def full_beyond(size: int) -> Iterator[None]:
    """No file can be written beyond `size` bytes: as a full disk, but for the number of the
    error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def as_columns(path: Path) -> None:
    with column_file(path) as write:
        write({"x": RANDOM.random(100_000)})


def as_safetensors(path: Path) -> None:
    with atomic_path(path) as temporary:
        save_file({"x": RANDOM.random(100_000)}, temporary)


WRITERS: dict[str, Callable[[Path], None]] = {
    "table.npz": lambda path: save_npz(path, ("x", 1), {"x": RANDOM.random(100_000)}),
    "small.npz": lambda path: save_npz(path, ("x", 1), {"x": RANDOM.random(9000)}, compressed=True),
    "numbers.json": lambda path: store.write_json(path, {"all": RANDOM.random(9000).tolist()}),
    "table.csv": lambda path: store.write_csv(path, [{"x": x} for x in RANDOM.random(9000)]),
    "columns.csv": as_columns,
    "columns.csv.gz": as_columns,
    "columns.parquet": as_columns,
    "weights.safetensors": as_safetensors,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_a_line_that_names_the_target(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("as it was")
    with full_beyond(20_000), pytest.raises(WriteError) as refused:
        WRITERS[name](path)
    assert str(refused.value).startswith(f"{path} cannot be written (File too large);")
    assert path.read_text() == "as it was" and list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_read_meanwhile_is_not_the_target_s_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "out"):
        (tmp_path / "absent").read_text()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("cannot mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.long
@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("compare --budget 9 --seeds 3 --agents random_search --out OUT", {"history", "manifest"}),
        ("bench export nb101-digits --out OUT/table.csv", set()),
        ("bench convert made.tfrecord --out OUT/table.npz", set()),
        ("landscape --walks 10 --length 8 --lags 2 --out OUT", set()),
    ],
)
def test_a_command_on_a_full_disk(
    line: str, left: set[str], tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if "made" in line:
        write_synthetic(Path("made.tfrecord"), max_vertices=4)
    (tiny / "other").write_bytes(bytes(170_000 if "compare" in line else 203_000))
    status = cli.main(line.replace("OUT", str(tiny)).split())
    said = capsys.readouterr().err.splitlines()[-1]
    assert status == 2 and "cannot be written (No space left on device)" in said
    assert {p.stem for p in tiny.rglob("*") if p.is_file()} == {"other", *left}


def test_output_that_cannot_be_printed_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert cli.main(["--version"]) == 2
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space"):
            full.close()
    assert capsys.readouterr().err.startswith("rlnas: error: No space left on device")


def test_a_device_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    link = tmp_path / "link.csv"
    link.symlink_to(pipe)
    (tmp_path / "folder.csv").mkdir()
    for target in (pipe, link, tmp_path / "folder.csv", Path("/dev/null.csv"), Path("/proc/x.csv")):
        assert cli.main(["bench", "export", "nb101-digits", "--out", str(target)]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"rlnas: error: {target} is a ")
    for special in ("/dev/null", "/dev/stdout"):
        before = os.stat(special)
        with pytest.raises(WriteError, match="is a device"), atomic_path(special):
            pass
        assert os.stat(special).st_mode == before.st_mode
    assert pipe.is_fifo() and sorted(p.name for p in tmp_path.iterdir()) == [
        "folder.csv", "link.csv", "pipe.csv",
    ]  # fmt: skip


TARGETS = (
    "compare --out FILE",
    "compare --out FILE/deeper",
    "train --out FILE",
    "plot runs/x --out FILE",
    "report runs/x --out FILE",
    "scale runs/x --out FILE",
    "bench fetch nb101 --folder FILE",
    "bench export nb101-digits --out FILE.csv",
    "bench export nb101-digits --out FILE.csv.gz",
    "bench export nb101-digits --out FILE.parquet",
    "bench convert made.tfrecord --out FILE",
    "bench import-csv cells.csv --name mine --out FILE.npz",
    "bench rehearse nb101-digits --out FILE",
    "bench tabulate --out FILE --name x --folder made",
    "bench tabulate --folder FILE --name x",
    "bench distill nb301-yahpo --out FILE",
    "speed --json FILE",
)
DEAR = (
    b"export PATH=~/bin:$PATH\n",
    b"arch,validation\nx,1\n",
    b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml",
    b"\x1f\x8b of no length",
    b'{"mine": 1}',
)


@pytest.mark.parametrize("line", TARGETS)
def test_a_file_that_is_not_ours_is_not_replaced(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    file = next(word for word in line.split() if word.startswith("FILE")).removesuffix("/deeper")
    dear = tmp_path / file.replace("FILE", ".bashrc")
    for content in DEAR:
        dear.write_bytes(content)
        assert cli.main(line.replace("FILE", "./.bashrc").split()) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and ".bashrc" in said[0] and "expected a f" in said[0]
        assert dear.read_bytes() == content and list(tmp_path.iterdir()) == [dear]


def test_a_file_of_ours_is_replaced(tmp_path: Path) -> None:
    """Also one that is empty."""
    small_table(4).save(tmp_path / "small.npz")
    write_synthetic(tmp_path / "made.tfrecord", max_vertices=3)
    for name in ("x.csv", "x.csv.gz", "x.parquet"):
        (tmp_path / name).touch()
        for shape in ("long", "wide"):
            words = ["bench", "export", str(tmp_path / "small.npz"), "--shape", shape]
            assert cli.main([*words, "--out", str(tmp_path / name)]) == 0
            assert (tmp_path / name).stat().st_size
    words = ["bench", "convert", str(tmp_path / "made.tfrecord"), "--allow-missing"]
    for _ in range(2):
        assert cli.main([*words, "--out", str(tmp_path / "made.npz")]) == 0
    record = tmp_path / "record.json"
    store.write_json(record, {"size": "small", "cores": 2, "sections": []})
    assert file_refusal(record, RECORD) == "" and file_refusal(record, EXPORT) != ""


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to("there/file")  # nothing yet
    for text in ("one", "two"):
        with atomic_path(link) as temporary:
            assert temporary.parent == tmp_path / "there"
            temporary.write_text(text)
        assert link.is_symlink() and (tmp_path / "there" / "file").read_text() == text


def test_all_outputs_of_a_folder_appear_together(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), at_once():
        store.write_json(tmp_path / "a" / "one.json", {"x": 1})
        with at_once():
            store.write_json(tmp_path / "a" / "two.json", {"x": 2})
        raise ZeroDivisionError
    assert list((tmp_path / "a").iterdir()) == []
    with at_once():
        store.write_json(tmp_path / "a" / "one.json", {"x": 1})
        assert not (tmp_path / "a" / "one.json").exists()
        store.write_json(tmp_path / "a" / "one.json", {"x": 2})
    assert read_json(tmp_path / "a" / "one.json")["x"] == 2
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["one.json"]


def two_runs() -> list[store.Run]:
    values = np.sort(np.random.default_rng(1).random((2, 5, 8)))
    return [
        made_run(name, x) for name, x in zip(("random_search", "evolution"), values, strict=True)
    ]


def test_a_comparison_without_its_figure_has_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object) -> None:
        raise WriteError("no room")

    runs = two_runs()
    monkeypatch.setattr(comparison, "save", fails)
    with pytest.raises(WriteError):
        comparison.draw(runs, tmp_path / "drawn")
    assert list((tmp_path / "drawn").iterdir()) == []


@pytest.mark.parametrize("name", ["../../x/evil", "", ".hidden", "-x", "a/b", "a\x1bb", "x" * 101])
def test_a_name_that_is_no_file_s(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected at most 100 letters"):
        valid_name(name, "table name")
    table = small_table(4)
    with pytest.raises(UserError, match="table name"):
        replace(table, meta=table.meta | {"name": name}).save(tmp_path / "table.npz")
    assert list(tmp_path.iterdir()) == []


def test_control_characters_are_not_printed(capsys: pytest.CaptureFixture) -> None:
    assert visible("a\x1b[31mb\n\u202e") == r"a\x1b[31mb\n\u202e" and visible("größe") == "größe"
    assert cli.main(["bench", "info", "a\x1b]0;title\x07.npz"]) == 2
    assert capsys.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "name", ["a\x1b[1m", "it's\n", "back\\slash\t", "bytes\udcff", "größe\x7f"]
)
def test_a_path_with_control_characters_can_be_pasted_back(name: str) -> None:
    spelled = quoted(name)
    assert spelled.isprintable()
    back = subprocess.run(["bash", "-c", f"printf %s {spelled}"], capture_output=True, check=True)
    assert back.stdout == os.fsencode(name)


def test_a_dollar_in_a_label_is_a_dollar(tmp_path: Path) -> None:
    """Else matplotlib reads what stands between two as mathematics, and may refuse it."""
    runs = two_runs()
    hostile = [replace(run, label=f"$\\frac{{{i}$") for i, run in enumerate(runs)]
    save(figure_of(hostile, measure(hostile)), tmp_path)
    assert (tmp_path / "figure.png").exists()
