"""One visitor cannot fill the log of the served pages, nor steer the terminal that shows it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from leaderboard_app.log import MAX_MESSAGES, WINDOW_S, BoundedLog
from leaderboard_app.settings import Settings
from tests.app.conftest import run_server
from tests.visitor import visit_at_once

N_MESSAGES = 300


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += self.format(record).splitlines()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock) -> Iterator[Kept]:
    handler = Kept()
    logger = logging.getLogger("bounded")
    logger.propagate = False
    logger.addHandler(handler)
    bound = BoundedLog(clock)
    logger.addFilter(bound)
    yield handler
    logger.removeHandler(handler)
    logger.removeFilter(bound)


def flood(n: int, text: str = "malformed") -> None:
    for _ in range(n):
        try:
            raise ValueError(text)
        except ValueError:
            logging.getLogger("bounded").exception("Error: %s", text)


def test_a_flood_of_one_kind_is_counted_and_hides_no_other(kept, clock):
    flood(1000)
    assert sum(line.startswith("Error") for line in kept.lines) == MAX_MESSAGES
    assert len(kept.lines) < 20 * MAX_MESSAGES
    (last,) = (line for line in kept.lines if "left out and counted" in line)
    assert last.startswith("Error: malformed (more of this kind")

    logging.getLogger("bounded").warning("the disk is full")
    assert kept.lines[-1] == "the disk is full"

    clock.now += WINDOW_S
    flood(1)
    shown = "\n".join(kept.lines)
    assert f"{1000 - MAX_MESSAGES} more of this kind came before and were left out" in shown


def test_what_a_visitor_sent_steers_no_terminal(kept):
    flood(1, "\x1b[2J\u202e\n::add-mask::x ##[group]")
    shown = "\n".join(kept.lines)
    assert not set(shown) & {"\x1b", "\u202e"}
    assert not re.search(r"^\s*::|##\[", shown, re.MULTILINE)


async def send(url: str, message: bytes | str) -> None:
    parts = urlsplit(url)
    address = f"ws://{parts.netloc}/_stcore/stream"
    try:
        async with connect(address, subprotocols=[Subprotocol("streamlit")]) as socket:
            await socket.send(message)
            async with asyncio.timeout(0.5):
                await socket.recv()
    except (WebSocketException, OSError, TimeoutError):
        pass


async def send_all(url: str) -> None:
    kinds = (b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", "text", b"\x1b[31m", bytes(99))
    for first in range(0, N_MESSAGES, 20):
        messages = (kinds[number % len(kinds)] for number in range(first, first + 20))
        await asyncio.gather(*(send(url, message) for message in messages))


def test_malformed_messages_do_not_fill_the_log_of_a_real_server(results, tmp_path):
    with run_server(Settings(results=str(results)), tmp_path) as running:
        asyncio.run(send_all(running.url))
        (answer,) = visit_at_once(running.url, [("challenge=sample", "")])
        log = running.log.read_text(errors="replace")
    assert not answer.has_failed
    assert "left out and counted" in log
    assert log.count("Traceback") <= 4 * MAX_MESSAGES
    assert len(log.splitlines()) < N_MESSAGES
    assert "\x1b" not in log
