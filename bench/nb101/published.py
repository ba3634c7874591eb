"""The two files google-research/nasbench publishes."""

from typing import NamedTuple

from rlnas.bench.fetch import Download


class Official(NamedTuple):
    """One of the two published files."""

    name: str  # of the table made from it
    filename: str
    size: int  # bytes; follows from the format and the cells, and `synthetic` meets it to the byte
    sha256: str


ONLY_108 = Official(
    "nb101-108",
    "nasbench_only108.tfrecord",
    522_767_376,
    "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
)
FULL = Official(
    "nb101-full",
    "nasbench_full.tfrecord",
    2_085_986_016,
    "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
)
OFFICIAL = (ONLY_108, FULL)
# Ying et al. 2019, section 2: what the accuracies in the official files were measured on.
OFFICIAL_SPLITS = {"train": 40_000, "validation": 10_000, "test": 10_000}
OFFICIAL_RECIPE = {"data": "CIFAR-10", "paper": "Ying et al. 2019, arXiv 1902.09635"}


def _download(name: str, what: str, file: Official) -> Download:
    """From the three names under which Google serves one public bucket."""
    urls = (
        f"https://storage.googleapis.com/nasbench/{file.filename}",
        f"https://nasbench.storage.googleapis.com/{file.filename}",
        f"https://commondatastorage.googleapis.com/nasbench/{file.filename}",
    )
    return Download(name, what, file.filename, urls, file.sha256, file.size)


DOWNLOADS = (
    _download("nb101", "NAS-Bench-101, 108 epochs, 423,624 cells x 3 repeats (0.5 GB)", ONLY_108),
    _download("nb101-full", "NAS-Bench-101, 4, 12, 36 and 108 epochs (2.1 GB)", FULL),
)
