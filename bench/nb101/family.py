"""The family of NAS-Bench-101: tables of its cells. Light to import; see `rlnas.bench.family`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlnas.bench.family import Conversion, Family, Listing, Made
from rlnas.bench.nb101.published import DOWNLOADS
from rlnas.bench.nb101.recipe import RECIPES, origin
from rlnas.bench.noise import Noise
from rlnas.bench.retrain.plan import NetworkPlan, Origin


class NasBench101(Family):
    name = "nb101"
    title = "NAS-Bench-101"
    names = ("nb101-digits", "nb101-mnist")
    downloads = DOWNLOADS
    recipe = "nb101"
    recipes = MappingProxyType(RECIPES)

    def owns(self, name: str) -> bool:
        from rlnas.bench.nb101.table import FORMAT, available
        from rlnas.bench.npz import format_of

        return name in available() or (name.endswith(".npz") and format_of(name) == FORMAT)

    def here(self) -> list[Listing]:
        from rlnas.bench.errors import UserError
        from rlnas.bench.files import embedded_dir
        from rlnas.bench.nb101.table import Table, available

        found = []
        for name, path in available().items():
            try:
                table = Table.load(path)
            except UserError as error:
                found.append(Listing(name, None, "", None, str(error)))
                continue
            file = "embedded" if path.parent == embedded_dir() else str(path)
            budgets = ", ".join(map(str, table.epochs))
            found.append(Listing(name, len(table.row), budgets, table.repeats, file))
        return found

    def load(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        from rlnas.bench.nb101.benchmark import load

        return load(name, epochs=epochs, noise=noise, **options)

    def fidelities(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        from rlnas.bench.nb101.benchmark import fidelities

        return fidelities(name, epochs=epochs, noise=noise, **options)

    def facts(self, name: str) -> list[tuple[str, str]]:
        from rlnas.bench.nb101.facts import table_facts
        from rlnas.bench.nb101.table import Table, find

        path = find(name)
        return [("file", str(path)), *table_facts(Table.load(path))]

    def converts(self, path: Path) -> bool:
        from rlnas.bench.nb101.tfrecord import is_tfrecord

        return path.suffix == ".tfrecord" or is_tfrecord(path)

    def convert(self, asked: Conversion) -> list[Made]:
        from rlnas.bench.nb101.convert import convert
        from rlnas.bench.nb101.facts import made

        path = convert(
            asked.file,
            asked.out,
            name=asked.name,
            sha256=asked.sha256,
            allow_missing=asked.allow_missing,
            max_vertices=asked.max_vertices,
        )
        return [made(path, named=asked.out is None)]

    @property
    def importer(self) -> type:
        from rlnas.bench.nb101.importer import ImportCells

        return ImportCells

    def column_table(self, name: str) -> Any:
        from rlnas.bench.nb101.column_table import CellColumns
        from rlnas.bench.nb101.table import find

        return CellColumns(find(name))

    def export(self, name: str, path: Path, shape: str) -> str:
        from rlnas.bench.nb101.export import export, read_back
        from rlnas.bench.nb101.facts import size_of
        from rlnas.bench.nb101.table import Table, find

        table = Table.load(find(name))
        export(table, path, shape=shape)
        again = "" if path.suffix == ".parquet" else read_back(table, path)
        return size_of(table) + again

    def origin(self, name: str, epochs: int | None) -> Origin | None:
        return origin(name, epochs)

    def network(self, benchmark: Any, arch: Any) -> NetworkPlan:
        from rlnas.bench.nb101.network import CellNetwork

        return CellNetwork(benchmark.space.cell(int(arch)))


FAMILY = NasBench101()
