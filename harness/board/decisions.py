"""What the organiser decided of a board: its deadline, cards taken back, signals opened.

They lie beside the cards, in ``results/<challenge>/decisions.json``, as a list that only grows: who
reads it sees each decision with its time and its reason. Every reader of the board applies them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from harness.challenge import NAME_PATTERN, Name, Utc, Value
from harness.errors import UsageError, field_problems
from harness.files import read_json, write_json

FILE_NAME = "decisions.json"

Key = Annotated[str, Field(pattern=rf"^{NAME_PATTERN}/[A-Za-z0-9-]{{1,80}}$")]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


class Decision(Value):
    """One decision of the organiser.

    Attributes
    ----------
    kind : str
        ``freeze``: what is received after `deadline` does not count. ``thaw``: the manifest's
        deadline holds again. ``retract``: `card` does not count. ``reinstate``: it does again.
        ``reveal``: the hidden signal `signal` is shown to everyone; never taken back.
    """

    kind: Literal["freeze", "thaw", "retract", "reinstate", "reveal"]
    decided: Utc
    reason: Reason
    deadline: Utc | None = None
    card: Key | None = None
    signal: Name | None = None


class Decisions(Value):
    """All decisions of one board, oldest first."""

    schema_version: Literal[1] = 1
    decisions: tuple[Decision, ...] = Field(default=(), max_length=10_000)

    @property
    def revealed(self) -> frozenset[str]:
        """Names of the hidden signals that were opened."""
        made = (one for one in self.decisions if one.kind == "reveal")
        return frozenset(one.signal for one in made if one.signal is not None)


def make_decision(
    kind: str,
    *,
    reason: str,
    decided: Utc,
    deadline: str | None = None,
    card: str | None = None,
    signal: str | None = None,
) -> Decision:
    """Check what somebody typed, and make a decision of it; see `Decision`.

    Raises
    ------
    UsageError
        The reason is empty, or a value has the wrong form.
    """
    stated = {"kind": kind, "reason": reason, "decided": decided}
    fields = {**stated, "deadline": deadline, "card": card, "signal": signal}
    try:
        return Decision.model_validate(fields)
    except ValidationError as error:
        raise UsageError(*field_problems(error, kind)) from error


def read_decisions(results: Path, challenge: str) -> Decisions:
    """Read what was decided of a challenge's board; nothing if there is no such file.

    Raises
    ------
    DataError
        The file is broken: a board that ignored it would show other ranks.
    """
    path = results / challenge / FILE_NAME
    if not path.exists():
        return Decisions()
    return read_json(path, Decisions, fix="correct or restore the file")


def add_decision(results: Path, challenge: str, decision: Decision) -> Path:
    """Write one more decision down; return the file.

    Raises
    ------
    EnvironmentFaultError
        The file cannot be written.
    """
    made = read_decisions(results, challenge).decisions
    path = results / challenge / FILE_NAME
    return write_json(path, Decisions(decisions=(*made, decision)))
