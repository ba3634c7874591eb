"""`rlnas bench convert`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from rlnas.bench.bounds import TableFile, Vertices
from rlnas.bench.commands.text import announced
from rlnas.bench.family import Conversion, converter


@dataclass(frozen=True)
class Convert:
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
    out: TableFile = None
    """Where to write the table; default: the cache folder, where commands find it by its name."""
    sha256: str | None = None
    """SHA-256 the file must have (hex); default: the published one, for a file named like an
    official one and for every model.onnx; "any" accepts any."""
    allow_missing: bool = False
    """Accept an incomplete file: what is missing is missing in the table too."""
    max_vertices: Vertices = 7
    """Look for cells with at most so many vertices."""

    def run(self) -> None:
        print(announced(converter(self.file).convert(Conversion(**asdict(self)))))
