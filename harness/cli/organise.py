"""What an organiser decides of a board: commands of `harness ci`, one for each decision."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

import click

from harness.cli.ci_options import board_options, private_results_option
from harness.cli.options import FC, challenge_option, json_option
from harness.cli.output import console, print_json, tell

if TYPE_CHECKING:
    from harness.board.decisions import DecisionKind
    from harness.ci.session import BoardWork

Decide = Callable[..., None]


def _decision_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a decision; the command gets `decide`, which makes it and says so."""

    @board_options
    @challenge_option
    @click.option("--reason", required=True, help="Why: everybody sees it.")
    @wraps(command)
    def gathered(*, work: BoardWork, challenge: str | None, reason: str, **values: object) -> None:
        from harness.ci.organise import decide as decide_on

        def decide(
            kind: DecisionKind, *, is_same_team: bool = False, **subject: str | None
        ) -> None:
            path = decide_on(
                work, challenge, kind, reason=reason, is_same_team=is_same_team, **subject
            )
            tell(f"{kind}: {path}")

        command(decide=decide, **values)

    return gathered


def _undo_option(what: str) -> Callable[[FC], FC]:
    return click.option("--undo", is_flag=True, help=what)


@click.command("open")
@board_options
@challenge_option
@private_results_option(required=True)
@json_option
def open_private(
    work: BoardWork, challenge: str | None, private_results: str, as_json: bool
) -> None:
    """Open a private challenge with its hidden signals: the final ranking, printed and as pages."""
    from harness.board import formats
    from harness.board.rows import board_of
    from harness.ci.organise import open_ranking

    board = board_of(open_ranking(work, challenge, private_results))
    if as_json:
        print_json(board)
    else:
        console().print(formats.terminal_view(board))


@click.command()
@click.option(
    "--deadline",
    help="With its zone, as 2026-03-01T12:00:00Z or 2026-03-01T13:00:00+01:00. [default: now]",
)
@_decision_options
def freeze(deadline: str | None, decide: Decide) -> None:
    """Freeze the board: what is received after the deadline does not count."""
    decide("freeze", deadline=deadline)


@click.command()
@_decision_options
def thaw(decide: Decide) -> None:
    """Undo a freeze: the manifest's deadline holds again."""
    decide("thaw")


@click.command()
@click.argument("card")
@_undo_option("Let it count again.")
@_decision_options
def retract(card: str, undo: bool, decide: Decide) -> None:
    """Take CARD back, named <team>/<file name without .json>; it stays listed, with the reason."""
    decide("reinstate" if undo else "retract", card=card)


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--same-team", "is_same_team", is_flag=True, help="NEW has cards: it is OLD's team.")
@_undo_option("Take this rename back.")
@_decision_options
def rename(old: str, new: str, is_same_team: bool, undo: bool, decide: Decide) -> None:
    """Give the team OLD the name NEW on every page; its cards and its history come along.

    A folder that a pull request renames needs no such decision: publishing writes it.
    """
    decide("unrename" if undo else "rename", is_same_team=is_same_team, team=old, to=new)


def _team_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a decision on a whole team takes: TEAM, --undo, and the options of a decision."""
    for option in (
        _decision_options,
        _undo_option("Let its cards count again."),
        click.argument("team"),
    ):
        command = option(command)
    return command


@click.command()
@_team_options
def withdraw(team: str, undo: bool, decide: Decide) -> None:
    """Take TEAM out of the ranking; it stays listed, with the reason.

    A folder that a pull request deletes needs no such decision: publishing writes it.
    """
    decide("readmit" if undo else "withdraw", team=team)


@click.command()
@_team_options
def disqualify(team: str, undo: bool, decide: Decide) -> None:
    """Disqualify TEAM: no card of it counts, nor one that it hands in later, under any name.

    It stays listed, with the reason. Comments on its pull requests say so, too.
    """
    decide("requalify" if undo else "disqualify", team=team)


DECISIONS = (open_private, freeze, thaw, retract, rename, withdraw, disqualify)
