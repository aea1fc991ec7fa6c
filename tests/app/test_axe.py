"""Nothing that axe-core knows keeps anybody from reading a page, live or static, light or dark."""

from __future__ import annotations

from importlib.resources import files

import pytest
from playwright.sync_api import Page

from tests.app.conftest import Server
from tests.app.test_browser import charts_drawn, settled, table

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PAGES = {
    "index": "sample/index.html",
    "trade-off": "sample/trade-off.html",
    "entry": "sample/entries/team_004.html",
    "compare": "sample/compare/team_004.html",
    "data": "sample/data.html",
    "after": "sample/after-the-trigger.html",
    "watch": "sample/watch.html",
    "status": "sample/status.html",
    "guide": "take-part.html",
}
LIVE = {
    "Leaderboard": "?challenge=sample",
    "Trade-off": "trade_off?challenge=sample",
    "Submission": "submission?challenge=sample&team=team_004",
    "Compare": "compare?challenge=sample",
    "After the trigger": "after_trigger?challenge=sample",
    "Detector watch": "watch?challenge=sample",
    "Status": "status?challenge=sample",
}


def violations(page: Page) -> list[str]:
    """What axe-core finds: which rule, how often, and the first place."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}, {len(one['nodes'])} times: {one['nodes'][0]['html'][:120]}" for one in found
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_static_site_can_be_read_by_everybody(visit, site, scheme):
    page = visit((site / PAGES["index"]).as_uri(), scheme=scheme).page
    found = {}
    for name, path in PAGES.items():
        page.goto((site / path).as_uri())
        if page.locator("figure").count():
            # Charts are drawn when they come near to what is seen.
            page.locator("figure").first.scroll_into_view_if_needed()
            page.locator("figure svg").first.wait_for()
        else:
            page.locator("main").wait_for()
        found[name] = violations(page)
    assert found == {name: [] for name in PAGES}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_live_board_can_be_read_by_everybody(visit, server: Server, scheme):
    page = visit(server.url, scheme=scheme).page
    found = {}
    for name, path in LIVE.items():
        page.goto(f"{server.url}{path}")
        settled(page, name)
        if name == "Leaderboard":
            table(page).first.wait_for()
        elif name != "Status":
            charts_drawn(page, 1)
        found[name] = violations(page)
    assert found == {name: [] for name in LIVE}
