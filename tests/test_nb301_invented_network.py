"""YAHPO's route from a download to look-ups, on a file of its structure with invented weights (no
real file needed)."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import bench
from rlnas.analysis.cli import main
from rlnas.analysis.speed.network import plain
from rlnas.bench.downloads import download_named
from rlnas.bench.fetch import Download
from rlnas.bench.files import sha256
from rlnas.bench.nb301 import store, yahpo
from rlnas.bench.nb301.family import FAMILY
from rlnas.bench.nb301.forms import yahpo_codes
from rlnas.bench.nb301.genotype import DartsSpace
from test_fetch import Server, server  # noqa: F401
from yahpo_onnx import write


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("yahpo") / "model.onnx"
    write(path)
    return path


@pytest.fixture(scope="module")
def archs() -> np.ndarray:
    return np.asarray(jax.vmap(DartsSpace().sample)(jax.random.split(jax.random.key(0), 40)))


@pytest.mark.parametrize("epochs", [1, 50, 98])
def test_parity_with_onnxruntime(file: Path, archs: np.ndarray, epochs: int) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file))
    asked = np.asarray(yahpo_codes(jnp.asarray(archs))).astype(np.int32)
    time = np.array([[epochs]], np.float32)
    expected = np.concatenate(
        [session.run(None, {"x_cat": row[None], "x_cont": time})[0] for row in asked]
    )
    model = yahpo.build(yahpo.read_onnx(file), epochs)
    found = jax.jit(lambda m, a: jax.vmap(m.predict)(a))(model, jnp.asarray(archs))
    assert np.ptp(expected[:, 0]) > 0.1
    np.testing.assert_allclose(100 * found.mean, expected[:, 0], atol=1e-4)
    np.testing.assert_allclose(found.seconds, expected[:, 1], atol=0.02)


def test_the_plain_reference_of_the_speed_report_agrees(file: Path, archs: np.ndarray) -> None:
    arrays = yahpo.read_onnx(file)
    found = jax.vmap(yahpo.build(arrays, 98).predict)(jnp.asarray(archs)).mean
    asked = np.asarray(yahpo_codes(jnp.asarray(archs)))
    np.testing.assert_allclose(found, [plain(arrays, row) for row in asked], atol=1e-6)


def test_fetch_resumes_converts_and_opens(
    server: Server,  # noqa: F811
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path))
    content = file.read_bytes()
    server.content["drops"] = server.content["good"] = content
    known = download_named("nb301-yahpo")
    item = Download(
        known.name, known.what, known.filename, (server.url("drops"),), sha256(file), len(content)
    )
    monkeypatch.setattr(FAMILY, "downloads", (item,))
    assert main(["bench", "fetch", "nb301-yahpo"]) == 0
    assert len(server.ranges("drops")) > 2  # the connection broke each time, and it went on
    assert "next: rlnas bench info nb301-yahpo" in capsys.readouterr().out
    assert main(["bench", "info", "nb301-yahpo"]) == 0
    assert sha256(file) in capsys.readouterr().out
    opened = bench.load("nb301", epochs=12)
    assert opened.name == "nb301-yahpo" and opened.epochs == 12
    assert (
        0
        < float(opened.lookup(opened.space.format(opened.space.sample(jax.random.key(0)))).val)
        < 1
    )


def test_a_file_that_is_another_one_leaves_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path))
    assert (
        main(["bench", "fetch", "nb301-yahpo", "--from-file", str(file)]) == 2
    )  # not the published one
    assert "expected 2,578,406" in capsys.readouterr().err
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(file.read_bytes()[:1000])
    assert main(["bench", "convert", str(bad)]) == 2
    assert "rlnas: error:" in capsys.readouterr().err
    assert main(["bench", "convert", str(file), "--name", "mine"]) == 2
    assert not list(store.folder().glob("*"))
