"""The commands about benchmark files: `rlnas bench convert | fetch | import-csv | list | info |
export`.

Each is a frozen config, whose fields and their docstrings become the options, and a function that
runs it. Results are printed to stdout, progress to stderr.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from rlnas.bench.errors import UserError

if TYPE_CHECKING:
    from rlnas.bench.nb101.table import Table


@dataclass(frozen=True)
class ConvertConfig:
    """Turn an official file into what is searched here: a NAS-Bench-101 TFRecord, or a
    NAS-Bench-301 surrogate.

    NAS-Bench-101: no TensorFlow is needed. NAS-Bench-301: YAHPO Gym's model.onnx, or the official
    ensembles, as the zip they come in or a folder of it; old XGBoost and LightGBM are not needed,
    no pickle is run.
    """

    file: Positional[Path]
    """nasbench_only108.tfrecord, nasbench_full.tfrecord or another such (EC-NAS); model.onnx; a zip
    or folder."""
    name: str | None = None
    """Name of the table; for the official files nb101-108 and nb101-full, else the file's. Of
    ensembles: which one."""
    out: Path | None = None
    """Where to write the table; default: the cache folder, where commands find it by its name."""
    sha256: str | None = None
    """SHA-256 the file must have (hex); "any" accepts a file that is only named like an official
    one."""
    allow_missing: bool = False
    """Accept an incomplete file: what is missing is missing in the table too."""
    max_vertices: int = 7
    """Look for cells with at most so many vertices."""


@dataclass(frozen=True)
class FetchConfig:
    """Download a benchmark's file (resumable, checked) and convert it."""

    name: Positional[str] = "nb101"
    """What to fetch: nb101, nb101-full, nb301-yahpo, nb301-v1.0, nb301-v0.9 or cifar10 (see
    `rlnas bench list`)."""
    url: tuple[str, ...] = ()
    """Addresses to try before the known ones."""
    from_file: Path | None = None
    """Check and use a file that is here already, instead of downloading."""
    folder: Path | None = None
    """Where the download goes; default: the cache folder."""
    convert: bool = True
    """Convert it right away."""


@dataclass(frozen=True)
class ImportCsvConfig:
    """Import any CSV table of NAS-Bench-101 cells.

    A line names its cell by module_hash, or by ops with upper_triangle_bits or adjacency, and holds
    validation_accuracy and, if known, test_accuracy, train_accuracy (fractions), training_time (s).
    Long form: columns epochs and repeat. Wide form: validation_accuracy_108ep_repeat0 and so on.
    """

    file: Positional[Path]
    """A .csv or .csv.gz file with a header line."""
    name: str
    """Name of the table."""
    out: Path | None = None
    """Where to write the table; default: the cache folder, where commands find it by its name."""
    columns: tuple[str, ...] = ()
    """COLUMN=NAME for columns that go by other names, e.g. acc=validation_accuracy."""
    epochs: int | None = None
    """The budget, where the file does not say after how many epochs."""
    percent: bool = False
    """Accuracies are percentages."""
    note: tuple[str, ...] = ()
    """Remarks to keep in the table, e.g. where the file is from."""
    max_vertices: int = 7
    """Look for cells with at most so many vertices."""


@dataclass(frozen=True)
class ListConfig:
    """List the benchmarks that are here, and what can be had."""


@dataclass(frozen=True)
class InfoConfig:
    """Print what a table holds, its best cells' accuracies and its own noise; or what is known of a
    surrogate."""

    table: Positional[str]
    """Name or path of a table, or the name of a surrogate (nb301-...)."""


@dataclass(frozen=True)
class ExportConfig:
    """Write a table as CSV or parquet."""

    table: Positional[str]
    """Name or path of a table."""
    format: str = "csv"
    """csv or parquet; the ending of --out goes before it."""
    shape: str = "long"
    """long: a line a run; wide: a line a cell."""
    out: Path | None = None
    """File to write; default: NAME.csv or NAME.parquet here."""


def run_convert(config: ConvertConfig) -> None:
    if config.file.suffix in (".onnx", ".zip") or config.file.is_dir():
        return _convert_surrogate(config)
    from rlnas.bench.nb101.convert import convert

    path = convert(
        config.file,
        config.out,
        name=config.name,
        sha256=config.sha256,
        allow_missing=config.allow_missing,
        max_vertices=config.max_vertices,
    )
    _announce(path, named=config.out is None)


def _convert_surrogate(config: ConvertConfig) -> None:
    from rlnas.bench.nb301 import store
    from rlnas.bench.nb301.ensembles import convert_ensembles

    if config.file.suffix == ".onnx":
        if config.name is not None:
            raise UserError(
                f"--name {config.name}: a surrogate is named by its file; give --out instead"
            )
        paths = [store.convert_network(config.file, config.out)]
    else:
        paths = list(convert_ensembles(config.file, config.out, config.name).values())
    for path in paths:
        print(f"{path}: {path.stat().st_size / 1e6:,.1f} MB")
    name = store.PREFIX + paths[0].stem if config.out is None else paths[0]
    print(f"next: rlnas bench info {name}")


def run_fetch(config: FetchConfig) -> None:
    import rlnas.bench.retrain.cifar  # noqa: F401  # registers its download
    from rlnas.bench.fetch import download_named, fetch

    download = download_named(config.name)
    path = fetch(download, config.folder, urls=config.url, from_file=config.from_file)
    print(
        f"{path}: complete, "
        + (f"sha256 {download.sha256}" if download.sha256 else "no checksum is published")
    )
    if not download.convertible:
        return
    if config.convert:
        run_convert(ConvertConfig(path, sha256=download.sha256))
    else:
        print(f"next: rlnas bench convert {path}")


def run_import_csv(config: ImportCsvConfig) -> None:
    from rlnas.bench.nb101.import_csv import import_csv

    path = import_csv(
        config.file,
        config.out,
        name=config.name,
        columns=config.columns,
        epochs=config.epochs,
        percent=config.percent,
        notes=config.note,
        max_vertices=config.max_vertices,
    )
    _announce(path, named=config.out is None)


def run_list(config: ListConfig) -> None:
    import rlnas.bench.retrain.cifar  # noqa: F401  # registers its download
    from rlnas.bench.fetch import DOWNLOADS
    from rlnas.bench.nb101.table import Table, available, embedded_dir
    from rlnas.bench.nb301 import store

    lines = [("name", "cells", "budgets (epochs)", "repeats", "file")]
    for name, path in available().items():
        try:
            table = Table.load(path)
        except UserError as error:
            lines.append((name, "-", "-", "-", str(error)))
            continue
        file = "embedded" if path.parent == embedded_dir() else str(path)
        budgets = ", ".join(map(str, table.epochs))
        lines.append((name, f"{len(table.row):,}", budgets, str(table.repeats), file))
    _print_aligned(lines)
    if surrogates := store.available():
        print("\nsurrogates of NAS-Bench-301 (1.08e18 cell pairs)")
        _print_aligned([(name, str(path)) for name, path in surrogates.items()])
    print("\nto be had")
    _print_aligned(
        [(f"  rlnas bench fetch {name}", download.what) for name, download in DOWNLOADS.items()]
    )
    print("  rlnas bench import-csv FILE --name NAME   any CSV of NAS-Bench-101 cells")
    print("  rlnas bench convert FILE                  official files that are here already")
    print(
        "  rlnas bench distill nb301-xgb_v1.0        a fast imitation of a surrogate, to train on"
    )


def run_info(config: InfoConfig) -> None:
    if config.table.startswith("nb301"):
        return _surrogate_info(config.table)
    from rlnas.bench.nb101.table import Table, find

    path = find(config.table)
    table = Table.load(path)
    meta = table.meta
    top = int(table.epochs[-1])

    def accuracy(value: float) -> str:
        return "unknown" if value != value else f"{value:.6f} (mean over repeats, {top} epochs)"

    lines = [
        ("name", table.name),
        ("file", str(path)),
        ("source", meta.get("source", "")),
        ("cells", f"{len(table.row):,}, at most {meta['max_vertices']} vertices"),
        ("budgets", ", ".join(map(str, table.epochs)) + " epochs"),
        ("repeats", str(table.repeats)),
        ("parameters", f"{table.params.min():,} to {table.params.max():,}"),
        ("best validation", accuracy(table.best_val)),
        ("best test", accuracy(table.best_test)),
    ]
    measured = [(epochs, table.noise(i)) for i, epochs in enumerate(table.epochs)]
    measured = [
        (epochs, noise) for epochs, noise in measured if noise.repeats > 1 and noise.cells > 2
    ]
    if not measured:
        lines.append(("noise", "unknown: it takes two repeats of three cells"))
    for epochs, noise in measured:
        text = (
            f"rank correlation between repeats {noise.spearman:.3f}; "
            f"sd between cells {noise.sd_between_cells:.4f}, between repeats "
            f"{noise.sd_between_repeats:.4f}; "
            f"share of variance between cells {noise.share_between_cells:.2f}, "
            f"of the mean of {noise.repeats} {noise.reliability:.2f}"
        )
        lines.append((f"noise at {epochs} epochs", text))
    for key in ("splits", "recipe"):
        lines += (
            [(key, ", ".join(f"{k} {v}" for k, v in meta.get(key, {}).items()))]
            if meta.get(key)
            else []
        )
    lines += [("note", note) for note in meta.get("notes", [])]
    _print_aligned(lines)


def _surrogate_info(name: str) -> None:
    from rlnas.bench.nb301 import store

    path = store.find(None if name == "nb301" else name)
    benchmark = store.load(name)
    meta = store.load_meta(path)
    lines = [
        ("file", str(path)),
        *((key, str(value)) for key, value in benchmark.describe().items()),
    ]
    for key, value in meta.items():
        if key not in ("format", "version", "of"):
            text = (
                ", ".join(f"{k} {v}" for k, v in value.items())
                if isinstance(value, dict)
                else str(value)
            )
            lines.append((key.replace("_", " "), text if len(text) < 500 else f"{text[:500]} ..."))
    _print_aligned(lines)


def run_export(config: ExportConfig) -> None:
    from rlnas.bench.nb101.export import FORMATS, export
    from rlnas.bench.nb101.table import Table, find

    if config.format not in FORMATS:
        raise UserError(f"--format {config.format}: expected one of {', '.join(FORMATS)}")
    table = Table.load(find(config.table))
    path = export(table, config.out or Path(f"{table.name}.{config.format}"), shape=config.shape)
    print(f"{path}: {_size(table)}")


def _announce(path: Path, *, named: bool) -> None:
    from rlnas.bench.nb101.table import Table

    table = Table.load(path)
    print(f"{path}: {_size(table)}")
    for note in table.meta["notes"]:
        print(f"note: {note}")
    print(f"next: rlnas bench info {table.name if named else path}")


def _size(table: "Table") -> str:
    budgets = ", ".join(map(str, table.epochs))
    repeats = "1 repeat" if table.repeats == 1 else f"{table.repeats} repeats"
    return f"{len(table.row):,} cells x {repeats} at {budgets} epochs"


def _print_aligned(lines: Sequence[tuple[str, ...]]) -> None:
    """Columns two spaces apart; the last one as long as it likes."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )
