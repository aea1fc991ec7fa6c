"""What the cache says of the events of one process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.challenge import Part, Value
from harness.data.npy import npy_bytes
from harness.data.structure import StructureReport
from harness.submission.events import sparse_words


class ReadingReport(Value):
    """What the rules of a challenge's source did while its events were read.

    Attributes
    ----------
    layout : str
        In which of its layouts the source lay on the disk.
    n_read : mapping of part to int
        Events that the files hold.
    left_out : mapping of rule to int
        Events that a rule leaves out; ``in all``, those that any of them does.
    changed : mapping of rule to int
        Objects that were removed or brought into one turn, events that were put in order.
    """

    layout: str
    n_read: dict[Part, int]
    left_out: dict[str, int] = Field(default_factory=dict)
    changed: dict[str, int] = Field(default_factory=dict)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the rules did, in words."""
        n_out, n_read = self.left_out.get("in all", 0), sum(self.n_read.values())
        rules = {rule: count for rule, count in self.left_out.items() if rule != "in all"}
        found = []
        if n_out:
            listed = ", ".join(f"{rule}: {count:,}" for rule, count in rules.items())
            found.append(f"{n_out:,} of {n_read:,} events are left out ({listed})")
        if len(set(rules.values())) > 1:
            found.append("the rules that leave events out do not agree")
        for done, count in self.changed.items():
            verb, _, kind = done.partition(" ")
            found.append(_CHANGES[verb].format(count=count, kind=kind))
        return tuple(found)


def join_reports(reports: Sequence[ReadingReport]) -> ReadingReport:
    """Add up what was done to the events of several files."""
    n_read: Counter[Part] = Counter()
    left_out: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for report in reports:
        n_read.update(report.n_read)
        left_out.update(report.left_out)
        changed.update(report.changed)
    return ReadingReport(
        layout=reports[0].layout,
        n_read=dict(n_read),
        left_out=dict(left_out),
        changed=dict(changed),
    )


# How `ReadingReport.changed` is said.
_CHANGES = {
    "remove": "{count:,} saturated objects of the kind {kind} are removed",
    "sort": "{count:,} events have their {kind}s put in order",
    "turn": "{count:,} angles of {kind}s are brought into one turn",
}


class CacheRecord(Value):
    """What ``about.json`` says of one cached process.

    Attributes
    ----------
    checksum : str
        Of the source file (``md5:`` or ``sha256:``), as it was checked; of a data set of a source,
        that of its decoded events, see `EventSource`.
    reading : ReadingReport or None
        What the rules of the source did; None: the challenge has no source.
    labels : tuple of int or None
        Of each file, which of its events are there; see `DataFile.label`. Empty: all of them.
    algorithms : tuple of str
        Names of the single algorithms of the menu whose decisions are there.
    n_entries : int or None
        Of events without their zeros: values that are not zero.
    """

    format: Literal[1] = 1
    process: str
    source: str
    checksum: str
    shape: tuple[int, ...]
    n_entries: int | None = Field(default=None, exclude_if=lambda count: count is None)
    labels: tuple[int | None, ...] = Field(default=(), exclude_if=lambda labels: not labels)
    algorithms: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    reading: ReadingReport | None = Field(default=None, exclude_if=lambda report: report is None)
    structure: StructureReport
    made_with: dict[str, str] = Field(default_factory=dict)

    @property
    def n_events(self) -> int:
        """Events in the cache."""
        return self.shape[0]

    @property
    def holds_test_events(self) -> bool:
        """Whether the test part of a data set of a source is there."""
        return self.reading is not None and "test" in self.reading.n_read

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was done to the events, and what is unusual about them."""
        done = () if self.reading is None else self.reading.remarks
        return (*done, *self.structure.remarks)

    @property
    def n_bytes(self) -> int:
        """Size of the events and their hashes."""
        return self.events_bytes + npy_bytes(self.shape[:1], "<u8")

    @property
    def events_bytes(self) -> int:
        """Size of the file of events."""
        if self.n_entries is None:
            return npy_bytes(self.shape, "<f4")
        return npy_bytes((sparse_words(self.n_events, self.n_entries),), "<i8")
