"""The few calls of GitHub's API that a comment needs; forges with the same API work as well.

The forge says which pull request a run belongs to, by the branch and the commit in the event.
Nothing that the run itself wrote has an influence on this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import DataError, EnvironmentFaultError, UsageError, first_complaint
from harness.files import load_json, read_json

DEFAULT_API = "https://api.github.com"
_VERSION = "2022-11-28"
_TIMEOUT_S = (10.0, 60.0)
_PIECE_BYTES = 65_536
_MAX_ANSWER_BYTES = 16 * 1024**2
_MAX_PAGES = 30
_PER_PAGE = 100
_MAX_EVENT_BYTES = 4 * 1024**2

RepositoryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$")]
Model = TypeVar("Model", bound=BaseModel)
CommitName = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class _Answer(BaseModel):
    """The part of an answer of the forge that is used; the rest is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _HeadRepository(_Answer):
    full_name: RepositoryName


class FinishedRun(_Answer):
    """The run that an event `workflow_run` is about.

    Attributes
    ----------
    event : str
        What started it.
    head_branch : str
        Any text that git accepts as a branch: never part of a command.
    """

    id: int = Field(ge=1)
    event: str
    head_sha: CommitName
    head_branch: str = Field(max_length=1000)
    head_repository: _HeadRepository


class _Event(_Answer):
    workflow_run: FinishedRun


class _Side(_Answer):
    sha: CommitName
    ref: str = Field(max_length=1000)
    repo: _HeadRepository | None


class PullRequest(_Answer):
    """A pull request as the forge knows it."""

    number: int = Field(ge=1)
    state: Literal["open", "closed"]
    head: _Side
    base: _Side


class _ListedArtefact(_Answer):
    name: str
    size_in_bytes: int = Field(ge=0)
    expired: bool = False
    archive_download_url: str


class _Artefacts(_Answer):
    artifacts: tuple[_ListedArtefact, ...]


class _File(_Answer):
    filename: str
    previous_filename: str | None = None


class _Author(_Answer):
    login: str
    type: str


class _Comment(_Answer):
    id: int
    body: str | None
    user: _Author | None


def read_event(path: Path) -> FinishedRun:
    """Read the event that started a workflow from the file that the forge wrote.

    Raises
    ------
    UsageError
        It is no event of a finished run of a pull request.
    """
    try:
        return read_json(path, _Event, max_bytes=_MAX_EVENT_BYTES).workflow_run
    except DataError as error:
        raise UsageError(
            f"is no event of a finished run: {error.problems[0].what}",
            where=str(path),
            expected="the event `workflow_run`",
        ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Forge:
    """Calls of the API in the name of one repository.

    Parameters
    ----------
    repository : str
        ``owner/name``.
    token : str
        What the workflow was given.
    api : str
        Address of the API.
    """

    repository: str
    token: str
    api: str = DEFAULT_API

    def pull_request_of(self, run: FinishedRun) -> PullRequest | None:
        """Find the open pull request with the head of a run; None if it was pushed to or closed."""
        owner = run.head_repository.full_name.partition("/")[0]
        query = {"state": "open", "head": f"{owner}:{run.head_branch}"}
        for item in self._pages(f"/repos/{self.repository}/pulls", query):
            found = _parse(PullRequest, item)
            if (
                found.state == "open"
                and found.head.sha == run.head_sha
                and found.head.repo is not None
                and found.head.repo.full_name == run.head_repository.full_name
                and found.base.repo is not None
                and found.base.repo.full_name == self.repository
            ):
                return found
        return None

    def changed_files(self, pull_request: PullRequest) -> Iterator[str]:
        """Name the files that a pull request changes; a rename has two names."""
        address = f"/repos/{self.repository}/pulls/{pull_request.number}/files"
        for item in self._pages(address, {}):
            found = _parse(_File, item)
            yield found.filename
            if found.previous_filename is not None:
                yield found.previous_filename

    def artefact(self, run: FinishedRun, name: str, max_bytes: int) -> bytes:
        """Download what a run left under `name`.

        Raises
        ------
        DataError
            There is no such artefact, or it is larger than `max_bytes`.
        """
        address = f"/repos/{self.repository}/actions/runs/{run.id}/artifacts"
        query: dict[str, str | int] = {"name": name, "per_page": _PER_PAGE}
        listed = _parse(_Artefacts, self._call("GET", address, query=query))
        found = [one for one in listed.artifacts if one.name == name and not one.expired]
        if not found:
            raise DataError(f"the run left no artefact {name!r}")
        if found[0].size_in_bytes > max_bytes:
            raise DataError(
                f"the artefact has {found[0].size_in_bytes:,} bytes",
                expected=f"at most {max_bytes:,}",
            )
        url = found[0].archive_download_url
        if not url.startswith(f"{self.api}/"):
            raise DataError("the artefact lies at an address that is not the API's")
        return self._read("GET", url, max_bytes)

    def put_comment(
        self, number: int, body: str, *, marker: str, author: str
    ) -> Literal["created", "updated"]:
        """Write the one comment of a pull request: the old one is replaced in place.

        Parameters
        ----------
        marker : str
            What the comment begins with.
        author : str
            Account whose comments are ours; others may begin with the marker too.
        """
        address = f"/repos/{self.repository}/issues/{number}/comments"
        for item in self._pages(address, {}):
            found = _parse(_Comment, item)
            is_ours = found.user is not None and found.user.login == author
            if is_ours and (found.body or "").startswith(marker):
                place = f"/repos/{self.repository}/issues/comments/{found.id}"
                self._call("PATCH", place, body={"body": body})
                return "updated"
        self._call("POST", address, body={"body": body})
        return "created"

    def _pages(self, address: str, query: Mapping[str, str | int]) -> Iterator[object]:
        for page in range(1, _MAX_PAGES + 1):
            numbered = {**query, "per_page": _PER_PAGE, "page": page}
            items = self._call("GET", address, query=numbered)
            if not isinstance(items, list):
                raise EnvironmentFaultError(f"{address}: the API gave no list")
            yield from items
            if len(items) < _PER_PAGE:
                return

    def _call(
        self,
        method: str,
        address: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> object:
        content = self._read(
            method, f"{self.api}{address}", _MAX_ANSWER_BYTES, query=query, body=body
        )
        try:
            return load_json(content, source=address, max_bytes=_MAX_ANSWER_BYTES)
        except DataError as error:
            raise EnvironmentFaultError(f"{address}: the API gave no JSON") from error

    def _read(
        self,
        method: str,
        url: str,
        max_bytes: int,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> bytes:
        """Call, and read the answer in pieces up to a limit.

        requests removes the token when the call is redirected to another host, as for an artefact.
        """
        where = urlsplit(url).path
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": _VERSION,
        }
        try:
            with requests.request(
                method,
                url,
                params=query,
                json=body,
                headers=headers,
                timeout=_TIMEOUT_S,
                stream=True,
            ) as answer:
                if not answer.ok:
                    raise EnvironmentFaultError(
                        f"{method} {where} was answered with {answer.status_code}",
                        fix="check the permissions of the workflow's token",
                    )
                return _read_pieces(answer, max_bytes)
        except requests.RequestException as error:
            raise EnvironmentFaultError(
                f"{method} {where} failed: {type(error).__name__}", fix="run it again"
            ) from error


def _read_pieces(answer: requests.Response, max_bytes: int) -> bytes:
    content = bytearray()
    for piece in answer.iter_content(_PIECE_BYTES):
        content += piece
        if len(content) > max_bytes:
            raise DataError("an answer was cut off", expected=f"at most {max_bytes:,} bytes")
    return bytes(content)


def _parse(model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        name = model.__name__.lstrip("_")
        raise EnvironmentFaultError(
            f"the API's answer is no {name}: {first_complaint(error)}"
        ) from error
