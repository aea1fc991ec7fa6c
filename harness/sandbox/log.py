"""What a step printed: capped, and made harmless to show."""

from __future__ import annotations

from harness.card.text import plain

# Kept of the beginning and of the end of what a step prints.
KEPT_BYTES = 32 * 1024


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
