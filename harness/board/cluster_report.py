"""The report of `harness cluster`; boards show those that lie beside the cards."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.board.streams import StreamSummary
from harness.card.accepted import Distribution
from harness.card.consistency import counts_fit
from harness.card.figures import Count, Interval, Probability, Text
from harness.card.summary import ExampleEvent
from harness.challenge import Name, Value


class Cluster(Value):
    """One cluster: what was observed in it, and what is expected.

    Attributes
    ----------
    n_simulated : int
        Accepted simulated events in it.
    expected : float
        `n_simulated`, scaled to the exposure of the data.
    expected_interval : Interval
        Of the mean number that is expected: the statistics of the simulation.
    varied : mapping of folder to float
        The number that each variation of the expectation gives, in the same region: an event of it
        belongs to the cluster whose centre is nearest (k-means), or to that of the nearest of the
        events that were clustered (HDBSCAN).
    local_p : float
        Of an excess in this cluster alone, in one of so many that were searched.
    composition : mapping of source to float
        Of the simulated events in it, by the folder of the expectation.
    means : mapping of feature to (float, float)
        Means of observed and simulated events in it, in the units of the features.
    """

    name: str
    n_observed: Count
    n_simulated: Count
    expected: Annotated[float, Field(ge=0)]
    expected_interval: Interval
    varied: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    local_p: Probability
    composition: dict[str, Probability]
    means: dict[Name, tuple[float | None, float | None]]

    @property
    def envelope(self) -> tuple[float, float]:
        """The smallest and the largest number that is expected, nominal and varied."""
        every = (self.expected, *self.varied.values())
        return min(every), max(every)


class TypicalEvent(Value):
    """An observed event near the middle of the cluster.

    Attributes
    ----------
    shown : ExampleEvent or None
        For the event display; None where the layout has not what it shows.
    """

    source: str
    section: int
    row: Count
    score: float
    features: dict[Name, float]
    shown: ExampleEvent | None = None


class PassingShare(Value):
    """Events that pass the cuts, of those that were not used to choose them."""

    n_passing: Count
    n_events: Count
    share: Probability
    interval: Interval


class DedicatedTrigger(Value):
    """A trigger of a few cuts for the cluster, behind the one that accepted the events.

    Attributes
    ----------
    rules : tuple of tuple of str
        An event passes if all cuts of any rule hold.
    efficiency : PassingShare
        On observed events of the cluster.
    background : PassingShare
        On expected accepted events.
    input_share : float
        Expected share of all events of the stream that pass: `background` times what the first
        trigger accepts of the simulation.
    rate_hz : tuple of float or None
        Lower end, value and upper end of the background rate, where the rate of the stream is
        known.
    """

    rules: tuple[tuple[str, ...], ...]
    efficiency: PassingShare
    background: PassingShare
    input_share: Probability
    rate_hz: tuple[float, float, float] | None = None


class ClusterReport(Value):
    """What accepted events look like beside the expectation.

    Attributes
    ----------
    data, expectation : StreamSummary
        What was compared; one summary for each folder of the expectation.
    observed_share : float or None
        Exposure of the data over that of data and simulation; None: only shapes were compared.
    global_p : float
        Of the most unexpected of all clusters, all of them searched.
    varied_p : mapping of folder to float
        The same beside each systematic variation of the expectation; a cluster is unexpected if
        the largest of all is below `level`.
    level : float
        Below it a cluster is unexpected.
    unexpected : str or None
        Its name.
    threshold : float
        Scores from here on were compared.
    """

    schema_version: Literal[1] = 1
    kind: Literal["cluster"] = "cluster"
    team: Name
    challenge: Name
    verdict: Text
    level: Probability
    global_p: Probability
    varied_p: dict[str, Probability] = Field(default_factory=dict)
    n_toys: Count
    seed: int
    data: StreamSummary
    expectation: tuple[StreamSummary, ...]
    parameters: dict[str, str]
    threshold: float
    n_observed: Count
    n_simulated: Count
    observed_share: Probability | None
    features: tuple[Name, ...]
    clusters: tuple[Cluster, ...]
    unexpected: str | None = None
    spectra: tuple[Distribution, ...] = ()
    typical: tuple[TypicalEvent, ...] = Field(default=(), max_length=10)
    trigger: DedicatedTrigger | None = None
    warnings: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _can_be_drawn(self) -> ClusterReport:
        if not all(map(counts_fit, self.spectra)):
            raise ValueError("the counts of a spectrum do not fit its bins")
        return self
