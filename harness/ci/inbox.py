"""When the submissions of a shared folder were received, which has no history as a branch has.

``results/inbox.jsonl`` holds one JSON object a line and only grows. It is written whenever somebody
looks into the folder, whether anything is scored then or not. What counts is the first look at the
files that a team has there now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from harness.card.run import Digest
from harness.challenge import Name, Utc, Value, instant, utc
from harness.errors import UsageError, field_problems
from harness.files import parse_json

FILE_NAME = "inbox.jsonl"


class Receipt(Value):
    """Files of one team, and when they were received."""

    team: Name
    digest: Digest
    received: Utc


def receive(
    results: Path, digests: Mapping[str, str], *, received: str | None = None
) -> dict[str, str]:
    """Write down what is new; return when the files of each team were received.

    Parameters
    ----------
    digests : mapping of team to str
        Of the files that are in the folder now.
    received : str, optional
        When the new ones were received, by the organiser's word; now if it is not given.

    Raises
    ------
    UsageError
        `received` is no time with its zone, or has not come yet.
    """
    now = datetime.now(UTC)
    results.mkdir(parents=True, exist_ok=True)
    path = results / FILE_NAME
    with FileLock(results / ".inbox.lock"):
        last = {one.team: one for one in _read(path)}
        new = [
            _receipt(team, digest, received or utc(now))
            for team, digest in digests.items()
            if team not in last or last[team].digest != digest
        ]
        if any(instant(one.received) > now for one in new):
            raise UsageError(f"{received} has not come yet", where="--received")
        if new:
            with path.open("a", encoding="utf-8") as file:
                file.write("".join(f"{one.model_dump_json()}\n" for one in new))
    last |= {one.team: one for one in new}
    return {team: last[team].received for team in digests}


def _receipt(team: str, digest: str, received: str) -> Receipt:
    try:
        return Receipt.model_validate({"team": team, "digest": digest, "received": received})
    except ValidationError as error:
        raise UsageError(*field_problems(error, "--received")) from error


def _read(path: Path) -> list[Receipt]:
    """Read the receipts, oldest first.

    Raises
    ------
    DataError
        A line is broken: a ledger that forgot receipts would make somebody late.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    fix = "correct the line"
    return [
        parse_json(line, Receipt, source=f"{path}, line {number}", fix=fix)
        for number, line in enumerate(lines, start=1)
    ]
