"""Which counts of some sections are unlike the reference, at a false-alarm rate that is bounded.

Sections are looked at in windows of the last 1, 2, 4, 8, 16 of them. A count in a window beside
that of the reference is hypergeometric, an exact two-sample test that holds the statistics of the
reference. By Boole's inequality the expected number of false alarms in a day is at most the number
of tests in a day times the p-value that raises an alarm, which is chosen by that; windows overlap
and counts are whole, so that there are fewer in truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

# 2^18 turns of the LHC, of 88.9 microseconds.
SECTION_S = 23.31
DAY_S = 86_400.0
WINDOWS = (1, 2, 4, 8, 16)
# A p-value below 1e-4 has a larger normal deviation than this; others are not looked at exactly.
_LOOK_AT = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """Counts of one family of properties.

    Attributes
    ----------
    counts : int64 array, shape (n_sections, n_properties)
    trials : int64 array, shape (n_sections,)
        Events of each section.
    reference : int64 array, shape (n_properties,)
    reference_trials : int
    """

    counts: NDArray[np.int64]
    trials: NDArray[np.int64]
    reference: NDArray[np.int64]
    reference_trials: int


def alarm_p(n_properties: int, *, per_day: float, section_s: float = SECTION_S) -> float:
    """Return the p-value that raises an alarm: at most `per_day` false ones are expected in a day.

    Examples
    --------
    >>> f"{alarm_p(1, per_day=1.0):.3g}"
    '2.7e-05'
    """
    n_tests = n_properties * len(WINDOWS) * 2 * DAY_S / section_s
    return min(per_day / n_tests, 1e-4)


def p_values(watched: Watched, window: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Compare the windows that end at each section with the reference.

    Returns
    -------
    p : float64 array, shape (n_sections, n_properties)
        Of a count as far off as this on its side; 1 where it is not far enough to be looked at, and
        where fewer sections came than the window holds.
    is_more : bool array of the same shape
        Whether there are more events than in the reference.
    """
    counts, trials = _in_window(watched.counts, window), _in_window(watched.trials, window)
    deviation = _deviation(counts, trials[:, None], watched)
    p = np.ones(counts.shape)
    rows, columns = np.nonzero(np.abs(deviation) > _LOOK_AT)
    if len(rows):
        found = counts[rows, columns]
        total = watched.reference_trials + trials[rows]
        marked = watched.reference[columns] + found
        of_both = total, marked, trials[rows]
        is_up = deviation[rows, columns] > 0
        tail = np.ones(len(rows))
        # Each tail is summed term by term: the one that is not asked for costs as much.
        tail[is_up] = hypergeom.sf(found[is_up] - 1, *(one[is_up] for one in of_both))
        tail[~is_up] = hypergeom.cdf(found[~is_up], *(one[~is_up] for one in of_both))
        p[rows, columns] = tail
    return p, deviation > 0


def _in_window(values: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Sum the last `window` sections; zero where there are fewer."""
    sums = np.cumsum(values, axis=0)
    found = np.zeros_like(sums)
    found[window - 1 :] = sums[window - 1 :]
    found[window:] -= sums[:-window]
    return found


def _deviation(
    counts: NDArray[np.int64], trials: NDArray[np.int64], watched: Watched
) -> NDArray[np.float64]:
    """Return by how many standard deviations counts are off, both samples together."""
    n, m = trials.astype(np.float64), float(watched.reference_trials)
    pooled = (counts + watched.reference) / np.maximum(n + m, 1)
    variance = pooled * (1 - pooled) * n * (n + m) / m
    off = counts - watched.reference / m * n
    return np.divide(off, np.sqrt(variance), out=np.zeros(off.shape), where=variance > 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Raised:
    """The first alarm of a property.

    Attributes
    ----------
    at : int
        Position of the section at whose end it was raised.
    p : float
        Then.
    """

    prop: int
    at: int
    is_more: bool
    p: float


def raise_alarms(watched: Watched, p_alarm: float, *, before: int = 0) -> list[Raised]:
    """Return the first alarm of each property that raises one, in the order of time.

    Parameters
    ----------
    before : int
        So many of the first sections were looked at already: windows reach back to them, and no
        alarm is raised at them.
    """
    first: dict[int, Raised] = {}
    for window in WINDOWS:
        if window > len(watched.counts):
            break
        p, is_more = p_values(watched, window)
        rows, columns = np.nonzero(p <= p_alarm)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if row < before:
                continue
            if column not in first or row < first[column].at:
                first[column] = Raised(
                    prop=column, at=row, is_more=bool(is_more[row, column]), p=float(p[row, column])
                )
    return sorted(first.values(), key=lambda one: (one.at, one.p))


def change_point(
    counts: NDArray[np.int64], trials: NDArray[np.int64], reference_share: float
) -> int:
    """Return the section from which on counts are another share of the events than the reference.

    The start that the likelihood ratio prefers: before it the share is that of the reference, from
    it on the one that is measured.

    Parameters
    ----------
    counts, trials : int64 arrays, shape (n_sections,)
    reference_share : float

    References
    ----------
    D. V. Hinkley, Biometrika 57 (1970) 1, doi:10.1093/biomet/57.1.1.
    """
    after, events = (np.cumsum(one[::-1])[::-1] for one in (counts, trials))
    return int(np.argmax(start_gain(after, events, np.float64(reference_share))))


def start_gain(
    after: NDArray[np.int64],
    events: NDArray[np.int64],
    reference_share: NDArray[np.float64] | np.float64,
) -> NDArray[np.float64]:
    """Return the logarithm of the likelihood ratio of starts: another share from there on, or not.

    Parameters
    ----------
    after, events : int64 arrays
        Counts and events from a start on.
    """
    share = np.clip(reference_share, 1e-12, 1 - 1e-12)
    measured = np.clip(after / np.maximum(events, 1), 1e-12, 1 - 1e-12)
    return np.asarray(
        after * np.log(measured / share) + (events - after) * np.log((1 - measured) / (1 - share))
    )
