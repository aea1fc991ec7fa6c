"""Count the code of packages: lines, functions, modules at the top, layers, repeated blocks.

python -m tools.count                      of harness, leaderboard_app and tools
python -m tools.count PACKAGE...           of others
python -m tools.count --repeats            print the repeated blocks as well

Comments, docstrings and blank lines are not counted. A repeated block has `BLOCK_LINES` or more
consecutive lines of code that are equal except for spaces; imports are left out.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import sys
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

from tools.pages import ROOT, table

PACKAGES = ("harness", "leaderboard_app", "tools")
BLOCK_LINES = 8
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
# Two modules, how much later the block starts in the second, and where it starts in the first.
_Window: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """One file.

    Attributes
    ----------
    name : str
        Its path below the root.
    lines : mapping of int to str
        Lines of code by number, without spaces and comments.
    functions : tuple of int
        Lines of code of each function, nested ones counted twice.
    imports : frozenset of int
        Lines of import statements.
    """

    name: str
    lines: Mapping[int, str]
    functions: tuple[int, ...]
    imports: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """Two places with the same lines of code.

    Attributes
    ----------
    first, second : str
        ``path:first line-last line``.
    n_lines : int
        Lines of code.
    """

    first: str
    second: str
    n_lines: int


def read_modules(package: Path, root: Path = ROOT) -> list[Module]:
    """Read every module of a package."""
    return [
        parse_module(path.read_text(encoding="utf-8"), str(path.relative_to(root)))
        for path in sorted(package.rglob("*.py"))
    ]


def parse_module(source: str, name: str) -> Module:
    """Find the lines of code of a module."""
    tree = ast.parse(source)
    lines = _lines_of(source, _docstrings(tree))
    spans = [(node, _span(node)) for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    functions = (span for node, span in spans if isinstance(node, _Function))
    imports = (span for node, span in spans if isinstance(node, ast.Import | ast.ImportFrom))
    return Module(
        name=name,
        lines=lines,
        functions=tuple(sum(number in lines for number in span) for span in functions),
        imports=frozenset(number for span in imports for number in span),
    )


def _docstrings(tree: ast.Module) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | _Function) and ast.get_docstring(node):
            found |= set(_span(node.body[0]))
    return found


def _span(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _lines_of(source: str, left_out: set[int]) -> dict[int, str]:
    lines: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT or not token.string.strip():
            continue
        for number, text in enumerate(token.string.split("\n"), start=token.start[0]):
            if number not in left_out:
                lines[number] = lines.get(number, "") + text
    return lines


# --- repeated blocks ------------------------------------------------------------------------------


def find_repeats(modules: Sequence[Module]) -> list[Repeat]:
    """Return every pair of places with the same block, longest first."""
    texts = [
        [(number, text) for number, text in module.lines.items() if number not in module.imports]
        for module in modules
    ]

    def place(which: int, start: int, n_lines: int) -> str:
        first, last = texts[which][start], texts[which][start + n_lines - 1]
        return f"{modules[which].name}:{first[0]}-{last[0]}"

    found = [
        Repeat(first=place(one, start, n), second=place(two, start + shift, n), n_lines=n)
        for one, two, shift, start, n in _runs(set(_same_windows(texts)))
    ]
    return sorted(found, key=lambda repeat: (-repeat.n_lines, repeat.first, repeat.second))


def _same_windows(texts: Sequence[Sequence[tuple[int, str]]]) -> Iterator[_Window]:
    windows: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for which, lines in enumerate(texts):
        for start in range(len(lines) - BLOCK_LINES + 1):
            block = tuple(text for _, text in lines[start : start + BLOCK_LINES])
            windows[block].append((which, start))
    for places in windows.values():
        for (one, start), (two, other) in combinations(places, 2):
            if one != two or other - start >= BLOCK_LINES:
                yield one, two, other - start, start


def _runs(windows: AbstractSet[_Window]) -> Iterator[tuple[int, int, int, int, int]]:
    """Join windows that follow each other; yield each with its number of lines."""
    for one, two, shift, start in windows:
        if (one, two, shift, start - 1) in windows:
            continue
        end = start
        while (one, two, shift, end + 1) in windows:
            end += 1
        yield one, two, shift, start, end - start + BLOCK_LINES


# --- the table ------------------------------------------------------------------------------------


def count_row(package: Path, modules: Sequence[Module]) -> list[str]:
    """Return the counts of a package: its line of the table."""
    sizes = sorted(size for module in modules for size in module.functions)
    at_top = [path for path in package.iterdir() if not path.name.startswith(("_", "."))]
    return [
        package.name,
        f"{sum(path.suffix == '.py' for path in at_top)}",
        f"{sum((path / '__init__.py').is_file() for path in at_top)}",
        f"{len(modules)}",
        f"{sum(len(module.lines) for module in modules):,}",
        f"{len(sizes):,}",
        *(f"{size:g}" for size in _summary(sizes)),
    ]


def _summary(sizes: Sequence[int]) -> tuple[float, float, float]:
    """Return the median, the 90th percentile and the largest."""
    if not sizes:
        return 0, 0, 0
    return statistics.median(sizes), sizes[int(0.9 * len(sizes))], sizes[-1]


HEADER = (
    *("package", "modules at the top", "packages at the top", "files", "lines of code"),
    *("functions", "median lines", "90th percentile", "longest"),
)


def count_layers(pyproject: str) -> int:
    """Return the number of layers of imports that import-linter enforces."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    return sum(len(one["layers"]) for one in contracts if one["type"] == "layers")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", nargs="*", default=PACKAGES, metavar="PACKAGE")
    parser.add_argument("--repeats", action="store_true", help="print the repeated blocks")
    options = parser.parse_args(arguments)
    modules = {name: read_modules(ROOT / name) for name in options.packages}
    repeats = find_repeats([module for found in modules.values() for module in found])
    print(table(HEADER, [count_row(ROOT / name, found) for name, found in modules.items()]))
    print(f"layers of imports: {count_layers((ROOT / 'pyproject.toml').read_text('utf-8'))}")
    print(f"pairs of blocks of {BLOCK_LINES} lines or more that are the same: {len(repeats)}")
    for repeat in repeats if options.repeats else ():
        print(f"  {repeat.n_lines} lines: {repeat.first} and {repeat.second}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
