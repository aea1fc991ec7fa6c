"""Zenodo's record API: which files a record holds, their sizes and checksums."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import BaseModel, Field

from harness.data.web import MOST_DOCUMENT_BYTES, Patience, get_document
from harness.errors import DataError
from harness.files import parse_json

# A site that keeps a copy of Zenodo's API names it in this variable.
ZENODO_VARIABLE = "HARNESS_ZENODO"
ZENODO = "https://zenodo.org"


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
    answer = get_document(url, patience=patience).content
    expected = "a record of Zenodo"
    found = parse_json(
        answer, _Record, source=url, max_bytes=MOST_DOCUMENT_BYTES, expected=expected
    )
    for file in found.files:
        if file.key == name:
            return file
    held = ", ".join(file.key for file in found.files[:20]) or "nothing"
    raise DataError(
        f"record {record} has no file {name}; it holds {held}",
        where=url,
        fix="correct the record or the name in a manifest of your own (--manifest)",
    )
