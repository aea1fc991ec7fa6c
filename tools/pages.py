"""Files that a command writes and a test compares: whole ones, and blocks within a page of text.

A block is what lies between ``<!-- begin NAME ... -->`` and ``<!-- end NAME -->``; the text around
it is written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(
    r"(?P<begin><!-- begin (?P<name>[\w-]+)\b[^\n]*-->\n).*?(?P<end><!-- end (?P=name) -->)",
    re.DOTALL,
)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, n_words: int = 1) -> str:
    """Return a table of Markdown; all columns but the first `n_words` are aligned to the right."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * n_words + "---:|" * (len(header) - n_words),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def fill(page: str, blocks: Mapping[str, str]) -> str:
    """Return `page` with each of its blocks replaced.

    Raises
    ------
    ValueError
        The page has other blocks than `blocks`.
    """
    found = [match["name"] for match in _BLOCK.finditer(page)]
    if sorted(found) != sorted(blocks):
        raise ValueError(f"the page has the blocks {found}, expected {list(blocks)}, each once")
    return _BLOCK.sub(
        lambda match: f"{match['begin']}\n{blocks[match['name']].strip()}\n\n{match['end']}", page
    )


def outdated(files: Mapping[Path, str]) -> list[Path]:
    """Return the files that are missing or hold another text."""
    return [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_bytes() != text.encode("utf-8")
    ]


def asks_for_check(description: str | None, arguments: Sequence[str] | None) -> bool:
    """Read a command line whose one option is ``--check``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    return bool(parser.parse_args(arguments).check)


def write_or_check(files: Mapping[Path, str], *, is_check: bool) -> int:
    """Write the outdated files, or name them; the exit code is 1 if a check finds one."""
    old = outdated(files)
    for path in old:
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[path].encode("utf-8"))
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        print(f"{name}: {'not current' if is_check else 'written'}", file=sys.stderr)
    return 1 if is_check and old else 0
