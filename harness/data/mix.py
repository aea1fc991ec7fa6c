"""What a scorer is given: one array of events without labels, in a secret order.

The mixture is written in bounded memory. A uniform permutation says where each event goes; the
sources are read once from front to back, each event is appended to the stretch of the file that
its place is in, and each stretch is then sorted in memory.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.challenge import ADC2021_BYTES, Challenge, EventLayout, events_within, in_turn
from harness.data.events import EventStore
from harness.data.npy import npy_bytes, writing_npy
from harness.data.split import chunks
from harness.files import check_space, writing
from harness.submission.events import (
    Events,
    SparseEvents,
    SparseWriter,
    forget_read,
    open_events,
    sparse_words,
    taken,
)

# 120 MB, 524,288 events of ADC2021: the most of the mixture that is in memory at a time, twice.
STRETCH_BYTES = 2**19 * ADC2021_BYTES
# About a tenth of the resolution of a jet's transverse momentum, which is 10 % at 100 GeV (CMS,
# arXiv:1607.03663): far below what a detector tells apart.
PT_SHIFT = 0.01
# Events far from each other make up to 64 kB each resident.
_GATHERED_EVENTS = 1_000
# Events that are changed at a time: they stay in the second-level cache.
_BLOCK_EVENTS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What stands beside chosen events; it stays in the process of the scorer.

    Attributes
    ----------
    menu : mapping of process to bool array, shape (m,)
        Which of them the menu of the trigger accepts; empty where the challenge has none.
    conditions : mapping of name to mapping of process to float64 array, shape (m,)
        What each condition of the challenge was for each event of background.
    mass : mapping of process to float64 array, shape (m,)
        The mass of each event; empty where the challenge states none.
    """

    menu: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    conditions: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)
    mass: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """Where each scored event went.

    Attributes
    ----------
    path : Path
        The mixture; its form: `harness.submission.events`.
    rows : mapping of process to int64 array, shape (m,)
        Row of each of the process's events in the mixture.
    indices : mapping of process to int64 array, shape (m,)
        Position of the same events among all events of the process, rising. This order is the
        same for every mixture of one challenge, whatever its permutation.
    hashes : mapping of process to uint64 array, shape (m,)
        Keyed hashes of the same events.
    beside : Beside
        What stands beside the same events.
    """

    path: Path
    rows: Mapping[str, NDArray[np.int64]]
    indices: Mapping[str, NDArray[np.int64]]
    hashes: Mapping[str, NDArray[np.uint64]]
    beside: Beside = field(default_factory=Beside)

    @property
    def processes(self) -> tuple[str, ...]:
        """Processes in the order of the manifest, background first."""
        return tuple(self.rows)

    @property
    def n_events(self) -> int:
        """Events in the mixture."""
        return sum(map(len, self.rows.values()))

    def gather(self, rows: NDArray[np.int64]) -> Events:
        """Return the events at `rows`, in their order and form; memory is held by these alone.

        Every page of the map that is read counts as resident memory with its neighbours, so what
        was read is given back every few events.
        """
        events = open_events(self.path)
        if isinstance(events, SparseEvents):
            return events.take(rows)
        gathered = np.empty((len(rows), *events.shape[1:]), np.float32)
        for piece in chunks(len(rows), _GATHERED_EVENTS):
            gathered[piece] = events[rows[piece]]
            forget_read(events)
        return gathered

    def labels(self) -> NDArray[np.uint8]:
        """Return the process of each row, as its index in `processes`."""
        codes = np.empty(self.n_events, np.uint8)
        for code, rows in enumerate(self.rows.values()):
            codes[rows] = code
        return codes

    def rows_without(self, processes: Collection[str]) -> NDArray[np.int64]:
        """Return the rows of all other processes, such as the background without the signals."""
        kept = [rows for process, rows in self.rows.items() if process not in processes]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *kept]))

    def separate(self, scores: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Bring the scores of the rows back to the processes, in the order of `indices`.

        Raises
        ------
        ValueError
            There is not one score for each row.
        """
        if scores.shape != (self.n_events,):
            raise ValueError(f"scores have the shape {scores.shape}, expected ({self.n_events},)")
        return {process: scores[rows] for process, rows in self.rows.items()}

    def join(self, scores: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Bring the scores of the processes back to the rows: the inverse of `separate`."""
        by_row = np.empty(self.n_events)
        for process, rows in self.rows.items():
            by_row[rows] = scores[process]
        return by_row


def write_mixture(
    store: EventStore,
    challenge: Challenge,
    path: Path,
    *,
    generator: np.random.Generator,
    limit: int | None = None,
) -> Mixture:
    """Write test background and all signals to `path`, mixed.

    Parameters
    ----------
    store : EventStore
        The events.
    challenge : Challenge
        Whose background and signals (hidden ones too) are mixed.
    path : Path
        The .npy file to write.
    generator : numpy.random.Generator
        Draws the permutation; to be secret it must be seeded from the operating system.
    limit : int, optional
        Most events of each process; those with the lowest hashes are taken, so the choice does
        not depend on the order of the files.

    Raises
    ------
    EnvironmentFaultError
        The disk is full.
    """
    processes = (*challenge.processes("background"), *challenge.signals)
    indices, hashes = _choose(store, processes, limit)
    n_events = sum(map(len, indices.values()))
    places = generator.permutation(n_events)
    counts = [store.counts(process, chosen) for process, chosen in indices.items()]
    scatter_events(path, challenge.layout, _read(store, indices), places, counts)
    bounds = np.cumsum([0, *map(len, indices.values())])
    rows = {
        process: places[bounds[index] : bounds[index + 1]] for index, process in enumerate(indices)
    }
    beside = beside_of(store, indices)
    return Mixture(path=path, rows=rows, indices=indices, hashes=hashes, beside=beside)


def beside_of(store: EventStore, indices: Mapping[str, NDArray[np.int64]]) -> Beside:
    """Return what stands beside the chosen events of each process."""
    decisions = {process: (store.menu(process), chosen) for process, chosen in indices.items()}
    background = [name for name in store.challenge.processes("background") if name in indices]
    masses = {process: (store.mass(process), chosen) for process, chosen in indices.items()}
    return Beside(
        menu={name: menu[chosen] for name, (menu, chosen) in decisions.items() if menu is not None},
        conditions={
            condition.name: {
                process: store.condition(process, condition.name)[indices[process]]
                for process in background
            }
            for condition in store.challenge.conditions
        },
        mass={name: mass[chosen] for name, (mass, chosen) in masses.items() if mass is not None},
    )


def read_rows(store: EventStore, process: str, rows: NDArray[np.int64]) -> Iterator[Events]:
    """Read chosen events of `process` in bounded memory; the whole file is read once.

    Parameters
    ----------
    rows : int64 array, shape (m,)
        Positions among all events of the process, rising.

    Yields
    ------
    float32 array, shape (n, *layout.shape), or SparseEvents
        The next of them; m in all. At least one chunk, perhaps empty.
    """
    position = 0
    for start, events in store.read_chunks(process):
        end = position + int(np.searchsorted(rows[position:], start + len(events)))
        is_whole = end - position == len(events)
        yield events if is_whole else taken(events, rows[position:end] - start)
        position = end


def rotate_phi(
    events: NDArray[np.float32], generator: np.random.Generator, *, layout: EventLayout
) -> NDArray[np.float32]:
    """Turn each event about the beam by an angle of its own, uniform in [0, 2 pi).

    Parameters
    ----------
    events : ndarray of float32, shape (n, n_objects, n_features)
        Not modified.
    generator : numpy.random.Generator
        Draws the angles.
    layout : EventLayout
        Has the features ``pt`` and ``phi``. Angles in steps are turned by whole steps.

    Returns
    -------
    ndarray of float32, of the same shape
        |phi| <= pi; empty slots stay zero, and so do scalar sums, which have no phi.
    """
    (column,) = layout.columns("phi")
    angles = generator.uniform(0.0, 2 * np.pi, size=len(events))
    # Of all events, not of a block of them: where a turn begins.
    least = events[..., column].min(axis=0, initial=0.0)
    rotated = np.empty_like(events)
    for piece in chunks(len(events), _BLOCK_EVENTS):
        block = events[piece]
        turned = _turn(block[..., column], angles[piece, None], layout, least)
        rotated[piece] = block
        rotated[piece][..., column] = np.where(layout.is_filled(block), turned, 0.0)
    return rotated


def _turn(
    phi: NDArray[np.float32],
    angles: NDArray[np.float64],
    layout: EventLayout,
    least: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Turn the phi of each event, shape (n, n_objects), by its angle, shape (n, 1)."""
    turned = phi.astype(np.float64)
    # The float32 next to pi lies above it.
    limit = np.nextafter(np.float32(np.pi), np.float32(0))
    is_plain = np.zeros(layout.n_objects, np.bool_)
    for group in layout.objects:
        is_plain[layout.slots[group.name]] = group.has_phi
    for slots, units in layout.scaled("phi"):
        is_plain[slots] = False
        steps = np.rint(angles / (2 * np.pi) * units.turn)
        turned[:, slots] = in_turn(turned[:, slots] + steps, units, like=least[slots])
    plain = np.flatnonzero(is_plain)
    wrapped = np.remainder(turned[:, plain] + angles + np.pi, 2 * np.pi) - np.pi
    turned[:, plain] = np.clip(wrapped, -limit, limit)
    return turned


def flip_eta(events: NDArray[np.float32], *, layout: EventLayout) -> NDArray[np.float32]:
    """Mirror each event along the beam: eta becomes -eta.

    Parameters
    ----------
    events : ndarray of float32, shape (n, n_objects, n_features)
        Not modified.
    layout : EventLayout
        Has the feature ``eta``.
    """
    # A difference, not a negation: the eta of an empty slot stays 0.0 and never becomes -0.0.
    flipped = np.empty_like(events)
    for piece in chunks(len(events), _BLOCK_EVENTS):
        block = events[piece]
        flipped[piece] = layout.put(block, "eta", np.float32(0.0) - layout.values(block, "eta"))
    return flipped


def move_pt(
    events: NDArray[np.float32], generator: np.random.Generator, *, layout: EventLayout
) -> NDArray[np.float32]:
    """Move the pT of each object by a Gaussian of `PT_SHIFT` of it; the order of objects stays.

    Parameters
    ----------
    events : ndarray of float32, shape (n, n_objects, n_features)
        Not modified.
    generator : numpy.random.Generator
        Draws the shifts.
    layout : EventLayout
        Has the feature ``pt``. A pT in steps moves by whole steps, often by none.
    """
    moved = np.empty_like(events)
    for piece in chunks(len(events), _BLOCK_EVENTS):
        block = events[piece]
        shift = 1.0 + PT_SHIFT * generator.standard_normal(block.shape[:2])
        values = layout.values(block, "pt") * np.maximum(shift, 0.0)
        moved[piece] = layout.put(block, "pt", values)
    return moved


def _choose(
    store: EventStore, processes: tuple[str, ...], limit: int | None
) -> tuple[dict[str, NDArray[np.int64]], dict[str, NDArray[np.uint64]]]:
    indices: dict[str, NDArray[np.int64]] = {}
    hashes: dict[str, NDArray[np.uint64]] = {}
    for process in processes:
        chosen = store.indices(process, "test")
        of_chosen = store.hashes(process)[chosen]
        if limit is not None and len(chosen) > limit:
            lowest = np.sort(np.argpartition(of_chosen, limit)[:limit])
            chosen, of_chosen = chosen[lowest], of_chosen[lowest]
        indices[process], hashes[process] = chosen, of_chosen
    return indices, hashes


def _read(store: EventStore, indices: Mapping[str, NDArray[np.int64]]) -> Iterator[Events]:
    """Read the chosen events of one process after the other, in the order of `indices`."""
    for process, chosen in indices.items():
        yield from read_rows(store, process, chosen)


def scatter_events(
    path: Path,
    layout: EventLayout,
    events: Iterator[Events],
    places: NDArray[np.int64],
    counts: Sequence[NDArray[np.int64]],
) -> None:
    """Write a file of events, each at its place, in bounded memory.

    Parameters
    ----------
    events : iterator of float32 arrays, shape (n, *layout.shape), or of SparseEvents
        As many as there are places.
    places : int64 array
        A permutation: where the events go, in the order in which they come.
    counts : sequence of int64 array
        Of sparse events: the number of entries of each of them, in the order in which they come.

    Raises
    ------
    EnvironmentFaultError
        The disk is full.
    """
    if not layout.is_sparse:
        with writing_npy(path, (len(places), *layout.shape), is_kept=False) as stream:
            _scatter_dense(stream, map(np.asarray, events), places, layout.shape)
        return
    every = np.concatenate([np.zeros(0, np.int64), *counts])
    n_words = sparse_words(len(places), int(every.sum()))
    with writing(path, is_kept=False) as stream:
        check_space(path.parent, npy_bytes((n_words,), "<i8"))
        writer = SparseWriter(stream, layout.shape)
        given = (part for part in events if isinstance(part, SparseEvents))
        writer.scatter(given, places, every)
        writer.finish()


def _scatter_dense(
    stream: BufferedRandom,
    events: Iterator[NDArray[np.float32]],
    places: NDArray[np.int64],
    shape: tuple[int, ...],
) -> None:
    """Write each event to its place, counted from where `stream` stands."""
    start = stream.tell()
    n_values = math.prod(shape)
    event_bytes = n_values * 4
    # Where the next event of each stretch is appended, and which place it is for.
    n_each = events_within(STRETCH_BYTES, shape)
    stretches = list(chunks(len(places), n_each))
    cursors = [stretch.start for stretch in stretches]
    arrived = np.empty(len(places), np.int64)
    moved = np.empty((0, n_values), "<f4")
    position = 0
    for given in events:
        going = places[position : position + len(given)]
        position += len(given)
        # NumPy sorts numbers of 16 bits by their digits, ten times as fast as others.
        stretch_of = (going // n_each).astype(np.min_scalar_type(len(stretches)))
        order = np.argsort(stretch_of, kind="stable")
        ends = np.cumsum(np.bincount(stretch_of, minlength=len(stretches)))
        if len(moved) < len(given):
            moved = np.empty((len(given), n_values), "<f4")
        _take_rows(given.reshape(-1, n_values), order, moved)
        going = going[order]
        first = 0
        for index, end in enumerate(ends.tolist()):
            if end > first:
                cursor = cursors[index]
                stream.seek(start + cursor * event_bytes)
                stream.write(moved[first:end].data)
                arrived[cursor : cursor + end - first] = going[first:end]
                cursors[index] = cursor + end - first
            first = end
    held = np.empty((min(n_each, len(places)), n_values), "<f4")
    ordered = np.empty_like(held)
    for stretch in stretches:
        n_events = stretch.stop - stretch.start
        stream.seek(start + stretch.start * event_bytes)
        stream.readinto(held[:n_events].data.cast("B"))
        order = np.empty(n_events, np.int64)
        order[arrived[stretch] - stretch.start] = np.arange(n_events)
        _take_rows(held, order, ordered)
        stream.seek(start + stretch.start * event_bytes)
        stream.write(ordered[:n_events].data)


def _take_rows(
    rows: NDArray[np.float32], order: NDArray[np.int64], into: NDArray[np.float32]
) -> None:
    """Copy rows in an order to the beginning of `into`; twice as fast as by indexing."""
    # The mode only says that nothing is copied twice: every number is that of a row.
    np.take(rows, order, axis=0, out=into[: len(order)], mode="clip")
