"""The spaces in JAX against the plain cells, and a table of them as a benchmark."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nb201_tables import digits_of, invented
from rlnas.bench import landscape
from rlnas.bench.benchmark import Indexed, Listed, Part, Restrictable, numbers_of
from rlnas.bench.check import check_benchmark
from rlnas.bench.errors import UserError
from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.benchmark import from_table
from rlnas.bench.nb201.space import CellSpace

SPACES = pytest.mark.parametrize("ops", [5, 4])
KEY = jax.random.key(0)


@SPACES
def test_numbers_and_representatives(ops: int) -> None:
    space = CellSpace(ops)
    assert isinstance(space, Indexed) and isinstance(space, Listed)
    digits = digits_of(space.variant).astype(np.int8)
    number = np.arange(space.size)
    assert (np.asarray(jax.vmap(space.index)(digits)) == number).all()
    assert (np.asarray(jax.vmap(space.at)(number)) == digits).all()
    representative = jax.vmap(space.index)(jax.vmap(space.representative)(digits))
    assert (np.asarray(representative) == cell.representatives(space.variant)).all()
    assert space.num_distinct == {5: 6466, 4: 1696}[ops]
    for wrong in ([0, 0, 0, 0, 0, ops], [-1, 0, 0, 0, 0, 0]):
        assert int(space.index(jnp.array(wrong, jnp.int8))) == -1


@SPACES
def test_neighbours_are_all_the_cells_one_edit_away(ops: int) -> None:
    space = CellSpace(ops)
    digits = digits_of(space.variant)
    degree = 6 * (ops - 1)
    assert space.max_degree == degree and int(space.degree(space.at(0))) == degree
    lists = space.flat.reshape(space.size, degree)
    for number in np.random.default_rng(0).integers(space.size, size=20):
        away = np.flatnonzero((digits != digits[number]).sum(1) == 1)
        assert sorted(lists[number]) == away.tolist()
        arch = space.at(int(number))
        near = jax.vmap(lambda i, arch=arch: space.neighbour(arch, i))(jnp.arange(degree))
        assert np.asarray(jax.vmap(space.index)(near)).tolist() == lists[number].tolist()
        drawn, mask = space.neighbours(KEY, arch, degree + 3)
        assert np.asarray(mask).tolist() == [True] * degree + [False] * 3
        found = np.asarray(jax.vmap(space.index)(drawn))
        assert sorted(found[:degree]) == away.tolist() and (found[degree:] == number).all()
    assert (np.diff(space.offsets) == degree).all()


@SPACES
def test_codes_tell_all_cells_apart(ops: int) -> None:
    space = CellSpace(ops)
    codes = np.asarray(space.encode(jnp.asarray(digits_of(space.variant), jnp.int8)))
    assert codes.shape == (space.size, space.num_features) and codes.dtype == np.int8
    assert len(np.unique(codes, axis=0)) == space.size
    assert (codes[:, :6] == (digits_of(space.variant) > 0)).all()
    assert codes.sum(1).tolist() == (2 * (digits_of(space.variant) > 0).sum(1)).tolist()


@SPACES
def test_every_cell_is_drawn_alike(ops: int) -> None:
    space = CellSpace(ops)
    drawn = np.asarray(jax.vmap(space.sample)(jax.random.split(KEY, 20_000)))
    shares = np.stack([(drawn == op).mean(0) for op in range(ops)])
    assert np.abs(shares - 1 / ops).max() < 5 * np.sqrt(0.25 / 20_000)
    assert jnp.array_equal(space.parse(space.format(drawn[0])), drawn[0])


@pytest.mark.parametrize("name", ["nb201-cifar100", "tnb101-autoencoder"])
def test_a_benchmark_answers_its_table(name: str) -> None:
    table = invented(name, repeats=3)
    benchmark = from_table(table)
    check_benchmark(benchmark)
    for number in (0, 77, table.task.variant.size - 1):
        result = benchmark.query(benchmark.space.at(number), KEY)
        assert result.valid and float(result.val) == pytest.approx(table.val[number].mean())
        assert float(result.test) == pytest.approx(table.test[number].mean())
        assert float(benchmark.reported(benchmark.space.at(number))) == float(result.test)
    assert float(benchmark.optimum) == pytest.approx(table.test.mean(1).max())
    outside = benchmark.query(jnp.array([9, 0, 0, 0, 0, 0], jnp.int8), KEY)
    assert not outside.valid and np.isnan(outside.val)


def test_noise_policies() -> None:
    table = invented(repeats=3)
    arch = CellSpace(5).at(7)
    third = from_table(table, noise="repeat=2").query(arch, KEY)
    assert float(third.val) == float(table.val[7, 2])
    sample = from_table(table, noise="sample")
    keys = jax.random.split(KEY, 64)
    drawn = {float(v) for v in jax.vmap(lambda k: sample.query(arch, k).val)(keys)}
    assert drawn == {float(v) for v in table.val[7]}
    with pytest.raises(UserError, match="3 repeats"):
        from_table(table, noise="repeat=3")


def test_an_incomplete_table() -> None:
    """Cells without a value are architectures all the same: a look-up says so."""
    full = invented()
    val = full.val.copy()
    val[np.argmax(full.val)] = np.nan
    test = np.where(np.isnan(val), np.nan, full.test).astype(np.float32)
    table = replace(full, val=val, test=test)
    benchmark = from_table(table)
    assert table.cells == full.cells - 1 and "15,624 of 15,625" in benchmark.about
    gone = benchmark.space.at(int(np.argmax(full.val)))
    result = benchmark.query(gone, KEY)
    assert not result.valid and np.isnan(result.val) and np.isnan(result.test)
    with pytest.raises(UserError, match="no value"):
        benchmark.lookup(benchmark.space.format(gone))
    assert benchmark.lookup(benchmark.space.format(benchmark.space.at(3))).valid


@pytest.mark.parametrize("every", [7, 400])
def test_a_part_of_the_cells(every: int) -> None:
    benchmark = from_table(invented())
    space, places = benchmark.space, np.arange(3, benchmark.space.size, every)
    part = benchmark.restrict(places)
    assert isinstance(part, Restrictable) and isinstance(part.space, Part)
    assert isinstance(part.space, Listed) and part.space.variant is cell.NB201
    assert part.space.size == len(places) and part.space.whole == space.size
    assert numbers_of(part.space).tolist() == places.tolist()
    kept, lists = set(places.tolist()), space.flat.reshape(space.size, -1)
    for place in (0, 5, len(places) - 1):
        arch = part.space.at(place)
        assert int(part.space.index(arch)) == place and (arch == space.at(int(places[place]))).all()
        theirs = [number for number in lists[places[place]].tolist() if number in kept]
        degree = int(part.space.degree(arch))
        near = [part.space.neighbour(arch, jnp.int32(i)) for i in range(degree)]
        assert [int(space.index(x)) for x in near] == theirs
        assert float(part.query(arch, KEY).val) == float(benchmark.query(arch, KEY).val)
    gone = space.at(4)
    assert int(part.space.index(gone)) == -1 and not part.query(gone, KEY).valid
    with pytest.raises(UserError, match="is not among the"):
        part.lookup(space.format(gone))
    again = part.restrict(np.array([1, 2]))
    assert again.space.full == space and numbers_of(again.space).tolist() == places[[1, 2]].tolist()
    assert float(again.optimum) == np.float32(invented().test[places[[1, 2]]].max())


def test_what_is_reported_says_what_it_is() -> None:
    assert from_table(invented()).reports == "test accuracy"
    assert from_table(invented()).about == (
        "nb201-cifar100 is a table of trained cells, imported from invented"
    )
    best = replace(invented("tnb101-autoencoder"), selection="best")
    benchmark = from_table(best)
    assert benchmark.reports == "test SSIM (best over the epochs)"
    assert "optimistic" in benchmark.about
    only = replace(best, test=np.full_like(best.test, np.nan))
    benchmark = from_table(only)
    assert benchmark.reports == "validation SSIM (best over the epochs)"
    assert float(benchmark.optimum) == float(best.val.max())
    loss = from_table(invented("tnb101-room_layout"))
    assert loss.reports == "test exp(-loss)" and "exp(-loss)" in loss.about


def test_landscapes_of_vectors() -> None:
    """All cells and neighbours are known by their numbers, so optima and moves are exact."""
    table = invented("tnb101-jigsaw")
    benchmark = from_table(table)
    val, reported = landscape.values_of(benchmark)
    assert (np.asarray(val) == table.val[:, 0]).all()
    assert (np.asarray(reported) == table.test[:, 0]).all()
    lists = landscape.lists_of(benchmark)
    assert lists is not None
    optima = landscape.local_optima(np.asarray(val), *lists)
    best = np.argmax(val)
    assert optima.row[0] == best and optima.basin.sum() == len(table.val)
