"""What the main branch did to teams that are on a board: renamed, removed or brought back.

Each becomes a decision that names the commit, so that the board shows what the folders show. It is
written once: an organiser who takes it back is not contradicted by the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness.board.decisions import Decision, add_decision, make_decision, read_decisions
from harness.board.index import CardIndex
from harness.board.teams import Standing, Teams
from harness.challenge import utc
from harness.ci.folders import SUBMISSIONS
from harness.ci.git import Repository
from harness.ci.plan import find_renames


def follow_main(clone: Repository, commit: str, results: Path, challenge: str) -> None:
    """Write down which teams of a challenge's board the main branch has changed.

    Parameters
    ----------
    commit : str
        Of the main branch; its first parents are what it was before.
    results : Path
        Those of the board.
    """
    folders = {entry.path for entry in clone.entries(f"{commit}:{SUBMISSIONS}") if entry.is_folder}
    made = read_decisions(results, challenge).decisions
    known = {(one.kind, one.team, one.commit) for one in made}
    for standing in _standings(results, challenge):
        for decision in _changes(clone, commit, standing, folders):
            if (decision.kind, decision.team, decision.commit) not in known:
                add_decision(results, challenge, decision)


def _standings(results: Path, challenge: str) -> list[Standing]:
    """Return the teams of a board; one is withdrawn only if all of its cards are."""
    snapshot = CardIndex(results).refresh()
    teams = Teams.of(snapshot.decisions_of(challenge))
    found: dict[str, Standing] = {}
    for entry in snapshot.entries.get(challenge, ()):
        standing = teams.of_card(entry.card)
        if standing.name not in found or standing.withdrawal is None:
            found[standing.name] = standing
    return [found[name] for name in sorted(found)]


def _changes(
    clone: Repository, commit: str, standing: Standing, folders: Collection[str]
) -> Iterator[Decision]:
    """Follow one team to the folder that it has now, or to the commit that removed the last."""
    name, withdrawal = standing.name, standing.withdrawal
    if withdrawal is not None:
        if name in folders and withdrawal.commit is not None:
            yield _decision(clone, commit, "readmit", f"{name} is there again", team=name)
        return
    while name not in folders:
        touched = clone.commit_times(commit, f"{SUBMISSIONS}/{name}")
        if not touched:
            # It never had a folder here: its cards come from elsewhere.
            return
        removal = touched[0][0]
        earlier = find_renames(clone, f"{removal}^1", removal)
        present = next((new for new, old in earlier.items() if old == name), None)
        if present is None:
            yield _decision(clone, removal, "withdraw", f"{name} was removed", team=name)
            return
        what = f"{name} was renamed to {present}"
        yield _decision(clone, removal, "rename", what, team=name, to=present)
        name = present


def _decision(clone: Repository, commit: str, kind: str, what: str, **subject: str) -> Decision:
    seconds = int(clone.text("log", "-1", "--format=%ct", "--end-of-options", commit))
    return make_decision(
        kind,
        reason=f"{what} on the main branch",
        decided=utc(datetime.fromtimestamp(seconds, UTC)),
        commit=commit,
        **subject,
    )
