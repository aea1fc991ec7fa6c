"""Which file holds a table, and what a reader gives of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, UsageError

# An event of more numbers is refused: an image of 128 x 128 has as many.
MAX_WIDTH = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Some rows of a table.

    Attributes
    ----------
    values : float array, shape (m, *shape)
        One event a row; NaN where there is no number.
    classes : array of text, shape (m,), or None
        What the class column says of each event; None where the table has none.
    """

    values: NDArray[Any]
    classes: NDArray[np.str_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """An opened table.

    Attributes
    ----------
    where : str
        File and data set, for messages.
    columns : tuple of str or None
        Names of the columns, without the class column; None where they have none.
    shape : tuple of int
        Of one event: (columns,) or (objects, features).
    blocks : iterator of Block
        All rows, once.
    """

    where: str
    columns: tuple[str, ...] | None
    shape: tuple[int, ...]
    blocks: Iterator[Block]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file, and the data set in it: ``events.h5:muons/hits``.

    Examples
    --------
    >>> Source.of("run.h5:events").member, Source.of("run.csv").member
    ('events', None)
    """

    path: Path
    member: str | None = None

    @classmethod
    def of(cls, text: str) -> Source:
        """Read what somebody typed; a colon belongs to the path where such a file exists."""
        whole = Path(text)
        name, _, member = text.rpartition(":")
        if not name or not member or whole.exists():
            return cls(path=whole)
        return cls(path=Path(name), member=member)

    def __str__(self) -> str:
        """Write it as it is typed."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"


def check_width(where: str, shape: tuple[int, ...]) -> None:
    """Refuse events of no numbers, or of too many."""
    width = math.prod(shape)
    if not 1 <= width <= MAX_WIDTH:
        raise DataError(
            f"an event has {width:,} numbers" if width else "an event has no numbers",
            where=where,
            expected=f"1 to {MAX_WIDTH:,}",
            fix="is one event one row? An array has the shape (events, columns) or (events, "
            "objects, features)",
        )


def check_unique(where: str, names: Sequence[str]) -> None:
    """Refuse a table of which two columns share a name."""
    repeated = sorted({name for name, count in Counter(names).items() if count > 1})
    if repeated:
        what = f"a column is there twice: {', '.join(repeated)[:200]}"
        raise DataError(what, where=where, expected="another name for each column")


def no_column(where: str, name: str, held: str) -> UsageError:
    """Say that a table has not the class column that was asked for."""
    return UsageError(
        f"there is no column {name}",
        where=where,
        expected=f"one of {held}"[:300],
        fix="--class-column names what says the process of each event",
    )
