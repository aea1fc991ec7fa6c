"""The cards of one team over time: the place that each had, and what changed from card to card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.board.contest import Contest
from harness.board.eligibility import reasons_against
from harness.board.entry import Entry, shown_on
from harness.board.formats import DASH, amount, merit_text
from harness.board.merit import merit_at
from harness.card.declared import declared_facts
from harness.card.figures import NotMeasured
from harness.card.hardware import Figure
from harness.card.records import ScoreCard
from harness.challenge import RESOURCE_TITLES


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The place of one card when it was scored.

    Attributes
    ----------
    rank : int
        One more than the teams whose latest card was better then, by the merit as measured.
    n_ranked : int
        Teams that had a card which may be ranked.
    """

    entry: Entry
    rank: int
    n_ranked: int


def places_over_time(own: Sequence[Entry], every: Sequence[Entry], contest: Contest) -> list[Place]:
    """Return the place of each of a team's cards among the latest cards of all teams at its time.

    Cards that today's rules do not rank have none, and count for nobody.
    """
    merits = dict(_merits(every, contest))
    ordered = sorted((one for one in every if one.key in merits), key=lambda one: one.card.order)
    wanted = {one.key for one in own}
    latest: dict[str, float] = {}
    found = []
    for entry in ordered:
        merit = merits[entry.key]
        latest[contest.team_of(entry)] = merit
        if entry.key in wanted:
            better = sum(contest.merit.sign * (one - merit) > 0 for one in latest.values())
            found.append(Place(entry=entry, rank=1 + better, n_ranked=len(latest)))
    return found


def _merits(every: Sequence[Entry], contest: Contest) -> Iterator[tuple[str, float]]:
    for entry in every:
        merit = merit_at(shown_on(entry.card, contest.target), contest)
        if not isinstance(merit, NotMeasured) and not reasons_against(entry, contest):
            yield entry.key, merit


def changes(before: ScoreCard, after: ScoreCard, contest: Contest) -> list[tuple[str, str, str]]:
    """Return what differs between two cards of a team: its name, and how it was and is.

    Digests say whether files and network are others; figures and declared words follow.
    """
    return [
        (name, old, new)
        for (name, old), (_, new) in zip(
            _facts(before, contest), _facts(after, contest), strict=True
        )
        if old != new
    ]


def _facts(card: ScoreCard, contest: Contest) -> Iterator[tuple[str, str]]:
    said, digest, cost = card.submission, card.model_digest, card.cost
    yield "Submission digest", _short(said.digest)
    yield "Network digest", DASH if isinstance(digest, NotMeasured) else _short(digest)
    yield "Title", said.title
    yield "Description", said.description
    yield "Division", said.division
    yield from declared_facts(said).items()
    merit = merit_at(shown_on(card, contest.target), contest)
    yield "Merit", DASH if isinstance(merit, NotMeasured) else merit_text(contest.merit, merit)
    for title, name in (("Latency [ns]", "latency_ns"), *_resources()):
        yield title, _figure(card, name)
    yield "FLOPs", DASH if isinstance(cost, NotMeasured) else _count(cost.flops)
    yield "Scorer version", str(card.scorer_version)


def _resources() -> Iterator[tuple[str, str]]:
    for name, title in RESOURCE_TITLES.items():
        yield title, name


def _figure(card: ScoreCard, name: str) -> str:
    if isinstance(card.firmware, NotMeasured):
        return DASH
    found: Figure | NotMeasured = getattr(card.firmware, name)
    return DASH if isinstance(found, NotMeasured) else amount(found.value)


def _count(value: int | NotMeasured) -> str:
    return DASH if isinstance(value, NotMeasured) else f"{value:,}"


def _short(digest: str) -> str:
    kind, _, value = digest.partition(":")
    return f"{kind}:{value[:12]}"
