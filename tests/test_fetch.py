"""Downloads against a local server that misbehaves in the usual ways."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rlnas.bench import downloads, fetch
from rlnas.bench.commands.convert import Convert
from rlnas.bench.commands.fetch import Fetch
from rlnas.bench.errors import UserError
from rlnas.bench.fetch import Download
from rlnas.bench.nb101 import published
from rlnas.bench.nb101.family import FAMILY
from rlnas.bench.retrain.cifar import CIFAR10

PAGE = b"\n<!DOCTYPE html><html>Please log in</html>"
DATA = np.random.default_rng(0).bytes(200_000)


class Server:
    """Serves `content` by path; remembers what it was asked. A behaviour is a path's first word."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {
            "good": DATA,
            "drops": DATA,
            "norange": DATA,
            "lies": DATA,
            "stalls": DATA,
        }
        self.content |= {"wrong": bytes(len(DATA)), "longer": DATA + b"x", "unsized": DATA}
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name, wanted = self.path.strip("/"), self.headers.get("Range")
                server.asked.append((name, wanted))
                if special := getattr(self, f"do_{name}", None):
                    return special(wanted)
                data = server.content.get(name)
                if data is None:
                    return self.send_error(404)
                start = 0
                if wanted and name != "norange":
                    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(data):
                        return self.send_error(416)
                    self.send_response(206)
                    said = start - 1 if name == "lies" else start
                    self.send_header("Content-Range", f"bytes {said}-{len(data) - 1}/{len(data)}")
                else:
                    self.send_response(200)
                rest = data[start:]
                if name != "unsized":
                    self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                if name == "drops":
                    rest = rest[:70_000]  # and then the connection is closed
                if name == "stalls":
                    rest = b""
                self.wfile.write(rest)

            def begin(self, **headers: str) -> None:
                self.send_response(200)
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                self.end_headers()

            def do_page(self, wanted: str | None) -> None:
                self.begin(Content_Length=str(len(PAGE)))
                self.wfile.write(PAGE)

            def do_endless_page(self, wanted: str | None) -> None:
                self.begin()
                self.wfile.write(PAGE)

            def do_broken_chunks(self, wanted: str | None) -> None:
                start = 0 if wanted is None else int(wanted[6:-1])
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                rest = DATA[start : start + 70_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(rest), rest))
                if start + len(rest) == len(DATA):
                    self.wfile.write(b"0\r\n\r\n")

            def do_half(self, wanted: str | None) -> None:
                """All from the beginning, whatever is asked for; breaks half-way."""
                self.begin(Content_Length=str(len(DATA)))
                self.wfile.write(DATA[:100_000])

            def do_drip(self, wanted: str | None) -> None:
                self.begin(Content_Length=str(len(DATA)))
                for i in range(400):
                    try:
                        self.wfile.write(DATA[i : i + 1])
                    except OSError:
                        return
                    time.sleep(0.01)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def ranges(self, name: str) -> list[str | None]:
        return [wanted for asked, wanted in self.asked if asked == name]

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "RETRY_WAIT_S", 0.0)
    server = Server()
    yield server
    server.close()


Get = Callable[..., Path]


@pytest.fixture(params=[len(DATA), None], ids=["known size", "unknown size"])
def get(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Get:
    def run(*names: str, **options: object) -> Path:
        mirrors = tuple(server.url(name) for name in names)
        sha256 = hashlib.sha256(DATA).hexdigest()
        item = Download("thing", "a thing", "thing.bin", mirrors, sha256, request.param)
        return fetch.fetch(item, tmp_path, progress=False, **options)  # type: ignore[arg-type]

    return run


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_whole(get: Get, server: Server, tmp_path: Path) -> None:
    assert get("good").read_bytes() == DATA and files(tmp_path) == ["thing.bin"]
    assert get("good") == tmp_path / "thing.bin" and len(server.asked) == 1  # once is enough


def test_dropped_connection_is_resumed_where_it_broke(get: Get, server: Server) -> None:
    assert get("drops").read_bytes() == DATA
    assert server.ranges("drops") == [None, "bytes=70000-", "bytes=140000-"]


def test_interrupted_download_goes_on(get: Get, server: Server, tmp_path: Path) -> None:
    (tmp_path / "thing.bin.part").write_bytes(DATA[:123_456])
    assert get("good").read_bytes() == DATA
    assert server.ranges("good") == ["bytes=123456-"] and files(tmp_path) == ["thing.bin"]


def test_complete_part_needs_no_more_bytes(get: Get, tmp_path: Path) -> None:
    (tmp_path / "thing.bin.part").write_bytes(DATA)
    assert get("good").read_bytes() == DATA


def test_server_without_ranges_starts_over(get: Get, server: Server, tmp_path: Path) -> None:
    (tmp_path / "thing.bin.part").write_bytes(DATA[:1000])
    assert get("norange").read_bytes() == DATA and server.ranges("norange") == ["bytes=1000-"]


def test_server_that_tells_no_length(get: Get) -> None:
    assert get("unsized").read_bytes() == DATA


def test_mirrors_are_tried_in_turn(get: Get, server: Server) -> None:
    assert get("absent", "wrong", "longer", "stalls", "good").read_bytes() == DATA
    assert [name for name, _ in server.asked][-1] == "good" and len(server.ranges("absent")) == 1


def test_a_second_mirror_continues_what_the_first_began(
    get: Get, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "thing.bin.part").write_bytes(DATA[:1000])
    assert get("lies", "good").read_bytes() == DATA
    assert server.ranges("good") == ["bytes=1000-"]


def test_spoilt_beginning_is_thrown_away(get: Get, server: Server, tmp_path: Path) -> None:
    (tmp_path / "thing.bin.part").write_bytes(bytes(1000))
    assert get("good").read_bytes() == DATA
    assert server.ranges("good") == ["bytes=1000-", None]


def test_given_addresses_come_first(get: Get, server: Server) -> None:
    get("absent", urls=[server.url("good")])
    assert not server.ranges("absent")
    with pytest.raises(
        UserError, match="--url file:///x: expected an address that starts with http"
    ):
        get("good", urls=["file:///x"], from_file=None)


def test_wrong_files_are_named_and_not_kept(get: Get, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        get("wrong", "absent")
    text = str(caught.value)
    assert (
        "\n" not in text
        and "/wrong: sha256" in text
        and "/absent: answered 404" in text
        and "--from-file" in text
    )
    assert files(tmp_path) == []


def test_a_broken_line_keeps_what_has_come(get: Get, server: Server, tmp_path: Path) -> None:
    (tmp_path / "thing.bin.part").write_bytes(DATA[:5000])
    with pytest.raises(
        UserError, match=r"the connection broke after 5,000 of 200,000 bytes.*fetch again to go on"
    ):
        get("stalls")
    assert len(server.ranges("stalls")) == fetch.IDLE_TRIES
    assert (tmp_path / "thing.bin.part").read_bytes() == DATA[:5000]


@pytest.mark.parametrize("name", ["page", "endless_page"])
def test_a_web_page_is_not_the_file(name: str, server: Server, tmp_path: Path) -> None:
    """Also where nobody knows the checksum."""
    item = Download("thing", "a thing", "thing.bin", (server.url(name),), None)
    with pytest.raises(UserError, match=f"/{name}: a web page"):
        fetch.fetch(item, tmp_path, progress=False)
    assert files(tmp_path) == []
    good = fetch.fetch(item, tmp_path, urls=[server.url("good")], progress=False)
    assert good.read_bytes() == DATA


def test_a_zip_without_its_end_is_no_file(server: Server, tmp_path: Path) -> None:
    item = Download("thing", "a thing", "thing.zip", (server.url("good"),), None)
    with pytest.raises(UserError, match="/good: no whole zip file"):
        fetch.fetch(item, tmp_path, progress=False)
    assert files(tmp_path) == []


def test_chunks_that_break_off_are_no_end(get: Get, server: Server, tmp_path: Path) -> None:
    assert get("broken_chunks").read_bytes() == DATA
    assert server.ranges("broken_chunks") == [None, "bytes=70000-", "bytes=140000-"]
    assert files(tmp_path) == ["thing.bin"]


@pytest.mark.parametrize(("name", "here"), [("page", 123_456), ("half", 123_456), ("half", 1000)])
def test_a_part_survives_a_server_without_ranges(
    name: str, here: int, get: Get, server: Server, tmp_path: Path
) -> None:
    part = tmp_path / "thing.bin.part"
    part.write_bytes(DATA[:here])
    with pytest.raises(UserError, match=f"/{name}: "):
        get(name)
    kept = 100_000 if (name, here) == ("half", 1000) else here
    assert part.read_bytes() == DATA[:kept] and files(tmp_path) == [part.name]
    assert get("good").read_bytes() == DATA and server.ranges("good") == [f"bytes={kept}-"]


def test_a_drip_is_given_up(get: Get, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setattr(fetch, "PATIENCE_S", 0.1)
    with pytest.raises(UserError, match=r"/drip: only \d+ bytes a second"):
        get("drip")
    assert get("drip", "good").read_bytes() == DATA


@pytest.mark.parametrize(
    "url", ["http://[", "http://", "http://a:99999/", "ftp://a/b", "http://a\n/b", "http://\udcff"]
)
def test_what_is_no_address(url: str, get: Get) -> None:
    with pytest.raises(UserError, match="expected an address that starts with http"):
        get("good", urls=[url])


def test_an_address_goes_over_the_wire_in_ascii(get: Get, server: Server) -> None:
    server.content["gr%C3%B6%C3%9Fe"] = DATA
    assert get(urls=[server.url("größe")]).read_bytes() == DATA
    assert fetch.address("http://münchen.de:80/a%20b?q=ä#c") == (
        "http://xn--mnchen-3ya.de:80/a%20b?q=%C3%A4"
    )
    assert fetch.address("http://[::1]:8/x") == "http://[::1]:8/x"


def test_nobody_there(get: Get, server: Server) -> None:
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/x: .*refused"):
        get(urls=["http://127.0.0.1:9/x"], timeout_s=2.0)


def test_from_file(get: Get, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    with pytest.raises(UserError, match=r"mine: no such file"):
        get(from_file=path)
    path.write_bytes(DATA[:-1])
    with pytest.raises(UserError, match=r"mine: .*expected.*not the file published as thing\.bin"):
        get(from_file=path)
    path.write_bytes(DATA)
    assert get(from_file=path) == path


def test_a_spoilt_file_in_place_is_not_used(get: Get, tmp_path: Path) -> None:
    (tmp_path / "thing.bin").write_bytes(bytes(len(DATA)))
    with pytest.raises(UserError, match="remove it and fetch again"):
        get("good")


def test_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    item = Download("thing", "a thing", "thing.bin", (server.url("good"),), "0" * 64)
    with pytest.raises(UserError, match=r"file/thing\.bin: "):
        fetch.fetch(item, tmp_path / "file", progress=False)


def test_registered_files_are_the_official_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    known = downloads.downloads()
    assert {o.sha256 for o in published.OFFICIAL} <= {d.sha256 for d in known.values()}
    assert known["cifar10"] is CIFAR10
    for download in known.values():
        assert download.urls and all(url.startswith("https://") for url in download.urls)
    with pytest.raises(UserError, match="expected one of nb101, nb101-full"):
        downloads.download_named("nb102")
    monkeypatch.setattr(FAMILY, "downloads", (CIFAR10,))
    with pytest.raises(ValueError, match="two downloads are named 'cifar10'"):
        downloads.downloads()


def test_fetch_command_downloads_and_converts(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path))
    sha256 = hashlib.sha256(DATA).hexdigest()
    small = Download("small", "a small one", "small.tfrecord", (), sha256)
    monkeypatch.setattr(FAMILY, "downloads", (small,))
    converted: list[Convert] = []
    monkeypatch.setattr(Convert, "run", lambda self: converted.append(self))
    url = (server.url("good"),)
    Fetch("small", url=url, convert=False).run()
    path = tmp_path / "downloads" / "small.tfrecord"
    assert f"next: rlnas bench convert {path}" in capsys.readouterr().out and not converted
    Fetch("small", url=url).run()
    assert converted == [Convert(path, sha256=sha256)] and len(server.asked) == 1
