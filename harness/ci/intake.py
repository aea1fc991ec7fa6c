"""From a plan, or from a folder of submissions, to the summary that a run leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.board.public import public_part
from harness.card.files import CARD_SUFFIX, read_card
from harness.card.source import SourceCommit
from harness.challenge import Challenge, is_name
from harness.ci.artefact import CARDS_FOLDER, SUMMARY_NAME
from harness.ci.claims import Claims
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, Plan, Scoring, Summary, cut, failed
from harness.ci.git import Repository
from harness.ci.inbox import receive
from harness.ci.process import DEFAULT_LIMIT_S, ScoringRequest, score_request
from harness.ci.queue import Score, not_run, score_all
from harness.ci.staging import read_files, write_files
from harness.data.manifest import Manifest, manifests_beside
from harness.errors import HarnessError, InvalidSubmissionError, attempt
from harness.files import write_json
from harness.sandbox.scratch import scratch_folder
from harness.scoring.chosen import chosen_challenges
from harness.scoring.readiness import cannot_be_scored
from harness.submission.declaration import FILE_NAME, parse_spec
from harness.submission.digest import read_regular, scan
from harness.submission.validate import Submission, read_submission


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
    jobs, cluster, claims
        See `queue.score_all`.
    public : Path or None
        The board's results, where whole cards are kept apart from them in `results`: they get the
        public parts.
    limit_s : float
        What one scoring may take.
    deadline : float or None
        When the budget of the whole run is used up [s since 1970]; None: there is none.
    save : callable
        Called after each few cards, so that a machine that is lost takes few with it.
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
    claims: Claims | None = None
    limit_s: float = DEFAULT_LIMIT_S
    deadline: float | None = None
    has_firmware: bool = True
    is_forced: bool = False
    is_retrying: bool = False
    public: Path | None = None
    save: Callable[[], None] = lambda: None
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
    source: SourceCommit | None = None
    problem: HarnessError | None = None


def score_plan(repository: Repository, plan: Plan, settings: ScoringSettings) -> Summary:
    """Score the submissions of a plan, read from git's objects, on all that they declare.

    A declared challenge that cannot be scored here waits for the main branch.
    """
    if plan.kind != "submissions":
        return Summary(challenge=settings.rules.name, plan=plan)
    handed = [read_tree(repository, one.team, one.tree) for one in plan.to_score if one.tree]
    scorings = score_handed(handed, settings)
    return Summary(challenge=settings.rules.name, plan=plan, scorings=tuple(scorings))


def receive_folder(
    submissions: Path,
    results: Path,
    *,
    received: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[SubmittedFiles]:
    """Read every submission below a folder, and write down which of them are new.

    Those that are not valid are not received.

    Parameters
    ----------
    received : str, optional
        See `inbox.receive`.
    progress : callable
        Receives what is left out.
    """
    handed = read_folders(submissions, progress)
    digests = {}
    for one in handed:
        checked = attempt(partial(check_files, one))
        if isinstance(checked, HarnessError):
            progress(f"{one.team} is not received: {checked.problems[0].what}")
        else:
            digests[one.team] = checked.digest
    moments = receive(results, digests, received=received)
    return [replace(one, received=moments.get(one.team)) for one in handed]


def score_folder(
    submissions: Path, settings: ScoringSettings, *, received: str | None = None
) -> Summary:
    """Score every submission below a folder; `received` is that of `receive_folder`."""
    handed = receive_folder(
        submissions, settings.results, received=received, progress=settings.progress
    )
    scorings = score_handed(handed, settings)
    return Summary(challenge=settings.rules.name, plan=None, scorings=tuple(scorings))


def read_tree(
    repository: Repository, team: str, tree: str, *, received: str | None = None
) -> SubmittedFiles:
    """Read a submission from git's objects."""
    return _submitted(team, attempt(lambda: read_files(repository, tree)), received)


def read_folders(
    submissions: Path, progress: Callable[[str], None] = lambda _: None
) -> list[SubmittedFiles]:
    """Read every submission below a folder; links are not followed.

    A folder whose name is none of a team is left out, and `progress` says so.
    """
    read = []
    for folder in sorted(submissions.iterdir()):
        if not folder.is_dir() or folder.is_symlink() or folder.name.startswith("."):
            continue
        if is_name(folder.name):
            read.append(_submitted(folder.name, attempt(partial(_read_folder, folder))))
        else:
            progress(f"{folder.name!r} is left out: no team can have this name")
    return read


def _read_folder(folder: Path) -> dict[str, bytes]:
    found = scan(folder)
    if found.problems:
        raise InvalidSubmissionError(*found.problems)
    return {str(path): read_regular(folder / path) for path in found.files}


def _submitted(
    team: str, read: dict[str, bytes] | HarnessError, received: str | None = None
) -> SubmittedFiles:
    if isinstance(read, HarnessError):
        return SubmittedFiles(team=team, files={}, received=received, problem=read)
    return SubmittedFiles(team=team, files=read, received=received)


def challenges_of(handed: SubmittedFiles, settings: ScoringSettings) -> tuple[Challenge, ...]:
    """Return what a submission is scored on.

    What is wrong with one that is not valid is said once: on the challenge of the settings.
    """
    text = handed.files.get(FILE_NAME, b"").decode("utf-8-sig", errors="replace")
    spec = None if settings.declared is None else parse_spec(text, handed.team)[0]
    if settings.declared is None or spec is None:
        return (settings.rules,)
    try:
        return chosen_challenges(spec, settings.declared)
    except InvalidSubmissionError:
        return (settings.rules,)


def score_handed(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> list[Scoring]:
    """Score submissions on all their challenges; one that is not valid fails without being run."""
    prepared = [
        prepare_declared(one, replace(settings, rules=rules))
        for one in handed
        for rules in challenges_of(one, settings)
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
        claims=settings.claims,
        save=settings.save,
        is_forced=settings.is_forced,
        progress=settings.progress,
    )


def prepare_declared(handed: SubmittedFiles, settings: ScoringSettings) -> ScoringRequest | Scoring:
    """Prepare a submission; on a challenge that it declares and that cannot be scored, it waits."""
    made = prepare(handed, settings)
    reason = "" if settings.declared is None else cannot_be_scored(settings.rules)
    if isinstance(made, Scoring) or not reason:
        return made
    return not_run(made, "waiting", reason)


def prepare(handed: SubmittedFiles, settings: ScoringSettings) -> ScoringRequest | Scoring:
    """Check a submission and make a request of it, or say what is wrong."""
    submission = attempt(lambda: _checked(handed, settings))
    if isinstance(submission, HarnessError):
        return _refused(handed.team, settings, submission)
    return ScoringRequest(
        team=handed.team,
        rules=settings.rules,
        digest=submission.digest,
        files={str(path): handed.files[str(path)] for path in submission.files},
        manifests=tuple(path.read_bytes() for path in manifests_beside(*settings.manifests)),
        received=handed.received,
        source=handed.source,
        has_firmware=settings.has_firmware,
        limit_s=settings.limit_s,
        deadline=settings.deadline,
    )


def _checked(handed: SubmittedFiles, settings: ScoringSettings) -> Submission:
    submission = check_files(handed)
    if settings.declared is not None:
        chosen_challenges(submission.spec, settings.declared)
    return submission


def check_files(handed: SubmittedFiles) -> Submission:
    """Check a submission.

    Raises
    ------
    HarnessError
        It is not valid, or could not be read.
    """
    if handed.problem is not None:
        raise handed.problem
    with scratch_folder() as scratch:
        return read_submission(write_files(handed.files, scratch / handed.team))


def _refused(team: str, settings: ScoringSettings, error: HarnessError) -> Scoring:
    return Scoring(
        team=team,
        challenge=settings.rules.name,
        status="failed",
        exit_code=error.exit_code,
        message=cut(str(error), MAX_MESSAGE_CHARACTERS),
        attempts=0,
    )


def write_artefact(summary: Summary, results: Path, folder: Path) -> Summary:
    """Write a summary and the public parts of its cards into a folder, for the comment.

    Returns
    -------
    Summary
        As it was written: a submission whose card cannot be laid out there failed.
    """
    laid = [
        failed(one, made)
        if isinstance(made := attempt(partial(_lay, summary, one, results, folder)), HarnessError)
        else one
        for one in summary.scorings
    ]
    summary = summary.model_copy(update={"scorings": tuple(laid)})
    write_json(folder / SUMMARY_NAME, summary)
    return summary


def _lay(summary: Summary, scoring: Scoring, results: Path, folder: Path) -> None:
    if scoring.card is not None:
        card = read_card(results / scoring.challenge / f"{scoring.card}{CARD_SUFFIX}")
        write_json(folder / CARDS_FOLDER / f"{summary.key_of(scoring)}.json", public_part(card))
