"""Official folders and zips become packed files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forests import random_forest
from rlnas.bench.errors import UserError
from rlnas.bench.nb301.darts import Genotype
from rlnas.bench.nb301.ensembles import convert_ensembles, open_ensemble
from rlnas.bench.nb301.genotype import DartsSpace, from_genotype
from test_fetch import Server, server  # noqa: F401
from test_nb301_legacy import LIGHTGBM, legacy, pickled

MODEL = "surrogate_model.model"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lightgbm_pickle() -> bytes:
    text = LIGHTGBM.encode()
    size = len(text).to_bytes(4, "little")
    return (
        b"\x80\x03clightgbm.basic\nBooster\n)\x81}X\x06\x00\x00\x00handleX" + size + text + b"sb."
    )


def official(folder: Path, members: int = 12) -> Path:
    """An official-looking folder of small models; member k has base k."""
    for k in range(members):
        forest = random_forest(k)
        place = folder / "nb_models" / "xgb_v1.0" / str(k) / "xgb" / f"20201105-120000-{k}"
        place.mkdir(parents=True)
        forest = type(forest)(**{**vars(forest), "base": float(k)})
        (place / MODEL).write_bytes(pickled(legacy(forest)))
        (place / "model_config.json").write_text("{}")
    place = folder / "nb_models" / "lgb_runtime_v1.0" / "0" / "lgb_time" / "x"
    place.mkdir(parents=True)
    (place / MODEL).write_bytes(lightgbm_pickle())
    return folder


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            archive.write(file, file.relative_to(folder))
    return path


def test_the_real_sample_predicts_as_the_official_code(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "nb301_official_layout"
    paths = convert_ensembles(folder)
    assert list(paths) == ["xgb_v1.0", "lgb_runtime_v1.0"]
    model, _, meta = open_ensemble(paths["xgb_v1.0"])
    assert model.runtime is not None and model.members == 3 and meta["unit"] == "percent"
    for kind, ensemble in (("xgb_v1.0", model.accuracy), ("lgb_runtime_v1.0", model.runtime)):
        expected = json.loads((folder / f"expected_{kind}.json").read_text())
        nodes = (2, 3, 4, 5)
        archs = []
        for query in expected["queries"]:
            normal, reduce = (
                tuple((op, source) for op, source in query[cell]) for cell in ("normal", "reduce")
            )
            archs.append(from_genotype(Genotype(normal, nodes, reduce, nodes)))
        found = np.asarray(jax.jit(jax.vmap(ensemble.outputs))(jnp.stack(archs)))
        order = [int(name.split("/")[2]) for name in expected["member_dirs"]]
        wanted = np.array([query["members"] for query in expected["queries"]])
        np.testing.assert_allclose(found[:, order], wanted, rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(
            found.mean(1), [query["mean"] for query in expected["queries"]], rtol=1e-6
        )
        if kind == "xgb_v1.0":
            predicted = jax.jit(jax.vmap(model.predict))(jnp.stack(archs))
            np.testing.assert_allclose(
                predicted.mean * 100, [q["mean"] for q in expected["queries"]], rtol=1e-6
            )
            np.testing.assert_allclose(
                predicted.std * 100, [q["std"] for q in expected["queries"]], atol=1e-4
            )


def test_members_in_numeric_order_and_the_round_trip(tmp_path: Path) -> None:
    paths = convert_ensembles(official(tmp_path / "there"))
    model, _, meta = open_ensemble(paths["xgb_v1.0"])
    assert [name["name"].split("/")[2] for name in meta["members"]] == [str(k) for k in range(12)]
    assert all(len(member["sha256"]) == 64 and member["trees"] == 5 for member in meta["members"])
    mean_leaf = np.asarray(model.accuracy.base.sum(0)) - np.arange(12)
    assert (np.abs(mean_leaf) < 6).all()
    again, *_ = open_ensemble(paths["xgb_v1.0"])
    for one, two in zip(jax.tree.leaves(model), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, two)
    found = model.predict(DartsSpace().sample(jax.random.key(0)))
    assert float(found.seconds) in (9, 10, 12)


def test_a_zip_gives_the_same_bytes_as_its_folder(tmp_path: Path) -> None:
    folder = official(tmp_path / "there")
    one = convert_ensembles(folder, tmp_path / "one.npz", "xgb_v1.0")["xgb_v1.0"]
    two = convert_ensembles(
        zipped(folder, tmp_path / "there.zip"), tmp_path / "two.npz", "xgb_v1.0"
    )["xgb_v1.0"]
    with np.load(one) as a, np.load(two) as b:
        assert a.files == b.files
        for key in a.files:
            if key != "meta":
                np.testing.assert_array_equal(a[key], b[key])
        same = {"source": "", "digest": ""}
        assert json.loads(str(a["meta"])) | same == json.loads(str(b["meta"])) | same


def test_a_folder_below_the_kind_and_one_of_another_name(tmp_path: Path) -> None:
    folder = official(tmp_path / "there", 2) / "nb_models" / "xgb_v1.0"
    assert open_ensemble(convert_ensembles(folder)["xgb_v1.0"])[0].members == 2
    folder.rename(tmp_path / "mine")
    with pytest.raises(UserError, match=r"in no folder named after its kind; pass --name"):
        convert_ensembles(tmp_path / "mine")
    assert list(convert_ensembles(tmp_path / "mine", name="xgb_v0.9")) == ["xgb_v0.9"]


def test_graph_networks_are_left_out_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = official(tmp_path / "there", 1)
    place = folder / "nb_models" / "gnn_gin_v1.0" / "0" / "x"
    place.mkdir(parents=True)
    (place / MODEL).write_bytes(b"not read")
    assert list(convert_ensembles(folder)) == ["xgb_v1.0", "lgb_runtime_v1.0"]
    assert capsys.readouterr().err.splitlines()[0].startswith("gnn_gin_v1.0 left out: ")
    with pytest.raises(UserError, match=r"gnn_gin_v1.0 is left out"):
        convert_ensembles(folder, name="gnn_gin_v1.0")
    with pytest.raises(UserError, match=r"expected one of xgb_v1.0"):
        convert_ensembles(folder / "nb_models" / "gnn_gin_v1.0")


def test_bad_sources_are_refused_and_leave_nothing(tmp_path: Path, cache: Path) -> None:
    folder = official(tmp_path / "there", 3)
    for source, options, reason in (
        (tmp_path / "nowhere", {}, "no such file or folder"),
        (cache.parent, {"name": "xgb_v0.9"}, "expected xgb_v0.9"),
        (folder, {"name": "svm"}, "unknown ensemble 'svm'"),
        (folder, {"out": tmp_path / "x.npz"}, "one output file was named"),
    ):
        with pytest.raises(UserError, match=reason):
            convert_ensembles(source, **options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"found no surrogate_model.model"):
        convert_ensembles(tmp_path / "empty")
    whole = zipped(folder, tmp_path / "there.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut.zip: damaged or no zip"):
        convert_ensembles(tmp_path / "cut.zip")
    place = next((folder / "nb_models" / "xgb_v1.0" / "1").rglob(MODEL))
    place.write_bytes(place.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"xgb_v1.0/1/xgb/.*damaged"):
        convert_ensembles(folder)
    place.write_bytes(lightgbm_pickle())
    with pytest.raises(UserError, match=r"found a LightGBM model, which is no member of xgb_v1.0"):
        convert_ensembles(folder)
    assert not list(cache.rglob("*.npz*")) and not (tmp_path / "x.npz").exists()


def test_a_damaged_byte_in_the_zip_is_found(tmp_path: Path) -> None:
    path = zipped(official(tmp_path / "there", 1), tmp_path / "there.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith(MODEL))
    data[info.header_offset + 200] ^= 255
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"there.zip: damaged"):
        convert_ensembles(path)


def test_the_wrong_packed_file_is_refused(tmp_path: Path) -> None:
    paths = convert_ensembles(official(tmp_path / "there", 1))
    with pytest.raises(UserError, match=r"is lgb_runtime_v1.0 version 2; expected xgb_v1.0"):
        open_ensemble(paths["lgb_runtime_v1.0"])
    data = paths["xgb_v1.0"].read_bytes()
    paths["xgb_v1.0"].write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"xgb_v1.0.npz"):
        open_ensemble(paths["xgb_v1.0"])


@pytest.mark.long
def test_it_opens_as_a_benchmark_with_noise_and_can_be_distilled(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rlnas import bench
    from rlnas.analysis.cli import main

    assert (
        main(
            [
                "bench",
                "convert",
                str(zipped(official(tmp_path / "there", 3), tmp_path / "there.zip")),
            ]
        )
        == 0
    )
    assert "next: rlnas bench info nb301-xgb_v1.0" in capsys.readouterr().out
    there = bench.load("nb301", surrogate="xgb_v1.0", noise="sample")
    assert (
        there.name == "nb301-xgb_v1.0" and there.epochs == 100 and len(there.sha256) == 129
    )  # accuracy and runtime
    arch = jax.random.key(0)
    answer = there.query(there.space.sample(arch), jax.random.key(1))
    assert bool(answer.valid) and np.isnan(answer.test) and float(answer.sim_seconds) > 0
    args = ["--labels", "64", "--rounds", "1", "--steps", "50", "--width", "8"]
    assert main(["bench", "distill", "nb301-xgb_v1.0", *args]) == 0
    assert bench.load("nb301-distilled-xgb_v1.0", noise="sample").distilled == "nb301-xgb_v1.0"


def test_fetching_a_zip_whose_checksum_nobody_published(
    server: Server,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import dataclasses

    from rlnas.analysis.cli import main
    from rlnas.bench.downloads import download_named
    from rlnas.bench.nb301.family import FAMILY

    content = zipped(official(tmp_path / "there", 2), tmp_path / "there.zip").read_bytes()
    server.content |= {"good": content, "wrong": content[:-100]}
    for name, status in (("wrong", 2), ("good", 0)):
        item = dataclasses.replace(download_named("nb301-v0.9"), urls=(server.url(name),))
        monkeypatch.setattr(FAMILY, "downloads", (item,))
        assert main(["bench", "fetch", "nb301-v0.9", "--folder", str(tmp_path / name)]) == status
        printed = capsys.readouterr()
    assert "no checksum is published" in printed.out and "lgb_runtime_v1.0.npz" in printed.out
