"""A report as one page that needs nothing else: no network, no script from elsewhere. Needs the
extra `html` (Jinja2)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlnas.analysis import store
from rlnas.analysis.comparison.plot import gather, once
from rlnas.analysis.comparison.runs import (
    SUMMARY,
    by_ground,
    folder_name,
    is_of_several,
    reference_in,
)
from rlnas.analysis.folders import tell
from rlnas.analysis.report.content import of_ground
from rlnas.analysis.report.drawings import MARKS
from rlnas.analysis.report.plain import all_together, is_plain, parts
from rlnas.analysis.text import places
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, is_file
from rlnas.bench.run_names import run_folder

TEMPLATES = files("rlnas.analysis.report") / "templates"


def write(folders: Sequence[Path], path: Path, opened: Any = None) -> None:
    """The page of runs, comparisons and kept reports; what is left out is told on stderr.
    `UserError` when that is all. opened: the benchmark, where its name does not open it."""
    require()
    if not folders:
        raise UserError("no folders given; expected a folder that some command has written")
    there = [run_folder(folder) for folder in folders]
    others = [folder for folder in there if is_plain(folder)]
    runs = [folder for folder in there if folder not in others]
    found, left = gather(runs) if runs else ([], [])
    drawn, more = once(found)
    reports, unread = parts(others)
    left += [*more, *unread]
    if not drawn and not reports:
        if len(left) == 1:
            raise UserError(left[0].why)
        tell(left)
        raise UserError(f"nothing to report in {len(folders)} folders")
    grounds = by_ground(drawn, folder_name) if drawn else {}
    wanted = reference_of(runs)
    sections = [of_ground(of, i, wanted, opened) for i, of in enumerate(grounds.values())]
    if len(grounds) > 1:
        reports = [*all_together(drawn), *reports]
    with atomic_path(path) as temporary:
        temporary.write_text(rendered(sections, reports), encoding="utf-8")
    tell(left)
    for section in sections:
        print(section["answer"])
    print(places({"page": path}))


def reference_of(folders: Sequence[Path]) -> str:
    """What the one comparison among them has as its reference; "" where there is none, or several,
    or it is over several benchmarks, each of which has its own."""
    compared = [folder for folder in folders if is_file(folder / SUMMARY)]
    alone = len(compared) == 1 and not is_of_several(compared[0])
    return reference_in(compared[0]) if alone and len(folders) == 1 else ""


def require() -> None:
    """`UserError` without Jinja2."""
    try:
        import jinja2  # noqa: F401
    except ImportError:
        raise UserError(
            "a page needs Jinja2, which is not installed; pip install 'rlnas[html]'"
        ) from None


def rendered(sections: Sequence[dict[str, Any]], reports: Sequence[dict[str, str]]) -> str:
    """All of it; everything is escaped, and no script runs but ours."""
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    page, style, script = (
        (TEMPLATES / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    environment = Environment(
        loader=DictLoader({"page": page}), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page").render(
        sections=sections,
        reports=reports,
        script=Markup(script),  # ours, as it is
        style=Markup(style),
        script_hash=digest(script),
        square=MARKS["s"],
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        versions=store.versions(),
        title=sections[0]["question"] if sections else reports[0]["name"],
    )


def digest(source: str) -> str:
    """As a content security policy names a script that may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
