"""Signal events that mean the same physics and are new: turned, mirrored, moved in pT.

Diagnostics, no verdict is drawn: a model that knows the test events by heart loses rate on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card.checks import ChangedRate, Check
from harness.card.physics import WorkingPoint
from harness.challenge import EventLayout
from harness.data.mix import PT_SHIFT, Mixture, flip_eta, move_pt, rotate_phi
from harness.metrics.accepted import passing
from harness.metrics.consistency import describe_change
from harness.metrics.intervals import paired_difference

TURNED, FLIPPED, MOVED = "phi_rotation", "eta_flip", "pt_shift"
_NEEDS = {TURNED: ("pt", "phi"), FLIPPED: ("eta",), MOVED: ("pt",)}
# Share of its rate that a signal must lose for a warning.
_MATERIAL = 0.25
_NO_POINT = "TPR: the working point was not reached"


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Signal events, changed: `events` are those at `rows` of the mixture."""

    name: str
    rows: NDArray[np.int64]
    events: NDArray[np.float32]


def symmetric_variants(
    mixture: Mixture,
    background: Sequence[str],
    generator: np.random.Generator,
    n_each: int,
    *,
    layout: EventLayout,
) -> Iterator[Variant]:
    """Make the variants of at most `n_each` random events of each signal; the rows rise.

    A variant whose features the layout has not is left out; see `unmade_variants`.
    """
    signals = [name for name in mixture.processes if name not in background]
    if not signals or all(layout.lacks(*features) for features in _NEEDS.values()):
        return
    rows = np.sort(
        np.concatenate([generator.permutation(mixture.rows[name])[:n_each] for name in signals])
    )
    given = np.asarray(mixture.gather(rows))
    if not layout.lacks(*_NEEDS[TURNED]):
        turned = rotate_phi(given, generator, layout=layout)
        yield Variant(name=TURNED, rows=rows, events=turned)
    if not layout.lacks(*_NEEDS[FLIPPED]):
        yield Variant(name=FLIPPED, rows=rows, events=flip_eta(given, layout=layout))
    if not layout.lacks(*_NEEDS[MOVED]):
        moved = move_pt(given, generator, layout=layout)
        yield Variant(name=MOVED, rows=rows, events=moved)


def unmade_variants(layout: EventLayout) -> list[Check]:
    """Stand for the diagnostics that a layout does not allow."""
    return [
        _unmade(name, f"not measured: {lacking}")
        for name, features in _NEEDS.items()
        if (lacking := layout.lacks(*features))
    ]


def describe_variant(
    variant: Variant,
    mixture: Mixture,
    scores: NDArray[np.float64],
    found: NDArray[np.float64],
    points: Sequence[WorkingPoint],
) -> Check:
    """Say how far a variant changes the scores, and the TPR of each signal.

    Parameters
    ----------
    scores : float64 array, shape (n_events,)
        Of the mixture.
    found : float64 array, shape (n,)
        Of the variant's events.
    points : sequence of WorkingPoint
        The TPR is given at the first.
    """
    before = scores[variant.rows]
    change = describe_change(variant.name, before, found)
    labels = mixture.labels()[variant.rows]
    rates = _rates(labels, mixture.processes, before, found, points[:1])
    said = (
        f"{name} {_percent(rate.before)} -> {_percent(rate.after)} % (change "
        f"{_percent(rate.difference.lower)} to {_percent(rate.difference.upper)} %)"
        for name, rate in rates.items()
    )
    told = f"TPR at FPR {points[0].fpr:g}: {', '.join(said)}" if rates else _NO_POINT
    return change.model_copy(update={"detail": f"{told}; {change.detail}", "rates": rates})


def recall_warnings(checks: Sequence[Check]) -> Iterator[str]:
    """Say where a signal is lost by a change far below what a detector resolves.

    The rate falls by a quarter or more, with 95 % confidence.
    """
    for check in checks:
        for name, rate in check.rates.items():
            if check.name == MOVED and rate.difference.upper < -_MATERIAL * rate.before:
                yield (
                    f"the TPR of {name} falls from {_percent(rate.before)} to "
                    f"{_percent(rate.after)} % (change {_percent(rate.difference.lower)} to "
                    f"{_percent(rate.difference.upper)} %) where each pT is moved by "
                    f"{PT_SHIFT:.0%}, a tenth of its resolution: the model may know these events"
                )


def not_scored(name: str, reason: str) -> Check:
    """Stand for a diagnostic that could not be made."""
    return _unmade(name, f"these events could not be scored: {reason}"[:1000])


def _unmade(name: str, detail: str) -> Check:
    return Check(name=name, outcome="diagnostic", n_events=0, max_difference=0.0, detail=detail)


def _rates(
    labels: NDArray[np.uint8],
    processes: Sequence[str],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    points: Sequence[WorkingPoint],
) -> dict[str, ChangedRate]:
    """Compare the TPR of each signal before and after, on the same events, at each point."""
    rates = {}
    for point in points:
        passed, passes = passing(before, point), passing(after, point)
        for code, name in enumerate(processes):
            is_its = labels == code
            n_events = int(is_its.sum())
            if n_events:
                rates[name] = ChangedRate(
                    before=float(passed[is_its].mean()),
                    after=float(passes[is_its].mean()),
                    difference=paired_difference(
                        int((is_its & passed & ~passes).sum()),
                        int((is_its & passes & ~passed).sum()),
                        n_events,
                    ),
                )
    return rates


def _percent(share: float) -> str:
    return f"{100 * share:.3g}"
