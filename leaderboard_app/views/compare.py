"""Two to six entries side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.board.comparison import PairedComparison, Span, compare_rate
from harness.board.contest import Contest
from harness.board.entry import fpr_text, may_be_paired, point_at, shown_physics
from harness.board.formats import DASH, EVIDENCE_TITLES, amount, percent
from harness.board.merit import compare_merit
from harness.board.rows import titles_of
from harness.card.records import Figure, NotMeasured, Physics, ScoreCard
from harness.card.text import visible
from harness.challenge import RESOURCE_TITLES
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Note, Section, Table
from leaderboard_app.charts import Curve, Measured, Palette
from leaderboard_app.views.common import working_intervals
from leaderboard_app.views.subject import Subject


def compare_sections(subjects: Sequence[Subject]) -> list[Section]:
    """Lay two to six entries side by side; differences are to the first of them."""
    named = [(subject.team, subject) for subject in subjects]
    names = _distinct([name for name, _ in named])
    palette = Palette(names=tuple(names))
    contest = subjects[0].contest
    measured = [
        (name, subject, physics)
        for name, subject in zip(names, subjects, strict=True)
        if (physics := shown_physics(subject.card)) is not None
    ]
    sections = []
    comparable = _comparable(subjects)
    if not comparable:
        sections.append(
            Section(
                title="",
                blocks=(
                    Note(
                        text="These cards were scored on different data, at different working "
                        "points or by different scorer versions: their figures stand side by side "
                        "but are not compared.",
                        tone="warn",
                    ),
                ),
            )
        )
    elif len(measured) > 1:
        sections.append(_difference_section(measured, contest))
    sections.append(_roc_section(measured, palette))
    sections.append(Section(title="Costs", blocks=(_cost_table(names, subjects),)))
    return sections


def _distinct(names: Sequence[str]) -> list[str]:
    """Add numbers to names that occur more than once."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if names.count(name) == 1 else f"{name} #{seen[name]}")
    return result


def _comparable(subjects: Sequence[Subject]) -> bool:
    first, contest = subjects[0].card, subjects[0].contest
    return first.challenge.working_point == contest.working_point and all(
        may_be_paired(first, subject.card) and first.scorer_version == subject.card.scorer_version
        for subject in subjects
    )


def _difference_section(
    measured: Sequence[tuple[str, Subject, Physics]], contest: Contest
) -> Section:
    (first_name, first_subject, first), *others = measured
    titles = {"": "Merit", **titles_of(first_subject.card, contest.signals)}
    found = [
        (name, title, _comparison(physics, first, signal, contest))
        for name, _, physics in others
        for signal, title in titles.items()
    ]
    table = Table(
        columns=("Entry", "Difference", "95 %, paired", "In words"),
        rows=[_difference_row(name, title, one, first_name) for name, title, one in found],
        caption=f"TPR at FPR {fpr_text(contest.working_point)} minus that of {first_name}; each "
        "interval for this one comparison",
        words=frozenset({3}),
    )
    values = [_in_points(name, title, one) for name, title, one in found if one is not None]
    names = (first_name, *(name for name, *_ in others))
    return Section(
        title=f"Difference to {first_name}",
        lead="Events that both accept cancel: the difference is known better than either rate. "
        "The ranks of the board are stricter, as they hold for all entries at once.",
        blocks=(*_difference_chart(values, names), table),
    )


def _difference_chart(values: Sequence[Measured], names: Sequence[str]) -> list[Block]:
    """Draw differences to the first of `names`."""
    if not values:
        return []
    palette = Palette(names=tuple(names), silent=names[0])
    title = f"TPR minus that of {visible(names[0])} [percentage points]"
    return [charts.dots(values, palette, title=title, reference=0.0, is_log=False)]


def _difference_row(name: str, title: str, found: PairedComparison | None, first: str) -> list[str]:
    if found is None:
        return [f"{name}, {title}", DASH, DASH, "not comparable"]
    return [
        f"{name}, {title}",
        _signed_percent(found.difference),
        _span_text(found.difference_span),
        comparison_words(found, name, first),
    ]


def _in_points(name: str, title: str, found: PairedComparison) -> Measured:
    """Make a dot of a difference, in percentage points."""
    span = found.difference_span
    return Measured(
        row=visible(title),
        name=name,
        value=100 * found.difference,
        lower=100 * span.lower,
        upper=100 * span.upper,
    )


def _comparison(
    physics: Physics, first: Physics, signal: str, contest: Contest
) -> PairedComparison | None:
    wanted = [signal] if signal else list(contest.signals)
    for one in (physics, first):
        point = point_at(one, contest.working_point)
        if isinstance(point, NotMeasured):
            return None
        if any(name not in point.rates or not one.replicates.get(name) for name in wanted):
            return None
    if signal:
        return compare_rate(physics, first, signal, contest.working_point)
    return compare_merit(physics, first, contest)


def comparison_words(found: PairedComparison, name: str, other: str) -> str:
    """Say what a comparison lets one say."""
    if not found.is_resolved:
        return "not resolved"
    return f"{name} is better" if found.difference > 0 else f"{other} is better"


def _signed_percent(value: float) -> str:
    text = percent(abs(value))
    return f"−{text}" if value < 0 else f"+{text}" if value > 0 else text


def _span_text(span: Span) -> str:
    return f"{_signed_percent(span.lower)} to {_signed_percent(span.upper)}"


def _roc_section(measured: Sequence[tuple[str, Subject, Physics]], palette: Palette) -> Section:
    pictures = []
    titles: dict[str, str] = {}
    for _, subject, physics in measured:
        titles |= titles_of(subject.card, list(physics.roc))
    for signal, title in titles.items():
        curves = [
            Curve(
                name=name,
                fpr=physics.roc[signal].fpr,
                tpr=physics.roc[signal].tpr,
                points=working_intervals(physics, signal),
            )
            for name, _, physics in measured
            if signal in physics.roc
        ]
        pictures.append((visible(title), charts.roc(curves, palette, height=400)))
    blocks: list[Block] = []
    for title, picture in pictures:
        blocks.append(
            replace(picture, spec={**picture.spec, "title": title}, alt=f"{title}: {picture.alt}")
        )
    return Section(title="ROC", columns=2, blocks=tuple(blocks))


def _cost_table(names: Sequence[str], subjects: Sequence[Subject]) -> Table:
    def row(title: str, value: Callable[[ScoreCard], str]) -> list[str]:
        return [title, *(value(subject.card) for subject in subjects)]

    def figure(name: str, unit: str) -> Callable[[ScoreCard], str]:
        def text(card: ScoreCard) -> str:
            if isinstance(card.firmware, NotMeasured):
                return DASH
            found: Figure | NotMeasured = getattr(card.firmware, name)
            if isinstance(found, NotMeasured):
                return DASH
            value = f"{amount(found.value)} {unit}".strip()
            return f"{value} ({EVIDENCE_TITLES[found.evidence]})"

        return text

    def cost(name: str) -> Callable[[ScoreCard], str]:
        def text(card: ScoreCard) -> str:
            found = DASH if isinstance(card.cost, NotMeasured) else getattr(card.cost, name)
            return DASH if isinstance(found, NotMeasured | str) else f"{found:,}"

        return text

    return Table(
        columns=("", *names),
        rows=[
            row("Latency", figure("latency_ns", "ns")),
            row("Initiation interval", figure("interval_cycles", "cycles")),
            *(row(title, figure(name, "")) for name, title in RESOURCE_TITLES.items()),
            row("FLOPs", cost("flops")),
            row("Bit operations", cost("bops")),
            row("Parameters", cost("n_parameters")),
            row("Scored", lambda card: card.created),
        ],
    )
