"""What the figures of a card are made of: counts, rates, intervals, reasons why there is none."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.challenge import Value

Text = Annotated[str, Field(max_length=4000)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class NotMeasured(Value):
    """Stands where a figure would: it was not measured, for this reason."""

    not_measured: Text


class Interval(Value):
    """A confidence interval."""

    lower: float
    upper: float
    level: Probability = 0.95
    method: Text


class Band(Value):
    """Between which values an estimate may be true; no confidence level is claimed."""

    lower: float
    upper: float


class UnreachedWorkingPoint(Value):
    """A working point that the test background is too small for."""

    fpr: Probability
    not_measured: Text
