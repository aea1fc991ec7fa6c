"""A contest is open until its deadline, closed after it, and final once it was opened."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.phases import phases_of
from harness.challenge import RankingRules, instant
from tests.cards import make_card, make_challenge

DEADLINE = "2026-03-01T18:00:00Z"


def contest(deadline: str | None):
    card = make_card(challenge=make_challenge(rules=RankingRules(deadline=deadline)))
    return Rulebook().contest_of([Entry(key="team_x/a", card=card)])


@pytest.mark.parametrize(("seconds", "now"), [(-1, "Open"), (0, "Closed"), (1, "Closed")])
def test_the_deadline_parts_open_from_closed(seconds, now):
    moment = instant(DEADLINE) + timedelta(seconds=seconds)
    found = phases_of(contest(DEADLINE), moment, has_hidden=True)
    assert [one.name for one in found] == ["Open", "Closed", "Final"]
    assert [one.name for one in found if one.is_now] == [now]
    assert found[0].ends == found[1].starts == DEADLINE


def test_without_a_deadline_a_contest_is_open_and_an_opened_one_is_final():
    moment = instant(DEADLINE)
    (only,) = phases_of(contest(None), moment, has_hidden=False)
    assert (only.name, only.is_now, only.ends) == ("Open", True, None)
    opened = replace(contest(DEADLINE), is_final=True)
    found = phases_of(opened, moment - timedelta(days=1), has_hidden=False)
    assert [one.name for one in found if one.is_now] == ["Final"]
