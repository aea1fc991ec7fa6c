"""What the literature says of a board's question, and the same figure of its entries.

`published.yaml` beside this file holds tables and gains, each with its source. They are of other
jets and other trainings: pages show them beside the ranking, never in one column with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from harness.board.comparison import PairedComparison
from harness.board.entry import may_be_paired, shown_on
from harness.board.merit import compare_merit
from harness.board.order import Ranked, Ranking
from harness.card.figures import NotMeasured
from harness.challenge import Name, Target, Value
from harness.challenge.declared import Method
from harness.files import read_yaml

FILE = Path(__file__).with_name("published.yaml")
Text = Annotated[str, Field(min_length=1, max_length=600)]


class PublishedTable(Value):
    """A table as it was printed; the cells are text."""

    title: Text
    source: Text
    note: Text
    columns: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]

    @model_validator(mode="after")
    def _is_full(self) -> PublishedTable:
        if short := [row for row in self.rows if len(row) != len(self.columns)]:
            raise ValueError(f"{short[0][0]}: {len(short[0])} cells of {len(self.columns)} columns")
        return self


class PublishedGain(Value):
    """By which factor some methods are said to be better than others.

    Attributes
    ----------
    about : float
        The factor, of the figures of merit.
    best, over : tuple of str
        The methods, as entries declare them.
    """

    title: Text
    source: Text
    about: Annotated[float, Field(gt=0)]
    best: tuple[Method, ...]
    over: tuple[Method, ...]


class PublishedOf(Value):
    """What is shown beside the boards of some challenges."""

    challenges: tuple[Name, ...]
    gains: tuple[PublishedGain, ...] = ()
    tables: tuple[PublishedTable, ...] = ()


class PublishedFirmware(Value):
    """Latency and initiation interval of a network in firmware; None: not known here."""

    title: Text
    latency_ns: Annotated[float, Field(gt=0)]
    interval_ns: Annotated[float, Field(gt=0)] | None = None
    source: Text

    def missed(self, target: Target) -> str:
        """Say which limits of a contest it would not keep; empty: none that is known.

        Examples
        --------
        >>> from harness.challenge import Budget
        >>> firmware = firmware_of_collisions()[1]
        >>> firmware.title, firmware.missed(
        ...     Target(part="xcvu9p", clock_period_ns=5, max_latency_ns=1000, max_interval_ns=25,
        ...            budget=Budget())
        ... )
        ('CNN VAE', 'interval')
        """
        is_late = self.latency_ns > target.max_latency_ns
        is_slow = self.interval_ns is not None and self.interval_ns > target.max_interval_ns
        return " and ".join(["latency"] * is_late + ["interval"] * is_slow)


class Published(Value):
    """The whole file."""

    firmware: tuple[PublishedFirmware, ...]
    boards: tuple[PublishedOf, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredGain:
    """A published gain and the same ratio of two entries.

    Attributes
    ----------
    first, second : str
        The teams of the best ranked entry of each group of methods.
    found : PairedComparison or NotMeasured
        Their figures of merit over paired replicates. Which entries are the best of their groups
        is read from the same figures, and the interval does not count that choice.
    """

    said: PublishedGain
    first: str
    second: str
    found: PairedComparison | NotMeasured


@cache
def _read() -> Published:
    return read_yaml(FILE, Published)


def published_of(challenge: str) -> tuple[PublishedOf, ...]:
    """Return what the literature says of a challenge; empty where the file has nothing.

    Examples
    --------
    >>> [gain.about for one in published_of("jets-toptag") for gain in one.gains]
    [3.0]
    """
    return tuple(one for one in _read().boards if challenge in one.challenges)


def firmware_of_collisions() -> tuple[PublishedFirmware, ...]:
    """Return published firmware of networks that look at events of collisions."""
    return _read().firmware


def gains_of(made: Ranking) -> tuple[MeasuredGain, ...]:
    """Measure each published gain of a board between its best ranked entries."""
    said = [gain for one in published_of(made.contest.challenge) for gain in one.gains]
    return tuple(_measured(gain, made) for gain in said)


def _measured(said: PublishedGain, made: Ranking) -> MeasuredGain:
    first, second = (_best(made, methods) for methods in (said.best, said.over))
    if first is None or second is None:
        missing = said.best if first is None else said.over
        found: PairedComparison | NotMeasured = NotMeasured(
            not_measured=f"no ranked entry of the method {' or '.join(missing)}"
        )
    else:
        found = _compared(first, second, made)
    names = ("" if one is None else made.contest.team_of(one.entry) for one in (first, second))
    return MeasuredGain(said=said, first=next(names), second=next(names), found=found)


def _best(made: Ranking, methods: tuple[Method, ...]) -> Ranked | None:
    wanted = (one for one in made.ranked if one.entry.card.submission.method in methods)
    return next(wanted, None)


def _compared(first: Ranked, second: Ranked, made: Ranking) -> PairedComparison | NotMeasured:
    cards = first.entry.card, second.entry.card
    left, right = (shown_on(card, made.contest.target) for card in cards)
    if left is None or right is None or not may_be_paired(*cards):
        return NotMeasured(not_measured="the two cards have no paired replicates")
    return compare_merit(left, right, made.contest)
