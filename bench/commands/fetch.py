"""`rlnas bench fetch`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from rlnas.bench.bounds import Folder
from rlnas.bench.commands.convert import Convert
from rlnas.bench.files import quoted


@dataclass(frozen=True)
class Fetch:
    """Download a benchmark's file (resumable, checked) and convert it."""

    name: Positional[str] = "nb101"
    """What to fetch: nb101, nb101-full, nb301-yahpo, nb301-v1.0, nb301-v0.9, cifar10 or another
    that `rlnas bench list` shows."""
    url: tuple[str, ...] = ()
    """Addresses to try before the known ones."""
    from_file: Path | None = None
    """Check and use a file that is here already, instead of downloading."""
    folder: Folder | None = None
    """Where the download goes; default: the cache folder."""
    convert: bool = True
    """Convert it right away."""

    def run(self) -> None:
        from rlnas.bench.downloads import download_named
        from rlnas.bench.fetch import fetch

        download = download_named(self.name)
        path = fetch(download, self.folder, urls=self.url, from_file=self.from_file)
        checked = f"sha256 {download.sha256}" if download.sha256 else "no checksum is published"
        print(f"{quoted(path)}: complete, {checked}")
        if not download.convertible:
            return
        if self.convert:
            Convert(path, sha256=download.sha256).run()
        else:
            print(f"next: rlnas bench convert {quoted(path)}")
