"""Zenodo's record API: which files a record holds, their sizes and checksums."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from harness.data.download import (
    TIMEOUT_S,
    Patience,
    open_session,
    retry_passing_faults,
    text_of_status,
)
from harness.errors import DataError
from harness.files import parse_json

if TYPE_CHECKING:
    import requests

# A site that keeps a copy of Zenodo's API names it in this variable.
ZENODO_VARIABLE = "HARNESS_ZENODO"
ZENODO = "https://zenodo.org"
_MAX_BYTES = 16 * 1024**2
_PIECE_BYTES = 65_536


class _Links(BaseModel):
    self: Annotated[str, Field(pattern=r"^https?://")]


class RecordFile(BaseModel):
    """One file of a record, as the API describes it (further fields are ignored)."""

    key: str
    size: Annotated[int, Field(ge=0)]
    checksum: Annotated[str, Field(pattern=r"^(md5|sha256):[0-9a-f]{32,64}$")]
    links: _Links

    @property
    def url(self) -> str:
        """Where its content is."""
        return self.links.self


class _Record(BaseModel):
    files: list[RecordFile]


def find_in_record(
    record: str, name: str, *, zenodo: str | None = None, patience: Patience | None = None
) -> RecordFile:
    """Ask Zenodo for the file called `name` of `record`.

    Parameters
    ----------
    record : str
        Number of the record.
    name : str
        Name of the file.
    zenodo : str, optional
        Where Zenodo is; by default `HARNESS_ZENODO` or https://zenodo.org.
    patience : Patience, optional
        How often it is asked again.

    Raises
    ------
    DataError
        Zenodo cannot be reached, does not know the record, or the record has no such file.

    References
    ----------
    https://developers.zenodo.org/#records
    """
    base = (zenodo or os.environ.get(ZENODO_VARIABLE) or ZENODO).rstrip("/")
    url = f"{base}/api/records/{record}"
    answer = _get(url, patience)
    expected = "a record of Zenodo"
    files = parse_json(answer, _Record, source=url, max_bytes=_MAX_BYTES, expected=expected).files
    for file in files:
        if file.key == name:
            return file
    held = ", ".join(file.key for file in files[:20]) or "nothing"
    raise DataError(
        f"record {record} has no file {name}; it holds {held}",
        where=url,
        fix="correct the record or the name in a manifest of your own (--manifest)",
    )


def _get(url: str, patience: Patience | None) -> bytes:
    with open_session() as session:
        for attempt in retry_passing_faults(url, patience):
            with attempt, session.get(url, timeout=TIMEOUT_S, stream=True) as response:
                if response.status_code != 200:
                    raise text_of_status(response)
                return _read(response, url)
    raise AssertionError("unreachable: the last attempt raises")


def _read(response: requests.Response, url: str) -> bytes:
    """Read an answer; one that does not end is cut off."""
    content = bytearray()
    for piece in response.iter_content(_PIECE_BYTES):
        content += piece
        if len(content) > _MAX_BYTES:
            raise DataError(f"the answer is larger than {_MAX_BYTES:,} bytes", where=url)
    return bytes(content)
