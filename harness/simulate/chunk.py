"""One unit of work: so many accepted events of one process."""

from __future__ import annotations

from pydantic import Field

from harness.challenge import Value
from harness.errors import UsageError
from harness.simulate.generator import make_generator
from harness.simulate.layout import Events
from harness.simulate.observed import Observer
from harness.simulate.plan import Chunk
from harness.simulate.process import Process

# Generated events without an accepted one after which the simulation of a process ends.
MAX_BARREN_EVENTS = 100_000
# Fewest and most events that one call of Pythia generates; each takes 0.3 MB of memory.
_BATCH_EVENTS = (100, 1000)


class ChunkReport(Value):
    """What was generated for one chunk.

    Attributes
    ----------
    n_accepted : int
        Events that passed the preselection, including those beyond the chunk's number.
    n_capped : int
        Generated events that should have been kept more than once; see `harness.simulate.decays`.
    cross_section_mb : float
        Cross section of the accepted events as this chunk estimates it [mb]; at leading order, from
        Pythia.
    """

    process: str
    number: int
    n_events: int = Field(ge=0)
    n_generated: int = Field(ge=0)
    n_accepted: int = Field(ge=0)
    n_capped: int = Field(ge=0)
    cross_section_mb: float = Field(ge=0)


def make_chunk(
    process: Process,
    chunk: Chunk,
    seed: int,
    detector: Observer,
    *,
    max_barren: int = MAX_BARREN_EVENTS,
) -> tuple[Events, ChunkReport]:
    """Generate until `chunk.n_events` events have passed the preselection.

    Returns
    -------
    events : ndarray of float32, shape (chunk.n_events, *layout.shape)
    report : ChunkReport

    Raises
    ------
    UsageError
        Pythia cannot start or gives up, or nothing passes among `max_barren` generated events.
    """
    import numpy as np

    seed_of_pythia, rng = chunk.seeds(seed)
    generator = make_generator(process, seed_of_pythia)
    found: list[Events] = []
    n_generated = n_accepted = n_capped = 0
    smallest, largest = _BATCH_EVENTS
    size = smallest
    while n_accepted < chunk.n_events:
        seen = detector.observe(generator, size, rng)
        found.append(seen.events)
        n_generated += seen.n_generated
        n_accepted += len(seen.events)
        n_capped += seen.n_capped
        if n_accepted == 0 and n_generated >= max_barren:
            raise _barren(process, n_generated)
        missing = (chunk.n_events - n_accepted) * n_generated // max(n_accepted, 1)
        size = min(max(missing, smallest), largest)
        if n_accepted == 0:
            size = min(size, max_barren - n_generated)
    report = ChunkReport(
        process=process.name,
        number=chunk.number,
        n_events=chunk.n_events,
        n_generated=n_generated,
        n_accepted=n_accepted,
        cross_section_mb=generator.event_mb * n_accepted,
        n_capped=n_capped,
    )
    return np.concatenate(found)[: chunk.n_events], report


def _barren(process: Process, n_generated: int) -> UsageError:
    return UsageError(
        f"no event passed the preselection among {n_generated:,} generated ones",
        where=process.name,
        expected="some events that pass: an electron or muon above 23 GeV, or a jet in the window",
        fix="simulate a process with harder leptons, or with jets of the wanted pT",
    )
