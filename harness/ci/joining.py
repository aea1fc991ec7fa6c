"""A board's folder and its branch joined: what each of them adds is kept.

Two publishers may add to one branch, and each of them may be killed at any moment. Cards have names
of their own, and lists only grow, so that what both have added can always be put together. The
folder's own commits are not merged: what they added is committed again on top of the branch. If
both have scored the same submission, because one of them was killed before its card was pushed, the
card that the branch has is the one that stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from harness.board import decisions
from harness.board.boards import OPENED
from harness.card.files import CARD_SUFFIX, MAX_CARD_BYTES, SCORES_SUFFIX, parse_card
from harness.ci import inbox, ledger
from harness.ci.git import MIB, Repository, TooLargeError
from harness.errors import DataError
from harness.files import remove, write_whole

_MAX_FILE_BYTES = 64 * MIB
_RESULTS = ("results/", f"{OPENED}/")
# Lists of one object a line.
LEDGERS = frozenset({ledger.FILE_NAME, inbox.FILE_NAME})
_AT_ONCE = 200
# ``results/<challenge>/<team>/<card>``
_CARD_DEPTH = 3


def join(board: Repository, target: str) -> None:
    """Bring the commit `target` of the branch into a board's folder, beside what is new in it.

    Whatever moment this is killed at, the next call does the rest: HEAD is moved last.

    Parameters
    ----------
    board : Repository
        The folder; nobody else works on it.
    target : str
        The commit that the branch has.
    """
    own = _own_tree(board)
    theirs, here = (
        {entry.path: entry.object for entry in board.entries(tree, is_deep=True)}
        for tree in (target, own)
    )
    base = _base(board, target)
    added = dict(_added(board, base, own))
    for path in [*_doubled(board, added, dict(_added(board, base, target)))]:
        _drop(board.folder / path)
        del added[path]
    for path, name in added.items():
        other = theirs.get(path)
        if other not in {None, name} and path.rpartition("/")[2] in _GROWING:
            merged = _merged(path, *(board.blob(one, _MAX_FILE_BYTES) for one in (other, name)))
            write_whole(board.folder / path, merged)
    wanted = [
        path
        for path, name in theirs.items()
        if path not in added and (here.get(path) != name or not (board.folder / path).exists())
    ]
    for start in range(0, len(wanted), _AT_ONCE):
        chosen = (f":(top,literal){path}" for path in wanted[start : start + _AT_ONCE])
        board.run("checkout", "--quiet", "--force", target, "--", *chosen)
    board.run("update-ref", "HEAD", target)


def _own_tree(board: Repository) -> str:
    """Write the tree of the last commit with the results as they are now."""
    head = board.find("HEAD")
    board.run("read-tree", "--empty" if head is None else head)
    places = [name for name in ("results", OPENED) if (board.folder / name).exists()]
    if places:
        board.run("add", "--all", "--", *places)
    return board.text("write-tree")


_GROWING = LEDGERS | {decisions.FILE_NAME}


def drop_locks(folder: Path) -> None:
    """Remove the locks that a killed git left: whoever holds the folder's turn runs no other."""
    for pattern in ("*.lock", "refs/**/*.lock", "objects/**/*.lock"):
        for path in (folder / ".git").glob(pattern):
            if not path.name.startswith("harness"):
                path.unlink(missing_ok=True)


def _base(board: Repository, target: str) -> str | None:
    """Return the commit at which the folder was joined last."""
    head = board.find("HEAD^{commit}")
    if head is None:
        return None
    code, answer = board.run("merge-base", head, target, allowed=(0, 1))
    return answer.decode().strip() if code == 0 else None


def _added(board: Repository, base: str | None, tree: str) -> Iterator[tuple[str, str]]:
    """Yield the results that a tree adds to those of `base`, or changes."""
    if base is None:
        entries = board.entries(tree, is_deep=True)
        found = [(entry.path, entry.object) for entry in entries]
    else:
        changes = board.changes(f"{base}^{{tree}}", f"{tree}^{{tree}}")
        found = [(one.path, one.new_object) for one in changes if not one.is_deleted]
    yield from ((path, name) for path, name in found if path.startswith(_RESULTS))


def _doubled(board: Repository, own: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    """Yield the folder's new cards of files for which the branch has another new card."""
    folders = {path.rpartition("/")[0] for path in own} & {
        path.rpartition("/")[0] for path in theirs
    }
    pairs = [(path, name) for path, name in theirs.items() if path not in own]
    known = {subject for path, name in pairs if (subject := _subject(board, path, name, folders))}
    for path, name in own.items():
        if path not in theirs and _subject(board, path, name, folders) in known:
            yield path


def _subject(
    board: Repository, path: str, name: str, folders: Collection[str]
) -> tuple[object, ...] | None:
    """Return what a card in one of `folders` was made of; None for what is no card."""
    is_card = path.endswith(CARD_SUFFIX) and path.count("/") == _CARD_DEPTH
    if not is_card or path.rpartition("/")[0] not in folders:
        return None
    try:
        card = parse_card(board.blob(name, MAX_CARD_BYTES), source=path)
    except (DataError, TooLargeError):
        return None
    said = card.submission
    scored = card.challenge.name, card.challenge.version, card.challenge.working_point
    return scored, said.team, said.digest, said.received, card.scorer_version, card.is_official


def _drop(card: Path) -> None:
    """Remove a card with what lies beside it."""
    stem = card.with_suffix("")
    for path in (card, stem.with_suffix(SCORES_SUFFIX), stem):
        remove(path)


def _merged(path: str, theirs: bytes, own: bytes) -> bytes:
    """Add to a list of the branch what the folder's own has beside it."""
    if path.endswith(decisions.FILE_NAME):
        return decisions.joined(theirs, own, source=path)
    lines, more_lines = (content.splitlines(keepends=True) for content in (theirs, own))
    return b"".join([*lines, *(line for line in more_lines if line not in lines)])
