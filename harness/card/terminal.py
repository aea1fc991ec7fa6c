"""What every view in a terminal is made of: tables, rates with intervals, numbers of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich import box, filesize
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from harness.card.text import plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from harness.card.figures import Interval, NotMeasured

DASH = "–"
# Words of a table are folded to this many signs where the terminal is narrow.
_TEXT_WIDTH = 14


def table(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    caption: str = "",
    justify: Literal["left", "right"] = "left",
) -> Table:
    """Draw a table whose first column is on the left, the others where `justify` says.

    No cell is cut off: paths and checksums are there to be copied. Text that others wrote is shown
    as it is: it styles nothing and moves no cursor.
    """
    drawn = Table(
        title=Text(plain(title), style="bold"),
        title_justify="left",
        caption=Text(plain(caption), style="table.caption") if caption else None,
        caption_justify="left",
    )
    for i, name in enumerate(header):
        drawn.add_column(Text(plain(name)), overflow="fold", justify=justify if i else "left")
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) if isinstance(cell, str) else cell for cell in row))
    return drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """The head of one column of a `FittingTable`.

    Attributes
    ----------
    rank : int
        Where the terminal is narrow, columns of the highest rank are left out first; of rank 0
        none is.
    is_text : bool
        It holds words, which may be folded; figures never are.
    """

    title: str
    rank: int = 0
    is_text: bool = False
    justify: Literal["left", "right"] = "left"


@dataclass(frozen=True, kw_only=True, slots=True)
class FittingTable:
    """A table that leaves out columns rather than break a figure; below it stands which.

    Attributes
    ----------
    styles : sequence of str
        Of the rows; empty: all plain.
    """

    title: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    styles: Sequence[str] = ()
    is_simple: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many columns as there is room for."""
        kept = list(range(len(self.headings)))
        while self._width(kept) > options.max_width:
            last = max(kept, key=lambda i: (self.headings[i].rank, i))
            if not self.headings[last].rank:
                break
            kept.remove(last)
        yield self._draw(kept)
        left_out = [one.title for i, one in enumerate(self.headings) if i not in kept]
        if left_out:
            names = ", ".join(" ".join(plain(title).split()) for title in left_out)
            yield Text(f"left out for want of width: {names}", style="table.caption")

    def _least(self, i: int) -> int:
        """Return how wide a column must be: its figures in one line, its words in several."""
        cells = [self.headings[i].title, *(row[i] for row in self.rows)]
        if self.headings[i].is_text:
            return min(_TEXT_WIDTH, max(cell_len(plain(cell)) for cell in cells))
        return max(cell_len(line) for cell in cells for line in plain(cell).split("\n"))

    def _width(self, kept: Sequence[int]) -> int:
        per_column, frame = (1, 2) if self.is_simple else (3, 1)
        return frame + sum(self._least(i) + per_column for i in kept)

    def _draw(self, kept: Sequence[int]) -> Table:
        drawn = Table(
            title=Text(plain(self.title), style="bold"),
            title_justify="left",
            caption=Text(plain(self.caption), style="table.caption") if self.caption else None,
            caption_justify="left",
        )
        if self.is_simple:
            drawn.box, drawn.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)
        for i in kept:
            one = self.headings[i]
            drawn.add_column(
                Text(plain(one.title)),
                justify=one.justify,
                overflow="fold",
                no_wrap=not one.is_text,
                min_width=self._least(i),
            )
        for n, row in enumerate(self.rows):
            style = self.styles[n] if self.styles else ""
            drawn.add_row(*(Text(plain(row[i])) for i in kept), style=style)
        return drawn


def remark(kind: str, text: str) -> Text:
    """Write a warning or remark as a line of its own."""
    return Text(f"{kind}: {plain(text)}", style="yellow")


def not_measured(name: str, missing: NotMeasured) -> Text:
    """Write why a whole part of a card is missing."""
    return Text.assemble((f"{name}: ", "bold"), f"not measured: {plain(missing.not_measured)}")


def rate_text(value: float) -> str:
    """Write a rate with three significant digits; small ones as a power of ten.

    Examples
    --------
    >>> rate_text(0.0), rate_text(0.01234), rate_text(1e-05)
    ('0', '0.0123', '1.00e-05')
    >>> rate_text(0.009), rate_text(1.0)
    ('0.00900', '1.00')
    """
    if value == 0:
        return "0"
    return f"{value:#.3g}" if value >= 1e-3 else f"{value:.2e}"


def interval_text(interval: Interval) -> str:
    """Write the interval of a rate."""
    return f"[{rate_text(interval.lower)}, {rate_text(interval.upper)}]"


def with_interval(value: float, interval: Interval) -> str:
    """Write a rate and its interval on one line."""
    return f"{rate_text(value)} {interval_text(interval)}"


def bytes_text(n_bytes: int | None) -> str:
    """Write a number of bytes with its unit."""
    return "unknown" if n_bytes is None else filesize.decimal(n_bytes)
