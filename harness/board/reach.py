"""How many events of a signal an entry needs for evidence (3 sigma), found after the trigger.

`harness reach` writes it to ``results/<challenge>/reach/<team>.json``. It belongs to the program of
a firmware, and is shown with cards of this program alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from harness.board.beside_cards import read_beside
from harness.card.figures import Count, Interval, NotMeasured, Probability, Text
from harness.card.records import ScoreCard
from harness.card.run import Digest
from harness.challenge import Name, Positive, Value
from harness.errors import DataError

REACH_FOLDER = "reach"
_MAX_POINTS = 1000


class TrialPoint(Value):
    """Trials with as many injected events each.

    Attributes
    ----------
    n_injected : int
        Events of the signal, accepted or not; 0: trials without a signal.
    n_found : int
        Trials whose global p-value was at most the level.
    """

    n_injected: Count
    n_found: Count
    n_trials: Annotated[int, Field(ge=1)]


class SignalReach(Value):
    """How many injected events of a signal are found in half of the trials.

    Attributes
    ----------
    n_events, n_accepted : int
        Events of the signal that trials draw from, and how many of them the trigger accepts.
    n_injected : float or None
        None: more than `n_events`.
    lower, upper : float or None
        The 95 % interval; None: more than `n_events`.
    points : tuple of TrialPoint
        In the order in which they were tried.
    """

    n_events: Count
    n_accepted: Count
    n_injected: Positive | None
    lower: Positive | None
    upper: Positive | None
    points: tuple[TrialPoint, ...] = Field(max_length=_MAX_POINTS)


class FalseClaims(Value):
    """Trials without a signal in which 3 sigma is claimed all the same."""

    n_found: Count
    n_trials: Annotated[int, Field(ge=1)]
    interval: Interval

    @model_validator(mode="after")
    def _are_some_of_them(self) -> FalseClaims:
        if self.n_found > self.n_trials:
            raise ValueError("more trials found something than there were")
        return self


class Comparison(Value):
    """Accepted events of a stream without a signal, compared with the expectation.

    Attributes
    ----------
    n_events, n_observed : int
        Of the stream, and accepted of them.
    expected : float
        Accepted events that the simulation leads to expect.
    global_p : float
        Beside the nominal expectation.
    varied_p : mapping of variation to float
        Beside each systematic variation of it.
    is_claimed : bool
        Whether all of them are at most the level.
    """

    title: Text
    n_events: Count
    n_observed: Count
    expected: Annotated[float, Field(ge=0)]
    global_p: Probability
    varied_p: dict[str, Probability] = Field(default_factory=dict)
    is_claimed: bool

    @property
    def verdict(self) -> str:
        """In words."""
        return "3 sigma without a signal" if self.is_claimed else "nothing unexpected"


class Reach(Value):
    """What it takes that `harness trigger` and `harness cluster` find a signal.

    Attributes
    ----------
    program : Digest
        Of the kept program of the firmware.
    threshold : float
        Of the score.
    exposure, expected_exposure : float
        Background events of the data and of the simulation.
    n_observed, n_simulated : int
        Accepted of them; each trial draws which of them are the data.
    level : float
        Global p-value at which evidence is claimed, at most: 3 sigma.
    variations : tuple of str
        Systematic variations of the expectation; it is evidence only beside all of them.
    false_claims : FalseClaims
        In trials, which draw from the events of both streams.
    comparisons : tuple of Comparison
        The data as they are, and background of other simulations in their place.
    """

    schema_version: Literal[1] = 1
    team: Name
    challenge: Name
    program: Digest
    threshold: float
    exposure: Positive
    expected_exposure: Positive
    n_observed: Count
    n_simulated: Count
    level: Probability
    n_toys: Count
    seed: int
    variations: tuple[Name, ...] = ()
    signals: dict[Name, SignalReach]
    false_claims: FalseClaims
    comparisons: tuple[Comparison, ...] = ()

    @model_validator(mode="after")
    def _says_every_variation(self) -> Reach:
        if any(set(one.varied_p) != set(self.variations) for one in self.comparisons):
            raise ValueError("a comparison has not one p-value of each variation")
        return self

    def is_of(self, card: ScoreCard) -> bool:
        """Whether it was measured with the program that a card's scores were made by."""
        if card.challenge.name != self.challenge or isinstance(card.firmware, NotMeasured):
            return False
        return self.program in {f"sha256:{one.sha256}" for one in card.firmware.artefacts}


def reach_path(results: Path, challenge: str, team: str) -> Path:
    """Return the file of an entry."""
    return results / challenge / REACH_FOLDER / f"{team}.json"


def read_reach(path: Path) -> Reach | None:
    """Read a file of a board if it is such a record; see `read_beside`."""
    return read_beside(path, _kind_of)


def _kind_of(content: Mapping[str, JsonValue]) -> type[Reach] | None:
    if "false_discovery" in content:
        raise DataError(
            "has names of an earlier version: write false_claims for false_discovery, and "
            "is_claimed for is_discovery"
        )
    return Reach if "false_claims" in content else None


def reach_of(card: ScoreCard, found: Iterable[Reach]) -> Reach | None:
    """Return what was measured with the program of a card, by its team first; None: nothing was."""
    own = [one for one in found if one.is_of(card)]
    return min(own, key=lambda one: (one.team != card.submission.team, one.team), default=None)


def number_text(value: float) -> str:
    """Write a number of events with three digits.

    Examples
    --------
    >>> number_text(3124.6), number_text(87.2)
    ('3,120', '87')
    """
    digits = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{round(value, min(digits, 0)):,.0f}"


def reach_text(value: float | None, n_events: int) -> str:
    """Write how many events are needed, of so many.

    Examples
    --------
    >>> reach_text(None, 20_000), reach_text(1234.5, 20_000)
    ('> 20,000', '1,230')
    """
    return f"> {n_events:,}" if value is None else number_text(value)


def span_text(lower: float | None, upper: float | None, n_events: int) -> str:
    """Write the interval of such a number.

    Examples
    --------
    >>> span_text(900.0, None, 20_000), span_text(None, None, 20_000)
    ('900 to > 20,000', '> 20,000')
    """
    ends = [reach_text(edge, n_events) for edge in (lower, upper)]
    return " to ".join(dict.fromkeys(ends))
