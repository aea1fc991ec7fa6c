"""A queue writes down what it is doing, for the board's page: `harness.board.queued`.

That is worth no failure: where it cannot be written, the queue goes on without. A queue that begins
nothing says nothing: the words of the last one that did stay.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from harness.board.queued import (
    FOLDER,
    MAX_ENTRIES,
    SUFFIX,
    QueuedEntry,
    QueueState,
    Stage,
    State,
    read_queues,
    stage_in,
)
from harness.challenge import utc
from harness.ci.documents import Scoring
from harness.ci.process import ScoringRequest
from harness.errors import HarnessError
from harness.files import remove, write_json
from harness.sandbox.scratch import scratch_folder

# A word is given at most, and at least, as often.
_SOON_S = 0.5
_LATEST_S = 5.0
_LOG_BYTES = 16 * 1024
_ENDED: dict[str, State] = {
    "scored": "scored",
    "known": "scored",
    "failed": "failed",
    "waiting": "left",
}


@dataclass(kw_only=True, slots=True)
class Report:
    """What a queue says of its requests, by their numbers.

    Attributes
    ----------
    logs : Path or None
        Where runs write their logs, from which their stages are read; None: they run elsewhere.
    entries : list of QueuedEntry
        One for each request.
    has_begun : bool
        A request was begun: there is something to say.
    """

    requests: Sequence[ScoringRequest]
    results: Path
    logs: Path | None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    started: str = ""
    entries: list[QueuedEntry] = field(default_factory=list)
    has_begun: bool = False
    is_new: bool = True
    heard: float = 0.0

    def __post_init__(self) -> None:
        """Begin with all requests queued."""
        self.started = utc(self.clock())
        self.entries = [
            QueuedEntry(team=one.team, state="queued", since=self.started) for one in self.requests
        ]

    def watched(self, number: int) -> ScoringRequest:
        """Return a request that is begun now, with where its log goes."""
        if not self.has_begun:
            self.has_begun = True
            for challenge in {one.challenge for one in self.requests}:
                _forget(self.results, challenge, self.clock())
        self._set(number, "running")
        if self.logs is None:
            return self.requests[number]
        return replace(self.requests[number], log=self._log(number))

    def wait(self, number: int) -> None:
        """Say that a request waits once more."""
        self._set(number, "queued")

    def end(self, number: int, scoring: Scoring) -> None:
        """Say what came of a request."""
        state = _ENDED[scoring.status]
        self._set(number, state, self._stage(number) if state == "failed" else None)

    def beat(self, *, is_last: bool = False) -> None:
        """Write down how it stands, if that changed or nothing was said for a while."""
        if not self.has_begun:
            return
        for number, entry in enumerate(self.entries):
            if entry.state == "running" and (stage := self._stage(number)) != entry.stage:
                self.entries[number] = entry.model_copy(update={"stage": stage})
                self.is_new = True
        silent_s = time.monotonic() - self.heard
        if is_last or silent_s > (_SOON_S if self.is_new else _LATEST_S):
            self.is_new, self.heard = False, time.monotonic()
            self._write(is_last=is_last)

    def _set(self, number: int, state: State, stage: Stage | None = None) -> None:
        self.entries[number] = QueuedEntry(
            team=self.requests[number].team, state=state, stage=stage, since=utc(self.clock())
        )
        self.is_new = True

    def _log(self, number: int) -> Path:
        assert self.logs is not None
        return self.logs / f"{number}.log"

    def _stage(self, number: int) -> Stage | None:
        if self.logs is None:
            return None
        try:
            with self._log(number).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
                return stage_in(file.read().decode("utf-8", errors="replace"))
        except OSError:
            return None

    def _write(self, *, is_last: bool) -> None:
        now = utc(self.clock())
        for challenge in {one.challenge for one in self.requests}:
            entries = (
                entry
                for entry, request in zip(self.entries, self.requests, strict=True)
                if request.challenge == challenge
            )
            state = QueueState(
                challenge=challenge,
                started=self.started,
                written=now,
                ended=now if is_last else None,
                entries=tuple(islice(entries, MAX_ENTRIES)),
            )
            with suppress(HarnessError, OSError):
                write_json(_path(self.results, challenge), state)


@contextmanager
def reported(
    requests: Sequence[ScoringRequest], results: Path, *, is_here: bool
) -> Iterator[Report]:
    """Report on a queue while it works; when it begins, it forgets the words of those that ended.

    Parameters
    ----------
    is_here : bool
        The runs are on this machine, so that their logs can be read.
    """
    with scratch_folder() as scratch:
        report = Report(requests=requests, results=results, logs=scratch if is_here else None)
        try:
            yield report
        finally:
            report.beat(is_last=True)


def _forget(results: Path, challenge: str, now: datetime) -> None:
    """Remove the words about a challenge, unless a queue still works on it."""
    states = read_queues(results).get(challenge, ())
    if not any(one.ended is None and not one.is_silent(now) for one in states):
        for path in (results / FOLDER).glob(f"{challenge}@*{SUFFIX}"):
            remove(path)


def _path(results: Path, challenge: str) -> Path:
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40]
    return results / FOLDER / f"{challenge}@{host}-{os.getpid()}{SUFFIX}"
