"""From a plan, or from a folder of submissions, to the summary that a run leaves behind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.board.public import public_part
from harness.card.files import CARD_SUFFIX, read_card
from harness.challenge import Challenge
from harness.ci.artefact import CARDS_FOLDER, SUMMARY_NAME
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, Plan, Scoring, Summary, cut
from harness.ci.git import Repository
from harness.ci.process import DEFAULT_LIMIT_S, ScoringRequest, score_request
from harness.ci.queue import Score, score_all
from harness.ci.staging import read_files, write_files
from harness.errors import HarnessError, InvalidSubmissionError
from harness.files import write_json
from harness.submission import read_submission
from harness.submission.digest import scan


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringSettings:
    """How submissions are scored.

    Attributes
    ----------
    rules : Challenge
        What they are scored on.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmittedFiles:
    """The files of one submission; `problem` if they cannot be read."""

    team: str
    files: dict[str, bytes]
    received: str | None = None
    problem: HarnessError | None = None


def score_plan(repository: Repository, plan: Plan, settings: ScoringSettings) -> Summary:
    """Score the submissions of a plan, read from git's objects."""
    if plan.kind != "submissions":
        return Summary(challenge=settings.rules.name, plan=plan)
    handed = [read_tree(repository, one.team, one.tree) for one in plan.to_score if one.tree]
    scorings = score_handed(handed, settings)
    return Summary(challenge=settings.rules.name, plan=plan, scorings=tuple(scorings))


def score_folder(submissions: Path, settings: ScoringSettings) -> Summary:
    """Score every submission below a folder."""
    scorings = score_handed(read_folders(submissions), settings)
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


def score_handed(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> list[Scoring]:
    """Score submissions; one that is not valid fails without being run."""
    prepared = [prepare(one, settings) for one in handed]
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
    if handed.problem is not None:
        return _refused(handed.team, settings, handed.problem)
    with tempfile.TemporaryDirectory(prefix="harness-ci-") as scratch:
        try:
            folder = write_files(handed.files, Path(scratch) / handed.team)
            submission = read_submission(folder)
        except InvalidSubmissionError as error:
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
    """Write a summary and the public parts of its cards into a folder, for the comment."""
    write_json(folder / SUMMARY_NAME, summary)
    for scoring in summary.scorings:
        if scoring.card is not None:
            card = read_card(results / scoring.challenge / f"{scoring.card}{CARD_SUFFIX}")
            write_json(folder / CARDS_FOLDER / f"{scoring.team}.json", public_part(card))
    return folder
