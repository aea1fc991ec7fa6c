"""The address of a page is its state, in a real Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.app.conftest import Server
from tests.app.test_browser import header, healthy, settled, table

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def chosen(page: Page, label: str) -> str:
    """Return what a select box shows."""
    box = page.locator("[data-testid=stSelectbox]").filter(has_text=re.compile(f"^{label}"))
    expect(box).to_be_visible()
    return box.locator("[data-baseweb=select], [role=combobox], input").first.evaluate(
        "e => e.value || e.innerText"
    )


def expect_chosen(page: Page, label: str, option: str) -> None:
    """Wait until a select box shows `option`: the server draws it only after the address changed.

    A page that has not heard of the new address yet is at rest too, so that waiting for rest alone
    may end before anything was drawn.
    """
    for _ in range(100):
        if option in chosen(page, label):
            return
        page.wait_for_timeout(100)
    assert option in chosen(page, label)


def choose(page: Page, label: str, option: str) -> None:
    box = page.locator("[data-testid=stSelectbox]").filter(has_text=re.compile(f"^{label}"))
    box.locator("input").first.click()
    page.get_by_role("option", name=option, exact=True).click()


@pytest.mark.parametrize("wait_ms", [0, 400])
def test_the_working_point_stays_the_challenges_own_on_the_next_page(
    visit, server: Server, wait_ms
):
    seen = visit(f"{server.url}?challenge=sample")
    page = seen.page
    table(page)
    page.wait_for_timeout(wait_ms)

    page.get_by_role("link", name="Trade-off").click()

    settled(page, "Trade-off")
    expect_chosen(page, "False positive rate", "1e-5")
    page.wait_for_timeout(1500)
    assert "1e-5" in chosen(page, "False positive rate")
    assert "fpr" not in page.url
    page.get_by_role("link", name="Ranking").click()
    settled(page, "Leaderboard")
    expect_chosen(page, "False positive rate", "1e-5")
    healthy(seen)


def test_what_is_chosen_goes_along_to_the_other_pages(visit, server: Server):
    page = visit(f"{server.url}?challenge=adc2021").page
    settled(page)
    choose(page, "False positive rate", "1e-4")
    expect(page).to_have_url(re.compile("fpr=1e-4"))

    # The address changes before the page, with its links to the others, is drawn again.
    link = page.get_by_role("link", name="Trade-off")
    expect(link).to_have_attribute("href", re.compile("fpr=1e-4"))
    link.click()

    settled(page, "Trade-off")
    expect(page).to_have_url(re.compile("challenge=adc2021&fpr=1e-4"))
    expect_chosen(page, "False positive rate", "1e-4")
    expect_chosen(page, "Challenge", "ADC2021 (v2)")


def test_back_undoes_one_choice_after_the_other(visit, server: Server):
    page = visit(f"{server.url}trade_off?challenge=sample").page
    settled(page, "Trade-off")
    choose(page, "Cost", "LUT")
    expect(page).to_have_url(re.compile("cost=lut"))
    settled(page)
    choose(page, "Cost", "FLOPs")
    expect(page).to_have_url(re.compile("cost=flops"))
    settled(page)

    page.go_back()
    expect(page).to_have_url(re.compile("cost=lut"))
    settled(page)
    page.wait_for_timeout(500)
    expect(page).to_have_url(re.compile("cost=lut"))
    expect_chosen(page, "Cost", "LUT")
    page.go_back()
    settled(page)
    page.wait_for_timeout(500)
    assert "cost" not in page.url
    expect_chosen(page, "Cost", "Latency")
    page.go_forward()
    settled(page)
    expect_chosen(page, "Cost", "LUT")
    page.wait_for_timeout(500)
    assert chosen(page, "Cost") == "LUT"
    expect(page).to_have_url(re.compile("cost=lut"))


def test_back_undoes_a_sorting_and_typing_makes_no_entry_in_the_history(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    rows = table(page)
    n, before = rows.count(), page.evaluate("history.length")

    page.locator(".board input[type=search]").press_sequentially("team_004", delay=30)

    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile("q=team_004"))
    page.wait_for_timeout(1500)
    assert page.evaluate("history.length") == before
    page.locator(".board input[type=search]").fill("")
    header(page, "LUT").click()
    expect(page).to_have_url(re.compile("sort=lut"))
    page.wait_for_timeout(1000)
    assert page.evaluate("history.length") == before + 1

    page.go_back()

    expect(page.locator(".board th[aria-sort=ascending]")).to_have_count(0)
    page.wait_for_timeout(1000)
    assert "sort" not in page.url
    expect(rows).to_have_count(n)


def test_another_choice_keeps_the_sorting(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    table(page)
    header(page, "LUT").click()
    page.wait_for_timeout(800)
    settled(page)
    choose(page, "False positive rate", "1e-4")
    expect(page).to_have_url(re.compile("fpr=1e-4"))
    expect(page).to_have_url(re.compile("sort=lut"))
    expect(page.locator(".board th[aria-sort=ascending]")).to_contain_text("LUT")


def test_another_team_has_its_own_card_and_no_warning(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample&q=team_004").page
    table(page).first.locator("a.team").click()
    settled(page, "Submission")
    expect(page).to_have_url(re.compile("card="))

    choose(page, "Team", "team_005")

    expect(page.locator(".lb-by")).to_contain_text("team_005")
    settled(page)
    expect(page.get_by_text("The address names")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("card="))


@pytest.mark.parametrize("name", ["", "trade_off", "submission", "compare", "data"])
def test_an_unknown_challenge_in_the_address_is_named_as_such(visit, server: Server, name):
    page = visit(f"{server.url}{name}?challenge=nope").page
    settled(page)
    expect(page.get_by_text("The address names a challenge that is not here")).to_be_visible()


def test_the_data_page_follows_the_challenge_and_leaves_it_as_it_is(visit, server: Server):
    page = visit(f"{server.url}?challenge=adc2021").page
    settled(page)
    page.get_by_role("link", name="Data").click()
    settled(page, "Data")
    expect(page.get_by_text("No summary of the events of this challenge yet")).to_be_visible()
    expect_chosen(page, "Challenge", "ADC2021 (v2)")
    page.get_by_role("link", name="Ranking").click()
    settled(page, "Leaderboard")
    expect_chosen(page, "Challenge", "ADC2021 (v2)")


def test_the_guide_does_not_take_overlapping_intervals_for_equal_entries(visit, server: Server):
    page = visit(f"{server.url}take_part").page
    settled(page, "How to take part")
    said = page.locator("[data-testid=stMain]").inner_text()
    assert "Overlapping intervals do not show" not in said
    assert "may overlap where the difference is resolved" in said


def test_a_table_of_contents_leads_to_the_sections_and_leaves_the_page_as_it_is(
    visit, server: Server
):
    page = visit(f"{server.url}submission?challenge=sample&team=team_004").page
    settled(page, "Submission")
    page.locator(".lb-contents a", has_text="Provenance").click()
    expect(page.locator("#provenance")).to_be_in_viewport()
    page.wait_for_timeout(1500)
    expect(page.locator("#provenance")).to_be_in_viewport()
    assert "team=team_004" in page.url
