"""What a sandbox reports is parsed with distrust: any bytes give a value or a clean refusal."""

from __future__ import annotations

import errno
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from harness.errors import (
    EnvironmentFaultError,
    HarnessError,
    IntegrityError,
    InvalidSubmissionError,
    LimitError,
    SubmissionError,
)
from harness.sandbox import worker
from harness.sandbox.report import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_REPORT_BYTES,
    ReportError,
    parse_json,
    read_answer,
    read_report,
)
from harness.sandbox.step import MalformedError
from tests.effort import processor_s

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**19), 10**19)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc\\\"'é"), inner),
    max_leaves=30,
)


@given(PLAIN)
def test_what_json_writes_is_read_back(value):
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=300))
@example(b'{"a":' * 100)
@example(b'"' + b'\\"' * 100)
@example(b"\xff\xfe[]")
@example(b"1e400")
@example(b"-Infinity")
@example(b'"\\ud800"')
def test_any_bytes_give_a_value_or_a_refusal(data):
    try:
        value = parse_json(data)
    except ReportError:
        return
    json.dumps(value, allow_nan=False).encode()


@given(st.text('[]{}",:0123456789eE+-.\\utrfalsn \n', max_size=300))
def test_what_looks_like_json_gives_a_value_or_a_refusal(text):
    try:
        value = parse_json(text.encode())
    except ReportError:
        return
    assert value == json.loads(text)


@given(
    st.dictionaries(st.sampled_from(["report", "problems", "kind", "fault", "traceback"]), PLAIN)
)
def test_any_answer_gives_a_report_or_an_error_of_the_harness(answer):
    said = _read(answer)

    if isinstance(said, HarnessError):
        assert type(said) in (InvalidSubmissionError, LimitError, MalformedError, SubmissionError)
        assert "\x1b" not in str(said)
    else:
        assert said == answer["report"]


def _read(answer):
    try:
        return read_answer(json.dumps(answer).encode(), "fuzz")
    except HarnessError as error:
        return error


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested"),
        (b"[" + b"0," * MAX_NODES + b"0]", "values"),
        (b'"' + b"x" * MAX_REPORT_BYTES + b'"', "larger"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": {"b": 1, "b": 1}}', "twice"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"1e309", "overflows"),
        (b"1" * 21, "digits"),
        (b'"\\udfff"', "surrogate"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
    ],
)
def test_a_refusal_says_why(data, reason):
    with pytest.raises(ReportError, match=reason):
        parse_json(data)


def test_the_deepest_allowed_document_is_read():
    data = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert json.dumps(parse_json(data)).encode() == data


def test_brackets_in_strings_are_no_depth():
    assert parse_json(b'["' + b"[" * 1000 + b'"]') == ["[" * 1000]


def test_pairs_of_surrogates_are_text():
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@settings(max_examples=20)
@given(st.sampled_from([b'\\"', b'"', b"[", b'{"a":', b'"\\', b"\\u0000", b"9", b"1.", b"[],"]))
def test_the_worst_of_documents_take_a_second(piece):
    data = b'{"a": "' + piece * (MAX_REPORT_BYTES // len(piece) - 8)

    def refuse():
        with pytest.raises(ReportError):
            parse_json(data)

    # 0.3 s of it; a scan that looks back takes hours.
    assert processor_s(refuse) < 5.0


def test_the_largest_allowed_report_is_read_in_bounded_time():
    data = b'{"a": [' + b"1.5," * (MAX_NODES - 10) + b"1]}"

    assert len(parse_json(data)["a"]) == MAX_NODES - 9

    # 0.3 s of it.
    assert processor_s(lambda: parse_json(data)) < 5.0


def test_problems_come_back_as_the_class_that_was_raised():
    answer = {
        "kind": "InvalidSubmissionError",
        "problems": [
            {"what": "has a Lambda layer", "where": "model.py", "expected": "", "fix": ""}
        ],
    }

    with pytest.raises(InvalidSubmissionError, match=r"model.py: has a Lambda layer"):
        read_answer(json.dumps(answer).encode(), "export")


@pytest.mark.parametrize(
    "kind", ["EnvironmentFaultError", "DataError", "IntegrityError", "Nonsense"]
)
def test_a_step_can_blame_itself_only(kind):
    answer = {"kind": kind, "problems": [{"what": "the disk is full"}]}

    with pytest.raises(SubmissionError, match="the disk is full"):
        read_answer(json.dumps(answer).encode(), "export")


def test_controls_in_problems_are_removed():
    answer = {"kind": "SubmissionError", "problems": [{"what": "\x1b[2Jall \u202ewell"}]}

    with pytest.raises(SubmissionError) as caught:
        read_answer(json.dumps(answer).encode(), "export")

    assert str(caught.value) == "step export: all well"


FAULT_OF_THE_MACHINE = {"kind": "EnvironmentFaultError", "problems": [{"what": "no compiler"}]}


def test_a_step_blames_the_machine_only_where_its_caller_allows_it():
    answer = json.dumps(FAULT_OF_THE_MACHINE).encode()

    with pytest.raises(EnvironmentFaultError, match="step compile: no compiler"):
        read_answer(answer, "compile", (EnvironmentFaultError, IntegrityError))
    with pytest.raises(SubmissionError, match="no compiler"):
        read_answer(answer, "compile", (IntegrityError,))


@pytest.mark.parametrize(
    ("raised", "known", "says"),
    [
        (MemoryError("no more"), LimitError, "limit on memory: MemoryError: no more"),
        (OSError(errno.ENOSPC, "full"), LimitError, "limit on scratch space: OSError.*full"),
        (OSError(errno.EDQUOT, "quota"), LimitError, "limit on scratch space"),
        (RuntimeError("can't start new thread"), LimitError, "limit on processes"),
        (ValueError("odd"), SubmissionError, r"step x: failed:\n(.|\n)*ValueError: odd"),
        (SystemExit(0), SubmissionError, "SystemExit"),
        (EnvironmentFaultError("no tool"), EnvironmentFaultError, "step x: no tool"),
    ],
)
def test_what_an_entry_raises_is_raised_in_the_parent(raised, known, says):
    answer = worker.encode(worker.describe(raised, ()))

    with pytest.raises(known, match=says):
        read_answer(answer, "x", (EnvironmentFaultError,))


class Count(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int


@pytest.mark.parametrize(
    ("report", "says"),
    [
        ({}, "step x: n: the report of this step is malformed: missing field"),
        ({"n": "1"}, "step x: n: .*malformed: '1' is not accepted"),
        ({"n": 1, "\x1b[2Jm": 2}, "step x: m: .*malformed: unknown field"),
    ],
)
def test_a_malformed_report_is_refused_with_one_sentence(report, says):
    with pytest.raises(InvalidSubmissionError, match=says):
        read_report(report, Count, "x")


def test_a_report_is_read_as_its_model():
    assert read_report({"n": 3}, Count, "x") == Count(n=3)
