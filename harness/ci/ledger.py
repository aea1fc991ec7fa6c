"""The list of all attempts at scoring: which count against a quota, which need no second try.

``results/<challenge>/attempts.jsonl`` holds one JSON object a line and only grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.board.teams import Teams
from harness.card.records import SCORER_VERSION
from harness.card.run import Digest
from harness.challenge import Name, Utc, Value, instant, utc
from harness.ci.documents import Scoring
from harness.files import parse_json, read_bounded

FILE_NAME = "attempts.jsonl"
# An attempt takes some 300 bytes: two hundred thousand of them fit.
MAX_BYTES = 64 * 1024**2
# Runs in which the platform may fail for the same files before they are given up; each tries twice.
MAX_FAULTS = 3


class Attempt(Value):
    """One attempt; what it said is not kept, as a run on private data may say anything."""

    made: Utc
    team: Name
    digest: Digest
    status: Literal["scored", "failed"]
    exit_code: int = Field(ge=0, le=255)
    is_fault_of_platform: bool
    scorer_version: int
    card: str | None = Field(default=None, max_length=200)


def read_attempts(results: Path, challenge: str) -> list[Attempt]:
    """Read the attempts at a challenge, oldest first.

    Raises
    ------
    DataError
        A line is broken: a quota that forgot attempts would be none.
    """
    path = results / challenge / FILE_NAME
    if not path.exists():
        return []
    content = read_bounded(path, MAX_BYTES, fix="restore it from the history of the board")
    attempts = []
    for number, line in enumerate(content.splitlines(), start=1):
        source = f"{path}, line {number}"
        attempts.append(parse_json(line, Attempt, source=source, fix="correct the line"))
    return attempts


def add_attempts(results: Path, challenge: str, scorings: Iterable[Scoring], now: datetime) -> None:
    """Add the scorings that were run; those that are known or waiting were not."""
    lines = [
        Attempt(
            made=utc(now),
            team=one.team,
            digest=one.digest,
            status=one.status,
            exit_code=one.exit_code,
            is_fault_of_platform=one.is_fault_of_platform,
            scorer_version=SCORER_VERSION,
            card=one.card,
        ).model_dump_json()
        for one in scorings
        if one.status in {"scored", "failed"} and one.digest is not None and one.attempts
    ]
    if not lines:
        return
    path = results / challenge / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def n_counted(attempts: Sequence[Attempt], team: str, now: datetime, teams: Teams) -> int:
    """Count a team's scorings of the day of `now` in UTC, under whatever name it had.

    The platform's faults do not count.
    """
    counted = [one for one in attempts if not one.is_fault_of_platform]
    moments = [(one.team, instant(one.made)) for one in counted]
    today = now.astimezone(UTC).date()
    return sum(
        made.date() == today and teams.standing(name, made).name == team for name, made in moments
    )


def attempts_at(attempts: Sequence[Attempt], team: str, digest: str | None) -> list[Attempt]:
    """Return the attempts at these files with this scorer, oldest first."""
    wanted = (team, digest, SCORER_VERSION)
    return [one for one in attempts if (one.team, one.digest, one.scorer_version) == wanted]
