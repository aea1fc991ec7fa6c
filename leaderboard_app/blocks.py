"""What a page is made of. All text is plain: whoever shows a block escapes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import altair as alt

Cell = str | float | int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A chart, what it shows in words, and its figures as a table.

    Attributes
    ----------
    alt : str
        For those who can't see it.
    columns, rows : sequence
        The figures that are drawn.
    """

    chart: alt.Chart | alt.LayerChart | alt.FacetChart
    alt: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Names and values, one pair a line."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of text.

    Attributes
    ----------
    columns : sequence of str
        The first names the row, the others hold figures.
    words : frozenset of int
        Positions of columns that hold words: they stand on the left and may wrap.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    words: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A paragraph; `tone` is ``plain``, ``good``, ``warn`` or ``bad``."""

    text: str
    tone: str = "plain"


Block = Picture | Facts | Table | Note


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading, what it introduces, and its blocks; short ones stand side by side if `wide`."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    lead: str = ""
    columns: int = 1
