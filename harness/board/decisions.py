"""What the organiser decided of a board: its deadline, cards taken back, signals opened.

They lie beside the cards, in ``results/<challenge>/decisions.json``, as a list that only grows: who
reads it sees each decision with its time and its reason. Every reader of the board applies them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from harness.challenge import Name, Utc, Value
from harness.errors import DataError, EnvironmentFaultError, Problem

FILE_NAME = "decisions.json"
MAX_BYTES = 1024**2

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_+.-]{0,63}/[A-Za-z0-9-]{1,80}$")]
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
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise DataError(Problem(what=f"larger than {MAX_BYTES:,} bytes", where=str(path)))
        return Decisions.model_validate_json(content)
    except OSError as error:
        raise DataError(Problem(what=error.strerror or str(error), where=str(path))) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise DataError(
            Problem(
                what=f"{field}: {first['msg']}", where=str(path), fix="mend or restore the file"
            )
        ) from error


def add_decision(results: Path, challenge: str, decision: Decision) -> Path:
    """Write one more decision down; return the file.

    Raises
    ------
    EnvironmentFaultError
        The file can't be written.
    """
    made = read_decisions(results, challenge).decisions
    path = results / challenge / FILE_NAME
    part = path.with_name(f".{FILE_NAME}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        grown = Decisions(decisions=(*made, decision))
        part.write_text(grown.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise EnvironmentFaultError(
            Problem(what=f"cannot be written: {error.strerror}", where=str(path))
        ) from error
    return path
