"""Hidden signals that the organiser has opened: a decision beside the cards, never a changed card.

The cards hold the figures of hidden signals from the first day, and whoever shows cards to the
public drops them. A decision of the kind ``reveal`` ends that for one signal. It is the only way to
open a signal: `harness reveal` writes it for chosen signals, `harness ci open` for all signals of a
private challenge. It is final, because what was public stays public.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.board.decisions import add_decision, make_decision, read_decisions
from harness.board.public import hidden_signals
from harness.card.files import CARD_SUFFIX, read_card
from harness.challenge import Utc
from harness.errors import DataError, UsageError


def revealed_signals(results: Path, challenge: str) -> frozenset[str]:
    """Names of the hidden signals of a challenge that were opened.

    Raises
    ------
    DataError
        The file of decisions is broken.
    """
    return read_decisions(results, challenge).revealed


def closed_signals(results: Path, challenge: str) -> frozenset[str]:
    """Names of the signals that are hidden on some card of a challenge and not opened."""
    hidden = frozenset().union(*_hidden_on_cards(results, challenge))
    return hidden - revealed_signals(results, challenge)


def check_revealable(results: Path, challenge: str, signals: Sequence[str]) -> int:
    """Count the cards on which all of `signals` are hidden.

    Raises
    ------
    UsageError
        One of them is hidden on no card, or was opened before.
    """
    found = _hidden_on_cards(results, challenge)
    known = frozenset().union(*found)
    unknown = [name for name in signals if name not in known]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: hidden on no card of {challenge}",
            where=str(results / challenge),
            expected=f"one of {', '.join(sorted(known))}" if known else "cards that hide some",
            fix="give the organiser's own results by --results: public parts of cards hold "
            "nothing that could be shown",
        )
    before = revealed_signals(results, challenge) & set(signals)
    if before:
        raise UsageError(f"{', '.join(sorted(before))}: revealed before")
    return sum(set(signals) <= hidden for hidden in found)


def _hidden_on_cards(results: Path, challenge: str) -> list[frozenset[str]]:
    """Return the hidden signals of each card that can be read."""
    hidden = []
    for path in sorted((results / challenge).glob(f"*/*{CARD_SUFFIX}")):
        try:
            hidden.append(hidden_signals(read_card(path).challenge))
        except DataError:
            continue
    return hidden


def reveal_signals(
    results: Path, challenge: str, signals: Sequence[str], *, reason: str, decided: Utc
) -> Path:
    """Write down that `signals` are open; return the file of decisions.

    Raises
    ------
    UsageError
        See `check_revealable`; or the reason is empty or too long.
    EnvironmentFaultError
        The file cannot be written.
    """
    check_revealable(results, challenge, signals)
    made = [
        make_decision("reveal", reason=reason, decided=decided, signal=signal)
        for signal in dict.fromkeys(signals)
    ]
    path = results
    for decision in made:
        path = add_decision(results, challenge, decision)
    return path
