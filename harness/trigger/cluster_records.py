"""The report of `harness cluster`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.card.figures import Count, Interval, Probability, Text
from harness.card.records import Distribution
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
    local_p: Probability
    composition: dict[str, Probability]
    means: dict[Name, tuple[float | None, float | None]]


class TypicalEvent(Value):
    """An observed event near the middle of the cluster."""

    source: str
    section: int
    row: Count
    score: float
    features: dict[Name, float]


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
    team: Name
    challenge: Name
    verdict: Text
    level: Probability
    global_p: Probability
    varied_p: dict[str, Probability] = Field(default_factory=dict)
    n_toys: Count
    seed: int
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
