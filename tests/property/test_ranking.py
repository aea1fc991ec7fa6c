"""What holds for every board, whatever the cards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.board import order
from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.order import Ranking
from harness.card.figures import NotMeasured
from harness.card.physics import WorkingPoint
from harness.card.records import ScoreCard
from tests.cards import N_SIGNAL, SIGNALS, make_card, make_firmware

BASE = make_card()


@dataclass(frozen=True)
class Sketch:
    """What an entry's place hangs on."""

    counts: tuple[int, int, int, int]
    auc: float
    cycles: int
    lut: int
    fault: str
    day: int


sketches = st.builds(
    Sketch,
    counts=st.tuples(*[st.sampled_from([0, 1, 3, 10, 40, 400])] * 4),
    auc=st.sampled_from([0.5, 0.7, 0.9]),
    cycles=st.sampled_from([1, 5, 200, 201]),
    lut=st.sampled_from([100, 5_000, 394_080, 394_081]),
    fault=st.sampled_from(["", "", "", "open", "no firmware", "unofficial", "no physics"]),
    day=st.integers(1, 28),
)
boards = st.lists(sketches, min_size=1, max_size=9)
relaxed = settings(max_examples=60)


def card_of(team: str, sketch: Sketch) -> ScoreCard:
    physics = BASE.firmware_physics
    point = physics.at(1e-5)
    assert isinstance(point, WorkingPoint)
    rng = np.random.default_rng(list(sketch.counts))
    rates, rows, aucs = {}, {}, {}
    for name, count in zip(SIGNALS, sketch.counts, strict=True):
        rates[name] = point.rates[name].model_copy(
            update={"n_passing": count, "tpr": count / N_SIGNAL}
        )
        rows[name] = tuple((rng.poisson(count, 500) / N_SIGNAL).tolist())
        aucs[name] = physics.auc[name].model_copy(update={"value": sketch.auc})
    points = tuple(
        point.model_copy(update={"rates": rates}) if one.fpr == 1e-5 else one
        for one in physics.working_points
    )
    changes: dict[str, object] = {
        "created": f"2026-03-{sketch.day:02d}T00:00:00Z",
        "submission": BASE.submission.model_copy(
            update={"team": team, "division": "open" if sketch.fault == "open" else "trigger"}
        ),
        "firmware_physics": physics.model_copy(
            update={"working_points": points, "replicates": rows, "auc": aucs}
        ),
        "firmware": make_firmware(cycles=sketch.cycles, lut=sketch.lut),
    }
    if sketch.fault == "no firmware":
        changes["firmware"] = NotMeasured(not_measured="fault")
    if sketch.fault == "no physics":
        changes["firmware_physics"] = NotMeasured(not_measured="fault")
        changes["float_physics"] = NotMeasured(not_measured="fault")
    if sketch.fault == "unofficial":
        changes["is_official"] = False
    return BASE.model_copy(update=changes)


def entries_of(board: list[Sketch], *, prefix: str = "team") -> list[Entry]:
    return [
        Entry(key=f"{prefix}{i}/card", card=card_of(f"{prefix}{i}", sketch))
        for i, sketch in enumerate(board)
    ]


def rank(entries: list[Entry]) -> Ranking:
    return order.rank(entries, Rulebook().contest_of(entries))


def keys(made: Ranking) -> list[str]:
    return [item.entry.key for item in made.ranked]


@relaxed
@given(boards)
def test_every_entry_is_listed_once(board):
    entries = entries_of(board)
    made = rank(entries)
    listed = [*keys(made), *(item.entry.key for item in made.unranked)]
    assert sorted(listed) == sorted(entry.key for entry in entries)


@relaxed
@given(boards)
def test_a_failed_or_unranked_card_never_has_a_place(board):
    made = rank(entries_of(board))
    faulty = {
        f"team{i}/card"
        for i, sketch in enumerate(board)
        if sketch.fault or sketch.cycles > 200 or sketch.lut > 394_080
    }
    assert not faulty & set(keys(made))
    assert {item.entry.key for item in made.unranked} == faulty
    assert all(item.reasons for item in made.unranked)


@relaxed
@given(boards, st.randoms(use_true_random=False))
def test_relabelling_teams_and_shuffling_cards_changes_nothing(board, random):
    labels = [f"x{i}" for i in range(len(board))]
    random.shuffle(labels)
    plain = rank(entries_of(board))
    relabelled = [
        Entry(key=f"{label}/card", card=card_of(label, sketch))
        for label, sketch in zip(labels, board, strict=True)
    ]
    back = {f"{label}/card": f"team{i}/card" for i, label in enumerate(labels)}
    random.shuffle(relabelled)
    other = rank(relabelled)

    def facts(made: Ranking, names: dict[str, str]) -> dict[str, tuple[object, ...]]:
        return {
            names.get(item.entry.key, item.entry.key): (
                item.rank,
                item.best_rank,
                item.worst_rank,
                item.class_rank,
                item.is_pareto,
            )
            for item in made.ranked
        }

    assert facts(other, back) == facts(plain, {})


@relaxed
@given(boards, sketches)
def test_adding_a_dominated_entry_never_changes_the_order_of_the_others(board, extra):
    entries = entries_of(board)
    before = keys(rank(entries))
    if not before:
        return
    # As good as the last one and later: it shares its place.
    worst = next(e for e in entries if e.key == before[-1]).card
    submission = worst.submission.model_copy(update={"team": "dominated"})
    copy = worst.model_copy(update={"submission": submission, "created": "2026-04-01T00:00:00Z"})
    after = keys(rank([*entries, Entry(key="dominated/card", card=copy)]))
    assert [key for key in after if key != "dominated/card"] == before
    another = card_of("dominated", extra).model_copy(update={"created": "2026-03-01T00:00:00Z"})
    with_any = keys(rank([*entries, Entry(key="dominated/card", card=another)]))
    assert [key for key in with_any if key != "dominated/card"] == before


@relaxed
@given(boards)
def test_equal_entries_share_a_rank_and_better_ones_come_first(board):
    made = rank(entries_of(board))
    places = [(-item.merit, -item.mean_auc, *item.costs, item.rank) for item in made.ranked]
    assert places == sorted(places)
    for i, place in enumerate(places):
        n_better = sum(other[:4] < place[:4] for other in places)
        assert place[4] == n_better + 1, i


@relaxed
@given(boards)
def test_a_rank_lies_in_its_interval(board):
    made = rank(entries_of(board))
    for item in made.ranked:
        assert 1 <= item.best_rank <= item.rank <= item.worst_rank <= len(made.ranked)


@relaxed
@given(boards)
def test_the_first_of_each_kind_is_on_the_pareto_front(board):
    made = rank(entries_of(board))
    if made.ranked:
        # Of entries of equal merit the AUC decides the rank; it has no say on the front.
        assert min(made.ranked, key=lambda item: (-item.merit, *item.costs)).is_pareto
        assert min(made.ranked, key=lambda item: (*item.costs[::-1], -item.merit)).is_pareto
        for item in made.ranked:
            dominating = [
                other
                for other in made.ranked
                if other.merit >= item.merit
                and all(a <= b for a, b in zip(other.costs, item.costs, strict=True))
                and (other.merit, other.costs) != (item.merit, item.costs)
            ]
            assert item.is_pareto == (not dominating)
