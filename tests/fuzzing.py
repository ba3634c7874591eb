"""Inputs that are damaged, edited or hostile, drawn from seeds; and what may come of them: one
line, or what the file said before. Never a traceback, a hang, or another value in silence."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import struct
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.npz import digest_of_arrays
from rlnas.bench.reading import sealed

SECONDS = 10
"""Longer than that, with a file of a few kilobytes, is a hang."""
LONGEST = 400

Rng = np.random.Generator
Mutator = Callable[[Path, Rng], bool]
"""Changes the files in a folder; whether what is there now may be accepted, having digests or
checksums of its own, or never had any."""


@dataclass(frozen=True)
class Kind:
    """A format. make: writes a sound one into an empty folder. read: what a command makes of it;
    equal results are equal outputs. mutators: of this format; bytes are changed in any case.
    checked: whether changed bytes are noticed (a digest, a checksum). heals: None is an answer,
    too: it is made again."""

    name: str
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    mutators: tuple[Mutator, ...] = ()
    checked: bool = True
    heals: bool = False


@dataclass
class Count:
    """What came of a kind's inputs. wrong: what must not be."""

    refused: int = 0
    same: int = 0
    accepted: int = 0
    wrong: list[str] = field(default_factory=list)


class Hang(BaseException):
    """It took too long."""


def attack(kind: Kind, count: int, seed: int, scratch: Path) -> Count:
    """`count` inputs, drawn from `seed`."""
    found, sound = Count(), scratch / "sound"
    shutil.rmtree(scratch, ignore_errors=True)
    sound.mkdir(parents=True)
    kind.make(sound)
    shutil.copytree(sound, scratch / "read")
    with quiet():
        expected = kind.read(scratch / "read")
    mutators = (flipped, truncated, spliced, *kind.mutators * 2)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        folder = scratch / "tried"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sound, folder)
        mutator = mutators[int(rng.integers(len(mutators)))]
        free = mutator(folder, rng) or not kind.checked
        what = f"{kind.name} seed {seed} number {number} ({mutator.__name__})"
        try:
            with limited(SECONDS), warnings.catch_warnings(), quiet():
                warnings.simplefilter("error")
                result = kind.read(folder)
        except UserError as error:
            found.refused += 1
            text = str(error)
            if not text.isprintable() or len(text.replace(str(scratch), "")) > LONGEST:
                found.wrong.append(f"{what}: a bad line: {text!r}")
        except Hang:
            found.wrong.append(f"{what}: more than {SECONDS} s")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            found.wrong.append(
                f"{what}: {type(error).__name__}: {str(error)[:200]} at {last.filename}:"
                f"{last.lineno}"
            )
        else:
            if repr(result) == repr(expected):
                found.same += 1
            elif free or (kind.heals and result is None):
                found.accepted += 1
            else:
                found.wrong.append(f"{what}: believed")
    shutil.rmtree(scratch, ignore_errors=True)
    return found


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """`Hang` after so long."""

    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield


# --- bytes ---------------------------------------------------------------------------------------


def some_file(folder: Path, rng: Rng) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return files[int(rng.integers(len(files)))]


def flipped(folder: Path, rng: Rng) -> bool:
    """One to eight bits of a file."""
    path = some_file(folder, rng)
    data = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 9))):
        if data:
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    return False


def truncated(folder: Path, rng: Rng) -> bool:
    path = some_file(folder, rng)
    data = path.read_bytes()
    if rng.random() < 0.1:
        path.unlink()
    else:
        path.write_bytes(data[: int(rng.integers(len(data) + 1))])
    return False


def spliced(folder: Path, rng: Rng) -> bool:
    """A piece twice, moved, or replaced by zeros, noise or text."""
    path = some_file(folder, rng)
    data = path.read_bytes()
    a, b = sorted(rng.integers(len(data) + 1, size=2).tolist())
    piece = (data[a:b], bytes(b - a), rng.bytes(min(b - a, 64)), b"\x1b[2J\0", b"")
    path.write_bytes(data[:a] + piece[int(rng.integers(len(piece)))] + data[b:])
    return False


# --- JSON ----------------------------------------------------------------------------------------

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
STRANGE = (
    None, True, False, -1, 0, 1, 10**12, 10**30, 0.5, -0.25, 1e300, "", "x", "nan", "\x1b[2J",
    "a\nb", "\ud800", "x" * 5000, [], [1], ["a", None], [[1], "b"], {}, {"a": []}, DEEP,
    float("nan"), float("inf"),
)  # fmt: skip


TEXTS = (
    "", "x", "-1", "nan", "inf", "1e999", "1e400", "-0.0", "0.5%", "9" * 400, "1_0",
    "\0", "\x1b[2J", '"',
    "a" * 140_000, "[[0, 1], [0, 0]]", "input|output", "1" * 70_000, "\ud7ff", "=1+1", "1,2", ";",
)  # fmt: skip


def one(rng: Rng, of: Any) -> Any:
    return of[int(rng.integers(len(of)))]


def changed_json(value: Any, rng: Rng) -> Any:
    """One value somewhere replaced, removed, or of another name."""
    value = json.loads(json.dumps(value))
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        found = waiting.pop()
        keys = list(found) if isinstance(found, dict) else range(len(found))
        places += [(found, key) for key in keys]
        waiting += [found[key] for key in keys if isinstance(found[key], dict | list)]
    if not places or rng.random() < 0.02:
        return STRANGE[int(rng.integers(len(STRANGE)))]
    holder, key = places[int(rng.integers(len(places)))]
    if rng.random() < 0.2:
        del holder[key]
    elif isinstance(holder[key], int | float) and rng.random() < 0.3:
        holder[key] = holder[key] * 2 + 1
    else:
        holder[key] = STRANGE[int(rng.integers(len(STRANGE)))]
    return value


def text_of(value: Any, rng: Rng) -> str:
    """As JSON, now and then with one of its many ways to be wrong."""
    text = json.dumps(value)
    at = int(rng.integers(len(text) + 1))
    wrong = (text + text, text[:at], text.replace("{", '{"a": 1, "a": 2, ', 1), "[" * 100_000,
             text.replace(": ", ": 1e999, ", 1), "")  # fmt: skip
    return wrong[int(rng.integers(len(wrong)))] if rng.random() < 0.1 else text


def json_of(name: str, forge: bool = False) -> Mutator:
    """Edits a JSON file. forge: with the digest that belongs to what is there now."""

    def edited(folder: Path, rng: Rng) -> bool:
        path = folder / name
        value = changed_json(json.loads(path.read_text()), rng)
        if forge and isinstance(value, dict):
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                value = sealed(value)
        path.write_text(text_of(value, rng), encoding="utf-8", errors="surrogatepass")
        return forge

    edited.__name__ = f"{'forged' if forge else 'edited'} {name}"
    return edited


# --- npz -----------------------------------------------------------------------------------------


def changed_array(array: np.ndarray, rng: Rng) -> np.ndarray:
    """Another dtype, shape, order or value."""
    which = int(rng.integers(9))
    if which == 0:
        dtypes = ("float64", "int64", "int8", "bool", "U8", "complex64", "float16")
        return array.astype(dtypes[int(rng.integers(len(dtypes)))])
    if which == 1:
        return array.reshape(-1)
    if which == 2:
        return array[..., None]
    if which == 3:
        return array[:0] if array.ndim else array.reshape(1)
    if which == 4:
        return np.sort(array.reshape(-1))[::-1].reshape(array.shape)
    if array.dtype.kind not in "iuf" or not array.size:
        return array.reshape(1, *array.shape)
    array = array.copy()
    wrong = (np.nan, np.inf, -1e30, -1, 2, 1e9) if array.dtype.kind == "f" else (-1, 10**9, 0, 77)
    value = wrong[int(rng.integers(len(wrong)))]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = np.array(value).astype(array.dtype)
    if which == 5:
        array[...] = value
    else:
        array.reshape(-1)[int(rng.integers(array.size))] = value
    return array


def header(shape: str, descr: str = "<f4", order: bool = False) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HEADERS = (
    header("(100000000000000,)"), header("(-1,)"), header("(3, -5)"), header("((1,),)"),
    header("(2,)", "|O"), header("(1000000000000000,)", "|V0"), header("()", "[('a', '<f4')]"),
    header("(" * 3000 + ")" * 3000), header("(10**9,)"), header("(99999999999999999999,)"),
    b"\x93NUMPY\x09\x00\x00\x00", b"\x93NUMPY\x02\x00\xff\xff\xff\xff", b"", b"\x80\x04K\x01.",
    header("(4,)") + bytes(4), header("(4,)") + bytes(400), header("(2, 2)", "<f4", True),
)  # fmt: skip


def npz_of(name: str, forge: bool = False) -> Mutator:
    """Edits an `.npz`. forge: with the digests that belong to what is there now."""

    def edited(folder: Path, rng: Rng) -> bool:
        path = folder / name
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        meta: Any = json.loads(str(arrays.pop("meta"))) if "meta" in arrays else None
        key = list(arrays)[int(rng.integers(len(arrays)))]
        which = int(rng.integers(6))
        raw: dict[str, bytes] = {}
        if which < 3:
            arrays[key] = changed_array(arrays[key], rng)
        elif which == 3 and meta is not None:
            meta = changed_json(meta, rng)
        elif which == 4:
            del arrays[key]
        else:
            raw[key] = HEADERS[int(rng.integers(len(HEADERS)))]
        if forge and isinstance(meta, dict):
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                meta = sealed(meta | {"arrays": digest_of_arrays(arrays)})
        if meta is not None:
            arrays["meta"] = np.array(text_of(meta, rng) if forge else json.dumps(meta))
        write_zip(path, arrays, raw, twice=rng.random() < 0.05, bomb=rng.random() < 0.02)
        return forge

    edited.__name__ = f"{'forged' if forge else 'edited'} {name}"
    return edited


def write_zip(
    path: Path,
    arrays: dict[str, np.ndarray],
    raw: dict[str, bytes],
    *,
    twice: bool = False,
    bomb: bool = False,
) -> None:
    """twice: a member. bomb: one that is very large when unpacked."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array))
            data = raw.get(name, content.getvalue())
            for _ in range(2 if twice else 1):
                archive.writestr(f"{name}.npy", data)
        if bomb:
            archive.writestr("zeros.npy", header("(50000000,)") + bytes(200_000_000))
