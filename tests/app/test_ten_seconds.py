"""What a visitor sees without scrolling, and what the table can do, in a real Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.order import rank
from harness.board.rows import board_of
from leaderboard_app.table import ASSETS
from leaderboard_app.views.ranking_table import ranking_model
from tests.app.conftest import Server
from tests.app.test_browser import charts_drawn, header, settled, table
from tests.cards import make_board

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_what_is_ranked_who_leads_and_how_sure_is_seen_without_scrolling(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    rows = table(page)
    said = page.locator(".lb-headline")
    expect(said).to_contain_text(
        "share of new-physics events kept, geometric mean over 4 signals, while keeping 1 in "
        "100,000 ordinary ones, by firmware within 1 µs"
    )
    expect(said).to_contain_text(re.compile(r"leads with .* %: .* times the second"))
    expect(said).to_contain_text("times today's simple cuts")
    expect(said).to_contain_text(re.compile(r"(Not sure|Sure): "))
    expect(said).to_contain_text("entries, 10 of them ranked; no deadline")
    for seen in (said, rows.first):
        box = seen.bounding_box()
        assert box["y"] + box["height"] < 768
    expect(rows.first.locator("td.rank")).to_contain_text(re.compile(r"true rank 1 to \d+"))
    # The merit is defined without a pointer.
    page.locator(".meanings summary").focus()
    page.keyboard.press("Enter")
    expect(
        page.locator(".meanings dd", has_text="Geometric mean TPR over the signals")
    ).to_be_visible()


def test_column_headers_and_teams_stay_in_sight_on_a_phone(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample", width=390, height=844).page
    rows = table(page)
    scroller = page.locator(".board .scroller")
    scroller.evaluate("box => { box.scrollTop = 300; box.scrollLeft = 400; }")
    frame = scroller.bounding_box()
    head = page.locator(".board thead th").nth(3).bounding_box()
    assert abs(head["y"] - frame["y"]) < 3
    team = rows.nth(6).locator("td.c-entry").bounding_box()
    assert frame["x"] <= team["x"] < frame["x"] + frame["width"] / 2
    assert rows.nth(6).bounding_box()["height"] < 130


def test_columns_are_chosen_and_stand_in_the_address(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    table(page)
    page.locator(".board .chooser summary").click()
    page.locator(".board .chooser label", has_text="FF").locator("input").check()
    page.locator(".board .chooser label", has_text="DSP").locator("input").uncheck()
    expect(page).to_have_url(re.compile("columns=-dsp%2Cff|columns=ff%2C-dsp"))
    page.reload()
    table(page)
    expect(header(page, "FF")).to_be_visible()
    expect(header(page, "DSP")).to_have_count(0)


def test_ticked_entries_are_compared(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    rows = table(page)
    names = rows.locator(".team").all_text_contents()[1:3]
    for name in names:
        page.get_by_label(f"Compare {name}", exact=True).check()
    page.get_by_role("link", name="Compare 2 entries").click()
    settled(page, "Compare")
    expect(page.get_by_role("heading", name=f"Compared with {names[0]}")).to_be_visible()


def test_a_point_of_the_trade_off_leads_to_its_entry(visit, server: Server):
    page = visit(f"{server.url}trade_off?challenge=sample").page
    settled(page, "Trade-off")
    charts_drawn(page, 1)
    page.locator(".vega-embed .mark-symbol.role-mark path").first.hover(force=True)
    said = page.locator("#vg-tooltip-element tr", has=page.locator("td.key", has_text="team"))
    team = said.locator("td.value").text_content()
    page.mouse.down()
    page.mouse.up()
    settled(page, "Submission")
    expect(page).to_have_url(re.compile(rf"submission\?challenge=sample&team={team}"))
    expect(page.locator(".lb-by")).to_contain_text(team)


def test_the_table_of_500_teams_draws_fifty_at_a_time(visit):
    cards = make_board(4, n_teams=4)
    made = tuple(Entry(key=f"{card.submission.team}/card", card=card) for card in cards)
    model = ranking_model(
        board_of(rank(made, Rulebook().contest_of(made))), lambda team, _: team, compare="?"
    )
    some = [row for row in model["rows"] if row["ranked"]]
    model["rows"] = [{**some[i % len(some)], "at": i, "id": str(i)} for i in range(500)]
    page = visit("about:blank").page
    page.add_script_tag(content=(ASSETS / "table.js").read_text(encoding="utf-8"))
    page.evaluate("model => boardTable(document.body, model, {})", model)
    rows = page.locator(".board tbody tr.ranked")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show 50 more of 500").click()
    expect(rows).to_have_count(100)
    # One letter that every team has, the worst case: as many rows as at first are drawn.
    page.locator(".board input[type=search]").press_sequentially("t")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Latency").first.click()
    expect(rows).to_have_count(50)


# As browsers define it: what moves without the visitor having done anything.
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("width", [390, 1366])
def test_nothing_moves_while_the_ranking_comes(chromium, server: Server, width):
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    page.goto(f"{server.url}?challenge=sample")
    table(page)
    settled(page)
    page.wait_for_timeout(1_000)
    shifted = page.evaluate("window.shifted")
    context.close()
    assert shifted < 0.1
