"""Publish the JSON Schemas of the files that harness writes and reads.

python -m tools.schemas            write docs/schemas/*.schema.json
python -m tools.schemas --check    say which are not current; exit code 1 if any is not
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from harness.board.decisions import Decisions
from harness.board.rows import Board
from harness.card.records import ScoreCard
from harness.ci.documents import Summary
from harness.ci.ledger import Attempt
from harness.data.manifest import Manifest
from harness.submission.declaration import Spec

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schemas"
MODELS: Mapping[str, type[BaseModel]] = {
    "board": Board,
    "attempt": Attempt,
    "decisions": Decisions,
    "manifest": Manifest,
    "score_card": ScoreCard,
    "submission": Spec,
    "summary": Summary,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def publish(model: type[BaseModel]) -> str:
    """Return the JSON Schema of a file that holds `model`, with a final newline."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return json.dumps({"$schema": DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"


def schema_path(name: str) -> Path:
    """Return where the schema of `name` lies."""
    return SCHEMAS / f"{name}.schema.json"


def outdated() -> list[Path]:
    """Return the committed schemas that are missing or not what the models say."""
    return [
        schema_path(name)
        for name, model in MODELS.items()
        if not schema_path(name).is_file()
        or schema_path(name).read_text(encoding="utf-8") != publish(model)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write or check the schemas; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_check = parser.parse_args(arguments).check
    old = outdated()
    for path in old:
        print(path.relative_to(SCHEMAS.parent.parent), "is not current" if is_check else "written")
    if is_check:
        return 1 if old else 0
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for name, model in MODELS.items():
        schema_path(name).write_text(publish(model), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
