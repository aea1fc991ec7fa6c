"""The board's branch: results and pages, whose history only grows.

The branch `board` of the repository holds ``results/`` (cards, attempts, decisions) and ``docs/``
(the pages, which a forge can serve from there). It is never forced, and no commit of it changes or
removes a card, or brings a figure of a hidden signal: `commit_board` refuses to make one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.board import decisions, queued
from harness.board.boards import OPENED
from harness.board.index import SUMMARY_NAME
from harness.board.public import hidden_signals
from harness.card.files import CARD_SUFFIX, MAX_CARD_BYTES, SCORES_SUFFIX, parse_card
from harness.ci.git import MIB, GitError, Repository, TooLargeError, identity
from harness.ci.joining import LEDGERS, drop_locks, join
from harness.ci.turns import taking_turns
from harness.errors import DataError, IntegrityError, Problem

BRANCH = "board"
_MAX_FILE_BYTES = 64 * MIB
_MAX_NAMED = 20
# Never committed: raw scores are large, the rest is temporary.
_LEFT_OUT = (f"*{SCORES_SUFFIX}", ".lock", "*.lock", "*.part", f"{queued.FOLDER}/")


@dataclass(frozen=True, slots=True)
class BoardFolder:
    """Where a board is on this disk: a work tree of its branch, or any folder."""

    folder: Path

    @property
    def results(self) -> Path:
        """Cards, attempts and decisions."""
        return self.folder / "results"

    @property
    def opened(self) -> Path:
        """Whole cards of a private challenge, once the organiser opened them."""
        return self.folder / OPENED

    @property
    def site(self) -> Path:
        """The pages."""
        return self.folder / "docs"

    @property
    def is_kept(self) -> bool:
        """Whether its history is kept by git."""
        return (self.folder / ".git").exists()


def credentials_of(token: str | None, server: str) -> dict[str, str]:
    """Return the settings by which git shows `token` to `server` and to no other."""
    if not token:
        return {}
    packed = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {f"http.{server.rstrip('/')}/.extraheader": f"AUTHORIZATION: basic {packed}"}


def open_board(
    repository: Repository,
    folder: Path,
    *,
    remote: str = "origin",
    branch: str = BRANCH,
    tell: Callable[[str], None] = lambda _: None,
) -> BoardFolder:
    """Make `folder` a work tree of the board's branch, as the remote has it or else a new one.

    Parameters
    ----------
    repository : Repository
        Knows the remote.
    folder : Path
        Made if it is not there; brought up to date if it is.
    tell : callable
        Told for whom this waits.
    """
    url = repository.text("remote", "get-url", "--", remote)
    if "://" not in url and not url.startswith("git@"):
        # A path is one from the repository's folder.
        url = str((repository.folder / url).resolve())
    if not (folder / ".git" / "HEAD").exists():
        folder.mkdir(parents=True, exist_ok=True)
        repository.run("init", "--quiet", f"--initial-branch={branch}", "--", str(folder.resolve()))
    board = own_repository(folder, repository)
    exclude = folder / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("".join(f"{pattern}\n" for pattern in _LEFT_OUT), encoding="utf-8")
    with board_turn(BoardFolder(folder), tell):
        board.run("config", "harness.remote", url)
        board.run("config", "harness.branch", branch)
        follow_branch(board)
    return BoardFolder(folder)


@contextmanager
def board_turn(board: BoardFolder, tell: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other process works on the history of a board; one without needs no turn."""
    if not board.is_kept:
        yield
        return
    with taking_turns(board.folder / ".git" / "harness.lock", str(board.folder), tell):
        drop_locks(board.folder)
        yield


def follow_branch(board: Repository) -> None:
    """Bring what others pushed to the board's branch; nothing that is new here is lost."""
    url, reference = _branch_of(board)
    code, _ = board.run("ls-remote", "--exit-code", "--", url, reference, allowed=(0, 2))
    if code == 0:
        board.run("fetch", "--quiet", "--no-tags", "--", url, reference)
        join(board, board.resolve("FETCH_HEAD"))


def has_news(board: Repository) -> bool:
    """Tell whether the remote's branch has what this folder has not."""
    tip = _tip(board, *_branch_of(board))
    head = board.find("HEAD^{commit}")
    return tip is not None and (head is None or not _is_ancestor(board, tip, head))


def remote_of(board: Repository) -> str:
    """Return where `open_board` had the board's branch from."""
    return board.text("config", "harness.remote")


def _branch_of(board: Repository) -> tuple[str, str]:
    name = board.text("config", "harness.branch")
    return remote_of(board), f"refs/heads/{name}"


def own_repository(folder: Path, like: Repository | None = None) -> Repository:
    """Return the repository of a board's folder; it reaches the remote as `like` does."""
    return Repository(folder, credentials=like.credentials if like else {}, has_own_settings=True)


def commit_board(board: BoardFolder, message: str) -> str | None:
    """Commit what is new on the board; return the commit, or None where nothing is.

    Raises
    ------
    IntegrityError
        A card of the history was changed or removed, or one has figures of a signal that is
        hidden; nothing is committed.
    """
    repository = own_repository(board.folder)
    paths = [path.name for path in (board.results, board.opened, board.site) if path.exists()]
    if not paths:
        return None
    repository.run("add", "--all", "--", *paths)
    _refuse(
        _secret(repository, board),
        "holds figures of a hidden signal, and a board is public",
        fix="move it to the organiser's own results, see docs/secrecy.md",
    )
    _refuse(
        _broken(repository),
        "was changed or removed, and the history of a board only grows",
        fix="restore it with `git checkout`; to make a card not count: `harness ci retract`",
    )
    code, _ = repository.run("diff", "--cached", "--quiet", allowed=(0, 1))
    if code == 0:
        return None
    repository.run(
        *("commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", message),
        variables=identity("harness"),
    )
    return repository.resolve("HEAD")


def _refuse(paths: Iterable[str], what: str, *, fix: str) -> None:
    """Raise an error that names the first of `paths`, if there are any."""
    problems = [Problem(what=what, where=path, fix=fix) for path in sorted(paths)[:_MAX_NAMED]]
    if problems:
        raise IntegrityError(*problems)


def _broken(repository: Repository) -> Iterator[str]:
    """Name the files of the history that the index changes or removes, and may not."""
    if repository.find("HEAD") is None:
        return
    index = repository.text("write-tree")
    for change in repository.changes("HEAD^{tree}", index):
        if change.path.startswith("docs/") or change.old_mode == "000000":
            continue
        if change.is_deleted or not _is_grown(
            repository, change.path, change.old_object, change.new_object
        ):
            yield change.path


def _secret(repository: Repository, board: BoardFolder) -> Iterator[str]:
    """Name the new cards that have figures of a signal that is not opened."""
    opened = {path.name: path for path in (board.results, board.opened)}
    for path, name in _new_files(repository):
        folder, *way = path.split("/")
        if folder not in opened or len(way) != 3 or not path.endswith(CARD_SUFFIX):
            continue
        try:
            card = parse_card(repository.blob(name, MAX_CARD_BYTES), source=path)
        except (DataError, TooLargeError):
            # Nobody shows what cannot be read.
            continue
        revealed = decisions.read_decisions(opened[folder], way[0]).revealed
        if hidden_signals(card.challenge) - revealed:
            yield path


def _new_files(repository: Repository) -> Iterator[tuple[str, str]]:
    """List the files that the index adds or changes, with their objects."""
    index = repository.text("write-tree")
    if repository.find("HEAD") is None:
        yield from ((entry.path, entry.object) for entry in repository.entries(index, is_deep=True))
        return
    for change in repository.changes("HEAD^{tree}", index):
        if not change.is_deleted:
            yield change.path, change.new_object


def _is_grown(repository: Repository, path: str, old: str, new: str) -> bool:
    """Tell whether a file is one that may grow, and has only grown."""
    name = path.rpartition("/")[2]
    if name == SUMMARY_NAME:
        return True
    if name not in {*LEDGERS, decisions.FILE_NAME}:
        return False
    before, after = (repository.blob(one, _MAX_FILE_BYTES) for one in (old, new))
    if name != decisions.FILE_NAME:
        return after.startswith(before)
    try:
        held, grown = (decisions.listed(content, source=path) for content in (before, after))
    except DataError:
        return False
    return grown[: len(held)] == held


def push_board(board: BoardFolder, like: Repository) -> bool:
    """Push the board's branch to where `open_board` had it from; never by force.

    Returns
    -------
    bool
        Whether the branch has it now. If not, somebody else pushed before.

    Raises
    ------
    GitError
        The push failed although nobody else pushed.
    """
    repository = own_repository(board.folder, like)
    if repository.find("HEAD") is None:
        return True
    url, reference = _branch_of(repository)
    before = _tip(repository, url, reference)
    try:
        repository.run("push", "--quiet", "--", url, f"HEAD:{reference}")
    except GitError:
        # Rejected, or the branch was locked by another push at that moment.
        now = _tip(repository, url, reference)
        head = repository.resolve("HEAD")
        if now == head:
            return True
        if now is not None and (now != before or not _is_ancestor(repository, now, head)):
            return False
        raise
    return True


def _tip(repository: Repository, url: str, reference: str) -> str | None:
    code, answer = repository.run("ls-remote", "--exit-code", "--", url, reference, allowed=(0, 2))
    return answer.decode().split()[0] if code == 0 else None


def _is_ancestor(repository: Repository, commit: str, of: str) -> bool:
    """Tell whether a commit is known here and comes before another one."""
    if repository.find(f"{commit}^{{commit}}") is None:
        return False
    code, _ = repository.run("merge-base", "--is-ancestor", commit, of, allowed=(0, 1))
    return code == 0
