"""What a step printed: capped, and made harmless to show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from harness.card.text import plain, quoted

# Kept of the beginning and of the end of what a step prints.
KEPT_BYTES = 32 * 1024
# Shown of these: lines of the beginning and of the end, and characters of each.
SHOWN_LINES = 40
SHOWN_CHARACTERS = 400
# What TensorFlow itself says whenever it is loaded, whatever its level of logging.
_OF_TENSORFLOW = re.compile(
    r"WARNING: All log messages before absl::InitializeLog\(\)|[IW]\d{4} \d\d:\d\d:|E\d{4} .*cuInit"
)


class CappedLog:
    """Keeps the head and the tail of a stream of bytes in bounded memory."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self.n_bytes = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self.n_bytes += len(data)
        room = self._kept_bytes - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > 2 * self._kept_bytes:
            del self._tail[: -self._kept_bytes]

    def text(self) -> str:
        """Return what is kept as plain text, with a line that says how much was left out."""
        tail = self._tail[-self._kept_bytes :]
        left_out = self.n_bytes - len(self._head) - len(tail)
        gap = f"\n[... {left_out:,} bytes left out ...]\n" if left_out else ""
        parts = (self._head.decode(errors="replace"), tail.decode(errors="replace"))
        return gap.join(plain(part) for part in parts)


def show_printed(tell: Callable[[str], None], who: str) -> Callable[[str], None]:
    """Return what passes an excerpt of a step's log to `tell`, line by line.

    Parameters
    ----------
    tell : callable
        Receives a line of text.
    who : str
        Whose output it is, such as ``model.py``.
    """

    def show(log: str) -> None:
        lines = list(excerpt(log))
        for line in [f"{who} printed:", *lines] if lines else []:
            tell(line)

    return show


def excerpt(log: str) -> Iterator[str]:
    r"""Yield the first and the last lines of a log, quoted, so that no line passes for another's.

    What TensorFlow says when it is loaded is left out.

    Examples
    --------
    >>> list(excerpt("loss 0.5\n::error::no"))
    ['| loss 0.5', '| : :error: :no']
    """
    lines = [line for line in log.strip("\n").splitlines() if not _OF_TENSORFLOW.match(line)]
    left_out = len(lines) - 2 * SHOWN_LINES
    if left_out > 0:
        gap = f"[... {left_out:,} lines left out ...]"
        lines = [*lines[:SHOWN_LINES], gap, *lines[-SHOWN_LINES:]]
    for line in lines:
        cut = line[:SHOWN_CHARACTERS]
        yield quoted(f"{cut} [...]" if len(line) > len(cut) else cut or " ")
