"""Is it the detector? The stream of accepted events is compared with a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.board.watch_report import N_ETA, Alarm, AlarmFamily, WatchReport
from harness.errors import DataError
from harness.trigger.alarms import SECTION_S, Raised, alarm_p
from harness.trigger.folder import AcceptedEvents, check_same, read_run
from harness.trigger.passes import Family, Traced
from harness.trigger.properties import (
    ETA_EDGES,
    N_PHI,
    PHI_EDGES,
    Counts,
    Properties,
    Spectrum,
    properties_of,
)
from harness.trigger.reading import read_accepted, read_all, read_sections
from harness.trigger.watched_rates import Rate, rates_by, rates_of, read_conditions

FAMILIES: tuple[AlarmFamily, ...] = ("rate", "occupancy", "spectrum")
# Cells beside one that raised an alarm belong to its region from so many standard deviations on.
_REGION_DEVIATION = 3.5
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
    table, other_table = read_sections(folder, run), read_sections(reference, other)
    sections = table["section"].astype(np.int64)
    if not len(sections):
        raise DataError("it holds no sections", where=str(folder))
    middle = int(sections[len(sections) // 2])
    conditions = read_conditions(folder, run, reference, other)
    rates = list(rates_of(table, other_table, conditions))
    n_tests = _n_tests(properties, rates)
    cuts = _cuts(n_tests, per_day, section_s)

    def blocks() -> Iterator[Counts]:
        return properties.blocks(_with_fault(read_accepted(folder, run), fault, middle), sections)

    looked = _look(properties, known, blocks, len(sections), cuts)
    alarms = [
        *_rate_alarms(rates, sections, cuts["rate"]),
        *_map_alarms(properties, looked, sections),
        *_spectrum_alarms(properties, looked, sections),
    ]
    alarms.sort(key=lambda one: (one.raised, one.p))
    return WatchReport(
        team=run.settings.team,
        challenge=run.settings.challenge,
        verdict=_verdict(alarms, len(sections)),
        data=run.stream,
        reference=other.stream,
        n_sections=len(sections),
        n_events=run.n_kept,
        n_reference=other.n_kept,
        alarms_per_day=per_day,
        section_s=section_s,
        n_tests=n_tests,
        alarm_p=cuts,
        alarms=tuple(alarms),
        conditions=tuple(bin_ for one, *counts in conditions for bin_ in rates_by(one, *counts)),
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


def _n_tests(properties: Properties, rates: Sequence[Rate]) -> dict[AlarmFamily, int]:
    return {
        "rate": len(rates),
        "occupancy": len(properties.kinds) * N_ETA * N_PHI,
        "spectrum": sum(len(one.cuts) for one in properties.spectra),
    }


def _cuts(
    n_tests: Mapping[AlarmFamily, int], per_day: float, section_s: float
) -> dict[AlarmFamily, float]:
    share = per_day / len(FAMILIES)
    return {
        family: alarm_p(max(number, 1), per_day=share, section_s=section_s)
        for family, number in n_tests.items()
    }


def _verdict(alarms: list[Alarm], n_sections: int) -> str:
    if not alarms:
        return f"as in the reference, in {n_sections:,} sections"
    return f"{len(alarms):,} alarms, the first at section {alarms[0].raised:,}"


# --- the families ---------------------------------------------------------------------------------


def _rate_alarms(rates: Sequence[Rate], sections: NDArray[np.int64], cut: float) -> Iterator[Alarm]:
    for one in rates:
        counts, trials = one.now
        reference, reference_trials = one.reference
        if not reference_trials.sum():
            continue
        family = Family(
            reference=np.array([reference.sum()]),
            reference_trials=int(reference_trials.sum()),
            p_alarm=cut,
            n_sections=len(sections),
        )
        family.feed(counts[:, None], trials)
        tracing = family.trace()
        tracing.feed(counts[:, None], trials)
        for raised in family.raised:
            traced = tracing.found()[raised.prop]
            yield _alarm("rate", one.what, family, (raised, traced), sections, [0], one.words)


# --- properties of events -------------------------------------------------------------------------

_Key = tuple[AlarmFamily, str]
_Looked = Mapping[_Key, tuple[Family, dict[int, Traced]]]


def _look(
    properties: Properties,
    known: AcceptedEvents,
    blocks: Callable[[], Iterator[Counts]],
    n_sections: int,
    cuts: Mapping[AlarmFamily, float],
) -> _Looked:
    """Go through the sections, and again where an alarm was raised, to find since when."""
    nowhere = np.zeros(1, np.int64)
    every = replace(known, sections=np.zeros(len(known), np.int64))
    expected = properties.count([every], nowhere)
    families = {
        key: Family(
            reference=found[0],
            reference_trials=int(expected.n_events.sum()),
            p_alarm=cuts[key[0]],
            n_sections=n_sections,
        )
        for key, found in _tables(expected)
    }
    for block in blocks():
        for key, found in _tables(block):
            families[key].feed(found, block.n_events)
    tracings = {key: one.trace() for key, one in families.items() if one.raised}
    for block in blocks() if tracings else ():
        for key, found in _tables(block):
            if key in tracings:
                tracings[key].feed(found, block.n_events)
    return {
        key: (one, tracings[key].found() if key in tracings else {})
        for key, one in families.items()
    }


def _tables(counts: Counts) -> Iterator[tuple[_Key, NDArray[np.int64]]]:
    for kind, found in counts.maps.items():
        yield ("occupancy", kind), found
    for name, found in counts.spectra.items():
        yield ("spectrum", name), found


def _map_alarms(
    properties: Properties, looked: _Looked, sections: NDArray[np.int64]
) -> Iterator[Alarm]:
    for kind in properties.kinds:
        family, traced = looked["occupancy", kind]
        left = family.raised
        while left:
            when = traced[left[0].prop]
            region = _region(family, left[0], when)
            where = _where(kind, region)
            yield _alarm("occupancy", kind, family, (left[0], when), sections, region, where)
            left = [one for one in left[1:] if one.prop not in region]


def _spectrum_alarms(
    properties: Properties, looked: _Looked, sections: NDArray[np.int64]
) -> Iterator[Alarm]:
    for one in properties.spectra:
        family, traced = looked["spectrum", one.name]
        # The first is said for all cuts of a spectrum.
        for raised in family.raised[:1]:
            which, members = _which(one, raised.prop), [raised.prop]
            when = raised, traced[raised.prop]
            yield _alarm("spectrum", one.name, family, when, sections, members, which)


def _alarm(
    family: AlarmFamily,
    what: str,
    found: Family,
    when: tuple[Raised, Traced],
    sections: NDArray[np.int64],
    members: list[int],
    sentence: str,
) -> Alarm:
    """Say what is off; `members` are the properties of the alarm, `when` is of its first one."""
    raised, traced = when
    share = float(found.reference[members].sum() / max(found.reference_trials, 1))
    observed = int((found.total - traced.before)[members].sum())
    expected = share * (found.total_trials - traced.before_trials)
    since = int(sections[traced.start])
    # An event with objects in two cells of a region counts twice.
    counted = "counts" if len(members) > 1 else "events"
    how = f"{_how_much(observed, expected, raised)} since section {since}"
    trend = found.grouped[:, members].sum(axis=1) / np.maximum(found.grouped_trials, 1)
    return Alarm(
        family=family,
        what=what,
        sentence=f"{sentence} {how} ({observed:,} {counted}, {expected:,.0f} expected)",
        since=since,
        raised=int(sections[raised.at]),
        observed=observed,
        expected=expected,
        p=raised.p,
        trend=tuple(trend.tolist()),
        expected_trend=share,
        map=_ratios(found, traced) if family == "occupancy" else (),
    )


def _since(found: Family, traced: Traced) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return what was counted of each property since a section, and what is expected."""
    n_trials = found.total_trials - traced.before_trials
    expected = np.asarray(found.reference * (n_trials / found.reference_trials), np.float64)
    return np.asarray(found.total - traced.before, np.int64), expected


def _ratios(found: Family, traced: Traced) -> tuple[float, ...]:
    """Return counts of every cell since a section over those that are expected."""
    counts, expected = _since(found, traced)
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


def _region(found: Family, raised: Raised, traced: Traced) -> list[int]:
    """Return the cells around one that raised an alarm which are off on the same side."""
    counts, expected = _since(found, traced)
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
