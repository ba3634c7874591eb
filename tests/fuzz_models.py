"""Models that others write and rlnas reads: sound files for `fuzzing`, and hostile ones."""

from __future__ import annotations

import json
import shutil
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import yahpo_onnx
from forests import random_forest
from fuzzing import TEXTS, Kind, Rng, changed_json, one
from rlnas.bench.files import sha256
from rlnas.bench.nb301.ensembles import convert_ensembles
from rlnas.bench.nb301.legacy import read_member
from rlnas.bench.nb301.load import convert_network
from rlnas.bench.nb301.xgboost_format import read_xgboost
from rlnas.bench.nb301.yahpo import read_onnx
from rlnas.bench.npz import digest_of_arrays
from rlnas.bench.reading import content
from test_nb301_ensembles import lightgbm_pickle, official, zipped
from test_nb301_legacy import legacy, pickled


def forest_of(found: Any) -> str:
    fields = {key: np.asarray(x) for key, x in vars(found).items()}
    return digest_of_arrays(fields)


# --- pickles -------------------------------------------------------------------------------------

DOUBLED = b"\x80\x04(K\x01t\x94" + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(40))
"""A tuple of two of the last, forty times: 2^40 leaves in 200 bytes, memo 40."""
PIECES = (
    b"(", b"}", b"]", b")", b"t", b"l", b"d", b"0", b"K\x01", b"X\x01\x00\x00\x00a", b"\x85",
    b"\x86", b"\x87", b"a", b"e", b"s", b"u", b"\x93", b"R", b"\x81", b"b", b"h\x00", b"q\x00",
    b"\x94", b"N", b"\x88", b"h\x28", b"\x8c\x01b", b"cxgboost.core\nBooster\n", b"i", b"o",
    b"\x82\x01",
    b"cbuiltins\nbytearray\n", b"\x8a\xff" + b"\xff" * 255, b"I" + b"9" * 5000 + b"\n",
    b"c\x1b[2J\nx\n",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"L1\n", b"G\x7f\xf0\0\0\0\0\0\0", b"V\\ud800\n",
    b"S'x'\n",
)  # fmt: skip


def crafted_pickle(folder: Path, rng: Rng) -> bool:
    """Opcodes at random, often behind a tuple that is doubled forty times."""
    before = DOUBLED if rng.random() < 0.5 else b"\x80\x04"
    made = b"cxgboost.core\nBooster\n"
    ends = (b"}h\x28K\x01s.", b"h\x28h\x28\x93.", b"}(h\x28h\x28u.", made + b"h\x28R.",
            made + b")\x81}h\x28h\x28sb.", b"h\x28\x8c\x01a\x93.", b".")  # fmt: skip
    pieces = int(rng.integers(0, 30)) if rng.random() < 0.6 else 0
    middle = b"".join(one(rng, PIECES) for _ in range(pieces))
    (folder / "m.pickle").write_bytes(before + middle + one(rng, ends))
    return True


def spliced_model(folder: Path, rng: Rng) -> bool:
    """The model in the pickle, with a piece of it replaced."""
    model = bytearray(legacy(random_forest(0, trees=2, depth=3)))
    at = int(rng.integers(len(model) - 4))
    model[at : at + 4] = one(rng, (struct.pack("<i", -1), struct.pack("<i", 2**31 - 1),
                                   struct.pack("<f", np.nan), bytes(4), rng.bytes(4)))  # fmt: skip
    (folder / "m.pickle").write_bytes(pickled(bytes(model)))
    return True


def crafted_text(folder: Path, rng: Rng) -> bool:
    """A line of a LightGBM model with something else in it."""
    data = lightgbm_pickle()
    start, stop = data.index(b"handleX") + 11, data.index(b"sb.")
    lines = data[start:stop].decode().split("\n")
    i = int(rng.integers(len(lines)))
    key, equals, _ = lines[i].partition("=")
    lines[i] = key + equals + one(rng, (*TEXTS[:10], "1 2 3", "-5 -6", "999999999999"))
    text = "\n".join(lines).encode()
    changed = data[: start - 4] + struct.pack("<I", len(text)) + text + data[stop:]
    (folder / "m.pickle").write_bytes(changed)
    return True


# --- xgboost's documents -------------------------------------------------------------------------


def document() -> dict[str, Any]:
    forest = random_forest(0, trees=2, depth=3)
    trees = []
    for a, b in zip(forest.offsets[:-1], forest.offsets[1:], strict=True):
        inner = forest.left[a:b] >= 0
        trees.append({
            "left_children": forest.left[a:b].tolist(),
            "right_children": forest.right[a:b].tolist(),
            "split_indices": forest.feature[a:b].tolist(),
            "split_conditions": np.where(inner, forest.threshold[a:b], forest.value[a:b]).tolist(),
        })  # fmt: skip
    model = {"gbtree_model_param": {"num_trees": "2"}, "trees": trees}
    return {"learner": {
        "learner_model_param": {"base_score": "5E-1", "num_class": "0"},
        "objective": {"name": "reg:squarederror"},
        "gradient_booster": {"name": "gbtree", "model": model},
    }}  # fmt: skip


def ubjson(value: Any) -> bytes:
    """As xgboost writes it."""

    def text(word: str) -> bytes:
        data = word.encode("utf-8", "replace")
        return b"L" + struct.pack(">q", len(data)) + data

    if isinstance(value, dict):
        return b"{" + b"".join(text(k) + ubjson(x) for k, x in value.items()) + b"}"
    if isinstance(value, list):
        return b"[#L" + struct.pack(">q", len(value)) + b"".join(map(ubjson, value))
    if isinstance(value, str):
        return b"S" + text(value)
    if value is None or isinstance(value, bool):
        return {None: b"Z", True: b"T", False: b"F"}[value]
    whole = isinstance(value, int) and abs(value) < 2**62
    return b"L" + struct.pack(">q", value) if whole else b"D" + struct.pack(">d", float(value))


def edited_document(folder: Path, rng: Rng) -> bool:
    path = folder / "m.bin"
    changed = changed_json(document(), rng)
    binary = path.read_bytes()[1:2] != b'"'
    path.write_bytes(ubjson(changed) if binary else json.dumps(changed).encode())
    return True


def crafted_ubjson(folder: Path, rng: Rng) -> bool:
    """Thousands of containers of items that take no bytes; sizes that are none; depth."""
    zero = b"[$T#l" + struct.pack(">i", int(rng.integers(1, 40_000)))
    body = one(rng, (zero * 6000, b"[" * 5000, b"[$[#l\x7f\xff\xff\xff", b"[$d#l\x7f\xff\xff\xff",
                     b"[#L" + b"\xff" * 8, b"[$Z#U\xff" * 3000, b"{" * 60, b"S" + zero,
                     b"[$D#L" + struct.pack(">q", 2**60)))  # fmt: skip
    (folder / "m.bin").write_bytes(b"{i\x07learner[" + body + rng.bytes(int(rng.integers(40))))
    return True


# --- ONNX and zips -------------------------------------------------------------------------------


def crafted_onnx(folder: Path, rng: Rng) -> bool:
    import onnx
    from onnx import TensorProto

    path = folder / "m.onnx"
    model = onnx.load(str(path), load_external_data=False)
    tensors = [
        *model.graph.initializer,
        *(n.attribute[0].t for n in model.graph.node if n.attribute),
    ]
    tensor = one(rng, tensors)
    which = int(rng.integers(8))
    if which == 0 and tensor.dims:
        tensor.dims[0] = one(rng, (-1, 10**14, 0, 2))
    elif which == 1:
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "../../../etc/passwd"
    elif which == 2:
        tensor.raw_data = b"\x00\x00\xc0\x7f" * (len(tensor.raw_data) // 4)
    elif which == 3:
        tensor.data_type = int(rng.integers(0, 25))
    elif which == 4:
        model.graph.initializer.add().CopyFrom(model.graph.initializer[0])
    elif which == 5:
        tensor.name = "\x1b[2J"
    elif which == 6:
        one(rng, model.graph.node).op_type = one(rng, ("Loop", "\x1b[2J", "x" * 5000, ""))
    else:
        tensor.raw_data = tensor.raw_data[:-1]
    path.write_bytes(model.SerializeToString())
    return True


def crafted_zip(folder: Path, rng: Rng) -> bool:
    """Members twice, elsewhere, of strange names, or enormous."""
    path = folder / "m.zip"
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    i = int(rng.integers(len(members)))
    name, data = members[i]
    which = int(rng.integers(5))
    if which == 0:
        members.append((name, data))
    elif which == 1:
        members[i] = (one(rng, ("../../x/", "/etc/", "\x1b[2J/", "a/" * 200)) + name, data)
    elif which == 2:
        members[i] = (name, one(rng, members)[1])
    elif which == 3 and rng.random() < 0.1:
        members[i] = (name, bytes(1 << 28))
    else:
        members[i] = (name, one(rng, (b"", b".", DOUBLED + b"}h\x28K\x01s.", data[:-1])))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, data in members:
            archive.writestr(name, data)
    return True


def read_zip(folder: Path) -> str:
    made = convert_ensembles(folder / "m.zip", folder / "out.npz", "xgb_v1.0")["xgb_v1.0"]
    with np.load(made) as file:
        return str(file["meta"])


# --- the kinds -----------------------------------------------------------------------------------

PUBLISHED: dict[str, str] = {}
"""The digest that the sound ONNX file is published with."""


def make_onnx(folder: Path) -> None:
    yahpo_onnx.write(folder / "m.onnx")
    PUBLISHED["m.onnx"] = sha256(folder / "m.onnx")


def read_published(folder: Path) -> str:
    out = convert_network(folder / "m.onnx", folder / "o.npz", PUBLISHED["m.onnx"])
    return sha256(out)


def make_zip(folder: Path) -> None:
    zipped(official(folder / "there", 2), folder / "m.zip")
    shutil.rmtree(folder / "there")


def written(name: str, data: Callable[[], bytes]) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(data())


def pickle_of() -> bytes:
    return pickled(legacy(random_forest(0, trees=2, depth=3)))


def read_pickle(folder: Path) -> str:
    return forest_of(read_member(content(folder / "m.pickle", "make it again"), "there"))


def read_document(folder: Path) -> str:
    return forest_of(read_xgboost(content(folder / "m.bin", "make it again"), "there"))


MODELS = (
    Kind("xgboost pickle", written("m.pickle", pickle_of), read_pickle,
         (crafted_pickle, spliced_model), checked=False),
    Kind("LightGBM pickle", written("m.pickle", lightgbm_pickle), read_pickle,
         (crafted_pickle, crafted_text), checked=False),
    Kind("xgboost JSON", written("m.bin", lambda: json.dumps(document()).encode()), read_document,
         (edited_document,), checked=False),
    Kind("xgboost UBJSON", written("m.bin", lambda: ubjson(document())), read_document,
         (edited_document, crafted_ubjson), checked=False),
    Kind("ONNX", make_onnx, lambda f: digest_of_arrays(read_onnx(f / "m.onnx")), (crafted_onnx,),
         checked=False),
    Kind("ONNX, published", make_onnx, read_published),
    Kind("ensembles' zip", make_zip, read_zip, (crafted_zip,), checked=False),
)  # fmt: skip
