"""Cards compared from Python: hidden signals stay hidden, other events are refused."""

from __future__ import annotations

import pytest

import harness
from harness.card.files import write_card
from harness.card.run import ScoredFile
from harness.errors import UsageError
from tests.cards import make_card, make_challenge


@pytest.fixture(scope="module")
def challenge():
    """A challenge whose second signal is hidden."""
    known = make_challenge()
    files = tuple(
        ScoredFile(**{**dict(one), "role": "hidden" if one.process == "lq" else one.role})
        for one in known.files
    )
    return known.model_copy(update={"files": files})


def test_the_difference_is_that_of_the_cards_figures():
    first, second = make_card("a", seed=1), make_card("b", seed=2)
    found = harness.compare(first, second)

    point = first.challenge.working_point
    for one in found.figures[1:]:
        rates = [card.firmware_physics.at(point).rates[one.signal].tpr for card in (first, second)]
        assert (one.found.first, one.found.second) == tuple(rates)
        assert one.found.difference_span.lower <= one.found.difference
        assert one.found.difference <= one.found.difference_span.upper
    assert found.figures[0].signal == "all signals"


def test_hidden_signals_are_in_no_comparison(challenge, tmp_path):
    cards = [make_card(team, seed=n, challenge=challenge) for n, team in enumerate("ab")]
    paths = [write_card(card, tmp_path) for card in cards]

    for pair in (cards, paths):
        found = harness.compare(*pair)
        assert [one.signal for one in found.figures[1:]]
        assert "lq" not in {one.signal for one in found.figures}
        assert "lq" not in found._repr_html_()


def test_cards_of_other_events_are_refused(challenge):
    other = challenge.model_copy(update={"seed": challenge.seed + 1})

    with pytest.raises(UsageError, match="cannot be compared in pairs"):
        harness.compare(make_card("a"), make_card("b", challenge=other))
