"""What the commands of `make soak` download from."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class Slow(http.server.BaseHTTPRequestHandler):
    """A file of 3 MB in pieces, over some two seconds; knows ranges."""

    body = np.random.default_rng(0).bytes(3_000_000)

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        begin = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        self.send_response(206 if asked else 200)
        rest = self.body[begin:]
        if asked:
            last = len(self.body) - 1
            self.send_header("Content-Range", f"bytes {begin}-{last}/{len(self.body)}")
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        for i in range(0, len(rest), 150_000):
            try:
                self.wfile.write(rest[i : i + 150_000])
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served() -> Iterator[dict[str, str]]:
    """What the lines of the cases refer to."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield {"url": f"http://127.0.0.1:{server.server_port}/soak.tfrecord"}
    server.shutdown()
    server.server_close()
