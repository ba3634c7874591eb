"""Parameters and FLOPs of DARTS networks: our own networks', and NASLib's 725."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.bench.nb301 import costs, darts
from rlnas.bench.nb301.genotype import DartsSpace

OPS = darts.OPS


def counted(archs: jax.Array) -> np.ndarray:
    return np.asarray(jax.jit(jax.vmap(costs.counts))(archs))


def drawn(n: int) -> jax.Array:
    return jax.vmap(DartsSpace().sample)(jax.random.split(jax.random.key(0), n))


def test_parameters_are_those_of_our_networks() -> None:
    torch_network = pytest.importorskip("rlnas.bench.nb301.torch_network")
    from rlnas.bench.nb301.genotype import DartsSpace

    archs = drawn(3)
    for arch, (params, _) in zip(archs, counted(archs), strict=True):
        genotype = darts.parse(DartsSpace().format(arch))
        network = torch_network.build_darts(genotype, 10, 32, 8, auxiliary=False)
        assert params == sum(weight.numel() for weight in network.parameters())


def test_ranges_hold_all_and_are_reached() -> None:
    found = counted(drawn(200))
    for column, span in zip(found.T, costs.ranges(), strict=True):
        assert span.low < column.min() and column.max() < span.high
    skips = jnp.zeros((1, 22), jnp.int8).at[:, 3:11].set(OPS.index("skip_connect"))
    cheapest = counted(skips.at[:, 14:].set(OPS.index("max_pool_3x3")))[0]
    assert cheapest[0] == pytest.approx(costs.ranges()[0].low)
    assert cheapest[1] == pytest.approx(costs.ranges()[1].low, rel=0.02)


def test_naslib_s_differ_by_batch_norms_and_a_constant(real_data: Path) -> None:
    with gzip.open(real_data / "nb301_zero_cost_sample.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    space, archs = DartsSpace(), []
    for row in rows:
        cells = {}
        for name in darts.CELLS:
            words = [word.split(":") for word in row[name].split()]
            cells[name] = tuple((OPS[int(op)], int(source)) for source, op in words)
        archs.append(space.parse(darts.Genotype(cells["normal"], darts.NODES,
                                                cells["reduce"], darts.NODES)))  # fmt: skip
    assert len(rows) == 725
    theirs = np.array([[float(row["params"]), float(row["flops"])] for row in rows]) * 1e6
    digits = np.stack(archs).reshape(-1, 2, 11).astype(int)
    pairs = np.concatenate([np.zeros((len(rows), 2, 1), int), digits[..., :3]], axis=2)
    strided = costs.STRIDED[np.arange(4), pairs]
    ops = digits[..., 3:].reshape(-1, 2, 4, 2)
    norms = np.select([ops < 2, ops == 2, ops < 5], [0, 0, 2], 1)
    norms[:, 1] += (ops[:, 1] == 2) & (strided[:, 1] == 1)  # a skip of stride 2
    # Layers of each cell: (channels, pixels, how many).
    layers = ([(32, 32**2, 2), (64, 16**2, 2), (128, 8**2, 2)], [(64, 16**2, 1), (128, 8**2, 1)])
    affine, pooled = np.zeros((2, len(rows)))
    for cell, sizes in enumerate(layers):
        for channels, area, count in sizes:
            affine += count * 2 * channels * norms[:, cell].sum((1, 2))
            pooled += count * channels * area * (ops[:, cell] < 2).sum((1, 2))
    ours = counted(jnp.stack(archs))
    np.testing.assert_allclose(ours[:, 0] - affine, theirs[:, 0], atol=0.5)
    np.testing.assert_allclose(ours[:, 1] + pooled + 524_288, theirs[:, 1], atol=20)
