"""What a public board may not hold: where whole cards go, and which part the public gets.

A challenge keeps something secret if its manifest is private or if it hides signals. Its whole
cards go to the organiser's own results, and their public parts to the board.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from harness.board.decisions import read_decisions
from harness.board.entry import is_same_scoring
from harness.board.index import CardIndex
from harness.board.public import public_part
from harness.card.files import CARD_SUFFIX, read_card, write_card
from harness.ci.intake import ScoringSettings
from harness.ci.private import PrivatePlace, open_contest, open_results
from harness.errors import UsageError


@contextmanager
def open_challenges(
    settings: ScoringSettings, place: PrivatePlace | None
) -> Iterator[list[ScoringSettings]]:
    """Give the settings of every challenge that is scored: the public one, then the private one.

    Parameters
    ----------
    settings : ScoringSettings
        Of the public challenge; its `results` are those of the board.
    place : PrivatePlace, optional
        Where the organiser's results are, and a private challenge if there is one.

    Raises
    ------
    UsageError
        The public challenge hides signals, and there is no place for its whole cards; or a
        location or the name of a challenge is wrong.
    """
    n_hidden = len(settings.rules.processes("hidden"))
    if n_hidden and place is None:
        raise UsageError(
            f"{settings.rules.name} hides {n_hidden} signals, and a board is public",
            expected="a place of your own for the whole cards; the board gets their public parts",
            fix="name it: --private-results LOCATION",
        )
    if place is not None and place.manifest is None and not n_hidden:
        raise UsageError("a private challenge takes --private-manifest and --private-results")
    with ExitStack() as stack:
        chosen = [] if n_hidden else [settings]
        if place is not None:
            results = stack.enter_context(open_results(place.results))
            apart = replace(settings, results=results, public=settings.results)
            chosen += [apart] if n_hidden else []
            if place.manifest is not None:
                contest = stack.enter_context(open_contest(place.manifest, place.challenge, None))
                manifests = (*settings.manifests, contest.manifest)
                chosen.append(replace(apart, rules=contest.rules, manifests=manifests))
        yield chosen


def show_public_parts(settings: ScoringSettings, keys: Iterable[str | None]) -> None:
    """Write the public parts of cards to the board, where whole cards are kept apart from it.

    Parameters
    ----------
    keys : iterable of str or None
        Names of cards, ``<team>/<file name without its ending>``; None is passed over. A card
        whose public part is on the board already gets no second one.
    """
    board, challenge = settings.public, settings.rules.name
    if board is None:
        return
    revealed = read_decisions(board, challenge).revealed
    shown = CardIndex(board, is_private=True).refresh().entries.get(challenge, ())
    for key in filter(None, keys):
        card = read_card(_path_of(settings.results, challenge, key))
        if not any(is_same_scoring(entry.card, card) for entry in shown):
            write_card(public_part(card, revealed), board)


def _path_of(results: Path, challenge: str, key: str) -> Path:
    return results / challenge / f"{key}{CARD_SUFFIX}"
