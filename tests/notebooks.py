"""`make notebooks [ONLY=01]`: they run from top to bottom, each in an empty folder, and keep what
they show, but for what another run would show otherwise: progress, the machine's times."""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
TIMED = re.compile(r"^(?:trained \d|memory|history|took|session|speed| +\S+/)")
"""Lines about what the machine took, beginning so."""
NUMBER = re.compile(r"\d[\d,.]*\d?(?= (?:s|min|h|MB|a second|images/s)\b)")
PNG, COLOURS = "image/png", 128
WIDGET = "application/vnd.jupyter.widget-view+json"


def run(path: Path, folder: Path) -> Any:
    """The notebook as it is after a run in `folder`; an error names the cell and its traceback."""
    notebook = read(path)
    about = notebook.metadata.copy()
    execute(notebook, folder)
    notebook.metadata = about  # without the versions of this machine
    for cell in code_cells(notebook):
        cell.outputs = [kept(output) for output in cell.outputs if stays(output)]
    return notebook


def read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def execute(notebook: Any, folder: Path) -> None:
    """Fill the outputs in."""
    from nbclient import NotebookClient

    NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
    ).execute()


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def stays(output: Any) -> bool:
    """Progress and warnings are not what a notebook is to show."""
    return output.get("name") != "stderr" and WIDGET not in output.get("data", {})


def kept(output: Any) -> Any:
    """The same without the machine's times, and pictures in few colours: a third of the bytes."""
    if "text" in output:
        lines = output.text.splitlines(keepends=True)
        output.text = "".join(NUMBER.sub("...", x) if TIMED.match(x) else x for x in lines)
    if PNG in output.get("data", {}):
        picture = Image.open(io.BytesIO(base64.b64decode(output.data[PNG]))).convert("RGB")
        small = io.BytesIO()
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        output.data[PNG] = base64.b64encode(small.getvalue()).decode() + "\n"
    return output


def main(only: str) -> None:
    import nbformat

    os.environ.pop("RLNAS_SMOKE", None)
    for path in [path for path in NOTEBOOKS if path.name.startswith(only)]:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
            os.environ["RLNAS_CACHE"] = cache  # benchmarks of this machine's stay out of it
            nbformat.write(run(path, Path(folder)), path)
        print(f"{path}: {path.stat().st_size / 1e3:,.0f} kB", flush=True)


if __name__ == "__main__":
    main("".join(sys.argv[1:]))
