"""What a data set holds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.card.accepted import Distribution
from harness.card.figures import Count, Probability, Text
from harness.card.images import ExampleImage
from harness.card.in_trigger import MenuSummary
from harness.challenge import Name, Value


class ProcessSummary(Value):
    """One process of a challenge.

    Attributes
    ----------
    occupancy : mapping of object to tuple of float
        Fraction of events that fill each slot of the object, in the order of the slots.
    """

    process: Name
    title: str = Field(max_length=80)
    role: Literal["background", "signal", "blackbox"]
    n_events: Count
    occupancy: dict[Name, tuple[Probability, ...]]


class EventObject(Value):
    """One reconstructed object: transverse momentum [GeV], pseudorapidity, azimuth [rad]."""

    kind: Name
    pt: float
    eta: float
    phi: float


class ExampleEvent(Value):
    """One event for the event display: objects, or an image."""

    process: Name
    objects: tuple[EventObject, ...]
    image: ExampleImage | None = Field(default=None, exclude_if=lambda image: image is None)


class DataSummary(Value):
    """What the events of a challenge are, small enough for a page; written beside the cards.

    Hidden signals are never in it.

    Attributes
    ----------
    menu : MenuSummary or None
        What the trigger has today, where the challenge has a menu.
    """

    schema_version: Literal[1] = 1
    challenge: Name
    title: Text
    version: str
    synthetic: bool
    processes: tuple[ProcessSummary, ...]
    distributions: tuple[Distribution, ...]
    examples: tuple[ExampleEvent, ...]
    menu: MenuSummary | None = Field(default=None, exclude_if=lambda menu: menu is None)
