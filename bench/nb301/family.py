"""The family of NAS-Bench-301: surrogates of its cells. Light to import; see
`rlnas.bench.family`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.family import Conversion, Family, Listing, Made, described
from rlnas.bench.nb301 import store
from rlnas.bench.nb301.published import DOWNLOADS
from rlnas.bench.nb301.recipe import ORIGIN, RECIPES
from rlnas.bench.noise import Noise
from rlnas.bench.retrain.plan import NetworkPlan, Origin

LONGEST = 500
"""Characters of a fact that `rlnas bench info` prints at most."""


class NasBench301(Family):
    name = "nb301"
    title = "NAS-Bench-301"
    names = ("nb301",)
    downloads = DOWNLOADS
    hints = (
        ("rlnas bench distill nb301-xgb_v1.0", "a fast imitation of a surrogate, to train on"),
    )
    learner_presets = MappingProxyType(
        {
            # N = 100 is the paper's (arXiv 2410.01431), as is alpha below.
            "default": {"neighbours": 100},
            "smoke": {"neighbours": 20},
            # The paper's embedding has 512; how many steps its 21 days were is not known.
            "paper": {
                "network.width": 512,
                "network.feed_forward": 2048,
                "neighbours": 100,
                "alpha": 32.0,
            },
        }
    )
    recipe = "nb301"
    recipes = MappingProxyType(RECIPES)
    options = ("surrogate",)

    def owns(self, name: str) -> bool:
        from rlnas.bench.npz import format_of

        if name.endswith(".npz"):
            return format_of(name).startswith(store.FORMATS)
        return name == self.name or name.startswith(store.PREFIX)

    def here(self) -> list[Listing]:
        from rlnas.bench.nb301.genotype import DartsSpace
        from rlnas.bench.nb301.load import budgets
        from rlnas.bench.npz import load_meta

        found = []
        for name, path in store.available().items():
            try:
                meta = load_meta(path)
            except UserError as error:
                found.append(Listing(name, None, "", None, str(error)))
                continue
            found.append(Listing(name, DartsSpace.size, budgets(meta), None, str(path)))
        return found

    def load(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        from rlnas.bench.nb301.load import load

        return load(name, epochs=epochs, noise=noise, **options)

    def fidelities(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        from rlnas.bench.nb301.load import fidelities

        return fidelities(name, epochs=epochs, noise=noise, **options)

    def facts(self, name: str) -> list[tuple[str, str]]:
        from rlnas.bench.npz import load_meta

        path = store.find(None if name == self.name else name)
        opened = self.fidelities(name, epochs=None, noise=Noise())
        lines = [("file", str(path)), *described(opened.benchmark)]
        lines.append(("fidelities", opened.budgets.caption))
        for key, value in load_meta(path).items():
            if key not in ("format", "version", "of"):
                text = (
                    ", ".join(f"{k} {v}" for k, v in value.items())
                    if isinstance(value, dict)
                    else str(value)
                )
                short = text if len(text) < LONGEST else f"{text[:LONGEST]} ..."
                lines.append((key.replace("_", " "), short))
        return lines

    def converts(self, path: Path) -> bool:
        return path.suffix in (".onnx", ".zip") or path.is_dir()

    def convert(self, asked: Conversion) -> list[Made]:
        from rlnas.bench.nb301.ensembles import convert_ensembles
        from rlnas.bench.nb301.load import check_published, convert_network

        if asked.file.suffix == ".onnx":
            if asked.name is not None:
                raise UserError(
                    f"--name {asked.name}: a surrogate is named by its file; give --out instead"
                )
            paths = [convert_network(asked.file, asked.out, asked.sha256)]
        else:
            if asked.file.is_file():
                of_that_name = (d.sha256 for d in DOWNLOADS if d.filename == asked.file.name)
                check_published(asked.file, asked.sha256, next(of_that_name, None))
            elif asked.sha256:
                raise UserError("--sha256 is of a file, and this is a folder; leave it out")
            paths = list(convert_ensembles(asked.file, asked.out, asked.name).values())
        return [
            Made(
                path,
                store.PREFIX + path.stem if asked.out is None else str(path),
                f"{path.stat().st_size / 1e6:,.1f} MB",
            )
            for path in paths
        ]

    def origin(self, name: str, epochs: int | None) -> Origin | None:
        return ORIGIN if self.owns(name) else None

    def network(self, benchmark: Any, arch: Any) -> NetworkPlan:
        from rlnas.bench.nb301.genotype import to_genotype
        from rlnas.bench.nb301.network import DartsNetwork

        return DartsNetwork(to_genotype(arch))


FAMILY = NasBench301()
