"""What the literature says of a board, and the same ratio of its entries."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.board.comparison import PairedComparison
from harness.board.formats import DASH
from harness.board.merit import compare_merit
from harness.board.order import Ranking
from harness.board.published import PublishedTable, gains_of, published_of
from harness.board.rows import board_of
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from leaderboard_app.views.published import published_firmware, published_tables
from leaderboard_app.views.trade_off import trade_off_picture
from tests.boards import board
from tests.cards import TYPICAL_RATES, make_card, make_challenge

GOOD = {"net": ("classifier", 3.0), "weak_net": ("classifier", 0.5), "trees": ("trees", 1.0)}


def card(team: str, method: str, times: float) -> ScoreCard:
    rates = {name: times * rate for name, rate in TYPICAL_RATES.items()}
    made = make_card(team, rates=rates, challenge=make_challenge(name="jets-toptag"))
    said = made.submission.model_copy(update={"method": method})
    return made.model_copy(update={"submission": said})


def ranking(**entries: tuple[str, float]) -> Ranking:
    return board([card(team, *said) for team, said in entries.items()])


def test_a_gain_is_that_of_the_best_entry_of_each_group_of_methods() -> None:
    made = ranking(**GOOD, window=("cut", 0.3))
    (gain,) = gains_of(made)
    assert (gain.first, gain.second) == ("net", "trees")
    physics = {
        one.entry.card.submission.team: one.entry.card.firmware_physics for one in made.ranked
    }
    assert gain.found == compare_merit(physics["net"], physics["trees"], made.contest)
    assert isinstance(gain.found, PairedComparison)
    # Rates of 3 and 1 times the typical ones, each with its noise.
    assert 2 < gain.found.ratio < 4
    assert gain.found.ratio_span.lower < gain.found.ratio < gain.found.ratio_span.upper


def test_a_group_without_a_ranked_entry_is_named() -> None:
    (gain,) = gains_of(ranking(net=GOOD["net"]))
    assert (gain.first, gain.second) == ("net", "")
    assert isinstance(gain.found, NotMeasured)
    assert gain.found.not_measured == "no ranked entry of the method cut or trees"


def test_pages_show_what_is_published_in_tables_of_its_own() -> None:
    gain, table = published_tables(ranking(**GOOD))
    assert gain.rows[0][:3] == ("Networks over cuts and trees", "net", "trees")
    assert gain.rows[0][4:] == ("about 3", "arXiv:1803.00107")
    assert "paired" in gain.caption
    assert table.caption.startswith("Published, of other jets and other trainings")
    assert ("Particle flow network", "0.982", "0.932") in [row[:3] for row in table.rows]
    assert not {"net", "trees"} & {row[0] for row in table.rows}


def test_a_board_of_which_nothing_is_published_shows_nothing() -> None:
    assert published_of("sample") == ()
    assert published_tables(board([make_card()])) == []


def test_published_firmware_stands_beside_a_trade_off_with_what_it_misses_here() -> None:
    made = board_of(board([make_card()]))

    (table,) = published_firmware(made)

    rows = {row[0]: row[1:4] for row in table.rows}
    assert rows == {
        "Dense VAE": ("80", DASH, "latency passes"),
        "CNN VAE": ("365", "115", "fails: interval"),
        "CNN AE": ("1,480", "895", "fails: latency and interval"),
    }
    assert table.caption.startswith("Published firmware")
    picture = trade_off_picture(made, "latency", "merit", lambda *_: "")
    assert [mark["x"] for mark in picture.datasets["published"]] == [80.0, 365.0, 1480.0]
    assert all(mark["text"].startswith("published: ") for mark in picture.datasets["published"])
    assert trade_off_picture(made, "lut", "merit", lambda *_: "").datasets["published"] == []


def test_boards_of_other_events_have_no_published_firmware() -> None:
    made = board_of(board([make_card()])).model_copy(update={"is_of_collisions": False})
    assert published_firmware(made) == []


def test_a_row_that_lacks_a_cell_is_refused() -> None:
    with pytest.raises(ValidationError, match="CNN: 1 cells of 2 columns"):
        PublishedTable(title="t", source="s", note="n", columns=("a", "b"), rows=(("CNN",),))
