"""From scores of the events of a challenge to its physics record; shared by scoring and audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.card.hardware import ComparedScores, ScoreDifference
from harness.card.physics import Physics
from harness.challenge import Challenge
from harness.data.mix import Beside
from harness.metrics.evaluate import BACKGROUND, evaluate

_Number = TypeVar("_Number", bound=np.generic)


def evaluate_scores(
    challenge: Challenge,
    scores: Mapping[str, NDArray[np.float64]],
    hashes: Mapping[str, NDArray[np.uint64]],
    arithmetic: Literal["float", "firmware"],
    beside: Beside | None = None,
) -> Physics:
    """Measure how well scores tell the signals of `challenge` from its background.

    Parameters
    ----------
    challenge : Challenge
        Names background and signals, working points and seed.
    scores : mapping of process to float64 array, shape (n,)
        Scores of the test events; higher = more anomalous.
    hashes : mapping of process to uint64 array, shape (n,)
        Content hashes of the same events.
    arithmetic : str
        Whose scores these are.
    beside : Beside, optional
        What stands beside the same events: without it nothing of the menu, of conditions
        and of the mass is measured.
    """
    return evaluate_merged(
        challenge,
        merge_backgrounds(challenge, scores),
        merge_backgrounds(challenge, hashes),
        arithmetic,
        beside,
    )


def evaluate_merged(
    challenge: Challenge,
    scores: Mapping[str, NDArray[np.float64]],
    hashes: Mapping[str, NDArray[np.uint64]],
    arithmetic: Literal["float", "firmware"],
    beside: Beside | None = None,
) -> Physics:
    """Measure as `evaluate_scores` does, of arrays that `merge_backgrounds` returned."""
    backgrounds = challenge.processes("background")
    beside = beside or Beside()
    return evaluate(
        scores[BACKGROUND],
        {name: scores[name] for name in challenge.signals},
        background_hashes=hashes[BACKGROUND],
        signal_hashes={name: hashes[name] for name in challenge.signals},
        false_positive_rates=challenge.false_positive_rates,
        working_point=challenge.working_point,
        merit=challenge.merit,
        accepted=merge_backgrounds(challenge, beside.menu) if beside.menu else None,
        conditions=challenge.conditions,
        values={
            name: np.concatenate([of_process[process] for process in backgrounds])
            for name, of_process in beside.conditions.items()
        },
        mass=challenge.mass,
        masses=merge_backgrounds(challenge, beside.mass) if beside.mass else None,
        seed=challenge.seed,
        arithmetic=arithmetic,
    )


def compare_arithmetics(
    challenge: Challenge,
    network: Mapping[str, NDArray[np.float64]],
    firmware: Mapping[str, NDArray[np.float64]],
    *,
    is_rounded: bool,
) -> ComparedScores:
    """Compare what the network and its firmware give for every event.

    Parameters
    ----------
    network, firmware : mapping of process to float64 array, shape (n,)
        Their scores of the same events.
    is_rounded : bool
        Whether the firmware is of a float network that was rounded to its declared precision.
    """
    others = merge_backgrounds(challenge, firmware)
    return ComparedScores(
        is_rounded=is_rounded,
        by_process={
            name: _difference(scores, others[name])
            for name, scores in merge_backgrounds(challenge, network).items()
        },
    )


def _difference(scores: NDArray[np.float64], others: NDArray[np.float64]) -> ScoreDifference:
    difference = np.abs(scores - others)
    return ScoreDifference(
        n_events=len(scores),
        n_different=int(np.count_nonzero(difference)),
        max_difference=float(difference.max(initial=0.0)),
    )


def merge_backgrounds(
    challenge: Challenge, values: Mapping[str, NDArray[_Number]]
) -> dict[str, NDArray[_Number]]:
    """Join the values of all background processes under one name; the signals keep theirs."""
    backgrounds = [values[name] for name in challenge.processes("background")]
    signals = {name: values[name] for name in challenge.signals}
    return {BACKGROUND: np.concatenate(backgrounds), **signals}
