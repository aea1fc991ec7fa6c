"""Many submissions: on this machine or on a cluster, each scored once, each card written once.

Workers score and return bytes; only this process writes cards. So a worker that dies leaves
nothing, and another worker scores its submission. A submission that has a card with the same data
and scorer version is not scored again. Several queues share one folder of results, or one board:
each submission is scored by one of them.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from harness.board.contest import merit_of_rules
from harness.board.entry import Entry, fits
from harness.board.index import CardIndex
from harness.card import files as cards
from harness.card.consistency import flaw_of
from harness.card.records import SCORER_VERSION, ScoreCard
from harness.challenge import instant, utc
from harness.ci.claims import Claims, claim_key
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, Scoring, cut, failed
from harness.ci.process import ScoringOutcome, ScoringRequest, score_request
from harness.ci.reporting import Report, reported
from harness.ci.turns import Turn, holder_of, try_turn
from harness.errors import DataError, ExitCode, HarnessError, attempt
from harness.sandbox.scratch import scratch_folder
from harness.scoring.workers import Workers, open_workers

Score = Callable[[ScoringRequest], ScoringOutcome]
# A run that failed by the platform's fault is tried once more.
MAX_ATTEMPTS = 2
# A batch system may take minutes to start the first worker.
PATIENCE_S = 1800.0
# Cards that are lost at most with the machine.
SAVED_AFTER = 5
LOST = "the cluster lost all of its workers"
_POLL_S = 2.0
# How often a process that waits for another one looks again.
_LOOK_S = 0.2


def score_all(
    requests: Sequence[ScoringRequest],
    results: Path,
    *,
    score: Score = score_request,
    jobs: int = 1,
    cluster: str | None = None,
    claims: Claims | None = None,
    save: Callable[[], None] = lambda: None,
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
    claims : Claims, optional
        Where other clones of the board score, too: what one of them has claimed is left to it.
    save : callable
        Called after each `SAVED_AFTER` cards.
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
    with (
        open_workers(jobs, cluster) as workers,
        reported(requests, results, is_here=cluster is None) as report,
    ):
        line = _Line(
            requests=requests,
            results=results,
            workers=workers,
            score=score,
            claims=claims,
            save=save,
            is_forced=is_forced,
            patience_s=patience_s,
            progress=progress,
            index=CardIndex(results, is_private=True),
            waiting=deque(range(len(requests))),
            report=report,
        )
        for number, scoring in line.go():
            done[number] = scoring
            report.end(number, scoring)
    return [done[number] for number in range(len(requests))]


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
    said = card.submission.model_copy(
        update={"received": request.received, "source": request.source}
    )
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


@dataclass(kw_only=True, slots=True)
class _Line:
    """Requests on their way to their cards.

    Other processes may work on the same results. Each submission is scored by one of them: by the
    one that holds its turn here, and its claim on the board's remote where there is one.

    Attributes
    ----------
    waiting : deque of int
        Numbers of the requests that are not begun, or are tried once more.
    running : mapping of Future to int
        Those that workers have.
    elsewhere : list of int
        Those that other processes on the same results score.
    turns, attempts : mapping of int
        The turns that are held here, and how often a request was begun.
    """

    requests: Sequence[ScoringRequest]
    results: Path
    workers: Workers
    score: Score
    claims: Claims | None
    save: Callable[[], None]
    is_forced: bool
    patience_s: float
    progress: Callable[[str], None]
    index: CardIndex
    waiting: deque[int]
    report: Report
    running: dict[Future[ScoringOutcome], int] = field(default_factory=dict)
    elsewhere: list[int] = field(default_factory=list)
    named: set[int] = field(default_factory=set)
    turns: dict[int, Turn] = field(default_factory=dict)
    attempts: Counter[int] = field(default_factory=Counter)
    n_unsaved: int = 0
    last_seen: float = field(default_factory=time.monotonic)

    def go(self) -> Iterator[tuple[int, Scoring]]:
        """Give each request's number with what came of it, in the order in which they end."""
        try:
            while self.waiting or self.running or self.elsewhere:
                yield from self._begin()
                self.report.beat()
                if self.running:
                    yield from self._end_some()
                elif self.elsewhere:
                    yield from self._wait_for_others()
                self.waiting.extend(self.elsewhere)
                self.elsewhere.clear()
        finally:
            for turn in self.turns.values():
                turn.end()

    def _begin(self) -> Iterator[tuple[int, Scoring]]:
        """Begin as many as there is room for; what is scored already, or elsewhere, is left."""
        while self.waiting and len(self.running) < self.workers.room():
            number = self.waiting.popleft()
            if number not in self.turns:
                turn = try_turn(self._lock_of(number))
                if turn is None:
                    self.elsewhere.append(number)
                    continue
                self.turns[number] = turn
                decided = self._decided(self.requests[number])
                if decided is not None:
                    yield self._done(number, decided)
                    continue
                self.progress(f"{self.requests[number].team}: is scored now")
            self.attempts[number] += 1
            future = self.workers.executor.submit(self.score, self.report.watched(number))
            self.running[future] = number

    def _lock_of(self, number: int) -> Path:
        self.results.mkdir(parents=True, exist_ok=True)
        return self.results / f".{claim_key(self.requests[number])}.lock"

    def _decided(self, request: ScoringRequest) -> Scoring | None:
        """Return what is known of a request that needs no run here."""
        if (known := self._known(request)) is not None or self.claims is None:
            return known
        holder = self.claims.take(claim_key(request))
        if holder is None:
            return self._known(request)
        self.progress(f"{request.team}: left to {holder}")
        return not_run(request, "waiting", f"left to {holder}: the next run shows what came of it")

    def _known(self, request: ScoringRequest) -> Scoring | None:
        entries = self.index.refresh().entries.get(request.challenge, ())
        known = None if self.is_forced else find_card(entries, request)
        if known is None:
            return None
        key = _handed_in_again(known, entries, request, self.results)
        self.progress(f"{request.team}: scored already, {key}")
        return not_run(request, "known", card=key)

    def _done(self, number: int, scoring: Scoring) -> tuple[int, Scoring]:
        self.turns.pop(number).end()
        return number, scoring

    def _end_some(self) -> Iterator[tuple[int, Scoring]]:
        """Wait a while for runs to end, keep what they gave; try the platform's faults once more.

        Runs are given up, all of them, when the workers have been gone for too long.
        """
        ended, _ = wait(self.running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in ended:
            number = self.running.pop(future)
            scoring = self._outcome(number, future)
            if scoring.is_fault_of_platform and self.attempts[number] < MAX_ATTEMPTS:
                self.waiting.append(number)
                self.report.wait(number)
                self.progress(
                    f"{scoring.team}: the platform failed ({scoring.exit_code}), tried again"
                )
            else:
                self.progress(f"{scoring.team}: {scoring.status} in {scoring.wall_s:.1f} s")
                yield self._done(number, scoring)
                self._save_some(scoring)
        if ended or self.workers.count():
            self.last_seen = time.monotonic()
        elif time.monotonic() - self.last_seen > self.patience_s:
            yield from self._give_up()

    def _save_some(self, scoring: Scoring) -> None:
        """Save after each few cards; a failure is reported when all is saved in the end."""
        self.n_unsaved += scoring.status == "scored"
        if self.n_unsaved >= SAVED_AFTER:
            self.n_unsaved = 0
            if isinstance(error := attempt(self.save), HarnessError):
                self.progress(f"not saved yet: {error.problems[0].what}")

    def _outcome(self, number: int, future: Future[ScoringOutcome]) -> Scoring:
        request = self.requests[number]
        if self.claims is not None and not self.claims.still_holds(claim_key(request)):
            return not_run(request, "waiting", "left to another scorer, which has taken it over")
        return _outcome(request, future, self.results, self.attempts[number], self.progress)

    def _give_up(self) -> Iterator[tuple[int, Scoring]]:
        for future, number in self.running.items():
            future.cancel()
            yield self._done(number, self._outcome(number, future))
        for number in self.waiting:
            request = self.requests[number]
            if number in self.turns:
                self.turns.pop(number).end()
            yield number, not_run(request, "failed", LOST, exit_code=ExitCode.ENVIRONMENT)
        self.running.clear()
        self.waiting.clear()

    def _wait_for_others(self) -> Iterator[tuple[int, Scoring]]:
        """Wait a moment for other processes on the same results, and say for which ones."""
        for number in [*self.elsewhere]:
            request = self.requests[number]
            holder = holder_of(self._lock_of(number))
            if number not in self.named:
                self.named.add(number)
                self.progress(f"{request.team}: waiting for {holder}, which scores it")
            if request.deadline is not None and time.time() > request.deadline:
                self.elsewhere.remove(number)
                yield number, not_run(request, "waiting", f"left to {holder}, which scores it")
        time.sleep(_LOOK_S)


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
        message = LOST
    except Exception as error:  # noqa: BLE001 - the edge to machines that are not ours
        message = f"the worker failed: {type(error).__name__}: {error}"
    return ScoringOutcome(exit_code=ExitCode.ENVIRONMENT, message=message, wall_s=0.0)


def _keep(
    request: ScoringRequest, run: ScoringOutcome, results: Path, progress: Callable[[str], None]
) -> str:
    """Write the card of a run below `results`; return its name."""
    card = cards.number_card(_checked(request, run.card or b""), results, tell=progress)
    with scratch_folder() as scratch:
        artefacts = []
        for name, content in run.artefacts.items():
            path = scratch / Path(name).name
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
    handed_in = card.submission.model_copy(
        update={"received": request.received, "source": request.source}
    )
    return card.model_copy(update={"submission": handed_in})
