"""The board as a static site: plain files that work from a disk or any web server.

The pages hold the same blocks as the app's. Charts are drawn in the browser by Vega, which is
written beside them; the parts of their specifications that pages share are written once. A
content security policy lets the pages run the site's own scripts and nothing else, and fetch
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from harness.board.boards import Boards
from harness.board.formats import json_schema, to_json
from harness.board.headline import headline_of
from harness.board.index import Snapshot
from harness.board.latex import to_latex
from harness.board.order import Ranking
from harness.board.rows import Board, board_of, synthetic_note
from harness.board.values import to_csv
from harness.card.records import ScoreCard
from harness.card.text import visible
from harness.errors import EnvironmentFaultError, HarnessError, attempt
from leaderboard_app.blocks import Note, Section
from leaderboard_app.charts.printing import PRINT
from leaderboard_app.markup import block_html, contents_html, note_html
from leaderboard_app.packing import Shared, figure_data, packed, shared_columns
from leaderboard_app.site_pages import (
    write_answers,
    write_compare,
    write_data,
    write_reports,
    write_status,
    write_take_part,
)
from leaderboard_app.site_writer import (
    ASSETS,
    Writer,
    figure_html,
    in_script,
    safe,
    section_of,
    templates,
    write_page,
    write_text,
)
from leaderboard_app.views.common import low_statistics_notes
from leaderboard_app.views.headline import headline_html
from leaderboard_app.views.in_trigger import known_menu
from leaderboard_app.views.published import published_firmware, published_tables
from leaderboard_app.views.ranking_table import board_notes, declared_tables, ranking_model
from leaderboard_app.views.subject import Subject, subject_of
from leaderboard_app.views.submission import submission_sections
from leaderboard_app.views.trade_off import (
    COSTS,
    costs_of,
    efficiencies,
    trade_off_notes,
    trade_off_picture,
)

if TYPE_CHECKING:
    from markupsafe import Markup


def export_site(boards: Boards, folder: Path) -> list[Path]:
    """Write the site below `folder` and return the pages' paths.

    Files of an earlier export are replaced; others are left alone. Hidden signals are in it only
    if `boards` were opened for the organiser.

    Raises
    ------
    EnvironmentFaultError
        There is no card, or the folder cannot be written.
    """
    snapshot = boards.refresh()
    if not snapshot.entries:
        raise EnvironmentFaultError(
            "there is no score card to show",
            where=str(boards.results),
            fix="score a submission first: `harness score submissions/team_x`",
        )
    try:
        return _write_site(boards, snapshot, folder)
    except OSError as error:
        raise EnvironmentFaultError(
            f"the site could not be written: {error.strerror or error}",
            where=str(folder),
            fix="name a folder that can be written",
        ) from error


def _write_site(boards: Boards, snapshot: Snapshot, folder: Path) -> list[Path]:
    writer = Writer(
        folder=folder,
        templates=templates(),
        specs=Shared(),
        data=Shared(),
        boards=boards,
        described=frozenset(snapshot.summaries),
        reports=snapshot.reports,
    )
    made = {name: boards.ranking(snapshot, name) for name in snapshot.entries}
    pages = []
    for name in made:
        pages += _write_challenge(writer, snapshot, made, name)
    front = snapshot.by_front[0]
    pages.append(_write_ranking(writer, snapshot, made, front, Path("index.html")))
    pages.append(write_answers(writer, snapshot, board_of(made[front])))
    pages.append(write_take_part(writer, board_of(made[front])))
    _write_assets(writer)
    write_text(folder / "schema.json", json.dumps(json_schema(), indent=1))
    return pages


def _write_challenge(
    writer: Writer, snapshot: Snapshot, made: Mapping[str, Ranking], name: str
) -> list[Path]:
    board = board_of(made[name])
    detailed = board_of(made[name], has_details=True)
    write_text(writer.folder / name / "board.json", to_json(detailed))
    write_text(writer.folder / name / "board.csv", to_csv(detailed), newline="")
    write_text(writer.folder / name / "board.tex", to_latex(board))
    model = ranking_model(board, lambda team, _: f"{name}/entries/{team}.html")
    write_text(writer.folder / name / "model.js", f'const boardModel = "{packed(model)}";\n')
    pages = [_write_ranking(writer, snapshot, made, name, Path(name) / "index.html")]
    pages.append(_write_trade_off(writer, board))
    pages.append(write_status(writer, snapshot, board, made[name]))
    if name in snapshot.summaries:
        pages.append(write_data(writer, board, snapshot.summaries[name]))
    pages += write_reports(writer, snapshot, board)
    entries = snapshot.entries[name]
    for item in made[name].listed:
        subject = subject_of(writer.boards.whole(name, item.entry), made[name], entries)
        written = attempt(partial(_write_entry, writer, board, subject))
        if isinstance(written, HarnessError):
            written = _write_without(writer, board, subject, written)
        pages.append(written)
    pages += write_compare(writer, board, made[name])
    moved = made[name].contest.teams.moved([entry.card for entry in entries])
    pages += [_write_moved(writer, board, old, new) for old, new in moved.items()]
    return pages


def _write_ranking(
    writer: Writer, snapshot: Snapshot, made: Mapping[str, Ranking], name: str, place: Path
) -> Path:
    board = board_of(made[name])
    menu = known_menu(board, snapshot.summaries.get(name))
    beside = published_tables(made[name])
    headline = headline_of(made[name], board, _leading(writer, made[name], name))
    others = [
        (visible(_title(one)), f"{key}/index.html") for key, one in made.items() if key != name
    ]
    return write_page(
        writer,
        "ranking.html",
        place,
        board,
        title=_heading(board),
        heading=_heading(board),
        lead=safe(headline_html(headline)),
        notes=_notes(board),
        closing=[
            *(safe(block_html(table)) for table in (*declared_tables(board), *menu, *beside)),
            *(safe(note_html(note)) for note in board_notes(board)),
        ],
        others=others,
        scripts=["assets/table.js", "assets/clock.js", f"{name}/model.js", "assets/site.js"],
    )


def _leading(writer: Writer, made: Ranking, name: str) -> ScoreCard | None:
    first = next(iter(made.ranked), None)
    return None if first is None else writer.boards.whole(name, first.entry).card


def _heading(board: Board) -> str:
    title = visible(board.title)
    return title if board.is_final else f"Leaderboard: {title}"


def _title(made: Ranking) -> str:
    return made.contest.title_of(made.listed[0].entry.card.challenge.title)


def _notes(board: Board) -> list[Markup]:
    text = synthetic_note(is_of_collisions=board.is_of_collisions)
    notes = [Note(text=text, tone="warn")] if board.synthetic else []
    return [safe(note_html(note)) for note in (*notes, *low_statistics_notes(board))]


def _write_trade_off(writer: Writer, board: Board) -> Path:
    shown = efficiencies(board)
    data: list[JsonValue] = []
    figures = []
    for cost in costs_of(board):
        for efficiency in shown:
            picture = trade_off_picture(
                board, cost, efficiency, lambda team, _: f"entries/{team}.html"
            )
            figures.append(figure_html(len(data), choice=f"{cost}/{efficiency}"))
            data.append(figure_data(writer.specs, writer.data, picture))
    return write_page(
        writer,
        "trade_off.html",
        Path(board.challenge) / "trade-off.html",
        board,
        title=f"Trade-off: {visible(board.title)}",
        heading="Trade-off",
        notes=_notes(board),
        closing=[
            *(safe(note_html(note)) for note in trade_off_notes(board)),
            *(safe(block_html(table)) for table in published_firmware(board)),
        ],
        costs=[(key, COSTS[key].name) for key in costs_of(board)],
        efficiencies=list(shown.items()),
        figures=figures,
        data=in_script(packed(shared_columns(data))),
        scripts=["assets/specs.js", "assets/site.js"],
    )


def _write_moved(writer: Writer, board: Board, old: str, new: str) -> Path:
    """Write the page of a team that was renamed: it leads to its present one."""
    folder = Path(board.challenge) / "entries"
    title = f"{old} is called {new} now"
    target = (folder / f"{new}.html").as_posix()
    return write_page(
        *(writer, "moved.html", folder / f"{old}.html", board),
        title=title,
        heading=title,
        target=target,
        scripts=[],
    )


def _write_entry(writer: Writer, board: Board, subject: Subject) -> Path:
    return _entry_page(writer, board, subject, submission_sections(subject))


def _write_without(writer: Writer, board: Board, subject: Subject, error: HarnessError) -> Path:
    """Write the page of an entry that cannot be drawn: the others must not wait for it."""
    reason = f"This entry cannot be drawn: {error.problems[0].what}"
    section = Section(title="", blocks=(Note(text=reason, tone="warn"),))
    return _entry_page(writer, board, subject, [section])


def _entry_page(
    writer: Writer, board: Board, subject: Subject, sections: Sequence[Section]
) -> Path:
    said = subject.card.submission
    data: list[JsonValue] = []
    shown = [section_of(writer, one, data) for one in sections]
    return write_page(
        writer,
        "entry.html",
        Path(board.challenge) / "entries" / f"{subject.team}.html",
        board,
        title=f"{visible(said.title)} ({subject.team})",
        heading=visible(said.title),
        by=f"{subject.team}, {said.division} division, scored {subject.card.created}",
        sections=shown,
        contents=safe(contents_html(sections)),
        beside=f"{board.challenge}/compare/{subject.team}.html",
        data=in_script(packed(shared_columns(data))),
        scripts=["assets/specs.js", "assets/site.js"],
    )


def _write_assets(writer: Writer) -> None:
    assets = writer.folder / "assets"
    write_text(assets / "vega.js", _vega())
    shared = packed({"specs": writer.specs.known, "data": writer.data.known})
    paper = json.dumps(asdict(PRINT))
    text = f'const boardShared = "{shared}";\nconst boardPrint = {paper};\n'
    write_text(assets / "specs.js", text)
    styles = _joined("site/site.css", "table.css", "blocks.css")
    write_text(assets / "site.css", styles)
    for name in ("table.js", "clock.js", "site/site.js", "icon.svg"):
        write_text(assets / Path(name).name, _joined(name))


@cache
def _vega() -> str:
    import vl_convert

    script = "window.vegaEmbed = vegaEmbed;"
    return vl_convert.javascript_bundle(script)


def _joined(*names: str) -> str:
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)
