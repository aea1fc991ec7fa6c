"""Reading ahead in a thread: order, faults, and what is left before its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from harness.data.read_ahead import ahead


def test_items_come_in_their_order() -> None:
    assert list(ahead(iter(range(1, 50)))) == list(range(1, 50))


def test_a_fault_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_what_is_left_early_is_closed_without_waiting_for_the_thread() -> None:
    is_reading, go_on, is_closed = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        try:
            yield 1
            is_reading.set()
            go_on.wait(20)
            yield 2
        finally:
            is_closed.set()

    items = ahead(slow())
    assert next(items) == 1
    assert is_reading.wait(20)
    items.close()
    assert not is_closed.is_set()
    go_on.set()
    del items
    assert is_closed.wait(20)
