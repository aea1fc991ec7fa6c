"""The whole physics record of one set of scores in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.card import physics
from harness.challenge import Condition, MassObservable, Merit
from harness.errors import DataError, InvalidSubmissionError
from harness.metrics.accuracy import measure_accuracies
from harness.metrics.histogram import score_histogram
from harness.metrics.mass import measure_mass
from harness.metrics.menu import measure_menu, without_accepted
from harness.metrics.merits import measure_merit
from harness.metrics.rates import BACKGROUND, measure_point, record_point, replicate_points
from harness.metrics.replicates import Dealing
from harness.metrics.roc import measure_auc, place, roc_cuts, roc_points
from harness.metrics.scores import Sample, check_scores, rank_samples
from harness.metrics.stability import measure_stability

__all__ = ["BACKGROUND", "evaluate"]


def evaluate(
    background: ArrayLike,
    signals: Mapping[str, ArrayLike],
    *,
    background_hashes: NDArray[np.uint64],
    signal_hashes: Mapping[str, NDArray[np.uint64]],
    false_positive_rates: Sequence[float],
    working_point: float,
    seed: int,
    arithmetic: Literal["float", "firmware"],
    merit: Merit | None = None,
    accepted: Mapping[str, NDArray[np.bool_]] | None = None,
    conditions: Sequence[Condition] = (),
    values: Mapping[str, NDArray[np.float64]] | None = None,
    mass: MassObservable | None = None,
    masses: Mapping[str, NDArray[np.float64]] | None = None,
) -> physics.Physics:
    """Measure how well scores tell each signal from background.

    Parameters
    ----------
    background : array_like, shape (n_background,)
        Scores of the test background; higher = more anomalous.
    signals : mapping of str to array_like, shape (n_signal,)
        Scores of each signal. With no signal the record holds thresholds and no rates.
    background_hashes, signal_hashes : ndarray of uint64
        Content hash of each event, in the order of its score.
    false_positive_rates : sequence of float
        Rates at which the TPR is measured.
    working_point : float
        The rate, one of them, whose replicates are kept.
    seed : int
        The challenge's seed.
    arithmetic : str
        Whose scores these are.
    merit : Merit, optional
        What the challenge ranks; without it the TPR at the working point.
    accepted : mapping of str to ndarray of bool, optional
        Whether the menu of the trigger accepts each event; of `BACKGROUND` and every signal.
    conditions : sequence of Condition
        By which the rate of the background is measured,
    values : mapping of name to float64 array, shape (n_background,), optional
        and what each of them was for each background event.
    mass : MassObservable, optional
        What the challenge states of the mass of an event,
    masses : mapping of str to float64 array, shape (n,), optional
        and the mass of each event; of `BACKGROUND` and every signal.

    Returns
    -------
    physics.Physics
        A working point that the background is too small for is an `UnreachedWorkingPoint`, and
        there are no replicates if that is the challenge's own.

    Raises
    ------
    InvalidSubmissionError
        Scores are NaN, infinite, not one number per event, or not as many as there are hashes.
    DataError
        A sample holds no event, a signal is named "background", or a rate is not between 0
        and 1.

    Notes
    -----
    What is computed, and why: docs/statistics.md.
    """
    if BACKGROUND in signals:
        raise DataError(f'a signal is named "{BACKGROUND}": give it another name in the manifest')
    scores = {BACKGROUND: check_scores(background, name=BACKGROUND)}
    scores |= {name: check_scores(given, name=name) for name, given in signals.items()}
    hashes = {BACKGROUND: background_hashes, **{name: signal_hashes[name] for name in signals}}
    for name, checked in scores.items():
        _check_lengths(name, checked, hashes[name])
    ranked = rank_samples(list(scores.values()))
    samples = {
        name: Sample(scores=scores[name], hashes=hashes[name], ranked=one)
        for name, one in zip(scores, ranked, strict=True)
    }
    points = [measure_point(fpr, samples) for fpr in false_positive_rates]
    dealings: dict[str, Dealing] = {}
    replicates = replicate_points(
        points, samples, working_point=working_point, seed=seed, dealings=dealings
    )
    kept = samples[BACKGROUND].ranked
    cuts = roc_cuts(kept)
    largest = max(false_positive_rates)
    unaccepted = without_accepted(samples, accepted, largest_fpr=largest) if accepted else None
    return physics.Physics(
        arithmetic=arithmetic,
        n_background=kept.n_events,
        auc={name: measure_auc(place(kept, samples[name].ranked)) for name in signals},
        working_points=tuple(record_point(point, samples, replicates) for point in points),
        replicates={
            name: tuple(rates.tolist())
            for (fpr, name), rates in replicates.items()
            if fpr == working_point
        },
        roc={name: roc_points(samples[name].ranked, cuts) for name in signals},
        scores=score_histogram({name: one.ranked for name, one in samples.items()}),
        merit=merit and measure_merit(merit, samples, seed=seed, unaccepted=unaccepted),
        menu=unaccepted
        and measure_menu(
            unaccepted,
            false_positive_rates,
            working_point=working_point,
            seed=seed,
            dealings=dealings,
        ),
        stability=measure_stability(samples[BACKGROUND], points, conditions, values)
        if values
        else None,
        accuracy=measure_accuracies(merit, samples, seed=seed),
        mass=measure_mass(mass, samples, masses, merit, seed=seed) if mass and masses else None,
    )


def _check_lengths(name: str, scores: NDArray[np.float64], hashes: NDArray[np.uint64]) -> None:
    if len(scores) != len(hashes):
        raise InvalidSubmissionError(
            f"{len(scores)} scores for {len(hashes)} events",
            where=f"scores of {name}",
            expected="one score per event, in the order of the events",
            fix="return one value for every event of the batch",
        )
