"""Read the answer of a step: bytes from an opponent, checked in bounded time and memory."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from harness.card.text import plain
from harness.errors import (
    HarnessError,
    InvalidSubmissionError,
    LimitError,
    Problem,
    SubmissionError,
    field_problems,
)
from harness.sandbox.step import MalformedError

MAX_REPORT_BYTES = 4 * 1024**2
MAX_DEPTH = 64
MAX_NODES = 400_000
MAX_DIGITS = 20
MAX_TEXT = 6000
MAX_PROBLEMS = 100

# An unterminated string matches up to the end: else each of its quotes would start a new scan.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STRUCTURE = re.compile(rb"[\[\]{}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What every step may report as its fault. It cannot blame this machine: a failure of the
# environment costs a participant nothing.
OWN_FAULTS: tuple[type[HarnessError], ...] = (InvalidSubmissionError, SubmissionError, LimitError)
REMEDY = "the harness writes this report itself; remove the code that writes it in its place"

Report = TypeVar("Report", bound=BaseModel)


class ReportError(ValueError):
    """The bytes are not a report."""


def parse_json(data: bytes) -> JsonValue:
    """Parse a JSON document that an opponent wrote.

    Refused are documents of more than `MAX_REPORT_BYTES`, `MAX_NODES` values or `MAX_DEPTH`
    levels; a repeated key of an object; NaN, infinities and numbers that overflow to
    them; integers of more than `MAX_DIGITS` digits; and text that is no Unicode.

    Raises
    ------
    ReportError
        It says which of these it was.

    Examples
    --------
    >>> parse_json(b'{"n": 3, "x": [0.5, null]}')
    {'n': 3, 'x': [0.5, None]}
    """
    _check_size(data)
    try:
        text = data.decode("utf-8")
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except ReportError:
        raise
    except (ValueError, RecursionError) as error:
        raise ReportError(f"it is not JSON: {error}") from error
    if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise ReportError("it holds half of a surrogate pair, which is no Unicode text")
    return value


def _check_size(data: bytes) -> None:
    """Refuse what would cost much to parse, by scans that never look back."""
    if len(data) > MAX_REPORT_BYTES:
        raise ReportError(f"it is larger than {MAX_REPORT_BYTES:,} bytes")
    bare = _STRING.sub(b"", data)
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > MAX_NODES:
        raise ReportError(f"it holds more than {MAX_NODES:,} values")
    depth = 0
    for bracket in _STRUCTURE.findall(bare):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ReportError(f"it is nested more than {MAX_DEPTH} deep")


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ReportError("a key stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ReportError(f"it holds an integer of more than {MAX_DIGITS} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ReportError("it holds a number that overflows")
    return value


def _constant(name: str) -> float:
    raise ReportError(f"it holds {name}, which is not JSON")


def read_answer(
    line: bytes, step: str, may_raise: Sequence[type[HarnessError]] = ()
) -> dict[str, JsonValue]:
    """Return the report in a step's answer, or raise what the answer says went wrong.

    Parameters
    ----------
    step : str
        The step's name: the place of a problem that names none.
    may_raise : sequence of HarnessError classes
        See `harness.sandbox.step.Step`. Any other class becomes a `SubmissionError`.

    Raises
    ------
    SubmissionError, InvalidSubmissionError, LimitError
        As the step says.
    HarnessError
        One of `may_raise`, as the step says.
    MalformedError
        The answer is no answer.
    """
    try:
        answer = parse_json(line)
        report = _report(answer, step, may_raise)
    except ReportError as error:
        raise MalformedError(
            f"the report of this step cannot be read: {error}",
            where=f"step {step}",
            expected=f"one JSON object of at most {MAX_REPORT_BYTES:,} bytes",
            fix=REMEDY,
        ) from error
    return report


def _report(
    answer: JsonValue, step: str, may_raise: Sequence[type[HarnessError]]
) -> dict[str, JsonValue]:
    if not isinstance(answer, dict):
        raise ReportError("it is not an object")
    match answer:
        case {"report": dict(report)} if len(answer) == 1:
            return report
        case {"kind": str(kind), "problems": list(problems)} if len(answer) == 2:
            found = [_problem(problem, step) for problem in problems[:MAX_PROBLEMS]]
            classes = {known.__name__: known for known in (*OWN_FAULTS, *may_raise)}
            raise classes.get(kind, SubmissionError)(*found or ("no reason was given",))
    raise ReportError("it has none of the known forms")


def _problem(problem: JsonValue, step: str) -> Problem:
    if not isinstance(problem, dict):
        raise ReportError("a problem is not an object")
    what, where, expected, fix = (
        plain(str(problem.get(field, "")))[-MAX_TEXT:]
        for field in ("what", "where", "expected", "fix")
    )
    return Problem(what=what, where=where or f"step {step}", expected=expected, fix=fix)


def read_report(report: Mapping[str, JsonValue], model: type[Report], step: str) -> Report:
    """Check the report of a step against its `model`, strictly.

    Raises
    ------
    MalformedError
        It has another form; each place that is wrong is a problem.
    """
    try:
        return model.model_validate_json(json.dumps(report), strict=True)
    except ValidationError as error:
        raise MalformedError(
            *(
                Problem(
                    what=f"the report of this step is malformed: {plain(problem.what)}",
                    where=plain(problem.where)[:200],
                    expected=problem.expected,
                    fix=REMEDY,
                )
                for problem in field_problems(error, f"step {step}")[:MAX_PROBLEMS]
            )
        ) from error
