"""The charts of a static site, packed: what several of them share is written once."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from leaderboard_app.blocks import Cell, Picture

# Figures in the pages: more digits cannot be seen in a chart.
_DIGITS = 3
# Shorter pieces are not worth a name of their own.
_WORTH_A_NAME = 40
# Data sets that are the same on the pages of all entries of a challenge.
_COMMON_DATA = frozenset({"behind", "chance"})


@dataclass(slots=True)
class Shared:
    """What charts of several pages have in common, each kept once under the digest of it."""

    known: dict[str, JsonValue] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def keep(self, value: JsonValue) -> str:
        """Keep a value and return its name."""
        text = json.dumps(value, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:10]
        self.known[name] = value
        return name

    def reuse(self, value: JsonValue) -> JsonValue:
        """Return a value that is met for the first time, the name of one that was met before."""
        text = json.dumps(value)
        if len(text) < _WORTH_A_NAME:
            return value
        if text in self.met:
            return self.keep(value)
        self.met.add(text)
        return value


def reused(shared: Shared, figure: dict[str, JsonValue]) -> JsonValue:
    """Name the words and columns of a chart that other pages have too."""
    sets = figure["data"]
    assert isinstance(sets, dict)
    named: dict[str, JsonValue] = {
        name: {key: shared.reuse(column) for key, column in table.items()}
        if isinstance(table, dict)
        else table
        for name, table in sets.items()
    }
    words = {key: shared.reuse(figure[key]) for key in ("alt", "fields")}
    return {**figure, "data": named, **words}


def figure_data(specs: Shared, data: Shared, picture: Picture) -> dict[str, JsonValue]:
    """Split a chart into its specification, kept once, and its data, by columns."""
    return {
        "spec": specs.keep(dict(picture.spec)),
        "data": {
            name: data.keep(_columns(rows)) if name in _COMMON_DATA else _columns(rows)
            for name, rows in picture.datasets.items()
        },
        "parameters": dict(picture.parameters),
        "alt": picture.alt,
        "height": picture.height,
        "fields": dict(picture.fields),
    }


def shared_columns(figures: Sequence[JsonValue]) -> JsonValue:
    """Keep columns that several charts of a page have once, and their numbers in their places."""
    tables = [
        table
        for figure in figures
        if isinstance(figure, dict) and isinstance(sets := figure["data"], dict)
        for table in sets.values()
        if isinstance(table, dict)
    ]
    texts = Counter(json.dumps(column) for table in tables for column in table.values())
    kept: dict[str, int] = {}
    for table in tables:
        for name, column in table.items():
            text = json.dumps(column)
            if texts[text] > 1 and isinstance(column, list):
                table[name] = kept.setdefault(text, len(kept))
    return {"figures": list(figures), "columns": [json.loads(text) for text in kept]}


def _columns(rows: Sequence[Mapping[str, Cell]]) -> JsonValue:
    if not rows:
        return {}
    return {key: [_rounded(row.get(key)) for row in rows] for key in rows[0]}


def _rounded(cell: Cell) -> JsonValue:
    if not isinstance(cell, float):
        return cell
    if not math.isfinite(cell):
        return None
    short = float(f"{cell:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def packed(value: JsonValue) -> str:
    """Write JSON as deflated base85, whose signs need no escape in a script or its strings."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return base64.b85encode(zlib.compress(text.encode(), 9)).decode()
