"""Events on their way into the cache, from whatever format they are stored in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from harness.challenge import PARTS, join_checksums
from harness.data.beside import Algorithms
from harness.data.cache_record import ReadingReport
from harness.submission.events import Events


@dataclass(frozen=True, kw_only=True, slots=True)
class EventSource:
    """Events on their way into the cache.

    Attributes
    ----------
    chunks : iterable of (events, classes)
        float32 events of shape (m, *layout.shape), or sparse ones, and the class column or None.
        The arrays are the cache's to change.
    n_events : int
        How many there will be in all.
    checksum : str or None
        Of the source file; None: it is that of the decoded events, so that it does not depend on
        how they were stored: the SHA-256 of "blake3:" and the BLAKE3 digest, in hexadecimal digits,
        of the events of the test part, in order, as little-endian float32; or of all events where
        there is no such part.
    ids : int64 array of shape (n_events,), or None
        The number of each event, where the file has one.
    menu : bool array of shape (n_events,), or None
        Which events the menu of the trigger accepts, where the challenge has one.
    conditions : mapping of name to iterable of float64 array, shape (m,)
        What each `Condition` of the challenge was, chunk by chunk; of background alone.
    algorithms : Algorithms or None
        Decisions of the single algorithms of the menu, where the challenge has them.
    parts : int8 array of shape (n_events,), or None
        Index in `PARTS` of the part of each event, where a dataset of the file says it.
    reading : callable or None
        Says, once all events are read, what the rules of the source did.
    """

    chunks: Iterable[tuple[Events, NDArray[np.floating] | None]]
    n_events: int
    checksum: str | None
    ids: NDArray[np.int64] | None = None
    menu: NDArray[np.bool_] | None = None
    conditions: Mapping[str, Iterable[NDArray[np.float64]]] = field(default_factory=dict)
    algorithms: Algorithms | None = None
    parts: NDArray[np.int8] | None = None
    reading: Callable[[], ReadingReport] | None = None


class ContentDigest:
    """The checksum of the decoded events of a source that states none; see `EventSource`."""

    def __init__(self, source: EventSource) -> None:
        self._is_wanted = source.checksum is None
        # Several times as fast as SHA-256, which is what all other checksums are.
        self._digest = blake3()
        self._is_hashed: NDArray[np.bool_] | None = None
        if self._is_wanted and source.parts is not None:
            is_test = source.parts == PARTS.index("test")
            self._is_hashed = is_test if is_test.any() else None

    def add(self, chunk: Events, first: int) -> None:
        """Add events, of which the first has the position `first`."""
        if not self._is_wanted:
            return
        events = np.ascontiguousarray(np.asarray(chunk), "<f4")
        if self._is_hashed is not None:
            is_hashed = self._is_hashed[first : first + len(events)]
            events = events if is_hashed.all() else events[is_hashed]
        self._digest.update(events.reshape(-1).view(np.uint8).data)

    @property
    def is_of_test_events(self) -> bool:
        """Whether it is the checksum by which data sets are known."""
        return self._is_wanted and self._is_hashed is not None

    @property
    def checksum(self) -> str:
        """``sha256:`` of what was added."""
        return join_checksums([f"blake3:{self._digest.hexdigest()}"])
