"""A real HTTP server on loopback that serves files well or badly, as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

# A behaviour answers a request for content; `number` counts the requests for its path from 0.
Behaviour = Callable[["Handler", bytes, int], None]


@dataclass
class Served:
    """What the server holds, how it behaves, and what it was asked for."""

    contents: dict[str, bytes] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def add(self, name: str, content: bytes, behaviour: Behaviour | None = None) -> str:
        """Serve `content` under `name`; return its address."""
        self.contents[f"/{name}"] = content
        if behaviour is not None:
            self.behaviours[f"/{name}"] = behaviour
        return f"{self.url}/{name}"

    def add_record(self, record: str, files: dict[str, bytes], **changes: object) -> None:
        """Serve a Zenodo record answer and the contents that it links to.

        The shape is that of https://zenodo.org/api/records/<id> (InvenioRDM, since October 2023).
        """
        entries = []
        for name, content in files.items():
            path = f"api/records/{record}/files/{name}/content"
            self.add(path, content)
            entries.append(
                {
                    "id": "0b4f3f0e-6a3e-4f0f-9c3b-0d9f3a3f5b7e",
                    "key": name,
                    "size": len(content),
                    "checksum": f"md5:{md5(content, usedforsecurity=False).hexdigest()}",
                    "links": {"self": f"{self.url}/{path}"},
                    **changes,
                }
            )
        answer = {
            "created": "2022-10-06T10:00:00.000000+00:00",
            "id": int(record),
            "doi": f"10.5281/zenodo.{record}",
            "metadata": {"title": "A record", "license": {"id": "cc-by-4.0"}},
            "files": entries,
            "status": "published",
        }
        self.add(f"api/records/{record}", json.dumps(answer).encode())

    def asked(self, name: str) -> list[str | None]:
        """Return the Range of each request for `name`."""
        return [held for path, held in self.requests if path == f"/{name}"]


class Handler(BaseHTTPRequestHandler):
    """Answers from a `Served`."""

    protocol_version = "HTTP/1.1"
    served: Served

    def do_GET(self) -> None:
        """Answer one request."""
        path = unquote(self.path.partition("?")[0])
        number = sum(asked == path for asked, _ in self.served.requests)
        self.served.requests.append((path, self.headers.get("Range")))
        self.served.heads.append(dict(self.headers.items()))
        content = self.served.contents.get(path)
        if content is None:
            self.send_error(404)
            return
        self.served.behaviours.get(path, serve_well)(self, content, number)

    do_HEAD = do_GET  # noqa: N815 - for answers without a body

    def begin(self, status: int, length: int, **headers: str) -> None:
        """Send the head of an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def range_start(self) -> int:
        """First byte that was asked for."""
        return int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def serve_well(handler: Handler, content: bytes, _: int) -> None:
    """Serve whole files and ranges."""
    start = handler.range_start()
    if start == 0:
        handler.begin(200, len(content))
    elif start >= len(content):
        handler.begin(416, 0, Content_Range=f"bytes */{len(content)}")
        return
    else:
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.begin(206, len(content) - start, Content_Range=span)
    handler.wfile.write(content[start:])


def cut_after(n_bytes: int) -> Behaviour:
    """Close the line after `n_bytes` of each answer."""

    def behave(handler: Handler, content: bytes, _: int) -> None:
        start = handler.range_start()
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.begin(206 if start else 200, len(content) - start, Content_Range=span)
        handler.wfile.write(content[start : start + n_bytes])
        handler.wfile.flush()
        handler.close_connection = True

    return behave


def ignore_ranges(handler: Handler, content: bytes, number: int) -> None:
    """Send the whole file each time; the first time only its first half."""
    handler.begin(200, len(content))
    handler.wfile.write(content if number else content[: len(content) // 2])
    handler.close_connection = True


def fail_first(n_times: int, status: int, **headers: str) -> Behaviour:
    """Answer `status` a few times, then serve well."""

    def behave(handler: Handler, content: bytes, number: int) -> None:
        if number < n_times:
            handler.begin(status, 0, **headers)
        else:
            serve_well(handler, content, number)

    return behave


def say_length(change: int) -> Behaviour:
    """Announce a length that is off by `change`, and close after the content."""

    def behave(handler: Handler, content: bytes, _: int) -> None:
        handler.begin(200, len(content) + change)
        handler.wfile.write(content)
        handler.close_connection = True

    return behave


def serve_slowly(piece_bytes: int, pause_s: float) -> Behaviour:
    """Send a piece at a time."""

    def behave(handler: Handler, content: bytes, number: int) -> None:
        start = handler.range_start()
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.begin(206 if start else 200, len(content) - start, Content_Range=span)
        for place in range(start, len(content), piece_bytes):
            handler.wfile.write(content[place : place + piece_bytes])
            handler.wfile.flush()
            time.sleep(pause_s)

    return behave


def hold_after(n_bytes: int) -> Behaviour:
    """Send so much of an answer, and the rest never: the client has to leave."""

    send_some = cut_after(n_bytes)

    def behave(handler: Handler, content: bytes, number: int) -> None:
        send_some(handler, content, number)
        # Returns when the client has closed the line.
        handler.rfile.read(1)

    return behave


def serve_after(pause_s: float) -> Behaviour:
    """Serve well, after a pause."""

    def behave(handler: Handler, content: bytes, number: int) -> None:
        time.sleep(pause_s)
        with suppress(OSError):
            serve_well(handler, content, number)

    return behave


def serve_without_length(handler: Handler, content: bytes, _: int) -> None:
    """Send the file and close, without saying how long it is."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(content)
    handler.close_connection = True


def serve_for_ever(handler: Handler, content: bytes, _: int) -> None:
    """Send more and more, without saying how long it is."""
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(content)
    handler.close_connection = True


def go_on_for_ever(handler: Handler, _: bytes, __: int) -> None:
    """Send interim answers and never a final one."""
    with suppress(OSError):
        while True:
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.02)
    handler.close_connection = True


@contextmanager
def file_server() -> Iterator[Served]:
    """Run a server until the end of the block."""
    served = Served()
    handler = type("BoundHandler", (Handler,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # A client that was killed leaves a broken pipe, which is not a fault of the server.
    server.handle_error = lambda *_: None
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
