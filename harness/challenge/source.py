"""Where all data sets of a challenge lie, in a format with a reader of its own, and how it reads.

A challenge without a `source` has HDF5 files, each with its own address; see `DataFile`. With
`columns` they are tables of pandas; see `TableColumns`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.challenge.values import Column, Name, Value

# Kinds of formats of data files; their readers: `harness/data/formats.py`.
FormatName = Literal["hdf5", "pandas_hdf5", "level1_parquet"]

# A number of the hardware.
Code = Annotated[int, Field(ge=1, lt=2**24)]


class ReadingRules(Value):
    """What is left out of the files' events, or put in order, when they are read.

    What each rule did is counted and reported. All numbers are those of the files, not of a unit.

    Attributes
    ----------
    drop_marked : mapping of column to int
        Columns beside the events, and the value that marks an event to be left out.
    drop_saturated : mapping of kind of object to int
        An event is left out if the pT of such an object has this number or more.
    remove_saturated : mapping of kind of object to int
        Such an object is left out if its pT has this number or more; those after it move up.
    sort_by_pt : tuple of str
        Kinds of object that the files do not have by falling pT. Equal ones keep their order.
    """

    drop_marked: dict[Column, int] = Field(default_factory=dict)
    drop_saturated: dict[Name, Code] = Field(default_factory=dict)
    remove_saturated: dict[Name, Code] = Field(default_factory=dict)
    sort_by_pt: tuple[Name, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of object that a rule names."""
        return frozenset({*self.drop_saturated, *self.remove_saturated, *self.sort_by_pt})


class Source(Value):
    """Where the data sets of a challenge are to be had.

    Attributes
    ----------
    format : str
        Which reader they have.
    hub : str or None
        Data set of the Hugging Face Hub, ``owner/name``.
    revision : str or None
        The commit of the Hub that holds; None: the newest one, which is pinned when it is first
        fetched.
    zenodo : str or None
        Record of Zenodo with the same events.
    reading : ReadingRules
        What is done to the events when they are read.
    """

    format: FormatName
    hub: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,96}/[A-Za-z0-9_.-]{1,96}$")] | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    zenodo: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")] | None = None
    reading: ReadingRules = Field(default_factory=ReadingRules)
