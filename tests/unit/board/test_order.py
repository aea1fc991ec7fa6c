"""The order: ties, one card of each team, and the intervals of the ranks."""

from __future__ import annotations

import numpy as np

from harness.board.comparison import resolved_better
from harness.board.entry import data_digest
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from tests.boards import board, entry
from tests.cards import SIGNALS, make_board, make_card, make_challenge, make_firmware


def test_entries_come_by_falling_merit():
    cards = [
        make_card(f"t{i}", seed=i, rates=dict.fromkeys(SIGNALS, 10.0 ** (-i))) for i in (3, 1, 2)
    ]

    ranked = board(cards).ranked

    assert [item.entry.card.submission.team for item in ranked] == ["t1", "t2", "t3"]
    assert [item.rank for item in ranked] == [1, 2, 3]


def _same_rates(team: str, base: ScoreCard, **changes: object) -> ScoreCard:
    submission = base.submission.model_copy(update={"team": team})
    return base.model_copy(update={"submission": submission, **changes})


def _with_auc(card: ScoreCard, value: float) -> Physics:
    physics = card.firmware_physics
    aucs = {name: auc.model_copy(update={"value": value}) for name, auc in physics.auc.items()}
    return physics.model_copy(update={"auc": aucs})


def test_ties_go_by_mean_auc_then_latency_then_lut():
    base = make_card("base", seed=1)
    fast_large = make_firmware(cycles=2, lut=9_000)
    fast_small = make_firmware(cycles=2, lut=100)
    cards = [
        _same_rates("slow", base),
        _same_rates("fast_large", base, firmware=fast_large),
        _same_rates("fast_small", base, firmware=fast_small),
        _same_rates("better_auc", base, firmware_physics=_with_auc(base, 0.99)),
    ]

    ranked = board(cards).ranked

    teams = [item.entry.card.submission.team for item in ranked]
    assert teams == ["better_auc", "fast_small", "fast_large", "slow"]
    assert [item.rank for item in ranked] == [1, 2, 3, 4]


def test_equal_entries_share_a_rank_and_the_next_one_is_skipped():
    base = make_card("a", seed=1)
    worse = make_card("z", seed=9, rates=dict.fromkeys(SIGNALS, 1e-5))

    ranked = board([base, _same_rates("b", base), worse]).ranked

    assert [item.rank for item in ranked] == [1, 1, 3]
    assert [item.class_rank for item in ranked] == [1, 1, 3]


def test_the_order_of_the_cards_changes_nothing():
    cards = make_board(12)

    forward, backward = board(cards), board(cards[::-1])

    assert forward == backward


# One card per team.


def test_the_latest_card_counts_and_never_the_best():
    best = make_card("t", seed=1, rates=dict.fromkeys(SIGNALS, 0.1), created="2026-01-01T00:00:00Z")
    latest = make_card("t", seed=2, created="2026-02-01T00:00:00Z")

    made = board([latest, best])

    assert [item.entry.card.created for item in made.ranked] == ["2026-02-01T00:00:00Z"]
    assert [item.card.created for item in made.superseded] == ["2026-01-01T00:00:00Z"]


def test_a_latest_card_over_budget_counts_all_the_same():
    good = make_card("t", created="2026-01-01T00:00:00Z")
    large = make_card("t", created="2026-02-01T00:00:00Z", firmware=make_firmware(lut=1e6))

    made = board([good, large])

    assert made.ranked == ()
    assert made.unranked[0].entry.card is large


def test_cards_after_the_deadline_do_not_count():
    early = make_card("t", seed=1, created="2026-01-01T00:00:00Z")
    late = make_card("t", seed=2, created="2026-03-01T00:00:00Z")

    made = board([early, late], deadline="2026-02-01T00:00:00Z")

    assert made.ranked[0].entry.card is early
    assert (
        "after the deadline"
        in board([late], deadline="2026-02-01T00:00:00Z").unranked[0].reasons[0]
    )


def test_a_submission_in_time_that_is_rescored_later_counts():
    late = make_card("t", created="2026-03-01T00:00:00Z")
    submission = late.submission.model_copy(update={"received": "2026-01-31T00:00:00Z"})
    rescored = late.model_copy(update={"submission": submission})

    assert board([rescored], deadline="2026-02-01T00:00:00Z").ranked


def test_a_retracted_card_is_listed_with_its_reason_and_the_one_before_counts():
    first = make_card("t", seed=1, created="2026-01-01T00:00:00Z")
    second = make_card("t", seed=2, created="2026-02-01T00:00:00Z")
    retracted = {entry(second).key: "trained on test events"}

    made = board([first, second], retracted=retracted)

    assert made.ranked[0].entry.card is first
    alone = board([second], retracted=retracted)
    assert alone.unranked[0].reasons == ("taken back by the organiser: trained on test events",)


def test_an_unofficial_card_never_displaces_an_official_one():
    official = make_card("t", created="2026-01-01T00:00:00Z")
    quick = make_card("t", created="2026-02-01T00:00:00Z", is_official=False)

    assert board([official, quick]).ranked[0].entry.card is official


def test_only_cards_of_the_newest_scorer_and_data_are_ranked_together():
    old = make_card("a", scorer_version=1, created="2026-01-01T00:00:00Z")
    new = make_card("b", scorer_version=2, created="2026-01-02T00:00:00Z")
    other = make_card(
        "c", scorer_version=2, created="2026-01-01T12:00:00Z", challenge=make_challenge(version="0")
    )

    made = board([old, new, other])

    assert [item.entry.card.submission.team for item in made.ranked] == ["b"]
    told = {item.entry.card.submission.team: item.reasons[0] for item in made.unranked}
    assert "scorer version 1, this board ranks version 2" in told["a"]
    assert "harness rescore" in told["a"]
    assert "other data (sample 0)" in told["c"]


def test_hidden_signals_do_not_part_public_and_private_cards():
    public, private = make_challenge(), make_challenge(hidden=("h0",))
    kept = [file for file in public.files if file.process != "h0"]
    public = public.model_copy(update={"files": tuple(kept)})
    assert data_digest(public) == data_digest(private)


# Intervals.


def test_a_lone_entry_is_first_and_surely_so():
    only = board([make_card()]).ranked[0]
    assert (only.rank, only.best_rank, only.worst_rank) == (1, 1, 1)
    assert only.merit_span.lower <= only.merit <= only.merit_span.upper


def test_far_apart_entries_have_ranks_without_doubt():
    cards = [make_card(f"t{i}", seed=i, rates=dict.fromkeys(SIGNALS, 10.0**-i)) for i in (1, 2, 3)]
    ranked = board(cards).ranked
    assert [(item.best_rank, item.worst_rank) for item in ranked] == [(1, 1), (2, 2), (3, 3)]


def test_alike_entries_are_not_resolved():
    cards = [make_card(f"t{i}", seed=i) for i in range(4)]
    ranked = board(cards).ranked
    assert [(item.best_rank, item.worst_rank) for item in ranked] == [(1, 4)] * 4


def test_intervals_need_not_be_groups():
    # a over c is resolved, a over b and b over c are not: no groups can tell this.
    tails = np.random.default_rng(0).normal(scale=0.25, size=(3, 500))
    merits = np.array([0.0, -0.6, -1.2])
    better = resolved_better(merits[:, np.newaxis] + tails, merits)
    assert better.tolist() == [[False, False, True], [False, False, False], [False] * 3]
