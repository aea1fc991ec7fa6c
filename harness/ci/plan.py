"""What a pull request changes, and whether it is scored.

Git reads all from the two commits; nothing is checked out. What counts is the difference between
the base and the merge of the head into it: what the main branch would gain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from harness.challenge import Account, IntakeRules, is_name
from harness.ci.documents import Plan, PlannedSubmission, ToldProblem, cut
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
from harness.data.manifest import Manifest
from harness.errors import InvalidSubmissionError, Problem, UsageError
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
    challenges: Manifest | None = None,
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
    challenges : Manifest, optional
        Where the challenges must be that submissions declare; without it they do not matter.

    Raises
    ------
    UsageError
        One of the names is no commit, or `author` is no name of an account.
    GitError
        Git could not compare them.
    """
    author = _account(author)
    base, head = repository.resolve(base), repository.resolve(head)
    blank = Plan(kind="empty", base=base, head=head, author=author)
    try:
        merged, changes = _merge(repository, base, head)
        others, teams = _sort(changes)
        if not teams:
            return blank.model_copy(update={"kind": "other" if others else "empty"})
        _raise_any(
            *_path_problems(others, changes),
            *_team_problems(repository, teams, intake, base=base, merged=merged),
        )
        # Nothing of a pull request with such a problem is read any further.
        folders = [read_folder(repository, team, base=base, merged=merged) for team in teams]
        _check_folders(repository, folders, challenges, intake, author)
    except InvalidSubmissionError as error:
        problems = tuple(ToldProblem.of(one) for one in error.problems[:_MAX_PROBLEMS])
        return blank.model_copy(update={"kind": "refused", "problems": problems})
    unchecked = intake.ownership == "owners" and author is None
    notes = ("no account was named, so the owners were not checked",) if unchecked else ()
    return Plan(
        kind="submissions",
        base=base,
        head=head,
        author=author,
        submissions=_planned(repository, folders),
        notes=notes,
    )


def _check_folders(
    repository: Repository,
    folders: Sequence[TeamFolder],
    challenges: Manifest | None,
    intake: IntakeRules,
    author: str | None,
) -> None:
    """Refuse folders with something wrong in them, or that belong to somebody else."""
    _raise_any(
        *(
            problem
            for folder in folders
            for problem in folder_problems(repository, folder, challenges)
        ),
        *ownership_problems(repository, folders, intake, author),
    )


def _merge(repository: Repository, base: str, head: str) -> tuple[str, list[PathChange]]:
    """Return the tree that the merge would give, and what it changes.

    Raises
    ------
    InvalidSubmissionError
        The commits conflict, or too many files change.
    """
    try:
        repository.check_tree(head)
        merge = repository.merge(base, head)
        if merge.conflicts:
            raise InvalidSubmissionError(_conflict(merge.conflicts))
        return merge.tree, list(repository.changes(f"{base}^{{tree}}", merge.tree))
    except TooLargeError as error:
        problem = Problem(what="changes more files than can be listed", fix=FEWER_FILES)
        raise InvalidSubmissionError(problem) from error


def _account(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        account: str = TypeAdapter(Account).validate_python(name)
    except ValidationError as error:
        raise UsageError(
            f"{name[:80]!r} is no account", expected="a name without spaces"
        ) from error
    return account


def _raise_any(*problems: Problem) -> None:
    if problems:
        raise InvalidSubmissionError(*problems)


def _conflict(paths: Sequence[str]) -> Problem:
    return Problem(
        what="conflicts with the main branch",
        where=_named(paths),
        expected="a branch that merges",
        fix="merge the main branch into yours, or rebase it, and push again",
    )


def _sort(changes: Iterable[PathChange]) -> tuple[list[PathChange], list[str]]:
    """Return the changes outside folders of teams, and the teams whose folders change."""
    others, teams = [], set()
    for change in changes:
        folder, _, rest = change.path.partition("/")
        team, _, file = rest.partition("/")
        if folder == SUBMISSIONS and file:
            teams.add(team)
        else:
            others.append(change)
    return others, sorted(teams)


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
            fix="hand in the submission alone; anything else needs a pull request of its own",
        )
    for mode, title in MODE_TITLES.items():
        paths = [change.path for change in changes if change.new_mode == mode != "000000"]
        if paths:
            what = f"is {title}" if len(paths) == 1 else f"each is {title}"
            yield irregular(what, _named(paths))


def _team_problems(
    repository: Repository, teams: Sequence[str], intake: IntakeRules, *, base: str, merged: str
) -> Iterator[Problem]:
    if len(teams) > intake.max_submissions:
        yield Problem(
            what=f"changes {len(teams):,} submissions",
            where=_named(teams),
            expected=f"at most {intake.max_submissions}",
            fix="hand them in one after the other",
        )
        return
    there: dict[str, set[str]] = defaultdict(set)
    for tree in (base, merged):
        for entry in repository.entries(f"{tree}:{SUBMISSIONS}"):
            there[folded(entry.path)].add(entry.path)
    for team in teams:
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


def find_renames(repository: Repository, before: str, after: str) -> dict[str, str]:
    """Return the earlier names of the teams whose folders were renamed between two commits."""
    changes = repository.changes(f"{before}^{{tree}}", f"{after}^{{tree}}")
    names = [name for name in _sort(changes)[1] if is_name(name)]
    folders = [read_folder(repository, name, base=before, merged=after) for name in names]
    return _renames(folders, _gone(repository, folders))


def _gone(repository: Repository, teams: Sequence[TeamFolder]) -> dict[str, set[str]]:
    """Return the files of the folders that are removed."""
    return {
        team.name: {entry.object for entry in repository.entries(tree, is_deep=True)}
        for team in teams
        if team.new_tree is None and (tree := team.base_tree) is not None
    }


def _planned(repository: Repository, teams: Sequence[TeamFolder]) -> tuple[PlannedSubmission, ...]:
    sources = _renames(teams, _gone(repository, teams))
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
    """Pair each new folder with the removed one that shares most files with it, at least half."""
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
