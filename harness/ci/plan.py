"""What a pull request changes, and whether it is scored.

All is read from the two commits by git, nothing is checked out. What counts is what the main
branch would gain: the difference between the base and the merge of head into it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from harness.challenge import Account, IntakeRules
from harness.ci.documents import Plan, PlannedSubmission, cut, told
from harness.ci.git import (
    MODE_TITLES,
    REGULAR_MODES,
    PathChange,
    Repository,
    TooLargeError,
    TreeEntry,
)
from harness.errors import Problem, UsageError
from harness.submission.declaration import FILE_NAME, MAX_BYTES, owners_of, parse_spec
from harness.submission.digest import MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_BYTES, MIB

SUBMISSIONS = "submissions"
# As `harness.challenge.Name`.
_TEAM = re.compile(r"[a-z0-9][a-z0-9_+.-]{0,63}\Z")
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer is smaller than this and
# begins so.
_POINTER_BYTES = 1024
_POINTER = b"version https://git-lfs.github.com/spec/"
# Paths that a message names; the others are counted.
_MAX_NAMED = 5
_MAX_PROBLEMS = 100


def is_team(name: str) -> bool:
    """Tell whether a folder's name is one of a team."""
    return _TEAM.match(name) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Team:
    """One folder below `submissions/` that differs."""

    name: str
    base_tree: str | None
    new_tree: str | None
    entries: tuple[TreeEntry, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """The two sides of the comparison."""

    repository: Repository
    base: str
    merged: str

    def declaration(self, entries: Iterable[TreeEntry]) -> str | None:
        """Read the `submission.yaml` among the entries of a folder, if it is a sane file."""
        for entry in entries:
            if entry.path == FILE_NAME and entry.mode in REGULAR_MODES:
                if (entry.n_bytes or 0) > MAX_BYTES:
                    return None
                content = self.repository.blob(entry.object, MAX_BYTES)
                return content.decode("utf-8-sig", errors="replace")
        return None


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
        return refused([Problem(what="changes more files than can be listed", fix=_FEWER)])
    others, teams = _sort(changes)
    if not teams:
        return plan("other" if others else "empty")
    reader = _Reader(repository=repository, base=base, merged=merge.tree)
    found, problems = _judge(reader, changes, intake, author)
    if problems:
        return refused(problems)
    unchecked = intake.ownership == "owners" and author is None
    notes = ("no account was named, so the owners were not checked",) if unchecked else ()
    return plan("submissions", submissions=_planned(reader, found), notes=notes)


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


def _judge(
    reader: _Reader, changes: Sequence[PathChange], intake: IntakeRules, author: str | None
) -> tuple[list[_Team], list[Problem]]:
    """Read the folders that differ; say all that is wrong with them at once."""
    others, teams = _sort(changes)
    problems = [*_problems_of_paths(others, changes), *_problems_of_teams(reader, teams, intake)]
    if problems:
        # Nothing of a pull request that holds this is read any further.
        return [], problems
    found = [_read_team(reader, team) for team in sorted(teams)]
    problems = [problem for team in found for problem in _problems_of_folder(reader, team)]
    return found, [*problems, *_ownership(reader, found, intake, author)]


_FEWER = "hand in weights and code, and leave data, checkpoints and environments out"


def _conflict(paths: Sequence[str]) -> Problem:
    return Problem(
        what="conflicts with the main branch",
        where=_named(paths),
        expected="a branch that merges",
        fix="merge the main branch into yours, or rebase it, and push again",
    )


def _sort(changes: Iterable[PathChange]) -> tuple[list[PathChange], set[str]]:
    """Part the changes that lie in a team's folder, by team, from all others."""
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


def _problems_of_paths(
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
            yield Problem(
                what=f"is {title}" if len(paths) == 1 else f"each is {title}",
                where=_named(paths),
                expected="regular files only",
                fix="put a copy of the file there",
            )


def _problems_of_teams(reader: _Reader, teams: set[str], intake: IntakeRules) -> Iterator[Problem]:
    if len(teams) > intake.max_submissions:
        yield Problem(
            what=f"changes {len(teams):,} submissions",
            where=_named(sorted(teams)),
            expected=f"at most {intake.max_submissions}",
            fix="hand them in one after the other",
        )
        return
    there: dict[str, set[str]] = defaultdict(set)
    for tree in (reader.base, reader.merged):
        for entry in reader.repository.entries(f"{tree}:{SUBMISSIONS}"):
            there[_folded(entry.path)].add(entry.path)
    for team in sorted(teams):
        if not is_team(team):
            yield Problem(
                what=f"{cut(team, 80)!r} is no name for a team",
                where=f"{SUBMISSIONS}/",
                expected="1 to 64 lower case letters, digits and _ + . -, a letter or digit first",
                fix="rename the folder, and the team in its submission.yaml",
            )
        twins = sorted(there[_folded(team)] - {team})
        if twins:
            yield Problem(
                what=f"{cut(team, 80)!r} and {cut(twins[0], 80)!r} are one folder on some disks",
                where=f"{SUBMISSIONS}/",
                expected="names that differ by more than case",
                fix="choose another name",
            )


def _folded(name: str) -> str:
    """Make names equal that some file system takes for one."""
    return unicodedata.normalize("NFKC", name).casefold().rstrip(". ")


def _read_team(reader: _Reader, team: str) -> _Team:
    trees = []
    for side in (reader.base, reader.merged):
        found = [
            entry.object
            for entry in reader.repository.entries(f"{side}:{SUBMISSIONS}")
            if entry.path == team and entry.mode == "040000"
        ]
        trees.append(found[0] if found else None)
    new = trees[1]
    entries = () if new is None else tuple(reader.repository.entries(new, is_deep=True))
    return _Team(name=team, base_tree=trees[0], new_tree=new, entries=entries)


def _problems_of_folder(reader: _Reader, team: _Team) -> Iterator[Problem]:
    """Say what is wrong with the files of one folder as the merge would leave it."""
    if team.new_tree is None:
        return
    place = f"{SUBMISSIONS}/{team.name}"
    yield from _problems_of_size(team, place)
    for entry in team.entries:
        if entry.mode not in REGULAR_MODES:
            title = MODE_TITLES.get(entry.mode, "no regular file")
            yield Problem(
                what=f"is {title}",
                where=f"{place}/{cut(entry.path, 200)}",
                expected="regular files only",
                fix="put a copy of the file there",
            )
        elif (reason := _bad_name(entry.path)) is not None:
            yield Problem(
                what=reason, where=f"{place}/{cut(entry.path, 200)}", fix="rename or leave it out"
            )
    for first, second in _twins([entry.path for entry in team.entries]):
        yield Problem(
            what=f"{cut(first, 120)!r} and {cut(second, 120)!r} are one file on some disks",
            where=place,
            fix="rename one of them",
        )
    if len(team.entries) <= MAX_FILES:
        yield from _pointers(reader, team, place)
        yield from _declaration(reader, team, place)


def _problems_of_size(team: _Team, place: str) -> Iterator[Problem]:
    if len(team.entries) > MAX_FILES:
        yield Problem(
            what=f"{len(team.entries):,} files",
            where=place,
            expected=f"at most {MAX_FILES}",
            fix=_FEWER,
        )
    for entry in team.entries:
        if (entry.n_bytes or 0) > MAX_FILE_BYTES:
            yield Problem(
                what=f"{(entry.n_bytes or 0) / MIB:,.1f} MiB",
                where=f"{place}/{cut(entry.path, 200)}",
                expected=f"at most {MAX_FILE_BYTES // MIB} MiB",
                fix="store the weights as float32, without the optimiser's state",
            )
    total = sum(entry.n_bytes or 0 for entry in team.entries)
    if total > MAX_FOLDER_BYTES:
        yield Problem(
            what=f"{total / MIB:,.1f} MiB in all",
            where=place,
            expected=f"at most {MAX_FOLDER_BYTES // MIB} MiB",
            fix=_FEWER,
        )


def _bad_name(path: str) -> str | None:
    parts = path.split("/")
    if len(parts) > MAX_DEPTH + 1:
        return f"folders deeper than {MAX_DEPTH}"
    for part in parts:
        if part in {"", ".", ".."} or part.casefold().startswith(".git"):
            return "a name that means something to git or to the file system"
        if not part.isprintable() or "\\" in part or len(part.encode(errors="replace")) > 200:
            return "the name has characters that are no text, a backslash, or over 200 bytes"
    return None


def _twins(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find paths, and folders on the way to them, that some file system takes for one."""
    seen: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path in paths:
        parts = tuple(path.split("/"))
        for depth in range(1, len(parts) + 1):
            way = parts[:depth]
            known = seen.setdefault(tuple(_folded(part) for part in way), way)
            if known != way:
                yield "/".join(known), "/".join(way)
                break


def _pointers(reader: _Reader, team: _Team, place: str) -> Iterator[Problem]:
    for entry in team.entries:
        if entry.mode not in REGULAR_MODES or (entry.n_bytes or 0) >= _POINTER_BYTES:
            continue
        if reader.repository.blob(entry.object, _POINTER_BYTES).startswith(_POINTER):
            yield Problem(
                what="is a pointer of Git LFS, not the file",
                where=f"{place}/{cut(entry.path, 200)}",
                expected="the file itself",
                fix="take it out of .gitattributes and commit the file: `git lfs untrack`",
            )


def _declaration(reader: _Reader, team: _Team, place: str) -> Iterator[Problem]:
    text = reader.declaration(team.entries)
    if text is None:
        yield Problem(
            what="no such file, or larger than any declaration",
            where=f"{place}/{FILE_NAME}",
            expected="a YAML file that says who hands in what",
            fix="run `harness new` for a skeleton, or copy it from submissions/team_x",
        )
        return
    _, problems = parse_spec(text, team.name)
    for problem in problems:
        yield Problem(
            what=problem.what,
            where=f"{place}/{problem.where}",
            expected=problem.expected,
            fix=problem.fix,
        )


def _ownership(
    reader: _Reader, teams: Sequence[_Team], intake: IntakeRules, author: str | None
) -> Iterator[Problem]:
    """Hold the author against the owners of each folder: those named before the change."""
    if author is None or intake.ownership == "anyone" or _is_among(author, intake.maintainers):
        return
    for team in teams:
        place = f"{SUBMISSIONS}/{team.name}"
        if team.base_tree is not None:
            before = reader.repository.entries(team.base_tree)
            owners = owners_of(reader.declaration(before) or "")
            if not _is_among(author, owners):
                yield Problem(
                    what=f"{author} is no owner of this folder",
                    where=place,
                    expected=f"one of {', '.join(owners[:20])}"
                    if owners
                    else "a maintainer: its submission.yaml names no owners",
                    fix="ask an owner to open the pull request, or hand in under another name",
                )
        elif team.new_tree is not None and not _is_among(
            author, owners_of(reader.declaration(team.entries) or "")
        ):
            yield Problem(
                what=f"names no owner {author}, so you could never change it again",
                where=f"{place}/{FILE_NAME}",
                expected="the account that hands it in among its owners",
                fix=f"add the line `owners: [{author}]`",
            )


def _is_among(author: str, accounts: Sequence[str]) -> bool:
    """Compare as forges do: names of accounts differ by more than case."""
    return author.casefold() in {account.casefold() for account in accounts}


def _planned(reader: _Reader, teams: Sequence[_Team]) -> tuple[PlannedSubmission, ...]:
    gone = {
        team.name: {entry.object for entry in reader.repository.entries(tree, is_deep=True)}
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


def _renames(teams: Sequence[_Team], gone: Mapping[str, set[str]]) -> dict[str, str]:
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
