"""The commands that every recipe of an embedded sample has."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def recipe_parser(
    doc: str | None, *others: str, out: Path | None = None, only: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """Return the parser of a recipe: ``simulate FOLDER``, ``build FOLDER`` and the `others`.

    Parameters
    ----------
    doc : str or None
        The module's docstring; its first line is shown.
    out : Path, optional
        Where ``build`` writes; without it there is no option ``--out``.
    only : sequence of str
        Files that ``build`` may be asked for alone.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    simulating = commands.add_parser("simulate")
    simulating.add_argument("folder", type=Path)
    simulating.add_argument("--jobs", type=int, default=2)
    building = commands.add_parser("build")
    building.add_argument("folder", type=Path)
    if out is not None:
        building.add_argument("--out", type=Path, default=out)
    if only:
        building.add_argument("--only", choices=only)
    for name in others:
        commands.add_parser(name)
    return parser
