"""Physics of one card: signals, ROC, scores, float against firmware, rate."""

from __future__ import annotations

from harness.board.comparison import compare_rate
from harness.board.entry import point_at, shown_physics
from harness.board.formats import DASH
from harness.board.rows import titles_of
from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.physics import Accuracy, Auc, Physics, WorkingPoint
from harness.card.records import ScoreCard
from harness.card.text import visible
from harness.card.trigger_view import three_digits
from harness.challenge import input_rate_khz, point_text
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Note, Section, Table
from leaderboard_app.charts import Curve, Palette
from leaderboard_app.views.common import (
    BACKGROUND,
    drawn_signals,
    few_drawn,
    interval_text,
    measured,
    not_measured,
    palette_of,
    process_titles,
    small_rate,
    working_intervals,
)
from leaderboard_app.views.subject import Subject


def physics_sections(subject: Subject) -> list[Section]:
    """Lay out efficiencies, ROC, scores, and what the firmware lost."""
    card = subject.card
    physics = shown_physics(card)
    if physics is None:
        return [Section(title="Physics", blocks=(not_measured("Scores", card.firmware_physics),))]
    point = card.challenge.working_point
    whose = "the firmware's" if physics.arithmetic == "firmware" else "the float network's"
    sections = [
        Section(
            title=f"Physics at {point_text(card.challenge.merit, point)}",
            lead=f"From {whose} scores of {physics.n_background:,} test background events.",
            columns=2,
            blocks=(
                _signal_table(card, physics),
                _point_table(card, physics),
                *_missing_physics(card),
            ),
        ),
        Section(
            title="ROC and scores",
            lead=few_drawn(card),
            columns=2,
            blocks=(
                charts.roc(_curves(card, physics), palette_of(card)),
                *_score_pictures(card, physics),
            ),
        ),
    ]
    both = (card.float_physics, card.firmware_physics)
    if not any(isinstance(one, NotMeasured) for one in both):
        sections.append(_loss_section(subject))
    return sections


def _missing_physics(card: ScoreCard) -> list[Block]:
    if isinstance(card.firmware_physics, NotMeasured) and card.submission.division == "trigger":
        return [not_measured("Firmware scores", card.firmware_physics)]
    return []


def _bracketed(found: Auc | Accuracy) -> str:
    return f"{found.value:.4f} [{found.interval.lower:.4f}, {found.interval.upper:.4f}]"


def _signal_table(card: ScoreCard, physics: Physics) -> Table:
    point = point_at(physics, card.challenge.working_point)
    events = "per preselected event" if card.challenge.is_of_collisions else "per event"
    rows = []
    for name, title in titles_of(card, list(physics.auc)).items():
        cells = [title, _bracketed(physics.auc[name])]
        if isinstance(point, NotMeasured) or name not in point.rates:
            cells += [DASH, DASH, DASH]
        else:
            rate = point.rates[name]
            cells += [
                interval_text(rate.tpr, rate.interval.lower, rate.interval.upper),
                f"{rate.n_passing:,} of {rate.n_events:,}",
                f"{rate.significance_improvement:.3g}",
            ]
        rows.append(cells)
    is_low = not isinstance(point, NotMeasured) and point.is_low_statistics
    few = "; low statistics: the threshold is hardly known" if is_low else ""
    columns = ["Signal", "AUC", "TPR", "Events", "TPR/√FPR"]
    if physics.accuracy is not None:
        columns.append("Accuracy")
        for row, name in zip(rows, physics.auc, strict=True):
            row.append(_bracketed(physics.accuracy[name]) if name in physics.accuracy else DASH)
    return Table(columns=tuple(columns), rows=rows, caption=f"95 % intervals; {events}" + few)


def _curves(card: ScoreCard, physics: Physics, prefix: str = "") -> list[Curve]:
    shown = [name for name in physics.roc if name in drawn_signals(card)]
    titles = titles_of(card, shown)
    return [
        Curve(
            name=prefix or visible(titles[name]),
            fpr=points.fpr,
            tpr=points.tpr,
            points=working_intervals(physics, name),
        )
        for name, points in ((name, physics.roc[name]) for name in shown)
    ]


def _score_pictures(card: ScoreCard, physics: Physics) -> list[Block]:
    if physics.scores is None:
        return [Note(text="The distribution of the scores was not kept.")]
    titles = process_titles(card)
    point = point_at(physics, card.challenge.working_point)
    return [
        charts.score_histogram(
            physics.scores.edges,
            {
                titles.get(name, visible(name)): counts
                for name, counts in physics.scores.counts.items()
                if name in {BACKGROUND, *drawn_signals(card)}
            },
            palette_of(card, background=True),
            threshold=None if isinstance(point, NotMeasured) else point.threshold,
        )
    ]


def _point_table(card: ScoreCard, physics: Physics) -> Table:
    rows = []
    merit = card.challenge.merit
    for point in physics.working_points:
        named = point_text(merit, point.fpr).removeprefix("FPR ")
        if isinstance(point, UnreachedWorkingPoint):
            rows.append([named, point.not_measured, DASH, DASH, DASH])
            continue
        rows.append(
            [
                named,
                "low statistics" if point.is_low_statistics else "measured",
                f"{point.n_passing:,} of {point.n_allowed:,} allowed",
                small_rate(point.fpr_realised),
                f"{'>' if point.is_strict else '≥'} {point.threshold:.6g}",
            ]
        )
    return Table(
        columns=(
            "FPR" if input_rate_khz(merit) is None else "Rate",
            "Status",
            "Background passing",
            "Realised FPR",
            "Score",
        ),
        rows=rows,
        caption="Working points, set on test background alone",
        words=frozenset({1}),
    )


def _loss_section(subject: Subject) -> Section:
    card = subject.card
    exact, fixed = card.float_physics, card.firmware_physics
    if isinstance(exact, NotMeasured) or isinstance(fixed, NotMeasured):
        return Section(title="")
    fpr = card.challenge.working_point
    points = [point_at(exact, fpr), point_at(fixed, fpr)]
    if any(isinstance(point, NotMeasured) for point in points):
        return Section(title="")
    names = ("float network", "firmware")
    values, rows = [], []
    for signal, title in titles_of(card, list(fixed.auc)).items():
        for name, point in zip(names, points, strict=True):
            if isinstance(point, WorkingPoint):
                rate = point.rates[signal]
                is_low = point.is_low_statistics
                values.append(measured(title, name, rate.tpr, rate.interval, is_low=is_low))
        rows.append([title, *_loss_cells(fixed, exact, signal, fpr)])
    return Section(
        title="Lost between float and firmware",
        columns=2,
        blocks=(
            charts.dots(
                values,
                Palette(names=names),
                title=f"TPR at {point_text(card.challenge.merit, fpr)}",
            ),
            Table(
                columns=("Signal", "Firmware / float", "95 %, paired", "Verdict"),
                rows=rows,
                caption="Same events, same replicates",
                words=frozenset({3}),
            ),
        ),
    )


def _loss_cells(fixed: Physics, exact: Physics, signal: str, fpr: float) -> list[str]:
    if not fixed.replicates.get(signal) or not exact.replicates.get(signal):
        return [DASH, DASH, "not comparable"]
    found = compare_rate(fixed, exact, signal, fpr)
    is_same = fixed.replicates[signal] == exact.replicates[signal]
    verdict = "equal" if is_same and not found.difference else "not resolved"
    if found.is_resolved:
        verdict = "lost" if found.difference < 0 else "gained"
    span = f"{found.ratio_span.lower:.3g} to {found.ratio_span.upper:.3g}"
    return [f"{found.ratio:.3g}", span, verdict]


def rate_section(card: ScoreCard) -> Section:
    """Turn the false positive rate into a trigger rate, and say what that assumes."""
    physics = shown_physics(card)
    point = point_at(physics, card.challenge.working_point)
    crossing = card.challenge.collision_rate_hz
    if physics is None or isinstance(point, NotMeasured):
        return Section(title="")
    khz = input_rate_khz(card.challenge.merit)
    if khz is not None:
        return _khz_section(physics, point, khz)
    if crossing is None:
        return Section(title="")
    rate = point.fpr_realised * crossing
    low, high = (edge * crossing for edge in fpr_span(point.n_passing, physics.n_background))
    return Section(
        title="Trigger rate",
        lead=f"{_hertz(rate)} at {crossing / 1e6:,.0f} MHz of collisions, if each of them passed "
        f"the preselection; {_hertz(low)} to {_hertz(high)} by the counted events alone (95 %).",
        blocks=(
            Note(
                text=f"{point.n_passing:,} of {physics.n_background:,} test background events "
                f"pass: {small_rate(point.fpr_realised)} per preselected event. {_asked_for(card)}"
                "The share of collisions that passes the preselection is not known here: multiply "
                "by it. Pile-up and detector are those of the data."
            ),
        ),
    )


def _khz_section(physics: Physics, point: WorkingPoint, khz: float) -> Section:
    """Write the rate of the trigger where the rate of all events is known."""
    low, high = (edge * khz for edge in fpr_span(point.n_passing, physics.n_background))
    return Section(
        title="Trigger rate",
        lead=f"{three_digits(point.fpr_realised * khz)} kHz of {khz:,.10g} kHz; "
        f"{three_digits(low)} to {three_digits(high)} kHz "
        "by the counted events alone (95 %).",
        blocks=(
            Note(
                text=f"{point.n_passing:,} of {physics.n_background:,} test background events "
                f"pass: {small_rate(point.fpr_realised)} per event. The rate of all events is the "
                "challenge's."
            ),
        ),
    )


def _asked_for(card: ScoreCard) -> str:
    """Say what the preselection asks for, if the card says it."""
    asked = card.challenge.preselection
    if asked is None:
        return ""
    kinds = " or ".join(map(visible, asked.leading))
    return f"The preselection asks for one {kinds} of {asked.leading_pt_gev:g} GeV. "


def fpr_span(n_passing: int, n_background: int) -> tuple[float, float]:
    """95 % interval of the true FPR where `n_passing` of `n_background` events pass.

    A threshold that was set on these events themselves at the k-th highest score has a true FPR
    distributed as Beta(k, n - k + 1); with no event passing, its upper end is that for k = 1.

    Examples
    --------
    >>> low, high = fpr_span(10, 1_000_000)
    >>> round(low * 1e6, 2), round(high * 1e6, 2)
    (4.8, 17.08)
    """
    from scipy.special import betaincinv

    k = max(n_passing, 1)
    low, high = (float(betaincinv(k, n_background - k + 1, tail)) for tail in (0.025, 0.975))
    return (low if n_passing else 0.0), high


def _hertz(rate: float) -> str:
    """Write a rate with three digits at most."""
    return f"{float(f'{rate:.3g}'):,.6g} Hz"
