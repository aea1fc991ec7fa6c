"""Streams of made-up events for a trigger whose score is the missing transverse momentum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.trigger.accept import run_trigger
from harness.trigger.folder import held
from harness.trigger.records import TriggerSettings
from harness.trigger.stream import EventSourceOf, Piece
from tests.events import LAYOUT, make_events


def settings(**changes: object) -> TriggerSettings:
    given = {"threshold": 60.0, "section_events": 100, **changes}
    return TriggerSettings(
        team="team_x", challenge="toy", layout=LAYOUT, program="sha256:" + 64 * "0", **given
    )


def met_score(parts: Sequence[object]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(part)[:, 0, 0] for part in parts]).astype(np.float64)


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


def accept(folder: Path, events: NDArray[np.float32], name: str, **changes: object) -> Path:
    """Run a trigger that accepts a fifth of made-up events."""
    given = settings(**{"threshold": 40.0, "section_events": 10_000, **changes})
    with held(folder):
        run_trigger([source(name, events, piece=5_000)], given, met_score, folder)
    return folder


def signal_events(n_events: int) -> NDArray[np.float32]:
    """Events with large MET and six hard jets close to each other, and nothing else."""
    generator = np.random.default_rng(8)
    events = np.zeros((n_events, 19, 3), np.float32)
    events[:, 0, 0] = generator.normal(150.0, 5.0, n_events)
    events[:, 9:15, 0] = -np.sort(-generator.normal(120.0, 5.0, (n_events, 6)), axis=1)
    events[:, 9:15, 1:] = generator.uniform(-1.0, 1.0, (n_events, 6, 2))
    return events
