"""Errors: what the user reads, and whose fault the exit code says it was."""

import pytest

from harness import errors
from harness.errors import ExitCode, HarnessError, Problem


def test_a_problem_says_where_what_was_expected_and_what_to_do():
    problem = Problem(
        what="md5 is 3f", where="background.h5", expected="md5 9a", fix="delete it and fetch again"
    )
    assert str(problem) == (
        "background.h5: md5 is 3f\n  expected: md5 9a\n  to do: delete it and fetch again"
    )


def test_a_problem_without_details_is_one_line():
    assert str(Problem(what="there is no manifest")) == "there is no manifest"


def test_an_error_names_all_its_problems():
    error = HarnessError(Problem(what="one", where="a"), "two")
    assert [problem.what for problem in error.problems] == ["one", "two"]
    assert str(error) == "a: one\ntwo"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SubmissionError", 1),
        ("UsageError", 2),
        ("InvalidSubmissionError", 3),
        ("LimitError", 4),
        ("EnvironmentFaultError", 5),
        ("DataError", 5),
        ("IntegrityError", 6),
        ("HarnessFaultError", 7),
    ],
)
def test_each_class_has_the_designed_exit_code(name, code):
    kind = getattr(errors, name)
    assert issubclass(kind, HarnessError)
    assert kind("").exit_code == code


def test_only_a_scored_run_exits_with_zero():
    assert [code.name for code in ExitCode if code == 0] == ["SCORED"]
    assert HarnessError("").exit_code != 0


def test_problems_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        Problem(what="x").what = "y"
    assert isinstance(HarnessError("x").problems, tuple)
