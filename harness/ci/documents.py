"""The JSON documents between the steps of the life cycle: a plan, and the results of scoring it.

The author of a pull request can write the summary of its run as well. So it is read with a limit of
size and must have this form, and its texts are shown escaped.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.card.run import Digest
from harness.challenge import Account, Name, Value
from harness.errors import ExitCode, HarnessError, Problem

MAX_MESSAGE_CHARACTERS = 8_000

ObjectName = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
ShortText = Annotated[str, Field(max_length=1000)]
Message = Annotated[str, Field(max_length=MAX_MESSAGE_CHARACTERS)]


class ToldProblem(Value):
    """A `Problem` on paper."""

    what: ShortText
    where: ShortText = ""
    expected: ShortText = ""
    fix: ShortText = ""

    @classmethod
    def of(cls, problem: Problem) -> ToldProblem:
        """Write a problem down; long texts are cut."""
        return cls(
            what=cut(problem.what, 1000),
            where=cut(problem.where, 1000),
            expected=cut(problem.expected, 1000),
            fix=cut(problem.fix, 1000),
        )


class PlannedSubmission(Value):
    """One submission that a pull request changes.

    Attributes
    ----------
    change : str
        A renamed one has most files of a folder that is gone, `renamed_from`.
    tree : str or None
        Git's name of the folder as the merge would leave it; None where it is deleted.
    """

    team: Name
    change: Literal["added", "modified", "deleted", "renamed"]
    renamed_from: Name | None = None
    tree: ObjectName | None
    n_files: int = Field(ge=0)
    n_bytes: int = Field(ge=0)


class Plan(Value):
    """What a pull request changes, and whether it is scored.

    Attributes
    ----------
    kind : str
        ``submissions``: they are scored. ``other``: it touches no submission and is none of the
        scorer's business. ``empty``: it changes nothing. ``refused``: it is scored by nobody,
        for the reasons in `problems`.
    base, head : str
        The commits that were compared.
    author : str or None
        Account whose rights were held against the owners; None: they were not checked.
    """

    schema_version: Literal[1] = 1
    kind: Literal["submissions", "other", "empty", "refused"]
    base: ObjectName
    head: ObjectName
    author: Account | None
    submissions: tuple[PlannedSubmission, ...] = Field(default=(), max_length=100)
    problems: tuple[ToldProblem, ...] = Field(default=(), max_length=400)
    notes: tuple[ShortText, ...] = Field(default=(), max_length=100)

    @property
    def to_score(self) -> tuple[PlannedSubmission, ...]:
        """The submissions that exist after the merge."""
        return tuple(one for one in self.submissions if one.tree is not None)


class Scoring(Value):
    """What came of scoring one submission.

    Attributes
    ----------
    status : str
        ``scored``: now. ``known``: the same files had a card of this challenge already.
        ``failed``: `message` says why, and `exit_code` whose fault it was. ``waiting``: a later
        run scores it, because the team has used up its scorings of today, or this run its budget.
    attempts : int
        Runs that it took; one that failed by the platform's fault is tried again.
    card : str or None
        Name of the card: ``<team>/<file name without its ending>``.
    """

    team: Name
    challenge: Name
    digest: Digest | None = None
    status: Literal["scored", "known", "failed", "waiting"]
    exit_code: int = Field(default=0, ge=0, le=255)
    message: Message = ""
    attempts: int = Field(default=1, ge=0, le=100)
    wall_s: float = Field(default=0.0, ge=0.0)
    card: Annotated[str, Field(max_length=200)] | None = None

    @property
    def is_fault_of_platform(self) -> bool:
        """Whether it failed by no fault of the submission: such a run counts against nobody."""
        return self.status == "failed" and self.exit_code not in _FAULTS_OF_SUBMISSION


# The submission failed, is invalid, ran into a limit, or its scores depend on what they must not.
_FAULTS_OF_SUBMISSION = frozenset({1, 3, 4, 6})


class Summary(Value):
    """A plan and what came of it: the file that a run leaves for the comment."""

    schema_version: Literal[1] = 1
    challenge: Name
    plan: Plan | None
    scorings: tuple[Scoring, ...] = Field(default=(), max_length=10_000)

    def key_of(self, scoring: Scoring) -> str:
        """Return the key of a card in an artefact: the team, and any but its first challenge."""
        first = next((one for one in self.scorings if one.team == scoring.team), scoring)
        is_first = first.challenge == scoring.challenge
        return scoring.team if is_first else f"{scoring.team}@{scoring.challenge}"

    @property
    def exit_code(self) -> int:
        """One exit code for all: 0 only if all was scored that could be scored."""
        if self.plan is not None and self.plan.kind == "refused":
            return ExitCode.INVALID
        return next((one.exit_code for one in self.scorings if one.exit_code), ExitCode.SCORED)


def failed(scoring: Scoring, error: HarnessError) -> Scoring:
    """Return what came of a submission as a failure, by what went wrong with it afterwards."""
    fault = {
        "status": "failed",
        "exit_code": error.exit_code,
        "message": cut(str(error), MAX_MESSAGE_CHARACTERS),
        "card": None,
    }
    return scoring.model_copy(update=fault)


def cut(text: str, max_characters: int) -> str:
    """Leave out the middle of a long text; bytes that are no text become a question mark.

    Examples
    --------
    >>> cut("abcdefghij", 7)
    'ab...ij'
    """
    text = text.encode("utf-8", errors="replace").decode("utf-8")
    if len(text) <= max_characters:
        return text
    half = (max_characters - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
