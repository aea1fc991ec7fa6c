"""What a run consists of: accepted events of each process, in chunks that have seeds of their own.

A chunk is a `harness.simulate.plan.Chunk`: its seed depends on the run's seed, on the process and
on its number, so the number of jobs changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

import harness
from harness.challenge import Name, Value
from harness.errors import UsageError
from harness.simulate.level1.crossings import LIBRARY_EVENTS
from harness.simulate.plan import MAX_SEED, Chunk
from harness.simulate.suep.processes import PROCESSES, find

CHUNK_EVENTS = 250
# The code that makes the events; it is part of the digest of a plan.
_CODE = ("events", "images", "processes", "shower")


class SuepPlan(Value):
    """A run, without the number of jobs.

    Attributes
    ----------
    n_events : mapping of str to int
        Accepted events of each process.
    recipe : str
        Digest of the code that makes the events.
    """

    format: int = 1
    n_events: dict[Name, int]
    seed: int = Field(ge=0, le=MAX_SEED)
    n_library: int = Field(ge=1)
    recipe: str

    @property
    def digest(self) -> str:
        """Digest of everything here."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def chunks(self) -> tuple[Chunk, ...]:
        """Return all units of work, process by process."""
        return tuple(
            Chunk(process=name, number=number, n_events=min(CHUNK_EVENTS, count - first))
            for name, count in self.n_events.items()
            for number, first in enumerate(range(0, count, CHUNK_EVENTS))
        )


def make_suep_plan(
    n_events: int, *, seed: int, only: Sequence[str] = (), n_library: int = LIBRARY_EVENTS
) -> SuepPlan:
    """Plan a run with `n_events` of QCD, and a quarter as many of each signal.

    Parameters
    ----------
    only : sequence of str
        Processes that are made; all where it is empty.

    Raises
    ------
    UsageError
        A process is unknown, or the numbers make no sense.
    """
    if n_events < 1:
        raise UsageError(f"the number of events is {n_events:,}", expected="at least one")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"the seed is {seed}", expected=f"0 to {MAX_SEED}")
    chosen = [find(name) for name in only] or list(PROCESSES)
    return SuepPlan(
        n_events={one.name: max(1, round(n_events * one.share)) for one in chosen},
        seed=seed,
        n_library=n_library,
        recipe=_recipe(),
    )


def _recipe() -> str:
    digest = hashlib.sha256(harness.__version__.encode())
    for name in _CODE:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]
