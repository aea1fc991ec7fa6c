"""How far `harness reach` is: its trials, written after each point of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.board.reach import TrialPoint
from harness.card.figures import Probability
from harness.challenge import Name, Value


class ReachSettings(Value):
    """Everything that decides the trials; they are continued with the same alone.

    Attributes
    ----------
    events : str
        SHA-256 of the accepted events that they draw from.
    n_trials : int
        Of each signal at least.
    n_null : int
        Without a signal.
    """

    program: str
    events: str
    level: Probability
    n_toys: Annotated[int, Field(ge=1)]
    n_trials: Annotated[int, Field(ge=1)]
    n_null: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]


class ReachRun(Value):
    """The points that were tried so far.

    Attributes
    ----------
    points : mapping of signal to tuple of TrialPoint
        In the order in which they were tried; under `NO_SIGNAL` those without one.
    """

    schema_version: Literal[1] = 1
    settings: ReachSettings
    points: dict[Name, tuple[TrialPoint, ...]] = Field(default_factory=dict)
