"""The model of the ranking table, which `table.js` draws in the app and in the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median

from pydantic import JsonValue

from harness.board.added import AddedFigures
from harness.board.formats import (
    DASH,
    EVIDENCE_TITLES,
    METRIC_TITLES,
    Cell,
    amount,
    figure_of,
    figures_text,
    has_added,
    merit_text,
    percent,
    reach_signals,
    rests_on_few,
    signal_cell,
    signal_column,
)
from harness.board.reach import reach_text, span_text
from harness.board.rows import (
    DECLARED_TITLE,
    RANK_NOTE,
    AmountCell,
    Board,
    BoardRow,
    MeritCell,
    RateCell,
    ReachCell,
    SignalCell,
    synthetic_note,
)
from harness.card.declared import NOT_STATED
from harness.card.figures import NotMeasured
from harness.card.text import visible, without_exceptions
from harness.challenge import RESOURCE_TITLES, AnyTarget, CpuTarget, Merit, NoTarget, Target
from leaderboard_app.blocks import Note, Table
from leaderboard_app.views.common import MANY_SIGNALS, Href, class_text

SEEN_HELP = (
    "What the makers declare that they did with signal events: none looked at, figures computed, "
    "choices made by them (tuned), or trained on their labels (supervised)"
)
_SEEN_TONES = {"none": "good", "tuned": "bad", "supervised": "bad"}


def ranking_model(board: Board, href: Href, *, compare: str = "") -> dict[str, JsonValue]:
    """Make the model that `table.js` draws.

    Parameters
    ----------
    href : callable
        Address of the page of ``(team, card)``.
    compare : str
        Address of the comparison, to which ``entries=a&entries=b`` is added; empty: there is none.
    """
    board = board.model_copy(update={"rows": board.measured})
    order = _profile_order(board) if has_profile(board) else []
    return {
        "caption": f"Ranking on {visible(board.title)}: {figures_text(board)}",
        "compare": compare,
        "columns": _model_columns(board),
        "rows": [_model_row(row, i, board, href, order) for i, row in enumerate(board.rows)],
        "filters": [
            _filter(key, title, [_facets(row)[key] for row in board.rows])
            for key, title in _FILTERS.items()
        ],
    }


def _filter(key: str, title: str, values: Sequence[str]) -> JsonValue:
    options: list[JsonValue] = [[value, visible(value)] for value in sorted(set(values)) if value]
    return {"key": key, "title": title, "options": options}


_FILTERS = {
    "division": "Division",
    "class": "Size",
    "evidence": "Evidence",
    "seen": "Signals seen",
    "by": "Made by",
    "part": "Part",
}


def _facets(row: BoardRow) -> dict[str, str]:
    """Return what a row can be filtered by, in words; empty: it has none."""
    return {
        "division": row.division,
        "class": class_text(row.resource_class) if row.resource_class else "",
        "evidence": _evidence(row),
        "seen": _seen(row),
        "by": "maintainers (baselines)" if row.is_baseline else "teams",
        "part": row.part or "",
    }


def _seen(row: BoardRow) -> str:
    return "supervised" if row.learning == "supervised" else row.signals_seen or NOT_STATED


def _evidence(row: BoardRow) -> str:
    return EVIDENCE_TITLES[row.evidence] if row.evidence else ""


def _model_columns(board: Board) -> list[JsonValue]:
    return [
        _column("rank", "Rank", "num", 1, help=RANK_NOTE),
        _column("team", "Team", "entry", 1),
        *_efficiency_columns(board),
        *_cost_columns(board),
        *_evidence_columns(board),
        _column("seen", "Signals seen", "badge", 1, help=SEEN_HELP),
        _column(
            *("isolation", "Sandbox", "badge", 1),
            help="How the submission was isolated",
            hidden=True,
        ),
        _column("date", "Scored", "text", -1, unit="UTC"),
    ]


def _evidence_columns(board: Board) -> list[JsonValue]:
    if not isinstance(board.target, Target):
        return []
    words = (
        "Weakest evidence behind the figures of the row. Cycles and resources may rest on more: "
        "each figure says it"
    )
    return [_column("evidence", "Evidence", "badge", 1, help=words)]


def _rate_scale(board: Board) -> JsonValue:
    """Return one scale for all efficiencies, so that their bars can be compared."""
    shown = [signal_cell(row, name) for row in board.rows for name in board.signals]
    cells = [cell for cell in shown if isinstance(cell, RateCell | SignalCell)]
    merits = [row.merit.value for row in board.rows if isinstance(row.merit, MeritCell)]
    merits += [row.added.total for row in board.rows if isinstance(row.added, AddedFigures)]
    figures = [figure_of(cell) for cell in cells]
    values = [*(value or 0.0 for value in figures), *(cell.upper for cell in cells), *merits]
    positive = [value for value in values if value > 0]
    if not positive:
        return None
    # Intervals that reach down to 0 leave it on the left.
    low, high = min(positive), max(positive)
    return [low / 2, max(high, low * 5)]


def _efficiency_columns(board: Board) -> list[JsonValue]:
    metric = METRIC_TITLES.get(board.metric, board.metric)
    merit, what, scale = board.ranked_merit, figures_text(board), _rate_scale(board)
    first = 1 if merit.smaller_is_better else -1
    return [
        _column(
            "merit",
            "Merit",
            "rate",
            first,
            unit=merit.title,
            range=scale,
            help=f"{metric} over the signals ({what}), none counted as worse than by chance",
        ),
        *_added_columns(board, scale),
        *_profile_columns(board, scale),
        *(
            _column(
                signal_column(board, name),
                visible(title),
                "rate",
                first,
                unit=merit.title,
                range=scale,
                help=f"{what} with its 95 % interval",
                **({"hidden": True} if has_profile(board) else {}),
            )
            for name, title in board.signals.items()
        ),
        _column("auc", "AUC", "num", -1, unit="mean", help="Mean over the signals"),
        *_accuracy_columns(board),
        *_reach_columns(board),
    ]


def _reach_columns(board: Board) -> list[JsonValue]:
    words = (
        "Injected events, accepted or not, at which half of the trials end in evidence (3 sigma, "
        "global) after the trigger, with the 95 % interval"
    )
    return [
        _column(
            f"reach_{name}",
            f"Reach {visible(board.signals[name])}",
            "num",
            1,
            unit="events",
            help=words,
            hidden=True,
        )
        for name in reach_signals(board)
    ]


def _accuracy_columns(board: Board) -> list[JsonValue]:
    if all(row.mean_accuracy is None for row in board.rows):
        return []
    words = "Share of jets or events on the right side of the best cut, for as many of each kind"
    return [_column("accuracy", "Accuracy", "num", -1, unit="mean", help=words)]


def has_profile(board: Board) -> bool:
    """Whether signals are too many for a column each: one profile stands for them."""
    return len(board.signals) > MANY_SIGNALS


def _added_columns(board: Board, scale: JsonValue) -> list[JsonValue]:
    if not has_added(board):
        return []
    words = (
        "Efficiency of (menu or entry) minus that of the menu, over the signals, at the entry's "
        "total rate"
    )
    return [_column("added", "Added", "rate", -1, unit="to the menu", range=scale, help=words)]


def _profile_columns(board: Board, scale: JsonValue) -> list[JsonValue]:
    if not has_profile(board):
        return []
    words = (
        f"{figures_text(board)} of each signal with its 95 % interval, in one order for all "
        "entries: by the median over them"
    )
    return [
        _column("profile", f"{len(board.signals)} signals", "profile", 0, range=scale, help=words)
    ]


def _profile_order(board: Board) -> list[str]:
    """Order the signals by the median of the entries' figures, the best first."""
    figures = {
        name: [
            figure
            for row in board.rows
            if (figure := figure_of(signal_cell(row, name))) is not None
        ]
        for name in board.signals
    }
    sign = 1 if board.ranked_merit.smaller_is_better else -1
    return sorted(figures, key=lambda name: sign * median(figures[name] or [0.0]))


def _profile_cell(row: BoardRow, board: Board, order: Sequence[str]) -> JsonValue:
    """Make the small picture of all signals of one entry."""
    merit = board.ranked_merit
    dots: list[JsonValue] = []
    words = []
    for name in order:
        cell = signal_cell(row, name)
        if isinstance(cell, RateCell | SignalCell):
            value = figure_of(cell) or 0.0
            dots.append([cell.lower, value, cell.upper])
            words.append(f"{visible(board.signals[name])} {merit_text(merit, value)}")
        else:
            dots.append(None)
    return {"v": None, "t": "", "p": dots, "tip": "; ".join(words)} if words else None


def _cost_columns(board: Board) -> list[JsonValue]:
    flops = _column("flops", "FLOPs", "num", 1, help="Floating-point operations per event")
    match board.target:
        case Target() as target:
            return [*_firmware_columns(target), flops]
        case CpuTarget(max_time_ms=limit):
            unit = "ms" if limit is None else f"of {amount(limit)} ms"
            words = "Processor time of one event, scored by itself"
            return [_column("cpu", "CPU", "num", 1, unit=unit, help=words), flops]
        case NoTarget():
            return [flops]


# Of the resources, those that seldom decide: the visitor may add their columns.
_RARELY_ASKED = frozenset({"ff", "bram18"})


def _firmware_columns(target: Target) -> list[JsonValue]:
    return [
        _column(
            "latency",
            "Latency",
            "num",
            1,
            unit=f"of {amount(target.max_latency_ns)} ns",
            help="Worst-case latency: clock cycles times the clock period",
        ),
        _column("ii", "II", "num", 1, unit="cycles", help="Initiation interval"),
        *(
            _column(
                name,
                title,
                "num",
                1,
                unit="% of part",
                help="Share of the part; the bar is the share of the contest's budget",
                hidden=name in _RARELY_ASKED,
            )
            for name, title in RESOURCE_TITLES.items()
        ),
    ]


def _column(key: str, title: str, kind: str, first: int, **more: JsonValue) -> JsonValue:
    return {"key": key, "title": title, "kind": kind, "first": first, **more}


def _model_row(row: BoardRow, at: int, board: Board, href: Href, order: Sequence[str]) -> JsonValue:
    cells: dict[str, JsonValue] = {
        "rank": _rank_cell(row),
        "team": {
            "v": row.team,
            "t": visible(row.team),
            "s": visible(row.title),
            "tags": list(_tags(row)),
        },
        "merit": _merit_cell(row, board.ranked_merit, is_low=rests_on_few(row, board.signals)),
        "auc": _number_cell(row.mean_auc, ".3f"),
        "accuracy": _number_cell(
            NotMeasured(not_measured="not measured by this scoring")
            if row.mean_accuracy is None
            else row.mean_accuracy,
            ".3f",
        ),
        "flops": _number_cell(row.flops, ",.0f"),
        "evidence": None
        if row.evidence is None
        else {
            "v": _evidence(row),
            "t": _evidence(row),
            "tone": "" if row.evidence == "estimate" else "good",
        },
        "seen": {"v": _seen(row), "t": _seen(row), "tone": _SEEN_TONES.get(_seen(row), "")},
        "isolation": {
            "v": row.isolation,
            "t": row.isolation,
            "tone": "good" if row.isolation == "bwrap" else "bad",
        },
        "date": {"v": row.created, "t": row.created[:10], "tip": row.created},
    }
    cells |= {
        signal_column(board, name): _signal_cell(signal_cell(row, name), board.ranked_merit)
        for name in board.signals
    }
    if row.added is not None:
        cells["added"] = _added_cell(row.added)
    cells |= {f"reach_{name}": _reach_cell(cell) for name, cell in row.reach.items()}
    if order:
        cells["profile"] = _profile_cell(row, board, order)
    cells |= _target_cells(row, board.target)
    words = (row.team, row.title, row.part or "", _evidence(row), row.division, row.card)
    return {
        "id": f"{row.team}/{row.card}",
        "team": row.team,
        "at": at,
        "href": href(row.team, row.card),
        "ranked": row.rank is not None,
        "facets": dict(_facets(row)),
        "words": " ".join(words).lower(),
        "reasons": [visible(without_exceptions(reason)) for reason in row.reasons],
        "cells": cells,
    }


def _tags(row: BoardRow) -> Iterator[str]:
    if row.learning == "supervised":
        yield "supervised control"
    elif row.is_baseline:
        yield "baseline"


def _target_cells(row: BoardRow, target: AnyTarget) -> dict[str, JsonValue]:
    """Make the cells of what an entry costs on the gate."""
    match target:
        case Target():
            return {
                "latency": _latency_cell(row, target),
                "ii": _amount_cell(row.interval_cycles),
                **{name: _share_cell(row, name, target) for name in RESOURCE_TITLES},
            }
        case CpuTarget() if row.processor_ms is not None:
            return {"cpu": _number_cell(row.processor_ms, ".4g")}
    return {}


def _rank_cell(row: BoardRow) -> JsonValue:
    if row.rank is None:
        return None
    span = f"(true rank {row.best_rank} to {row.worst_rank})"
    tip = (
        f"Rank {row.rank}; the true rank is within {row.best_rank} to {row.worst_rank} "
        "(95 %, all entries together). "
    ) + (f"{class_text(row.resource_class)}: rank {row.class_rank}." if row.resource_class else "")
    cell: dict[str, JsonValue] = {"v": row.rank, "t": str(row.rank), "s": span, "tip": tip}
    if row.is_pareto:
        cell["mark"] = "Pareto"
        cell["tip"] = f"{tip} No other entry is at least as good in merit and in what it costs."
    return cell


def _merit_cell(row: BoardRow, merit: Merit, *, is_low: bool) -> JsonValue:
    if isinstance(row.merit, NotMeasured):
        return _missing(row.merit)
    cell: dict[str, JsonValue] = {"v": row.merit.value, "t": merit_text(merit, row.merit.value)}
    if row.merit.lower is not None and row.merit.upper is not None:
        cell |= {"lo": row.merit.lower, "hi": row.merit.upper}
        lower, upper = merit_text(merit, row.merit.lower), merit_text(merit, row.merit.upper)
        cell["tip"] = f"95 %: {lower} to {upper}"
    else:
        cell |= {"lo": row.merit.value, "hi": row.merit.value}
    said = [*(["float"] if row.arithmetic == "float" else []), *(["low stat."] if is_low else [])]
    return {**cell, "s": ", ".join(said)} if said else cell


def _added_cell(found: AddedFigures | NotMeasured) -> JsonValue:
    if isinstance(found, NotMeasured):
        return _missing(found)
    cell: dict[str, JsonValue] = {"v": found.total, "t": percent(found.total)}
    pure = "" if isinstance(found.added, NotMeasured) else percent(found.added)
    if pure and found.added_lower is not None and found.added_upper is not None:
        pure += f" ({percent(found.added_lower)} to {percent(found.added_upper)})"
    tip = f"{pure} where the rate that it adds is fixed" if pure else ""
    if found.lower is None or found.upper is None:
        return {**cell, "lo": found.total, "hi": found.total, "tip": tip}
    span = f"95 %: {percent(found.lower)} to {percent(found.upper)}"
    return {
        **cell,
        "lo": found.lower,
        "hi": found.upper,
        "tip": "; ".join(filter(None, (span, tip))),
    }


def _reach_cell(cell: ReachCell) -> JsonValue:
    span = span_text(cell.lower, cell.upper, cell.n_events)
    tip = f"95 %: {span}; of {cell.n_events:,} events"
    return {"v": cell.value, "t": reach_text(cell.value, cell.n_events), "tip": tip}


def _signal_cell(cell: RateCell | SignalCell | NotMeasured | None, merit: Merit) -> JsonValue:
    if not isinstance(cell, RateCell | SignalCell):
        return None if cell is None else _missing(cell)
    value = cell.tpr if isinstance(cell, RateCell) else cell.value
    lower, upper = merit_text(merit, cell.lower), merit_text(merit, cell.upper)
    return {
        **({"s": "low stat."} if cell.is_low_statistics else {}),
        "v": value,
        "t": merit_text(merit, value),
        "lo": cell.lower,
        "hi": cell.upper,
        "tip": f"{_counts(cell)}; 95 %: {lower} to {upper}",
    }


def _counts(cell: RateCell | SignalCell) -> str:
    if isinstance(cell, RateCell):
        return f"{cell.n_passing:,} of {cell.n_events:,} events pass"
    return f"{cell.n_background:,} background and {cell.n_signal:,} signal events pass"


def _missing(cell: NotMeasured) -> JsonValue:
    return {"v": None, "t": DASH, "tip": visible(without_exceptions(cell.not_measured))}


def _number_cell(value: float | NotMeasured, form: str) -> JsonValue:
    if isinstance(value, NotMeasured):
        return _missing(value)
    return {"v": value, "t": format(value, form)}


def _amount_cell(cell: AmountCell | NotMeasured) -> JsonValue:
    if isinstance(cell, NotMeasured):
        return _missing(cell)
    return {
        "v": cell.value,
        "t": amount(cell.value),
        "tip": EVIDENCE_TITLES[cell.evidence],
        **_estimated(cell),
    }


def _estimated(cell: AmountCell) -> dict[str, JsonValue]:
    """Mark a figure that is only estimated, in its own cell."""
    return {"s": "est."} if cell.evidence == "estimate" else {}


def _latency_cell(row: BoardRow, target: Target) -> JsonValue:
    if isinstance(row.latency_ns, NotMeasured):
        return _missing(row.latency_ns)
    share = row.latency_ns.value / target.max_latency_ns
    cycles = row.latency_cycles
    cycles_text = _clock_cycles(cycles)
    return {
        "v": row.latency_ns.value,
        "t": amount(row.latency_ns.value),
        "share": share,
        "tip": f"{EVIDENCE_TITLES[row.latency_ns.evidence]}; {cycles_text}{share:.1%} of the limit",
        **_estimated(row.latency_ns),
    }


def _clock_cycles(cycles: AmountCell | NotMeasured) -> str:
    if isinstance(cycles, NotMeasured):
        return ""
    evidence = EVIDENCE_TITLES[cycles.evidence]
    return f"{amount(cycles.value)} clock cycle{'s' * (cycles.value != 1)} ({evidence}); "


def _share_cell(row: BoardRow, name: str, target: Target) -> JsonValue:
    cell: AmountCell | NotMeasured = getattr(row, name)
    if isinstance(cell, NotMeasured):
        return _missing(cell)
    made: dict[str, JsonValue] = {
        **_estimated(cell),
        "v": cell.value,
        "t": amount(cell.value) if cell.share is None else small_percent(cell.share),
    }
    tip = f"{amount(cell.value)} {RESOURCE_TITLES[name]} ({EVIDENCE_TITLES[cell.evidence]})"
    budget = getattr(target.budget, name)
    if budget:
        made["share"] = cell.value / budget
        tip += f"; {cell.value / budget:.1%} of the budget of {budget:,}"
    made["tip"] = tip
    return made


def small_percent(share: float) -> str:
    """Write a share of the part in per cent, without its sign.

    Examples
    --------
    >>> small_percent(0.0), small_percent(0.0003), small_percent(0.1234)
    ('0', '0.03', '12.3')
    """
    value = 100 * share
    if value == 0:
        return "0"
    return f"{value:.2g}" if value < 1 else f"{value:.1f}"


def declared_tables(board: Board) -> list[Table]:
    """Return the declared entries, apart from the measured ones; none where there is none."""
    if not board.declared:
        return []
    write = partial(merit_text, board.ranked_merit)

    def text(cell: Cell, written: Callable[[float], str]) -> str:
        figure = figure_of(cell)
        return DASH if figure is None else written(figure)

    rows = [
        (
            row.team,
            row.title,
            text(row.merit, write),
            *(text(signal_cell(row, name), write) for name in board.signals),
            text(row.mean_auc, "{:.3f}".format),
        )
        for row in board.declared
    ]
    columns = ("Team", "Title", "Merit", *board.signals.values(), "Mean AUC")
    words = frozenset({1})
    return [Table(columns=columns, rows=rows, caption=DECLARED_TITLE, words=words)]


def board_notes(board: Board) -> list[Note]:
    """Say what the figures of a board mean."""
    above = synthetic_note(is_of_collisions=board.is_of_collisions)
    return [Note(text=note) for note in board.notes if note != above]
