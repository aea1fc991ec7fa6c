"""From a plan, or from a folder of submissions, to the summary that a run leaves behind."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.card.files import CARD_SUFFIX
from harness.challenge import Challenge
from harness.ci.artefact import CARDS_FOLDER, SUMMARY_NAME
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, Plan, Scoring, Summary, cut
from harness.ci.git import Repository
from harness.ci.process import DEFAULT_LIMIT_S, Request, score_request
from harness.ci.queue import Score, score_all
from harness.ci.staging import read_files, write_files
from harness.errors import ExitCode, HarnessError, InvalidSubmissionError
from harness.files import write_json
from harness.submission.digest import scan
from harness.submission.spec import read_submission


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
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
    limit_s, budget_s : float
        What one scoring, and what all of them may take; None: no limit for all.
    """

    rules: Challenge
    results: Path
    manifests: Sequence[Path] = ()
    score: Score = score_request
    jobs: int = 1
    cluster: str | None = None
    limit_s: float = DEFAULT_LIMIT_S
    budget_s: float | None = None
    has_firmware: bool = True
    is_forced: bool = False
    progress: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, kw_only=True, slots=True)
class Handed:
    """Files that were handed in under a team's name; `problem` if they can't be read."""

    team: str
    files: dict[str, bytes]
    received: str | None = None
    problem: HarnessError | None = None


def score_plan(repository: Repository, plan: Plan, settings: Settings) -> Summary:
    """Score what a plan says, from git's objects; of a plan without submissions nothing."""
    if plan.kind != "submissions":
        return Summary(challenge=settings.rules.name, plan=plan)
    handed = [read_tree(repository, one.team, one.tree) for one in plan.to_score if one.tree]
    scorings = score_handed(handed, settings)
    return Summary(challenge=settings.rules.name, plan=plan, scorings=tuple(scorings))


def read_tree(
    repository: Repository, team: str, tree: str, *, received: str | None = None
) -> Handed:
    """Read a submission from git's objects."""
    try:
        return Handed(team=team, files=read_files(repository, tree), received=received)
    except HarnessError as error:
        return Handed(team=team, files={}, received=received, problem=error)


def read_folders(submissions: Path, teams: Iterable[str] | None = None) -> list[Handed]:
    """Read the submissions below a folder: what a checkout holds, of the named teams or of all."""
    chosen = None if teams is None else set(teams)
    handed = []
    for folder in sorted(submissions.iterdir()):
        if folder.is_symlink() or not folder.is_dir() or folder.name.startswith("."):
            continue
        if chosen is None or folder.name in chosen:
            handed.append(_read_folder(folder))
    return handed


def _read_folder(folder: Path) -> Handed:
    found = scan(folder)
    if found.problems:
        problem = InvalidSubmissionError(*found.problems)
        return Handed(team=folder.name, files={}, problem=problem)
    files = {str(path): (folder / path).read_bytes() for path in found.files}
    return Handed(team=folder.name, files=files)


def score_handed(handed: Sequence[Handed], settings: Settings) -> list[Scoring]:
    """Score files that were handed in; what is no valid submission fails without being run."""
    deadline = None if settings.budget_s is None else time.time() + settings.budget_s
    prepared = [prepare(one, settings, deadline=deadline) for one in handed]
    scored = iter(
        score_all(
            [one for one in prepared if isinstance(one, Request)],
            settings.results,
            score=settings.score,
            jobs=settings.jobs,
            cluster=settings.cluster,
            is_forced=settings.is_forced,
            progress=settings.progress,
        )
    )
    return [one if isinstance(one, Scoring) else next(scored) for one in prepared]


def prepare(
    handed: Handed, settings: Settings, *, deadline: float | None = None
) -> Request | Scoring:
    """Check files that were handed in and make the request of them, or say what is wrong."""
    if handed.problem is not None:
        return _refused(handed.team, settings, handed.problem)
    with tempfile.TemporaryDirectory(prefix="harness-ci-") as scratch:
        try:
            folder = write_files(handed.files, Path(scratch) / handed.team)
            submission = read_submission(folder)
        except InvalidSubmissionError as error:
            return _refused(handed.team, settings, error)
        return Request(
            team=handed.team,
            rules=settings.rules,
            digest=submission.digest,
            files={str(path): handed.files[str(path)] for path in submission.files},
            manifests={path.name: path.read_bytes() for path in settings.manifests},
            received=handed.received,
            has_firmware=settings.has_firmware,
            limit_s=settings.limit_s,
            deadline=deadline,
        )


def _refused(team: str, settings: Settings, error: HarnessError) -> Scoring:
    return Scoring(
        team=team,
        challenge=settings.rules.name,
        status="failed",
        exit_code=error.exit_code,
        message=cut(str(error), MAX_MESSAGE_CHARACTERS),
        attempts=0,
    )


def write_artefact(summary: Summary, results: Path, folder: Path) -> Path:
    """Lay a summary and its cards out in a folder, to be handed to the comment."""
    write_json(folder / SUMMARY_NAME, summary)
    for scoring in summary.scorings:
        if scoring.card is not None:
            target = folder / CARDS_FOLDER / f"{scoring.team}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(results / scoring.challenge / f"{scoring.card}{CARD_SUFFIX}", target)
    return folder


def exit_code_of(summary: Summary) -> int:
    """Say by one exit code what came of all: 0 only if nothing failed and nothing was refused."""
    if summary.plan is not None and summary.plan.kind == "refused":
        return ExitCode.INVALID
    codes = [scoring.exit_code for scoring in summary.scorings if scoring.status == "failed"]
    return codes[0] if codes else ExitCode.SCORED
