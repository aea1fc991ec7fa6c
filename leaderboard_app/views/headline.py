"""What a visitor sees first: what is ranked, who leads, by how much, whether that is sure."""

from __future__ import annotations

from harness.board.headline import Headline
from harness.card.html import text_html
from leaderboard_app.markup import time_html


def headline_html(headline: Headline) -> str:
    """Write the sentences above a board, the most important one the largest."""
    until = "no deadline"
    if headline.deadline is not None:
        until = f"until {time_html(headline.deadline)}"
    return (
        '<div class="lb-headline">'
        f"<p class='lb-ranked'><b>Ranked:</b> {text_html(headline.ranked)}.</p>"
        f"<p class='lb-leader'>{text_html(headline.leader)}.</p>"
        f"<p class='lb-sure'>{text_html(headline.certainty)}</p>"
        f"<p class='lb-count'>{text_html(headline.entries)}; {until}.</p></div>"
    )
