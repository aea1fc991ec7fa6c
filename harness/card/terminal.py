"""What every view in a terminal is made of: tables, rates with intervals, numbers of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from rich import filesize
from rich.table import Table
from rich.text import Text

from harness.card.text import plain

if TYPE_CHECKING:
    from harness.card.records import Interval, NotMeasured

DASH = "–"


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
