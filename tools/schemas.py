"""Publish the JSON Schemas of the files that harness writes and reads.

python -m tools.schemas            write docs/schemas/*.schema.json
python -m tools.schemas --check    say which are not current; exit code 1 if any is not
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from harness.board.cluster_report import ClusterReport
from harness.board.decisions import Decisions
from harness.board.reach import Reach
from harness.board.rows import Board
from harness.board.watch_report import WatchReport
from harness.card.records import ScoreCard
from harness.ci.documents import Summary
from harness.ci.inbox import Receipt
from harness.ci.ledger import Attempt
from harness.data.manifest import Manifest
from harness.files import schema_text
from harness.submission.declaration import Spec
from harness.trigger.records import TriggerRun
from tools.pages import ROOT, asks_for_check, write_or_check

SCHEMAS = ROOT / "docs" / "schemas"
MODELS: Mapping[str, type[BaseModel]] = {
    "board": Board,
    "attempt": Attempt,
    "cluster": ClusterReport,
    "decisions": Decisions,
    "manifest": Manifest,
    "reach": Reach,
    "receipt": Receipt,
    "score_card": ScoreCard,
    "submission": Spec,
    "summary": Summary,
    "trigger": TriggerRun,
    "watch": WatchReport,
}


def schema_path(name: str) -> Path:
    """Return the path of the schema of `name`."""
    return SCHEMAS / f"{name}.schema.json"


def published() -> dict[Path, str]:
    """Return the text of every schema."""
    return {schema_path(name): schema_text(model) for name, model in MODELS.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the schemas; return the exit code."""
    is_check = asks_for_check(__doc__, arguments)
    return write_or_check(published(), is_check=is_check)


if __name__ == "__main__":
    sys.exit(main())
