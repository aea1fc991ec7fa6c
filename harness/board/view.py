"""Whether one card can be ranked, and its figure of merit, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from harness.board.contest import Rulebook
from harness.board.eligibility import reasons_against
from harness.board.entry import Entry, fpr_text, shown_physics
from harness.board.merit import merit_at
from harness.card.records import NotMeasured, ScoreCard
from harness.card.terminal import rate_text
from harness.card.text import plain

_METRICS = {
    "geometric_mean_tpr": "geometric mean over the signals",
    "mean_tpr": "mean over the signals",
    "lowest_tpr": "lowest over the signals",
}


def standing_view(card: ScoreCard) -> RenderableType:
    """Write the figure that entries are ranked by, and why this card would not be ranked."""
    return Group(*_standing_lines(card))


def _standing_lines(card: ScoreCard) -> Iterator[Text]:
    entry = Entry(key=card.submission.team, card=card)
    contest = Rulebook().contest_of([entry])
    physics = shown_physics(card)
    merit = merit_at(physics, contest)
    if physics is not None and not isinstance(merit, NotMeasured):
        yield Text.assemble(
            (f"merit {rate_text(merit)}", "bold"),
            f": {_METRICS[contest.rules.metric]} of the TPR ({physics.arithmetic}) at FPR "
            f"{fpr_text(contest.working_point)}, each counted as at least that",
        )
    reasons = reasons_against(entry, contest)
    why = "; ".join(reasons) if reasons else "no rule is broken"
    yield Text.assemble(("not ranked: " if reasons else "can be ranked: ", "bold"), plain(why))
