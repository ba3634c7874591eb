"""Tables and images that others write: sound files for `fuzzing`, and hostile ones."""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from fuzzing import STRANGE, TEXTS, Kind, Rng, npz_of, one, write_zip
from records import payloads, with_metrics
from rlnas.bench.add_columns import add_columns
from rlnas.bench.family import family_of
from rlnas.bench.nb101.assemble import cell_list
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.nb101.convert import convert
from rlnas.bench.nb101.export import export
from rlnas.bench.nb101.import_csv import import_csv
from rlnas.bench.nb101.synthetic import write_synthetic
from rlnas.bench.nb101.table import Table
from rlnas.bench.nb101.tfrecord import frame, masked_crc
from rlnas.bench.nb201.import_csv import import_csv as import_cells
from rlnas.bench.npz import digest_of_arrays
from tables import small_table

# --- CSV and TFRecord ----------------------------------------------------------------------------


def field_of(name: str) -> Callable[[Path, Rng], bool]:
    def edited_csv(folder: Path, rng: Rng) -> bool:
        """A field, often of the header, with something else in it; or a column more."""
        path = folder / name
        opened: Any = gzip.open if name.endswith(".gz") else open
        with opened(path, "rt", newline="") as file:
            lines = list(csv.reader(file))
        line = lines[0] if rng.random() < 0.3 else one(rng, lines)
        place = int(rng.integers(len(line)))
        extra = ("validation_accuracy_999999999999ep", "cifar100_val_repeat999999999",
                 "_" * 150_000, "val_4ep_repeat_1", *(f"{c}_1e9" for c in line[:1]))  # fmt: skip
        line[place] = one(rng, extra) if line is lines[0] else one(rng, TEXTS)
        if rng.random() < 0.1:
            lines = [[x, "9" * int(rng.integers(1, 12))] for x, *_ in lines]
        with opened(path, "wt", newline="", encoding="utf-8", errors="replace") as file:
            csv.writer(file).writerows(lines)
        return True

    return edited_csv


def sparse_csv(folder: Path, rng: Rng) -> bool:
    """Every line of its own epochs and repeat: a table of nothing but gaps."""
    path = folder / "t.csv"
    with open(path, newline="") as file:
        header, *lines = csv.reader(file)
    lines = lines * 20
    for i, line in enumerate(lines):
        line = lines[i] = [*line]
        line[header.index("epochs")], line[header.index("repeat")] = str(i), str(i)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return True


def packed_csv(folder: Path, rng: Rng) -> bool:
    """One very long line, or very many, well packed."""
    body = one(rng, (b"a" * (1 << 26), b"a,b\n" * (1 << 22), b"\n" * (1 << 24), b"\0" * (1 << 22)))
    (folder / "t.csv.gz").write_bytes(gzip.compress(b"module_hash,val_4ep\n" + body, 1))
    return True


def read_cells_csv(name: str) -> Callable[[Path], str]:
    def read(folder: Path) -> str:
        out = import_csv(folder / name, folder / "o.npz", name="x", max_vertices=4, progress=False)
        return digest_of_arrays({k: getattr(Table.load(out), k) for k in ("row", "val", "seconds")})

    return read


def make_nb201(folder: Path) -> None:
    rows = [["idx", "cifar100_val", "cifar100_test", "cifar100_time_repeat0"]]
    rows += [[i, 50 + i / 10, 40.5, 12] for i in range(40)]  # type: ignore[list-item]
    with open(folder / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)


def read_nb201(folder: Path) -> str:
    (found,) = import_cells(folder / "t.csv", folder / "out").tables
    return digest_of_arrays({"val": found.val, "test": found.test, "seconds": found.seconds})


def edited_record(folder: Path, rng: Rng) -> bool:
    """A record that says something else, its checksums right."""
    path = folder / "t.tfrecord"
    records = payloads(path)
    i = 0 if rng.random() < 0.3 else int(rng.integers(len(records)))
    which = int(rng.integers(6))
    if which == 0:
        fields = json.loads(records[i])
        fields[int(rng.integers(5))] = one(rng, STRANGE[:-2])
        records[i] = json.dumps(fields).encode()
    elif which == 1:
        records[i] = one(rng, (records[i] + b"x", b"\xff" + records[i], b"[" * 100_000, b"",
                               records[i].replace(b", 4, ", b", 1000000000000, "),
                               records[i].replace(b", 4, ", b", 4_0, ")))  # fmt: skip
    elif which == 2:

        def change(data: bytes) -> bytes:
            at = int(rng.integers(len(data)))
            return (
                data[:at]
                + struct.pack("<d", one(rng, (np.nan, np.inf, -1, 1e300)))
                + data[at + 8 :]
            )

        records[i] = with_metrics(records[i], change)
    elif which == 3:
        more = one(rng, (b"\x11" + struct.pack("<d", np.inf), b"\x10" + b"\xff" * 8 + b"\x7f",
                         b"\x12\x01x", b"\x18\x80", b"\x0a\xff\xff\xff\xff\x7f"))  # fmt: skip
        records[i] = with_metrics(records[i], lambda data: data + more)
    elif which == 4:
        records[i] = with_metrics(records[i], lambda data: rng.bytes(len(data)))
    else:
        records.insert(0, records[i])
    data = b"".join(map(frame, records))
    if rng.random() < 0.05:
        length = struct.pack("<Q", 1 << int(rng.integers(20, 63)))
        data = length + struct.pack("<I", masked_crc(length)) + data
    path.write_bytes(data)
    return True


def read_tfrecord(folder: Path) -> str:
    out = convert(folder / "t.tfrecord", folder / "o.npz", max_vertices=3, progress=False)
    return digest_of_arrays(
        {k: getattr(Table.load(out), k) for k in ("row", "val", "test", "seconds")}
    )


def make_rows(folder: Path) -> None:
    (folder / "t.csv").write_text("row\n" + "".join(f"{i}\n" for i in range(9)))


def make_costs(folder: Path) -> None:
    table = small_table(3)
    space = from_table(table).space
    lines = [f'"{space.format(space.at(jnp.int32(i)))}",{i}.5,{i + 1}' for i in range(space.size)]
    (folder / "t.csv").write_text("\n".join(["arch,latency_ms,energy (J)", *lines]) + "\n")


def read_costs(folder: Path) -> str:
    small_table(3).save(folder / "made.npz")
    table = family_of(str(folder / "made.npz")).column_table(str(folder / "made.npz"))
    add_columns(table, folder / "t.csv", folder / "out.npz")
    found = Table.load(folder / "out.npz")
    return repr(found.meta["costs"]) + digest_of_arrays({"costs": column_values(found)})


def column_values(table: Table) -> np.ndarray:
    return np.stack([column.values for column in table.columns])


# --- images --------------------------------------------------------------------------------------


def make_images(folder: Path) -> None:
    labels = np.arange(20) % 3
    images = np.tile(labels[:, None, None], (1, 4, 4)).astype(np.uint8)
    parts = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    write_zip(folder / "t.npz", parts, {})


def read_images(folder: Path) -> str:
    from rlnas.bench.retrain.datasets import load

    found = load(str(folder / "t.npz"))
    return digest_of_arrays({p: getattr(found, p).images.numpy() for p in ("train", "val", "test")})


def make_cifar(folder: Path) -> None:
    from rlnas.bench.retrain import cifar

    with tarfile.open(folder / "c.tar.gz", "w:gz") as tar:
        for name in (*cifar.TRAIN_FILES, *cifar.TEST_FILES):
            info = tarfile.TarInfo(name)
            info.size = 2 * cifar.RECORD_BYTES
            tar.addfile(info, io.BytesIO(bytes(info.size)))


def read_cifar(folder: Path) -> str:
    from rlnas.bench.retrain.cifar import read_archive

    return digest_of_arrays({str(i): x for i, x in enumerate(read_archive(folder / "c.tar.gz", 2))})


TABLES = (
    Kind("CSV of nb101, long", lambda f: export(small_table(4), f / "t.csv", progress=False),
         read_cells_csv("t.csv"), (field_of("t.csv"), sparse_csv), checked=False),
    Kind("CSV of nb101, wide, gzip",
         lambda f: export(small_table(4), f / "t.csv.gz", shape="wide", progress=False),
         read_cells_csv("t.csv.gz"), (field_of("t.csv.gz"), packed_csv), checked=False),
    Kind("CSV of nb201", make_nb201, read_nb201, (field_of("t.csv"),), checked=False),
    Kind("TFRecord", lambda f: write_synthetic(f / "t.tfrecord", max_vertices=3, budgets=(4, 12)),
         read_tfrecord, (edited_record,), checked=False),
    Kind("CSV of costs", make_costs, read_costs, (field_of("t.csv"),), checked=False),
    Kind("CSV of rows", make_rows, lambda f: repr(cell_list(4, f / "t.csv")),
         (field_of("t.csv"),), checked=False),
)  # fmt: skip
IMAGES = (
    Kind("images", make_images, read_images, (npz_of("t.npz"),), checked=False),
    Kind("CIFAR-10", make_cifar, read_cifar, checked=False),
)
"""They take torch."""
