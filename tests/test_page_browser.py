"""The page of `rlnas report --html` in a real browser, on screens of all sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser, browser, missing
from pages import BUDGET, write_page, write_runs

pytest.importorskip("jinja2", reason="the extra `html` is not installed")


@pytest.fixture(scope="module")
def written(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_runs(folder / "runs", table)
    return write_page(folder / "runs", table, folder / "report.html")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if reason := missing():
        pytest.skip(reason)
    with browser() as session:
        yield session


@pytest.fixture
def shown(chromium: Browser, written: Path) -> Browser:
    chromium.size(1280, 900)
    chromium.scheme("light")
    chromium.log()
    chromium.open(written)
    chromium.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    return chromium


def count(browser: Browser, selector: str) -> int:
    return int(browser.run("return document.querySelectorAll(arguments[0]).length", selector))


def test_nothing_hostile_runs_and_the_console_is_silent(shown: Browser) -> None:
    assert shown.run("return document.title").startswith("Which agent finds the best architecture")
    assert shown.log() == []
    loaded = shown.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert all(name.startswith("data:") for name in loaded)


def test_a_script_that_got_in_would_not_run(shown: Browser) -> None:
    shown.run(
        "const s = document.createElement('script'); s.textContent = \"document.title = 'owned'\";"
        "document.body.append(s)"
    )
    assert shown.run("return document.title") != "owned"
    assert "Content Security Policy" in " ".join(shown.log())


def each(browser: Browser, selector: str, name: str) -> list:
    """A property of all that a selector finds."""
    found = "return [...document.querySelectorAll(arguments[0])].map((n) => n[arguments[1]])"
    return list(browser.run(found, selector, name))


CURVES, READOUT = '[data-plot="curves"]', '[data-plot="curves"] + .readout'


def test_agents_are_toggled_in_all_charts(shown: Browser) -> None:
    assert count(shown, f"{CURVES} .series") == 3 == count(shown, '[data-plot="profile"] .series')
    shown.click('[data-agent="1"]')
    assert count(shown, f"{CURVES} .series") == 2 == count(shown, '[data-plot="profile"] .series')
    label = shown.run("return document.querySelector('[data-agent=\"1\"] span').textContent")
    labels = "return [...document.querySelectorAll('.series')].map((s) => s.dataset.label)"
    assert label and label not in shown.run(labels)
    assert shown.run("return document.querySelector('[data-agent=\"1\"]').ariaPressed") == "false"
    for place in (0, 2):
        shown.click(f'[data-agent="{place}"]')
    assert count(shown, ".series") == 0 and shown.log() == []
    shown.keys('[data-agent="1"]', "\ue006")  # Enter, on the keyboard
    assert count(shown, f"{CURVES} .series") == 1


def test_values_are_read_by_pointer_and_by_keys(shown: Browser) -> None:
    shown.keys(CURVES, "\ue010")  # End
    said = shown.run("return document.querySelector(arguments[0]).textContent", READOUT)
    data = json.loads(shown.run("return document.querySelector('script.data').textContent"))
    assert said.startswith(f"Queries: {BUDGET} ")
    for agent in data["agents"]:
        assert f"{agent['label']} {agent['queries']['y'][-1]:.2f}" in said
    shown.keys(CURVES, "\ue012")  # to the left
    left = shown.run("return document.querySelector(arguments[0]).textContent", READOUT)
    assert left.startswith("Queries: 11 ")
    box = shown.run("const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                    "return [b.left, b.top, b.width]", CURVES)  # fmt: skip
    shown.command("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + 60, y=box[1] + 60)
    said = shown.run("return document.querySelector(arguments[0]).textContent", READOUT)
    assert said.startswith("Queries: 1 ")


def test_axes_can_be_changed(shown: Browser) -> None:
    paths = "return [...document.querySelectorAll(arguments[0])].map((p) => p.getAttribute('d'))"
    seen = [shown.run(paths, f"{CURVES} .series")]
    for button in ('[data-scale="log"]', '[data-kind="regret"]', '[data-along="time"]'):
        shown.click(button)
        seen.append(shown.run(paths, f"{CURVES} .series"))
    assert len({str(paths) for paths in seen}) == 4
    assert not any("NaN" in path or "Infinity" in path for paths in seen for path in paths)
    texts = shown.run(
        f"return [...document.querySelectorAll('{CURVES} text')].map((t) => t.textContent)"
    )
    assert "Regret (points)" in texts and any(text.startswith("Simulated") for text in texts)
    assert shown.log() == []


def test_the_table_is_sorted_and_filtered(shown: Browser) -> None:
    rows = (
        "return [...document.querySelectorAll('tbody tr')].filter((r) => !r.hidden)"
        ".map((r) => r.cells[arguments[0]].dataset.sort)"
    )
    assert set(shown.run(rows, 1)) == {"12"}
    shown.click('[data-rows="all"]')
    assert set(shown.run(rows, 1)) == {"10", "12"}
    shown.click('[data-rows="10"]')
    for column, kind in ((2, float), (0, str)):
        for backwards in (True, False):
            shown.click(f'.sort[data-column="{column}"]')
            values = [kind(value) for value in shown.run(rows, column)]
            key = (lambda x: x.lower()) if kind is str else None
            if kind is float:
                assert values == sorted(values, key=key, reverse=backwards)
        state = f"return document.querySelectorAll('thead th')[{column}].ariaSort"
        assert shown.run(state) == "ascending"


@pytest.mark.parametrize("width", [320, 390, 820, 1280, 2200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(width: int, scheme: str, shown: Browser, written: Path) -> None:
    shown.size(width, 900, phone=width < 500)
    shown.scheme(scheme)
    shown.open(written)
    assert shown.run("return document.documentElement.scrollWidth <= innerWidth")
    worst = shown.run(CONTRAST)
    assert worst[0] >= 4.5, worst
    assert count(shown, ".cells svg .vertex") > 5
    assert min(each(shown, "button:not(.sort)", "offsetHeight")) >= 24


CONTRAST = """
const light = (colour) => {
  const linear = colour.map((x) => x / 255)
    .map((x) => (x <= 0.03928 ? x / 12.92 : Math.pow((x + 0.055) / 1.055, 2.4)));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const behind = (node) => {
  for (let n = node; n; n = n.parentElement) {
    const colour = parse(getComputedStyle(n).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const texts = "p, li, th, td, button, h1, h2, summary, code, figcaption, dt, dd, pre, a";
let worst = [21, ""];
for (const node of document.querySelectorAll(texts)) {
  if (!node.textContent.trim() || !node.offsetParent) continue;
  const a = light(parse(getComputedStyle(node).color).slice(0, 3)), b = light(behind(node));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < worst[0]) worst = [ratio, node.tagName + " " + node.textContent.slice(0, 40)];
}
return worst;
"""


def test_everything_that_can_be_pressed_is_reached_by_keyboard(shown: Browser) -> None:
    assert min(each(shown, "button, summary, [data-plot], .scroll", "tabIndex")) >= 0
    assert all(text.strip() for text in each(shown, "button", "textContent"))
    shown.keys("body", "\ue004")  # Tab
    assert shown.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.long
def test_lines_differ_without_colour(shown: Browser) -> None:
    all_of = "return [...document.querySelectorAll(arguments[0])]"
    dashes = f"{all_of}.map((s) => s.getAttribute(arguments[1]))"
    assert len(set(shown.run(dashes, f"{CURVES} .series", "stroke-dasharray"))) == 3
    assert len(set(shown.run(dashes, f"{CURVES} .dot", "d"))) == 3
