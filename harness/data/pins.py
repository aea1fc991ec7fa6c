"""The lock file of checksums and commits: what was said of each file, or is first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import Field

from harness.challenge import DataFile, Value
from harness.files import make_folder, read_json, write_json


class Pin(Value):
    """What a file is compared with.

    Attributes
    ----------
    checksum : str or None
        ``md5:`` or ``sha256:``; None as long as nothing is known.
    n_bytes : int or None
        Size of the file.
    origin : str
        Who said so.
    url : str or None
        Where Zenodo or the Hub keeps the file.
    """

    checksum: str | None
    n_bytes: int | None
    origin: str
    url: str | None

    def is_of(self, file: DataFile) -> bool:
        """Whether the pin is still of the record that the manifest names."""
        is_zenodo = self.origin.startswith("Zenodo")
        return not is_zenodo or self.origin == f"Zenodo record {file.record}"


class _Pins(Value):
    schema_: Literal[1] = Field(default=1, alias="schema")
    files: dict[str, Pin] = Field(default_factory=dict)
    # The commit of each repository of the Hub.
    revisions: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]] = Field(
        default_factory=dict
    )


def read_pins(path: Path) -> dict[str, Pin]:
    """Read the pins at `path`, by file name; none where there is no such file.

    Raises
    ------
    DataError
        The file is broken.
    """
    return _read(path).files


def read_revision(path: Path, repository: str) -> str | None:
    """Read the commit of a repository that is pinned at `path`; None where none is.

    Raises
    ------
    DataError
        The file is broken.
    """
    return _read(path).revisions.get(repository)


def _read(path: Path) -> _Pins:
    if not path.exists():
        return _Pins(schema=1)
    fix = "correct it or move it away; the checksums are then asked for again"
    return read_json(path, _Pins, fix=fix)


def write_pin(path: Path, name: str, pin: Pin) -> None:
    """Add what is known of the file `name` to the pins at `path`.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """
    with _changing(path) as pins:
        pins.files[name] = pin


def replace_pins(path: Path, files: Mapping[str, Pin], *, below: str) -> None:
    """Put what is known of the files of a folder in place of what was known of it.

    Parameters
    ----------
    path : Path
        File of the pins.
    files : mapping of str to Pin
        By the path of each file.
    below : str
        Path of the folder, with a slash after it.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """
    with _changing(path) as pins:
        for name in [name for name in pins.files if name.startswith(below)]:
            del pins.files[name]
        pins.files.update(files)


def write_revision(path: Path, repository: str, revision: str) -> None:
    """Pin the commit of a repository.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """
    with _changing(path) as pins:
        pins.revisions[repository] = revision


@contextmanager
def _changing(path: Path) -> Iterator[_Pins]:
    """Give the pins to be changed, and write them; another process waits meanwhile."""
    make_folder(path.parent)
    with FileLock(path.with_name(f"{path.name}.lock")):
        pins = _read(path)
        yield pins
        write_json(path, pins, indent=2)
