"""The files of a challenge: what each holds, where it is to be had, what is known of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from harness.challenge.values import Name, Part, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}$")]


class Piece(Value):
    """One of several files that hold the events of a process, one after the other.

    The fields are those of `DataFile`.
    """

    name: FileName
    record: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$")
    url: str | None = Field(default=None, max_length=1000)
    checksum: str | None = Field(default=None, pattern=r"^(md5|sha256):[0-9a-f]{32,64}$")
    n_bytes: int | None = Field(default=None, ge=1)
    n_events: int | None = Field(default=None, ge=1)
    part: Part | None = Field(default=None, exclude_if=lambda part: part is None)
    label: int | None = Field(default=None, exclude_if=lambda label: label is None)


def join_checksums(checksums: Sequence[str]) -> str:
    """Return the checksum of several files in their order: the SHA-256 of their checksums."""
    return f"sha256:{hashlib.sha256(' '.join(checksums).encode()).hexdigest()}"


class DataFile(Value):
    """The events of one process of a challenge: one file, or several.

    Attributes
    ----------
    name : str
        File name, as its publisher wrote it; of several files the name of the process.
    role : str
        ``background``, ``signal``, ``hidden`` (a signal kept secret), ``blackbox``, or
        ``variation``: a process simulated in another way.
    process : str
        Name of the process that the card and the page use, such as ``ato4l``.
    title : str
        How the process is printed, such as "A → 4ℓ".
    record : str or None
        Zenodo record that holds the file.
    url : str or None
        Where else the file is to be had; ``package:`` names a file shipped with the harness.
    checksum : str or None
        ``algorithm:hex`` or None where none was published.
    n_events : int or None
        Events that the file is known to hold.
    part : str or None
        Of a published split: the part that all events of the file are in.
    label : int or None
        Only the events of the file with this number in the column `label` of the challenge's
        `columns` are of the process; None: all of them. Other processes may be in the same file.
    pieces : tuple of Piece
        The files, where the process has several. Their number of events and checksum are then
        those of all together, as far as they are known.
    variation_of : str or None
        Of a variation: the background or signal that it is a second simulation of. Every scoring
        then compares the two. A variation that states none is background, for
        `harness score --stress` alone.
    part_events : mapping of part to int
        Of a data set of the challenge's `source`, or of a file shipped with the harness: the parts
        that are read, and the events that the files of each hold. Its checksum is that of the
        decoded events.
    """

    name: FileName
    role: Literal["background", "signal", "hidden", "blackbox", "variation"]
    process: Name
    title: str = Field(min_length=1, max_length=80)
    record: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$")
    url: str | None = Field(default=None, max_length=1000)
    checksum: str | None = Field(default=None, pattern=r"^(md5|sha256):[0-9a-f]{32,64}$")
    n_bytes: int | None = Field(default=None, ge=1)
    n_events: int | None = Field(default=None, ge=1)
    part: Part | None = Field(default=None, exclude_if=lambda part: part is None)
    variation_of: Name | None = Field(default=None, exclude_if=lambda one: one is None)
    label: int | None = Field(default=None, exclude_if=lambda label: label is None)
    pieces: tuple[Piece, ...] = Field(default=(), exclude_if=lambda pieces: not pieces)
    part_events: dict[Part, Annotated[int, Field(ge=1)] | None] = Field(
        default_factory=dict, exclude_if=lambda counts: not counts
    )

    @model_validator(mode="before")
    @classmethod
    def _is_named_by_its_process(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("pieces") and "process" in value:
            return {"name": value["process"], **value}
        return value

    @model_validator(mode="after")
    def _varies_as_a_variation(self) -> DataFile:
        if self.variation_of is not None and self.role != "variation":
            raise ValueError(f"{self.process} has variation_of: its role is variation")
        return self

    @model_validator(mode="after")
    def _is_one_file_or_several(self) -> DataFile:
        if self.part_events:
            self._check_data_set()
        if not self.pieces:
            return self
        own = {
            "record": self.record, "url": self.url, "n_bytes": self.n_bytes, "part": self.part,
            "label": self.label,
        }  # fmt: skip
        if stated := [name for name, value in own.items() if value is not None]:
            raise ValueError(f"{self.process} has pieces: each of them has its own {stated[0]}")
        if any((piece.url or "").startswith("package:") for piece in self.pieces):
            raise ValueError(f"a piece of {self.process} cannot come with the harness")
        counts = [piece.n_events for piece in self.pieces if piece.n_events is not None]
        sums = [piece.checksum for piece in self.pieces if piece.checksum is not None]
        n_pieces = len(self.pieces)
        self.__dict__["n_events"] = sum(counts) if len(counts) == n_pieces else None
        self.__dict__["checksum"] = join_checksums(sums) if len(sums) == n_pieces else None
        return self

    def _check_data_set(self) -> None:
        """Refuse what only a file has, and count the events of all parts."""
        url = None if (self.url or "").startswith("package:") else self.url
        own = {
            "record": self.record, "url": url, "n_bytes": self.n_bytes, "part": self.part,
            "pieces": self.pieces or None, "label": self.label,
        }  # fmt: skip
        if stated := [name for name, value in own.items() if value is not None]:
            raise ValueError(f"{self.name} has part_events, so that it has no {stated[0]}")
        counts = list(self.part_events.values())
        known = [count for count in counts if count is not None]
        total = sum(known) if len(known) == len(counts) else None
        # A manifest that was written again states the sum.
        if self.n_events not in {None, total}:
            raise ValueError(f"{self.name} has part_events, whose sum is not its n_events")
        self.__dict__["n_events"] = total

    @property
    def sources(self) -> tuple[DataFile, ...]:
        """The files, each as if it were the only one of its process."""
        if not self.pieces:
            return (self,)
        kept = {"role": self.role, "process": self.process, "title": self.title}
        return tuple(DataFile(**kept, **piece.model_dump()) for piece in self.pieces)

    @property
    def labels(self) -> tuple[int | None, ...]:
        """The label of each file; empty where no file has one."""
        labels = tuple(source.label for source in self.sources)
        return labels if any(label is not None for label in labels) else ()

    @property
    def stated_parts(self) -> frozenset[Part]:
        """Parts that the manifest states of its files; ``test`` where a signal states none."""
        if self.part_events:
            return frozenset(self.part_events)
        rest: Part | None = "test" if self.role in {"signal", "hidden"} else None
        parts = [source.part or rest for source in self.sources]
        return frozenset(part for part in parts if part is not None)
