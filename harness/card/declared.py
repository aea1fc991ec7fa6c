"""What a team declares of its entry, in words: the same on every page, comment and terminal."""

from __future__ import annotations

from harness.card.run import Submitted
from harness.challenge import LEARNING_TITLES, SignalsSeen

NOT_STATED = "not stated"
# Who signs the baselines.
MAINTAINERS = "The harness's maintainers"
# What a page says of what was done with signal events.
SIGNALS_SEEN_TEXTS: dict[SignalsSeen | None, str] = {
    "none": "Its makers declare that they looked at no signal event.",
    "evaluated": "Its makers computed figures on signals, and declare that they chose nothing by "
    "them.",
    "tuned": "Its makers chose something by figures on signals: figures on the same signals are "
    "optimistic by that choice.",
    None: "Its makers do not say whether they looked at signals while they made it.",
}


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
