"""The board as a static site: plain files that work from a disk or any web server.

The pages hold the same blocks as the app's. Charts are drawn in the browser by Vega, which is
written beside them; the parts of their specifications that pages share are written once. A
content security policy lets the pages run the site's own scripts and nothing else, and fetch
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from harness import __version__
from harness.board.boards import Boards
from harness.board.formats import json_schema, to_json
from harness.board.headline import headline_of
from harness.board.index import Snapshot
from harness.board.latex import to_latex
from harness.board.order import Ranking
from harness.board.rows import Board, board_of, synthetic_note
from harness.board.values import to_csv
from harness.card.records import DataSummary, ScoreCard
from harness.card.text import visible
from harness.errors import EnvironmentFaultError, HarnessError, attempt
from leaderboard_app.blocks import Block, Note, Picture, Section
from leaderboard_app.markup import block_html, note_html
from leaderboard_app.packing import Shared, figure_data, packed, reused, shared_columns
from leaderboard_app.views.answers import TITLE as ANSWERS_TITLE
from leaderboard_app.views.answers import answer_sections
from leaderboard_app.views.common import low_statistics_notes
from leaderboard_app.views.compare import beside_sections
from leaderboard_app.views.data import data_sections, event_sections
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
    from jinja2 import Environment
    from markupsafe import Markup

ASSETS = Path(__file__).parent / "assets"
ANSWERS = "answers.html"
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' 'unsafe-inline' file:; "
    "img-src 'self' data: file:; base-uri 'none'; form-action 'none'"
)
# Entries that an entry is compared with on its page: those nearest in rank. All pairs of 500
# entries would be a quarter of a million; the app compares any two to six.
N_BESIDE = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Writer:
    """What all pages of one site share."""

    folder: Path
    templates: Environment
    specs: Shared
    data: Shared
    boards: Boards
    described: frozenset[str] = frozenset()


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
    writer = _Writer(
        folder=folder,
        templates=_templates(),
        specs=Shared(),
        data=Shared(),
        boards=boards,
        described=frozenset(snapshot.summaries),
    )
    made = {name: boards.ranking(snapshot, name) for name in snapshot.entries}
    pages = []
    for name in made:
        pages += _write_challenge(writer, snapshot, made, name)
    front = snapshot.by_front[0]
    pages.append(_write_ranking(writer, snapshot, made, front, Path("index.html")))
    pages.append(_write_answers(writer, snapshot, board_of(made[front])))
    _write_assets(writer)
    _write(folder / "schema.json", json.dumps(json_schema(), indent=1))
    return pages


def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(ASSETS / "site"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _write_challenge(
    writer: _Writer, snapshot: Snapshot, made: Mapping[str, Ranking], name: str
) -> list[Path]:
    board = board_of(made[name])
    detailed = board_of(made[name], has_details=True)
    _write(writer.folder / name / "board.json", to_json(detailed))
    _write(writer.folder / name / "board.csv", to_csv(detailed), newline="")
    _write(writer.folder / name / "board.tex", to_latex(board))
    model = ranking_model(board, lambda team, _: f"{name}/entries/{team}.html")
    _write(writer.folder / name / "model.js", f'const boardModel = "{packed(model)}";\n')
    pages = [_write_ranking(writer, snapshot, made, name, Path(name) / "index.html")]
    pages.append(_write_trade_off(writer, board))
    if name in snapshot.summaries:
        pages.append(_write_data(writer, board, snapshot.summaries[name]))
    entries = snapshot.entries[name]
    for item in made[name].listed:
        subject = subject_of(writer.boards.whole(name, item.entry), made[name], entries)
        written = attempt(partial(_write_entry, writer, board, subject))
        if isinstance(written, HarnessError):
            written = _write_without(writer, board, subject, written)
        pages.append(written)
    pages += _write_compare(writer, board, made[name])
    moved = made[name].contest.teams.moved([entry.card for entry in entries])
    pages += [_write_moved(writer, board, old, new) for old, new in moved.items()]
    return pages


def _page(writer: _Writer, template: str, place: Path, board: Board, **content: object) -> Path:
    """Fill a template and write it at `place`, a path below the site's folder."""
    here = place.as_posix()
    root = "../" * (len(place.parts) - 1)
    nav = [
        ("Ranking", f"{board.challenge}/index.html" if len(place.parts) > 1 else "index.html"),
        ("Trade-off", f"{board.challenge}/trade-off.html"),
        *_compare_link(board),
    ]
    if board.challenge in writer.described:
        nav.append(("Data", f"{board.challenge}/data.html"))
    nav.append((ANSWERS_TITLE, ANSWERS))
    text = writer.templates.get_template(template).render(
        policy=POLICY,
        root=root,
        here=here,
        nav=nav,
        challenge=board.challenge,
        version=__version__,
        **content,
    )
    _write(writer.folder / place, text)
    return writer.folder / place


def _write_ranking(
    writer: _Writer, snapshot: Snapshot, made: Mapping[str, Ranking], name: str, place: Path
) -> Path:
    board = board_of(made[name])
    menu = known_menu(board, snapshot.summaries.get(name))
    beside = published_tables(made[name])
    headline = headline_of(made[name], board, _leading(writer, made[name], name))
    others = [
        (visible(_title(one)), f"{key}/index.html") for key, one in made.items() if key != name
    ]
    return _page(
        writer,
        "ranking.html",
        place,
        board,
        title=_heading(board),
        heading=_heading(board),
        lead=_safe(headline_html(headline)),
        notes=_notes(board),
        closing=[
            *(_safe(block_html(table)) for table in (*declared_tables(board), *menu, *beside)),
            *(_safe(note_html(note)) for note in board_notes(board)),
        ],
        others=others,
        scripts=["assets/table.js", f"{name}/model.js", "assets/site.js"],
    )


def _leading(writer: _Writer, made: Ranking, name: str) -> ScoreCard | None:
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
    return [_safe(note_html(note)) for note in (*notes, *low_statistics_notes(board))]


def _write_trade_off(writer: _Writer, board: Board) -> Path:
    shown = efficiencies(board)
    data: list[JsonValue] = []
    figures = []
    for cost in costs_of(board):
        for efficiency in shown:
            picture = trade_off_picture(
                board, cost, efficiency, lambda team, _: f"entries/{team}.html"
            )
            figures.append(_figure_html(len(data), choice=f"{cost}/{efficiency}"))
            data.append(figure_data(writer.specs, writer.data, picture))
    return _page(
        writer,
        "trade_off.html",
        Path(board.challenge) / "trade-off.html",
        board,
        title=f"Trade-off: {visible(board.title)}",
        heading="Trade-off",
        notes=_notes(board),
        closing=[
            *(_safe(note_html(note)) for note in trade_off_notes(board)),
            *(_safe(block_html(table)) for table in published_firmware(board)),
        ],
        costs=[(key, COSTS[key].name) for key in costs_of(board)],
        efficiencies=list(shown.items()),
        figures=figures,
        data=_in_script(packed(shared_columns(data))),
        scripts=["assets/specs.js", "assets/site.js"],
    )


def _compare_link(board: Board) -> list[tuple[str, str]]:
    """Return the page that compares the leading entry with others, if there is any entry."""
    return [("Compare", f"{board.challenge}/compare/{row.team}.html") for row in board.rows[:1]]


def _write_compare(writer: _Writer, board: Board, made: Ranking) -> list[Path]:
    """Write a page for each entry: its merit over that of the entries nearest in rank."""
    listed = [subject_of(item.entry, made, ()) for item in made.listed]
    place = Path(board.challenge) / "compare"
    pages = []
    for at, subject in enumerate(listed):
        first = max(0, min(at - N_BESIDE // 2, len(listed) - N_BESIDE - 1))
        beside = [one for one in listed[first : first + N_BESIDE + 1] if one is not subject]
        data: list[JsonValue] = []
        shown = [_section(writer, one, data) for one in beside_sections(subject, beside)]
        title = f"Compare: {subject.team}"
        pages.append(
            _page(
                *(writer, "compare.html", place / f"{subject.team}.html", board),
                title=title,
                heading=title,
                by=visible(subject.card.submission.title),
                entry=f"{board.challenge}/entries/{subject.team}.html",
                n_others=len(listed) - 1,
                n_beside=len(beside),
                sections=shown,
                references=[(one.team, (place / f"{one.team}.html").as_posix()) for one in listed],
                data=_in_script(packed(shared_columns(data))),
                scripts=["assets/specs.js", "assets/site.js"],
            )
        )
    return pages


def _write_data(writer: _Writer, board: Board, summary: DataSummary) -> Path:
    """Write the page of a challenge's events: those of the app, and one event of each process."""
    data: list[JsonValue] = []
    sections = [*data_sections(summary), *event_sections(summary)]
    return _page(
        writer,
        "entry.html",
        Path(board.challenge) / "data.html",
        board,
        title=f"Data: {visible(summary.title)}",
        heading="Data",
        by=visible(summary.title),
        sections=[_section(writer, section, data) for section in sections],
        beside=None,
        data=_in_script(packed(shared_columns(data))),
        scripts=["assets/specs.js", "assets/site.js"],
    )


def _write_answers(writer: _Writer, snapshot: Snapshot, front: Board) -> Path:
    """Write the page of the black boxes of all challenges, of which some may have no card."""
    return _page(
        writer,
        "entry.html",
        Path(ANSWERS),
        front,
        title=ANSWERS_TITLE,
        heading=ANSWERS_TITLE,
        by="",
        sections=[_section(writer, one, []) for one in answer_sections(snapshot.answers)],
        beside=None,
        data="",
        scripts=[],
    )


def _section(writer: _Writer, section: Section, data: list[JsonValue]) -> Mapping[str, object]:
    return {
        "title": visible(section.title),
        "lead": visible(section.lead),
        "is_wide": section.columns > 1,
        "blocks": [_block_html(writer, block, data) for block in section.blocks],
    }


def _entry_beside(team: str, _: str) -> str:
    """Return the address of an entry's page from a page of its challenge."""
    return f"entries/{team}.html"


def _write_moved(writer: _Writer, board: Board, old: str, new: str) -> Path:
    """Write the page of a team that was renamed: it leads to its present one."""
    folder = Path(board.challenge) / "entries"
    title = f"{old} is called {new} now"
    target = (folder / f"{new}.html").as_posix()
    return _page(
        *(writer, "moved.html", folder / f"{old}.html", board),
        title=title,
        heading=title,
        target=target,
        scripts=[],
    )


def _write_entry(writer: _Writer, board: Board, subject: Subject) -> Path:
    data: list[JsonValue] = []
    shown = [_section(writer, section, data) for section in submission_sections(subject)]
    return _entry_page(writer, board, subject, shown, data)


def _write_without(writer: _Writer, board: Board, subject: Subject, error: HarnessError) -> Path:
    """Write the page of an entry that cannot be drawn: the others must not wait for it."""
    reason = f"This entry cannot be drawn: {error.problems[0].what}"
    block = block_html(Note(text=reason, tone="warn"))
    section = {"title": "", "lead": "", "is_wide": False, "blocks": [_safe(block)]}
    return _entry_page(writer, board, subject, [section], [])


def _entry_page(
    writer: _Writer,
    board: Board,
    subject: Subject,
    sections: Sequence[Mapping[str, object]],
    data: list[JsonValue],
) -> Path:
    said = subject.card.submission
    return _page(
        writer,
        "entry.html",
        Path(board.challenge) / "entries" / f"{subject.team}.html",
        board,
        title=f"{visible(said.title)} ({subject.team})",
        heading=visible(said.title),
        by=f"{subject.team}, {said.division} division, scored {subject.card.created}",
        sections=sections,
        beside=f"{board.challenge}/compare/{subject.team}.html",
        data=_in_script(packed(shared_columns(data))),
        scripts=["assets/specs.js", "assets/site.js"],
    )


def _block_html(writer: _Writer, block: Block, data: list[JsonValue]) -> Markup:
    if not isinstance(block, Picture):
        return _safe(block_html(block))
    html = _figure_html(len(data))
    data.append(reused(writer.data, figure_data(writer.specs, writer.data, block)))
    return html


def _figure_html(number: int, *, choice: str = "") -> Markup:
    """Write the place of a chart; its words come with its figures."""
    from markupsafe import Markup

    chosen = Markup(' data-choice="{}"').format(choice) if choice else ""
    return Markup('<figure data-figure="{}"{}></figure>').format(number, chosen)


def _in_script(packed: str) -> Markup:
    """Mark packed data as they are in a script element: only its end would mean something."""
    from markupsafe import Markup

    if "</" in packed or "<!" in packed:
        # As rare as it may be: space, which base85 has not, parts the two signs.
        packed = packed.replace("</", "< /").replace("<!", "< !")
    return Markup(packed)  # noqa: S704 - see above


def _safe(html: str) -> Markup:
    """Mark text that was escaped already."""
    from markupsafe import Markup

    return Markup(html)  # noqa: S704 - from `markup`, which escapes


def _write_assets(writer: _Writer) -> None:
    assets = writer.folder / "assets"
    _write(assets / "vega.js", _vega())
    specs, data = (
        json.dumps(shared.known, separators=(",", ":"), ensure_ascii=False)
        for shared in (writer.specs, writer.data)
    )
    _write(assets / "specs.js", f"const boardSpecs = {specs};\nconst boardData = {data};\n")
    styles = _joined("site/site.css", "table.css", "blocks.css")
    _write(assets / "site.css", styles)
    for name in ("table.js", "site/site.js", "icon.svg"):
        _write(assets / Path(name).name, _joined(name))


@cache
def _vega() -> str:
    import vl_convert

    script = "window.vegaEmbed = vegaEmbed;"
    return vl_convert.javascript_bundle(script)


def _joined(*names: str) -> str:
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)


def _write(path: Path, text: str, *, newline: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline=newline)
