"""A black box of a few hundred made-up events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.blackbox.make import Contents, MadeBox, key_of, write_box
from harness.blackbox.seal import BoxKey
from harness.blackbox.sources import BoxSource
from harness.challenge import Challenge
from tests.events import make_challenge, make_events, toy_file


@pytest.fixture
def toy() -> Challenge:
    return make_challenge([toy_file()])


def source(process: str, n_events: int, *, seed: int, **more: object) -> BoxSource:
    events = make_events(n_events, seed=seed)

    def read(rows: np.ndarray) -> Iterator[np.ndarray]:
        for some in np.array_split(rows, 3):
            yield events[some]

    return BoxSource(process=process, title=process.upper(), n_events=n_events, read=read, **more)


@pytest.fixture
def sources() -> tuple[BoxSource, list[BoxSource]]:
    signals = [source("x", 60, seed=2), source("y", 40, seed=3)]
    return source("background", 1000, seed=1), signals


@pytest.fixture
def made(toy, sources, tmp_path: Path) -> MadeBox:
    contents = Contents(n_events=900, n_signal={"x": 50, "y": 30})
    generator = np.random.default_rng(5)
    return write_box(toy, *sources, contents, tmp_path / "box.h5", generator=generator)


@pytest.fixture
def key(toy, made, sources) -> BoxKey:
    return key_of(toy, made, sources[1])
