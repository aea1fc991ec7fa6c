"""Reports of `harness cluster` and `harness watch` beside the cards.

They lie in ``results/<challenge>/trigger/<name>.json``; a board shows them under these names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from harness.board.beside_cards import read_beside
from harness.board.cluster_report import ClusterReport
from harness.board.watch_report import WatchReport
from harness.card.files import CARD_SUFFIX
from harness.challenge import is_name
from harness.errors import UsageError
from harness.files import make_folder, write_whole

TRIGGER_FOLDER = "trigger"
_KINDS: Mapping[str, type[ClusterReport | WatchReport]] = {
    "cluster": ClusterReport,
    "watch": WatchReport,
}


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


def check_report_name(name: str) -> None:
    """Check that a report can lie beside the cards under a name, before it is made.

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


def publish_report(results: Path, name: str, report: ClusterReport | WatchReport) -> Path:
    """Write a report beside the cards, on one line as they are; return its path.

    Raises
    ------
    UsageError
        The name is none of a file.
    """
    check_report_name(name)
    path = results / report.challenge / TRIGGER_FOLDER / f"{name}{CARD_SUFFIX}"
    make_folder(path.parent)
    return write_whole(path, report.model_dump_json().encode() + b"\n")


def read_report(path: Path) -> NamedReport | None:
    """Read a file of a board if it is a report; see `read_beside`."""
    report = cast("ClusterReport | WatchReport | None", read_beside(path, _kind_of))
    if report is None:
        return None
    return NamedReport(name=path.name.removesuffix(CARD_SUFFIX), report=report)


def _kind_of(content: Mapping[str, JsonValue]) -> type[ClusterReport | WatchReport] | None:
    return _KINDS.get(str(content.get("kind")))
