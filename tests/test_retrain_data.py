"""Images for retraining: CIFAR-10's archive, `.npz` files, the split, the scale; augmentation."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

REASON = "the extra `retrain` is not installed: no real trainings here"
torch = pytest.importorskip("torch", reason=REASON)

from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.fetch import Download  # noqa: E402
from rlnas.bench.nb301.recipe import NB301  # noqa: E402
from rlnas.bench.retrain import augment, cifar, datasets  # noqa: E402
from rlnas.bench.retrain.presets import QUICK  # noqa: E402

RECORDS = 20
FILES = (*cifar.TRAIN_FILES, *cifar.TEST_FILES)


def records(seed: int, n: int = RECORDS) -> bytes:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (n, cifar.RECORD_BYTES), dtype=np.uint8)
    rows[:, 0] = np.arange(n) % 10
    return rows.tobytes()


def write(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def whole() -> dict[str, bytes]:
    return {"batches.meta.txt": b"airplane\n", **{name: records(i) for i, name in enumerate(FILES)}}


def test_the_archive_is_read_record_by_record(tmp_path: Path, whole: dict[str, bytes]) -> None:
    backwards = dict(reversed(whole.items()))  # the order in the archive means nothing
    images, labels, test_images, test_labels = cifar.read_archive(
        write(tmp_path / "c.tar.gz", backwards), RECORDS
    )
    assert images.shape == (100, 3, 32, 32) and test_images.shape == (20, 3, 32, 32)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    third = whole[
        "data_batch_3.bin"
    ]  # its record 7, by hand: label, then red, green and blue rows of 32
    start = 7 * 3073
    assert labels[47] == third[start] == 7
    for channel, row, column in ((0, 0, 0), (1, 2, 3), (2, 31, 31)):
        assert (
            images[47, channel, row, column]
            == third[start + 1 + 1024 * channel + 32 * row + column]
        )
    assert test_labels.tolist() == list(range(10)) * 2


def short(files: dict[str, bytes]) -> None:
    files["data_batch_2.bin"] = files["data_batch_2.bin"][:-1]


def missing(files: dict[str, bytes]) -> None:
    del files["test_batch.bin"]


def label_ten(files: dict[str, bytes]) -> None:
    data = bytearray(files["data_batch_5.bin"])
    data[4 * 3073] = 10
    files["data_batch_5.bin"] = bytes(data)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (short, "data_batch_2.bin has 61,459 bytes, expected 20 records of 3,073"),
        (missing, "has no test_batch.bin"),
        (label_ten, "data_batch_5.bin, record 4 has label 10, expected 0 to 9"),
    ],
)
def test_a_damaged_archive_is_named(
    tmp_path: Path, whole: dict[str, bytes], damage, reason: str
) -> None:
    damage(whole)
    with pytest.raises(UserError, match=reason):
        cifar.read_archive(write(tmp_path / "c.tar.gz", whole), RECORDS)


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "c.tar.gz"
    path.write_bytes(b"<html>")
    with pytest.raises(UserError, match="is no CIFAR-10 archive, or damaged"):
        cifar.read_archive(path)


def test_the_download_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By size and SHA-256, before anything is read."""
    assert len(cifar.CIFAR10.sha256 or "") == 64
    (tmp_path / cifar.CIFAR10.filename).write_bytes(b"not the images")
    with pytest.raises(UserError, match="14 bytes, expected 170,052,171"):
        datasets.load("cifar10", data_dir=tmp_path)
    small = Download("cifar10", "", cifar.CIFAR10.filename, (), "0" * 64)
    monkeypatch.setattr(cifar, "CIFAR10", small)
    with pytest.raises(UserError, match=r"sha256 .*, expected 0000"):
        datasets.load("cifar10", data_dir=tmp_path)


def test_cifar10_as_a_data_set(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar, "archive", lambda data_dir: write(tmp_path / "c.tar.gz", whole))
    read = cifar.read_archive
    monkeypatch.setattr(cifar, "read_archive", lambda path: read(path, RECORDS))
    data = datasets.load("cifar10", val_images=30)
    assert data.splits == {"train": 70, "val": 30, "test": 20} and (
        data.channels,
        data.classes,
    ) == (3, 10)
    assert np.bincount(data.val.labels).tolist() == [3] * 10, "the validation part is not balanced"
    together = torch.cat([data.train.images, data.val.images]).flatten(1)
    original = torch.from_numpy(read(tmp_path / "c.tar.gz", RECORDS)[0]).flatten(1)
    assert torch.equal(torch.unique(together, dim=0), torch.unique(original, dim=0)), (
        "images were lost or doubled"
    )
    again = datasets.load("cifar10", val_images=30)
    assert torch.equal(data.val.images, again.val.images)


def test_the_scale_is_that_of_the_training_part() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 2, 4, 4), dtype=np.uint8)
    images[:, 1] //= 4
    labels = np.arange(50) % 5
    data = datasets._split(images, labels, images[:10], labels[:10], 10, "")
    scaled = data.scale(data.train.images)
    assert scaled.dtype == torch.float32
    np.testing.assert_allclose(scaled.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std((0, 2, 3), correction=0), 1, atol=1e-5)
    assert abs(float(data.scale(data.val.images).mean())) > 1e-4, (
        "validation images took part in the scale"
    )
    assert datasets.digits().mean is None, "digits are standardised already, as in the table"


def npz(path: Path, **changes) -> Path:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8),
        "y_train": np.arange(40, dtype=np.uint8) % 4,
        "x_test": rng.integers(0, 256, (8, 6, 5, 3), dtype=np.uint8),
        "y_test": np.arange(8) % 4,
    } | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize(
    ("shape", "channels"), [((6, 5), 1), ((6, 5, 1), 1), ((6, 5, 3), 3), ((3, 6, 5), 3)]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_images_of_any_form(
    tmp_path: Path, shape: tuple[int, ...], channels: int, dtype: type
) -> None:
    rng = np.random.default_rng(1)
    x = {
        f"x_{part}": rng.integers(0, 256, (n, *shape)).astype(dtype)
        for part, n in (("train", 40), ("test", 8))
    }
    data = datasets.load(str(npz(tmp_path / "i.npz", **x)))
    assert data.splits == {"train": 32, "val": 8, "test": 8} and data.classes == 4
    assert data.test.images.shape == (8, channels, 6, 5)
    first = (
        x["x_test"][0].reshape(6, 5, channels)
        if shape[0] != 3
        else x["x_test"][0].transpose(1, 2, 0)
    )
    np.testing.assert_array_equal(data.test.images[0].numpy().transpose(1, 2, 0), first)


def test_a_validation_part_of_its_own(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "i.npz", x_val=np.zeros((3, 6, 5, 3), np.uint8), y_val=np.array([0, 1, 9])
    )
    data = datasets.load(str(path))
    assert data.splits == {"train": 40, "val": 3, "test": 8} and data.classes == 10
    assert datasets.identity(str(path), data)["name"] == "i.npz"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"y_test": None},
            "has no array x_test; expected x_train, y_train, x_test and y_test",
        ),
        ({"x_train": np.zeros((40, 7), np.uint8)}, "x_train is uint8 of shape .* expected images"),
        ({"x_train": np.zeros((40, 6, 5, 2), np.uint8)}, "with 1 or 3 channels"),
        ({"y_train": np.zeros(39, int)}, "y_train is int64 of shape .39,. for 40 images"),
        ({"y_train": np.full(40, -1)}, "as many integers from 0 to 65535"),
        ({"y_train": np.zeros(40)}, "as many integers from 0 to 65535"),
    ],
)
def test_files_that_are_no_data_set(tmp_path: Path, changes: dict, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        datasets.load(str(npz(tmp_path / "i.npz", **changes)))


def test_other_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        datasets.load(str(tmp_path / "none.npz"))
    (tmp_path / "bad.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"\.npz: damaged, or not made by rlnas"):
        datasets.load(str(tmp_path / "bad.npz"))
    np.savez(tmp_path / "pickled.npz", x_train=np.array([{}]), y_train=[0], x_test=[0], y_test=[0])
    with pytest.raises(UserError, match=r"\.npz: damaged, or not made by rlnas"):
        datasets.load(str(tmp_path / "pickled.npz"))
    with pytest.raises(
        UserError, match=r"expected one of digits, mnist, cifar10, or the path of an \.npz file"
    ):
        datasets.load("cifar100")
    with pytest.raises(UserError, match="--val-images 40 of 40"):
        datasets._split(
            np.zeros((40, 1, 2, 2), np.uint8), np.arange(40) % 2, *[np.zeros(0)] * 2, 40, ""
        )


def test_the_real_sample(real_data: Path) -> None:
    data = datasets.load(str(real_data / "cifar10_jpeg_5000_1000.npz"))
    assert data.splits == {"train": 4000, "val": 1000, "test": 1000} and (
        data.channels,
        data.classes,
    ) == (3, 10)
    assert np.bincount(data.val.labels).tolist() == [100] * 10
    assert data.mean is not None and 100 < float(data.mean.median()) < 140


# --- augmentation
# ---------------------------------------------------------------------------------------


def generator(seed: int = 0):
    return torch.Generator().manual_seed(seed)


def test_every_crop_and_flip_is_a_piece_of_the_padded_image() -> None:
    images = torch.arange(1, 901 * 2 * 5 * 3 + 1).reshape(901, 2, 5, 3)
    made = augment.crop_and_flip(images, 2, True, generator())
    assert made.shape == images.shape and made.dtype == images.dtype
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    seen = set()
    for before, after in zip(padded, made.numpy(), strict=True):
        fits = [
            (y, x, flip)
            for y in range(5)
            for x in range(5)
            for flip in (1, -1)
            if (before[:, y : y + 5, x : x + 3][:, :, ::flip] == after).all()
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) == 50, "not all shifts come, mirrored and not"


def test_cutout_blanks_a_square_cut_at_the_border() -> None:
    made = augment.cutout(torch.ones(400, 2, 9, 9), 4, generator()).numpy()
    assert (made[:, 0] == made[:, 1]).all(), "channels are blanked alike"
    corners = set()
    for image in made[:, 0]:
        rows, columns = np.nonzero(image == 0)
        top, left, height, width = rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width <= 16 and min(height, width) >= 2
        corners.add((int(top), int(left)))
        assert height == 4 or top == 0 or top + height == 9
    # DARTS: centres 0..8, from centre - 2 to centre + 2, so from 0 (three centres) to 6.
    assert corners == {(y, x) for y in range(7) for x in range(7)}


def test_draws_come_from_the_generator_alone() -> None:
    images = torch.rand(20, 3, 32, 32, generator=generator(9))
    before = torch.random.get_rng_state()
    first, again, other = (
        augment.after_scaling(augment.before_scaling(images, NB301, g), NB301, g)
        for g in (generator(), generator(), generator(1))
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert augment.before_scaling(images, QUICK, generator()) is images, (
        "the quick preset leaves images alone"
    )


def test_padding_is_black_whatever_the_mean() -> None:
    """Both benchmarks pad raw pixels; the mean colour would be another border."""
    data = datasets._split(*[np.full((40, 1, 8, 8), 200, np.uint8), np.arange(40) % 2] * 2, 10, "")
    made = augment.before_scaling(data.train.images, NB301, generator())
    assert set(made.unique().tolist()) == {0, 200}
