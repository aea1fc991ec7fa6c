"""Entries, contests and rankings of made-up cards, for tests of the board."""

from __future__ import annotations

from harness.board.contest import Contest, Rulebook
from harness.board.entry import Entry
from harness.board.order import Ranking, rank
from harness.card.records import ScoreCard
from harness.challenge import RankingRules, TprAtFpr
from tests.cards import TARGET, make_rulebook


def entry(card: ScoreCard, key: str | None = None) -> Entry:
    return Entry(key=key or f"{card.submission.team}/{card.created}", card=card)


def board(cards: list[ScoreCard], **rules: object) -> Ranking:
    entries = [entry(card) for card in cards]
    chosen = Rulebook().contest_of(entries)
    if rules:
        chosen = make_rulebook(target=chosen.target, **rules).contest_of(entries)
    return rank(entries, chosen)


def contest(**changes: object) -> Contest:
    values = {
        "challenge": "sample",
        "data": "",
        "scorer_version": 1,
        "working_point": 1e-5,
        "signals": ("a", "b"),
        "target": TARGET,
        "rules": RankingRules(),
        "merit": TprAtFpr(fpr=1e-5),
    }
    return Contest(**(values | changes))


def with_point(card: ScoreCard, **changes: object) -> ScoreCard:
    """Change the working point of the firmware's physics."""
    physics = card.firmware_physics
    points = tuple(
        point.model_copy(update=changes) if point.fpr == 1e-5 else point
        for point in physics.working_points
    )
    physics = physics.model_copy(update={"working_points": points})
    return card.model_copy(update={"firmware_physics": physics})


def reasons(card: ScoreCard, **rules: object) -> tuple[str, ...]:
    ranked = board([card], **rules)
    return ranked.unranked[0].reasons if ranked.unranked else ()
