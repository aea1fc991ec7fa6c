"""What a step printed, made fit to be shown: capped, and stripped of what a terminal obeys."""

from __future__ import annotations

import re
import unicodedata

# Kept of the beginning and of the end of what a step prints.
KEPT_BYTES = 32 * 1024
# ECMA-48: control sequences; strings (OSC, DCS, SOS, PM, APC) up to their end; other escapes.
ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# Controls, formats (bidirectional overrides among them), surrogates, private and unassigned.
UNSHOWN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def plain(text: str) -> str:
    r"""Return `text` without escape sequences, controls, bidirectional and other format characters.

    Newlines and tabs stay; a carriage return becomes a newline, so that nothing is overwritten.

    Examples
    --------
    >>> plain("\x1b[31mred\x1b[0m \u202eevil\rok")
    'red evil\nok'
    """
    text = ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character) not in UNSHOWN
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
