"""The pages on a phone: tables can be read, and what charts write lies on nothing else."""

from __future__ import annotations

from itertools import combinations

import pytest
from playwright.sync_api import Page

from leaderboard_app.settings import Settings
from tests.app.conftest import Server, run_server
from tests.app.test_browser import charts_drawn, settled, table
from tests.cards import make_card, make_firmware, write_board

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PHONE = {"width": 390, "height": 844}
PAGES = {
    "Trade-off": "trade_off?challenge=sample",
    "Submission": "submission?challenge=sample&team=team_004",
    "Compare": "compare?challenge=sample",
    "Data": "data?challenge=sample",
    "Status": "status?challenge=sample",
}
# The heights of the rows that are seen, and how they begin.
ROWS = """() => [...document.querySelectorAll('.lb-table tr')].filter(row => row.offsetParent)
    .map(row => [row.offsetHeight, row.innerText.slice(0, 60)])"""


@pytest.mark.parametrize("name", PAGES)
def test_no_row_of_a_table_is_a_column_of_letters(visit, server: Server, name):
    page = visit(server.url + PAGES[name], **PHONE).page
    settled(page, name)
    if name != "Status":
        charts_drawn(page, 1)
    high = [row for row in page.evaluate(ROWS) if row[0] > 170]
    assert high == []
    assert (
        page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]');"
            " return m.scrollWidth - m.clientWidth; }"
        )
        <= 1
    )


def test_the_ranking_has_rows_of_a_few_lines(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample", **PHONE).page
    heights = table(page).evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) < 130


def boxes(page: Page, texts: str) -> list[dict[str, float]]:
    """Return where texts of a chart lie."""
    return page.locator(texts).evaluate_all(
        "all => all.filter(t => t.textContent).map(t => { const b = t.getBoundingClientRect();"
        " return {text: t.textContent, left: b.left, right: b.right, top: b.top,"
        " bottom: b.bottom}; })"
    )


def overlapping(found: list[dict[str, float]]) -> list[tuple[object, object]]:
    """Return the pairs of texts that lie on each other by more than their rounding."""
    return [
        (a["text"], b["text"])
        for a, b in combinations(found, 2)
        if min(a["right"], b["right"]) - max(a["left"], b["left"]) > 2
        and min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) > 4
    ]


@pytest.mark.parametrize("width", [390, 700, 1366])
def test_names_of_entries_and_lines_of_the_trade_off_do_not_overlap(visit, tmp_path, width):
    cards = [
        make_card(
            f"a_team_of_{i:02d}",
            seed=i,
            rates=dict.fromkeys(("ato4l", "lq", "h0", "hplus"), 1e-4 * (2 + i % 7)),
            firmware=make_firmware(cycles=6 + 3 * i),
        )
        for i in range(16)
    ]
    write_board(cards, tmp_path / "results")
    with run_server(Settings(results=str(tmp_path / "results")), tmp_path) as running:
        page = visit(f"{running.url}trade_off?challenge=sample", width=width, height=844).page
        settled(page, "Trade-off")
        charts_drawn(page, 1)
        page.wait_for_timeout(1_500)
        written = boxes(page, ".vega-embed .mark-text.role-mark text")
        assert len(written) >= 3
        axis = boxes(page, ".vega-embed .role-axis-title text")
        assert overlapping([*axis, *written]) == []


@pytest.mark.parametrize("name", ["Submission", "Data", "Trade-off"])
def test_legends_are_not_cut(visit, server: Server, name):
    page = visit(server.url + PAGES[name], **PHONE).page
    settled(page, name)
    charts_drawn(page, 1 if name == "Trade-off" else 5)
    page.wait_for_timeout(1_500)
    cut = page.locator(".vega-embed svg").evaluate_all(
        """all => all.flatMap(svg => { const edge = svg.getBoundingClientRect().right + 1;
            return [...svg.querySelectorAll('.role-legend-label text')]
                .filter(t => t.getBoundingClientRect().right > edge).map(t => t.textContent); })"""
    )
    assert cut == []


@pytest.mark.parametrize("width", [390, 1366])
def test_all_chosen_entries_are_seen_in_the_box_of_the_comparison(visit, server: Server, width):
    query = "&".join(f"entries=team_{i:03d}" for i in range(1, 7))
    page = visit(f"{server.url}compare?challenge=sample&{query}", width=width, height=844).page
    settled(page, "Compare")
    box = page.locator("[data-testid=stMultiSelect]").bounding_box()
    tags = page.locator("[data-testid=stMultiSelectTagsContainer] button")
    assert tags.count() == 6
    for place in tags.evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())"):
        assert box["x"] <= place["left"]
        assert place["right"] <= box["x"] + box["width"] - 40
        assert place["bottom"] <= box["y"] + box["height"]
