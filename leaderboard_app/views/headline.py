"""What a visitor sees first: what is ranked, who leads, by how much, whether that is sure."""

from __future__ import annotations

from html import escape

from harness.board.headline import Headline
from harness.card.html import text_html


def headline_html(headline: Headline) -> str:
    """Write the sentences above a board, the most important one the largest."""
    until = "no deadline"
    if headline.deadline is not None:
        day, _, hour = headline.deadline.rstrip("Z").partition("T")
        until = (
            f'until <time datetime="{escape(headline.deadline)}">{text_html(day)} '
            f"{text_html(hour[:5])} UTC</time>"
        )
    return (
        '<div class="lb-headline">'
        f"<p class='lb-ranked'><b>Ranked:</b> {text_html(headline.ranked)}.</p>"
        f"<p class='lb-leader'>{text_html(headline.leader)}.</p>"
        f"<p class='lb-sure'>{text_html(headline.certainty)}</p>"
        f"<p class='lb-count'>{text_html(headline.entries)}; {until}.</p></div>"
    )
