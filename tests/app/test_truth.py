"""Every label says what the cards say and no more, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from leaderboard_app.settings import Settings
from tests.app.conftest import Server, run_server
from tests.app.test_browser import charts_drawn, settled, table
from tests.cards import make_card, write_board

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def text_of(page: Page, heading: str) -> str:
    """Return the text of a table by its caption."""
    found = page.locator("table", has=page.locator("caption", has_text=heading))
    expect(found).to_be_visible()
    return found.inner_text()


def test_nanoseconds_of_a_netlist_are_called_an_estimate(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample&q=team_004").page
    row = table(page).first
    latency = row.locator("td", has_text="est.")
    expect(latency).to_have_attribute("title", pattern("^estimate; .*clock cycle.* \\(RTL\\)"))
    expect(row.locator(".badge", has_text="estimate")).to_be_visible()

    row.locator("a.team").click()

    settled(page, "Submission")
    judged = text_of(page, "Compared with the contest's limits").splitlines()
    (line,) = [line for line in judged if line.startswith("latency")]
    assert "estimate" in line
    assert "RTL" not in line
    (line,) = [line for line in judged if line.startswith("LUT")]
    assert "RTL" in line


def pattern(text: str):
    import re

    return re.compile(text)


def test_a_chart_saved_on_a_dark_page_is_dark_on_white(visit, server: Server, tmp_path: Path):
    from PIL import Image

    seen = visit(f"{server.url}trade_off?challenge=sample", scheme="dark")
    page = seen.page
    settled(page, "Trade-off")
    charts_drawn(page, 1)
    page.get_by_role("button", name="Save this chart").click()
    files = {}
    for kind in ("SVG", "PDF", "PNG"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=kind, exact=True).click()
        files[kind] = tmp_path / saved.value.suggested_filename
        saved.value.save_as(files[kind])
    assert "currentColor" not in files["SVG"].read_text(encoding="utf-8")
    assert files["PDF"].read_bytes().startswith(b"%PDF")
    grey = Image.open(files["PNG"]).convert("L").histogram()
    assert grey[255] > 0.7 * sum(grey)
    assert sum(grey[:60]) > 500
    assert page.locator(".vega-actions").count() == 0


def test_few_accepted_events_are_counted_in_the_legend(visit, server: Server):
    page = visit(f"{server.url}submission?challenge=sample&team=team_004").page
    settled(page, "Submission")
    charts_drawn(page, 10)
    scores = page.locator("[data-testid=stVegaLiteChart][aria-label*='Distribution of the score']")
    expect(scores.locator(".role-axis-label text", has_text="0").first).to_be_visible()
    accepted = page.locator("[data-testid=stVegaLiteChart][aria-label*='normalised to 1']").nth(1)
    expect(accepted).to_have_attribute("aria-label", pattern("Background \\(10 events\\)"))
    expect(accepted.get_by_text("Background (N = 10)")).to_be_visible()


def test_what_was_done_with_signals_stands_on_the_ranking_and_at_the_top_of_the_entry(
    visit, tmp_path
):
    cards = []
    for i, seen in enumerate((None, "none", "evaluated", "tuned")):
        card = make_card(f"team_{seen or 0}", seed=i + 1)
        said = card.submission.model_copy(update={"signals_seen": seen})
        cards.append(card.model_copy(update={"submission": said}))
    write_board(cards, tmp_path / "results")
    with run_server(Settings(results=str(tmp_path / "results")), tmp_path) as running:
        page = visit(f"{running.url}?challenge=sample").page
        rows = table(page)
        for said in ("not stated", "none", "evaluated", "tuned"):
            expect(rows.locator(".badge", has_text=said)).to_have_count(1)
        box = page.locator(".board label", has_text="Signals seen").locator("select")
        box.select_option(label="none")
        expect(rows).to_have_count(1)
        expect(page).to_have_url(pattern("seen=none"))

        page.goto(f"{running.url}submission?challenge=sample&team=team_tuned")
        settled(page, "Submission")
        note = page.get_by_text("chose something by figures on signals")
        expect(note).to_be_visible()
        assert note.bounding_box()["y"] < 768
        expect(page.get_by_text("Uses signals in training")).to_have_count(0)


def test_low_statistics_are_marked_where_such_a_figure_is_shown(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample&fpr=1e-6").page
    expect(table(page).first.get_by_text("low stat.").first).to_be_visible()
    expect(page.get_by_text("Low statistics at FPR 1e-6")).to_be_visible()

    page.get_by_role("link", name="Trade-off").click()

    settled(page, "Trade-off")
    charts_drawn(page, 1)
    expect(page.get_by_text("Low statistics at FPR 1e-6")).to_be_visible()
    symbols = page.locator("[data-testid=stVegaLiteChart] path[aria-label*='low statistics']")
    expect(symbols.first).to_have_attribute("fill-opacity", "0")


def test_a_comparison_is_of_ratios_on_a_log_axis_and_of_percentage_points(visit, server: Server):
    names = [f"team_{i:03d}" for i in range(1, 7)]
    query = "&".join(f"entries={name}" for name in names)
    page = visit(f"{server.url}compare?challenge=sample&{query}").page
    settled(page, "Compare")
    charts_drawn(page, 1)
    said = text_of(page, "in percentage points (pp)")
    assert "pp" in said.splitlines()[2]
    first = page.locator("[data-testid=stVegaLiteChart]").first
    expect(first).to_have_attribute("aria-label", pattern("logarithmic"))
    for name in names:
        expect(first.get_by_text(name, exact=True).first).to_be_visible()
