"""Hidden signals that the organiser has opened: a decision beside the cards, never a changed card.

The cards hold the figures of hidden signals from the first day, and whoever shows cards to the
public drops them. A decision of the kind ``reveal`` ends that for one signal; it stands in
``results/<challenge>/decisions.json`` with its time and reason, and can't be taken back: what was
public stays public.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.board.decisions import Decision, add_decision, read_decisions
from harness.board.public import hidden_signals
from harness.card.files import CARD_SUFFIX, read_card
from harness.challenge import Utc
from harness.errors import DataError, Problem, UsageError


def revealed_signals(results: Path, challenge: str) -> frozenset[str]:
    """Names of the hidden signals of a challenge that were opened.

    Raises
    ------
    DataError
        The file of decisions is broken.
    """
    return read_decisions(results, challenge).revealed


def check_revealable(results: Path, challenge: str, signals: Sequence[str]) -> int:
    """Count the cards on which all of `signals` are hidden.

    Raises
    ------
    UsageError
        One of them is hidden on no card, or was opened before.
    """
    found = [hidden for hidden in _hidden_on_cards(results, challenge) if hidden]
    known = frozenset().union(*found)
    unknown = [name for name in signals if name not in known]
    if unknown:
        raise UsageError(
            Problem(
                what=f"{', '.join(unknown)}: hidden on no card of {challenge}",
                where=str(results / challenge),
                expected=f"one of {', '.join(sorted(known))}" if known else "cards that hide some",
                fix="name the organiser's own results by --results: public parts of cards hold "
                "nothing that could be shown",
            )
        )
    before = revealed_signals(results, challenge) & set(signals)
    if before:
        raise UsageError(f"{', '.join(sorted(before))}: revealed before")
    return sum(set(signals) <= hidden for hidden in found)


def _hidden_on_cards(results: Path, challenge: str) -> list[frozenset[str]]:
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
        The file can't be written.
    """
    check_revealable(results, challenge, signals)
    if not 1 <= len(reason) <= 1000:
        raise UsageError(f"a reason of {len(reason)} characters, expected 1 to 1000")
    path = results
    for signal in dict.fromkeys(signals):
        decision = Decision(kind="reveal", decided=decided, reason=reason, signal=signal)
        path = add_decision(results, challenge, decision)
    return path
