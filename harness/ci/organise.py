"""What the organiser decides of a board: each decision is one call, and the pages follow it."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.board.boards import Boards
from harness.board.decisions import FILE_NAME, Decision, DecisionKind, add_decision, make_decision
from harness.board.entry import Entry, is_same_scoring
from harness.board.index import CardIndex
from harness.board.order import Ranking
from harness.board.teams import Teams
from harness.challenge import utc
from harness.ci.opening import carry_decisions, open_cards
from harness.ci.private import open_results
from harness.ci.session import BoardWork, open_session
from harness.data.manifest import load_manifest
from harness.errors import UsageError

# Before every card: who asks for the names of that time gets the whole way of a team.
_EVER = datetime.min.replace(tzinfo=UTC)
_MAX_NAMED = 20


def decide(
    work: BoardWork,
    challenge: str | None,
    kind: DecisionKind,
    *,
    reason: str,
    is_same_team: bool = False,
    **subject: str | None,
) -> Path:
    """Write a decision down and regenerate the pages; return the file of decisions.

    Parameters
    ----------
    challenge : str or None
        On which; None: the default one.
    is_same_team : bool
        Of a rename: the team that has the new name already is the same one.
    **subject : str
        What the decision is about, see `Decision`. A freeze without `deadline` is one of now.

    Raises
    ------
    UsageError
        A value has the wrong form, or there is no such challenge, card or team: nothing is
        written.
    """
    now = utc(datetime.now(UTC))
    if kind == "freeze" and subject.get("deadline") is None:
        subject["deadline"] = now
    decision = make_decision(kind, reason=reason, decided=now, **subject)
    with open_session(work):
        board = _read_board(work, challenge)
        checked = _checked(board, decision, is_same_team=is_same_team)
        return add_decision(work.board.results, board.challenge, checked)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Board:
    """What a decision is compared with: the cards of a challenge, and whose they are."""

    challenge: str
    place: Path
    entries: tuple[Entry, ...]
    opened: tuple[Entry, ...]
    teams: Teams

    @property
    def names(self) -> frozenset[str]:
        """Present names of the teams."""
        return frozenset(self.teams.of_card(entry.card).name for entry in self.entries)


def _read_board(work: BoardWork, challenge: str | None) -> _Board:
    manifest = load_manifest(*work.manifests)
    challenge = challenge or manifest.default_name
    snapshot = CardIndex(work.board.results).refresh()
    opened = CardIndex(work.board.opened).refresh().entries
    known = {*manifest.names, *snapshot.entries, *snapshot.decisions, *opened}
    if challenge not in known:
        raise UsageError(
            f"there is no challenge {challenge[:80]!r}",
            where=str(work.board.results),
            expected=f"one of {', '.join(sorted(known))}",
            fix=_meant(challenge, known),
        )
    return _Board(
        challenge=challenge,
        place=work.board.results / challenge,
        entries=snapshot.entries.get(challenge) or opened.get(challenge, ()),
        opened=opened.get(challenge, ()),
        teams=Teams.of(snapshot.decisions_of(challenge)),
    )


def _meant(given: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(given, sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def _checked(board: _Board, decision: Decision, *, is_same_team: bool) -> Decision:
    """Check a decision against the board; return it with the card's own name."""
    team, to = decision.team or "", decision.to or ""
    match decision.kind:
        case "retract" | "reinstate":
            return decision.model_copy(update={"card": _card_key(board, decision.card or "")})
        case "rename":
            _check_rename(board, team, to, is_same_team=is_same_team)
        case "unrename":
            if not any((one.team, one.to) == (team, to) for one in board.teams.decisions):
                raise UsageError(f"{team} was not renamed to {to}", where=str(board.place))
        case "withdraw" | "readmit":
            _check_team(board, team)
            _check_withdrawal(board, team, is_wanted=decision.kind == "readmit")
        case "disqualify" | "requalify":
            _check_ban(board, team, is_wanted=decision.kind == "requalify")
    return decision


def _card_key(board: _Board, given: str) -> str:
    """Return the name of a card that is given as the pages show it.

    They show the team's present name, and of an opened challenge the whole cards; decisions are on
    the public parts.
    """
    for entry in (*board.entries, *board.opened):
        stem = entry.key.partition("/")[2]
        if given not in {entry.key, f"{board.teams.of_card(entry.card).name}/{stem}"}:
            continue
        for public in board.entries:
            if is_same_scoring(public.card, entry.card):
                return public.key
    raise UsageError(
        f"there is no card {given[:120]}",
        where=str(board.place),
        expected="<team>/<file name without .json>, as the pages show it",
    )


def _check_team(board: _Board, team: str) -> None:
    if team in board.names:
        return
    present = board.teams.standing(team, _EVER).name
    if present != team:
        raise UsageError(f"{team} is called {present} now", where=FILE_NAME, fix=f"name {present}")
    named = ", ".join(sorted(board.names)[:_MAX_NAMED])
    raise UsageError(
        f"no team {team[:80]} has a card of {board.challenge}",
        where=str(board.place),
        expected=f"one of {named}" if named else "a board with cards",
        fix=_meant(team, board.names),
    )


def _check_rename(board: _Board, team: str, to: str, *, is_same_team: bool) -> None:
    _check_team(board, team)
    if to == team:
        raise UsageError(f"{team} is its name already")
    if board.teams.standing(to, _EVER).name == team:
        raise UsageError(
            f"{team} was called {to} before",
            where=FILE_NAME,
            fix=f"take that rename back: harness ci rename {to} {team} --undo",
        )
    if to in board.names and not is_same_team:
        raise UsageError(
            f"there is a team {to}, with cards of its own",
            where=str(board.place),
            expected="a name that no team has",
            fix="choose another name; or, if both are one team: --same-team",
        )


def _check_withdrawal(board: _Board, team: str, *, is_wanted: bool) -> None:
    standings = [board.teams.of_card(entry.card) for entry in board.entries]
    own = [one for one in standings if one.name == team]
    is_withdrawn = all(one.withdrawal is not None for one in own)
    if is_withdrawn != is_wanted:
        raise UsageError(f"{team} is {'not withdrawn' if is_wanted else 'withdrawn already'}")


def _check_ban(board: _Board, team: str, *, is_wanted: bool) -> None:
    is_out = team in board.teams.disqualified
    if not is_out:
        _check_team(board, team)
    if is_out != is_wanted:
        raise UsageError(f"{team} is {'not disqualified' if is_wanted else 'disqualified already'}")


def open_ranking(work: BoardWork, challenge: str | None, private_results: str) -> Ranking:
    """Open a private challenge: its whole cards and hidden signals go to the board.

    Parameters
    ----------
    challenge : str or None
        Which one; None: the default one.
    private_results : str
        Where the organiser's whole cards are: a path, or an address of a store.

    Returns
    -------
    Ranking
        The final one.
    """
    manifest = load_manifest(*work.manifests)
    challenge = challenge or manifest.default_name
    with open_session(work), open_results(private_results, is_read=True) as private:
        open_cards(private, work.board, challenge)
        carry_decisions(work.board, private)
    boards = Boards(work.board.results, manifest.challenges)
    return boards.ranking(boards.refresh(), challenge)
