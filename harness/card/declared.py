"""What a team declares of its entry, in words: the same on every page, comment and terminal."""

from __future__ import annotations

from harness.card.records import Submitted
from harness.challenge import LEARNING_TITLES

NOT_STATED = "not stated"


def declared_facts(said: Submitted) -> dict[str, str]:
    """Return the declared words by their titles; text that others wrote is in them."""
    learning = said.stated_learning
    detail = f": {said.method_detail}" if said.method_detail else ""
    return {
        "Learning": NOT_STATED if learning is None else LEARNING_TITLES[learning],
        "Method": f"{(said.method or NOT_STATED).replace('_', ' ')}{detail}",
        "Kinds of training data": ", ".join(said.trained_on) or NOT_STATED,
        "Signals seen": said.signals_seen or NOT_STATED,
    }
