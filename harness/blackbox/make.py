"""Make a black box: background and hidden signals in a secret order, and what its key must know.

The box is a file like the challenge's: ``Particles`` and ``EvtId``. Events are drawn from their
sources without replacement and written in an order drawn from the operating system, so neither
``EvtId`` nor the place of an event tells what it is. Only the key does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Challenge
from harness.data import hdf5
from harness.data.events import EventStore
from harness.data.hdf5_writer import write_events
from harness.data.mix import read_rows, scatter_events
from harness.data.npy import read_npy, writing_npy
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress, file_checksum, no_progress

BACKGROUND = "background"
# Where the finest binary step of pT is looked for: 2^-20 GeV is finer than float32 at 16 GeV.
_FINEST_STEP = 20
_LOOKED_AT = 20_000

ReadRows = Callable[[NDArray[np.int64]], Iterator[NDArray[np.float32]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Events that may go into a box.

    Attributes
    ----------
    process, title : str
        What they are.
    n_events : int
        How many there are to draw from.
    read : callable
        Given rising positions below `n_events`, reads these events chunk by chunk.
    is_public : bool
        Whether anyone can get the file that they come from.
    """

    process: str
    title: str
    n_events: int
    read: ReadRows
    is_public: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """How many events of what a box holds."""

    n_events: int
    n_signal: Mapping[str, int]

    @property
    def n_background(self) -> int:
        """Events of the background."""
        return self.n_events - sum(self.n_signal.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeBox:
    """A box that was written.

    Attributes
    ----------
    event_ids : mapping of process to int64 array
        ``EvtId`` of the events of each signal, rising: what the key is about.
    warnings : tuple of str
        By what else than the key its signals might be found.
    """

    path: Path
    checksum: str
    n_bytes: int
    contents: Contents
    event_ids: Mapping[str, NDArray[np.int64]]
    warnings: tuple[str, ...]


def source_of(store: EventStore, process: str) -> Source:
    """Return the test events of a process of a challenge: none that anyone may train on."""
    file = next(file for file in store.challenge.files if file.process == process)
    indices = store.indices(process, "test")
    return Source(
        process=process,
        title=file.title,
        n_events=len(indices),
        read=lambda rows: read_rows(store, process, indices[rows]),
        is_public=file.record is not None or (file.url or "").startswith(("package:", "http")),
    )


def source_file(path: Path, challenge: Challenge, process: str) -> Source:
    """Return the events of an HDF5 file in the layout of `challenge`.

    Raises
    ------
    DataError
        It is no such file.
    """
    return Source(
        process=process,
        title=process,
        n_events=hdf5.count_events(path, challenge.layout),
        read=lambda rows: _read_file(path, challenge, rows),
    )


def _read_file(
    path: Path, challenge: Challenge, rows: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    start = position = 0
    for events, _ in hdf5.read_chunks(path, challenge.layout):
        end = position + int(np.searchsorted(rows[position:], start + len(events)))
        # -0.0 becomes 0.0, as in the cache: a sign must not tell one source from another.
        yield events[rows[position:end] - start] + np.float32(0.0)
        start, position = start + len(events), end


def plan_contents(
    background: Source,
    signals: Sequence[Source],
    fractions: Mapping[str, float],
    *,
    n_events: int | None,
    working_point: float,
) -> Contents:
    """Work out how many events of what go into a box, or say why it can't be.

    Parameters
    ----------
    background, signals : Source
        Where the events come from.
    fractions : mapping of process to float
        Share of the box that each signal is to be, each in (0, 1).
    n_events : int or None
        Events of the box; None: as many as the sources allow.
    working_point : float
        Rate at which events may be named: one at least must be.

    Raises
    ------
    UsageError
        A fraction or a number makes no sense.
    DataError
        The sources hold too few events.
    """
    _check_fractions(fractions)
    shares = {name: Fraction(repr(float(share))) for name, share in fractions.items()}
    n_total = _largest(background, signals, shares) if n_events is None else n_events
    if n_total < 1:
        raise UsageError(
            Problem(what=f"a black box of {n_total:,} events", expected="one event at least")
        )
    n_signal = {name: round(share * n_total) for name, share in shares.items()}
    contents = Contents(n_events=n_total, n_signal=n_signal)
    if count_named(working_point, n_total) < 1:
        raise UsageError(
            Problem(
                what=f"of {n_total:,} events none may be named at a rate of {working_point:g}",
                expected=f"{int(1 / Fraction(repr(working_point))):,} events at least",
                fix="make more background (harness simulate background), or a larger box",
            )
        )
    _check_counts(contents, background, signals)
    return contents


def count_named(working_point: float, n_events: int) -> int:
    """Return how many of `n_events` events a result may name: floor(rate x N).

    Examples
    --------
    >>> count_named(1e-5, 4_210_492)
    42
    """
    return int(Fraction(repr(float(working_point))) * n_events)


def _check_fractions(fractions: Mapping[str, float]) -> None:
    for name, fraction in fractions.items():
        if not 0.0 < fraction < 1.0:
            raise UsageError(
                Problem(what=f"{name} is to be {fraction:g} of the box", expected="0 < share < 1")
            )
    total = sum(fractions.values())
    if not fractions or total >= 1.0:
        raise UsageError(
            Problem(
                what=f"the signals are to be {total:g} of the box",
                expected="one signal at least, and less than 1 for all together",
            )
        )


def _largest(background: Source, signals: Sequence[Source], shares: Mapping[str, Fraction]) -> int:
    """Return the largest box that the sources can fill."""
    n_total = int(background.n_events / (1 - sum(shares.values())))
    for signal in signals:
        n_total = min(n_total, int(signal.n_events / shares[signal.process]))
    # Rounding the counts may ask for an event more than there is.
    while n_total > 0 and (
        n_total - sum(round(share * n_total) for share in shares.values()) > background.n_events
        or any(round(shares[s.process] * n_total) > s.n_events for s in signals)
    ):
        n_total -= 1
    return n_total


def _check_counts(contents: Contents, background: Source, signals: Sequence[Source]) -> None:
    wanted = {background.process: contents.n_background, **contents.n_signal}
    problems = [
        Problem(
            what=f"{source.n_events:,} events of {source.process} are there to draw from",
            expected=f"{wanted[source.process]:,}, for a box of {contents.n_events:,} events",
            fix="make a smaller box (--events), or more events (harness simulate)",
        )
        for source in (background, *signals)
        if wanted[source.process] > source.n_events
    ]
    if problems:
        raise DataError(*problems)
    empty = [name for name, count in contents.n_signal.items() if count == 0]
    if empty:
        raise UsageError(
            Problem(
                what=f"not one event of {', '.join(empty)} would be among {contents.n_events:,}",
                fix="raise its fraction, or make a larger box",
            )
        )


def make_box(
    challenge: Challenge,
    background: Source,
    signals: Sequence[Source],
    contents: Contents,
    path: Path,
    *,
    generator: np.random.Generator,
    progress: Progress = no_progress,
) -> MadeBox:
    """Write a black box to `path`; memory is bounded by chunks and 16 bytes an event.

    Parameters
    ----------
    generator : numpy.random.Generator
        Draws the events and their order: seed it from the operating system, or the order is no
        secret.

    Raises
    ------
    EnvironmentFaultError
        The disk is full, or the folder can't be written.
    """
    counts = {background.process: contents.n_background, **contents.n_signal}
    sources = {source.process: source for source in (background, *signals)}
    chosen = {
        name: np.sort(generator.choice(sources[name].n_events, size=count, replace=False))
        for name, count in counts.items()
    }
    places = generator.permutation(contents.n_events)
    bounds = np.cumsum([0, *counts.values()])
    event_ids = {
        name: np.sort(places[bounds[index] : bounds[index + 1]])
        for index, name in enumerate(counts)
        if name != background.process
    }
    given = (events for name, rows in chosen.items() for events in sources[name].read(rows))
    shape = (contents.n_events, *challenge.layout.shape)
    with tempfile.TemporaryDirectory(prefix="harness-box-") as scratch:
        mixed = Path(scratch) / "mixed.npy"
        with writing_npy(mixed, shape, is_kept=False) as stream:
            scatter_events(stream, given, places, challenge.layout.shape)
        write_events(
            path,
            challenge.layout,
            (events for _, events in read_npy(mixed)),
            n_events=contents.n_events,
            has_ids=True,
            progress=progress,
        )
    return MadeBox(
        path=path,
        checksum=file_checksum(path, "sha256", progress),
        n_bytes=path.stat().st_size,
        contents=contents,
        event_ids=event_ids,
        warnings=tuple(_warnings(background, signals)),
    )


def _warnings(background: Source, signals: Sequence[Source]) -> Iterator[str]:
    public = [source.process for source in (background, *signals) if source.is_public]
    if public:
        yield (
            f"{', '.join(public)}: the events come from files that anyone can get; whoever "
            "compares them with the box knows what is what. Use fresh events for a contest"
        )
    steps = {source.process: _finest_step(source) for source in (background, *signals)}
    if len(set(steps.values())) > 1:
        told = ", ".join(f"{name} {step}" for name, step in steps.items())
        yield (
            f"the values of pT lie on different grids ({told}): that tells signal from "
            "background without any physics"
        )


def _finest_step(source: Source) -> str:
    """Tell the coarsest binary step that all looked-at values of pT are multiples of."""
    rows = np.arange(min(source.n_events, _LOOKED_AT))
    pt = np.concatenate([events[..., 0].ravel() for events in source.read(rows)])
    for power in range(_FINEST_STEP):
        scaled = pt.astype(np.float64) * 2.0**power
        if np.array_equal(scaled, np.round(scaled)):
            return f"1/{2**power} GeV" if power else "1 GeV"
    return "none"
