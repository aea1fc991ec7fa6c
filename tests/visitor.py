"""A visitor without a browser: speaks Streamlit's protocol over a web socket, and takes the time.

For tests and benchmarks of the leaderboard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

# The largest page: a table of 500 entries and its model.
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a visit took and brought.

    Attributes
    ----------
    wall_s : float
        From asking for the page to its last element, the connection included.
    n_elements, n_bytes : int
        Elements of the page, and bytes that were sent for it.
    """

    wall_s: float
    n_elements: int
    n_bytes: int
    has_failed: bool


async def visit(url: str, query: str = "", page: str = "") -> Answer:
    """Open one page and wait until it is whole."""
    parts = urlsplit(url)
    address = f"ws://{parts.netloc}{parts.path.rstrip('/')}/_stcore/stream"
    started = time.perf_counter()
    n_elements = n_bytes = 0
    has_failed = False
    async with connect(
        address, subprotocols=[Subprotocol("streamlit")], max_size=_MAX_BYTES, open_timeout=60
    ) as socket:
        ask = BackMsg()
        ask.rerun_script.query_string = query
        ask.rerun_script.page_name = page
        await socket.send(ask.SerializeToString())
        while True:
            raw = await asyncio.wait_for(socket.recv(), timeout=120)
            message = ForwardMsg()
            message.ParseFromString(raw)
            n_bytes += len(raw)
            kind = message.WhichOneof("type")
            if kind == "delta":
                n_elements += 1
                has_failed |= message.delta.new_element.WhichOneof("type") == "exception"
            if kind == "script_finished":
                break
    return Answer(
        wall_s=time.perf_counter() - started,
        n_elements=n_elements,
        n_bytes=n_bytes,
        has_failed=has_failed,
    )


def visit_at_once(url: str, asked: Sequence[tuple[str, str]]) -> list[Answer]:
    """Let several visitors ask at the same moment, each for a (query, page)."""

    async def everyone() -> list[Answer]:
        return list(await asyncio.gather(*(visit(url, query, page) for query, page in asked)))

    return asyncio.run(everyone())
