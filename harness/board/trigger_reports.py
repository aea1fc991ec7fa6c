"""Reports of `harness cluster` and `harness watch` beside the cards.

They lie in ``results/<challenge>/trigger/<name>.json``; a board shows them under these names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from harness.board.cluster_report import ClusterReport
from harness.board.watch_report import WatchReport
from harness.card.files import CARD_SUFFIX, MAX_CARD_BYTES
from harness.challenge import is_name
from harness.errors import DataError, UsageError
from harness.files import load_json, make_folder, read_bounded, read_json, write_whole

TRIGGER_FOLDER = "trigger"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedReport:
    """A report, and the name of its file."""

    name: str
    report: ClusterReport | WatchReport

    def is_of_any(self, signals: Collection[str]) -> bool:
        """Whether a source of it is events of any of these signals of the challenge's data."""
        report = self.report
        streams = [report.data]
        if isinstance(report, ClusterReport):
            streams += report.expectation
            sources = [one.source for one in report.typical]
        else:
            streams.append(report.reference)
            sources = []
        sources += [one for stream in streams for one in stream.sources]
        # As in ``sample:lq@test[:200]``.
        processes = {re.split(r"[@\[]", one)[0].rpartition(":")[2] for one in sources}
        return not processes.isdisjoint(signals)


def publish_report(results: Path, name: str, report: ClusterReport | WatchReport) -> Path:
    """Write a report beside the cards, on one line as they are; return its path.

    Raises
    ------
    UsageError
        The name is none of a file.
    """
    if not is_name(name):
        raise UsageError(
            f"{name!r} is no name of a report",
            expected="lower-case letters, digits, dots, hyphens and underscores",
        )
    path = results / report.challenge / TRIGGER_FOLDER / f"{name}{CARD_SUFFIX}"
    make_folder(path.parent)
    return write_whole(path, report.model_dump_json().encode() + b"\n")


def read_report(path: Path) -> NamedReport | None:
    """Read a file of a board if it is a report; None for a card, of a team of the folder's name.

    Raises
    ------
    DataError
        It is broken, or of another challenge than its folder says.
    """
    content = load_json(
        read_bounded(path, MAX_CARD_BYTES), source=str(path), max_bytes=MAX_CARD_BYTES
    )
    kind = content.get("kind") if isinstance(content, dict) else None
    report: ClusterReport | WatchReport
    if kind == "cluster":
        report = read_json(path, ClusterReport, max_bytes=MAX_CARD_BYTES)
    elif kind == "watch":
        report = read_json(path, WatchReport, max_bytes=MAX_CARD_BYTES)
    else:
        return None
    if report.challenge != path.parent.parent.name:
        raise DataError(
            f"says it is of {report.challenge} but lies in {path.parent.parent.name}",
            where=str(path),
        )
    return NamedReport(name=path.name.removesuffix(CARD_SUFFIX), report=report)
