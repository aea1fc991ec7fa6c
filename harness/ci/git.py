"""Reading a git repository that others wrote to: by subprocess, bounded, nothing checked out.

No hook, filter, file-system monitor or merge driver of any configuration runs, nothing is fetched
on demand, and every answer has a size and a time limit. Names come back as git keeps them: bytes,
with those that are no UTF-8 as surrogates.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from harness.card.source import repository_page
from harness.errors import EnvironmentFaultError, UsageError

MIB = 1024**2
# Listings of a repository with some ten thousand changed files fit.
MAX_LISTING_BYTES = 8 * MIB
_TIMEOUT_S = 120.0
# A tree is listed up to here before anything else is done with it: some 500,000 files.
MAX_TREE_BYTES = 64 * MIB
# Memory of one command of git; listing and merging need a tenth of it.
_MEMORY_BYTES = 2048 * MIB
# What git ends with where it does not know an option.
_USAGE = 129
_OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")

REGULAR_MODES = frozenset({"100644", "100755"})
MODE_TITLES = {
    "120000": "a symbolic link",
    "160000": "a submodule",
    "040000": "a folder",
    "000000": "nothing",
}
_SETTINGS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.attributesFile=/dev/null"),
    *("-c", "core.bigFileThreshold=16m"),
    *("-c", "merge.renames=false"),
    *("-c", "diff.renames=false"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
_QUIET = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1"}
# No other variables: they could lead git to other repositories, programs or settings.
_KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR")


def identity(name: str) -> dict[str, str]:
    """Return the variables by which git makes commits in the name of `name`."""
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": f"{name}@localhost",
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": f"{name}@localhost",
    }


class GitError(EnvironmentFaultError):
    """A command of git failed."""


class TooLargeError(GitError):
    """An answer of git is larger than allowed; it was cut off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PathChange:
    """One path that two trees differ in; modes and objects are those of git, zeros for none."""

    path: str
    old_mode: str
    new_mode: str
    old_object: str
    new_object: str

    @property
    def is_deleted(self) -> bool:
        """Whether the path is gone."""
        return self.new_mode == "000000"


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeEntry:
    """One entry of a tree; `n_bytes` is None for what is no file."""

    path: str
    mode: str
    object: str
    n_bytes: int | None

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file."""
        return self.mode in REGULAR_MODES

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.mode == "040000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Merge:
    """What a merge would give: its tree, and the paths in conflict."""

    tree: str
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository on this disk.

    Parameters
    ----------
    folder : Path
        Its work tree or its bare folder.
    credentials : mapping, optional
        Settings of git that hold a credential; git gets them in its environment, so that no list
        of processes shows them.
    has_own_settings : bool
        Let git read the settings of this machine's user, to reach a remote as the user does: only
        for your own repositories. Without it only the settings of the repository count.
    """

    folder: Path
    credentials: Mapping[str, str] = field(default_factory=dict)
    has_own_settings: bool = False

    def run(
        self,
        *arguments: str,
        max_bytes: int = MAX_LISTING_BYTES,
        allowed: Sequence[int] = (0,),
        variables: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Run one command of git; return its exit code and what it printed.

        Raises
        ------
        TooLargeError
            It printed more than `max_bytes` and was killed.
        GitError
            It ended with another code than `allowed`, or took too long.
        """
        command = ["git", "-C", str(self.folder), *_SETTINGS, *arguments]
        environment = self._environment() | dict(variables or {})
        with tempfile.TemporaryFile() as errors:
            code, answer = _run_bounded(command, environment, errors, max_bytes)
            if len(answer) > max_bytes:
                raise TooLargeError(f"git {arguments[0]} printed more than {max_bytes:,} bytes")
            if code not in allowed:
                errors.seek(0)
                raise _failed(arguments, code, errors.read(4096))
            return code, answer

    def _environment(self) -> dict[str, str]:
        settings = {"GIT_CONFIG_COUNT": str(len(self.credentials))}
        for number, (key, value) in enumerate(self.credentials.items()):
            settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        if self.has_own_settings:
            own = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
            return own | _QUIET | settings
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return kept | _QUIET | _ALONE | settings

    def text(self, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
        """Run a command that prints one short line."""
        return _decode(self.run(*arguments, max_bytes=MIB, variables=variables)[1]).strip()

    def find(self, name: str) -> str | None:
        """Return the object that a name means; None if there is none."""
        code, answer = self.run(
            *("rev-parse", "--verify", "--quiet", "--end-of-options", name), allowed=(0, 1, 128)
        )
        found = _decode(answer).strip()
        return found if code == 0 and _OID.match(found) else None

    def resolve(self, name: str) -> str:
        """Return the commit of a name.

        Raises
        ------
        UsageError
            There is none.
        """
        found = self.find(f"{name}^{{commit}}")
        if found is None:
            raise UsageError(
                f"{name[:120]!r} is no commit of this repository",
                where=str(self.folder),
                expected="a branch, a tag or the name of a commit that was fetched",
                fix="git fetch the branch first",
            )
        return found

    def check_tree(self, commit: str) -> None:
        """List all of a commit's tree, folders too, up to `MAX_TREE_BYTES`.

        A few small objects can stand for a tree of millions of files or folders, which git reads
        one by one as soon as it merges or compares.

        Raises
        ------
        TooLargeError
            It is larger.
        """
        self.run("ls-tree", "-r", "-t", "-z", "--full-tree", commit, max_bytes=MAX_TREE_BYTES)

    def merge(self, base: str, head: str) -> Merge:
        """Merge two commits in memory, as a forge would; no work tree or branch is touched."""
        code, answer = self.run(
            *("merge-tree", "--write-tree", "--no-messages", "--name-only", "-z"),
            *(base, head),
            allowed=(0, 1, _USAGE),
        )
        if code == _USAGE:
            raise GitError("this git cannot merge without a work tree", fix="git 2.38 or newer")
        tree, *conflicts = [_decode(item) for item in answer.split(b"\0")]
        return Merge(tree=tree, conflicts=tuple(dict.fromkeys(path for path in conflicts if path)))

    def changes(self, before: str, after: str) -> Iterator[PathChange]:
        """List the paths in which two trees differ; a rename is one gone and one new.

        Raises
        ------
        TooLargeError
            There are too many to list.
        """
        _, answer = self.run("diff-tree", "-r", "-z", "--no-renames", "--raw", before, after, "--")
        fields = iter(answer.split(b"\0"))
        for head in fields:
            if not head:
                return
            old_mode, new_mode, old_object, new_object, _ = _decode(head).lstrip(":").split(" ")
            yield PathChange(
                path=_decode(next(fields)),
                old_mode=old_mode,
                new_mode=new_mode,
                old_object=old_object,
                new_object=new_object,
            )

    def entries(self, tree: str, *, is_deep: bool = False) -> list[TreeEntry]:
        """List a tree, with all below it if `is_deep`; an empty list where there is no such tree.

        Parameters
        ----------
        tree : str
            Name of an object, or ``<object>:<path>`` with a path that is known to be harmless.
        """
        found = self.find(tree)
        if found is None or self.text("cat-file", "-t", found) not in {"tree", "commit"}:
            return []
        flags = ("-r",) if is_deep else ()
        _, answer = self.run("ls-tree", *flags, "-z", "-l", "--full-tree", found)
        entries = []
        for line in answer.split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            mode, _, name, size = _decode(head).split()
            if not size.isdecimal() and size != "-":
                raise GitError(f"the repository does not hold {name}, a file of its tree")
            n_bytes = None if size == "-" else int(size)
            entries.append(TreeEntry(path=_decode(path), mode=mode, object=name, n_bytes=n_bytes))
        return entries

    def blob(self, name: str, max_bytes: int) -> bytes:
        """Return the content of a file.

        Raises
        ------
        TooLargeError
            It is larger than `max_bytes`.
        """
        return self.run("cat-file", "blob", name, max_bytes=max_bytes)[1]

    def page(self) -> str | None:
        """Return the page of the forge that it was cloned from; None where it names none."""
        code, answer = self.run("config", "--get", "remote.origin.url", allowed=(0, 1))
        return repository_page(_decode(answer)) if code == 0 else None

    def commit_times(self, name: str, path: str) -> list[tuple[str, int]]:
        """List the commits of the first-parent history that changed `path`, newest first.

        Returns
        -------
        list of (str, int)
            Commit, and when it was made [s since 1970]: on a forge's main branch, when it merged.
        """
        answer = self.text(
            *("log", "--first-parent", "-m", "--format=%H %ct", "--end-of-options", name),
            *("--", f":(top,literal){path}"),
        )
        pairs = (line.split() for line in answer.splitlines() if line)
        return [(commit, int(seconds)) for commit, seconds in pairs]

    def first_parents(self, name: str) -> list[tuple[str, int]]:
        """List the first-parent history of a commit, newest first, with the times as written."""
        answer = self.text("log", "--first-parent", "--format=%H %ct", "--end-of-options", name)
        pairs = (line.split() for line in answer.splitlines() if line)
        return [(commit, int(seconds)) for commit, seconds in pairs]


def _run_bounded(
    command: Sequence[str], environment: Mapping[str, str], errors: BinaryIO, max_bytes: int
) -> tuple[int, bytes]:
    """Run a command for a limited time; read at most one byte more than `max_bytes`."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )
    except OSError as error:
        raise GitError(f"git could not be run: {error}", fix="install git") from error
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    clock = threading.Timer(_TIMEOUT_S, process.kill)
    clock.start()
    try:
        with process:
            assert process.stdout is not None
            answer = process.stdout.read(max_bytes + 1)
            if len(answer) > max_bytes:
                process.kill()
    finally:
        clock.cancel()
    return process.returncode, answer


def _decode(content: bytes) -> str:
    return content.decode("utf-8", errors="surrogateescape")


def _failed(arguments: Sequence[str], code: int, printed: bytes) -> GitError:
    reason = printed.decode("utf-8", errors="replace").strip().splitlines()
    return GitError(
        f"git {arguments[0]} ended with code {code}: {reason[0] if reason else 'silent'}"
    )
