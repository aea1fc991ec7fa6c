"""What a stand-in consists of: events of each data set, in chunks that have seeds of their own."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness.challenge import PARTS, Value
from harness.errors import UsageError
from harness.simulate.level1.crossings import LIBRARY_EVENTS
from harness.simulate.level1.datasets import BY_NAME, DATA_SETS, DataSet
from harness.simulate.particles import Column, Indices
from harness.simulate.plan import MAX_SEED

CHUNK_EVENTS = 2000
# The code that makes the events; it is part of the digest of a plan.
_CODE = (
    "calorimeter", "crossings", "datasets", "events", "menu", "muons", "objects", "patches",
    "plan", "response", "towers",
)  # fmt: skip


class Level1Chunk(Value):
    """One unit of work: consecutive events of a data set."""

    data_set: str
    number: int = Field(ge=0)
    first: int = Field(ge=0)
    n_events: int = Field(ge=1)

    @property
    def file_name(self) -> str:
        """File that holds its events."""
        return f"{self.data_set}-{self.number:06}.npz"


class Level1Plan(Value):
    """A stand-in, without the number of jobs and without the layout of its files.

    Attributes
    ----------
    n_events : mapping of str to int
        Of each data set.
    recipe : str
        Digest of the code that makes the events.
    """

    format: int = 1
    n_events: dict[str, int]
    seed: int = Field(ge=0, le=MAX_SEED)
    n_library: int = Field(ge=1)
    recipe: str

    @property
    def digest(self) -> str:
        """Digest of everything here."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def chunks(self) -> tuple[Level1Chunk, ...]:
        """Return all units of work, data set by data set."""
        return tuple(
            Level1Chunk(
                data_set=name, number=number, first=first, n_events=min(CHUNK_EVENTS, count - first)
            )
            for name, count in self.n_events.items()
            for number, first in enumerate(range(0, count, CHUNK_EVENTS))
        )

    def seeds(self, chunk: Level1Chunk) -> tuple[int, np.random.Generator]:
        """Return the seed of a chunk's Pythia and the generator of all else."""
        words = [self.seed, zlib.crc32(chunk.data_set.encode()), chunk.number]
        for_pythia, for_us = np.random.SeedSequence(words).spawn(2)
        return int(for_pythia.generate_state(1)[0]), np.random.default_rng(for_us)

    def conditions(self, chunk: Level1Chunk, rng: np.random.Generator) -> tuple[Indices, Column]:
        """Return the luminosity section and the mean number of collisions of each event."""
        place = np.arange(chunk.first, chunk.first + chunk.n_events)
        pile_up = BY_NAME[chunk.data_set].pile_up
        if not pile_up.n_sections:
            means = rng.integers(int(pile_up.first), int(pile_up.last) + 1, chunk.n_events)
            return np.ones_like(place), means.astype(np.float64)
        section = place * pile_up.n_sections // self.n_events[chunk.data_set]
        share = section / max(pile_up.n_sections - 1, 1)
        mean = pile_up.first + (pile_up.last - pile_up.first) * share
        # As a file holds it.
        return section + 1, mean.astype(np.float32).astype(np.float64)


def make_level1_plan(
    n_events: int, *, seed: int, only: Sequence[str] = (), n_library: int = LIBRARY_EVENTS
) -> Level1Plan:
    """Plan a stand-in with `n_events` in each run of recorded data.

    The simulated twin has half as many, each signal a tenth.

    Parameters
    ----------
    only : sequence of str
        Data sets that are made; all where it is empty.

    Raises
    ------
    UsageError
        A data set is unknown, or the numbers make no sense.
    """
    if n_events < 1:
        raise UsageError(f"the number of events is {n_events:,}", expected="at least one")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"the seed is {seed}", expected=f"0 to {MAX_SEED}")
    if unknown := [name for name in only if name not in BY_NAME]:
        raise UsageError(f"there is no data set {', '.join(unknown)}", expected=", ".join(BY_NAME))
    chosen = [one for one in DATA_SETS if not only or one.name in only]
    return Level1Plan(
        n_events={one.name: max(_least(one), round(n_events * one.scale)) for one in chosen},
        seed=seed,
        n_library=n_library,
        recipe=_recipe(),
    )


def draw_parts(plan: Level1Plan, data_set: DataSet) -> NDArray[np.int8]:
    """Draw the part of each event of a data set: its index in `PARTS`."""
    count = plan.n_events[data_set.name]
    ends = np.rint(np.cumsum(list(data_set.shares.values())) * count).astype(int)
    labels = np.repeat(
        np.array([PARTS.index(part) for part in data_set.shares], np.int8), np.diff(ends, prepend=0)
    )
    rng = np.random.default_rng([plan.seed, *data_set.name.encode()])
    rng.shuffle(labels)
    return labels


def _least(data_set: DataSet) -> int:
    """Return how many events give each part one at least."""
    return len(data_set.shares)


def _recipe() -> str:
    digest = hashlib.sha256(harness.__version__.encode())
    for name in _CODE:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]
