"""Where the files of an entry can be read: a commit of a repository that has a page."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from harness.challenge import Value

# What a browser can open, without name, password, query or anything that needs quoting.
_ADDRESS = r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:\d{1,5})?(/[A-Za-z0-9._~-]+)+"
_CREDENTIAL = re.compile(r"(?<=^https://)[^/@]*@")


class SourceCommit(Value):
    """The commit of the main branch that holds the files of an entry.

    Attributes
    ----------
    repository : str
        Address of its page, such as ``https://github.com/owner/name``.
    commit : str
        The whole name of the commit that brought the folder as it was scored.
    """

    repository: Annotated[str, Field(pattern=rf"^{_ADDRESS}$", max_length=300)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]

    def folder_page(self, team: str) -> str:
        """Return the address of a team's folder, as the forges of GitHub, GitLab and Gitea have it.

        Examples
        --------
        >>> source = SourceCommit(repository="https://github.com/a/b", commit="0" * 40)
        >>> source.folder_page("ant").removesuffix("/submissions/ant")[-8:]
        '00000000'
        """
        return f"{self.repository}/tree/{self.commit}/submissions/{team}"


def repository_page(remote: str) -> str | None:
    """Return the page of the repository that git fetches from; None where nobody can know it.

    A credential in the address is left out. An address of SSH or of a folder names no page.

    Examples
    --------
    >>> repository_page("https://token@github.com/owner/name.git")
    'https://github.com/owner/name'
    >>> repository_page("git@github.com:owner/name.git") is None
    True
    >>> repository_page("/home/ada/name") is None
    True
    """
    address = _CREDENTIAL.sub("", remote.strip()).rstrip("/").removesuffix(".git")
    return address if re.fullmatch(_ADDRESS, address) and len(address) <= 300 else None
