"""Pages of the static site beside the boards: comparisons, data, status, reports, answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from harness.board.index import Snapshot
from harness.board.order import Ranking
from harness.board.rows import Board
from harness.card.summary import DataSummary
from harness.card.text import visible
from leaderboard_app.packing import packed, shared_columns
from leaderboard_app.site_writer import (
    AFTER_PAGE,
    ANSWERS,
    TAKE_PART,
    WATCH_PAGE,
    Writer,
    in_script,
    safe,
    section_of,
    write_page,
)
from leaderboard_app.views.answers import TITLE as ANSWERS_TITLE
from leaderboard_app.views.answers import answer_sections
from leaderboard_app.views.compare import beside_sections
from leaderboard_app.views.data import data_sections, event_sections
from leaderboard_app.views.guide import TITLE as GUIDE_TITLE
from leaderboard_app.views.guide import glossary_text, guide_page, guide_text
from leaderboard_app.views.status import TITLE as STATUS_TITLE
from leaderboard_app.views.status import status_sections
from leaderboard_app.views.subject import subject_of
from leaderboard_app.views.trigger_reports import (
    AFTER_TITLE,
    WATCH_TITLE,
    after_sections,
    cluster_reports,
    watch_reports,
    watch_sections,
)

# Entries that an entry is compared with on its page: those nearest in rank. All pairs of 500
# entries would be a quarter of a million; the app compares any two to six.
N_BESIDE = 20


def write_compare(writer: Writer, board: Board, made: Ranking) -> list[Path]:
    """Write a page for each entry: its merit over that of the entries nearest in rank."""
    listed = [subject_of(item.entry, made, ()) for item in made.listed]
    place = Path(board.challenge) / "compare"
    pages = []
    for at, subject in enumerate(listed):
        first = max(0, min(at - N_BESIDE // 2, len(listed) - N_BESIDE - 1))
        beside = [one for one in listed[first : first + N_BESIDE + 1] if one is not subject]
        data: list[JsonValue] = []
        shown = [section_of(writer, one, data) for one in beside_sections(subject, beside)]
        title = f"Compare: {subject.team}"
        pages.append(
            write_page(
                *(writer, "compare.html", place / f"{subject.team}.html", board),
                title=title,
                heading=title,
                by=visible(subject.card.submission.title),
                entry=f"{board.challenge}/entries/{subject.team}.html",
                n_others=len(listed) - 1,
                n_beside=len(beside),
                sections=shown,
                references=[(one.team, (place / f"{one.team}.html").as_posix()) for one in listed],
                data=in_script(packed(shared_columns(data))),
                scripts=["assets/specs.js", "assets/site.js"],
            )
        )
    return pages


def write_data(writer: Writer, board: Board, summary: DataSummary) -> Path:
    """Write the page of a challenge's events: those of the app, and one event of each process."""
    data: list[JsonValue] = []
    sections = [*data_sections(summary), *event_sections(summary)]
    return write_page(
        writer,
        "entry.html",
        Path(board.challenge) / "data.html",
        board,
        title=f"Data: {visible(summary.title)}",
        heading="Data",
        by=visible(summary.title),
        sections=[section_of(writer, section, data) for section in sections],
        beside=None,
        contents="",
        data=in_script(packed(shared_columns(data))),
        scripts=["assets/specs.js", "assets/site.js"],
    )


def write_status(writer: Writer, snapshot: Snapshot, board: Board, made: Ranking) -> Path:
    """Write where a contest stands at this moment; its clock goes on in the browser."""
    name = board.challenge
    queues = writer.boards.queues().get(name, ())
    shown = status_sections(made, snapshot.entries[name], queues, datetime.now(UTC))
    return write_page(
        writer,
        "entry.html",
        Path(name) / "status.html",
        board,
        title=f"{STATUS_TITLE}: {visible(board.title)}",
        heading=STATUS_TITLE,
        by="As it was when these pages were written",
        sections=[section_of(writer, one, []) for one in shown],
        beside=None,
        contents="",
        data="",
        scripts=["assets/clock.js", "assets/site.js"],
    )


def write_reports(writer: Writer, snapshot: Snapshot, board: Board) -> list[Path]:
    """Write the pages of the reports of a challenge that has some."""
    reports = snapshot.reports.get(board.challenge, ())
    clusters, watches = cluster_reports(reports), watch_reports(reports)
    pages = []
    for name, title, sections in (
        (AFTER_PAGE, AFTER_TITLE, after_sections(clusters) if clusters else []),
        (WATCH_PAGE, WATCH_TITLE, watch_sections(watches) if watches else []),
    ):
        if not sections:
            continue
        data: list[JsonValue] = []
        shown = [section_of(writer, section, data) for section in sections]
        pages.append(
            write_page(
                writer,
                "entry.html",
                Path(board.challenge) / name,
                board,
                title=f"{title}: {visible(board.title)}",
                heading=title,
                by=visible(board.title),
                sections=shown,
                beside=None,
                contents="",
                data=in_script(packed(shared_columns(data))) if data else "",
                scripts=["assets/specs.js", "assets/site.js"],
            )
        )
    return pages


def write_answers(writer: Writer, snapshot: Snapshot, front: Board) -> Path:
    """Write the page of the black boxes of all challenges, of which some may have no card."""
    return write_page(
        writer,
        "entry.html",
        Path(ANSWERS),
        front,
        title=ANSWERS_TITLE,
        heading=ANSWERS_TITLE,
        by="",
        sections=[section_of(writer, one, []) for one in answer_sections(snapshot.answers)],
        beside=None,
        contents="",
        data="",
        scripts=[],
    )


def write_take_part(writer: Writer, front: Board) -> Path:
    """Write the participant's guide and the glossary."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    glossary = glossary_text()
    return write_page(
        writer,
        "guide.html",
        Path(TAKE_PART),
        front,
        title=GUIDE_TITLE,
        heading=GUIDE_TITLE,
        guide=safe(parser.render(guide_page(guide_text()))),
        glossary=safe(parser.render(guide_page(glossary))),
        scripts=[],
    )
