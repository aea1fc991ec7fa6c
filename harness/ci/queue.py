"""Many submissions: on this machine or on a cluster, each scored once, each card written once.

Workers score and return bytes; only this process writes cards. So a worker that dies leaves
nothing, and another worker scores its submission. A submission that has a card with the same data
and scorer version is not scored again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.board.contest import merit_of_rules
from harness.board.entry import Entry, fits
from harness.board.index import CardIndex
from harness.card import files as cards
from harness.card.consistency import flaw_of
from harness.card.records import SCORER_VERSION, ScoreCard
from harness.challenge import instant, utc
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, Scoring, cut, failed
from harness.ci.process import ScoringOutcome, ScoringRequest, score_request
from harness.ci.turns import taking_turns
from harness.errors import (
    DataError,
    EnvironmentFaultError,
    ExitCode,
    HarnessError,
    attempt,
    install_extra,
)

if TYPE_CHECKING:
    from distributed import Client

Score = Callable[[ScoringRequest], ScoringOutcome]
# A run that failed by the platform's fault is tried once more.
MAX_ATTEMPTS = 2
# A batch system may take minutes to start the first worker.
PATIENCE_S = 1800.0
_POLL_S = 2.0


def score_all(
    requests: Sequence[ScoringRequest],
    results: Path,
    *,
    score: Score = score_request,
    jobs: int = 1,
    cluster: str | None = None,
    is_forced: bool = False,
    patience_s: float = PATIENCE_S,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Scoring]:
    """Score submissions; one that fails stops no other.

    Parameters
    ----------
    requests : sequence of ScoringRequest
        What to score.
    results : Path
        Where cards are written, and looked for.
    score : callable
        Scores one request. It is sent to the workers of a cluster by pickle.
    jobs : int
        Scorings at one time on this machine.
    cluster : str, optional
        Address of a Dask scheduler, whose workers score in place of this machine.
    is_forced : bool
        Score what has a card already, too.
    patience_s : float
        How long a cluster may be without any worker before the rest is given up.

    Returns
    -------
    list of Scoring
        In the order of `requests`.
    """
    done: dict[int, Scoring] = {}
    with _only_queue(results, progress):
        waiting = {}
        there = CardIndex(results, is_private=True).refresh().entries
        for number, request in enumerate(requests):
            entries = () if is_forced else there.get(request.challenge, ())
            known = find_card(entries, request)
            if known is None:
                waiting[number] = request
            else:
                key = _handed_in_again(known, entries, request, results)
                progress(f"{request.team}: scored already, {key}")
                done[number] = not_run(request, "known", card=key)
        with _workers(jobs, cluster) as workers:
            scored = _scored(waiting, results, score, workers, patience_s, progress)
            for number, scoring in scored:
                progress(f"{scoring.team}: {scoring.status} in {scoring.wall_s:.1f} s")
                done[number] = scoring
    return [done[number] for number in range(len(requests))]


@contextmanager
def _only_queue(results: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Wait for another queue on the same results, so that nothing is scored by both."""
    results.mkdir(parents=True, exist_ok=True)
    with taking_turns(results / ".queue.lock", f"the submissions of {results}", progress):
        yield


def find_card(entries: Sequence[Entry], request: ScoringRequest) -> Entry | None:
    """Return the newest card that these files have: official, of this data and scorer version."""
    fitting = (
        entry
        for entry in entries
        if entry.card.submission.digest == request.digest
        and entry.card.submission.team == request.team
        and entry.card.scorer_version == SCORER_VERSION
        and (entry.card.is_official or not request.has_firmware)
        and fits(entry.card, request.rules)
        and merit_of_rules(entry.card.challenge) == merit_of_rules(request.rules)
    )
    return max(fitting, key=lambda entry: (entry.card.order, entry.key), default=None)


def _handed_in_again(
    known: Entry, entries: Sequence[Entry], request: ScoringRequest, results: Path
) -> str:
    """Return the name of the card of files that are known, also if the team came back to them.

    It handed in other files in between, whose card would count. So the known card is written once
    more, with the new time of receipt.
    """
    if request.received is None:
        return known.key
    now = instant(request.received)
    between = (
        entry
        for entry in entries
        if entry.card.submission.team == request.team
        and entry.card.submission.digest != request.digest
        and known.card.received_at < entry.card.received_at < now
    )
    if next(between, None) is None:
        return known.key
    path = results / request.challenge / f"{known.key}{cards.CARD_SUFFIX}"
    card = cards.read_card(path)
    said = card.submission.model_copy(update={"received": request.received})
    again = card.model_copy(update={"submission": said, "created": utc(datetime.now(UTC))})
    made = cards.write_again(cards.number_card(again, results), path, results)
    return f"{request.team}/{made.name.removesuffix(cards.CARD_SUFFIX)}"


def not_run(
    request: ScoringRequest,
    status: Literal["known", "failed", "waiting"],
    message: str = "",
    *,
    exit_code: int = ExitCode.SCORED,
    card: str | None = None,
) -> Scoring:
    """Report on a request that was not run."""
    return Scoring(
        team=request.team,
        challenge=request.challenge,
        digest=request.digest,
        status=status,
        exit_code=exit_code,
        message=message,
        attempts=0,
        card=card,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Workers:
    """Who scores, and how many there are: a cluster may lose all of its workers."""

    executor: Executor
    count: Callable[[], int]


@contextmanager
def _workers(jobs: int, cluster: str | None) -> Iterator[_Workers]:
    if cluster is None:
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            yield _Workers(executor=pool, count=lambda: jobs)
        return
    with _client(cluster) as client:
        # Two equal requests are two tasks. The scheduler gives a task whose worker died to another:
        # how often is its setting distributed.scheduler.allowed-failures.
        executor = client.get_executor(pure=False)
        yield _Workers(
            executor=executor, count=lambda: len(client.scheduler_info(n_workers=-1)["workers"])
        )


def _client(cluster: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise EnvironmentFaultError(
            "Dask is not installed", fix=install_extra("cluster")
        ) from error
    try:
        return Client(cluster, timeout=30)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise EnvironmentFaultError(
            f"no scheduler answers: {error}",
            where=cluster,
            fix="start one with `dask scheduler`, and give its address: tcp://host:8786",
        ) from error


def _scored(
    waiting: dict[int, ScoringRequest],
    results: Path,
    score: Score,
    workers: _Workers,
    patience_s: float,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[int, Scoring]]:
    """Score what waits and keep what comes; faults of the platform are tried once more."""
    attempts = dict.fromkeys(waiting, 0)
    while waiting:
        futures: dict[Future[ScoringOutcome], int] = {}
        for number, request in waiting.items():
            attempts[number] += 1
            futures[workers.executor.submit(score, request)] = number
        again = {}
        for future in _as_completed(futures, workers, patience_s):
            number = futures[future]
            scoring = _outcome(waiting[number], future, results, attempts[number], progress)
            if scoring.is_fault_of_platform and attempts[number] < MAX_ATTEMPTS:
                again[number] = waiting[number]
                progress(f"{scoring.team}: the platform failed ({scoring.exit_code}), tried again")
            else:
                yield number, scoring
        waiting = again


def _as_completed(
    futures: Iterable[Future[ScoringOutcome]], workers: _Workers, patience_s: float
) -> Iterator[Future[ScoringOutcome]]:
    """Yield each future when it is done, and the rest when the workers have been gone for too long.

    Raises nothing: a future that was given up holds a cancellation, the platform's fault.
    """
    left = set(futures)
    last_seen = time.monotonic()
    while left:
        done, left = wait(left, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        yield from done
        if done or workers.count():
            last_seen = time.monotonic()
        elif time.monotonic() - last_seen > patience_s:
            for future in left:
                future.cancel()
            yield from left
            return


def _outcome(
    request: ScoringRequest,
    future: Future[ScoringOutcome],
    results: Path,
    attempts: int,
    progress: Callable[[str], None],
) -> Scoring:
    """Keep what a worker gave; whatever is wrong with it is the failure of this submission."""
    run = _result(future)
    scoring = Scoring(
        team=request.team,
        challenge=request.challenge,
        digest=request.digest,
        status="waiting" if run.is_cut else "failed",
        exit_code=run.exit_code,
        message=cut(run.message, MAX_MESSAGE_CHARACTERS),
        attempts=attempts,
        wall_s=run.wall_s,
    )
    if run.card is None:
        return scoring
    made = attempt(lambda: _keep(request, run, results, progress))
    if isinstance(made, HarnessError):
        return failed(scoring, made)
    return scoring.model_copy(update={"status": "scored", "exit_code": 0, "card": made})


def _result(future: Future[ScoringOutcome]) -> ScoringOutcome:
    """Return the run of a worker; if the worker was lost or raised, it is the platform's fault."""
    try:
        return future.result(timeout=0)
    except (CancelledError, TimeoutError):
        message = "the cluster lost all of its workers"
    except Exception as error:  # noqa: BLE001 - the edge to machines that are not ours
        message = f"the worker failed: {type(error).__name__}: {error}"
    return ScoringOutcome(exit_code=ExitCode.ENVIRONMENT, message=message, wall_s=0.0)


def _keep(
    request: ScoringRequest, run: ScoringOutcome, results: Path, progress: Callable[[str], None]
) -> str:
    """Write the card of a run below `results`; return its name."""
    card = cards.number_card(_checked(request, run.card or b""), results, tell=progress)
    with tempfile.TemporaryDirectory(prefix="harness-ci-") as scratch:
        artefacts = []
        for name, content in run.artefacts.items():
            path = Path(scratch) / Path(name).name
            path.write_bytes(content)
            artefacts.append(path)
        path = cards.write_card(card, results, scores=run.scores, artefacts=artefacts)
    return f"{request.team}/{path.name.removesuffix(cards.CARD_SUFFIX)}"


def _checked(request: ScoringRequest, content: bytes) -> ScoreCard:
    """Read a worker's card: it must be of the files that were sent."""
    card = cards.parse_card(content, source="the worker's card")
    found = card.submission.team, card.challenge.name, card.submission.digest
    wanted = request.team, request.challenge, request.digest
    if found != wanted:
        raise DataError(f"a card of {found}", expected=str(wanted))
    if reason := flaw_of(card):
        raise DataError(f"the parts of the worker's card contradict each other: {reason}")
    # What a card says of that itself does not count: the organiser's side knows it.
    handed_in = card.submission.model_copy(update={"received": request.received})
    return card.model_copy(update={"submission": handed_in})
