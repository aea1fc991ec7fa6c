"""Pages of a challenge with a menu, conditions and twenty signals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from harness.board.boards import Boards
from harness.board.rows import board_of
from leaderboard_app.blocks import Picture, Section
from leaderboard_app.settings import Settings
from leaderboard_app.static_site import export_site
from leaderboard_app.views.common import MANY_SIGNALS, drawn_signals
from leaderboard_app.views.data import data_sections
from leaderboard_app.views.ranking_table import ranking_model
from leaderboard_app.views.subject import subject_of
from leaderboard_app.views.submission import submission_sections
from tests.app.conftest import APP, keep_screenshot
from tests.cards import write_board
from tests.trigger_cards import NAME, SIGNALS, trigger_card, trigger_summary


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trigger") / "results"
    cards = [trigger_card("strong", 1.0, slope=0.03), trigger_card("weak", 0.5, seed=2)]
    write_board(cards, folder)
    (folder / NAME / "summary.json").write_text(trigger_summary().model_dump_json())
    return folder


@pytest.fixture(scope="module")
def site(results, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    export_site(Boards(results), folder)
    return folder


def sections_of(results: Path, team: str) -> dict[str, Section]:
    boards = Boards(results)
    snapshot = boards.refresh()
    made, entries = boards.ranking(snapshot, NAME), snapshot.entries[NAME]
    (entry,) = (one for one in entries if one.card.submission.team == team)
    subject = subject_of(boards.whole(NAME, entry), made, entries)
    return {section.title: section for section in submission_sections(subject)}


def model_of(results: Path) -> dict:
    boards = Boards(results)
    board = board_of(boards.ranking(boards.refresh(), NAME))
    return ranking_model(board, lambda team, _: team)


def test_a_profile_sorts_the_signals_and_shows_what_is_added_beside(results) -> None:
    (picture,) = sections_of(results, "strong")["Profile over the signals"].blocks
    assert isinstance(picture, Picture)
    rows = picture.datasets["values"]
    ranked = [row["x"] for row in rows if row["name"] == "ranked"]
    assert len(ranked) == 20
    assert ranked == sorted(ranked, reverse=True)
    assert sum(row["name"] == "added to the menu" for row in rows) == 20
    assert all(row["lower"] <= row["x"] <= row["upper"] for row in rows)


def test_a_trigger_that_moves_with_pile_up_is_seen_to(results) -> None:
    sections = sections_of(results, "strong")
    picture, table, *_ = sections["Rate by Pile-up"].blocks
    rates = [row["y"] for row in picture.datasets["bins"]]
    assert rates == sorted(rates)
    assert rates[-1] > 3 * rates[0]
    assert [row[0] for row in table.rows] == ["20 to 40", "40 to 60", "60 to 80"]
    assert re.match(r"-\d+(\.\d+)? % \[", table.rows[0][2])
    transfers = sections["Rate by Run"].blocks[2]
    assert {(row[0], row[1]) for row in transfers.rows} == {
        ("396102", "398183"),
        ("398183", "396102"),
    }
    assert "kHz" in transfers.rows[0][2]


def test_pictures_of_many_signals_show_some_from_the_best_to_the_worst(results) -> None:
    card = trigger_card("strong", 1.0, slope=0.03)
    drawn = drawn_signals(card)
    rates = card.float_physics.at(1e-2).rates
    order = sorted(SIGNALS, key=lambda name: -rates[name].tpr)
    assert len(drawn) == MANY_SIGNALS
    assert (rates[drawn[0]].tpr, rates[drawn[-1]].tpr) == (
        rates[order[0]].tpr,
        rates[order[-1]].tpr,
    )
    few = trigger_card("few", n_signals=3)
    assert drawn_signals(few) == SIGNALS[:3]
    section = sections_of(results, "strong")["ROC and scores"]
    assert section.lead.startswith("6 of 20 signals")


def test_the_table_has_one_column_of_many_signals_and_hides_theirs(results) -> None:
    model = model_of(results)
    columns = {column["key"]: column for column in model["columns"]}
    hidden = {key for key, column in columns.items() if column.get("hidden")}
    assert {key for key in hidden if key.startswith("efficiency_")} == {
        f"efficiency_{name}" for name in SIGNALS
    }
    assert columns["profile"]["title"] == "20 signals"
    assert "added" in columns
    cell = model["rows"][0]["cells"]["profile"]
    assert len(cell["p"]) == 20
    assert all(low <= value <= high for low, value, high in cell["p"])
    # One order for all entries: their profiles can be compared.
    assert [len(row["cells"]["profile"]["p"]) for row in model["rows"]] == [20, 20]


def test_what_the_trigger_has_today_stands_below_the_board_and_with_the_data(results, site) -> None:
    page = (site / NAME / "index.html").read_text("utf-8")
    assert "What the trigger has today" in page
    assert "L1_Single30" in page
    assert "110 kHz" in page
    titles = [section.title for section in data_sections(trigger_summary())]
    assert "What the trigger has today" in titles
    entry = (site / NAME / "entries" / "strong.html").read_text("utf-8")
    assert "Physics at 10 kHz (FPR 1e-2)" in entry
    assert "of 1,000 kHz" in entry


def test_pictures_of_the_data_show_the_signals_that_are_chosen() -> None:
    def drawn(sections: list[Section]) -> set[str]:
        pictures = [block for section in sections for block in section.blocks]
        rows = [row for one in pictures if isinstance(one, Picture) for row in one.table()]
        return {row["Events"] for row in rows if "Events" in row}

    summary = trigger_summary()
    background = {summary.processes[0].title}
    assert drawn(data_sections(summary)) == {*SIGNALS[:MANY_SIGNALS], *background}
    assert drawn(data_sections(summary, ["signal17"])) == {"signal17", *background}
    assert len(data_sections(summary)[0].blocks[0].rows) == 21


@pytest.mark.parametrize("page", ["ranking", "submission", "compare", "data", "trade_off"])
def test_each_page_of_the_app_opens(results, app_settings, page) -> None:
    app_settings(Settings(results=str(results)))
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["challenge"] = NAME
    app.run()
    if page != "ranking":
        app.query_params["challenge"] = NAME
        app.switch_page(f"app_pages/{page}.py").run()
    assert not app.exception, app.exception
    assert not app.error


def test_few_signals_keep_their_columns(tmp_path) -> None:
    write_board([trigger_card("few", n_signals=3)], tmp_path)
    model = model_of(tmp_path)
    shown = {column["key"] for column in model["columns"] if not column.get("hidden")}
    assert {f"efficiency_{name}" for name in SIGNALS[:3]} <= shown
    assert "profile" not in json.dumps(model["columns"])


@pytest.mark.browser
def test_a_visitor_chooses_columns_and_the_address_keeps_them(visit, site) -> None:
    seen = visit((site / NAME / "index.html").as_uri())
    page = seen.page
    expect(page.locator(".board tr.ranked").first).to_be_visible()
    assert page.locator(".board svg.profile").count() == 2
    assert page.locator(".board svg.profile circle").count() >= 30
    heads = page.locator(".board thead th")
    n = heads.count()
    page.locator(".board .chooser summary").click()
    page.locator(".board .chooser label", has_text="signal03").locator("input").check()
    expect(heads).to_have_count(n + 1)
    expect(page.locator(".board thead button", has_text="signal03")).to_be_visible()
    page.wait_for_url(re.compile("columns=efficiency_signal03"))
    keep_screenshot(page, "site-many-signals")
    page.reload()
    expect(page.locator(".board thead button", has_text="signal03")).to_be_visible()
    scroller = page.locator(".board .scroller")
    assert scroller.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert seen.problems == []
