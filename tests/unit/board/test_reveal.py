"""A hidden signal is shown once its opening was decided, and no card changes by it."""

from __future__ import annotations

import pytest

from harness.board.decisions import Decision, add_decision, read_decisions
from harness.board.index import CardIndex
from harness.board.public import public_part
from harness.board.reveal import check_revealable, reveal_signals, revealed_signals
from harness.errors import UsageError
from tests.cards import make_card, make_challenge, write_board

NOW = "2026-06-01T12:00:00Z"


@pytest.fixture
def results(tmp_path):
    challenge = make_challenge(hidden=("h0", "lq"))
    write_board([make_card("team_a", challenge=challenge), make_card("team_b", seed=2)], tmp_path)
    return tmp_path


def shown(index):
    entries = index.refresh().entries["sample"]
    return {e.card.submission.team: set(e.card.firmware_physics.auc) for e in entries}


def test_only_the_revealed_signal_appears_and_an_open_index_takes_note(results):
    index = CardIndex(results)
    assert shown(index)["team_a"] == {"ato4l", "hplus"}

    reveal_signals(results, "sample", ["h0"], reason="the contest is over", decided=NOW)

    assert shown(index)["team_a"] == {"ato4l", "hplus", "h0"}
    entry = next(e for e in index.refresh().entries["sample"] if e.card.submission.team == "team_a")
    text = index.whole("sample", entry).card.model_dump_json()
    assert '"h0"' in text
    assert '"lq"' not in text


def test_the_cards_stay_as_they_were(results):
    before = {path: path.read_bytes() for path in results.glob("sample/*/*.json")}

    reveal_signals(results, "sample", ["h0", "lq"], reason="over", decided=NOW)

    assert {path: path.read_bytes() for path in results.glob("sample/*/*.json")} == before
    made = read_decisions(results, "sample").decisions
    assert [(one.kind, one.signal, one.decided, one.reason) for one in made] == [
        ("reveal", "h0", NOW, "over"),
        ("reveal", "lq", NOW, "over"),
    ]


def test_other_decisions_reveal_nothing(results):
    freeze = Decision(kind="freeze", decided=NOW, reason="end", deadline=NOW)
    add_decision(results, "sample", freeze)

    assert revealed_signals(results, "sample") == frozenset()
    assert shown(CardIndex(results))["team_a"] == {"ato4l", "hplus"}


def test_decisions_that_can_not_be_read_reveal_nothing(results):
    reveal_signals(results, "sample", ["h0"], reason="over", decided=NOW)
    (results / "sample" / "decisions.json").write_text("{")

    assert shown(CardIndex(results))["team_a"] == {"ato4l", "hplus"}


def test_another_challenge_s_decisions_reveal_nothing_here(results):
    add_decision(
        results, "adc2021", Decision(kind="reveal", decided=NOW, reason="over", signal="h0")
    )
    assert shown(CardIndex(results))["team_a"] == {"ato4l", "hplus"}


@pytest.mark.parametrize("name", ["ato4l", "nothing"])
def test_what_is_not_hidden_can_not_be_revealed(results, name):
    with pytest.raises(UsageError, match=f"{name}: hidden on no card of sample") as caught:
        check_revealable(results, "sample", [name])
    assert "one of h0, lq" in str(caught.value)


def test_public_parts_of_cards_hold_nothing_to_reveal(results, tmp_path):
    public = tmp_path / "public"
    card = public_part(make_card("team_a", challenge=make_challenge(hidden=("h0",))))
    write_board([card], public)

    with pytest.raises(UsageError, match="give the organiser's own results"):
        check_revealable(public, "sample", ["h0"])


def test_a_signal_is_revealed_once(results):
    reveal_signals(results, "sample", ["h0"], reason="over", decided=NOW)
    with pytest.raises(UsageError, match="h0: revealed before"):
        reveal_signals(results, "sample", ["h0", "lq"], reason="again", decided=NOW)
    assert revealed_signals(results, "sample") == {"h0"}
