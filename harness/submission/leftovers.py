"""What systems, editors and tools leave in a folder: it is no part of a submission.

Such files are never copied, so the code of a submission cannot read or import them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from harness.card.text import visible

# Compared without regard to case, as the systems do that leave them.
_NAMES = """
    __pycache__ .git .ipynb_checkpoints .mypy_cache .ruff_cache .pytest_cache .idea .vscode
    .ds_store __macosx .spotlight-v100 .trashes .fseventsd .appledouble
    thumbs.db ehthumbs.db desktop.ini $recycle.bin .directory
"""
LEFTOVER_NAMES = frozenset(_NAMES.split())
# macOS's second half of a file and folder icon; backups, locks and swap files of editors and
# offices; what a network file system keeps of a deleted file.
LEFTOVER_PATTERNS = (
    *("._*", "icon\r"),
    *("*~", ".*.sw?", "#*#", ".#*", "~$*", ".~lock.*#"),
    ".nfs[0-9a-f]*",
)
_MAX_NAMED = 5


def is_leftover(name: str) -> bool:
    """Say whether a file or folder of this name is left behind by a system, an editor or a tool.

    Examples
    --------
    >>> [is_leftover(name) for name in ("._model.py", "Thumbs.db", ".model.py.swp", "model.py")]
    [True, True, True, False]
    """
    folded = name.casefold()
    return folded in LEFTOVER_NAMES or any(
        fnmatchcase(folded, pattern) for pattern in LEFTOVER_PATTERNS
    )


def describe_leftovers(paths: Sequence[PurePosixPath]) -> str:
    """Name the first few leftovers in one line.

    Examples
    --------
    >>> describe_leftovers([PurePosixPath("._model.py"), PurePosixPath(".DS_Store")])
    'ignored, because a system, an editor or a tool left it: ._model.py, .DS_Store'
    """
    named = ", ".join(visible(str(path))[:80] for path in paths[:_MAX_NAMED])
    rest = f" and {len(paths) - _MAX_NAMED} more" if len(paths) > _MAX_NAMED else ""
    return f"ignored, because a system, an editor or a tool left it: {named}{rest}"
