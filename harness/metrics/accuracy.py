"""The accuracy of a tagger: the share of events that a cut on its score puts where they belong."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from harness.card import figures, physics
from harness.challenge import Merit, RejectionAtTpr
from harness.metrics.halves import halves_of
from harness.metrics.intervals import clopper_pearson
from harness.metrics.rates import BACKGROUND
from harness.metrics.roc import CONFIDENCE_LEVEL
from harness.metrics.scores import Sample


def measure_accuracies(
    merit: Merit | None, samples: Mapping[str, Sample], *, seed: int
) -> dict[str, physics.Accuracy] | None:
    """Measure the accuracy of a tagger for every signal; None where no tagging is asked for."""
    if not isinstance(merit, RejectionAtTpr):
        return None
    background = samples[BACKGROUND]
    found = {
        name: measure_accuracy(background, sample, seed=seed)
        for name, sample in samples.items()
        if name != BACKGROUND
    }
    return {name: one for name, one in found.items() if one is not None}


def measure_accuracy(background: Sample, signal: Sample, *, seed: int) -> physics.Accuracy | None:
    """Measure the share of events on the right side of the best cut, for as many of each kind.

    A cut that is chosen and judged by the same events looks too good. So each half of the events
    judges the cut that is best for the other half.

    Parameters
    ----------
    background, signal : Sample
    seed : int
        Shares the events out in halves.

    Returns
    -------
    Accuracy or None
        (1 - FPR + TPR) / 2. The interval is that of the mean of two independent shares, put
        together of their Clopper-Pearson intervals (G. Y. Zou, A. Donner, Stat. Med. 27 (2008)
        1693, doi:10.1002/sim.3095); it holds for the cuts that were chosen. None where a half is
        empty.
    """
    halves = list(zip(halves_of(background, seed), halves_of(signal, seed), strict=True))
    if min(half.n_events for pair in halves for half in pair) == 0:
        return None
    cuts = [_best_cut(*half) for half in reversed(halves)]
    judged = list(zip(halves, cuts, strict=True))
    n_passing = [sum(pair[side].ranked.n_at_least(cut) for pair, cut in judged) for side in (0, 1)]
    counts = (
        (background.n_events - n_passing[0], background.n_events),
        (n_passing[1], signal.n_events),
    )
    shares = [n_right / n_events for n_right, n_events in counts]
    ends = [clopper_pearson(n_right, n_events) for n_right, n_events in counts]
    value = sum(shares) / 2
    down = math.hypot(*(share - end.lower for share, end in zip(shares, ends, strict=True))) / 2
    up = math.hypot(*(end.upper - share for share, end in zip(shares, ends, strict=True))) / 2
    return physics.Accuracy(
        value=value,
        interval=figures.Interval(
            lower=max(0.0, value - down),
            upper=min(1.0, value + up),
            level=CONFIDENCE_LEVEL,
            method="two Clopper-Pearson intervals",
        ),
        n_background=background.n_events,
        n_signal=signal.n_events,
    )


def _best_cut(background: Sample, signal: Sample) -> float:
    """Return the score from which on events are best called signal: between two that occur."""
    scores = [background.ranked.ascending, signal.ranked.ascending]
    cuts = np.unique(np.concatenate(scores).astype(np.float64))
    fprs = 1 - np.searchsorted(background.ranked.ascending, cuts, "left") / background.n_events
    tprs = 1 - np.searchsorted(signal.ranked.ascending, cuts, "left") / signal.n_events
    best = int(np.argmax(tprs - fprs))
    return float(cuts[best] if best == 0 else (cuts[best - 1] + cuts[best]) / 2)
