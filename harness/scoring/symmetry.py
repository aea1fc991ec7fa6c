"""Signal events that mean the same physics and are new: turned, mirrored, moved in pT.

Diagnostics, no verdict is drawn: a model that knows the test events by heart loses rate on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Check, WorkingPoint
from harness.data.mix import Mixture, flip_eta, move_pt, rotate_phi
from harness.metrics.accepted import passing
from harness.metrics.consistency import describe_change


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
    features: tuple[str, ...],
) -> Iterator[Variant]:
    """Make the variants of at most `n_each` random events of each signal; the rows rise.

    A variant whose features the layout has not is left out.
    """
    signals = [name for name in mixture.processes if name not in background]
    if not signals:
        return
    rows = np.sort(
        np.concatenate([generator.permutation(mixture.rows[name])[:n_each] for name in signals])
    )
    given = mixture.gather(rows)
    if {"pt", "phi"} <= set(features):
        turned = rotate_phi(given, generator, features=features)
        yield Variant(name="phi_rotation", rows=rows, events=turned)
    if "eta" in features:
        yield Variant(name="eta_flip", rows=rows, events=flip_eta(given, features=features))
    if "pt" in features:
        moved = move_pt(given, generator, features=features)
        yield Variant(name="pt_shift", rows=rows, events=moved)


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
        At the first the TPR is told.
    """
    before = scores[variant.rows]
    change = describe_change(variant.name, before, found)
    rates = _rates(mixture.labels()[variant.rows], mixture.processes, before, found, points)
    return change.model_copy(update={"detail": f"{rates}; {change.detail}"})


def not_scored(name: str, reason: str) -> Check:
    """Stand for a diagnostic that could not be made."""
    return Check(
        name=name,
        outcome="diagnostic",
        n_events=0,
        max_difference=0.0,
        detail=f"these events could not be scored: {reason}"[:1000],
    )


def _rates(
    labels: NDArray[np.uint8],
    processes: Sequence[str],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    points: Sequence[WorkingPoint],
) -> str:
    """Give the TPR of each signal before and after, on the same events."""
    if not points:
        return "TPR: the working point was not reached"
    point = points[0]
    rates_of = []
    for code, name in enumerate(processes):
        is_its = labels == code
        if is_its.any():
            rates = [100 * np.mean(passing(scores[is_its], point)) for scores in (before, after)]
            rates_of.append(f"{name} {rates[0]:.3g} -> {rates[1]:.3g} %")
    return f"TPR at FPR {point.fpr:g}, before -> after: {', '.join(rates_of)}"
