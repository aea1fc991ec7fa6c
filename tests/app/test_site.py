"""The static site: valid, self-contained, harmless, and small."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import html5lib
import pytest
from playwright.sync_api import expect

from harness.board.boards import Boards
from harness.board.rows import Board
from harness.board.trigger_reports import TRIGGER_FOLDER
from harness.errors import EnvironmentFaultError
from leaderboard_app import packing, site_pages
from leaderboard_app.site_writer import in_script
from leaderboard_app.static_site import export_site
from tests.app.conftest import HOSTILE_TEXT, keep_screenshot
from tests.boxes import make_opened, write_opened
from tests.cards import make_board, make_card, make_challenge, write_board
from tests.trigger_reports import make_watch_report, write_report


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def unpacked(text: str) -> dict:
    return json.loads(zlib.decompress(base64.b85decode(text.replace(" ", ""))))


def shared(site: Path) -> dict:
    """What charts of several pages have in common."""
    text = (site / "assets" / "specs.js").read_text(encoding="utf-8")
    return unpacked(text.partition('"')[2].partition('"')[0])


def figures(page: Path) -> list[dict]:
    text = page.read_text(encoding="utf-8")
    packed = re.search(r'id="figures">(.*?)</script>', text, re.DOTALL).group(1)
    return unpacked(packed)["figures"]


def test_there_is_a_page_for_the_ranking_the_trade_off_and_every_team(site, results):
    names = {path.relative_to(site).as_posix() for path in pages(site)}
    folders = {path.name for path in (results / "sample").iterdir() if path.is_dir()}
    teams = folders - {TRIGGER_FOLDER}
    assert {"index.html", "sample/index.html", "sample/trade-off.html"} <= names
    assert {f"sample/entries/{team}.html" for team in teams} <= names
    assert "adc2021/entries/solo.html" in names


def test_the_site_shows_answers_to_boxes_once_they_are_opened(site, tmp_path):
    before = (site / "answers.html").read_text()
    assert "No black box was opened yet" in before
    assert '<a href="../answers.html">Black boxes</a>' in (site / "sample/index.html").read_text()
    results = tmp_path / "results"
    write_board([make_card("other")], results)
    write_opened(results, make_opened(method=HOSTILE_TEXT))
    export_site(Boards(results), tmp_path / "site")
    page = tmp_path / "site" / "answers.html"
    html5lib.HTMLParser(strict=True).parse(page.read_bytes())
    text = page.read_text()
    assert "834 events of X to YY" in text
    assert "a_team" in text
    assert "<script>window" not in text


def test_the_site_says_how_to_take_part(site):
    guide = (site / "take-part.html").read_text(encoding="utf-8")
    for text in ("harness new", "<table>", "<h2>Glossary</h2>", "<code>"):
        assert text in guide
    entry = (site / "sample" / "entries" / "team_004.html").read_text(encoding="utf-8")
    assert '<a href="../../take-part.html">How to take part</a>' in entry


def test_the_site_shows_reports_after_the_trigger_where_there_are_some(site, tmp_path):
    after = (site / "sample" / "after-the-trigger.html").read_text()
    watch = (site / "sample" / "watch.html").read_text()
    index = (site / "sample" / "index.html").read_text()

    assert "nothing unexpected, global p = 0.41" in after
    assert "met &gt; 98 and sum_pt &gt; 700" in after
    assert "20.0 to 28.0" in after
    # A spectrum and two events; a trend and a map.
    assert len(figures(site / "sample" / "after-the-trigger.html")) == 3
    assert len(figures(site / "sample" / "watch.html")) == 2
    assert "phi 0.0 to 0.4 are 88% less since section 20" in watch
    assert '<a href="../sample/after-the-trigger.html">After the trigger</a>' in index
    assert '<a href="../sample/watch.html">Detector watch</a>' in index

    write_board([make_card("other")], tmp_path / "results")
    write_report(tmp_path / "results", "watch", make_watch_report(what=HOSTILE_TEXT[:40]))
    export_site(Boards(tmp_path / "results"), tmp_path / "site")
    assert "<script>window" not in (tmp_path / "site/sample/watch.html").read_text()
    assert "After the trigger" not in (tmp_path / "site/sample/index.html").read_text()


def test_every_page_is_valid_html(site):
    for page in pages(site):
        html5lib.HTMLParser(strict=True).parse(page.read_bytes())
        text = page.read_text(encoding="utf-8")
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        assert '<html lang="en">' in text
        assert text.count("<h1>") == 1
        assert re.search(r"<title>[^<]+</title>", text)


def test_links_are_relative_and_lead_to_files_of_the_site(site):
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            is_of_guide = page.name == "take-part.html" and link.startswith("https://")
            if is_of_guide or link.startswith(("https://doi.org/10.", "https://arxiv.org/abs/")):
                continue
            parts = urlsplit(link)
            assert not parts.scheme
            assert not parts.netloc
            assert not link.startswith("/")
            if link.startswith("#"):
                assert f"id='{parts.fragment}'" in text
                continue
            assert (page.parent / unquote(parts.path)).resolve().is_relative_to(site.resolve())
            assert (page.parent / unquote(parts.path)).is_file(), link


def test_no_page_may_fetch_anything_or_run_a_script_of_its_own(site):
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text).group(1)
        assert "default-src &#39;none&#39;" in policy
        assert "unsafe-eval" not in policy
        scripts = re.findall(r"<script(?![^>]*(?:src=|application/octet-stream))", text)
        assert scripts == []


def test_what_a_team_writes_is_text(site):
    page = (site / "sample" / "entries" / "hostile.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;window.pwned=1&lt;/script&gt;" in page
    assert "<img" not in page
    assert "onload=alert" in page
    assert "<svg" not in page
    assert "\u202e" not in page
    assert HOSTILE_TEXT not in page


def test_bibtex_keeps_its_lines(site):
    page = (site / "sample" / "entries" / "team_004.html").read_text(encoding="utf-8")
    entry = re.search(r"<pre[^>]*>(@misc\{[^<]*)</pre>", page).group(1)
    assert [line.split("=")[0].strip() for line in entry.strip().splitlines()[1:-1]] == [
        "author",
        "title",
        "year",
        "howpublished",
        "note",
    ]


def test_the_board_is_there_as_json_with_its_schema_and_as_csv(site):
    import jsonschema

    document = json.loads((site / "sample" / "board.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, json.loads((site / "schema.json").read_text(encoding="utf-8")))
    board = Board.model_validate(document)
    lines = (site / "sample" / "board.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(board.rows) + 1


def test_every_chart_has_its_specification_and_a_text(site):
    known = shared(site)
    for page in (site / "sample" / "trade-off.html", *site.glob("sample/entries/*.html")):
        text = page.read_text(encoding="utf-8")
        drawn = figures(page)
        assert len(re.findall(r'<figure data-figure="\d+"', text)) == len(drawn)
        data = known["data"]
        assert all(len(data.get(figure["alt"], figure["alt"])) > 20 for figure in drawn)
        assert all(figure["spec"] in known["specs"] for figure in drawn)


def test_hidden_signals_are_in_the_site_only_for_the_organiser(tmp_path):
    write_board(
        [make_card("team_a", challenge=make_challenge(hidden=("h0",)))], tmp_path / "results"
    )
    for is_private in (False, True):
        folder = tmp_path / str(is_private)
        export_site(Boards(tmp_path / "results", is_private=is_private), folder)
        page = (folder / "sample" / "entries" / "team_a.html").read_text(encoding="utf-8")
        board = (folder / "sample" / "board.json").read_text(encoding="utf-8")
        assert ("h⁰" in page) is is_private
        assert ('"h0"' in board) is is_private
        assert ("h\u2070" in json.dumps(shared(folder), ensure_ascii=False)) is is_private


def test_a_second_export_replaces_the_first_and_leaves_other_files(results, tmp_path):
    boards = Boards(results)
    export_site(boards, tmp_path)
    (tmp_path / "CNAME").write_text("board.example")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    export_site(boards, tmp_path)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before == after


@pytest.mark.parametrize(
    ("default", "is_opened", "front"),
    [
        (None, False, "newer"),
        ("older", False, "older"),
        ("no card", False, "newer"),
        ("older", True, "final"),
    ],
)
def test_the_front_page_is_the_opened_challenge_or_the_default_one_or_the_newest(
    tmp_path, default, is_opened, front
):
    days = {"final": 1, "older": 2, "newer": 3}
    for name, day in days.items():
        card = make_card(
            "team_a", created=f"2026-03-0{day}T12:00:00Z", challenge=make_challenge(name=name)
        )
        is_whole = is_opened and name == "final"
        write_board([card], tmp_path / ("opened" if is_whole else "results"))
    export_site(Boards(tmp_path / "results", default=default), tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert f'"{front}/trade-off.html"' in page


def test_no_card_and_no_place_are_told(results, tmp_path):
    with pytest.raises(EnvironmentFaultError, match="no score card"):
        export_site(Boards(tmp_path / "none"), tmp_path / "site")
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFaultError, match="could not be written"):
        export_site(Boards(results), tmp_path / "file" / "site")


def test_a_page_of_an_entry_is_small_enough_for_boards_of_hundreds(tmp_path):
    # A page has a dozen charts, their figures, a table of contents, the team's history and how to
    # cite the entry: 500 of them take less than 10 MB beside the charts' library (0.9 MB), what
    # charts share (0.1 MB) and the board itself.
    write_board(make_board(12), tmp_path / "results")
    export_site(Boards(tmp_path / "results"), tmp_path / "site")
    entries = tmp_path / "site" / "sample" / "entries"
    assert sum(page.stat().st_size for page in entries.iterdir()) / 12 <= 19_000


def test_a_page_of_an_entry_loads_less_than_300_kb_until_a_chart_is_seen(site):
    for page in site.glob("sample/entries/*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'(?:src|href)="((?:\.\./)*assets/[^"]+)"', text)
        assert loaded
        sizes = [(page.parent / name).stat().st_size for name in loaded]
        assert page.stat().st_size + sum(sizes) < 300_000


def test_packed_data_never_end_their_script():
    for i in range(3000):
        packed = packing.packed([i, "x" * (i % 7)])
        shown = in_script(packed)
        assert "</" not in shown
        assert "<!" not in shown
        assert shown.replace(" ", "") == packed
    assert in_script("a</script><!--") == "a< /script>< !--"


# In a browser, from the disk.


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ranking_sorts_and_filters_without_a_server(visit, site, scheme):
    seen = visit((site / "index.html").as_uri(), scheme=scheme)
    page = seen.page
    rows = page.locator(".board tr.ranked")
    expect(rows.first).to_be_visible()
    n = rows.count()

    page.locator(".board thead button", has_text="LUT").click()
    shares = [float(text) for text in rows.locator("td:nth-child(11) .value").all_text_contents()]
    assert shares == sorted(shares)
    page.locator(".board input[type=search]").fill("team_004")
    expect(rows).to_have_count(1)
    page.locator(".board input[type=search]").fill("")
    expect(rows).to_have_count(n)
    keep_screenshot(page, f"site-ranking-{scheme}")
    assert seen.problems == []
    assert seen.hosts() == set()


@pytest.mark.browser
def test_a_row_leads_to_its_page_and_its_charts_tell_their_figures(visit, site):
    seen = visit((site / "index.html").as_uri())
    page = seen.page
    first = page.locator(".board tr.ranked .team").first
    name = first.text_content()
    first.click()
    expect(page.locator(".by")).to_contain_text(name)
    # Below the profile over the signals.
    chart = page.locator("figure").nth(1)
    # It is drawn when it is seen.
    chart.scroll_into_view_if_needed()
    expect(chart).to_have_attribute("aria-label", re.compile("ROC curves on logarithmic axes"))
    point = chart.locator(".mark-symbol.role-mark path").first
    point.hover(force=True)
    expect(page.locator("#vg-tooltip-element")).to_contain_text("TPR")
    chart.locator("summary").click()
    expect(chart.locator(".figures tbody tr").first).to_be_visible()
    assert chart.locator(".figures tbody tr").count() > 20
    page.go_back()
    expect(page.locator(".board tr.ranked").first).to_be_visible()
    assert seen.problems == []
    assert seen.hosts() == set()


@pytest.mark.browser
def test_the_table_fits_a_page_of_usual_width(visit, site):
    for width in (1366, 1400, 1600, 1920):
        page = visit((site / "sample" / "index.html").as_uri(), width=width).page
        expect(page.locator(".board tr.ranked").first).to_be_visible()
        scroller = page.locator(".board .scroller")
        assert scroller.evaluate("box => box.scrollWidth <= box.clientWidth"), width


@pytest.mark.browser
def test_the_trade_off_shows_what_is_chosen(visit, site):
    seen = visit((site / "sample" / "trade-off.html").as_uri())
    page = seen.page
    shown = page.locator("figure:visible")
    expect(shown).to_have_count(1)
    expect(shown.locator("svg")).to_be_visible()
    page.locator("#cost").select_option("lut")
    page.locator("#efficiency").select_option("lq")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-choice", "lut/lq")
    expect(shown.locator("svg")).to_be_visible()
    page.reload()
    expect(shown).to_have_attribute("data-choice", "lut/lq")
    keep_screenshot(page, "site-trade-off")
    assert seen.problems == []


@pytest.mark.browser
def test_a_hostile_page_does_nothing(visit, site):
    seen = visit((site / "sample" / "entries" / "hostile.html").as_uri())
    seen.page.locator("figure").first.scroll_into_view_if_needed()
    expect(seen.page.locator("figure svg").first).to_be_visible()
    expect(seen.page.get_by_text("<script>window.pwned=1</script>").first).to_be_visible()
    assert seen.page.locator("main img").count() == 0
    assert not seen.page.evaluate("window.pwned")
    assert seen.problems == []
    assert seen.hosts() == set()


def test_the_merit_of_each_entry_is_compared_with_its_neighbours(site):
    page = (site / "sample" / "compare" / "team_004.html").read_text(encoding="utf-8")
    assert "Compared with team_004" in page
    assert page.count("<tr>") > 5
    assert 'href="../../sample/entries/team_004.html"' in page
    assert "not resolved" in page or "is better" in page
    alone = (site / "adc2021" / "compare" / "solo.html").read_text(encoding="utf-8")
    assert "No other entry of this board can be compared with it." in alone


def test_with_many_entries_the_nearest_in_rank_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(site_pages, "N_BESIDE", 3)
    write_board(make_board(8), tmp_path / "results")
    boards = Boards(tmp_path / "results")
    export_site(boards, tmp_path / "site")
    made = boards.ranking(boards.refresh(), "sample")
    teams = [made.contest.team_of(item.entry) for item in made.listed]
    for at, team in ((0, teams[0]), (4, teams[4]), (len(teams) - 1, teams[-1])):
        path = tmp_path / "site" / "sample" / "compare" / f"{team}.html"
        text = path.read_text(encoding="utf-8")
        assert f"the 3 entries nearest in rank, of {len(teams) - 1}" in text, at


@pytest.mark.browser
def test_a_chart_of_the_site_is_saved_in_colours_for_white_paper(visit, site, tmp_path):
    seen = visit((site / "sample" / "compare" / "team_004.html").as_uri(), scheme="dark")
    page = seen.page
    page.locator("figure .drawn svg").first.wait_for()
    page.locator("summary", has_text="Figures of this chart").first.click()
    for kind in ("svg", "png"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=kind.upper(), exact=True).first.click()
        path = tmp_path / saved.value.suggested_filename
        saved.value.save_as(path)
        assert path.name == f"Compare_team_004.{kind}"
    text = (tmp_path / "Compare_team_004.svg").read_text(encoding="utf-8")
    assert "currentColor" not in text
    assert "#111111" in text
    assert (tmp_path / "Compare_team_004.png").read_bytes().startswith(b"\x89PNG")
    assert seen.problems == []


@pytest.mark.browser
def test_a_chart_of_the_site_is_printed_alone_on_a_page_of_its_size(visit, site, tmp_path):
    seen = visit((site / "sample" / "compare" / "team_004.html").as_uri(), scheme="dark")
    page = seen.page
    # A headless browser has no printer: what it would print is looked at.
    page.context.add_init_script("window.print = () => { top.isAsked = true; }")
    page.reload()
    page.locator("figure .drawn svg").first.wait_for()
    page.locator("summary", has_text="Figures of this chart").first.click()

    page.get_by_role("button", name="PDF", exact=True).first.click()

    page.wait_for_function("window.isAsked")
    frame = page.frame_locator("#on-paper")
    drawing = frame.locator("svg").first
    width, height = (float(drawing.get_attribute(side)) for side in ("width", "height"))
    rules = page.evaluate(
        "[...document.getElementById('on-paper').contentDocument.adoptedStyleSheets[0].cssRules]"
        ".map(rule => rule.cssText).join(' ')"
    )
    assert f"size: {width:g}px {height:g}px" in rules
    markup = drawing.evaluate("e => e.outerHTML")
    assert "currentColor" not in markup
    assert "#111111" in markup
    assert "<text" in markup
    assert page.locator("#on-paper").count() == 1
    assert seen.problems == []


@pytest.mark.browser
def test_an_entry_has_a_table_of_contents_and_its_digest_is_copied_by_a_press(visit, site):
    seen = visit((site / "sample" / "entries" / "team_004.html").as_uri())
    page = seen.page
    links = page.locator(".lb-contents a")
    titles = page.locator("main h2").all_inner_texts()
    assert links.all_inner_texts() == titles
    links.get_by_text("Provenance", exact=True).click()
    expect(page.locator("#provenance")).to_be_in_viewport()

    code = page.locator(".lb-code", has_text="Digest of the submission, whole")
    code.locator("summary").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code.get_by_role("button", name="Copy").click()
    expect(code.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == code.locator("pre").inner_text()
    assert copied.startswith("sha256:")
    assert seen.problems == []
