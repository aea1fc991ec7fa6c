"""Weak learning: background with some signal in it, without labels, is what is trained on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.challenge.values import Name, Value

SignalShare = Annotated[float, Field(gt=0.0, le=1.0)]


class Contamination(Value):
    """What is mixed into the background that participants train on.

    The events of the signals are shared out as the background is. The test part has its labels, and
    no event of it is in the mixture.

    Attributes
    ----------
    s_over_b : mapping of signal to float
        S/B: events of the signal for each event of background, in training and in validation.

    References
    ----------
    E. M. Metodiev, B. Nachman, J. Thaler, "Classification without labels", arXiv:1708.02949.
    """

    s_over_b: dict[Name, SignalShare] = Field(min_length=1)
