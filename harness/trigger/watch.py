"""Is it the detector? The stream of accepted events is compared with a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.board.watch_report import Alarm, WatchReport
from harness.errors import DataError
from harness.trigger.alarms import SECTION_S, Raised, Watched, alarm_p, change_point, raise_alarms
from harness.trigger.folder import AcceptedEvents, check_same, read_run
from harness.trigger.properties import (
    ETA_EDGES,
    N_ETA,
    N_PHI,
    PHI_EDGES,
    Counts,
    Properties,
    Spectrum,
    properties_of,
)
from harness.trigger.reading import read_accepted, read_all, read_sections

FAMILIES = ("rate", "occupancy", "spectrum")
# Cells beside one that raised an alarm belong to its region from so many standard deviations on.
_REGION_DEVIATION = 3.5
_MOST_GROUPS = 100
# Cells with fewer counts, expected and seen, are drawn as expected.
_SEEN = 10
Fault = Callable[[AcceptedEvents], AcceptedEvents]


def watch_folder(
    folder: Path,
    reference: Path,
    *,
    per_day: float = 1.0,
    section_s: float = SECTION_S,
    fault: Fault | None = None,
    trial: str | None = None,
) -> WatchReport:
    """Compare the sections of a folder of accepted events with a reference.

    Parameters
    ----------
    folder, reference : Path
        Of `harness trigger` with the same entry and settings.
    per_day : float
        The most false alarms in a day that are expected; each family has a third of them.
    section_s : float
        Seconds of a section.
    fault, trial : callable and str, optional
        A fault that is put into the events from the middle section on, and its name.

    Raises
    ------
    UsageError
        The reference is of another entry, or was accepted with other settings.
    DataError
        A folder is none, or holds no events.
    """
    run, other = read_run(folder), read_run(reference)
    check_same(
        (folder, run),
        (reference, other),
        ("program", "challenge", "layout", "threshold", "is_strict", "steering"),
        expected="a reference of the same entry with the same settings",
        fix="harness trigger with the same options on events of a time known to be good",
    )
    known = read_all(reference, other)
    properties = properties_of(run.settings.layout, known)
    expected = properties.count([known], np.unique(known.sections))
    table, other_table = read_sections(folder, run), read_sections(reference, other)
    sections = table["section"].astype(np.int64)
    if not len(sections):
        raise DataError("it holds no sections", where=str(folder))
    middle = int(sections[len(sections) // 2])
    parts = _with_fault(read_accepted(folder, run), fault, middle)
    counts = properties.count(parts, sections)
    cuts = _cuts(properties, per_day, section_s)
    rate = Watched(
        counts=table["n_accepted"].astype(np.int64)[:, None],
        trials=table["n_events"].astype(np.int64),
        reference=np.array([int(other_table["n_accepted"].sum())]),
        reference_trials=int(other_table["n_events"].sum()),
    )
    alarms = [
        *_rate_alarms(rate, sections, cuts["rate"]),
        *_map_alarms(counts, expected, cuts["occupancy"]),
        *_spectrum_alarms(properties, counts, expected, cuts["spectrum"]),
    ]
    alarms.sort(key=lambda one: (one.raised, one.p))
    n_tests = _n_tests(properties)
    return WatchReport(
        team=run.settings.team,
        challenge=run.settings.challenge,
        verdict=_verdict(alarms, len(sections)),
        n_sections=len(sections),
        n_events=run.n_kept,
        n_reference=other.n_kept,
        alarms_per_day=per_day,
        section_s=section_s,
        n_tests=n_tests,
        alarm_p=cuts,
        alarms=tuple(alarms),
        trial=trial,
        trial_from=None if fault is None else middle,
        warnings=run.warnings,
    )


def _with_fault(
    parts: Iterator[AcceptedEvents], fault: Fault | None, first: int
) -> Iterator[AcceptedEvents]:
    for part in parts:
        is_later = part.sections >= first
        if fault is None or not is_later.any():
            yield part
            continue
        changed = fault(part).events
        events = np.where(is_later.reshape(-1, *[1] * (changed.ndim - 1)), changed, part.events)
        yield replace(part, events=events)


def _n_tests(properties: Properties) -> dict[str, int]:
    return {
        "rate": 1,
        "occupancy": len(properties.kinds) * N_ETA * N_PHI,
        "spectrum": sum(len(one.cuts) for one in properties.spectra),
    }


def _cuts(properties: Properties, per_day: float, section_s: float) -> dict[str, float]:
    share = per_day / len(FAMILIES)
    return {
        family: alarm_p(max(n_tests, 1), per_day=share, section_s=section_s)
        for family, n_tests in _n_tests(properties).items()
    }


def _verdict(alarms: list[Alarm], n_sections: int) -> str:
    if not alarms:
        return f"as in the reference, in {n_sections:,} sections"
    return f"{len(alarms):,} alarms, the first at section {alarms[0].raised:,}"


# --- the families -------------------------------------------------------------------------------


def _rate_alarms(watched: Watched, sections: NDArray[np.int64], cut: float) -> Iterator[Alarm]:
    for raised in raise_alarms(watched, cut):
        yield _alarm(
            "rate", "rate", watched, raised, sections, [0], "the rate of accepted events is"
        )


def _map_alarms(counts: Counts, expected: Counts, cut: float) -> Iterator[Alarm]:
    for kind, found in counts.maps.items():
        watched = _watched(found, expected.maps[kind], counts, expected)
        left = raise_alarms(watched, cut)
        while left:
            region = _region(watched, left[0])
            yield _alarm(
                "occupancy", kind, watched, left[0], counts.sections, region, _where(kind, region)
            )
            left = [one for one in left[1:] if one.prop not in region]


def _spectrum_alarms(
    properties: Properties, counts: Counts, expected: Counts, cut: float
) -> Iterator[Alarm]:
    for one in properties.spectra:
        watched = _watched(counts.spectra[one.name], expected.spectra[one.name], counts, expected)
        # The first is said for all cuts of a spectrum.
        for raised in raise_alarms(watched, cut)[:1]:
            yield _alarm(
                "spectrum",
                one.name,
                watched,
                raised,
                counts.sections,
                [raised.prop],
                _which(one, raised.prop),
            )


def _watched(
    found: NDArray[np.int64], reference: NDArray[np.int64], counts: Counts, expected: Counts
) -> Watched:
    return Watched(
        counts=found,
        trials=counts.n_events,
        reference=reference.sum(axis=0),
        reference_trials=int(expected.n_events.sum()),
    )


def _alarm(
    family: str,
    what: str,
    watched: Watched,
    raised: Raised,
    sections: NDArray[np.int64],
    members: list[int],
    sentence: str,
) -> Alarm:
    """Say since when, and how much more or less there is; cells of a region are added up.

    `sentence` begins the alarm's, up to its verb; names in it are those of the layout, whatever
    they hold.
    """
    counts = watched.counts[:, members].sum(axis=1)
    reference = int(watched.reference[members].sum())
    share = reference / max(watched.reference_trials, 1)
    alone = watched.counts[:, raised.prop]
    own_share = watched.reference[raised.prop] / max(watched.reference_trials, 1)
    start = min(change_point(alone, watched.trials, own_share), raised.at)
    observed = int(counts[start:].sum())
    expected = share * float(watched.trials[start:].sum())
    since = int(sections[start])
    # An event with objects in two cells of a region counts twice.
    counted = "counts" if len(members) > 1 else "events"
    how = f"{_how_much(observed, expected, raised)} since section {since}"
    return Alarm(
        family=family,
        what=what,
        sentence=f"{sentence} {how} ({observed:,} {counted}, {expected:,.0f} expected)",
        since=since,
        raised=int(sections[raised.at]),
        observed=observed,
        expected=expected,
        p=raised.p,
        trend=_trend(counts, watched.trials),
        expected_trend=share,
        map=_ratios(watched, start) if family == "occupancy" else (),
    )


def _trend(counts: NDArray[np.int64], trials: NDArray[np.int64]) -> tuple[float, ...]:
    """Return counts per event over groups of consecutive sections."""
    groups = np.array_split(np.arange(len(counts)), min(len(counts), _MOST_GROUPS))
    return tuple(float(counts[some].sum() / max(trials[some].sum(), 1)) for some in groups)


def _ratios(watched: Watched, start: int) -> tuple[float, ...]:
    """Return counts of every cell since a section over those that are expected."""
    counts = watched.counts[start:].sum(axis=0)
    scale = watched.trials[start:].sum() / watched.reference_trials
    expected = watched.reference * scale
    is_seen = np.maximum(counts, expected) >= _SEEN
    ratios = np.divide(counts, np.maximum(expected, 1.0), out=np.ones(len(expected)), where=is_seen)
    return tuple(np.round(ratios, 3).tolist())


def _how_much(observed: int, expected: float, raised: Raised) -> str:
    if observed < 0.1 * expected:
        return "missing"
    if not expected:
        return "new"
    ratio = observed / expected
    side = "more" if raised.is_more else "less"
    return f"{abs(ratio - 1):.0%} {side}" if ratio < 3 else f"{ratio:.0f} times as many"


def _which(one: Spectrum, prop: int) -> str:
    unit = f" {one.unit}" if one.unit else ""
    title = one.title[:1].lower() + one.title[1:] if one.title[1:2].islower() else one.title
    return f"events with {title} of at least {one.cuts[prop]:.4g}{unit} are"


# --- regions of a map ---------------------------------------------------------------------------


def _region(watched: Watched, raised: Raised) -> list[int]:
    """Return the cells around one that raised an alarm which are off on the same side."""
    start = change_point(
        watched.counts[:, raised.prop],
        watched.trials,
        watched.reference[raised.prop] / max(watched.reference_trials, 1),
    )
    start = min(start, raised.at)
    counts = watched.counts[start:].sum(axis=0)
    expected = watched.reference * (watched.trials[start:].sum() / watched.reference_trials)
    deviation = (counts - expected) / np.sqrt(np.maximum(expected, 1.0))
    is_off = (deviation if raised.is_more else -deviation) > _REGION_DEVIATION
    region, edge = {raised.prop}, [raised.prop]
    while edge:
        row, column = divmod(edge.pop(), N_PHI)
        for row_step, column_step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            # Phi goes round.
            neighbour = (row + row_step) * N_PHI + (column + column_step) % N_PHI
            if not 0 <= row + row_step < N_ETA or neighbour in region or not is_off[neighbour]:
                continue
            region.add(neighbour)
            edge.append(neighbour)
    return sorted(region)


def _where(kind: str, region: list[int]) -> str:
    rows = sorted({cell // N_PHI for cell in region})
    columns = sorted({cell % N_PHI for cell in region})
    eta = f"eta {ETA_EDGES[rows[0]]:.1f} to {ETA_EDGES[rows[-1] + 1]:.1f}"
    first, last = _turn(columns)
    phi = "any phi"
    if len(columns) < N_PHI:
        phi = f"phi {PHI_EDGES[first]:.1f} to {PHI_EDGES[last + 1]:.1f}"
    return f"{kind}s at {eta}, {phi} are"


def _turn(columns: list[int]) -> tuple[int, int]:
    """Return first and last of columns that go round: they begin after the widest gap."""
    gaps = [
        (columns[(at + 1) % len(columns)] - column - 1) % N_PHI for at, column in enumerate(columns)
    ]
    after = (int(np.argmax(gaps)) + 1) % len(columns)
    return columns[after], columns[after - 1]
