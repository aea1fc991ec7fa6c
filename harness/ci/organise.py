"""What the organiser decides of a board: each decision is one call, and the pages follow it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from harness.board.boards import Boards
from harness.board.decisions import Decision, add_decision, make_decision
from harness.board.index import CardIndex
from harness.board.order import Ranking
from harness.challenge import utc
from harness.ci.history import BoardFolder
from harness.ci.opening import open_cards
from harness.ci.private import open_results
from harness.ci.session import BoardWork, open_session
from harness.data.manifest import load_manifest
from harness.errors import UsageError

DecisionKind: TypeAlias = Literal["freeze", "thaw", "retract", "reinstate"]


def decide(
    work: BoardWork,
    challenge: str,
    kind: DecisionKind,
    *,
    reason: str,
    deadline: str | None = None,
    card: str | None = None,
) -> Path:
    """Write a decision down and regenerate the pages; return the file of decisions.

    Parameters
    ----------
    deadline : str, optional
        Of a freeze; without it the board is frozen now.
    card : str, optional
        Which card is retracted or reinstated.

    Raises
    ------
    UsageError
        A value has the wrong form, or there is no such card.
    """
    now = utc(datetime.now(UTC))
    if kind == "freeze" and deadline is None:
        deadline = now
    decision = make_decision(kind, reason=reason, decided=now, deadline=deadline, card=card)
    with open_session(work):
        _check_card(work.board, challenge, decision)
        return add_decision(work.board.results, challenge, decision)


def _check_card(board: BoardFolder, challenge: str, decision: Decision) -> None:
    entries = CardIndex(board.results).refresh().entries.get(challenge, ())
    if decision.card is not None and decision.card not in {entry.key for entry in entries}:
        raise UsageError(
            f"there is no card {decision.card[:120]}",
            where=str(board.results / challenge),
            expected="<team>/<file name without .json>, as the pages show it",
        )


def open_ranking(work: BoardWork, challenge: str, private_results: str) -> Ranking:
    """Open a private challenge: its whole cards and hidden signals go to the board.

    Parameters
    ----------
    private_results : str
        Where the organiser's whole cards are: a path, or an address of a store.

    Returns
    -------
    Ranking
        The final one.
    """
    with open_session(work), open_results(private_results) as private:
        open_cards(private, work.board, challenge)
    boards = Boards(work.board.opened, load_manifest(*work.manifests).challenges)
    return boards.ranking(boards.refresh(), challenge)
