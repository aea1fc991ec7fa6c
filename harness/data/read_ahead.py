"""The next piece of a file is read while the one before is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Make the next item in a thread while the one before is used.

    The thread is never waited for. What is left before its end may be closed while garbage is
    collected, at any moment of any thread: also of one that holds a lock of `threading`, where
    waiting for another thread would not end. The thread closes `items` when it lets go of them.
    """
    thread = ThreadPoolExecutor(max_workers=1)
    try:
        following = thread.submit(next, items, None)
        while (found := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield found
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
