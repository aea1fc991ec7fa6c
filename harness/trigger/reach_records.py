"""How far `harness reach` is: its trials, written after each point of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.board.reach import TrialPoint
from harness.card.figures import Probability
from harness.challenge import Name, Value


class ReachSettings(Value):
    """Everything that decides the trials, but for the signals; others are trials of their own.

    Attributes
    ----------
    background : str
        SHA-256 of the accepted background events that they draw from.
    """

    program: str
    background: str
    level: Probability
    n_toys: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]


class ReachRun(Value):
    """The points that were tried so far.

    Attributes
    ----------
    signals : mapping of signal to str
        SHA-256 of its accepted events.
    points : mapping of signal to tuple of TrialPoint
        In the order in which they were tried; under `NO_SIGNAL` those without one.
    """

    schema_version: Literal[1] = 1
    settings: ReachSettings
    signals: dict[Name, str] = Field(default_factory=dict)
    points: dict[Name, tuple[TrialPoint, ...]] = Field(default_factory=dict)
