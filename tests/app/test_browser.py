"""The leaderboard in a real Chromium: what a visitor does, and what a page must never do."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from harness.board.formats import EVIDENCE_TITLES
from leaderboard_app.settings import Settings
from tests.app.conftest import PROXY_NAME, Server, Visit, keep_screenshot, run_server
from tests.cards import SIGNALS, TARGET, make_board, make_card, make_firmware, write_board

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MAIN_PAGES = ("", "trade_off", "submission", "compare", "data")
# A laptop, a phone, a large screen.
SIZES = ((1366, 768), (390, 844), (1920, 1080))
PAGES = (
    *("", "trade_off", "submission", "compare", "data", "after_trigger", "watch", "status"),
    *("answers", "take_part"),
)


def settled(page: Page, heading: str | None = None) -> None:
    """Wait until the page has its content and Streamlit is at rest."""
    expect(page.locator("h1")).to_be_visible()
    if heading:
        expect(page.locator("h1")).to_have_text(heading)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState"
        " === 'notRunning'"
    )


def table(page: Page):
    rows = page.locator(".board tbody tr.ranked")
    expect(rows.first).to_be_visible()
    return rows


def teams(page: Page) -> list[str]:
    return table(page).locator(".team").all_text_contents()


def column(page: Page, title: str) -> list[str]:
    headers = page.locator(".board thead th button span:first-child").all_text_contents()
    cells = table(page).locator(f"td:nth-child({headers.index(title) + 1}) .value")
    return cells.all_text_contents()


def header(page: Page, title: str):
    return page.locator(".board thead button", has_text=re.compile(f"^{re.escape(title)}"))


def charts_drawn(page: Page, n: int) -> None:
    page.wait_for_function(
        "n => document.querySelectorAll('.vega-embed canvas, .vega-embed svg').length >= n", arg=n
    )


def healthy(visit: Visit) -> None:
    assert visit.problems == []
    assert visit.hosts() <= {"127.0.0.1"}
    assert not visit.page.evaluate("window.pwned")


def test_the_ranking_opens_with_its_rows_and_asks_no_other_host(visit, server: Server):
    seen = visit(f"{server.url}?challenge=sample")
    settled(seen.page, "Leaderboard")
    assert len(teams(seen.page)) >= 8
    expect(seen.page.get_by_text("no prediction for the ADC2021 data")).to_be_visible()
    expect(seen.page.locator(".board .divider")).to_have_text("Not ranked")
    expect(seen.page.locator(".board tr.reason").first).to_be_visible()
    healthy(seen)


def test_sorting_is_kept_in_the_address_and_a_link_reproduces_it(visit, server: Server):
    seen = visit(f"{server.url}?challenge=sample")
    page = seen.page
    settled(page)
    by_rank = teams(page)

    header(page, "LUT").click()

    expect(page.locator(".board th[aria-sort=ascending]")).to_contain_text("LUT")
    shares = [float(text) for text in column(page, "LUT")]
    assert shares == sorted(shares)
    assert sorted(teams(page)) == sorted(by_rank)
    expect(page).to_have_url(re.compile(r"sort=lut"))

    header(page, "LUT").click()
    expect(page.locator(".board th[aria-sort=descending]")).to_contain_text("LUT")
    expect(page).to_have_url(re.compile(r"sort=-lut"))
    falling = teams(page)

    other = visit(page.url)
    settled(other.page)
    assert teams(other.page) == falling
    page.reload()
    settled(page)
    assert teams(page) == falling
    healthy(seen)


def test_every_column_sorts_both_ways(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    settled(page)
    by_rank = teams(page)
    everyone = sorted(by_rank)
    sorted_column = page.locator(".board th[aria-sort]:not([aria-sort=none])")
    titles = page.locator(".board thead th button span:first-child").all_text_contents()
    assert len(titles) == 16
    for title in titles:
        orders = []
        for _ in range(2):
            header(page, title).first.click()
            expect(sorted_column).to_contain_text(title)
            orders.append(teams(page))
            assert sorted(orders[-1]) == everyone, title
        # Sorted once more, the board's own order is back.
        header(page, title).first.click()
        expect(sorted_column).to_have_count(0)
        assert teams(page) == by_rank
        if title in {"Team", "Merit", "LUT", "Latency"}:
            assert orders[0] != orders[1], title


def test_unranked_entries_stay_below_whatever_the_sorting(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample&sort=-latency").page
    settled(page)
    table(page)
    kinds = page.locator(".board tbody tr").evaluate_all("rows => rows.map(r => r.className)")
    assert kinds.index("divider") == len([kind for kind in kinds if kind == "ranked"])
    assert "ranked" not in kinds[kinds.index("divider") :]


def test_finding_narrows_the_table_at_once_and_stands_in_the_address(visit, server: Server):
    seen = visit(f"{server.url}?challenge=sample")
    page = seen.page
    settled(page)
    everyone = teams(page)

    page.locator(".board input[type=search]").fill("team_004")

    expect(table(page)).to_have_count(1)
    assert teams(page) == ["team_004"]
    expect(page).to_have_url(re.compile(r"q=team_004"))
    page.reload()
    settled(page)
    assert teams(page) == ["team_004"]
    page.locator(".board input[type=search]").fill("")
    expect(table(page)).to_have_count(len(everyone))
    healthy(seen)


def test_the_division_can_be_chosen(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    settled(page)
    page.locator(".board select").first.select_option("open")
    expect(page.locator(".board tr.ranked")).to_have_count(0)
    expect(page.locator(".board tr.unranked").first).to_be_visible()


def test_evidence_and_part_can_be_chosen_and_stand_in_the_address(visit, tmp_path):
    other = TARGET.model_copy(update={"part": "xcu250-figd2104-2L-e"})
    cards = [
        make_card("netlist", seed=1),
        make_card("routed", seed=2, firmware=make_firmware(evidence="post_route")),
        make_card("elsewhere", seed=3, firmware=make_firmware(target=other)),
    ]
    write_board(cards, tmp_path / "results")
    with run_server(Settings(results=str(tmp_path / "results")), tmp_path) as server:
        seen = visit(f"{server.url}?challenge=sample")
        page = seen.page
        settled(page)
        names = page.locator(".board tbody tr .team")
        expect(names).to_have_count(3)

        def choose(name: str, text: str) -> None:
            page.locator(".board label", has_text=name).locator("select").select_option(label=text)

        choose("Evidence", EVIDENCE_TITLES["post_route"])
        expect(names).to_have_text(["routed"])
        expect(page).to_have_url(re.compile("evidence="))
        page.reload()
        settled(page)
        expect(names).to_have_text(["routed"])
        choose("Evidence", "all")
        choose("Part", other.part)
        expect(names).to_have_text(["elsewhere"])
        expect(page).to_have_url(re.compile(f"part={other.part}"))
        healthy(seen)


def test_the_keyboard_is_enough_to_sort_and_to_follow_a_row(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    settled(page)
    header(page, "AUC").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".board th[aria-sort=descending]")).to_contain_text("AUC")
    assert (
        page.evaluate(
            "() => { let e = document.activeElement;"
            " while (e && e.shadowRoot) e = e.shadowRoot.activeElement; return e.dataset.key; }"
        )
        == "auc"
    )
    first = table(page).first.locator("a.team")
    name = first.text_content()
    first.focus()
    page.keyboard.press("Enter")
    settled(page, "Submission")
    expect(page.locator(".lb-by")).to_contain_text(name)


def test_a_row_leads_to_its_submission_and_back_leads_to_the_table(visit, server: Server):
    seen = visit(f"{server.url}?challenge=sample")
    page = seen.page
    settled(page)
    header(page, "Latency").click()
    expect(page).to_have_url(re.compile("sort=latency"))
    before = teams(page)
    row = table(page).nth(2).locator("a.team")
    name = row.text_content()

    row.click()

    settled(page, "Submission")
    expect(page.locator(".lb-by")).to_contain_text(name)
    expect(page).to_have_url(re.compile(rf"/submission\?.*team={name}"))
    charts_drawn(page, 3)
    deep = page.url

    page.go_back()
    settled(page, "Leaderboard")
    expect(page).to_have_url(re.compile("sort=latency"))
    assert teams(page) == before

    page.go_forward()
    settled(page, "Submission")
    expect(page.locator(".lb-by")).to_contain_text(name)

    other = visit(deep)
    settled(other.page, "Submission")
    expect(other.page.locator(".lb-by")).to_contain_text(name)
    healthy(seen)
    healthy(other)


def test_every_chart_has_words_and_its_figures_for_those_who_cannot_see_it(visit, server: Server):
    page = visit(f"{server.url}submission?challenge=sample&team=team_004").page
    settled(page, "Submission")
    charts_drawn(page, 10)
    tables = page.locator(".lb-figures")
    charts_drawn(page, tables.count())
    drawn = page.locator("[data-testid=stVegaLiteChart]")
    expect(drawn).to_have_count(tables.count())
    names = drawn.evaluate_all("charts => charts.map(c => c.getAttribute('aria-label') || '')")
    assert all(len(name) > 20 for name in names)
    assert tables.count() == len(names)
    # Behind the profile over the few signals.
    second = tables.nth(1)
    second.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(second.locator("tbody tr").nth(20)).to_be_visible()
    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('img, button, a, input, select')].filter(e =>"
        " !(e.innerText || e.getAttribute('aria-label') || e.alt || e.title)).length"
    )
    assert unnamed == 0


def test_the_link_of_a_row_opens_in_a_tab_of_its_own(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    settled(page)
    link = table(page).first.locator("a.team")
    with page.context.expect_page() as opened:
        link.click(modifiers=["Control"])
    settled(opened.value, "Submission")
    expect(opened.value.locator(".lb-by")).to_contain_text(link.text_content())


def drawn(page: Page, name: str) -> None:
    """Wait for the table or the charts of a page."""
    settled(page)
    if name == "":
        table(page)
    if name in {"trade_off", "submission", "compare", "data", "after_trigger", "watch"}:
        charts_drawn(page, 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_draws_in_light_and_dark_and_in_every_size(visit, server, name, scheme):
    seen = visit(f"{server.url}{name}?challenge=sample", scheme=scheme)
    page = seen.page
    drawn(page, name)
    ink, paper = page.evaluate(
        "() => { const s = getComputedStyle(document.querySelector('[data-testid=stApp]'));"
        " return [s.color, s.backgroundColor]; }"
    )
    assert (luminance(paper) < 0.2) == (scheme == "dark")
    assert abs(luminance(ink) - luminance(paper)) > 0.6
    if name == "":
        value = table(page).first.locator(".value").first
        ink = value.evaluate("e => getComputedStyle(e).color")
        assert abs(luminance(ink) - luminance(paper)) > 0.6
    for width, height in SIZES if name in MAIN_PAGES else SIZES[:1]:
        page.set_viewport_size({"width": width, "height": height})
        # Charts follow a change of size within a second or so.
        page.wait_for_function(
            "() => { const m = document.querySelector('[data-testid=stMain]');"
            " return m.scrollWidth - m.clientWidth <= 1; }"
        )
        keep_screenshot(page, f"{name or 'ranking'}-{scheme}-{width}x{height}")
    healthy(seen)


@pytest.mark.parametrize("name", ["after-the-trigger", "watch"])
def test_the_reports_are_read_on_a_phone_and_every_chart_is_drawn(visit, site, name):
    seen = visit((site / "sample" / f"{name}.html").as_uri(), width=390, height=844)
    page = seen.page
    figures = page.locator("figure")
    expect(figures.first).to_be_attached()
    for number in range(figures.count()):
        figures.nth(number).scroll_into_view_if_needed()
        figures.nth(number).locator("svg").first.wait_for()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 1
    assert seen.problems == []


def luminance(colour: str) -> float:
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_what_a_team_writes_does_nothing_in_the_browser(visit, server: Server):
    for address in (
        "?challenge=sample&q=hostile",
        "submission?challenge=sample&team=hostile",
        "compare?challenge=sample&entries=hostile&entries=team_004",
        "trade_off?challenge=sample",
    ):
        seen = visit(server.url + address)
        settled(seen.page)
        if "submission" in address:
            expect(seen.page.locator(".lb-name")).to_contain_text('<img src=x onerror="')
            expect(seen.page.get_by_text("<b>bold</b>").first).to_be_visible()
            assert "\u202e" not in seen.page.content()
        if address.startswith("?"):
            expect(seen.page.locator(".board .title").first).to_contain_text("<img src=x")
        if "trade_off" in address:
            charts_drawn(seen.page, 1)
        assert seen.page.locator("[data-testid=stMain] img[src='x']").count() == 0
        assert seen.page.locator("a[href^='javascript']").count() == 0
        healthy(seen)
        seen.page.context.close()


def test_a_tooltip_shows_a_hostile_title_as_text(visit, tmp_path):
    # One point, in the middle of the chart.
    card = make_card("lonely", title='<img src=x onerror="window.pwned=1">')
    write_board([card], tmp_path / "results")
    with run_server(Settings(results=str(tmp_path / "results")), tmp_path) as running:
        seen = visit(f"{running.url}trade_off?challenge=sample&cost=lut")
        settled(seen.page)
        charts_drawn(seen.page, 1)
        point = seen.page.locator(".vega-embed .mark-symbol.role-mark path").last
        box = point.bounding_box()
        seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
        tip = seen.page.locator("#vg-tooltip-element")
        expect(tip).to_contain_text("onerror")
        assert tip.locator("img").count() == 0
        healthy(seen)


@pytest.mark.parametrize(("button", "suffix"), [("Download CSV", "csv"), ("Download JSON", "json")])
def test_the_board_can_be_downloaded(visit, server: Server, tmp_path, button, suffix):
    seen = visit(f"{server.url}?challenge=sample")
    settled(seen.page)
    with seen.page.expect_download() as waiting:
        seen.page.get_by_role("button", name=button).click()
    path = tmp_path / "board"
    waiting.value.save_as(path)
    assert waiting.value.suggested_filename == f"leaderboard-sample.{suffix}"
    text = path.read_text(encoding="utf-8-sig")
    if suffix == "json":
        assert json.loads(text)["challenge"] == "sample"
    else:
        assert text.startswith("rank,team,title,")
    healthy(seen)


def test_a_card_can_be_downloaded_and_is_a_card(visit, server: Server, tmp_path):
    from harness.card.records import ScoreCard

    seen = visit(f"{server.url}submission?challenge=sample&team=team_004")
    settled(seen.page)
    with seen.page.expect_download() as waiting:
        seen.page.get_by_role("button", name="Download card").click()
    waiting.value.save_as(tmp_path / "card.json")
    card = ScoreCard.model_validate_json((tmp_path / "card.json").read_bytes())
    assert card.submission.team == "team_004"


def test_a_card_added_while_the_page_is_open_appears_by_itself(visit, tmp_path):
    """The page looks every few seconds; how long the rest takes hangs on the machine."""
    assert Settings().refresh_s < 10
    results = tmp_path / "results"
    write_board(make_board(5), results)
    with run_server(Settings(results=str(results)), tmp_path) as running:
        page = visit(running.url).page
        settled(page)
        assert "newcomer" not in teams(page)
        header(page, "II").click()

        write_board([make_card("newcomer", rates=dict.fromkeys(SIGNALS, 0.3))], results)

        expect(page.locator(".board .team", has_text="newcomer")).to_be_visible()
        # What the visitor had set up is still so.
        expect(page.locator(".board th[aria-sort=ascending]")).to_contain_text("II")


def test_an_empty_board_says_what_to_run_and_wakes_up(visit, tmp_path):
    results = tmp_path / "results"
    with run_server(Settings(results=str(results), refresh_s=1.0), tmp_path) as running:
        seen = visit(running.url)
        settled(seen.page)
        expect(seen.page.get_by_text("harness score submissions/team_x")).to_be_visible()
        write_board([make_card("first")], results)
        expect(seen.page.locator(".board .team")).to_have_text("first")
        healthy(seen)


def test_it_works_below_a_path_of_a_reverse_proxy(visit, results, tmp_path):
    with run_server(Settings(results=str(results)), tmp_path, base_path="deep/board") as running:
        seen = visit(f"http://{PROXY_NAME}:{running.port}/deep/board/?challenge=sample")
        page = seen.page
        settled(page)
        table(page).first.locator("a.team").click()
        settled(page, "Submission")
        assert "/deep/board/submission?" in page.url
        page.get_by_role("link", name="Trade-off").first.click()
        settled(page, "Trade-off")
        charts_drawn(page, 1)
        page.go_back()
        settled(page, "Submission")
        assert all("/deep/board/" in url for url in seen.requests if url.startswith("http"))
        assert seen.hosts() == {PROXY_NAME}
        assert seen.problems == []


def test_a_choice_is_kept_from_page_to_page(visit, server: Server):
    page = visit(f"{server.url}?challenge=sample").page
    settled(page)
    page.get_by_role("link", name="Trade-off").first.click()
    settled(page, "Trade-off")
    expect(page).to_have_url(re.compile(r"trade_off(\?.*)?$"))
    expect(page.get_by_text("no prediction for the ADC2021 data")).to_be_visible()
