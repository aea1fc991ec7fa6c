"""The log of the served pages: a visitor can neither fill it nor steer a terminal that shows it.

Whoever sends malformed messages makes the server log each with a traceback. Of each kind of
message, which is a place in the code, a few are kept a minute. The rest is counted, and the next
message of the kind says how many there were. A flood of one kind hides no other kind.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from harness.card.text import logged

# Messages of one kind that are kept in one window.
MAX_MESSAGES = 3
WINDOW_S = 60.0
# Of a traceback; the end says what happened.
_MAX_CHARACTERS = 4_000


@dataclass(kw_only=True, slots=True)
class _Kind:
    """How many messages of one kind came since `began`."""

    began: float
    n_kept: int = 0
    n_dropped: int = 0


class BoundedLog(logging.Filter):
    """Keeps a few messages of each kind a minute, made harmless; counts the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, str, int], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a message is kept."""
        now = self._clock()
        place = (record.name, record.pathname, record.lineno)
        kind = self._kinds.setdefault(place, _Kind(began=now))
        n_before = 0
        if now - kind.began >= WINDOW_S:
            n_before = kind.n_dropped
            kind.began, kind.n_kept, kind.n_dropped = now, 0, 0
        if kind.n_kept == MAX_MESSAGES:
            kind.n_dropped += 1
            return False
        kind.n_kept += 1
        _clean(record, _remark(n_before, is_last=kind.n_kept == MAX_MESSAGES))
        return True


def _remark(n_before: int, *, is_last: bool) -> str:
    found = []
    if n_before:
        found.append(f"{n_before:,} more of this kind came before and were left out")
    if is_last:
        found.append(f"more of this kind are left out and counted for {WINDOW_S:.0f} s")
    return f" ({'; '.join(found)})" if found else ""


def _clean(record: logging.LogRecord, remark: str) -> None:
    """Make the text of a message harmless, whose words it may repeat."""
    record.msg, record.args = (
        f"{logged(record.getMessage())[:_MAX_CHARACTERS].rstrip()}{remark}",
        (),
    )
    if record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info))
        record.exc_text = logged(text[-_MAX_CHARACTERS:]).rstrip()
        record.exc_info = None


def bound_log() -> None:
    """Bound what every logger of this process writes, those to come included."""
    bound = BoundedLog()

    class Bounded(logging.Logger):
        def __init__(self, name: str, level: int = logging.NOTSET) -> None:
            super().__init__(name, level)
            self.addFilter(bound)

    logging.setLoggerClass(Bounded)
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in known:
        if isinstance(logger, logging.Logger):
            logger.addFilter(bound)
