"""Streams of made-up events for a trigger whose score is the missing transverse momentum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.trigger.records import TriggerSettings
from harness.trigger.stream import EventSourceOf, Piece
from tests.events import LAYOUT, make_events


def settings(**changes: object) -> TriggerSettings:
    given = {"threshold": 60.0, "section_events": 100, **changes}
    return TriggerSettings(
        team="team_x", challenge="toy", layout=LAYOUT, program="sha256:0", **given
    )


def met_score(events: object) -> NDArray[np.float64]:
    return np.asarray(events)[:, 0, 0].astype(np.float64)


def source(
    name: str,
    events: NDArray[np.float32] | int,
    *,
    sections: Sequence[int] | None = None,
    piece: int = 70,
    beside: dict[str, NDArray[np.float64]] | None = None,
) -> EventSourceOf:
    """A source of events, or of so many made-up ones, read in pieces."""
    said = beside or {}
    if isinstance(events, int):
        events = make_events(events, seed=len(name) + sum(map(ord, name)))

    def read() -> Iterator[Piece]:
        for first in range(0, len(events), piece):
            last = min(first + piece, len(events))
            yield Piece(
                events=events[first:last],
                rows=np.arange(first, last),
                sections=None if sections is None else np.asarray(sections)[first:last],
                beside={each: values[first:last] for each, values in said.items()},
            )

    return EventSourceOf(name=name, has_sections=sections is not None, read=read)
