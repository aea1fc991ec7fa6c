"""What the organiser decided of a board: its deadline, cards taken back, signals opened.

They lie beside the cards, in ``results/<challenge>/decisions.json``, as a list that only grows: who
reads it sees each decision with its time and its reason. Every reader of the board applies them.

Harness once wrote times that do not exist, such as 31 November. A list cannot be corrected, so such
a time is named, and what hangs on it does not hold.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import Field, JsonValue, PrivateAttr, ValidationError, model_validator

from harness.challenge import NAME_PATTERN, Name, Utc, Value
from harness.errors import DataError, UsageError, field_problems
from harness.files import make_folder, parse_json, read_json, write_json

FILE_NAME = "decisions.json"
_FIX = "correct or restore the file"
# What each kind of decision is about.
_SUBJECTS = {
    "freeze": ("deadline",),
    "retract": ("card",),
    "reinstate": ("card",),
    "reveal": ("signal",),
    "rename": ("team", "to"),
    "unrename": ("team", "to"),
    "withdraw": ("team",),
    "readmit": ("team",),
    "disqualify": ("team",),
    "requalify": ("team",),
}
# What each of these takes back.
_UNDOES = {
    "thaw": "freeze",
    "reinstate": "retract",
    "unrename": "rename",
    "readmit": "withdraw",
    "requalify": "disqualify",
}

Key = Annotated[str, Field(pattern=rf"^{NAME_PATTERN}/[A-Za-z0-9-]{{1,80}}$")]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


DecisionKind = Literal[
    "freeze",
    "thaw",
    "retract",
    "reinstate",
    "reveal",
    "rename",
    "unrename",
    "withdraw",
    "readmit",
    "disqualify",
    "requalify",
]


class Decision(Value):
    """One decision of the organiser.

    Attributes
    ----------
    kind : str
        ``freeze``: what is received after `deadline` does not count. ``thaw``: the manifest's
        deadline holds again. ``retract``: `card` does not count. ``reinstate``: it does again.
        ``reveal``: the hidden signal `signal` is shown to everyone; never taken back.
        ``rename``: `team` is called `to`. ``unrename``: that rename is taken back. ``withdraw``:
        no card of `team` counts. ``readmit``: they do again. ``disqualify``: no card of `team`
        counts, nor one that it hands in later, under whatever name. ``requalify``: they do again.
    commit : str or None
        The commit of the main branch that a rename or a withdrawal follows from.
    decided : str or None
        None where an old list holds a time that does not exist.
    """

    kind: DecisionKind
    decided: Utc | None
    reason: Reason
    deadline: Utc | None = None
    card: Key | None = None
    signal: Name | None = None
    team: Name | None = None
    to: Name | None = None
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Decision:
        missing = [name for name in _SUBJECTS.get(self.kind, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a decision to {self.kind} does not name its {', '.join(missing)}")
        return self


class Decisions(Value):
    """All decisions of one board that hold, oldest first."""

    schema_version: Literal[1] = 1
    decisions: tuple[Decision, ...] = Field(default=(), max_length=10_000)
    _flaws: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def of_list(cls, listed: _List, source: str) -> Decisions:
        """Make the decisions of a file.

        Raises
        ------
        DataError
            One of them cannot be read for another reason than its time.
        """
        held, flaws = [], []
        for number, written in enumerate(listed.decisions, start=1):
            decision, flaw = _read(written, f"{source}, decision {number}")
            held += [decision] if decision is not None else []
            flaws += [f"decision {number}: {flaw}"] if flaw else []
        made = cls(decisions=tuple(held))
        made._flaws = tuple(flaws)
        return made

    @property
    def flaws(self) -> tuple[str, ...]:
        """What is wrong with decisions of the file, where, and what to do."""
        return self._flaws

    @property
    def in_force(self) -> tuple[Decision, ...]:
        """Decisions that no later one took back, oldest first."""
        last: dict[tuple[str | None, ...], Decision] = {}
        for one in self.decisions:
            undone = _UNDOES.get(one.kind, one.kind)
            about = (undone, one.card, one.signal, one.team, one.to)
            last.pop(about, None)
            if undone == one.kind:
                last[about] = one
        return tuple(last.values())

    @property
    def revealed(self) -> frozenset[str]:
        """Names of the hidden signals that were opened."""
        made = (one for one in self.decisions if one.kind == "reveal")
        return frozenset(one.signal for one in made if one.signal is not None)


class _List(Value):
    """The file of decisions, each as it was written: adding one changes no other."""

    schema_version: Literal[1] = 1
    decisions: tuple[dict[str, JsonValue], ...] = Field(default=(), max_length=10_000)


def _read(written: dict[str, JsonValue], source: str) -> tuple[Decision | None, str]:
    """Read one decision, and say what is wrong with its times.

    A freeze whose deadline does not exist is left out. When something was decided is only shown.
    """
    try:
        return Decision.model_validate(written), ""
    except ValidationError as error:
        wrong = {".".join(map(str, one["loc"])) for one in error.errors(include_url=False)}
        if not wrong <= {"deadline", "decided"}:
            problems = (replace(one, fix=_FIX) for one in field_problems(error, source))
            raise DataError(*problems) from error
    what = "; ".join(f"{name} {written.get(name)!r} is no time" for name in sorted(wrong))
    if "deadline" in wrong:
        return None, f"{what}, so this {written.get('kind')} does not hold: decide it again"
    return Decision.model_validate({**written, "decided": None}), what


def make_decision(kind: str, *, reason: str, decided: Utc, **subject: str | None) -> Decision:
    """Check what somebody typed, and make a decision of it; see `Decision` for its subject.

    Raises
    ------
    UsageError
        The reason is empty, or a value has the wrong form.
    """
    try:
        return Decision.model_validate(
            {"kind": kind, "reason": reason, "decided": decided, **subject}
        )
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
    return Decisions.of_list(_read_list(path), str(path))


def _read_list(path: Path) -> _List:
    if not path.exists():
        return _List()
    return read_json(path, _List, fix=_FIX)


def listed(content: bytes, *, source: str) -> tuple[dict[str, JsonValue], ...]:
    """Return the decisions in the content of a file, each as it was written.

    Raises
    ------
    DataError
        It is no list of decisions.
    """
    return parse_json(content, _List, source=source, fix=_FIX).decisions


def joined(theirs: bytes, own: bytes, *, source: str) -> bytes:
    """Return the content of a file with the decisions of one, and what another has beside them.

    Raises
    ------
    DataError
        One of them is no list of decisions.
    """
    there, more = (listed(content, source=source) for content in (theirs, own))
    both = _List(decisions=(*there, *(one for one in more if one not in there)))
    return both.model_dump_json(indent=1).encode() + b"\n"


def add_decision(results: Path, challenge: str, decision: Decision) -> Path:
    """Write one more decision down; return the file.

    Raises
    ------
    EnvironmentFaultError
        The file cannot be written.
    """
    path = results / challenge / FILE_NAME
    make_folder(path.parent)
    with FileLock(path.with_name(".decisions.lock")):
        return _write_added(path, decision)


def _write_added(path: Path, decision: Decision) -> Path:
    added = decision.model_dump(mode="json", exclude_none=True)
    return write_json(path, _List(decisions=(*_read_list(path).decisions, added)))
