"""Run an entry as a trigger: score a stream exactly, accept events section by section."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Condition, events_within
from harness.errors import DataError, HarnessError, UsageError
from harness.files import Progress, no_progress
from harness.metrics.intervals import clopper_pearson
from harness.scoring.workers import Workers, result_of
from harness.submission.events import Events, taken
from harness.trigger.folder import AcceptedEvents, begin, join_accepted, write_chunk, write_state
from harness.trigger.records import ReadSource, Section, TriggerRun, TriggerSettings
from harness.trigger.steering import next_share, threshold_of
from harness.trigger.stream import EventSourceOf, Piece

# Events that are scored together: one start of a sandbox, 120 MB of ADC2021.
CHUNK_EVENTS = 524_288
_CHUNK_BYTES = 128 * 1024**2
# Accepted events of one open section that are held in memory.
_HELD_BYTES = 512 * 1024**2
_MAX_GAPS = 100

Score = Callable[[Sequence[Events]], NDArray[np.float64]]


def run_trigger(
    sources: Iterable[EventSourceOf],
    settings: TriggerSettings,
    score: Score,
    folder: Path,
    *,
    progress: Progress = no_progress,
    chunk_events: int = CHUNK_EVENTS,
    is_live: bool = False,
    workers: Workers | None = None,
) -> TriggerRun:
    """Accept events of a stream into a folder, from where an earlier run of it ended.

    Parameters
    ----------
    sources : iterable of EventSourceOf
        In time order; from the first on, also where the folder was begun.
    score : callable
        From events, in parts of one form that follow each other, to the exact scores of all of
        them, float64 of shape (n,).
    folder : Path
        Held by the caller: `harness.trigger.folder.held`.
    chunk_events : int
        Events that are scored together, at most.
    is_live : bool
        Whether the events of a source are scored before the next one is looked for.
    workers : Workers, optional
        Score chunks at the same time, as many as there is room for, each held in memory; without
        them one after the other. What is written is the same.

    Raises
    ------
    DataError
        Sections fall, or a source is not as it was when the folder was begun.
    UsageError
        The folder was begun with other settings.
    """
    run = begin(folder, settings)
    at_once = min(chunk_events, events_within(_CHUNK_BYTES, settings.layout.shape))
    accepting = _Accepting(run=run, folder=folder, score=score, progress=progress, workers=workers)
    try:
        return _read_all(accepting, sources, at_once, is_live=is_live)
    except HarnessError:
        # What came before is counted.
        accepting.take_scores(0)
        raise


def _read_all(
    accepting: _Accepting, sources: Iterable[EventSourceOf], at_once: int, *, is_live: bool
) -> TriggerRun:
    settings = accepting.run.settings
    for number, source in enumerate(sources):
        if accepting.has_read(number, source):
            continue
        n_events = 0
        for piece in source.read():
            if settings.section_column is not None and piece.sections is None:
                raise _no_sections(source, settings.section_column)
            for start in range(0, len(piece.rows), at_once):
                accepting.add(piece.part(start, start + at_once), source.name)
                accepting.flush_if(at_once)
            n_events += len(piece.rows)
        if is_live:
            accepting.flush_if(1)
            accepting.take_scores(0)
        accepting.end_source(number, ReadSource(name=source.name, n_events=n_events))
    return accepting.finish()


def _no_sections(source: EventSourceOf, column: str) -> DataError:
    return DataError(
        f"it has no {column}, which the sources before it have",
        where=source.name,
        expected="a number of a section for each event",
        fix="give sources that all have it, or --section-events for all",
    )


@dataclass(kw_only=True, slots=True)
class _OpenSection:
    """A section whose end was not seen yet."""

    section: int
    threshold: float
    n_events: int = 0
    n_accepted: int = 0
    kept: list[AcceptedEvents] = field(default_factory=list)
    bins: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def count_bins(
        self, conditions: Sequence[Condition], piece: Piece, chosen: NDArray[np.int64]
    ) -> None:
        """Count events and accepted ones by the bins of conditions; others say none."""
        for one in conditions:
            values = piece.beside.get(one.name)
            if values is None:
                continue
            found = self.bins.setdefault(one.name, np.zeros((2, len(one.edges) - 1), np.int64))
            for place, some in enumerate((values, values[chosen])):
                bins = one.bins_of(some[np.isfinite(some)])
                found[place] += np.bincount(bins, minlength=found.shape[1])


class _Chunk(NamedTuple):
    """Events that are scored together, of which sources, and which sources ended before."""

    pieces: tuple[tuple[Piece, str], ...]
    sources: tuple[ReadSource, ...]


@dataclass(kw_only=True, slots=True)
class _Accepting:
    """The state of a run between its chunks."""

    run: TriggerRun
    folder: Path
    score: Score
    progress: Progress
    workers: Workers | None = None
    # Chunks whose scores are still to come, in the order of time.
    _coming: deque[tuple[_Chunk, Future[NDArray[np.float64]]]] = field(default_factory=deque)
    _buffer: list[tuple[Piece, str]] = field(default_factory=list)
    _open: _OpenSection | None = None
    _closed: list[Section] = field(default_factory=list)
    _kept: list[AcceptedEvents] = field(default_factory=list)
    _sources: list[ReadSource] = field(default_factory=list)
    # Events that the state counts and that are still to be passed over.
    _n_skip: int = field(init=False)
    _n_done: int = 0
    _n_accepted: int = field(init=False)
    _asked: float | None = field(init=False)
    _gaps: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        steering = self.run.settings.steering
        self._n_skip = self.run.n_events
        self._n_accepted = self.run.n_accepted
        self._asked = self.run.asked_share
        if self._asked is None and steering is not None:
            self._asked = min(max(steering.target, steering.low), steering.high)
        self._gaps = list(self.run.gaps)

    # --- events come in -------------------------------------------------------------------------

    def has_read(self, number: int, source: EventSourceOf) -> bool:
        """Whether all events of a source are counted already; checks that it is the same one."""
        if number >= len(self.run.sources):
            return False
        known = self.run.sources[number]
        if known.name != source.name:
            raise UsageError(
                f"source {number + 1} is {source.name}",
                where=str(self.folder),
                expected=f"{known.name}, which the folder was begun with",
                fix="name the same sources in the same order; further ones may follow them",
            )
        if self._n_skip < known.n_events:
            return False
        self._n_skip -= known.n_events
        self._sources.append(known)
        return True

    def end_source(self, number: int, source: ReadSource) -> None:
        """Note that a source was read to its end."""
        if number < len(self.run.sources) and self.run.sources[number] != source:
            raise DataError(
                f"it holds {source.n_events:,} events",
                where=source.name,
                expected=f"{self.run.sources[number].n_events:,}, as when the folder was begun",
                fix="restore the file, or run harness trigger into a new folder",
            )
        self._sources.append(source)

    def add(self, piece: Piece, source: str) -> None:
        """Put events into the buffer, but those that are counted already."""
        n_passed = min(self._n_skip, len(piece.rows))
        self._n_skip -= n_passed
        if n_passed < len(piece.rows):
            self._buffer.append((piece.part(n_passed, len(piece.rows)), source))

    def flush_if(self, n_least: int) -> None:
        """Score what is in the buffer, if it is enough, and write the sections that it closes."""
        if sum(len(piece.rows) for piece, _ in self._buffer) < n_least:
            return
        chunk, self._buffer = _Chunk(tuple(self._buffer), tuple(self._sources)), []
        parts = tuple(piece.events for piece, _ in chunk.pieces)
        if self.workers is None:
            self._take(chunk, self.score(parts))
            return
        future = self.workers.executor.submit(self.score, parts)
        self._coming.append((chunk, future))
        self.take_scores(self.workers.room())

    def take_scores(self, n_left: int) -> None:
        """Wait for scores of the chunks that came first, until `n_left` are still to come."""
        while len(self._coming) > n_left:
            chunk, future = self._coming.popleft()
            try:
                self._take(chunk, result_of(future))
            except BaseException:
                # Nothing is taken behind a chunk that was not: the next run begins with that one.
                self._coming.clear()
                raise

    def _take(self, chunk: _Chunk, scores: NDArray[np.float64]) -> None:
        """Accept events of a chunk by their scores, and write the sections that it closes."""
        position = 0
        for piece, source in chunk.pieces:
            own = scores[position : position + len(piece.rows)]
            position += len(piece.rows)
            for where, section in self._cuts(piece, source):
                self._accept(section, piece.part(where.start, where.stop), own[where], source)
        self._n_done += len(scores)
        self._write(chunk.sources)
        self.progress("accepting", self._n_done, None, "events")

    # --- sections -------------------------------------------------------------------------------

    def _cuts(self, piece: Piece, source: str) -> Iterator[tuple[slice, int]]:
        """Cut consecutive events at the ends of sections."""
        n_events, sections = len(piece.rows), piece.sections
        if self.run.settings.section_column is not None and sections is not None:
            self._check_order(sections, source)
            bounds = [0, *(np.flatnonzero(np.diff(sections)) + 1).tolist(), n_events]
            for first, last in pairwise(bounds):
                yield slice(first, last), int(sections[first])
            return
        size = self.run.settings.section_events
        assert size is not None
        first = 0
        while first < n_events:
            if self._open is not None and self._open.n_events >= size:
                self._close()
            n_open = 0 if self._open is None else self._open.n_events
            last = min(n_events, first + size - n_open)
            number = self._next_number() if self._open is None else self._open.section
            yield slice(first, last), number
            first = last

    def _next_number(self) -> int:
        last = self._closed[-1].section if self._closed else self.run.last_section
        return 0 if last is None else last + 1

    def _check_order(self, sections: NDArray[np.int64], source: str) -> None:
        is_open = self._open is not None
        first = self._open.section if self._open is not None else self._next_number()
        before = np.concatenate([[first], sections[:-1]])
        is_back = sections < before
        if is_back.any():
            at = int(np.argmax(is_back))
            seen = int(before[at]) if at or is_open else first - 1
            raise DataError(
                f"section {sections[at]:,} comes after section {seen:,}",
                where=source,
                expected="events in time order: sections never fall",
                fix="name the files in time order; was the clock of the run set back?",
            )

    def _accept(self, section: int, piece: Piece, scores: NDArray[np.float64], source: str) -> None:
        if self._open is not None and self._open.section != section:
            self._close()
        if self._open is None:
            self._begin(section)
        current = self._open
        assert current is not None
        settings = self.run.settings
        passes = scores > current.threshold if settings.is_strict else scores >= current.threshold
        chosen = np.flatnonzero(passes if piece.is_selected is None else passes & piece.is_selected)
        # Every so many-th accepted event of the whole run is kept.
        numbers = self._n_accepted + current.n_accepted + np.arange(len(chosen))
        chosen_kept = chosen[numbers % settings.prescale == 0]
        current.n_events += len(piece.rows)
        current.n_accepted += len(chosen)
        current.count_bins(settings.conditions, piece, chosen)
        if len(chosen_kept):
            current.kept.append(
                AcceptedEvents(
                    events=np.asarray(taken(piece.events, chosen_kept), np.float32),
                    sections=np.full(len(chosen_kept), section, np.int64),
                    rows=piece.rows[chosen_kept],
                    scores=scores[chosen_kept],
                    thresholds=np.full(len(chosen_kept), current.threshold),
                    sources=np.full(len(chosen_kept), source, np.object_),
                )
            )
        self._check_held(current)

    def _check_held(self, current: _OpenSection) -> None:
        n_bytes = sum(one.events.nbytes for one in current.kept)
        if n_bytes > _HELD_BYTES:
            raise DataError(
                f"section {current.section} accepts over {n_bytes / 1e6:.0f} MB of events",
                expected="accepted events of one section that fit into memory",
                fix="raise the threshold, add --prescale, or cut smaller sections",
            )

    def _begin(self, section: int) -> None:
        expected = self._next_number()
        has_before = bool(self._closed) or self.run.last_section is not None
        if has_before and section > expected and len(self._gaps) < _MAX_GAPS:
            self._gaps.append((expected, section - 1))
        steering, fixed = self.run.settings.steering, self.run.settings.threshold
        if steering is not None and self._asked is not None:
            threshold = threshold_of(self._asked, steering)
        else:
            assert fixed is not None
            threshold = fixed
        self._open = _OpenSection(section=section, threshold=threshold)

    def _close(self) -> None:
        current, self._open = self._open, None
        assert current is not None
        steering = self.run.settings.steering
        if steering is not None and self._asked is not None:
            self._asked = next_share(self._asked, steering, current.n_accepted, current.n_events)
        self._n_accepted += current.n_accepted
        self._kept += current.kept
        self._closed.append(
            Section(
                section=current.section,
                n_events=current.n_events,
                n_accepted=current.n_accepted,
                n_kept=sum(len(one) for one in current.kept),
                share=current.n_accepted / current.n_events,
                interval=clopper_pearson(current.n_accepted, current.n_events),
                threshold=current.threshold,
                prescale=self.run.settings.prescale,
                bins={
                    name: (tuple(counts[0].tolist()), tuple(counts[1].tolist()))
                    for name, counts in current.bins.items()
                },
            )
        )

    # --- what is written ------------------------------------------------------------------------

    def _write(self, ended: tuple[ReadSource, ...]) -> None:
        """Write the sections that are closed; `ended` are the sources that were read by then."""
        if not self._closed:
            return
        closed, kept = self._closed, self._kept
        sources = max(self.run.sources, ended, key=len)
        self.run = self.run.model_copy(
            update={
                "sources": sources,
                "n_sections": self.run.n_sections + len(closed),
                "n_events": self.run.n_events + sum(one.n_events for one in closed),
                "n_accepted": self._n_accepted,
                "n_kept": self.run.n_kept + sum(one.n_kept for one in closed),
                "last_section": closed[-1].section,
                "gaps": tuple(self._gaps),
                "asked_share": self._asked,
                "is_complete": False,
            }
        )
        accepted = join_accepted(kept, self.run.settings.layout.shape)
        write_chunk(self.folder, accepted, closed, self.run)
        self._closed, self._kept = [], []

    def finish(self) -> TriggerRun:
        """Close the last section and say that all sources were read."""
        if len(self._sources) < len(self.run.sources):
            missing = self.run.sources[len(self._sources)].name
            raise UsageError(
                f"{missing} is not named, which the folder was begun with",
                where=str(self.folder),
                fix="name the same sources in the same order; further ones may follow them",
            )
        self.flush_if(1)
        self.take_scores(0)
        if self._open is not None:
            self._close()
        self._write(tuple(self._sources))
        if not self.run.n_events:
            raise DataError("the sources hold no events", where=str(self.folder))
        done = self.run.model_copy(update={"sources": tuple(self._sources), "is_complete": True})
        if done != self.run:
            self.run = done
            write_state(self.folder, done)
        return self.run
