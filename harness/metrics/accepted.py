"""What an entry accepts, and what today's cuts would accept at the same rate.

The cuts of a trigger without a network: the pT of the leading electron or muon, the missing
transverse momentum, or the scalar sum of the jets' pT is over its threshold. Every threshold is
passed by the same number of background events, and they are lowered together until the three at
once use up the rate. No signal takes part in setting them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.board.comparison import compare_rate
from harness.card.accepted import Gain, TriggerCuts
from harness.card.figures import Interval, NotMeasured, UnreachedWorkingPoint
from harness.card.physics import Physics, WorkingPoint
from harness.challenge import EventLayout

BACKGROUND = "background"
LEPTONS = ("electron", "muon")
MISSING = ("met",)
JETS = ("jet",)
# The kind of object that is a trigger's own HT; without it, the jets are summed.
OWN_HT = "ht"
# Events that are looked at several times while they stay in the second-level cache.
_BLOCK_EVENTS = 4096
_METHOD = "paired bootstrap, small counts widened"


def has_cuts(layout: EventLayout) -> bool:
    """Whether a layout has objects that `cut_values` looks at."""
    return bool({*LEPTONS, *MISSING, *JETS} & set(layout.slots))


def cut_values(events: NDArray[np.float32], layout: EventLayout) -> dict[str, NDArray[np.float64]]:
    """Compute what the cuts look at, for each event.

    Parameters
    ----------
    events : float32 array of shape (n, n_objects, n_features)
        Empty slots have a pT of 0, which is among the features.

    Returns
    -------
    dict of str to float64 array of shape (n,)
        ``lepton_pt``, ``met`` and ``ht`` [GeV], those whose objects the layout has.
    """
    pieces = [
        _cut_values(events[start : start + _BLOCK_EVENTS], layout)
        for start in range(0, max(len(events), 1), _BLOCK_EVENTS)
    ]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _cut_values(events: NDArray[np.float32], layout: EventLayout) -> dict[str, NDArray[np.float64]]:
    leptons, missing, jets, own_ht = (
        [layout.values_of(events, name, "pt") for name in names if name in layout.slots]
        for names in (LEPTONS, MISSING, JETS, (OWN_HT,))
    )
    values = {}
    if leptons:
        values["lepton_pt"] = _largest(leptons)
    if missing:
        values["met"] = _largest(missing)
    if own_ht:
        values["ht"] = _largest(own_ht)
    elif jets:
        # Slot by slot, as NumPy adds up what lies in this order.
        values["ht"] = np.asfortranarray(np.hstack(jets)).sum(axis=1, dtype=np.float64)
    return values


def _largest(pt: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the largest pT of each event over several kinds of object."""
    largest: NDArray[np.float32] = np.max([one.max(axis=1) for one in pt], axis=0)
    return largest.astype(np.float64)


def cut_scores(
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
) -> dict[str, NDArray[np.float64]]:
    """Turn the cuts into one score per event, so that they are measured as any entry is.

    Parameters
    ----------
    values : mapping of process to mapping of observable to float64 array of shape (n,)
        From `cut_values`; one process is ``background``.

    Returns
    -------
    dict of process to float64 array of shape (n,)
        An event passes a cut on this score at -j if it passes any of the cuts, each of which is
        a background value that at most j background events reach.
    """
    fewest: dict[str, NDArray[np.float64]] = {}
    for name, background in values[BACKGROUND].items():
        ordered = np.sort(background)
        for process, columns in values.items():
            n_reaching = _n_reaching(ordered, columns[name]).astype(np.float64)
            fewest[process] = np.minimum(n_reaching, fewest.get(process, np.inf))
    return {process: -counts for process, counts in fewest.items()}


def _n_reaching(ordered: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the background at or above the highest background value that each event reaches."""
    # Searched for in order, values are found close to each other: several times faster.
    order = np.argsort(column)
    below = np.searchsorted(ordered, column[order], side="right")
    reached = ordered[np.maximum(below - 1, 0)]
    n_reaching = len(ordered) - np.searchsorted(ordered, reached, side="left")
    result = np.empty(len(column), np.int64)
    result[order] = np.where(below > 0, n_reaching, len(ordered) + 1)
    return result


def cut_thresholds(
    background: Mapping[str, NDArray[np.float64]], point: WorkingPoint
) -> dict[str, float]:
    """Return the cut on each observable that a cut of `point` on the cuts' score means.

    A threshold is the smallest background value that passes; infinite is written as the largest
    value where none does.
    """
    n_each = int(-point.threshold) - (1 if point.is_strict else 0)
    thresholds = {}
    for name, column in background.items():
        ordered = np.sort(column)
        reached = len(ordered) - np.searchsorted(ordered, ordered, side="left")
        passing = ordered[reached <= n_each]
        thresholds[name] = float(passing[0] if len(passing) else ordered[-1])
    return thresholds


def compare_with_cuts(
    physics: Physics,
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    cuts: Physics,
    *,
    fpr: float,
) -> TriggerCuts | NotMeasured:
    """Compare an entry with today's cuts at the same false positive rate.

    Parameters
    ----------
    physics : Physics
        Of the entry.
    values : mapping of process to mapping of observable to array
        From `cut_values`, of the same test events.
    cuts : Physics
        Of `cut_scores` of these values, with the same hashes and seed as the entry's.
    """
    if not values[BACKGROUND]:
        return NotMeasured(not_measured="the events have no object that the cuts look at")
    point = cuts.at(fpr)
    if isinstance(point, UnreachedWorkingPoint):
        return NotMeasured(not_measured=point.not_measured)
    return TriggerCuts(
        thresholds=cut_thresholds(values[BACKGROUND], point),
        point=point,
        gain={name: gain_over(physics, cuts, name, fpr=fpr) for name in point.rates},
    )


def gain_over(physics: Physics, cuts: Physics, signal: str, *, fpr: float) -> Gain | NotMeasured:
    """TPR of one signal over that of the cuts, with the paired 95 % interval."""
    point = cuts.at(fpr)
    if isinstance(point, UnreachedWorkingPoint) or not point.rates[signal].n_passing:
        return NotMeasured(not_measured="the cuts accept no event of this signal")
    if isinstance(physics.at(fpr), UnreachedWorkingPoint):
        return NotMeasured(not_measured="the entry was not measured at this rate")
    found = compare_rate(physics, cuts, signal, fpr)
    return Gain(
        ratio=found.ratio,
        interval=Interval(
            lower=found.ratio_span.lower, upper=found.ratio_span.upper, method=_METHOD
        ),
    )


def passing(scores: NDArray[np.float64], point: WorkingPoint) -> NDArray[np.bool_]:
    """Return which events pass a working point.

    Parameters
    ----------
    scores : float64 array of shape (n,)
        Higher = more anomalous.
    """
    if point.is_strict:
        return np.asarray(scores > point.threshold)
    return np.asarray(scores >= point.threshold)
