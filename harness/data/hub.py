"""The Hugging Face Hub: which files the repository of a data set holds, and how they come here.

The Hub is asked in its own interface by `harness.data.web` and `harness.data.download`, which bound
time, bytes and attempts; `huggingface_hub` says where the files lie and who the user is: see
docs/decisions/0007-files-of-the-hub.md.

Everything that the Hub says is foreign. A file is accepted by the SHA-256 that the Hub states of it
at one commit, whoever holds its bytes.

References
----------
https://huggingface.co/docs/hub/api; the shapes of the answers are those that `HfApi.dataset_info`
and `HfApi.list_repo_tree` of `huggingface_hub` 2.4.0 read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, Field, RootModel

from harness.data.download import download
from harness.data.hub_api import Hub, ask, parse, refusal
from harness.errors import DataError
from harness.files import PART_SUFFIX, Progress, make_folder, no_progress

_MAX_ENTRIES = 100_000
# The Hub gives 1,000 entries a page.
_MAX_PAGES = 1_000
# For all pages together.
_LONGEST_LIST_S = 1800.0
# A path inside a folder: of plain names, none of which begins with a dot or a dash.
_PLAIN_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}"
_PLAIN_PATH = re.compile(rf"{_PLAIN_NAME}(/{_PLAIN_NAME}){{0,7}}")


class _Info(BaseModel):
    """A repository (further fields are ignored)."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,96}/[A-Za-z0-9_.-]{1,96}$")]
    sha: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class _LargeFile(BaseModel):
    oid: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    """A file or a folder."""

    type: str
    path: Annotated[str, Field(max_length=4096)]
    size: Annotated[int, Field(ge=0)]
    lfs: _LargeFile | None = None


class _Page(RootModel[list[_Entry]]):
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFile:
    """A file of a repository.

    Attributes
    ----------
    path : str
        Inside the repository, of plain names.
    n_bytes : int
        Its size.
    checksum : str or None
        ``sha256:`` of the file; None where the Hub states none, as for a small text file.
    url : str
        Where its content is.
    """

    path: str
    n_bytes: int
    checksum: str | None
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HubListing:
    """The files of a folder of a repository at one commit.

    Attributes
    ----------
    repository : str
        ``owner/name``, as it is called now.
    revision : str
        The commit.
    files : tuple of HubFile
        By their path. Files without a plain path are left out.
    remarks : tuple of str
        What is unusual.
    """

    repository: str
    revision: str
    files: tuple[HubFile, ...]
    remarks: tuple[str, ...] = ()


def find_revision(hub: Hub, repository: str, revision: str | None) -> tuple[str, str]:
    """Ask which commit of a repository is meant.

    Parameters
    ----------
    hub : Hub
        Where it is.
    repository : str
        ``owner/name`` of a data set.
    revision : str or None
        A commit; None: the newest one.

    Returns
    -------
    repository, revision : str
        What the repository is called now, and the commit.

    Raises
    ------
    DataError
        The Hub cannot be reached, refuses, or answers something else.
    """
    address = f"{hub.endpoint}/api/datasets/{repository}"
    address += "" if revision is None else f"/revision/{revision}"
    answer = ask(hub, f"{address}?expand=sha", repository)
    info = parse(answer, _Info)
    if revision not in {None, info.sha}:
        raise DataError(
            f"the Hub answers with the commit {info.sha}", where=address, expected=str(revision)
        )
    return info.id, info.sha


def list_files(hub: Hub, repository: str, revision: str | None, *, folder: str) -> HubListing:
    """List the files of a folder of a repository, and those of the folders in it.

    Parameters
    ----------
    hub : Hub
        Where it is.
    repository : str
        ``owner/name`` of a data set.
    revision : str or None
        A commit; None: the newest one.
    folder : str
        Path of the folder.

    Raises
    ------
    DataError
        The Hub cannot be reached, refuses, answers something else, or lists more than 100,000
        files.
    """
    name, commit = find_revision(hub, repository, revision)
    address = f"{hub.endpoint}/api/datasets/{name}/tree/{commit}/{quote(folder)}"
    files: dict[str, HubFile] = {}
    for n_seen, entry in enumerate(_entries(hub, f"{address}?recursive=true", name), start=1):
        if n_seen > _MAX_ENTRIES:
            raise DataError(f"more than {_MAX_ENTRIES:,} files are listed", where=address)
        if entry.type != "file" or not _is_plain(entry.path):
            continue
        if entry.path in files:
            raise DataError(f"the file {entry.path} is listed twice", where=address)
        files[entry.path] = _file(hub, name, commit, entry)
    moved = f"{repository} is called {name} now: name it so in the manifest"
    return HubListing(
        repository=name,
        revision=commit,
        files=tuple(files[path] for path in sorted(files)),
        remarks=() if name == repository else (moved,),
    )


def _file(hub: Hub, repository: str, revision: str, entry: _Entry) -> HubFile:
    from huggingface_hub import hf_hub_url

    large = entry.lfs
    return HubFile(
        path=entry.path,
        n_bytes=entry.size if large is None else large.size,
        checksum=None if large is None else f"sha256:{large.oid}",
        url=hf_hub_url(
            repository, entry.path, repo_type="dataset", revision=revision, endpoint=hub.endpoint
        ),
    )


def missing_bytes(files: tuple[HubFile, ...], folder: Path) -> int:
    """Count the bytes of `files` that are not in `folder` yet."""
    return sum(max(0, file.n_bytes - _held_bytes(folder / file.path)) for file in files)


def _held_bytes(path: Path) -> int:
    part = path.with_name(path.name + PART_SUFFIX)
    return max((one.stat().st_size for one in (path, part) if one.is_file()), default=0)


def bring_file(
    hub: Hub, repository: str, file: HubFile, folder: Path, progress: Progress = no_progress
) -> Path:
    """Download a file into `folder`, under its path in the repository, unless it is there.

    What came before an interruption is kept, and the next call continues from there.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    DataError
        The Hub states no checksum of it, refuses, gives up, or sends another file.
    EnvironmentFaultError
        The disk is full or not writable.
    """
    if not _is_plain(file.path):
        raise DataError(f"{file.path!r} is no path of plain names", where=repository)
    if file.checksum is None:
        raise DataError(
            "the Hub lists it without a checksum",
            where=f"{repository}: {file.path}",
            expected="a large file, of which the Hub states the SHA-256",
            fix="is it the file of events? Another commit may be named by `revision` in a manifest "
            "of your own",
        )
    path = folder / file.path
    make_folder(path.parent)
    download(
        file.url,
        path,
        checksum=file.checksum,
        n_bytes=file.n_bytes,
        label=file.path,
        headers=hub.headers,
        refused=lambda response: refusal(response, repository),
        fix="try again; if it stays, write to the publisher of the data set",
        progress=progress,
        patience=hub.patience,
    )
    return path


def _is_plain(path: str) -> bool:
    return _PLAIN_PATH.fullmatch(path) is not None


def _entries(hub: Hub, address: str, repository: str) -> Iterator[_Entry]:
    """Give what a folder holds, page by page."""
    longest_s = min(_LONGEST_LIST_S, hub.patience.total_s)
    ends = time.monotonic() + longest_s
    for _ in range(_MAX_PAGES):
        if time.monotonic() > ends:
            raise DataError(f"the list is not whole after {longest_s:,.0f} s", where=address)
        answer = ask(hub, address, repository)
        yield from parse(answer, _Page).root
        if answer.next_url is None:
            return
        # A copy of the Hub may name the Hub itself; what it says is asked of the copy.
        base, following = urlsplit(hub.endpoint), urlsplit(answer.next_url)
        address = following._replace(scheme=base.scheme, netloc=base.netloc).geturl()
    raise DataError(f"the list has more than {_MAX_PAGES:,} pages", where=address)
