"""The family of NAS-Bench-201 and TransNAS-Bench-101 micro: tables of cells of six edges. Light to
import; see `rlnas.bench.family`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.family import Family, Listing
from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.recipe import ORIGINS, RECIPES
from rlnas.bench.noise import Noise
from rlnas.bench.retrain.plan import NetworkPlan, Origin


class NasBench201(Family):
    name = "nb201"
    title = "NAS-Bench-201 and TransNAS-Bench-101 micro"
    recipe = "nb201"
    recipes = MappingProxyType(RECIPES)

    def owns(self, name: str) -> bool:
        from rlnas.bench.nb201.table import FORMAT
        from rlnas.bench.npz import format_of

        if name.endswith(".npz"):
            return format_of(name) == FORMAT[0]
        return name.startswith(tuple(f"{variant.prefix}-" for variant in cell.VARIANTS))

    def here(self) -> list[Listing]:
        from rlnas.bench.nb201.table import available, load

        found = []
        for name, path in available().items():
            try:
                table = load(path)
            except UserError as error:
                found.append(Listing(name, None, "", None, str(error)))
                continue
            found.append(Listing(name, table.cells, str(table.epochs), table.repeats, str(path)))
        return found

    def load(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        from rlnas.bench.nb201.benchmark import load

        return load(name, epochs=epochs, noise=noise, **options)

    def facts(self, name: str) -> list[tuple[str, str]]:
        from rlnas.bench.nb201.facts import table_facts
        from rlnas.bench.nb201.table import find, load

        path = find(name)
        return [("file", str(path)), *table_facts(load(path))]

    @property
    def importer(self) -> type:
        from rlnas.bench.nb201.importer import ImportCells

        return ImportCells

    def column_table(self, name: str) -> Any:
        from rlnas.bench.nb201.column_table import CellColumns
        from rlnas.bench.nb201.table import find

        return CellColumns(find(name))

    def export(self, name: str, path: Path, shape: str) -> str:
        from rlnas.bench.nb201.export import export, read_back
        from rlnas.bench.nb201.table import find, load

        table = load(find(name))
        export(table, path, shape=shape)
        again = "" if shape == "long" or path.suffix == ".parquet" else read_back(table, path)
        return f"{table.cells:,} cells, {table.measure} ({table.task.metric.unit})" + again

    def origin(self, name: str, epochs: int | None) -> Origin | None:
        return ORIGINS.get(name)

    def preset(self, name: str) -> str:
        from rlnas.bench.nb201.table import load

        if name.endswith(".npz"):
            name = load(Path(name)).name
        return "tnb101" if name.startswith(cell.TRANSNAS.prefix) else self.recipe

    def network(self, benchmark: Any, arch: Any) -> NetworkPlan:
        from rlnas.bench.nb201.network import CellNetwork

        variant = benchmark.space.variant
        return CellNetwork(cell.digits_of(variant, arch), variant)


FAMILY = NasBench201()
