"""Surrogates as benchmarks: noise as the official API defines it, files, names, distillation."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import bench
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.analysis.cli import main
from rlnas.bench.commands.distill import Distill
from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import darts, distill, store
from rlnas.bench.nb301.distilled import FORMAT, invented, to_arrays
from rlnas.bench.nb301.genotype import DartsSpace, to_genotype
from rlnas.bench.npz import save_npz
from surrogates import invented_benchmark

SMALL = ["--labels", "64", "--rounds", "1", "--steps", "100", "--width", "16"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path))
    return tmp_path


def save_invented(name: str = "tiny", members: int = 3) -> None:
    """A file of the format that distillation writes, as if it were a surrogate in its own right."""
    of = {"name": "nothing", "epochs": 98}
    save_npz(
        store.folder() / f"{name}.npz",
        FORMAT,
        to_arrays(invented(members=members)),
        of=of,
        members=members,
    )


def test_noise_is_normal_around_the_mean_with_the_members_deviation():
    arch = DartsSpace().sample(jax.random.key(0))
    exact = invented_benchmark().model.predict(arch)
    keys = jax.random.split(jax.random.key(1), 5_000)
    vals = np.asarray(
        jax.vmap(lambda key: invented_benchmark("sample").query(arch, key).val)(keys), np.float64
    )
    assert exact.std > 1e-4
    assert np.mean(vals) == pytest.approx(float(exact.mean), abs=4 * float(exact.std) / 70)
    assert np.std(vals) == pytest.approx(float(exact.std), rel=0.05)
    # What a search is judged by is not the noise it met.
    assert float(invented_benchmark("sample").reported(arch)) == pytest.approx(
        float(exact.mean), abs=1e-6
    )


def test_genotypes_can_be_looked_up_in_any_order_of_inputs():
    benchmark = invented_benchmark()
    genotype = to_genotype(DartsSpace().sample(jax.random.key(3)))
    swapped = genotype._replace(
        normal=(genotype.normal[1], genotype.normal[0], *genotype.normal[2:])
    )
    assert float(benchmark.lookup(genotype).val) == float(benchmark.lookup(swapped).val)
    assert float(benchmark.lookup(darts.text(genotype)).val) == float(
        benchmark.lookup(darts.short(swapped)).val
    )
    with pytest.raises(UserError, match=r"pass a jax\.random\.key"):
        invented_benchmark("sample").lookup(genotype)
    with pytest.raises(UserError, match="expected mean or sample"):
        invented_benchmark("repeat=0")


def test_opening_by_name_path_and_default(cache):
    with pytest.raises(
        UserError, match="no surrogate of NAS-Bench-301 is here; `rlnas bench fetch nb301-yahpo`"
    ):
        bench.load("nb301")
    with pytest.raises(UserError, match="no surrogate 'nb301-yahpo' here"):
        bench.load("nb301", surrogate="yahpo")
    save_invented()
    for opened in (
        bench.load("nb301"),
        bench.load("nb301-tiny", noise="sample"),
        bench.load("nb301", surrogate="tiny"),
        bench.load(str(store.folder() / "tiny.npz")),
    ):
        assert opened.name == "nb301-tiny" and opened.epochs == 98
    with pytest.raises(UserError, match="no budget of 7 epochs"):
        bench.load("nb301-tiny", epochs=7)


def test_other_files_are_refused(cache):
    folder = store.folder()
    folder.mkdir(parents=True)
    (folder / "text.npz").write_text("hello")
    with pytest.raises(UserError, match="damaged, or not made by rlnas"):
        bench.load("nb301-text")
    save_npz(folder / "later.npz", ("rlnas-nb301-network", 99), {})
    with pytest.raises(UserError, match="version 99; make it again"):
        bench.load("nb301-later")
    with pytest.raises(UserError, match="no such file"):
        bench.load("nb301", surrogate=folder / "absent.npz")


def test_histories_hold_whole_architectures():
    history = run_seeds(RandomSearch(), invented_benchmark(), 12, seed_keys(0, 3))
    assert history.arch.shape == (3, 12, 22) and history.arch.dtype == jnp.int8
    assert np.asarray(history.is_new).all()


def test_equal_digits_are_seen_again():
    from rlnas.agents.protocol import first_seen

    space = DartsSpace()
    archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 5))
    nearly = archs[0].at[21].add(1)
    found = first_seen(space, jnp.stack([archs[0], archs[1], archs[0], nearly, archs[1], nearly]))
    assert found.tolist() == [True, True, False, True, False, False]


@pytest.mark.long
def test_a_distilled_network_ranks_what_it_never_saw():
    teacher = invented_benchmark()
    network, labels = distill.distill(
        teacher, distill.Fitting(labels=400, rounds=1, width=16, steps=500)
    )
    assert labels.held_out.mean() == pytest.approx(1 / 8, abs=0.01)
    found = distill.fidelity(network, labels)
    assert found.held_out == labels.held_out.sum() and found.spearman > 0.95
    exact = np.asarray(jax.vmap(teacher.model.predict)(jnp.asarray(labels.archs)).mean)
    np.testing.assert_allclose(labels.values[:, 0], exact, rtol=1e-6)
    # Climbs lead upwards: the later half of the labels is better than the uniform one.
    half = len(exact) // 2
    assert exact[half:].mean() > exact[:half].mean() + exact[:half].std() / 2


@pytest.mark.long
def test_distill_command_names_its_product_and_comparisons_refuse_it(cache, capsys):
    save_invented()
    # A surrogate of its own right has to be there: let the invented file say that it imitates
    # nothing.
    assert main(["bench", "distill", "nb301-tiny", *SMALL]) == 2
    assert "is distilled itself" in capsys.readouterr().err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill, "load", lambda name: invented_benchmark())
        assert main(["bench", "distill", *SMALL]) == 0
    out = capsys.readouterr().out
    assert "held-out architectures: rank correlation" in out and "distilled-invented.npz" in out
    opened = bench.load("nb301-distilled-invented", noise="sample")
    assert (
        opened.distilled == "nb301-invented"
        and opened.reports == "validation accuracy (distilled surrogate)"
    )
    assert json.dumps(opened.describe()).count("distilled") >= 2
    assert (
        main(
            [
                "compare",
                "--benchmark",
                "nb301-distilled-invented",
                "--seeds",
                "2",
                "--out",
                str(cache / "r"),
            ]
        )
        == 2
    )
    assert "--benchmark nb301-invented" in capsys.readouterr().err
    assert main(["bench", "info", "nb301-distilled-invented"]) == 0
    assert "spearman" in capsys.readouterr().out
    assert main(["bench", "list"]) == 0
    assert "nb301-distilled-invented" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["labels", "width", "steps"])
def test_distill_settings_are_checked(option):
    with pytest.raises(UserError, match=f"--{option} is 0"):
        Distill(**{option: 0})
