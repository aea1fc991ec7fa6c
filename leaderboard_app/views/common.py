"""What several pages share: titles, colours and ways of writing."""

from __future__ import annotations

from harness.board.comparison import Span
from harness.board.entry import signals_of
from harness.board.formats import percent
from harness.board.rows import BoardRow, titles_of
from harness.card.records import (
    Distribution,
    Interval,
    NotMeasured,
    Physics,
    ScoreCard,
    WorkingPoint,
)
from harness.card.text import visible
from leaderboard_app.blocks import Note
from leaderboard_app.charts import Measured, Palette

BACKGROUND = "background"


def rank_words(row: BoardRow) -> str:
    """Write a rank with its interval in words."""
    if row.rank is None:
        return "not ranked"
    return f"{row.rank} (true rank within {row.best_rank} to {row.worst_rank})"


def class_text(name: str) -> str:
    """Write the name of a resource class.

    Examples
    --------
    >>> class_text("lut<=10000"), class_text("budget")
    ('class up to 10,000 LUT', 'class up to the budget')
    """
    if name.startswith("lut<="):
        return f"class up to {int(name.removeprefix('lut<=')):,} LUT"
    return "class up to the budget"


def interval_text(value: float, lower: float, upper: float) -> str:
    """Write a rate with its interval.

    Examples
    --------
    >>> interval_text(0.0008, 0.0005, 0.0012)
    '0.08 % [0.05, 0.12]'
    """
    low, high = (percent(edge).removesuffix(" %") for edge in (lower, upper))
    return f"{percent(value)} [{low}, {high}]"


def palette_of(card: ScoreCard, *, background: bool = False) -> Palette:
    """Colours of the signals of a card, the same on every page."""
    titles = titles_of(card, signals_of(card))
    return Palette(
        names=tuple(visible(title) for title in titles.values()),
        background=process_titles(card)[BACKGROUND] if background else None,
    )


def process_titles(card: ScoreCard) -> dict[str, str]:
    """How the processes of a card are printed, the background first."""
    titles = {BACKGROUND: "Background"}
    titles |= {
        file.process: visible(file.title or file.process)
        for file in card.challenge.files
        if file.role != "blackbox"
    }
    return titles | {
        name: visible(title) for name, title in titles_of(card, signals_of(card)).items()
    }


def axis_title(one: Distribution) -> str:
    """Title of an observable with its unit."""
    title = visible(one.title)
    return f"{title} [{visible(one.unit)}]" if one.unit else title


def working_intervals(physics: Physics, signal: str) -> list[tuple[float, float, float, float]]:
    """Return the working points of one signal as (FPR, TPR, lower, upper)."""
    return [
        (
            point.fpr,
            point.rates[signal].tpr,
            point.rates[signal].interval.lower,
            point.rates[signal].interval.upper,
        )
        for point in physics.working_points
        if isinstance(point, WorkingPoint) and signal in point.rates
    ]


def measured(row: str, name: str, value: float, span: Interval | Span) -> Measured:
    """Make a dot of a chart from a value with its interval."""
    return Measured(row=visible(row), name=name, value=value, lower=span.lower, upper=span.upper)


def not_measured(what: str, missing: object) -> Note:
    """Say that something was not measured, and why."""
    reason = missing.not_measured if isinstance(missing, NotMeasured) else "unknown"
    return Note(text=f"{what}: not measured, {reason}", tone="warn")
