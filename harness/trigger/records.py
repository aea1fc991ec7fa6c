"""What a folder of accepted events says of itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.board.streams import MOST_SOURCES, StreamSummary
from harness.card.figures import Interval, Probability, Text
from harness.challenge import Condition, Name, Positive, Value
from harness.challenge.layout import AnyLayout

Threshold = Annotated[float, Field(allow_inf_nan=False)]
# Columns of int64; sections are read as float64, which holds whole numbers below 2^53.
Events = Annotated[int, Field(ge=0, lt=2**63)]
AtLeastOne = Annotated[int, Field(ge=1, lt=2**63)]
SectionNumber = Annotated[int, Field(ge=0, lt=2**53)]


class Steering(Value):
    """How the threshold follows a rate: an integral controller in the logarithm of the share.

    After each section the share that is asked for is divided by ``(measured / target) ** gain``,
    within `low` and `high`; the threshold of that share is read from the working points of the
    card, linear in the logarithm of the share. The bounds are the integral's as well: it does not
    wind up beyond them.

    Attributes
    ----------
    target : float
        Share of the events of a section that should be accepted.
    shares, thresholds : tuple of float
        The card's working points, by rising share; thresholds fall.
    """

    target: Probability
    gain: Annotated[float, Field(gt=0, le=1)] = 0.5
    shares: tuple[Probability, ...] = Field(min_length=2)
    thresholds: tuple[Threshold, ...] = Field(min_length=2)

    @property
    def low(self) -> float:
        """The smallest share that is asked for."""
        return self.shares[0]

    @property
    def high(self) -> float:
        """The largest share that is asked for."""
        return self.shares[-1]


class TriggerSettings(Value):
    """Everything that decides what is accepted; a folder is continued with the same alone.

    Attributes
    ----------
    program : str
        SHA-256 of the kept program of the card, as ``sha256:hex``.
    threshold : float or None
        Fixed; None where it is steered.
    is_strict : bool
        Whether an event at the threshold itself is rejected.
    section_events : int or None
        Events of a section, where the files do not say which section an event is of.
    section_column : str or None
        What in the files says it.
    prescale : int
        One of so many accepted events is kept.
    input_rate_hz : float or None
        Events of the stream in a second: turns shares into rates.
    variation : str or None
        How the events were varied before they were scored.
    conditions : tuple of Condition
        Of the challenge, that the first source says: events are counted by their bins.
    """

    team: Name
    challenge: Name
    layout: AnyLayout
    program: str
    threshold: Threshold | None = None
    is_strict: bool = False
    steering: Steering | None = None
    section_events: AtLeastOne | None = None
    section_column: str | None = None
    prescale: AtLeastOne = 1
    input_rate_hz: Positive | None = None
    variation: Name | None = None
    conditions: tuple[Condition, ...] = Field(
        default=(), exclude_if=lambda conditions: not conditions
    )


class ReadSource(Value):
    """A source of events that was read to its end."""

    name: str
    n_events: Events


class Section(Value):
    """One luminosity section.

    Attributes
    ----------
    n_events : int
        Events of the stream.
    n_accepted : int
        That pass the threshold.
    n_kept : int
        Of these, what the prescale leaves.
    share : float
        `n_accepted` of `n_events`, before the prescale.
    bins : mapping of condition to pair of tuple of int
        Events of the stream, and accepted ones, in each bin of a condition.
    """

    section: SectionNumber
    n_events: Events
    n_accepted: Events
    n_kept: Events
    share: Probability
    interval: Interval
    threshold: Threshold
    prescale: AtLeastOne
    bins: dict[Name, tuple[tuple[Events, ...], tuple[Events, ...]]] = Field(default_factory=dict)


class TriggerRun(Value):
    """The state of a folder of accepted events: what was done, and where to go on.

    It is written after the files of each chunk of sections. What a killed run wrote beyond it is
    written over by the next one, under the same names.

    Attributes
    ----------
    n_events, n_accepted, n_kept : int
        Of all closed sections.
    next_section : int or None
        The first section that is not in the files; None before there is one.
    gaps : tuple of (int, int)
        First and last of sections that are missing between two that are there; the first 100.
    asked_share : float or None
        Of the controller, for the next section.
    is_complete : bool
        Whether all sources were read to their end.
    """

    schema_version: Literal[1] = 1
    settings: TriggerSettings
    sources: tuple[ReadSource, ...] = ()
    n_sections: Events = 0
    n_events: Events = 0
    n_accepted: Events = 0
    n_kept: Events = 0
    last_section: SectionNumber | None = None
    gaps: tuple[tuple[SectionNumber, SectionNumber], ...] = Field(default=(), max_length=100)
    asked_share: Annotated[float, Field(gt=0, le=1)] | None = None
    is_complete: bool = False

    @property
    def stream(self) -> StreamSummary:
        """What went through the trigger, for a report."""
        return StreamSummary(
            sources=tuple(one.name for one in self.sources[:MOST_SOURCES]),
            n_sources=len(self.sources),
            n_events=self.n_events,
            n_accepted=self.n_accepted,
        )

    @property
    def warnings(self) -> tuple[Text, ...]:
        """What a reader of the folder should know first."""
        found = []
        if self.n_events and not self.n_accepted:
            found.append("the threshold passes no event: lower it, or give more events")
        if self.n_events and self.n_accepted == self.n_events:
            found.append("the threshold passes every event: raise it")
        if self.gaps:
            first, last = self.gaps[0]
            which = f"section {first}" if first == last else f"sections {first} to {last}"
            more = f", and {len(self.gaps) - 1} more gaps" if len(self.gaps) > 1 else ""
            found.append(f"{which} hold no events or are missing{more}")
        return tuple(found)
