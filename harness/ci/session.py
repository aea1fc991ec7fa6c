"""Work on a board: bring its branch, let it be changed, make its pages, commit and push."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.board.boards import Boards
from harness.card.files import sweep_results
from harness.ci.claims import Claims
from harness.ci.git import GitError, Repository
from harness.ci.history import (
    BoardFolder,
    board_turn,
    commit_board,
    credentials_of,
    follow_branch,
    has_news,
    open_board,
    own_repository,
    push_board,
    remote_of,
)
from harness.ci.opening import carry_decisions
from harness.data.manifest import load_manifest
from harness.errors import EnvironmentFaultError
from harness.files import remove

# Attempts to push where others push, too; and those of which nobody knows why they failed.
_MAX_PUSHES = 10
_MAX_FAILURES = 3


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
    tell : callable
        Told for whom this waits, and that somebody else pushed.
    """

    repository: Path = Path()
    board: BoardFolder
    manifests: Sequence[Path] = ()
    is_pushed: bool = False
    tell: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What there is while a board is worked on.

    Attributes
    ----------
    clone : Repository
        Whose main branch holds the submissions.
    claims : Claims or None
        What keeps other clones off the submissions that are scored; None where nothing is pushed.
    save : callable
        Pushes the results so far, without pages, which come at the end.
    """

    clone: Repository
    claims: Claims | None = None
    save: Callable[[], None] = lambda: None


@contextmanager
def open_session(work: BoardWork) -> Iterator[Session]:
    """Bring the board and let it be changed; then make its pages, commit and push.

    A board that git does not keep is only written. Claims are given back after the push.
    """
    clone = own_clone(work.repository)
    if not work.is_pushed:
        yield Session(clone=clone)
        with board_turn(work.board, work.tell):
            _finish(work, clone)
        return
    open_board(clone, work.board.folder, tell=work.tell)
    board = own_repository(work.board.folder, clone)

    def follow() -> None:
        if has_news(board):
            with board_turn(work.board, work.tell):
                follow_branch(board)

    def save() -> None:
        with board_turn(work.board, work.tell):
            _finish(work, clone, has_pages=False)

    with Claims(board, remote_of(board), follow=follow, tell=work.tell) as claims:
        yield Session(clone=clone, claims=claims, save=save)
        with board_turn(work.board, work.tell):
            _finish(work, clone)


def _finish(work: BoardWork, clone: Repository, *, has_pages: bool = True) -> None:
    """Write the pages, commit and push; where somebody else pushed before, with what they added.

    Raises
    ------
    EnvironmentFaultError
        Others were faster each time.
    """
    for attempt in range(_MAX_PUSHES):
        if has_pages:
            _write_pages(work.board, work.manifests)
        if work.board.is_kept:
            sweep_results(work.board.results)
            commit_board(work.board, "Results and pages" if has_pages else "Results")
        if not work.is_pushed or _is_pushed(work, clone, attempt):
            return
        work.tell("somebody else has pushed to the board: it is joined and pushed again")
        follow_branch(own_repository(work.board.folder, clone))
    raise EnvironmentFaultError(
        f"others pushed to the board before each of {_MAX_PUSHES} attempts",
        where=str(work.board.folder),
        fix="run the command again: what it added is kept there",
    )


def _is_pushed(work: BoardWork, clone: Repository, attempt: int) -> bool:
    """Push; a failure that nobody else's push explains is tried again, in case git was locked."""
    try:
        return push_board(work.board, clone)
    except GitError:
        if attempt >= _MAX_FAILURES:
            raise
        time.sleep(random.uniform(0.1, 0.5) * 2**attempt)
        return False


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

    manifest = load_manifest(*manifests)
    boards = Boards(results, manifest.challenges, default=manifest.default_name)
    if not boards.refresh().entries:
        return None
    export_site(boards, site)
    return site
