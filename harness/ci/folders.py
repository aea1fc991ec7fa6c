"""The folder of one team in a pull request: before and after the merge, and what is wrong with it.

Its files are checked as git has them, before any of them is written to a disk.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.challenge import IntakeRules
from harness.ci.documents import cut
from harness.ci.git import MODE_TITLES, Repository, TreeEntry
from harness.data.manifest import Manifest
from harness.errors import InvalidSubmissionError, Problem
from harness.scoring.chosen import unknown_challenges
from harness.submission import digest
from harness.submission.declaration import FILE_NAME, MAX_BYTES, owners_of, parse_spec

SUBMISSIONS = "submissions"
FEWER_FILES = "hand in weights and code, and leave data, checkpoints and environments out"
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer is smaller than this and
# begins so.
_POINTER_BYTES = 1024
_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamFolder:
    """One folder below `submissions/` that differs.

    Attributes
    ----------
    base_tree, new_tree : str or None
        Git's names of it before the pull request and after the merge; None where it is not there.
    entries : tuple of TreeEntry
        Its files after the merge.
    """

    name: str
    base_tree: str | None
    new_tree: str | None
    entries: tuple[TreeEntry, ...]

    @property
    def place(self) -> str:
        """Its path in the repository."""
        return f"{SUBMISSIONS}/{self.name}"

    def where(self, path: str) -> str:
        """Return the place of one of its files for a message."""
        return f"{self.place}/{cut(path, 200)}"


def read_folder(repository: Repository, team: str, *, base: str, merged: str) -> TeamFolder:
    """Read the folder of a team from the two sides of a comparison."""
    trees: list[str | None] = []
    for side in (base, merged):
        found = [
            entry.object
            for entry in repository.entries(f"{side}:{SUBMISSIONS}")
            if entry.path == team and entry.is_folder
        ]
        if len(found) > 1:
            raise InvalidSubmissionError(_twice(f"{SUBMISSIONS}/{team}"))
        trees.append(found[0] if found else None)
    new = trees[1]
    entries = () if new is None else tuple(repository.entries(new, is_deep=True))
    return TeamFolder(name=team, base_tree=trees[0], new_tree=new, entries=entries)


def _twice(where: str) -> Problem:
    what = "is there twice: no honest git writes such a tree"
    return Problem(what=what, where=where, fix="add the files to a new commit of a fresh clone")


def folded(name: str) -> str:
    """Return a form in which two names are equal if some file system cannot tell them apart."""
    return unicodedata.normalize("NFKC", name).casefold().rstrip(". ")


# --- Files ----------------------------------------------------------------------------------------


def folder_problems(
    repository: Repository, folder: TeamFolder, challenges: Manifest | None = None
) -> Iterator[Problem]:
    """Say what is wrong with the files of a folder as the merge would leave it."""
    if folder.new_tree is None:
        return
    yield from _size_problems(folder)
    for entry in folder.entries:
        if not entry.is_regular:
            title = MODE_TITLES.get(entry.mode, "no regular file")
            yield digest.irregular(f"is {title}", folder.where(entry.path))
        elif (reason := _bad_path(entry.path)) is not None:
            yield Problem(what=reason, where=folder.where(entry.path), fix="rename or leave it out")
    paths = [entry.path for entry in folder.entries]
    for path, count in Counter(paths).items():
        if count > 1:
            yield _twice(folder.where(path))
    for first, second in _twins(paths):
        yield Problem(
            what=f"{cut(first, 120)!r} and {cut(second, 120)!r} are one file on some disks",
            where=folder.place,
            fix="rename one of them",
        )
    if len(folder.entries) <= digest.MAX_FILES:
        yield from _pointer_problems(repository, folder)
        yield from _declaration_problems(repository, folder, challenges)


def _size_problems(folder: TeamFolder) -> Iterator[Problem]:
    if len(folder.entries) > digest.MAX_FILES:
        yield Problem(
            what=f"{len(folder.entries):,} files",
            where=folder.place,
            expected=f"at most {digest.MAX_FILES}",
            fix=FEWER_FILES,
        )
    for entry in folder.entries:
        yield from digest.file_size_problems(entry.n_bytes or 0, folder.where(entry.path))
    total = sum(entry.n_bytes or 0 for entry in folder.entries)
    yield from digest.folder_size_problems(total, folder.place)


def _bad_path(path: str) -> str | None:
    """Say why a file cannot have this path, relative to its submission's folder."""
    parts = path.split("/")
    if len(parts) > digest.MAX_DEPTH + 1:
        return f"folders deeper than {digest.MAX_DEPTH}"
    for part in parts:
        if part in {"", ".", ".."} or part.casefold().startswith(".git"):
            return "a name that means something to git or to the file system"
        if not digest.is_plain_name(part):
            return digest.NO_PLAIN_NAME
    return None


def _twins(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find paths, and folders on the way to them, that some file system cannot tell apart."""
    seen: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path in paths:
        parts = tuple(path.split("/"))
        for depth in range(1, len(parts) + 1):
            way = parts[:depth]
            known = seen.setdefault(tuple(folded(part) for part in way), way)
            if known != way:
                yield "/".join(known), "/".join(way)
                break


def _pointer_problems(repository: Repository, folder: TeamFolder) -> Iterator[Problem]:
    for entry in folder.entries:
        if not entry.is_regular or (entry.n_bytes or 0) >= _POINTER_BYTES:
            continue
        if repository.blob(entry.object, _POINTER_BYTES).startswith(_POINTER):
            yield Problem(
                what="is a pointer of Git LFS, not the file",
                where=folder.where(entry.path),
                expected="the file itself",
                fix="take it out of .gitattributes and commit the file: `git lfs untrack`",
            )


# --- Declaration and owners -----------------------------------------------------------------------


def _declaration(repository: Repository, entries: Iterable[TreeEntry]) -> str | None:
    """Read the `submission.yaml` among the files of a folder, if it is a regular, small file."""
    for entry in entries:
        if entry.path == FILE_NAME and entry.is_regular:
            if (entry.n_bytes or 0) > MAX_BYTES:
                return None
            content = repository.blob(entry.object, MAX_BYTES)
            return content.decode("utf-8-sig", errors="replace")
    return None


def _declaration_problems(
    repository: Repository, folder: TeamFolder, challenges: Manifest | None
) -> Iterator[Problem]:
    text = _declaration(repository, folder.entries)
    if text is None:
        yield Problem(
            what="no such file, or larger than any declaration",
            where=f"{folder.place}/{FILE_NAME}",
            expected="a YAML file that says who submits what",
            fix="run `harness new` for a skeleton, or copy it from submissions/team_x",
        )
        return
    spec, problems = parse_spec(text, folder.name)
    if spec is not None and challenges is not None:
        problems = [*unknown_challenges(spec, challenges)]
    for problem in problems:
        yield replace(problem, where=f"{folder.place}/{problem.where}")


def ownership_problems(
    repository: Repository, folders: Sequence[TeamFolder], intake: IntakeRules, author: str | None
) -> Iterator[Problem]:
    """Check that the author is an owner of each folder, as it was before the pull request.

    Parameters
    ----------
    author : str or None
        Account that opened the pull request; without it nothing is checked.
    """
    if author is None or intake.ownership == "anyone" or _is_among(author, intake.maintainers):
        return
    for folder in folders:
        is_new = folder.base_tree is None
        before = () if folder.base_tree is None else repository.entries(folder.base_tree)
        owners = owners_of(_declaration(repository, folder.entries if is_new else before) or "")
        if _is_among(author, owners):
            continue
        yield _not_claimed(folder, author) if is_new else _not_owned(folder, author, owners)


def _not_owned(folder: TeamFolder, author: str, owners: Sequence[str]) -> Problem:
    nobody = "a maintainer: its submission.yaml names no owners"
    return Problem(
        what=f"{author} is no owner of this folder",
        where=folder.place,
        expected=f"one of {', '.join(owners[:20])}" if owners else nobody,
        fix="ask an owner to open the pull request, or hand in under another name",
    )


def _not_claimed(folder: TeamFolder, author: str) -> Problem:
    return Problem(
        what=f"names no owner {author}, so you could never change it again",
        where=f"{folder.place}/{FILE_NAME}",
        expected="the account that hands it in among its owners",
        fix=f"add the line `owners: [{author}]`",
    )


def _is_among(author: str, accounts: Sequence[str]) -> bool:
    """Compare as forges do: names of accounts differ by more than case."""
    return author.casefold() in {account.casefold() for account in accounts}
