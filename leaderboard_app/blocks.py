"""What a page is made of. All text is plain: whoever shows a block escapes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

Cell = str | float | int | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """A chart, what it shows in words, and its figures as a table.

    Attributes
    ----------
    spec : mapping
        Vega-Lite specification without its data, width and height.
    datasets : mapping of str to sequence of rows
        The data that it names.
    parameters : mapping of str to JSON
        Values that its expressions name.
    alt : str
        For those who cannot see it.
    fields : mapping of str to str
        Fields of the data that make a table, with the headings of their columns; rows without
        the first of them are aids to drawing.
    """

    spec: Mapping[str, JsonValue]
    datasets: Mapping[str, Sequence[Mapping[str, Cell]]]
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)
    height: int
    alt: str
    fields: Mapping[str, str]

    def table(self) -> list[dict[str, Cell]]:
        """Return the figures that are drawn, by the headings of their columns."""
        first = next(iter(self.fields))
        return [
            {title: self._named(name, row.get(name)) for name, title in self.fields.items()}
            for rows in self.datasets.values()
            for row in rows
            if row.get(first) is not None
        ]

    def _named(self, name: str, cell: Cell) -> Cell:
        """Name a place on an axis that has its own labels by its label."""
        labels = self.parameters.get("edges")
        if name == "x" and isinstance(labels, list) and isinstance(cell, int):
            return str(labels[cell])
        return cell

    def whole(self) -> dict[str, JsonValue]:
        """Put specification, data and height together, the data where they are named."""
        values: list[JsonValue] = [
            {"name": name, "value": value} for name, value in self.parameters.items()
        ]
        drawn = self._with_data(dict(self.spec))
        assert isinstance(drawn, dict)
        return {
            **drawn,
            **({"params": values} if values else {}),
            "height": self.height,
            # Only what has a tooltip of its own shows one: lines and labels are no data.
            "config": {"mark": {"tooltip": None}},
            # Its own menu would save the colours of the page, light on light paper.
            "usermeta": {"embedOptions": {"actions": False}},
        }

    def _with_data(self, part: JsonValue) -> JsonValue:
        if isinstance(part, list):
            return [self._with_data(one) for one in part]
        if not isinstance(part, dict):
            return part
        made = {key: self._with_data(value) for key, value in part.items()}
        data = part.get("data")
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            made["data"] = {"values": [dict(row) for row in self.datasets[str(data["name"])]]}
        return made


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
        Positions of columns that hold words: they are on the left and may wrap.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Texts that lead somewhere: pairs of text and address; without address it is text alone."""

    title: str
    items: Sequence[tuple[str, str | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Until:
    """A time in UTC, shown also in the visitor's time zone, with what is left until then."""

    title: str
    when: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """Text to be copied as it is."""

    title: str
    text: str


Block = Picture | Facts | Table | Note | Links | Until | Code


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading, what it introduces, and its blocks; in `columns` side by side."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    lead: str = ""
    columns: int = 1
