"""What a run consists of: how many events of which process, in which chunks, with which seeds.

Nothing here depends on the number of jobs: a chunk is the unit of work, and its seed follows from
the seed of the run, the name of its process and its number.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

import harness
from harness.challenge import EventLayout, Name, Value
from harness.errors import UsageError
from harness.jets import clustering
from harness.simulate.boosted.presets import JET_SAMPLES, JetSample
from harness.simulate.boosted.selection import JetSelection
from harness.simulate.dijets.presets import DIJET_SAMPLES, DijetSample
from harness.simulate.dijets.selection import DijetSelection
from harness.simulate.layout import LAYOUT
from harness.simulate.presets import BACKGROUND, COMPONENTS, NAMED, TUNES, with_tune
from harness.simulate.process import Process
from harness.simulate.response import CMS_LIKE

CHUNK_EVENTS = 2000
MAX_SEED = 2**63 - 1
FORMAT = 1


class Chunk(Value):
    """One unit of work.

    Attributes
    ----------
    process : str
        Name of the process.
    number : int
        Number of the chunk within its process, from 0.
    n_events : int
        Accepted events in it.
    """

    process: Name
    number: int = Field(ge=0)
    n_events: int = Field(ge=1)

    @property
    def file_name(self) -> str:
        """File that holds its events."""
        return f"{self.process}-{self.number:06}.npy"

    def seeds(self, seed: int) -> tuple[int, np.random.Generator]:
        """Return the seed of its Pythia and the generator of all else."""
        words = [seed, zlib.crc32(self.process.encode()), self.number]
        for_pythia, for_us = np.random.SeedSequence(words).spawn(2)
        return int(for_pythia.generate_state(1)[0]), np.random.default_rng(for_us)


class SimulationPlan(Value):
    """A run, without the number of jobs.

    Attributes
    ----------
    name : str
        The process: ``background``, a preset or the name of a card.
    processes : tuple of Process
        In the order of their chunks.
    shares : mapping of process to float
        Shares of the accepted events.
    n_library : mapping of library to int
        Soft events to draw from.
    recipe : str
        Digest of the code that makes the events, and of every number of the detector.
    jets : JetSelection or DijetSelection or None
        Which jet of each event is kept, or which events with all their particles; None: the event's
        objects are kept.
    """

    format: int = FORMAT
    name: Name
    title: str
    processes: tuple[Process, ...]
    shares: dict[Name, float]
    n_events: int = Field(ge=1)
    seed: int = Field(ge=0, le=MAX_SEED)
    n_library: dict[str, int]
    recipe: str
    jets: JetSelection | DijetSelection | None = Field(
        default=None, exclude_if=lambda jets: jets is None
    )

    @property
    def digest(self) -> str:
        """Digest of everything here; equal digests give equal bytes on one machine."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def layout(self) -> EventLayout:
        """What an event of the file is."""
        return LAYOUT if self.jets is None else self.jets.layout

    @property
    def counts(self) -> dict[str, int]:
        """Accepted events of each process; they add up to `n_events`."""
        return share_out(self.n_events, self.shares)

    def chunks(self) -> tuple[Chunk, ...]:
        """Return all units of work, process by process."""
        return tuple(
            Chunk(process=name, number=number, n_events=min(CHUNK_EVENTS, count - start))
            for name, count in self.counts.items()
            for number, start in enumerate(range(0, count, CHUNK_EVENTS))
        )

    def process(self, name: str) -> Process:
        """Return the process called `name`."""
        return next(process for process in self.processes if process.name == name)


# All samples whose events are constituents.
CONSTITUENT_SAMPLES: Mapping[str, JetSample | DijetSample] = {**JET_SAMPLES, **DIJET_SAMPLES}
# Soft events in the libraries of a full run.
LIBRARY_EVENTS = {"inelastic": 50_000, "nondiffractive": 20_000}


def make_plan(
    what: str | Process, *, n_events: int, seed: int, n_library: Mapping[str, int] = LIBRARY_EVENTS
) -> SimulationPlan:
    """Plan the simulation of the background, of a preset or of a user's process.

    Raises
    ------
    UsageError
        There is no such preset, or `n_events` or `seed` make no sense.
    """
    _check_numbers(n_events, seed)
    if isinstance(what, Process):
        components, name, title = {what: 1.0}, what.name, what.title
    elif what == BACKGROUND:
        components, name, title = dict(COMPONENTS), BACKGROUND, "Background"
    elif what in TUNES:
        components, name = dict(with_tune(what)), what
        title = f"Background, {', '.join(TUNES[what])}"
    elif what in NAMED:
        process = NAMED[what]
        components, name, title = {process: 1.0}, what, process.title
    else:
        raise UsageError(
            f"there is no process {what!r}",
            expected=f"{', '.join((BACKGROUND, *TUNES, *NAMED))}, or a file CARD.yaml",
        )
    return SimulationPlan(
        name=name,
        title=title,
        processes=tuple(components),
        shares={process.name: share for process, share in components.items()},
        n_events=n_events,
        seed=seed,
        n_library=dict(n_library),
        recipe=_recipe(),
    )


def make_jets_plan(name: str, *, n_events: int, seed: int) -> SimulationPlan:
    """Plan the simulation of one of the samples of jets, or of events with two.

    Raises
    ------
    UsageError
        There is no such sample, or `n_events` or `seed` make no sense.
    """
    _check_numbers(n_events, seed)
    if name not in CONSTITUENT_SAMPLES:
        expected = ", ".join(CONSTITUENT_SAMPLES)
        raise UsageError(f"there are no jets called {name!r}", expected=expected)
    sample = CONSTITUENT_SAMPLES[name]
    return SimulationPlan(
        name=name,
        title=sample.process.title,
        processes=(sample.process,),
        shares={name: 1.0},
        n_events=n_events,
        seed=seed,
        n_library={},
        recipe=_recipe(),
        jets=sample.selection,
    )


def share_out(n_events: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Share `n_events` out in whole numbers, by the largest remainders.

    Examples
    --------
    >>> share_out(10, {"a": 0.5, "b": 0.26, "c": 0.24})
    {'a': 5, 'b': 3, 'c': 2}
    """
    total = sum(shares.values())
    exact = {name: n_events * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    left = n_events - sum(counts.values())
    by_remainder: Sequence[str] = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[:left]:
        counts[name] += 1
    return counts


def _check_numbers(n_events: int, seed: int) -> None:
    if n_events < 1:
        raise UsageError(f"the number of events is {n_events:,}", expected="at least one")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"the seed is {seed}", expected=f"0 to {MAX_SEED}")


def _recipe() -> str:
    """Digest what determines the events besides the settings: the code of this package."""
    digest = hashlib.sha256(f"{harness.__version__} {CMS_LIKE!r}".encode())
    here = Path(__file__).parent
    kinds = (path for kind in ("boosted", "dijets") for path in here.glob(f"{kind}/*.py"))
    for path in sorted([*here.glob("*.py"), *kinds, _CLUSTERING]):
        if path.stem not in _NOT_PHYSICS:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


_CLUSTERING = Path(clustering.__file__)
# Modules that cannot change an event.
_NOT_PHYSICS = {
    "__init__",
    "check",
    "manifest",
    "pool",
    "provenance",
    "reference",
    "run",
    "settings",
    "view",
}
