"""The line of a requirements file by which another machine installs this version of harness."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

import harness
from harness.ci.git import GitError, Repository
from harness.errors import DISTRIBUTION
from harness.files import parse_json

_NAME = f"{DISTRIBUTION}[firmware,leaderboard,open,private]"


class _Vcs(BaseModel):
    vcs: str
    commit_id: str


class _Origin(BaseModel):
    url: str
    vcs_info: _Vcs | None = None


def installed_requirement() -> str:
    """Return how this version is installed: from where this installation came.

    Of a clone it is the commit of its remote. Where there is none it is the folder on this machine,
    from which no other machine can install.

    References
    ----------
    PEP 610, "Recording the Direct URL Origin of installed distributions".
    """
    said = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    if said is None:
        return f"{_NAME}=={harness.__version__}"
    origin = parse_json(said, _Origin, source="direct_url.json")
    if origin.vcs_info is not None:
        return f"{_NAME} @ {origin.vcs_info.vcs}+{origin.url}@{origin.vcs_info.commit_id}"
    return f"{_NAME} @ {_commit_of(origin.url) or origin.url}"


def is_local(requirement: str) -> bool:
    """Tell whether no other machine can install it."""
    return "file://" in requirement


def _commit_of(url: str) -> str | None:
    """Return the address of the commit of a clone on this machine, if its remote is an address."""
    parts = urlsplit(url)
    folder = Path(unquote(parts.path))
    if parts.scheme != "file" or not (folder / ".git").exists():
        return None
    clone = Repository(folder, has_own_settings=True)
    try:
        remote, commit = clone.text("remote", "get-url", "--", "origin"), clone.resolve("HEAD")
    except GitError:
        return None
    return f"git+{remote}@{commit}" if remote.startswith("https://") else None
