"""What can go wrong, whose fault it is, and what the user reads."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


_ROOT = Path(__file__).parent
_FIX_BY_ERRNO = {
    errno.ENOSPC: "make room on the disk and run the command again",
    errno.EROFS: "name a folder that can be written",
    errno.EACCES: "name a folder that you may read and write",
}
Result = TypeVar("Result")
# The name under which pip knows harness; `harness` there is another project's.
DISTRIBUTION = "trigger-harness"

# How pydantic begins what our own checks say, and what it calls a list and a mapping.
_PREFIX_OF_PYDANTIC = re.compile(r"^(Value error|Assertion failed), ")
_LIST_OF_PYDANTIC = ("valid tuple", "list")
_MAPPING_OF_PYDANTIC = re.compile(r"valid dictionary( or (object|instance)\b.*)?")


class ExitCode(IntEnum):
    """Exit codes of the command line: each says whose fault a failure was."""

    SCORED = 0
    SUBMISSION_FAILED = 1
    USAGE = 2
    INVALID = 3
    LIMIT = 4
    ENVIRONMENT = 5
    INTEGRITY = 6
    HARNESS_FAULT = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong, written so that its reader can correct it.

    Attributes
    ----------
    what : str
        What was found, with the offending value.
    where : str
        File, field, event or layer in which it was found; empty if there is no such place.
    expected : str
        What would have been right.
    fix : str
        What to do about it.
    """

    what: str
    where: str = ""
    expected: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """Write the problem in one to four short lines."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        details = (("expected", self.expected), ("to do", self.fix))
        return "\n".join([head, *(f"  {name}: {text}" for name, text in details if text)])


class HarnessError(Exception):
    """A failure with a reason that the user can act on; never shown as a traceback.

    Parameters
    ----------
    *problems : Problem or str
        All that is wrong; a string is what was found.
    where, expected, fix : str
        The other fields of a problem that is given as a string; see `Problem`.

    Examples
    --------
    >>> print(UsageError("no challenge 'adc'", expected="adc2021 or sample"))
    no challenge 'adc'
      expected: adc2021 or sample
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ENVIRONMENT

    def __init__(
        self, *problems: Problem | str, where: str = "", expected: str = "", fix: str = ""
    ) -> None:
        self.problems: Sequence[Problem] = tuple(
            problem
            if isinstance(problem, Problem)
            else Problem(what=problem, where=where, expected=expected, fix=fix)
            for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SubmissionError(HarnessError):
    """The participant's code failed while it ran."""

    exit_code = ExitCode.SUBMISSION_FAILED


class UsageError(HarnessError):
    """The command asks for something that does not exist or makes no sense."""

    exit_code = ExitCode.USAGE


class InvalidSubmissionError(HarnessError):
    """The submission, or its output, breaks the contract."""

    exit_code = ExitCode.INVALID


class LimitError(HarnessError):
    """The submission ran into a limit of time, memory, processes or output."""

    exit_code = ExitCode.LIMIT


class EnvironmentFaultError(HarnessError):
    """The machine lacks something: a tool, disk space, isolation, a package."""

    exit_code = ExitCode.ENVIRONMENT


class DataError(HarnessError):
    """A data file is missing, broken, or not the one that the manifest names."""

    exit_code = ExitCode.ENVIRONMENT


class IntegrityError(HarnessError):
    """Two witnesses of the same figure disagree, or a digest does not match."""

    exit_code = ExitCode.INTEGRITY


class HarnessFaultError(HarnessError):
    """The harness itself is wrong: an exception that nobody expected where only its code ran."""

    exit_code = ExitCode.HARNESS_FAULT


def install_extra(extra: str) -> str:
    """Say how an extra of the distribution is installed.

    Examples
    --------
    >>> install_extra("plots")
    "pip install 'trigger-harness[plots]'"
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def harness_fault(what: str, *, where: str = "") -> HarnessFaultError:
    """Say that the harness itself is wrong, by an exception that nobody expected."""
    return HarnessFaultError(
        f"a fault of harness itself: {what}",
        where=where,
        expected="a result, or a message about the submission, the data or this machine",
        fix="please report it with the command, the output of `harness --version`",
    )


def attempt(work: Callable[[], Result]) -> Result | HarnessError:
    """Do one part of a run that has many; whatever goes wrong is that part's failure alone."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the edge between one part and the others
        return as_harness_error(error)


def as_harness_error(error: Exception) -> HarnessError:
    """Turn any exception into one with a reason and an exit code; an unexpected one is our fault.

    Examples
    --------
    >>> as_harness_error(OSError(28, "No space left on device", "/results")).exit_code.name
    'ENVIRONMENT'
    >>> as_harness_error(KeyError("lut")).exit_code.name
    'HARNESS_FAULT'
    """
    if isinstance(error, HarnessError):
        return error
    made = _of_the_machine(error) or harness_fault(
        f"{type(error).__name__}: {error}", where=_last_own_place(error)
    )
    made.__cause__ = error
    return made


def _of_the_machine(error: Exception) -> EnvironmentFaultError | None:
    if isinstance(error, MemoryError):
        what = f"the memory of this machine is not enough: {error}".rstrip(": ")
        return EnvironmentFaultError(what, fix="use a machine with more memory")
    if isinstance(error, OSError):
        where, fix = str(error.filename or ""), _FIX_BY_ERRNO.get(error.errno or 0, "")
        return EnvironmentFaultError(error.strerror or str(error), where=where, fix=fix)
    return None


def _last_own_place(error: Exception) -> str:
    """Return the last line of harness that `error` went through."""
    import traceback

    places = [
        f"{Path(frame.filename).relative_to(_ROOT.parent)}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_ROOT)
    ]
    return places[-1] if places else ""


def field_problems(error: ValidationError, source: str) -> tuple[Problem, ...]:
    """Make each fault that pydantic found a problem with the path of its field and its value."""
    details = error.errors(include_url=False)
    return tuple(_field_problem(one, source) for one in details if not _follows(one, details))


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Whether a complaint only repeats another one.

    pydantic leaves a broken item out of its list, and then finds the list too short.
    """
    place = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(one["loc"]) > len(place) and one["loc"][: len(place)] == place for one in details
    )


def _field_problem(detail: ErrorDetails, source: str) -> Problem:
    field = ""
    for part in detail["loc"]:
        if str(part).startswith("<"):  # The tag of a union: which of several forms a value has.
            continue
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    kind, message = str(detail["type"]), complaint(detail)
    where = f"{source}: {field}" if field else source
    if kind == "extra_forbidden":
        return Problem(what="unknown field", where=where, fix="remove it or correct its name")
    if kind == "missing":
        return Problem(what="missing field", where=where, fix="add it")
    if kind == "value_error" and isinstance(detail.get("input"), dict):
        # A rule on several fields: what is wrong is said by the rule, not by all of them.
        return Problem(what=message, where=where)
    given = repr(detail.get("input"))
    shown = given if len(given) <= 60 else f"{given[:57]}..."
    return Problem(what=f"{shown} is not accepted", where=where, expected=message)


def complaint(detail: ErrorDetails) -> str:
    """Return what is wrong with one field, in words that name nothing of Python."""
    said = _PREFIX_OF_PYDANTIC.sub("", str(detail["msg"]))
    return _MAPPING_OF_PYDANTIC.sub("mapping of fields to values", said.replace(*_LIST_OF_PYDANTIC))


def first_complaint(error: ValidationError) -> str:
    """Return the first complaint of pydantic in one line, without the value that it is about."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])[:200] or "the whole file"
    return f"{field}: {complaint(first)}"[:500]
