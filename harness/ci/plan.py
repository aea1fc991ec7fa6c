"""What a pull request changes, and whether it is scored.

All is read from the two commits by git, nothing is checked out. What counts is what the main
branch would gain: the difference between the base and the merge of head into it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from harness.challenge import Account, IntakeRules, is_name
from harness.ci.documents import Plan, PlannedSubmission, cut, told
from harness.ci.folders import (
    FEWER_FILES,
    SUBMISSIONS,
    TeamFolder,
    folded,
    folder_problems,
    ownership_problems,
    read_folder,
)
from harness.ci.git import MODE_TITLES, PathChange, Repository, TooLargeError
from harness.errors import Problem, UsageError
from harness.submission.digest import irregular

# Paths that a message names; the others are counted.
_MAX_NAMED = 5
_MAX_PROBLEMS = 100


def make_plan(
    repository: Repository,
    *,
    base: str,
    head: str,
    intake: IntakeRules,
    author: str | None = None,
) -> Plan:
    """Compare two commits and plan what is scored.

    Parameters
    ----------
    repository : Repository
        Holds both commits.
    base, head : str
        Where the pull request goes to, and what it brings.
    intake : IntakeRules
        The organiser's rules: of the base, never of the head.
    author : str, optional
        Account that opened the pull request; without it ownership is not checked.

    Raises
    ------
    UsageError
        One of the names is no commit, or `author` is no name of an account.
    GitError
        Git could not compare them.
    """
    author = _account(author)
    base, head = repository.resolve(base), repository.resolve(head)

    def plan(kind: str, **fields: object) -> Plan:
        common = {"kind": kind, "base": base, "head": head, "author": author}
        return Plan.model_validate(common | fields)

    def refused(problems: Sequence[Problem]) -> Plan:
        return plan("refused", problems=tuple(told(one) for one in problems[:_MAX_PROBLEMS]))

    merge = repository.merge(base, head)
    if merge.conflicts:
        return refused([_conflict(merge.conflicts)])
    try:
        changes = list(repository.changes(f"{base}^{{tree}}", merge.tree))
    except TooLargeError:
        return refused([Problem(what="changes more files than can be listed", fix=FEWER_FILES)])
    others, teams = _sort(changes)
    if not teams:
        return plan("other" if others else "empty")
    problems = [
        *_path_problems(others, changes),
        *_team_problems(repository, teams, intake, base=base, merged=merge.tree),
    ]
    if problems:
        # Nothing of a pull request that holds this is read any further.
        return refused(problems)
    folders = [
        read_folder(repository, team, base=base, merged=merge.tree) for team in sorted(teams)
    ]
    problems = [problem for one in folders for problem in folder_problems(repository, one)]
    problems += ownership_problems(repository, folders, intake, author)
    if problems:
        return refused(problems)
    unchecked = intake.ownership == "owners" and author is None
    notes = ("no account was named, so the owners were not checked",) if unchecked else ()
    return plan("submissions", submissions=_planned(repository, folders), notes=notes)


def _account(name: str | None) -> str | None:
    if not name:
        return None
    try:
        account: str = TypeAdapter(Account).validate_python(name)
    except ValidationError as error:
        raise UsageError(
            Problem(what=f"{name[:80]!r} is no account", expected="a name without spaces")
        ) from error
    return account


def _conflict(paths: Sequence[str]) -> Problem:
    return Problem(
        what="conflicts with the main branch",
        where=_named(paths),
        expected="a branch that merges",
        fix="merge the main branch into yours, or rebase it, and push again",
    )


def _sort(changes: Iterable[PathChange]) -> tuple[list[PathChange], set[str]]:
    """Separate the changes in folders of teams, of which the teams are returned, from others."""
    others, teams = [], set()
    for change in changes:
        folder, _, rest = change.path.partition("/")
        team, _, file = rest.partition("/")
        if folder == SUBMISSIONS and file:
            teams.add(team)
        else:
            others.append(change)
    return others, teams


def _named(paths: Sequence[str]) -> str:
    shown = ", ".join(cut(path, 120) for path in paths[:_MAX_NAMED])
    more = len(paths) - _MAX_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _path_problems(
    others: Sequence[PathChange], changes: Sequence[PathChange]
) -> Iterator[Problem]:
    if others:
        yield Problem(
            what="a submission and changes of something else",
            where=_named([change.path for change in others]),
            expected=f"files below {SUBMISSIONS}/<team>/ and no others",
            fix="hand the submission in by itself; anything else needs a pull request of its own",
        )
    for mode, title in MODE_TITLES.items():
        paths = [change.path for change in changes if change.new_mode == mode != "000000"]
        if paths:
            what = f"is {title}" if len(paths) == 1 else f"each is {title}"
            yield irregular(what, _named(paths))


def _team_problems(
    repository: Repository, teams: set[str], intake: IntakeRules, *, base: str, merged: str
) -> Iterator[Problem]:
    if len(teams) > intake.max_submissions:
        yield Problem(
            what=f"changes {len(teams):,} submissions",
            where=_named(sorted(teams)),
            expected=f"at most {intake.max_submissions}",
            fix="hand them in one after the other",
        )
        return
    there: dict[str, set[str]] = defaultdict(set)
    for tree in (base, merged):
        for entry in repository.entries(f"{tree}:{SUBMISSIONS}"):
            there[folded(entry.path)].add(entry.path)
    for team in sorted(teams):
        if not is_name(team):
            yield Problem(
                what=f"{cut(team, 80)!r} is no name for a team",
                where=f"{SUBMISSIONS}/",
                expected="1 to 64 lower case letters, digits and _ + . -, a letter or digit first",
                fix="rename the folder, and the team in its submission.yaml",
            )
        twins = sorted(there[folded(team)] - {team})
        if twins:
            yield Problem(
                what=f"{cut(team, 80)!r} and {cut(twins[0], 80)!r} are one folder on some disks",
                where=f"{SUBMISSIONS}/",
                expected="names that differ by more than case",
                fix="choose another name",
            )


def _planned(repository: Repository, teams: Sequence[TeamFolder]) -> tuple[PlannedSubmission, ...]:
    gone = {
        team.name: {entry.object for entry in repository.entries(tree, is_deep=True)}
        for team in teams
        if team.new_tree is None and (tree := team.base_tree) is not None
    }
    sources = _renames(teams, gone)
    planned = []
    for team in teams:
        if team.name in sources.values():
            continue
        if team.new_tree is None:
            change = "deleted"
        elif team.base_tree is not None:
            change = "modified"
        else:
            change = "renamed" if team.name in sources else "added"
        planned.append(
            PlannedSubmission.model_validate(
                {
                    "team": team.name,
                    "change": change,
                    "renamed_from": sources.get(team.name),
                    "tree": team.new_tree,
                    "n_files": len(team.entries),
                    "n_bytes": sum(entry.n_bytes or 0 for entry in team.entries),
                }
            )
        )
    return tuple(planned)


def _renames(teams: Sequence[TeamFolder], gone: Mapping[str, set[str]]) -> dict[str, str]:
    """Pair each new folder with the gone one that it has most files of, if that is half of them."""
    shared: dict[str, dict[str, int]] = defaultdict(dict)
    for team in teams:
        if team.base_tree is None:
            own = {entry.object for entry in team.entries}
            shared[team.name] = {old: len(own & objects) for old, objects in gone.items()}
    pairs: dict[str, str] = {}
    for name, counts in sorted(shared.items()):
        left = {old: n for old, n in counts.items() if old not in pairs.values()}
        best = max(left, key=lambda old: left[old], default=None)
        # submission.yaml always differs: it holds the name.
        if best is not None and 2 * left[best] >= max(len(gone[best]) - 1, 1):
            pairs[name] = best
    return pairs
