"""`rlnas report --html`: one page, whole and escaped, in a real browser."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from nb201_tables import invented_cells
from pages import AGENTS, EVIL, write_page, write_runs
from rlnas import bench
from rlnas.agents.spec import parse_all
from rlnas.analysis import compare, store
from rlnas.analysis.comparison.measures import measure
from rlnas.analysis.comparison.table import title_of
from rlnas.analysis.comparison.write import finish, folder_for
from rlnas.analysis.report import page
from rlnas.analysis.report.drawings import MARKS, cell
from rlnas.analysis.report.found import final, found
from rlnas.analysis.style import STYLES
from rlnas.bench.errors import UserError
from said import called
from surrogates import invented_benchmark

pytest.importorskip("jinja2", reason="the extra `html` is not installed")


@pytest.fixture(scope="module")
def out(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "runs"
    write_runs(folder, table)
    return folder


@pytest.fixture(scope="module")
def written(out: Path, table: Path) -> Path:
    return write_page(out, table, out.parent / "report.html")


class Elements(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# --- what is in the file


def test_the_page_is_one_file_that_loads_nothing(written: Path) -> None:
    elements = Elements(written.read_text(encoding="utf-8"))
    for tag, attributes in elements.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/svg+xml;base64,"))
    policy = next(a["content"] for t, a in elements.tags if a.get("http-equiv"))
    assert policy is not None and "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1]
    assert (
        "@import" not in written.read_text() and "url(" not in written.read_text().split("<body")[0]
    )


def test_what_comes_from_a_manifest_is_escaped(written: Path) -> None:
    elements = Elements(written.read_text(encoding="utf-8"))
    scripts = [attributes.get("type") for tag, attributes in elements.tags if tag == "script"]
    assert scripts == ["application/json", None]  # ours
    assert not [a for _, a in elements.tags if any(name.startswith("on") for name in a)]
    assert EVIL in elements.texts  # the label, as a text


def test_the_answer_and_the_numbers_are_the_comparison_s(written: Path, out: Path) -> None:
    runs = [store.load(path) for path in sorted(out.glob("*-12x6"))]
    measured = measure(runs)
    elements = Elements(written.read_text(encoding="utf-8"))
    assert f"{title_of(measured)}." in elements.texts
    (data,) = (json.loads(text) for text in elements.texts if text.startswith('{"agents"'))
    for agent in data["agents"]:
        label = next(e for e in measured.entrants if e.label == agent["label"])
        row = measured.last(label.label)
        assert agent["queries"]["y"][-1] == pytest.approx(100 * row["accuracy_iqm"], abs=1e-4)
        assert len(agent["queries"]["x"]) == 12 and len(agent["profile"]) == len(data["levels"])
    assert data["optimum"] == pytest.approx(100 * measured.manifest["optimum"])


def test_the_command_of_the_page_repeats_the_runs(written: Path, out: Path) -> None:
    elements = Elements(written.read_text(encoding="utf-8"))
    (command,) = (text for text in elements.texts if text.startswith("rlnas compare "))
    assert "--budget 12 --seeds 6 --seed 0 --noise mean --epochs 12" in command
    words = shlex.split(command)
    named = words[words.index("--agents") + 1 : words.index("--budget")]
    asked, given = (
        {entry.label: entry.config for entry in parse_all(each)} for each in (AGENTS, named)
    )
    assert asked == given
    for path in out.glob("*-12x6"):
        assert path.name in written.read_text()


# --- what was found


def test_final_incumbents_are_counted(out: Path) -> None:
    runs = [store.load(path) for path in sorted(out.glob("*-12x6"))]
    entered = measure(runs).entrants
    ends = final(entered)
    assert sum(n for end in ends.values() for n, _ in end["by"].values()) == 3 * 6
    for end in ends.values():
        for label, (count, of) in end["by"].items():
            history = next(e for e in entered if e.label == label).runs[0].history
            last = np.take_along_axis(history.arch, history.incumbent[:, -1:], axis=1)[:, 0]
            assert (count, of) == ((last == end["arch"]).sum(), 6)


def test_positions_are_the_table_s(out: Path, table: Path) -> None:
    benchmark = bench.load(str(table))
    runs = [store.load(path) for path in sorted(out.glob("*-12x6"))]
    said = found(measure(runs).entrants, benchmark)
    assert said["cells"] and not said["why"]
    values = np.asarray(benchmark.mean_test)
    for one in said["cells"]:
        row = benchmark.space.row(one["text"])
        rank = (values > values[row]).sum() + 1
        assert one["rank"] == f"rank {rank} of {len(values)} by test accuracy"
    assert len(said["spread"]["marks"]) == len(said["cells"])


def test_a_benchmark_that_is_gone_is_said(out: Path) -> None:
    runs = [store.load(path) for path in sorted(out.glob("*-12x6"))]
    said = found(measure(runs).entrants)
    assert "its benchmark cannot be opened" in said["why"] and not said["cells"]


@pytest.mark.parametrize("benchmark", [invented_cells, invented_benchmark])
def test_cells_of_every_family_are_drawn(benchmark) -> None:
    space = benchmark().space
    text = "012340" if benchmark is invented_cells else GENOTYPE
    drawn, used = cell(space, space.parse(text))
    assert used and len(drawn["edges"]) >= len(used)
    names = {vertex["name"] for vertex in drawn["vertices"]}
    assert names == {"input", "output", *(space.graph_names[i] for i in used)}


EDGES = "0:sep_conv_3x3|1:skip_connect|0:max_pool_3x3|2:sep_conv_5x5|1:dil_conv_3x3|2:avg_pool_3x3"
GENOTYPE = ",".join([f"{EDGES}|0:skip_connect|3:sep_conv_3x3"] * 2)


def test_every_mark_of_the_figures_has_a_path() -> None:
    assert {mark for _, _, mark in STYLES} | {"o"} <= set(MARKS)
    assert len(set(MARKS.values())) == len(MARKS)


# --- the command


def test_the_command_writes_the_page(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "runs")
    done = called(
        "report", *sorted(Path("runs").parent.glob("none")), "--html", "a.html", cwd=tmp_path
    )
    assert done.returncode == 2 and "no folders given" in done.stderr
    names = [f"runs/{path.name}" for path in sorted(out.iterdir())]
    done = called("report", *names, "--html", "a.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "page     a.html" in done.stdout and (tmp_path / "a.html").stat().st_size > 20_000
    again = called("report", *names, "--html", "a.html", cwd=tmp_path)
    assert again.returncode == 0  # over a page of ours


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none", "--html", "a.html"], "no folder none"),
        (["runs/notes", "--html", "a.html"], "is no finished run"),
        (
            ["runs/landscape-0123456789abcdef", "--html", "a.txt"],
            "expected a name that ends in .html",
        ),
        (["runs/landscape-0123456789abcdef", "--html", "mine.html"], "rlnas did not write"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "runs")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "mine.html").write_text("<p>mine")
    done = called("report", *words, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "a.html").exists() and (tmp_path / "mine.html").read_text() == "<p>mine"


def test_without_jinja2_it_is_said(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UserError, match=r"needs Jinja2.*rlnas\[html\]"):
        page.write([out], out / "x.html")


def test_a_comparison_keeps_its_reference(table: Path, tmp_path: Path) -> None:
    runs = compare(str(table), AGENTS[:2], budget=4, seeds=4, out=tmp_path / "runs")
    for reference in ("random_search", "a walk"):
        finish(runs, tmp_path / "runs", reference)
        folder = folder_for(runs, tmp_path / "runs", reference)
        page.write([folder], tmp_path / "a.html", opened=bench.load(str(table)))
        elements = Elements((tmp_path / "a.html").read_text())
        assert f"Difference and P(better) are to {reference}." in elements.texts


def test_several_benchmarks_are_sections_and_one_together(table: Path, tmp_path: Path) -> None:
    first = bench.load(str(table))
    other = dataclasses.replace(first, name="other", optimum=first.optimum + 0.01)
    for benchmark in (first, other):
        compare(benchmark, AGENTS[:2], budget=4, seeds=4, out=tmp_path / "runs")
    page.write(sorted((tmp_path / "runs").iterdir()), tmp_path / "a.html", opened=first)
    elements = Elements((tmp_path / "a.html").read_text())
    titles = [text for text in elements.texts if "with 4 queries?" in text]
    assert len([t for t, a in elements.tags if "ground" in (a.get("class") or "")]) == 2
    assert len(titles) == 3 and "2 benchmarks together" in elements.texts  # one is the page's title
