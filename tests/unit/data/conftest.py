"""A toy challenge whose events are in a cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.challenge import Challenge, DataFile
from harness.data.cache import lock_process, store_events
from harness.data.cache_record import CacheRecord
from harness.data.event_source import EventSource
from harness.data.events import EventStore, open_store
from harness.data.selection import AccessRecord
from tests.events import make_challenge, make_events, toy_file, with_classes

CHECKSUM = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Toy:
    """A challenge, where its cache is, and the events that went in."""

    challenge: Challenge
    root: Path
    events: dict[str, np.ndarray]

    def store(self, on_access: AccessRecord | None = None) -> EventStore:
        return open_store(self.challenge, self.root, on_access=on_access)


def put_in_cache(
    challenge: Challenge, file: DataFile, root: Path, events: np.ndarray, chunk_events: int = 100
) -> CacheRecord:
    """Store `events` in pieces, as `fetch` does."""
    classes = with_classes(events)[..., 3]
    starts = range(0, len(events), chunk_events)
    chunks = ((events[s : s + chunk_events], classes[s : s + chunk_events]) for s in starts)
    source = EventSource(chunks=chunks, n_events=len(events), checksum=CHECKSUM)
    with lock_process(challenge, file.process, root):
        return store_events(challenge, file, source, root)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """2,000 background events, two signals (one hidden); read only."""
    challenge = make_challenge(
        [
            toy_file(),
            toy_file("a.h5", role="signal", process="a"),
            toy_file("h.h5", role="hidden", process="secret"),
            toy_file("bb.h5", role="blackbox", process="blackbox"),
        ]
    )
    root = tmp_path_factory.mktemp("cache")
    events = {
        "background": make_events(2000, seed=1),
        "a": make_events(300, seed=2),
        "secret": make_events(150, seed=3),
    }
    for file in challenge.files[:3]:
        put_in_cache(challenge, file, root, events[file.process])
    return Toy(challenge=challenge, root=root, events=events)
