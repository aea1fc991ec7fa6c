"""Names, times and frozen values: what every record of the harness is made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

# Names become file names and URL parts: lower case only, so that no two differ by case alone.
NAME_PATTERN = r"[a-z0-9][a-z0-9_+.-]{0,63}"
Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
# A dataset beside the events that holds one number for each of them.
Column = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


def ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    """Return `values`; raise ValueError if they do not rise strictly."""
    if list(values) != sorted(set(values)):
        raise ValueError("must rise strictly")
    return values


def is_name(text: str) -> bool:
    """Tell whether `text` is a `Name`, as that of a team.

    Examples
    --------
    >>> is_name("team_x"), is_name("Team X")
    (True, False)
    """
    return re.fullmatch(NAME_PATTERN, text) is not None


def utc(moment: datetime) -> str:
    """Write a time as `Utc`: as cards and all other documents do.

    Examples
    --------
    >>> utc(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01T12:00:00Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def instant(time: str) -> datetime:
    """Return the instant of a `Utc`: times are compared by it, never as text.

    Raises
    ------
    ValueError
        There is no such time, or its zone is not said.

    Examples
    --------
    >>> instant("2026-03-01T13:00:00+01:00") == instant("2026-03-01T12:00:00Z")
    True
    """
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("its zone is not said")
    return moment.astimezone(UTC)


def _as_utc(value: object) -> str:
    """Read a time of any zone; YAML makes a datetime of one without quotes."""
    try:
        return utc(instant(str(value)))
    except (ValueError, OverflowError) as error:
        form = "2026-03-01T12:00:00Z or 2026-03-01T13:00:00+01:00"
        raise ValueError(f"a time that exists, with its zone, as {form}") from error


# A time, kept in UTC to the second.
Utc = Annotated[
    str, BeforeValidator(_as_utc), WithJsonSchema({"type": "string", "format": "date-time"})
]


class Value(BaseModel):
    """A frozen value that crosses a file boundary; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
