"""Two to six entries side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from harness.board.comparison import PairedComparison, Span
from harness.board.contest import Contest, merit_of_rules
from harness.board.entry import may_be_paired, shown_physics
from harness.board.formats import DASH, EVIDENCE_TITLES, merit_text
from harness.board.merit import (
    compare_merit,
    compare_signal,
    is_better,
    is_comparable_signal,
    rests_on_few,
)
from harness.board.rows import titles_of
from harness.card.figures import NotMeasured
from harness.card.hardware import Figure
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.text import visible
from harness.challenge import RESOURCE_TITLES, Merit
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Note, Section, Table
from leaderboard_app.charts import Curve, Measured, Palette
from leaderboard_app.views.common import measured, with_unit, working_intervals
from leaderboard_app.views.subject import Subject

FEW_TEXT = (
    "Low statistics: so few events may pass that the threshold of an entry is hardly known. Such "
    "figures are marked, their dots are hollow, and they rank nobody."
)


def compare_sections(subjects: Sequence[Subject]) -> list[Section]:
    """Lay two to six entries side by side; differences are to the first of them."""
    named = [(subject.team, subject) for subject in subjects]
    names = _distinct([name for name, _ in named])
    palette = Palette(names=tuple(names))
    contest = subjects[0].contest
    scored = [
        (name, subject, physics)
        for name, subject in zip(names, subjects, strict=True)
        if (physics := shown_physics(subject.card)) is not None
    ]
    sections = []
    comparable = _comparable(subjects)
    if not comparable:
        text = (
            "These cards were scored on different data, at different working points or by "
            "different scorer versions: their figures stand side by side but are not compared."
        )
        sections.append(_said(text, "warn"))
    else:
        titles = {"": "Merit", **titles_of(subjects[0].card, contest.signals)}
        sections += _difference_sections(scored, contest, titles)
    sections.append(_roc_section(scored, palette))
    sections.append(Section(title="Costs", blocks=(_cost_table(names, subjects),)))
    return sections


def beside_sections(first: Subject, others: Sequence[Subject]) -> list[Section]:
    """Compare the merit of one entry with that of each of the others that can be compared."""
    shown = [first, *(other for other in others if _comparable([first, other]))]
    scored = [
        (subject.team, subject, physics)
        for subject in shown
        if (physics := shown_physics(subject.card)) is not None
    ]
    if len(scored) < 2 or scored[0][1] is not first:
        return [_said("No other entry of this board can be compared with it.")]
    return _difference_sections(scored, first.contest, {"": "Merit"})


def _said(text: str, tone: str = "plain") -> Section:
    return Section(title="", blocks=(Note(text=text, tone=tone),))


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
    return merit_of_rules(first.challenge) == contest.merit and all(
        may_be_paired(first, subject.card) and first.scorer_version == subject.card.scorer_version
        for subject in subjects
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pair:
    """One figure of an entry against that of the first; `found` is None where one has it not."""

    name: str
    title: str
    found: PairedComparison | None
    is_low: bool


def _difference_sections(
    scored: Sequence[tuple[str, Subject, Physics]], contest: Contest, titles: Mapping[str, str]
) -> list[Section]:
    """Compare the others with the first, the one place where entries are paired."""
    if len(scored) < 2:
        return []
    if not contest.signals:
        return [_said("All signals are hidden: no figures are compared.")]
    (first_name, _, first), *others = scored
    found = [
        _pair(name, title, (physics, first), signal, contest)
        for name, _, physics in others
        for signal, title in titles.items()
    ]
    table = Table(
        columns=("Entry", "Ratio", "95 %, paired", "Difference", "95 %, paired", "In words"),
        rows=[_difference_row(one, first_name, contest) for one in found],
        caption=f"{contest.merit.describe()} over that of {first_name}, and minus it"
        + (" in percentage points (pp)" if contest.merit.is_share else "")
        + "; each interval for this one comparison",
        words=frozenset({5}),
    )
    names = (first_name, *(name for name, *_ in others))
    few = Note(text=FEW_TEXT, tone="warn")
    return [
        Section(
            title=f"Compared with {first_name}",
            lead="Events that both accept cancel: the ratio is known better than either rate. "
            "The ranks of the board are stricter, as they hold for all entries at once.",
            blocks=(
                *[few] * any(one.is_low for one in found),
                *_ratio_chart(found, names, contest.merit),
                table,
            ),
        )
    ]


def _ratio_chart(pairs: Sequence[_Pair], names: Sequence[str], merit: Merit) -> list[Block]:
    """Draw ratios to the first of `names`, which is the line at 1."""
    values = [
        measured(one.title, one.name, found.ratio, found.ratio_span, is_low=one.is_low)
        for one in pairs
        if (found := one.found) is not None
        and isfinite(found.ratio)
        and isfinite(found.ratio_span.upper)
    ]
    if not values:
        return []
    first = names[0]
    # The first keeps its colour, which it has in every chart of the page.
    rows = dict.fromkeys(value.row for value in values)
    values = [
        *(Measured(row=row, name=first, value=1.0, lower=1.0, upper=1.0) for row in rows),
        *values,
    ]
    title = f"{merit.title} / that of {visible(first)}, logarithmic"
    return [charts.dots(values, Palette(names=tuple(names)), title=title, reference=1.0)]


def _difference_row(pair: _Pair, first: str, contest: Contest) -> list[str]:
    named, found = f"{pair.name}, {pair.title}", pair.found
    if found is None:
        return [named, DASH, DASH, DASH, DASH, "not comparable"]
    span = found.ratio_span
    words = comparison_words(found, contest, pair.name, first)
    return [
        named,
        f"{found.ratio:.3g}" if isfinite(found.ratio) else DASH,
        f"{span.lower:.3g} to {span.upper:.3g}" if isfinite(span.upper) else DASH,
        _signed(found.difference, contest.merit),
        _span_text(found.difference_span, contest.merit),
        f"{words}; {charts.FEW}" if pair.is_low else words,
    ]


def _pair(
    name: str, title: str, both: tuple[Physics, Physics], signal: str, contest: Contest
) -> _Pair:
    """Compare one figure of `both`: that of a signal, or the merit, which is of all of them."""
    wanted = [signal] if signal else contest.signals
    found = None
    if all(is_comparable_signal(one, contest, each) for one in both for each in wanted):
        found = compare_signal(*both, signal, contest) if signal else compare_merit(*both, contest)
    is_low = any(rests_on_few(one, contest, wanted) for one in both)
    return _Pair(name=name, title=title, found=found, is_low=is_low)


def comparison_words(found: PairedComparison, contest: Contest, name: str, other: str) -> str:
    """Say what a comparison lets one say."""
    if not found.is_resolved:
        return "not resolved"
    return f"{name if is_better(found, contest) else other} is better"


def _signed(value: float, merit: Merit) -> str:
    text = merit_text(merit, abs(value))
    if merit.is_share:
        # A difference of two percentages is none itself.
        text = text.removesuffix("%") + "pp"
    return f"−{text}" if value < 0 else f"+{text}" if value > 0 else text


def _span_text(span: Span, merit: Merit) -> str:
    return f"{_signed(span.lower, merit)} to {_signed(span.upper, merit)}"


def _roc_section(scored: Sequence[tuple[str, Subject, Physics]], palette: Palette) -> Section:
    pictures = []
    titles: dict[str, str] = {}
    for _, subject, physics in scored:
        titles |= titles_of(subject.card, list(physics.roc))
    for signal, title in titles.items():
        curves = [
            Curve(
                name=name,
                fpr=physics.roc[signal].fpr,
                tpr=physics.roc[signal].tpr,
                points=working_intervals(physics, signal),
            )
            for name, _, physics in scored
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
            value = with_unit(found.value, unit)
            return f"{value} ({EVIDENCE_TITLES[found.evidence]})"

        return text

    def cost(name: str) -> Callable[[ScoreCard], str]:
        def text(card: ScoreCard) -> str:
            found = DASH if isinstance(card.cost, NotMeasured) else getattr(card.cost, name)
            return DASH if isinstance(found, NotMeasured | str) else f"{found:,}"

        return text

    return Table(
        columns=("Cost", *names),
        rows=[
            row("Title", lambda card: card.submission.title),
            row("Latency", figure("latency_ns", "ns")),
            row("Initiation interval", figure("interval_cycles", "cycles")),
            *(row(title, figure(name, "")) for name, title in RESOURCE_TITLES.items()),
            row("FLOPs", cost("flops")),
            row("Bit operations", cost("bops")),
            row("Parameters", cost("n_parameters")),
            row("Scored", lambda card: card.created),
        ],
    )
