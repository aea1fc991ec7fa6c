"""Two scorers in two clones: each submission is scored by the one that claimed it first.

A claim is a reference of the board's remote, ``refs/harness/claims/<hash>``, which can be made only
where there is none. It points to a commit without parents and files, whose message says who scores
and until when that holds. A scorer renews its claims while it works, and removes them when its
cards are pushed. A claim that was not renewed, or whose process is dead, is taken over.

References of this kind are in no clone of a team: git fetches branches and tags alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field

from harness.challenge import Utc, Value, instant, utc
from harness.ci.git import GitError, Repository, identity
from harness.ci.process import ScoringRequest
from harness.ci.turns import this_process
from harness.errors import DataError
from harness.files import parse_json

PREFIX = "refs/harness/claims/"
# A claim of a machine that was switched off holds others up for so long; clocks that differ by less
# than this, minus the time between two renewals, do no harm.
LASTS_S = 600.0
_RENEWALS = 5
_MAX_TRIES = 4
_MAX_BYTES = 4096


class Claim(Value):
    """Who scores a submission.

    Attributes
    ----------
    by : str
        The process, for people.
    machine : str
        Digest of the start of its machine and of its space of process numbers.
    process, started : int
        Its number, and when it was started [ticks since the start of the machine].
    since, until : str
        From when, and to when the claim holds if it is not renewed.
    unique : str
        Makes each claim an object of its own.
    """

    by: str = Field(max_length=400)
    machine: str = Field(max_length=80)
    process: int
    started: int
    since: Utc
    until: Utc
    unique: str = Field(max_length=80)

    def holds(self, now: datetime) -> bool:
        """Tell whether somebody works on the submission."""
        if instant(self.until) <= now:
            return False
        is_here = self.machine != "" and self.machine == _machine()
        return not is_here or _started(self.process) == self.started


def claim_key(request: ScoringRequest) -> str:
    """Return the name of a claim: a digest of what is scored, for whom and on what.

    It names no challenge, as that may be a private one.
    """
    subject = [request.challenge, request.team, request.digest]
    return hashlib.sha256(json.dumps(subject).encode()).hexdigest()[:40]


class Claims:
    """The claims of this process on one remote; leaving the context gives them back.

    Parameters
    ----------
    board : Repository
        Any repository of this machine: git keeps the objects of claims there.
    url : str
        The remote.
    follow : callable
        Brings what others have pushed, so that a card is seen whose claim was given back.
    tell : callable
        Receives what the user should know.
    lasts_s : float
        How long a claim holds that is not renewed.
    """

    def __init__(
        self,
        board: Repository,
        url: str,
        *,
        follow: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda _: None,
        lasts_s: float = LASTS_S,
    ) -> None:
        self._board, self._url, self._follow, self._tell = board, url, follow, tell
        self._lasts_s = lasts_s
        self._since = datetime.now(UTC)
        # Names of references, and the commits that are our claims; without one: lost.
        self._held: dict[str, str | None] = {}
        self._written: set[str] = set()
        self._is_refused = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._renew_often, daemon=True)

    def __enter__(self) -> Self:
        """Return the claims; there are none yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give all claims back."""
        self._ended.set()
        if self._renewal.is_alive():
            self._renewal.join()
        with self._lock, contextlib.suppress(GitError):
            self._push({ref: (old, None) for ref, old in self._held.items() if old is not None})

    def take(self, key: str) -> str | None:
        """Claim a submission, and bring the cards that others have pushed until then.

        Returns
        -------
        str or None
            Who scores it, if somebody else does.
        """
        holder = None if self._is_refused else self._take(f"{PREFIX}{key}")
        if holder is None:
            # What cannot be fetched now is joined at the next push.
            with contextlib.suppress(GitError):
                self._follow()
        return holder

    def _take(self, ref: str) -> str | None:
        for _ in range(_MAX_TRIES):
            with self._lock, contextlib.suppress(GitError):
                if self._held.get(ref):
                    return None
                tip = self._tips(ref).get(ref)
                claim = None if tip is None else self._read(ref, tip)
                if claim is not None and claim.holds(datetime.now(UTC)):
                    return f"{claim.by}, since {claim.since}"
                made = self._write()
                self._push({ref: (tip, made)})
                self._held[ref] = made
                self._begin_renewal()
                return None
        self._is_refused = True
        self._tell(
            f"the remote takes no claims ({PREFIX}), or is not there: another scorer may score the "
            "same entries"
        )
        return None

    def still_holds(self, key: str) -> bool:
        """Tell whether nobody has taken a submission over, for example while we were asleep."""
        ref = f"{PREFIX}{key}"
        if self._is_refused:
            return True
        with self._lock:
            try:
                return self._tips(ref).get(ref) in self._written
            except GitError:
                # Nobody knows. The push at the end will fail as well, or join the cards.
                return True

    def renew(self) -> None:
        """Let all claims hold for another while; those that somebody took over are lost."""
        with self._lock:
            ours = {ref: old for ref, old in self._held.items() if old is not None}
            if not ours:
                return
            made = self._write()
            try:
                self._push({ref: (old, made) for ref, old in ours.items()})
            except GitError:
                tips = self._tips(*ours)
                for ref in ours:
                    self._held[ref] = tips.get(ref) if tips.get(ref) in self._written else None
            else:
                self._held |= dict.fromkeys(ours, made)

    def _begin_renewal(self) -> None:
        if not self._renewal.is_alive():
            self._renewal.start()

    def _renew_often(self) -> None:
        while not self._ended.wait(self._lasts_s / _RENEWALS):
            with contextlib.suppress(GitError):
                self.renew()

    def _write(self) -> str:
        """Make the commit of a claim from now on."""
        now = datetime.now(UTC)
        claim = Claim(
            by=f"{this_process()} on {socket.gethostname()}",
            machine=_machine(),
            process=os.getpid(),
            started=_started(os.getpid()) or 0,
            since=utc(self._since),
            until=utc(now + timedelta(seconds=self._lasts_s)),
            unique=secrets.token_hex(8),
        )
        nothing = self._board.text("hash-object", "-w", "-t", "tree", "--stdin")
        made = self._board.text(
            *("commit-tree", nothing, "-m", claim.model_dump_json()), variables=identity("harness")
        )
        self._written.add(made)
        return made

    def _read(self, ref: str, commit: str) -> Claim | None:
        """Read a claim; None where it is gone, or nobody can say until when it holds."""
        try:
            self._board.run(
                *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head"), "--", self._url, ref
            )
            text = self._board.run("cat-file", "commit", commit, max_bytes=_MAX_BYTES)[1]
            return parse_json(text.partition(b"\n\n")[2].strip(), Claim, source=ref)
        except (GitError, DataError):
            return None

    def _tips(self, *refs: str) -> dict[str, str]:
        """Return the commits of references that the remote has."""
        _, answer = self._board.run("ls-remote", "--", self._url, *refs)
        lines = (line.split("\t") for line in answer.decode(errors="replace").splitlines())
        return {ref: commit for commit, ref in lines}

    def _push(self, changes: Mapping[str, tuple[str | None, str | None]]) -> None:
        """Move references from one commit to another; None is that there is none."""
        if not changes:
            return
        leases = [f"--force-with-lease={ref}:{old or ''}" for ref, (old, _) in changes.items()]
        wanted = [f"{new or ''}:{ref}" for ref, (_, new) in changes.items()]
        self._board.run("push", "--quiet", "--no-verify", *leases, "--", self._url, *wanted)


def _machine() -> str:
    """Return a digest of this start of this machine and of its space of process numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{space}".encode()).hexdigest()[:32]


def _started(process: int) -> int | None:
    """Return when a process was started [ticks since the start of the machine], if it lives."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of the program is in brackets, and may have any characters.
    state, *fields = text.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])
