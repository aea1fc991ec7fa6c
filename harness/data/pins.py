"""The lock file of checksums: what a Zenodo record, or the first use, said of each file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
        Where Zenodo keeps the file.
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


def read_pins(path: Path) -> dict[str, Pin]:
    """Read the pins at `path`, by file name; none where there is no such file.

    Raises
    ------
    DataError
        The file is broken.
    """
    if not path.exists():
        return {}
    fix = "correct it or move it away; the checksums are then asked for again"
    return read_json(path, _Pins, fix=fix).files


def write_pin(path: Path, name: str, pin: Pin) -> None:
    """Add what is known of the file `name` to the pins at `path`.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written.
    """
    make_folder(path.parent)
    with FileLock(path.with_name(f"{path.name}.lock")):
        pins = _Pins(schema=1, files={**read_pins(path), name: pin})
        write_json(path, pins, indent=2)
