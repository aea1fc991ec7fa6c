"""Make a black box: background and hidden signals in a secret order, and its sealed key.

The box is a file like the challenge's: ``Particles`` and ``EvtId``. Events are drawn from their
sources without replacement and written in an order drawn from the operating system, so neither
``EvtId`` nor the position of an event shows what it is. Only the key does.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import harness
from harness.blackbox.box import count_named, latency_limit_us
from harness.blackbox.seal import BoxKey, KeySignal, Secret, check_secret, seal_key
from harness.blackbox.sources import BoxSource, find_sources
from harness.challenge import Challenge, EventLayout, utc
from harness.data.hdf5_writer import write_events
from harness.data.manifest import load_manifest
from harness.data.mix import scatter_events
from harness.data.npy import read_events
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress, check_new, file_checksum, no_progress
from harness.sandbox.scratch import scratch_folder
from harness.submission.events import Events, SparseEvents

# Where the finest binary step of pT is looked for: 2^-20 GeV is finer than float32 at 16 GeV.
_FINEST_STEP = 20
_LOOKED_AT = 20_000


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
        ``EvtId`` of the events of each signal, rising: what the key holds.
    warnings : tuple of str
        How its signals might be found without the key.
    """

    path: Path
    checksum: str
    n_bytes: int
    contents: Contents
    event_ids: Mapping[str, NDArray[np.int64]]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedBox:
    """A black box that was made, its key, and where the key is."""

    box: MadeBox
    key: BoxKey
    key_path: Path


def make_blackbox(
    challenge: str,
    fractions: Mapping[str, float],
    *,
    out: Path,
    key_path: Path,
    secret: Secret,
    n_events: int | None = None,
    files: Mapping[str, Path] | None = None,
    masses_gev: Mapping[str, float] | None = None,
    luminosity_fb: float | None = None,
    manifests: Sequence[Path] = (),
    cache: Path | None = None,
    progress: Progress = no_progress,
) -> SealedBox:
    """Mix background and hidden signals into a black box, and seal its key.

    Parameters
    ----------
    challenge : str
        Gives the layout, the working point and, if no file is named, the test events.
    fractions : mapping of process to float
        Share of each signal in the box; empty for a box without new physics.
    out, key_path : Path
        The new files of the box and its key.
    n_events : int, optional
        Events of the box; None: as many as the sources allow.
    masses_gev : mapping of process to float, optional
        Mass of the new particle of each signal, where answers are asked for it.
    luminosity_fb : float, optional
        Integrated luminosity that the box stands for [1/fb], for answers with a cross-section.
    files : mapping of process to Path, optional
        HDF5 files to take the events from; ``background`` names that of the background.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was. No box is left without its key.
    """
    check_secret(secret)
    for path in (out, key_path):
        check_new(path)
    if unknown := set(masses_gev or {}) - set(fractions):
        raise UsageError(f"a mass of {min(unknown)}", expected="of a signal of the box")
    rules = load_manifest(*manifests).challenge(challenge)
    background, signals = find_sources(rules, fractions, files or {}, cache)
    contents = plan_contents(
        background, signals, fractions, n_events=n_events, working_point=rules.working_point
    )
    generator = np.random.default_rng(secrets.randbits(256))
    box = write_box(
        rules, background, signals, contents, out, generator=generator, progress=progress
    )
    try:
        key = key_of(rules, box, signals, masses_gev, luminosity_fb)
        seal_key(key, secret, key_path)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return SealedBox(box=box, key=key, key_path=key_path)


def plan_contents(
    background: BoxSource,
    signals: Sequence[BoxSource],
    fractions: Mapping[str, float],
    *,
    n_events: int | None,
    working_point: float,
) -> Contents:
    """Compute how many events of each process the box holds.

    Parameters
    ----------
    background, signals : BoxSource
        Where the events come from.
    fractions : mapping of process to float
        Share of each signal in the box, in (0, 1).
    n_events : int or None
        Events of the box; None: as many as the sources allow.
    working_point : float
        Rate at which events may be named; at least one event must be allowed.

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
        raise UsageError(f"a black box of {n_total:,} events", expected="at least one event")
    n_signal = {name: round(share * n_total) for name, share in shares.items()}
    contents = Contents(n_events=n_total, n_signal=n_signal)
    if count_named(working_point, n_total) < 1:
        raise UsageError(
            f"of {n_total:,} events none may be named at a rate of {working_point:g}",
            expected=f"{int(1 / Fraction(repr(working_point))):,} events at least",
            fix="make more background (harness simulate background), or a larger box",
        )
    _check_counts(contents, background, signals)
    return contents


def _check_fractions(fractions: Mapping[str, float]) -> None:
    for name, fraction in fractions.items():
        if not 0.0 < fraction < 1.0:
            raise UsageError(
                f"the share of {name} in the box is {fraction:g}", expected="0 < share < 1"
            )
    total = sum(fractions.values())
    if total >= 1.0:
        raise UsageError(
            f"the shares of the signals add up to {total:g}",
            expected="less than 1 for all together",
        )


def _largest(
    background: BoxSource, signals: Sequence[BoxSource], shares: Mapping[str, Fraction]
) -> int:
    """Return the largest box that the sources can fill."""
    n_total = int(background.n_events / (1 - sum(shares.values())))
    for signal in signals:
        n_total = min(n_total, int(signal.n_events / shares[signal.process]))
    # Rounded counts may need one event more than there is.
    while n_total > 0 and (
        n_total - sum(round(share * n_total) for share in shares.values()) > background.n_events
        or any(round(shares[s.process] * n_total) > s.n_events for s in signals)
    ):
        n_total -= 1
    return n_total


def _check_counts(contents: Contents, background: BoxSource, signals: Sequence[BoxSource]) -> None:
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
            f"not one event of {', '.join(empty)} would be among {contents.n_events:,}",
            fix="raise its fraction, or make a larger box",
        )


def write_box(
    challenge: Challenge,
    background: BoxSource,
    signals: Sequence[BoxSource],
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
        The disk is full, or the folder cannot be written.
    """
    sources = {source.process: source for source in (background, *signals)}
    counts = {background.process: contents.n_background, **contents.n_signal}
    rows = {
        name: np.sort(generator.choice(sources[name].n_events, size=count, replace=False))
        for name, count in counts.items()
    }
    places = generator.permutation(contents.n_events)

    def given() -> Iterator[Events]:
        return (events for name in rows for events in sources[name].read(rows[name]))

    _write_mixed(challenge, given, places, path, progress)
    parts = np.split(places, np.cumsum(list(counts.values()))[:-1])
    return MadeBox(
        path=path,
        checksum=file_checksum(path, "sha256", progress),
        n_bytes=path.stat().st_size,
        contents=contents,
        event_ids={
            name: np.sort(part)
            for name, part in zip(counts, parts, strict=True)
            if name != background.process
        },
        warnings=tuple(_warnings(background, signals, challenge.layout)),
    )


def _write_mixed(
    challenge: Challenge,
    given: Callable[[], Iterator[Events]],
    places: NDArray[np.int64],
    path: Path,
    progress: Progress,
) -> None:
    """Write the `given` events as a file, each at its place."""
    layout = challenge.layout
    # Images are read twice: their sizes must be known before one goes to its place.
    read = given() if layout.is_sparse else iter(())
    counts = [part.counts for part in read if isinstance(part, SparseEvents)]
    with scratch_folder() as scratch:
        mixed = scratch / "mixed.npy"
        scatter_events(mixed, layout, given(), places, counts)
        write_events(
            path,
            layout,
            (events for _, events in read_events(mixed)),
            n_events=len(places),
            has_ids=True,
            progress=progress,
        )


def key_of(
    challenge: Challenge,
    box: MadeBox,
    signals: Sequence[BoxSource],
    masses_gev: Mapping[str, float] | None = None,
    luminosity_fb: float | None = None,
) -> BoxKey:
    """Return the key of a box that was made."""
    masses_gev = masses_gev or {}
    titles = {signal.process: signal.title for signal in signals}
    return BoxKey(
        challenge=challenge.name,
        challenge_title=challenge.title,
        synthetic=challenge.synthetic,
        made=utc(datetime.now(UTC)),
        made_with=f"harness {harness.__version__}",
        box_name=box.path.name,
        box_checksum=box.checksum,
        n_events=box.contents.n_events,
        working_point=challenge.working_point,
        n_allowed=count_named(challenge.working_point, box.contents.n_events),
        max_latency_us=latency_limit_us(challenge),
        luminosity_fb=luminosity_fb,
        signals=tuple(
            KeySignal(
                process=name,
                title=titles[name],
                n_events=len(ids),
                mass_gev=masses_gev.get(name),
                packed_ids=base64.b64encode(ids.astype("<i8").tobytes()).decode(),
            )
            for name, ids in box.event_ids.items()
        ),
    )


def _warnings(
    background: BoxSource, signals: Sequence[BoxSource], layout: EventLayout
) -> Iterator[str]:
    public = [source.process for source in (background, *signals) if source.is_public]
    if public:
        yield (
            f"{', '.join(public)}: the events come from public files; a comparison with these "
            "shows which events of the box are signal. Use fresh events for a contest"
        )
    if layout.lacks("pt"):
        return
    steps = {source.process: _finest_step(source, layout) for source in (background, *signals)}
    if len(set(steps.values())) > 1:
        found = ", ".join(f"{name} {step}" for name, step in steps.items())
        yield (
            f"the values of pT lie on different grids ({found}): that separates signal from "
            "background without any physics"
        )


def _finest_step(source: BoxSource, layout: EventLayout) -> str:
    """Return the coarsest binary step of which the first values of pT are multiples."""
    rows = np.arange(min(source.n_events, _LOOKED_AT))
    pt = np.concatenate(
        [layout.values(np.asarray(events), "pt").ravel() for events in source.read(rows)]
    )
    for power in range(_FINEST_STEP):
        scaled = pt.astype(np.float64) * 2.0**power
        if np.array_equal(scaled, np.round(scaled)):
            return f"1/{2**power} GeV" if power else "1 GeV"
    return "none"
