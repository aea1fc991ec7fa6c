"""What several pages share: titles, colours and ways of writing."""

from __future__ import annotations

from collections.abc import Callable

from harness.board.comparison import Span
from harness.board.entry import point_at, shown_physics, signals_of
from harness.board.formats import amount, figures_text, percent, rests_on_few
from harness.board.rows import Board, BoardRow, titles_of
from harness.card.accepted import Distribution
from harness.card.figures import Interval, NotMeasured
from harness.card.physics import Physics, WorkingPoint
from harness.card.records import ScoreCard
from harness.card.text import visible, without_exceptions
from leaderboard_app.blocks import Note
from leaderboard_app.charts import CurvePoint, Measured, Palette

# Address of the page of (team, card).
Href = Callable[[str, str], str]
BACKGROUND = "background"
# More signals are no columns and no curves of one picture.
MANY_SIGNALS = 6


def with_unit(value: float, unit: str) -> str:
    """Write a figure with its unit, which is one of one cycle.

    Examples
    --------
    >>> with_unit(1, "cycles"), with_unit(16, "cycles"), with_unit(3_200, "")
    ('1 cycle', '16 cycles', '3,200')
    """
    shown = "cycle" if unit == "cycles" and value == 1 else unit
    return f"{amount(value)} {shown}".strip()


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
    """Colours of the signals that pictures show of a card, the same on every page."""
    titles = titles_of(card, drawn_signals(card))
    return Palette(
        names=tuple(visible(title) for title in titles.values()),
        background=process_titles(card)[BACKGROUND] if background else None,
    )


def drawn_signals(card: ScoreCard) -> tuple[str, ...]:
    """Return the signals that pictures show: all, or of many some from the best to the worst.

    Their order is that of the TPR at the challenge's working point, or else of the AUC.
    """
    names = signals_of(card)
    physics = shown_physics(card)
    if len(names) <= MANY_SIGNALS or physics is None:
        return names
    point = point_at(physics, card.challenge.working_point)
    figures = {name: auc.value for name, auc in physics.auc.items()}
    if not isinstance(point, NotMeasured):
        figures |= {name: rate.tpr for name, rate in point.rates.items()}
    order = sorted((name for name in names if name in figures), key=lambda name: -figures[name])
    step = (len(order) - 1) / (MANY_SIGNALS - 1)
    return tuple(dict.fromkeys(order[round(i * step)] for i in range(MANY_SIGNALS)))


def few_drawn(card: ScoreCard) -> str:
    """Say that pictures show some of many signals; empty where they show all."""
    n_all, n_drawn = len(signals_of(card)), len(drawn_signals(card))
    if n_all == n_drawn:
        return ""
    return f"{n_drawn} of {n_all} signals, from the best to the worst of this entry."


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


def working_intervals(physics: Physics, signal: str) -> list[CurvePoint]:
    """Return the working points of one signal."""
    return [
        CurvePoint(
            fpr=point.fpr,
            tpr=point.rates[signal].tpr,
            lower=point.rates[signal].interval.lower,
            upper=point.rates[signal].interval.upper,
            is_low=point.is_low_statistics,
        )
        for point in physics.working_points
        if isinstance(point, WorkingPoint) and signal in point.rates
    ]


def small_rate(value: float) -> str:
    """Write a small rate to three digits, as a power of ten.

    Examples
    --------
    >>> small_rate(9.174e-6), small_rate(1e-4), small_rate(0.0)
    ('9.17e-6', '1.00e-4', '0')
    """
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}" if value else "0"


def measured(
    row: str, name: str, value: float, span: Interval | Span, *, is_low: bool = False
) -> Measured:
    """Make a dot of a chart from a value with its interval; hollow if `is_low`."""
    return Measured(
        row=visible(row), name=name, value=value, lower=span.lower, upper=span.upper, is_low=is_low
    )


def low_statistics_notes(board: Board) -> list[Note]:
    """Say that the figures shown rest on few events, where they do."""
    if not any(rests_on_few(row, board.signals) for row in board.rows):
        return []
    where = figures_text(board).partition(" at ")[2] or "this point"
    text = (
        f"Low statistics at {where}: so few background events may pass that the threshold is "
        "hardly known. Such figures are shown, and rank nobody."
    )
    return [Note(text=text, tone="warn")]


def not_measured(what: str, missing: object) -> Note:
    """Say that something was not measured, and why."""
    said = missing.not_measured if isinstance(missing, NotMeasured) else "unknown"
    reason = without_exceptions(said)
    return Note(text=f"{what}: not measured, {reason}", tone="warn")
