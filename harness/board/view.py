"""Whether one card can be ranked, its figure of merit, and answers to a box, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from harness.board.answers import ClaimedFigure, OpenedBox, ScoredClaim
from harness.board.contest import Contest, Rulebook
from harness.board.eligibility import reasons_against
from harness.board.entry import Entry, shown_physics
from harness.board.formats import merit_text
from harness.board.merit import merit_at
from harness.card.records import NotMeasured, ScoreCard
from harness.card.terminal import DASH, table
from harness.card.text import plain
from harness.challenge import AGGREGATE_TITLES


def standing_view(card: ScoreCard) -> RenderableType:
    """Write the figure that entries are ranked by, and why this card would not be ranked."""
    return Group(*_standing_lines(card))


def _aggregate(contest: Contest) -> str:
    title = AGGREGATE_TITLES[contest.rules.combines_by].lower()
    return f"{title} over the signals of the " if title else ""


def _standing_lines(card: ScoreCard) -> Iterator[Text]:
    entry = Entry(key=card.submission.team, card=card)
    contest = Rulebook().contest_of([entry])
    physics = shown_physics(card)
    merit = merit_at(physics, contest)
    if physics is not None and not isinstance(merit, NotMeasured):
        yield Text.assemble(
            (f"merit {merit_text(contest.merit, merit)}", "bold"),
            f": {_aggregate(contest)}{contest.merit.describe()} ({physics.arithmetic}), none "
            "counted as worse than by chance",
        )
    reasons = reasons_against(entry, contest)
    why = "; ".join(reasons) if reasons else "no rule is broken"
    yield Text.assemble(("not ranked: " if reasons else "can be ranked: ", "bold"), plain(why))


ANSWER_HEADER = (
    "team", "new physics", "mass [GeV]", "true mass", "pull", "score", "events", "true events",
    "pull", "score",
)  # fmt: skip


def opened_view(opened: OpenedBox) -> RenderableType:
    """Draw the answers to a box that was opened, and what was in it."""
    held = "; ".join(
        f"{one.n_events:,} events of {one.title}"
        + ("" if one.mass_gev is None else f" ({one.mass_gev:,g} GeV)")
        for one in opened.signals
    )
    lines = [f"in the box of {opened.n_events:,} events: {held or 'no signal'}"]
    if opened.synthetic:
        lines.insert(0, "synthetic events: no prediction for the real data")
    lines += [f"{one.team}: {remark}" for one in opened.claims for remark in one.remarks]
    rows = [answer_row(one) for one in opened.claims]
    drawn = table(f"{opened.challenge_title}, {opened.box_name}", ANSWER_HEADER, rows)
    return Group(drawn, *(Text(plain(line)) for line in lines))


def answer_row(claim: ScoredClaim) -> tuple[str, ...]:
    """Return the cells of one answer, under `ANSWER_HEADER`."""
    said = "yes" if claim.new_physics else "no"
    number = claim.n_events or claim.cross_section_fb
    verdict = f"{said}, {'right' if claim.is_right else 'wrong'}"
    return (claim.team, verdict, *_figure_cells(claim.mass_gev), *_figure_cells(number))


def _figure_cells(figure: ClaimedFigure | None) -> tuple[str, ...]:
    if figure is None:
        return (DASH, DASH, DASH, DASH)
    claimed = f"{figure.claimed.value:,g} ± {figure.claimed.uncertainty:,g}"
    return claimed, f"{figure.true:,g}", f"{figure.pull:+.2f}", f"{figure.log_score:.2f}"
