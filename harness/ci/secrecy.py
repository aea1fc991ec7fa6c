"""What a public board may not hold: where whole cards go, and which part the public gets.

A challenge keeps something secret if its manifest is private or if it hides signals. Its whole
cards go to the organiser's own results, and their public parts to the board.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.board.decisions import read_decisions
from harness.board.entry import is_same_scoring
from harness.board.index import CardIndex
from harness.board.public import public_part
from harness.card.files import CARD_SUFFIX, read_card, write_card
from harness.ci.intake import ScoringSettings
from harness.ci.opening import carry_to_whole_cards
from harness.ci.private import PrivatePlace, open_contest, open_results
from harness.errors import EnvironmentFaultError, HarnessError, UsageError, attempt
from harness.scoring.readiness import refuse_unrankable, secret_of


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
        The public challenge keeps something secret, and there is no place for its whole cards; or
        a location or the name of a challenge is wrong.
    """
    secret = secret_of(settings.rules)
    if secret and place is None:
        raise UsageError(
            f"{settings.rules.name} {secret}, and a board is public",
            expected="a place of your own for the whole cards",
            fix="name it: --private-results LOCATION",
        )
    if place is not None and place.manifest is None and not secret:
        raise UsageError("a private challenge takes --private-manifest and --private-results")
    with ExitStack() as stack:
        chosen = [] if secret else [settings]
        if place is not None:
            results = stack.enter_context(open_results(place.results))
            apart = replace(settings, results=results, public=settings.results)
            chosen += [apart] if secret else []
            if place.manifest is not None:
                contest = stack.enter_context(open_contest(place.manifest, place.challenge, None))
                manifests = (*settings.manifests, contest.manifest)
                chosen.append(replace(apart, rules=contest.rules, manifests=manifests))
        for own in chosen:
            _refuse_unrankable(own)
            if own.public is not None:
                carry_to_whole_cards(own.public, own.results, own.rules.name)
        yield chosen


def _refuse_unrankable(settings: ScoringSettings) -> None:
    """Refuse a challenge that would rank nobody; the log of a private one says no more than that.

    Raises
    ------
    UsageError
        See `readiness.refuse_unrankable`.
    """
    try:
        refuse_unrankable(settings.rules)
    except UsageError as error:
        if settings.public is None:
            raise
        raise UsageError(
            f"the manifest of {settings.rules.name} has {len(error.problems)} faults, for which "
            "nobody would be ranked",
            fix=f"where nobody else reads it: harness data check {settings.rules.name} --manifest "
            "FILE",
        ) from None


def show_public_parts(
    settings: ScoringSettings, keys: Iterable[str | None]
) -> dict[str, HarnessError]:
    """Write the public parts of cards to the board, where whole cards are kept apart from it.

    Parameters
    ----------
    keys : iterable of str or None
        Names of cards, ``<team>/<file name without its ending>``; None is passed over. A card
        whose public part is on the board already gets no second one. Nothing is written where
        the challenge shows nothing until it is opened.

    Returns
    -------
    mapping of str to HarnessError
        The cards whose public parts could not be written, and why: nothing of a path is in it.
    """
    board, challenge = settings.public, settings.rules.name
    if board is None or settings.rules.private == "until_open":
        return {}
    revealed = read_decisions(board, challenge).revealed
    shown = CardIndex(board, is_private=True).refresh().entries.get(challenge, ())

    def show(key: str) -> None:
        card = read_card(_path_of(settings.results, challenge, key))
        if not any(is_same_scoring(entry.card, card) for entry in shown):
            write_card(public_part(card, revealed), board)

    failures: dict[str, HarnessError] = {}
    for key in filter(None, keys):
        if isinstance(error := attempt(partial(show, key)), HarnessError):
            told = f"its public part is not on the board: {error.problems[0].what}"
            failures[key] = EnvironmentFaultError(told, fix="mend it, and publish again")
    return failures


def _path_of(results: Path, challenge: str, key: str) -> Path:
    return results / challenge / f"{key}{CARD_SUFFIX}"
