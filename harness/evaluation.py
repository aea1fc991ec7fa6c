"""From scores of the events of a challenge to its physics record; shared by scoring and audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Challenge
from harness.metrics.evaluate import evaluate
from harness.records import Physics


def evaluate_scores(
    challenge: Challenge,
    scores: Mapping[str, NDArray[np.float64]],
    hashes: Mapping[str, NDArray[np.uint64]],
    arithmetic: Literal["float", "firmware"],
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
    """
    backgrounds = challenge.processes("background")
    return evaluate(
        np.concatenate([scores[name] for name in backgrounds]),
        {name: scores[name] for name in challenge.signals},
        background_hashes=np.concatenate([hashes[name] for name in backgrounds]),
        signal_hashes={name: hashes[name] for name in challenge.signals},
        false_positive_rates=challenge.false_positive_rates,
        working_point=challenge.working_point,
        seed=challenge.seed,
        arithmetic=arithmetic,
    )
