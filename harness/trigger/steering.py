"""How a threshold follows a rate; see `harness.trigger.records.Steering`."""

from __future__ import annotations

import math

import numpy as np

from harness.trigger.records import Steering


def next_share(asked: float, steering: Steering, n_accepted: int, n_events: int) -> float:
    """Return the share that is asked for in the next section: one step of the integral.

    Half an event is added to what was accepted, so that an empty section has a logarithm.

    Examples
    --------
    >>> steering = Steering(target=0.01, gain=0.5, shares=(1e-4, 0.1), thresholds=(9.0, 1.0))
    >>> round(next_share(0.01, steering, 399, 9_999), 4)
    0.005
    >>> next_share(0.01, steering, 0, 10**9)
    0.1
    """
    measured = (n_accepted + 0.5) / (n_events + 1)
    step = asked * math.pow(steering.target / measured, steering.gain)
    return min(max(step, steering.low), steering.high)


def threshold_of(share: float, steering: Steering) -> float:
    """Read the threshold of a share from the working points of a card.

    Examples
    --------
    >>> steering = Steering(target=0.01, shares=(1e-4, 1e-2), thresholds=(9.0, 1.0))
    >>> round(threshold_of(1e-3, steering), 6)
    5.0
    """
    logs = [math.log(one) for one in steering.shares]
    return float(np.interp(math.log(share), logs, steering.thresholds))
