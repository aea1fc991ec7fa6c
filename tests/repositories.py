"""Git repositories made for tests: branches, commits of any files, modes that no checkout gives."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness.ci.git import Repository

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A. Tester",
    "GIT_AUTHOR_EMAIL": "tester@localhost",
    "GIT_COMMITTER_NAME": "A. Tester",
    "GIT_COMMITTER_EMAIL": "tester@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
MODEL = b"""
import numpy as np


def score(events):
    return events[:, :, 0].sum(axis=1)
"""


def declaration(team: str, **fields: object) -> bytes:
    """Write a `submission.yaml` without fault but for `fields`."""
    content = {
        "team": team,
        "title": f"Sum of pT by {team}",
        "authors": ["A. Tester"],
        "division": "open",
        "description": "The scalar sum of all transverse momenta.",
        "training_data": "none",
        "is_supervised": False,
        "licence": "Apache-2.0",
        "owners": [f"{team.replace('_', '-')}-owner"],
        **fields,
    }
    return yaml.safe_dump(content, sort_keys=False).encode()


def submission(team: str, *, model: bytes = MODEL, **fields: object) -> dict[str, bytes]:
    """Files of a submission, by their paths from the top."""
    folder = f"submissions/{team}"
    return {f"{folder}/submission.yaml": declaration(team, **fields), f"{folder}/model.py": model}


@dataclass(frozen=True)
class GitRepository:
    """A repository whose commits are made from objects, so that they may hold anything."""

    folder: Path

    @classmethod
    def init(cls, folder: Path, files: Mapping[str, bytes]) -> GitRepository:
        """Begin a repository with one commit on `main`."""
        folder.mkdir(parents=True)
        made = cls(folder)
        made.git("init", "--quiet", "--initial-branch=main")
        made.commit("main", files, parent=None)
        made.git("reset", "--quiet", "--hard", "main")
        return made

    @property
    def reader(self) -> Repository:
        return Repository(self.folder)

    def git(
        self, *arguments: str, content: bytes | None = None, env: Mapping[str, str] = {}
    ) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            input=content,
            capture_output=True,
            check=False,
            env={**os.environ, **_IDENTITY, **env},
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode(errors="surrogateescape").strip()

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", content=content)

    def commit(
        self,
        branch: str,
        files: Mapping[str, bytes | None],
        *,
        parent: str | None = "main",
        modes: Mapping[str, str] = {},
        objects: Mapping[str, str] = {},
        message: str = "a change",
    ) -> str:
        """Commit on `branch`: the tree of `parent` with `files` written, or removed if None.

        Parameters
        ----------
        modes : mapping of path to str
            Git's modes of files that are no regular ones.
        objects : mapping of path to str
            Objects that are not made from bytes: a submodule's commit, a blob made elsewhere.
        """
        lines = []
        known = {path: self.blob(content) for path, content in files.items() if content is not None}
        known |= objects
        for path in files.keys() | objects.keys():
            mode = modes.get(path, "100644") if path in known else "0"
            line = f"{mode} {known.get(path, '0' * 40)}\t{path}\0"
            lines.append(line.encode(errors="surrogateescape"))
        place = self.folder / self.git("rev-parse", "--git-path", "test.index")
        index = {"GIT_INDEX_FILE": str(place)}
        Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        if parent is not None:
            self.git("read-tree", parent, env=index)
        self.git("update-index", "-z", "--index-info", content=b"".join(lines), env=index)
        tree = self.git("write-tree", env=index)
        parents = () if parent is None else ("-p", self.git("rev-parse", parent))
        made = self.git("commit-tree", tree, *parents, "-F", "-", content=message.encode())
        self.git("update-ref", "--", f"refs/heads/{branch}", made)
        return made
