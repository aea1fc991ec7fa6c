"""The lock file of checksums: what a Zenodo record, or the first use, said of each file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import Field, ValidationError

from harness.challenge import DataFile, Value
from harness.data.cache import make_folder, writing
from harness.errors import DataError, Problem


class Pin(Value):
    """What a file is held against.

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
        """Whether the pin still speaks of the record that the manifest names."""
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
    try:
        return _Pins.model_validate_json(path.read_bytes()).files
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise DataError(
            Problem(
                what=f"the pinned checksums can't be read: {str(error).splitlines()[0]}",
                where=str(path),
                fix="mend or delete it; checksums are then asked for anew",
            )
        ) from error


def write_pin(path: Path, name: str, pin: Pin) -> None:
    """Add what is known of the file `name` to the pins at `path`.

    Raises
    ------
    EnvironmentFaultError
        It can't be written.
    """
    make_folder(path.parent)
    with FileLock(path.with_name(f"{path.name}.lock")):
        pins = _Pins(schema=1, files={**read_pins(path), name: pin})
        with writing(path.parent, path.name) as stream:
            stream.write(pins.model_dump_json(indent=2, by_alias=True).encode() + b"\n")
