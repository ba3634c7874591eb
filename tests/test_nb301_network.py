"""YAHPO's network: parity with its published file, and what is refused."""

from __future__ import annotations

import csv
import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import darts, load, yahpo
from rlnas.bench.nb301.forms import yahpo_codes
from rlnas.bench.nb301.genotype import NUM_EDGES, SIZES, codes, from_genotype


@pytest.fixture(scope="module")
def archs(real_data):
    with gzip.open(real_data / "nb301_xgb_v0.9_labels_sample.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    return np.stack(
        [from_genotype(darts.parse(f"{row['normal']},{row['reduce']}")) for row in rows]
    )


@pytest.fixture(scope="module")
def file(real_data, tmp_path_factory):
    return load.convert_network(
        real_data / "nb301_yahpo_v1.onnx", tmp_path_factory.mktemp("nb301") / "yahpo.npz"
    )


def answers(benchmark, archs):
    return jax.jit(lambda b, x: jax.vmap(lambda a: b.query(a, jax.random.key(0)))(x))(
        benchmark, jnp.asarray(archs)
    )


@pytest.mark.parametrize("epochs", [1, 5, 10, 25, 50, 75, 98])
def test_the_published_predictions_at_seven_epochs(real_data, archs, file, epochs):
    with gzip.open(real_data / "nb301_yahpo_v1_predictions_sample.csv.gz", "rt") as sample:
        rows = list(csv.DictReader(sample))
    at = [int(next(iter(row.values()))) for row in rows]
    found = answers(load.load(surrogate=file, epochs=epochs), archs[at])
    expected = [float(row[f"val_acc_ep{epochs}"]) for row in rows]
    np.testing.assert_allclose(
        100 * found.val, expected, atol=1.1e-4
    )  # the sample is rounded to 1e-4
    if epochs == 98:
        np.testing.assert_allclose(
            found.sim_seconds, [float(row["runtime_s_ep98"]) for row in rows], atol=0.06
        )


@pytest.mark.parametrize("epochs", [1, 5, 10, 25, 50, 75, 98])
def test_parity_with_onnxruntime(real_data, archs, file, epochs):
    import onnxruntime

    encoding = json.loads((real_data / "nb301_yahpo_encoding.json").read_text())
    prefix = "NetworkSelectorDatasetInfo_COLON_darts_COLON_"
    names = [f"edge_{cell}_{i}" for cell in ("normal", "reduce") for i in range(NUM_EDGES)]
    names += [f"inputs_node_{cell}_{node}" for cell in ("normal", "reduce") for node in (3, 4, 5)]
    rows = []
    for row in np.asarray(codes(jnp.asarray(archs[:100]))).tolist():
        values = []
        for name, code in zip(names, row, strict=True):
            if name.startswith("edge"):
                value = "#na#" if code < 0 else darts.OPS[code]
            else:
                value = "_".join(map(str, darts.PAIRS[int(name[-1])][code]))
            values.append(encoding[prefix + name][value])
        rows.append(values)
    np.testing.assert_array_equal(yahpo_codes(jnp.asarray(archs[:100])), rows)
    session = onnxruntime.InferenceSession(str(real_data / "nb301_yahpo_v1.onnx"))
    time = np.array([[epochs]], np.float32)
    expected = [
        session.run(None, {"x_cat": np.array([row], np.int32), "x_cont": time})[0][0]
        for row in rows
    ]
    found = answers(load.load(surrogate=file, epochs=epochs), archs[:100])
    np.testing.assert_allclose(100 * found.val, np.array(expected)[:, 0], atol=1e-4)
    np.testing.assert_allclose(found.sim_seconds, np.array(expected)[:, 1], rtol=1e-5, atol=0.02)


def test_it_agrees_with_the_official_labels_as_published(real_data, archs, file):
    """FACTS: Spearman .909 on 10,000 noisy labels of xgb v0.9; these are 2,500 of them."""
    from scipy.stats import spearmanr

    with gzip.open(real_data / "nb301_xgb_v0.9_labels_sample.csv.gz", "rt") as sample:
        labels = [float(row["val_acc_xgb_v0.9_noisy"]) for row in csv.DictReader(sample)]
    assert spearmanr(answers(load.load(surrogate=file), archs).val, labels).statistic > 0.89


def test_budgets_and_noise_it_does_not_know(file):
    for epochs in (0, 99):
        with pytest.raises(UserError, match=f"budget of {epochs} epochs; expected 1 to 98"):
            load.load(surrogate=file, epochs=epochs)
    with pytest.raises(UserError, match="predicts no noise"):
        load.load(surrogate=file, noise="sample")


def test_other_files_are_refused(tmp_path, real_data):
    import onnx

    with pytest.raises(UserError, match=r"no readable ONNX file|expected YAHPO"):
        (tmp_path / "text.onnx").write_text("hello")
        yahpo.read_onnx(tmp_path / "text.onnx")
    whole = (real_data / "nb301_yahpo_v1.onnx").read_bytes()
    with pytest.raises(UserError, match=r"no readable ONNX file|expected YAHPO"):
        (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
        yahpo.read_onnx(tmp_path / "half.onnx")
    model = onnx.load_from_string(whole)
    model.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(np.zeros((3, 3), np.float32), "embds_fct.0.weight")
    )
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(UserError, match=r"embds_fct.0.weight of shape \(3, 3\)"):
        yahpo.read_onnx(tmp_path / "other.onnx")
    assert len(SIZES) == 22
