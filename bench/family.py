"""Families: how the benchmarks of one kind are named, found, opened, fetched, converted, trained.

A family is the only place that knows its benchmarks' names, files, addresses, presets and network
builder. `bench.load` and every command ask the registry here, so a new family is one package, an
object of a class derived from `Family`, and one registration: an entry of `FAMILIES`, or, from an
outside package, an entry point of the group `rlnas.families`. An outside package with a single
benchmark needs no family: an entry point of the group `rlnas.benchmarks` that names a function
`load(name, *, epochs, noise)` is listed, described and opened like the others (`Outside`).

This module and every `<family>/family.py` are light: they import what is heavy where it is used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from rlnas.bench.arguments import shown, text, whole
from rlnas.bench.errors import UserError
from rlnas.bench.fetch import Download
from rlnas.bench.files import expanded, is_file
from rlnas.bench.jax_setup import pinned
from rlnas.bench.noise import Noise, NoiseLike
from rlnas.bench.plugins import blamed, package_of, reason_of
from rlnas.bench.registry import Registry
from rlnas.bench.retrain.plan import NetworkPlan, Origin
from rlnas.bench.retrain.presets import Settings

FAMILIES = Registry(
    "rlnas.families",
    {
        "nb101": "rlnas.bench.nb101.family:FAMILY",
        "nb201": "rlnas.bench.nb201.family:FAMILY",
        "nb301": "rlnas.bench.nb301.family:FAMILY",
        "synthetic": "rlnas.bench.synthetic.family:FAMILY",
    },
)
OUTSIDE = Registry("rlnas.benchmarks", {})


class Listing(NamedTuple):
    """A benchmark in `rlnas bench list`."""

    name: str
    size: int | None  # architectures; None: unknown
    budgets: str  # in epochs, e.g. `4, 12, 36, 108`; "" where unknown
    repeats: int | None
    file: str  # where it lies; or, in one line, why it cannot be opened


class Made(NamedTuple):
    """A file that a conversion or an import wrote."""

    path: Path
    name: str  # by which it is opened; the path where it is not in its usual place
    what: str  # e.g. `423,624 cells x 3 repeats at 108 epochs`
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversion:
    """What `rlnas bench convert` asks of a family (the options of that command)."""

    file: Path
    name: str | None = None
    out: Path | None = None
    sha256: str | None = None
    allow_missing: bool = False
    max_vertices: int = 7


class Family:
    """What every family has; a derived class replaces what it can do more of."""

    name: str = ""
    """Its registered name, and `benchmark.family` of what it opens."""
    title: str = ""
    """E.g. NAS-Bench-101."""
    names: tuple[str, ...] = ()
    """The benchmarks that `bench.names` lists; some take a file first."""
    downloads: tuple[Download, ...] = ()
    """Its files that `rlnas bench fetch` knows."""
    hints: tuple[tuple[str, str], ...] = ()
    """(command, what it gives): more lines under "to be had" of `rlnas bench list`."""
    learner_presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """Preset -> changes to a learner's settings of that preset, by field name, dotted for nested
    settings."""
    recipe: str = ""
    """The preset of `rlnas retrain` for its architectures; "" where they cannot be trained."""
    recipes: Mapping[str, Settings] = MappingProxyType({})
    """Its presets of `rlnas retrain` by name, `recipe` among them."""
    options: Collection[str] = ()
    """What its `load` takes beside epochs and noise."""

    def owns(self, name: str) -> bool:
        """Whether `name`, a benchmark's name or the path of a file, is one of this family's."""
        return name in self.names

    def here(self) -> list[Listing]:
        """The benchmarks that can be opened now."""
        return []

    def load(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        """Open a benchmark; see `bench.load`."""
        raise UserError(f"{self.title or name} cannot be opened")

    def fidelities(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        """Open a benchmark with all its training budgets up to `epochs`; see `load_fidelities`."""
        from rlnas.bench.fidelity import SeveralBudgets

        opened = self.load(name, epochs=epochs, noise=noise, **options)
        return SeveralBudgets.of([opened], continues=False)

    def facts(self, name: str) -> list[tuple[str, str]]:
        """(label, text) lines of `rlnas bench info`."""
        return described(self.load(name, epochs=None, noise=Noise()))

    def converts(self, path: Path) -> bool:
        """Whether `convert` reads the file (or folder) at `path`; by a look at its name or head."""
        return False

    def convert(self, asked: Conversion) -> list[Made]:
        """Turn an official file into what `load` opens. Raises `UserError`."""
        raise UserError(f"{asked.file}: {self.title or self.name} converts no files")

    @property
    def importer(self) -> type | None:
        """The settings of its `rlnas bench import-csv`, a dataclass derived from
        `rlnas.bench.commands.import_csv.ImportCsv`; None where it reads no CSV files."""
        return None

    def column_table(self, name: str) -> Any:
        """The table of a benchmark as one that takes columns of costs
        (`rlnas.bench.add_columns.ColumnTable`)."""
        raise UserError(f"{name} is no table, so it takes no columns")

    def export(self, name: str, path: Path, shape: str) -> str:
        """Write a benchmark as CSV or parquet, by the ending of `path`, and say in a few words
        what that is. shape: `long`, a line a run, or `wide`, a line an architecture."""
        raise UserError(f"{name} is no table of measurements, so there is nothing to export")

    def preset(self, name: str) -> str:
        """The preset of `rlnas retrain` for architectures of its benchmark `name`."""
        return self.recipe

    def origin(self, name: str, epochs: int | None) -> Origin | None:
        """The trainings behind the numbers of the benchmark `name` at a budget of `epochs`; None
        where they are not known."""
        return None

    def network(self, benchmark: Any, arch: Any) -> NetworkPlan:
        """How `arch`, an architecture of `benchmark`, is built for training. Raises `UserError`."""
        raise UserError(
            f"{benchmark.name} has architectures that rlnas cannot build; expected a benchmark of "
            f"{', '.join(name for name, family in families().items() if family.recipe)}"
        )


NO_FAMILY = Family()


def described(benchmark: Any) -> list[tuple[str, str]]:
    """What any benchmark says of itself, as lines of `rlnas bench info`."""
    facts = {"architectures": f"{int(benchmark.space.size):,}"} | benchmark.describe()
    unknown = (None, "")
    return [
        (key, "-" if value in unknown or value != value else str(value))
        for key, value in facts.items()
    ]


class Outside(Family):
    """A single benchmark of an installed package."""

    def __init__(self, entry: EntryPoint) -> None:
        self.entry = entry
        self.name = self.title = entry.name
        self.names = (entry.name,)

    @property
    def package(self) -> str:
        return package_of(self.entry)

    def load(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        from rlnas.bench.check import check_benchmark

        with blamed(f"benchmark {name!r}", self.entry):
            opened = self.entry.load()(name, epochs=epochs, noise=noise, **options)
            if opened is None:
                raise UserError(f"benchmark {name!r} of {self.package} is None; expected one")
            try:
                check_benchmark(opened, name)
            except UserError as error:
                raise UserError(f"{error} ({self.package})") from None
        return opened

    def here(self) -> list[Listing]:
        try:
            opened = self.load(self.name, epochs=None, noise=Noise())
        except UserError as error:
            return [Listing(self.name, None, "", None, str(error))]
        budgets = "" if opened.epochs is None else str(opened.epochs)
        size, repeats = int(opened.space.size), opened.describe().get("repeats")
        return [Listing(self.name, size, budgets, repeats, f"installed with {self.package}")]

    def facts(self, name: str) -> list[tuple[str, str]]:
        return [*super().facts(name), ("installed with", self.package)]


def _registered() -> tuple[dict[str, Family], list[Listing]]:
    """Families by name, ours first; and a line for each outside one that cannot be imported."""
    found: dict[str, Family] = {}
    broken: list[Listing] = []
    for name, entry in FAMILIES.entries().items():
        try:
            family = entry.load()
            if not isinstance(family, Family):
                raise TypeError(f"{entry.value} is {shown(family)}, expected a Family")
            found[name] = family
        except (Exception, SystemExit) as error:
            if name in FAMILIES.builtin:
                raise
            why = f"family of {package_of(entry)} cannot be imported ({reason_of(error)})"
            broken.append(Listing(name, None, "", None, why))
    return found, broken


def families() -> dict[str, Family]:
    """Every registered family by its name, ours first."""
    return _registered()[0]


def broken() -> list[Listing]:
    """A line for each registered family that cannot be imported."""
    return _registered()[1]


def outside() -> dict[str, Outside]:
    """The single benchmarks of installed packages; a name of ours is never replaced."""
    ours = {name for family in families().values() for name in family.names}
    entries = OUTSIDE.entries().items()
    return {name: Outside(entry) for name, entry in entries if name not in ours}


def everything() -> list[Family]:
    """All families and all outside benchmarks."""
    return [*families().values(), *outside().values()]


def named(name: str) -> Family:
    """The family of that name (`benchmark.family`); one that can nothing for any other name."""
    return families().get(name, NO_FAMILY)


def family_of(name: Any) -> Family:
    """Whose benchmark `name`, a name or the path of a file, is; `UserError` when it is nobody's."""
    name = expanded(text(name, "the name of a benchmark"))
    theirs = outside()
    if name in theirs:
        return theirs[name]
    for family in families().values():
        if family.owns(name):
            return family
    if is_file(name):
        raise UserError(
            f"{name}: damaged, or no benchmark made by rlnas; `rlnas bench convert` or `rlnas "
            "bench import-csv` make one of other files"
        )
    known = ", ".join(sorted({line.name for family in everything() for line in family.here()}))
    raise UserError(
        f"no benchmark {shown(name)}: neither a known name ({known or 'none yet'}) nor a file; "
        "`rlnas bench list` says how to get more"
    )


def names() -> list[str]:
    """The registered benchmarks, sorted; converted tables and surrogates (`rlnas bench list`) open
    by their name or path as well."""
    return sorted(name for family in everything() for name in family.names)


@pinned()
def load(name: Any, *, epochs: Any = None, noise: NoiseLike = "mean", **options: Any) -> Any:
    """Open a benchmark.

    name: a registered benchmark, the name of a converted one, or the path of its file. epochs: the
    training budget, a whole number; default the largest there is. noise: `mean`, `sample`,
    `repeat=i`, or a `Noise`. options: what only some benchmarks take (`load("nb301",
    surrogate="yahpo")`). Raises `UserError` when there is none.
    """
    family, asked = _asked(name, epochs, noise, options)
    return family.load(**asked)


@pinned()
def load_fidelities(
    name: Any, *, epochs: Any = None, noise: NoiseLike = "mean", **options: Any
) -> Any:
    """Open a benchmark with its training budgets up to `epochs` (None: all): a
    `rlnas.bench.fidelity.Fidelities`; of one fidelity where it knows no more. The rest as of
    `load`."""
    family, asked = _asked(name, epochs, noise, options)
    return family.fidelities(**asked)


def _asked(
    name: Any, epochs: Any, noise: NoiseLike, options: dict[str, Any]
) -> tuple[Family, dict[str, Any]]:
    """Whose benchmark that is, and what its `load` takes."""
    name = expanded(text(name, "the name of a benchmark"))
    epochs = None if epochs is None else whole(epochs, "epochs")
    policy = Noise.parse(noise)
    family = family_of(name)
    unknown = [] if isinstance(family, Outside) else [*options.keys() - {*family.options}]
    if unknown:
        known = ", ".join(["epochs", "noise", *family.options])
        raise UserError(f"unknown option {unknown[0]!r} of benchmark {name!r}; expected {known}")
    return family, {"name": name, "epochs": epochs, "noise": policy, **options}


def converter(path: Path) -> Family:
    """The family that converts the file at `path`."""
    if not path.exists():
        raise UserError(f"{path}: no such file; `rlnas bench fetch` downloads the official ones")
    for family in families().values():
        if family.converts(path):
            return family
    raise UserError(
        f"{path}: no file that is known here; expected an official one of "
        f"{', '.join(family.title for family in families().values())}"
    )


def with_importer() -> Sequence[str]:
    """The families that read CSV files."""
    return [name for name, family in families().items() if family.importer is not None]
