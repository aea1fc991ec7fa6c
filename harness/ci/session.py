"""Work on a board: bring its branch, let it be changed, make its pages, commit and push."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.board.boards import Boards
from harness.ci.git import Repository
from harness.ci.history import BoardFolder, commit_board, credentials_of, open_board, push_board
from harness.ci.opening import carry_decisions
from harness.data.manifest import load_manifest
from harness.files import remove


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardWork:
    """Which board is worked on, and how.

    Attributes
    ----------
    repository : Path
        A clone, whose main branch holds the submissions.
    board : BoardFolder
        Where the board lies.
    manifests : sequence of Path
        Manifests beside the shipped one.
    is_pushed : bool
        Fetch the board's branch first and push it afterwards.
    """

    repository: Path = Path()
    board: BoardFolder
    manifests: Sequence[Path] = ()
    is_pushed: bool = False


@contextmanager
def open_session(work: BoardWork) -> Iterator[Repository]:
    """Bring the board and give the clone; then make the board's pages, commit and push.

    A board that git does not keep is only written.
    """
    clone = own_clone(work.repository)
    if work.is_pushed:
        open_board(clone, work.board.folder)
    yield clone
    _write_pages(work.board, work.manifests)
    if work.board.is_kept and commit_board(work.board, "Results and pages") and work.is_pushed:
        push_board(work.board, clone)


def fetch_board(repository: Path, folder: Path) -> BoardFolder:
    """Bring the board's branch into a folder, or begin one."""
    return open_board(own_clone(repository), folder)


def own_clone(folder: Path) -> Repository:
    """Return the repository of a clone; it shows the workflow's token to its forge only."""
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    credentials = credentials_of(os.environ.get("GITHUB_TOKEN"), server)
    return Repository(folder, credentials=credentials, has_own_settings=True)


def _write_pages(board: BoardFolder, manifests: Sequence[Path]) -> None:
    """Write the pages of a board."""
    carry_decisions(board)
    # Earlier versions wrote the pages of opened challenges there, beside those of the public parts.
    remove(board.site / "final")
    write_site(board.results, manifests, board.site)


def write_site(results: Path, manifests: Sequence[Path], site: Path) -> Path | None:
    """Write the pages of a folder of results; return their folder, or None without any card."""
    from leaderboard_app.static_site import export_site

    boards = Boards(results, load_manifest(*manifests).challenges)
    if not boards.refresh().entries:
        return None
    export_site(boards, site)
    return site
