"""Where a contest stands: phases, deadline, queue, newest cards, live and as plain files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from harness.board.boards import Boards
from harness.board.queued import FOLDER, QueuedEntry, QueueState
from harness.challenge import RankingRules, utc
from harness.files import write_json
from leaderboard_app.blocks import Facts, Note, Table
from leaderboard_app.settings import Settings
from leaderboard_app.static_site import export_site
from leaderboard_app.views.status import status_sections
from tests.app.conftest import run_server
from tests.app.test_browser import settled, table
from tests.cards import make_card, make_challenge, write_board

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE = "2099-03-01T18:00:00Z"


def queue(written: datetime, **states: tuple[str, str | None]) -> QueueState:
    at = utc(written)
    entries = (
        QueuedEntry(team=team, state=state, stage=stage, since=at)
        for team, (state, stage) in states.items()
    )
    return QueueState(challenge="sample", started=at, written=at, entries=tuple(entries))


def busy(written: datetime) -> QueueState:
    return queue(
        written,
        anna=("running", "firmware"),
        bert=("queued", None),
        carl=("failed", "export"),
        dora=("scored", None),
    )


def write_contest(results: Path, *teams: str) -> None:
    challenge = make_challenge(rules=RankingRules(deadline=DEADLINE))
    write_board(
        [make_card(team, seed=i, challenge=challenge) for i, team in enumerate(teams)], results
    )


def test_a_queue_is_counted_by_state_and_by_stage():
    (section,) = status_sections(None, (), [busy(NOW)], NOW)
    facts, stages, listed = section.blocks
    assert isinstance(facts, Facts)
    assert [number for _, number in facts.rows] == ["1", "1", "1", "1", "0"]
    assert isinstance(stages, Table)
    assert stages.rows == [("firmware", "1", "0"), ("export", "0", "1")]
    assert isinstance(listed, Table)
    assert [row[0] for row in listed.rows] == ["anna", "bert", "carl", "dora"]


def test_a_queue_that_fell_silent_runs_nothing():
    (section,) = status_sections(None, (), [busy(NOW - timedelta(minutes=5))], NOW)
    warning, facts, *_ = section.blocks
    assert isinstance(warning, Note)
    assert "has ended" in warning.text
    assert isinstance(facts, Facts)
    assert [number for _, number in facts.rows] == ["0", "0", "1", "1", "0"]


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_deadline_is_said_in_the_visitors_zone_and_the_queue_is_followed(visit, tmp_path):
    results = tmp_path / "results"
    write_contest(results, "anna")
    with run_server(Settings(results=str(results), refresh_s=1.0), tmp_path) as running:
        seen = visit(f"{running.url}status?challenge=sample")
        page = seen.page
        settled(page, "Status")
        deadline = page.locator(".lb-left").first
        expect(deadline).to_contain_text("UTC; ")
        expect(deadline).to_contain_text("left)")
        expect(page.get_by_text("No queue has scored here lately.")).to_be_visible()

        write_json(results / FOLDER / "sample@a-1.state", busy(datetime.now(UTC)))

        expect(page.get_by_text("Submissions are being scored now.")).to_be_visible()
        expect(page.locator("tr", has_text="anna").first).to_contain_text("firmware")
        assert seen.problems == []


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_card_that_comes_while_the_board_is_open_is_marked(visit, tmp_path):
    results = tmp_path / "results"
    write_contest(results, "anna", "bert")
    with run_server(Settings(results=str(results), refresh_s=1.0), tmp_path) as running:
        page = visit(f"{running.url}?challenge=sample").page
        expect(table(page)).to_have_count(2)
        expect(page.locator(".board tr.arrived")).to_have_count(0)
        expect(page.locator(".lb-headline .lb-left")).to_contain_text("left)")

        write_contest(results, "anna", "bert", "carl")

        arrived = page.locator(".board tr.arrived")
        expect(arrived).to_have_count(1)
        expect(arrived).to_contain_text("carl")
        expect(arrived.locator(".tag", has_text="new")).to_be_visible()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_static_site_has_the_status_of_its_moment_and_a_clock_that_goes_on(visit, tmp_path):
    results = tmp_path / "results"
    write_contest(results, "anna")
    write_json(results / FOLDER / "sample@a-1.state", busy(datetime.now(UTC)))
    export_site(Boards(results), tmp_path / "site")
    address = (tmp_path / "site" / "sample" / "status.html").as_uri()
    seen = visit(address, zone="America/Los_Angeles")
    page = seen.page
    expect(page.locator("tr", has_text="anna").first).to_contain_text("firmware")
    # Eight hours behind UTC, on the first of March.
    expect(page.locator(".lb-left")).to_contain_text(
        "10:00 AM America/Los_Angeles; ".replace(" AM", "\u202fAM")
    )
    expect(page.locator(".lb-left")).to_contain_text("left)")
    expect(page.locator("nav a[aria-current]")).to_have_text("Status")
    assert seen.problems == []
