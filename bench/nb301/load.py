"""A surrogate's file as a benchmark: YAHPO's network, an official ensemble, or a distilled one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.fidelity import SeveralBudgets
from rlnas.bench.files import sha256
from rlnas.bench.nb301 import distilled, store, yahpo
from rlnas.bench.nb301.benchmark import SurrogateBenchmark
from rlnas.bench.nb301.ensembles import open_ensemble
from rlnas.bench.nb301.fidelities import CurveFidelities
from rlnas.bench.nb301.grouping import FORMAT as TREES
from rlnas.bench.nb301.published import PUBLISHED_NETWORK
from rlnas.bench.noise import Noise
from rlnas.bench.npz import load_meta, load_npz, save_npz

NETWORK = ("rlnas-nb301-network", 2)
READ = (1, 2)
"""Version 1 of each format, of older rlnas, has no digest: only the checksums of the zip speak."""
TRAINED_EPOCHS = 100
"""What the official ensembles predict the end of (Zela et al. 2022, arXiv 2008.09777)."""


def convert_network(source: Path, out: Path | None = None, expected: str | None = None) -> Path:
    """YAHPO's ONNX file -> `.npz`; returns where. expected: its SHA-256, by default that of the
    published file; "any" accepts another. `UserError` when it is another file."""
    out = out or store.folder() / "yahpo.npz"
    digest = check_published(source, expected, PUBLISHED_NETWORK)
    arrays = yahpo.read_onnx(source)
    save_npz(out, NETWORK, arrays, source=source.name, source_sha256=digest)
    return out


def check_published(source: Path, expected: str | None, published: str | None) -> str:
    """The SHA-256 of a foreign file; `UserError` where it is not `expected`, nor, where nothing is
    expected, the published one."""
    if not source.is_file():
        raise UserError(f"{source}: no such file; {store.HOW}")
    digest, wanted = sha256(source), expected or published or "any"
    if wanted.lower() not in ("any", digest):
        raise UserError(
            f"{source}: sha256 {digest}, expected {shown(wanted)}; this is another file: download "
            "it again, or pass --sha256 any to convert it all the same"
        )
    return digest


def budgets(meta: dict[str, Any]) -> str:
    """The training budgets, in epochs, that a surrogate with such metadata knows."""
    if meta["format"] == NETWORK[0]:
        return f"1 to {yahpo.EPOCHS}"
    if meta["format"] == TREES[0]:
        return str(TRAINED_EPOCHS)
    of = meta.get("of")
    return str(of.get("epochs", "")) if isinstance(of, dict) else ""


def load(
    name: str = "nb301",
    *,
    epochs: int | None = None,
    noise: Noise | str = "mean",
    surrogate: str | Path | None = None,
) -> SurrogateBenchmark:
    """Open a surrogate as a benchmark.

    name: `nb301`, `nb301-<surrogate>`, or a file. surrogate: `yahpo`, `xgb_v1.0`, `xgb_v0.9`, a
    distilled one, or the path of an `.npz`; it goes before the name. epochs: 1 to 98, YAHPO's
    network only (default 98). noise: `mean` or `sample`. Raises `UserError`.
    """
    noise = Noise.parse(noise)
    path = _path(name, surrogate)
    meta = load_meta(path, hint=store.HOW)
    found = meta["format"], meta["version"] in READ
    label = store.PREFIX + path.stem.removeprefix(store.PREFIX)
    if found == (NETWORK[0], True):
        epochs = yahpo.EPOCHS if epochs is None else epochs
        arrays, _ = load_npz(path, hint=store.HOW, seal=NETWORK)
        yahpo.check(arrays, path)
        built = yahpo.build(arrays, epochs)
        return SurrogateBenchmark(built, label, epochs, noise, sha256=sha256(path))
    if found[0] == TREES[0]:
        _only_budget(label, epochs, TRAINED_EPOCHS)
        ensemble, runtime, _ = open_ensemble(path)
        files = [path] if runtime is None else [path, runtime]
        both = "+".join(map(sha256, files))
        return SurrogateBenchmark(ensemble, label, TRAINED_EPOCHS, noise, sha256=both)
    if found == (distilled.FORMAT[0], True):
        arrays, _ = load_npz(path, hint=store.HOW, seal=distilled.FORMAT)
        model = distilled.checked(arrays, meta, path)
        of = meta["of"]
        _only_budget(label, epochs, of["epochs"])
        return SurrogateBenchmark(
            model, label, of["epochs"], noise, distilled=of["name"], sha256=sha256(path)
        )
    raise UserError(
        f"{path} is {shown(found[0])} version {meta['version']}; make it again with this rlnas"
    )


def fidelities(
    name: str = "nb301",
    *,
    epochs: int | None = None,
    noise: Noise | str = "mean",
    surrogate: str | Path | None = None,
) -> CurveFidelities | SeveralBudgets:
    """The same with all epochs up to `epochs`, of a surrogate of curves; else with its one."""
    top = load(name, epochs=epochs, noise=noise, surrogate=surrogate)
    if not isinstance(top.model, yahpo.YahpoNetwork):
        return SeveralBudgets.of([top], continues=False)
    arrays, _ = load_npz(_path(name, surrogate), hint=store.HOW, seal=NETWORK)
    return CurveFidelities.of(top, arrays, range(1, top.epochs + 1))


def _path(name: str, surrogate: str | Path | None) -> Path:
    """The file that `load` opens."""
    asked = str(surrogate) if surrogate is not None else None if name == "nb301" else name
    return store.find(asked)


def _only_budget(name: str, found: int | None, epochs: int) -> None:
    if found not in (None, epochs):
        raise UserError(
            f"no budget of {found} epochs in {name}; expected {epochs}, the only one it knows"
        )
