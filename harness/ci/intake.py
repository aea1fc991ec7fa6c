"""From a plan, or from a folder of submissions, to the summary that a run leaves behind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.board.public import public_part
from harness.card.files import CARD_SUFFIX, read_card
from harness.challenge import Challenge
from harness.ci.artefact import CARDS_FOLDER, SUMMARY_NAME
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, Plan, Scoring, Summary, cut
from harness.ci.git import Repository
from harness.ci.inbox import receive
from harness.ci.process import DEFAULT_LIMIT_S, ScoringRequest, score_request
from harness.ci.queue import Score, score_all
from harness.ci.staging import read_files, write_files
from harness.data.manifest import Manifest
from harness.errors import HarnessError, InvalidSubmissionError
from harness.files import write_json
from harness.scoring.chosen import chosen_challenges
from harness.submission import Submission, read_submission
from harness.submission.declaration import FILE_NAME, parse_spec
from harness.submission.digest import scan


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringSettings:
    """How submissions are scored.

    Attributes
    ----------
    rules : Challenge
        What they are scored on, unless they say so themselves.
    declared : Manifest or None
        Score each submission on the challenges of this manifest that it declares; None: all of
        them on `rules`.
    manifests : sequence of Path
        Manifests beside the shipped one.
    results : Path
        Where cards are looked for and written.
    jobs, cluster
        See `queue.score_all`.
    public : Path or None
        The board's results, where whole cards are kept apart from them in `results`: they get the
        public parts.
    limit_s : float
        What one scoring may take.
    deadline : float or None
        When the budget of the whole run is used up [s since 1970]; None: there is none.
    is_retrying : bool
        Score what was given up because the platform failed too often, too.
    """

    rules: Challenge
    results: Path
    manifests: Sequence[Path] = ()
    declared: Manifest | None = None
    score: Score = score_request
    jobs: int = 1
    cluster: str | None = None
    limit_s: float = DEFAULT_LIMIT_S
    deadline: float | None = None
    has_firmware: bool = True
    is_forced: bool = False
    is_retrying: bool = False
    public: Path | None = None
    progress: Callable[[str], None] = lambda _: None

    @property
    def decided(self) -> Path:
        """Where the decisions on the challenge are: beside the cards that are shown.

        Of a challenge that shows nothing until it is opened they are beside the whole cards.
        """
        if self.public is None or self.rules.private == "until_open":
            return self.results
        return self.public


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmittedFiles:
    """The files of one submission; `problem` if they cannot be read."""

    team: str
    files: dict[str, bytes]
    received: str | None = None
    problem: HarnessError | None = None


def score_plan(repository: Repository, plan: Plan, settings: ScoringSettings) -> Summary:
    """Score the submissions of a plan, read from git's objects, each on one challenge.

    That is the first one that it declares: the main branch scores it on the others, too.
    """
    if plan.kind != "submissions":
        return Summary(challenge=settings.rules.name, plan=plan)
    handed = [read_tree(repository, one.team, one.tree) for one in plan.to_score if one.tree]
    scorings = score_handed(handed, settings, n_challenges=1)
    return Summary(challenge=settings.rules.name, plan=plan, scorings=tuple(scorings))


def receive_folder(
    submissions: Path, results: Path, *, received: str | None = None
) -> list[SubmittedFiles]:
    """Read every submission below a folder, and write down which of them are new.

    Those that are not valid are not received.

    Parameters
    ----------
    received : str, optional
        See `inbox.receive`.
    """
    handed = read_folders(submissions)
    digests = {}
    for one in handed:
        with suppress(HarnessError):
            digests[one.team] = check_files(one).digest
    moments = receive(results, digests, received=received)
    return [replace(one, received=moments.get(one.team)) for one in handed]


def score_folder(
    submissions: Path, settings: ScoringSettings, *, received: str | None = None
) -> Summary:
    """Score every submission below a folder; `received` is that of `receive_folder`."""
    handed = receive_folder(submissions, settings.results, received=received)
    scorings = score_handed(handed, settings)
    return Summary(challenge=settings.rules.name, plan=None, scorings=tuple(scorings))


def read_tree(
    repository: Repository, team: str, tree: str, *, received: str | None = None
) -> SubmittedFiles:
    """Read a submission from git's objects."""
    try:
        return SubmittedFiles(team=team, files=read_files(repository, tree), received=received)
    except HarnessError as error:
        return SubmittedFiles(team=team, files={}, received=received, problem=error)


def read_folders(submissions: Path) -> list[SubmittedFiles]:
    """Read every submission below a folder; links are not followed."""
    return [
        _read_folder(folder)
        for folder in sorted(submissions.iterdir())
        if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith(".")
    ]


def _read_folder(folder: Path) -> SubmittedFiles:
    found = scan(folder)
    if found.problems:
        problem = InvalidSubmissionError(*found.problems)
        return SubmittedFiles(team=folder.name, files={}, problem=problem)
    files = {str(path): (folder / path).read_bytes() for path in found.files}
    return SubmittedFiles(team=folder.name, files=files)


def challenges_of(handed: SubmittedFiles, settings: ScoringSettings) -> tuple[Challenge, ...]:
    """Return what a submission is scored on.

    What is wrong with one that is not valid is told once: on the challenge of the settings.
    """
    text = handed.files.get(FILE_NAME, b"").decode("utf-8-sig", errors="replace")
    spec = None if settings.declared is None else parse_spec(text, handed.team)[0]
    if settings.declared is None or spec is None:
        return (settings.rules,)
    try:
        return chosen_challenges(spec, settings.declared)
    except InvalidSubmissionError:
        return (settings.rules,)


def score_handed(
    handed: Sequence[SubmittedFiles], settings: ScoringSettings, *, n_challenges: int | None = None
) -> list[Scoring]:
    """Score submissions; one that is not valid fails without being run.

    Parameters
    ----------
    n_challenges : int, optional
        Of each submission's challenges, take the first ones only.
    """
    prepared = [
        prepare(one, replace(settings, rules=rules))
        for one in handed
        for rules in challenges_of(one, settings)[:n_challenges]
    ]
    requests = [one for one in prepared if isinstance(one, ScoringRequest)]
    scored = iter(score_requests(requests, settings))
    return [one if isinstance(one, Scoring) else next(scored) for one in prepared]


def score_requests(requests: Sequence[ScoringRequest], settings: ScoringSettings) -> list[Scoring]:
    """Score requests as the settings say, see `queue.score_all`."""
    return score_all(
        requests,
        settings.results,
        score=settings.score,
        jobs=settings.jobs,
        cluster=settings.cluster,
        is_forced=settings.is_forced,
        progress=settings.progress,
    )


def prepare(handed: SubmittedFiles, settings: ScoringSettings) -> ScoringRequest | Scoring:
    """Check a submission and make a request of it, or say what is wrong."""
    try:
        submission = check_files(handed)
        if settings.declared is not None:
            chosen_challenges(submission.spec, settings.declared)
    except HarnessError as error:
        return _refused(handed.team, settings, error)
    return ScoringRequest(
        team=handed.team,
        rules=settings.rules,
        digest=submission.digest,
        files={str(path): handed.files[str(path)] for path in submission.files},
        manifests={path.name: path.read_bytes() for path in settings.manifests},
        received=handed.received,
        has_firmware=settings.has_firmware,
        limit_s=settings.limit_s,
        deadline=settings.deadline,
    )


def check_files(handed: SubmittedFiles) -> Submission:
    """Check a submission.

    Raises
    ------
    HarnessError
        It is not valid, or could not be read.
    """
    if handed.problem is not None:
        raise handed.problem
    with tempfile.TemporaryDirectory(prefix="harness-ci-") as scratch:
        return read_submission(write_files(handed.files, Path(scratch) / handed.team))


def _refused(team: str, settings: ScoringSettings, error: HarnessError) -> Scoring:
    return Scoring(
        team=team,
        challenge=settings.rules.name,
        status="failed",
        exit_code=error.exit_code,
        message=cut(str(error), MAX_MESSAGE_CHARACTERS),
        attempts=0,
    )


def write_artefact(summary: Summary, results: Path, folder: Path) -> Path:
    """Write a summary and the public parts of its cards into a folder, for the comment.

    Of a team with several challenges it is the card of the first one.
    """
    write_json(folder / SUMMARY_NAME, summary)
    for scoring in reversed(summary.scorings):
        if scoring.card is not None:
            card = read_card(results / scoring.challenge / f"{scoring.card}{CARD_SUFFIX}")
            write_json(folder / CARDS_FOLDER / f"{scoring.team}.json", public_part(card))
    return folder
