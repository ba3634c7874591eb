"""The readers of JSON, npz and safetensors: what they refuse, each in one line; digests by hand."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from fuzzing import HEADERS, header
from rlnas.bench.checks import ArrayOf, Each, Fields, Flag, Number, Text, Whole, check, check_arrays
from rlnas.bench.errors import LONGEST, UserError
from rlnas.bench.npz import load_meta, load_npz, read_arrays, save_npz
from rlnas.bench.reading import parse_json, read_json, to_json, write_json
from rlnas.bench.tensors import read_tensors, save_tensors

FORMAT = ("made", 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ('{"a": 1} x', "Extra data"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 40 + "]" * 40, "more than 32 levels"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("[NaN]", "found NaN"),
        ("[-Infinity]", "found -Infinity"),
        ("[1e999]", "not finite"),
        ("[" + "9" * 30 + "]", "more than 64 bits"),
        ("9" * 5000, "Exceeds the limit"),
        ('["\\u001b[2J"]', "control characters"),
        ('["\\ud800"]', "control characters"),
        (b"\xff", "can't decode byte"),
    ],
)
def test_json_that_is_refused(text: Any, reason: str) -> None:
    with pytest.raises(UserError, match=r"^there is damaged \(.*; mend it$") as caught:
        parse_json(text, "there", "mend it")
    assert reason in str(caught.value)


def test_a_seal_is_of_all_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": (1, None), "a": float("nan"), "c": "x\x1b\ny"})
    digest = hashlib.sha256(b'{"a":null,"b":[1,null],"c":"x?\\ny"}').hexdigest()
    value = {"a": None, "b": [1, None], "c": "x?\ny", "digest": digest}
    assert json.loads(path.read_text()) == value == read_json(path)
    for changed in ({"a": 0}, {"b": [1.5, None]}, {"d": 1}, {"digest": "0"}, {"digest": None}):
        path.write_text(json.dumps(value | changed))
        with pytest.raises(UserError, match="was edited or damaged: its digest is another"):
            read_json(path)
    path.write_text("{}")
    with pytest.raises(UserError, match="has no digest: an older or another file"):
        read_json(path)
    assert read_json(path, seal=None) == {} and to_json("a\ud800") == "a?"


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder", "nothing", "x" * 300, "a\0b"):
        for read in (read_json, load_npz, load_meta):
            with pytest.raises(UserError, match="make it again"):
                read(tmp_path / name)


# --- npz -----------------------------------------------------------------------------------------


def test_arrays_come_back_with_their_metadata(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.float32(0.5)}
    save_npz(tmp_path / "a.npz", FORMAT, arrays, note="x")
    found, meta = load_npz(tmp_path / "a.npz")
    assert meta == {"format": "made", "version": 1, "note": "x"}
    assert load_meta(tmp_path / "a.npz") == meta
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("what", ["a value", "metadata", "a name", "no digest", "another array"])
def test_what_is_edited_is_found(tmp_path: Path, what: str) -> None:
    """Though the zip's own checksums are right."""
    path = tmp_path / "a.npz"
    save_npz(path, FORMAT, {"a": np.arange(6)}, note="x")
    with np.load(path) as file:
        a, meta = file["a"], json.loads(str(file["meta"]))
    arrays = {"a": a}
    if what == "a value":
        a[3] = 7
    elif what == "metadata":
        meta["note"] = "y"
    elif what == "a name":
        arrays = {"b": a}
    elif what == "no digest":
        del meta["digest"]
    else:
        arrays["b"] = a
    np.savez(path, **arrays, meta=np.array(json.dumps(meta)))
    with pytest.raises(UserError, match="was edited or damaged"):
        load_npz(path, seal=FORMAT)


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("data", HEADERS[:-1])
def test_headers_that_lie_are_refused(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any array is made."""
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(UserError, match="damaged, or not made by rlnas"):
        read_arrays(zipped(tmp_path / "a.npz", ("a.npy", data)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_is_no_larger_than_it_looks(tmp_path: Path) -> None:
    """Nothing of it is unpacked to find out."""
    path, zeros = tmp_path / "a.npz", header("(50000000,)") + bytes(200_000_000)
    with pytest.raises(UserError, match=r"200,000,.* bytes of .* when unpacked"):
        read_arrays(zipped(path, ("a.npy", zeros)))
    one = header("(1,)") + bytes(4)
    with pytest.raises(UserError, match="'a' is there twice"):
        read_arrays(zipped(path, ("a.npy", one), ("a.npy", one)))
    content = io.BytesIO(zipped(path, ("a.npy", one)).read_bytes())
    with zipfile.ZipFile(content) as archive:
        (info,) = archive.infolist()
    assert info.file_size == len(one) and read_arrays(path)["a"] == [0]


# --- safetensors ---------------------------------------------------------------------------------


def test_tensors_come_back_or_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": np.arange(3.0)}, {"epoch": 3}, save)
    tensors, about = read_tensors(path, load)
    assert about == {"epoch": 3} and tensors["a"].tolist() == [0, 1, 2]
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        data = bytearray(whole)
        data[at] ^= 1
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"damaged|digest"):
            read_tensors(path, load)


# --- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "good", "bad", "said"),
    [
        (Whole(1, 9), (1, 9), (0, 10, 1.0, True, None, "1"), "expected a whole number from 1 to 9"),
        (Number(0, 1), (0, 0.5, 1), (-1, 2, True, None, "0"), "expected a number from 0 to 1"),
        (Text(("a", "b")), ("a",), ("c", None, 1), "expected one of a, b"),
        (Text(form="[0-9]+"), ("12",), ("", "1a", "1\n"), "expected a text like [0-9]+"),
        (Flag(), (True,), (1, None), "expected true or false"),
        (Each(Whole(), 2), ([1, 2],), ([1], [1, -1], {}, None), "expected"),
        (Fields({"a": Whole()}, {"b": Text()}), ({"a": 1, "c": []},),
         ({}, {"a": -1}, {"a": 1, "b": 1}, []), ""),
        (Fields(others=Text()), ({"x": "y"},), ({"x": 1},), "x is 1, expected a text"),
        (Number(null=True), (None, 1), ("",), "expected a number"),
    ],
)  # fmt: skip
def test_rules(rule: Any, good: tuple[Any, ...], bad: tuple[Any, ...], said: str) -> None:
    for value in good:
        assert check(value, rule, "there", "mend it") is value
    for value in bad:
        with pytest.raises(UserError, match=r"^there is damaged, or of another version: ") as error:
            check(value, rule, "there", "mend it")
        assert said in str(error.value)


def test_arrays_share_their_sizes() -> None:
    rules = {
        "a": ArrayOf("float32", ("n", "m"), 0, 1, nan=True),
        "b": ArrayOf("int32", ("n",), 0),
        "c": ArrayOf("", ("m", ...)),
    }
    sound = {
        "a": np.array([[0.5, np.nan]], np.float32), "b": np.array([3], np.int32),
        "c": np.zeros((2, 3), np.uint8),
    }  # fmt: skip
    assert check_arrays(sound, rules, "there", "mend it") == {"n": 1, "m": 2}
    for name, array, said in (
        ("a", np.array([[2, 0]], np.float32), "a goes from 0 to 2, expected 0 to 1"),
        ("a", np.array([[np.inf, 0]], np.float32), "a goes from 0 to inf"),
        ("b", np.array([3, 4], np.int32), r"b has shape (2,), expected (1)"),
        ("b", np.array([3], np.int64), "b is int64, expected int32"),
        ("c", np.zeros(3, np.uint8), r"c has shape (3,), expected (2, ...)"),
        ("c", np.zeros(2), "c is float64, expected whole numbers"),
        ("b", None, "no array 'b'"),
    ):
        changed = {key: x for key, x in (sound | {name: array}).items() if x is not None}
        with pytest.raises(UserError) as error:
            check_arrays(changed, rules, "there", "mend it")
        assert said in str(error.value)


def test_an_error_is_one_printable_line() -> None:
    assert str(UserError("a\nb\tc \x1b[2J\ud800é")) == "a b c \\x1b[2J\\ud800é"
    long = str(UserError("x" * 5000 + "; mend it"))
    assert len(long) == LONGEST and long.endswith("; mend it") and " ... " in long
