"""bench/family.py: benchmarks of installed packages are listed, described and opened like ours; and
bench/check.py: what a benchmark lacks is said when it is opened."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import bench
from rlnas.analysis.cli import main
from rlnas.bench.benchmark import Indexed, Listed, Part, Restrictable, Sized, numbers_of
from rlnas.bench.check import check_benchmark
from rlnas.bench.errors import UserError
from rlnas.bench.family import FAMILIES, NetworkPlan, described, families, family_of, named
from rlnas.bench.noise import Noise
from rlnas.bench.stand_ins import GridBenchmark, GridSpace, ring, scrambled
from surrogates import invented_benchmark
from tables import small_benchmark

MODULE = """
from dataclasses import dataclass

from rlnas.bench.family import Family, Listing
from rlnas.bench.stand_ins import GridBenchmark


@dataclass(frozen=True)
class Mute(GridBenchmark):
    reports = ""


def load(name, *, epochs, noise):
    assert epochs is None and noise.kind in ("mean", "sample")
    return GridBenchmark()


def load_mute(name, *, epochs, noise):
    return Mute()


def load_broken(name, *, epochs, noise):
    raise RuntimeError("no\\nluck")


class Grids(Family):
    name = "grids"
    title = "Grids"
    names = ("grids-4",)

    def here(self):
        return [Listing("grids-4", 81, "", None, "nowhere")]

    def load(self, name, *, epochs, noise, **options):
        return GridBenchmark()


FAMILY = Grids()
"""

ENTRIES = """
[rlnas.benchmarks]
outside-grid = outside_grid:load
outside-mute = outside_grid:load_mute
outside-broken = outside_grid:load_broken
outside-absent = no_such_module:load
nb101-digits = outside_grid:load

[rlnas.families]
grids = outside_grid:FAMILY
torn = no_such_module:FAMILY
nb101 = outside_grid:FAMILY
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package, as importlib.metadata sees one; and no converted tables."""
    folder = tmp_path / "site"
    (folder / "outside_grid-2.5.dist-info").mkdir(parents=True)
    (folder / "outside_grid-2.5.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: outside-grid\nVersion: 2.5\n"
    )
    (folder / "outside_grid-2.5.dist-info" / "entry_points.txt").write_text(ENTRIES)
    (folder / "outside_grid.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))


def lines_of(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The first word of each printed line -> the rest."""
    return dict(
        [*line.split(maxsplit=1), ""][:2]
        for line in capsys.readouterr().out.splitlines()
        if line.strip()
    )


def test_outside_benchmarks_are_listed_like_ours(
    outside: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "list"]) == 0
    lines = lines_of(capsys)
    assert lines["nb101-digits"].split() == ["2,532", "2,", "5,", "10,", "20", "3", "embedded"]
    assert lines["outside-grid"].split()[:3] == ["81", "-", "-"]
    assert lines["outside-grid"].endswith("installed with outside-grid 2.5")
    assert "RuntimeError: no luck" in lines["outside-broken"]
    assert "No module named 'no_such_module'" in lines["outside-absent"]
    assert "expected a word" in lines["outside-mute"]
    assert lines["grids-4"].split() == ["81", "-", "-", "nowhere"]
    assert "cannot be imported" in lines["torn"]


def test_what_is_unknown_is_a_dash() -> None:
    said = {"optimum": float("nan"), "epochs": None, "sha256": "", "best": 0.5}
    there = SimpleNamespace(space=SimpleNamespace(size=1000), describe=lambda: said)
    assert dict(described(there)) == {
        "architectures": "1,000", "optimum": "-", "epochs": "-", "sha256": "-", "best": "0.5"
    }  # fmt: skip


def test_outside_benchmarks_are_described_like_ours(
    outside: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "info", "outside-grid"]) == 0
    lines = lines_of(capsys)
    assert lines["architectures"] == "81" and lines["reports"] == "test accuracy"
    assert lines["installed"] == "with  outside-grid 2.5" and lines["noise"] == "mean"
    assert main(["bench", "info", "grids-4"]) == 0
    assert main(["bench", "info", "outside-broken"]) == 2
    printed = capsys.readouterr().err
    assert "of outside-grid 2.5 raised RuntimeError: no luck (outside_grid.py, line " in printed
    assert printed.count("\n") == 1


def test_outside_benchmarks_open_and_never_replace_ours(outside: None) -> None:
    assert bench.load("outside-grid", noise="sample").name == "grid"
    assert bench.load("nb101-digits").space.size == 2532
    assert bench.load("grids-4").space.size == 81 and "grids-4" in bench.names()
    assert family_of("nb101-digits") is families()["nb101"] is not families()["grids"]
    with pytest.raises(UserError, match=r"neither a known name \(.*nb101-digits.*outside-grid"):
        bench.load("outside-gird")
    assert named("") is named("none") and named("grids").title == "Grids"
    with pytest.raises(UserError, match=r"rlnas cannot build; .* nb101, nb201, nb301"):
        named("").network(GridBenchmark(), None)


def test_a_file_of_nobody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match=r"text\.npz: damaged, or no benchmark made by rlnas"):
        bench.load(str(tmp_path / "text.npz"))
    (tmp_path / "text.dat").write_text("hello, this is no TFRecord")
    assert main(["bench", "convert", str(tmp_path / "text.dat")]) == 2
    assert main(["bench", "convert", str(tmp_path / "absent.dat")]) == 2


@pytest.mark.parametrize("name", list(FAMILIES.builtin))
def test_a_family_says_all_it_must(name: str) -> None:
    family = families()[name]
    assert family.name == name and family.title
    assert all(family.owns(known) for known in family.names)
    assert family.learner_presets.keys() <= {"default", "smoke", "paper"}


@pytest.mark.parametrize("make", [small_benchmark, invented_benchmark])
def test_a_family_builds_what_it_opens(make: Any) -> None:
    benchmark = make()
    family = families()[benchmark.family]
    arch = benchmark.space.sample(jax.random.key(0))
    assert isinstance(family.network(benchmark, arch), NetworkPlan) and family.recipe


def test_abilities_are_declared() -> None:
    cells, darts = small_benchmark(), invented_benchmark()
    assert isinstance(cells, Restrictable) and not isinstance(darts, Restrictable)
    for ability in (Indexed, Listed, Part, Sized):
        assert isinstance(cells.space, ability) and not isinstance(darts.space, ability)
    part = cells.restrict(np.arange(30, 60))
    assert numbers_of(part.space).tolist() == list(range(30, 60))
    assert numbers_of(ring(np.ones(3)).space).tolist() == [0, 1, 2]
    assert numbers_of(darts.space) is None
    for i in (0, 29):
        assert int(part.space.index(part.space.at(jnp.int32(i)))) == i
    assert int(part.space.index(jnp.int32(30))) == int(part.space.index(jnp.int32(-1))) == -1


# bench/check.py


@pytest.mark.parametrize("make", [small_benchmark, invented_benchmark, GridBenchmark])
def test_what_is_a_benchmark_passes(make: Any) -> None:
    check_benchmark(make())


def test_a_stand_in_passes() -> None:
    check_benchmark(scrambled(20, 3))


def changed(**members: Any) -> GridBenchmark:
    """A `GridBenchmark` that says or does other things."""
    return registered(type("Changed", (GridBenchmark,), members))


def registered(kind: type) -> Any:
    """An instance of a new class, a pytree like the one it is derived from."""
    return jax.tree_util.register_dataclass(dataclass(frozen=True)(kind))()


@dataclass(frozen=True)
class Plain:
    """No pytree."""

    space: GridSpace = field(default_factory=GridSpace)


for _name, _member in vars(GridBenchmark).items():
    if not _name.startswith("__") and _name not in {f.name for f in fields(GridBenchmark)}:
        setattr(Plain, _name, _member)


def with_data(name: str, value: Any) -> Any:
    kind = make_dataclass(
        "Data",
        [(name, Any, field(default_factory=lambda: value))],
        bases=(GridBenchmark,),
        frozen=True,
    )
    return jax.tree_util.register_dataclass(kind)()


def shapeless() -> GridBenchmark:
    return GridBenchmark(registered(type("Scalars", (GridSpace,), {"arch_shape": ()})))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: object(), "no describe; expected it as in"),
        (lambda: changed(reports=""), "name or reports is empty"),
        (lambda: changed(reports=None), "reports is None; expected str"),
        (lambda: changed(noise="mean"), "noise is 'mean'; expected Noise"),
        (lambda: changed(epochs="108"), r"epochs is '108'; expected int \| None"),
        (lambda: changed(describe=lambda self: {}), "describe\\(\\) says no 'name'"),
        (lambda: changed(describe=lambda self: {"a": jnp.zeros(2)}), "not ready for JSON"),
        (lambda: changed(query=lambda self, a, k: 0.5), "query gives"),
        (lambda: changed(optimum=jnp.int32(1)), r"optimum gives int32 \[\]; expected floating"),
        (lambda: Plain(), "Plain is no pytree"),
        (lambda: with_data("word", "text"), r"field \.word is str data; expected a static field"),
        (shapeless, r"gives shape \(4,\); expected arch_shape, \(\)"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(make: Any, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        check_benchmark(make(), "mine")
    assert "\n" not in str(caught.value) and "'mine'" in str(caught.value)


# bench/noise.py


def test_noise_reads_what_it_writes() -> None:
    for text in ("mean", "sample", "repeat=0", "repeat=12"):
        noise = Noise.parse(text)
        assert str(noise) == text and Noise.parse(noise) == noise
    assert len({Noise.parse("mean"), Noise(), Noise("repeat", 0), Noise("repeat", 1)}) == 3
    with pytest.raises(UserError, match="expected mean, sample or repeat=i"):
        Noise("median")
