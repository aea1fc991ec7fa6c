"""What a comment says of a card: its place, what changed, and what is resolved."""

from __future__ import annotations

import pytest

from harness.board.added import added_at
from harness.board.contest import Rulebook
from harness.board.decisions import Decision, Decisions
from harness.board.entry import Entry
from harness.board.formats import percent
from harness.board.order import Ranked, Unranked
from harness.challenge import Budget, RankingRules
from harness.ci.artefact import RunArtefact, only_teams
from harness.ci.comment import Rivals, make_comment, readable
from harness.ci.documents import Plan, PlannedSubmission, Scoring, Summary, ToldProblem
from harness.ci.judgement import judge
from tests.cards import TARGET, make_card, make_challenge, make_firmware
from tests.trigger_cards import trigger_card

SIGNALS = ("ato4l", "lq", "h0", "hplus")


def rates(value: float) -> dict[str, float]:
    return dict.fromkeys(SIGNALS, value)


def entry(team: str, value: float, **changes: object) -> Entry:
    card = make_card(team, rates=rates(value), seed=len(team), **changes)
    return Entry(key=f"{team}/{card.created}", card=card)


BOARD = [entry("weak", 1e-4), entry("middling", 1e-3), entry("strong", 2e-2)]


def comment(card, board=BOARD, *, status: str = "scored", plan: Plan | None = None) -> str:
    team = card.submission.team
    name = card.challenge.name
    scoring = Scoring(team=team, challenge=name, status=status, card=f"{team}/x")
    summary = Summary(challenge=name, plan=plan, scorings=(scoring,))
    return readable(make_comment(summary, {team: card}, Rivals(entries=board)))


def test_the_expected_rank_is_that_among_the_others():
    card = make_card("mine", rates=rates(5e-3), seed=9)
    found = judge(card, BOARD)
    assert isinstance(found.place, Ranked)
    assert (found.place.rank, found.n_ranked) == (2, 4)
    assert "Expected rank 2 (" in comment(card)


def test_a_teams_own_earlier_entry_makes_room_and_is_compared_with():
    card = make_card("strong", rates=rates(4e-2), seed=77, created="2026-04-01T12:00:00Z")
    found = judge(card, BOARD)
    assert isinstance(found.place, Ranked)
    assert (found.place.rank, found.n_ranked) == (1, 3)
    assert found.last is not None
    assert found.last.entry.card.submission.team == "strong"
    assert found.best is not None
    assert found.best.entry.card.submission.team == "middling"
    text = comment(card)
    assert "against your last entry" in text
    assert "against the best, `middling`" in text


def renaming(team: str, renamed_from: str) -> Plan:
    change = PlannedSubmission(
        team=team, change="renamed", renamed_from=renamed_from, tree="0" * 40, n_files=2, n_bytes=9
    )
    return Plan(
        kind="submissions", base="0" * 40, head="1" * 40, author="ada", submissions=(change,)
    )


def test_a_renamed_team_takes_the_place_of_its_old_name():
    card = make_card("stronger", rates=rates(4e-2), seed=77, created="2026-04-01T12:00:00Z")
    text = comment(card, plan=renaming("stronger", "strong"))
    assert "Expected rank 1 (1–1) of 3" in text
    assert "against your last entry" in text
    assert "against the best, `middling`" in text
    assert "`stronger` was `strong`: it takes its cards along" in text


def test_a_disqualified_team_gets_no_rank_by_a_new_name():
    made = Decision(
        kind="disqualify", decided="2026-04-01T00:00:00Z", reason="cheated", team="strong"
    )
    rivals = Rivals(entries=BOARD, rulebook=Rulebook(decisions=Decisions(decisions=(made,))))
    for team, plan in (("strong", None), ("stronger", renaming("stronger", "strong"))):
        card = make_card(team, rates=rates(4e-2), seed=77, created="2026-04-02T12:00:00Z")
        scoring = Scoring(team=team, challenge="sample", status="scored", card=f"{team}/x")
        summary = Summary(challenge="sample", plan=plan, scorings=(scoring,))
        text = readable(make_comment(summary, {team: card}, rivals))
        assert "the team was disqualified: cheated" in text
        assert "Expected rank" not in text


def test_a_run_cannot_put_a_card_in_the_place_of_another_team():
    card = make_card("mine", rates=rates(5e-3), seed=9)
    summary = Summary(challenge="sample", plan=renaming("mine", "strong"))
    left = only_teams(RunArtefact(summary=summary, cards={"mine": card}), {"mine"})
    assert left.summary.plan.submissions[0].renamed_from is None
    kept = only_teams(RunArtefact(summary=summary, cards={"mine": card}), {"mine", "strong"})
    assert kept.summary.plan.submissions[0].renamed_from == "strong"


def test_differences_say_whether_they_are_resolved():
    better = comment(make_card("mine", rates=rates(0.2), seed=9))
    assert ", resolved |" in better
    alike = comment(make_card("mine", rates=rates(2e-2), seed=10), [entry("strong", 2e-2)])
    assert ", not resolved |" in alike


def test_every_signal_has_its_rate_interval_and_auc():
    text = comment(make_card("mine", seed=4))
    for title in ("A → 4ℓ", "LQ → bτ", "h⁰ → ττ", "h⁺ → τν"):
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {title} |"))
        assert "–" in line
        assert "0." in line.split("|")[4]


def test_what_an_entry_adds_to_the_menu_stands_beside_and_no_signal_is_left_out_silently():
    card = trigger_card("mine", n_signals=20)
    text = comment(card, board=[Entry(key="weak/1", card=trigger_card("weak", 0.5, seed=2))])
    assert "Efficiency at 10 kHz (FPR 1e-2)" in text
    contest = Rulebook().contest_of([Entry(key="mine/1", card=card)])
    total = percent(added_at(card.float_physics, contest, 1e-2).total)
    assert f"Added to the menu, over the signals: {total} (" in text
    assert "where the rate that it adds is fixed." in text
    assert "4 more signals are in the card." in text
    assert "Added to the menu" not in comment(make_card("mine", rates=rates(5e-3), seed=9))


def test_a_firmware_over_budget_is_told_and_not_ranked():
    target = TARGET.model_copy(update={"budget": Budget(lut=100)})
    challenge = make_challenge().model_copy(update={"target": target})
    card = make_card("mine", challenge=challenge, firmware=make_firmware(target=target))
    text = comment(card, [])
    assert "OVER THE BUDGET" in text
    assert "Not ranked" in text
    assert "| LUT | 3,200 | 100 | RTL | not met |" in text.replace("**", "")


def test_an_open_entry_is_shown_for_its_physics():
    found = judge(make_card("mine", division="open"), BOARD)
    assert isinstance(found.place, Unranked)
    assert "open division" in comment(make_card("mine", division="open"))


def test_the_rules_of_the_board_hold_and_not_those_of_the_card():
    # The forged card brings rules by which it alone would count.
    rules = RankingRules(aggregate="worst", deadline="2000-01-01T00:00:00Z")
    card = make_card("mine", challenge=make_challenge(rules=rules), created="2099-01-01T00:00:00Z")
    found = judge(card, BOARD)
    assert found.contest.rules == BOARD[0].card.challenge.ranking


def test_a_card_of_other_data_is_not_compared():
    card = make_card("mine", challenge=make_challenge(version="2"))
    found = judge(card, BOARD)
    assert isinstance(found.place, Unranked)
    assert (found.last, found.best) == (None, None)


def test_the_first_card_of_a_board_is_first():
    assert "Expected rank 1 (1–1) of 1" in comment(make_card("mine"), [])


def test_known_files_say_so():
    assert "scored before" in comment(make_card("mine"), status="known")


def plan_of(kind: str, **fields: object) -> Plan:
    common = {"kind": kind, "base": "a" * 40, "head": "b" * 40, "author": None}
    return Plan.model_validate(common | fields)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (plan_of("other"), "touches no submission"),
        (plan_of("empty"), "changes nothing"),
        (
            plan_of("refused", problems=(ToldProblem(what="is a link", where="x", fix="copy"),)),
            "x: is a link",
        ),
        (
            plan_of(
                "submissions",
                submissions=(
                    PlannedSubmission(
                        team="gone", change="deleted", tree=None, n_files=0, n_bytes=0
                    ),
                ),
            ),
            "`gone` is deleted",
        ),
    ],
)
def test_a_plan_without_a_score_is_explained(plan, words):
    summary = Summary(challenge="sample", plan=plan)
    text = readable(make_comment(summary, {}, Rivals()))
    assert words in text


@pytest.mark.parametrize(
    ("code", "words"), [(1, "Your code failed"), (4, "limit"), (5, "platform")]
)
def test_a_failure_says_whose_fault_it_was_and_shows_the_end_of_the_log(code, words):
    lines = "\n".join(f"line {i}" for i in range(100))
    scoring = Scoring(
        team="mine", challenge="sample", status="failed", exit_code=code, message=lines
    )
    summary = Summary(challenge="sample", plan=None, scorings=(scoring,))
    text = readable(make_comment(summary, {}, Rivals()))
    assert words in text
    assert "line 99" in text
    assert "line 59\n" not in text
