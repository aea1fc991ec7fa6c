"""A board's folder and its branch joined: what each of them adds is kept.

Two publishers may add to one branch, and each of them may be killed at any moment. Cards have names
of their own, and lists only grow, so that what both have added can always be put together. The
folder's own commits are not merged: what they added is committed again on top of the branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.board import decisions
from harness.board.boards import OPENED
from harness.ci import inbox, ledger
from harness.ci.git import MIB, Repository
from harness.files import write_whole

_MAX_FILE_BYTES = 64 * MIB
_RESULTS = ("results/", f"{OPENED}/")
# Lists of one object a line.
LEDGERS = frozenset({ledger.FILE_NAME, inbox.FILE_NAME})
_AT_ONCE = 200


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
    added = dict(_added(board, own, target))
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


def _added(board: Repository, own: str, target: str) -> Iterator[tuple[str, str]]:
    """Yield the results that the folder added or changed since it was joined last."""
    head = board.find("HEAD^{commit}")
    base = None
    if head is not None:
        code, answer = board.run("merge-base", head, target, allowed=(0, 1))
        base = answer.decode().strip() if code == 0 else None
    if base is None:
        entries = board.entries(own, is_deep=True)
        found = [(entry.path, entry.object) for entry in entries]
    else:
        changes = board.changes(f"{base}^{{tree}}", own)
        found = [(one.path, one.new_object) for one in changes if not one.is_deleted]
    yield from ((path, name) for path, name in found if path.startswith(_RESULTS))


def _merged(path: str, theirs: bytes, own: bytes) -> bytes:
    """Add to a list of the branch what the folder's own has beside it."""
    if path.endswith(decisions.FILE_NAME):
        return decisions.joined(theirs, own, source=path)
    lines, more_lines = (content.splitlines(keepends=True) for content in (theirs, own))
    return b"".join([*lines, *(line for line in more_lines if line not in lines)])
