"""One submission scored in a process of its own, with a time limit; the results as bytes.

A worker may be on another machine, so it gets the submission's files and returns the card, its
scores and its artefacts. It writes no results: the queue that sent the work does, once.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.card.files import CARD_SUFFIX, MAX_CARD_BYTES, SCORES_SUFFIX
from harness.card.source import SourceCommit
from harness.card.text import plain
from harness.challenge import Challenge
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, cut
from harness.ci.staging import write_files
from harness.errors import ExitCode, InvalidSubmissionError
from harness.sandbox.ending import interrupt
from harness.sandbox.scratch import scratch_folder

# What one scoring may take in all; each of its steps has a limit of its own, too.
DEFAULT_LIMIT_S = 3600.0
_MESSAGE_BYTES = 64 * 1024
# Seconds that an interrupted run has to clear up its sandbox.
_GRACE_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringRequest:
    """All that a worker needs to score one submission.

    Attributes
    ----------
    rules : Challenge
        What it is scored on.
    digest : str or None
        Of the submission; None where its files are no valid submission.
    files : mapping of relative path to bytes
        The submission.
    manifests : sequence of bytes
        Manifests beside the shipped one, the earlier ones first.
    received : str or None
        When it was handed in, for the card.
    source : SourceCommit or None
        Which commit holds it, for the card.
    limit_s : float
        What the scoring may take.
    deadline : float or None
        When the budget of the whole queue is used up [s since 1970].
    log : Path or None
        Where the run writes its log, for who watches it; None: where it works.
    """

    team: str
    rules: Challenge
    digest: str | None
    files: Mapping[str, bytes]
    manifests: Sequence[bytes] = ()
    received: str | None = None
    source: SourceCommit | None = None
    has_firmware: bool = True
    limit_s: float = DEFAULT_LIMIT_S
    deadline: float | None = None
    log: Path | None = None

    @property
    def challenge(self) -> str:
        """Name of what it is scored on."""
        return self.rules.name


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringOutcome:
    """What one run gave.

    Attributes
    ----------
    is_cut : bool
        The budget of the whole run ended it, or left no time for it: it failed in nothing.
    card : bytes or None
        The card's file; None if there is none, and then `message` says why.
    scores : bytes or None
        The packed scores that lie beside the card.
    artefacts : mapping of file name to bytes
        Files made on the way, such as the firmware's Verilog.
    """

    exit_code: int
    message: str
    wall_s: float
    is_cut: bool = False
    card: bytes | None = None
    scores: bytes | None = None
    artefacts: Mapping[str, bytes] = field(default_factory=dict)


def score_request(request: ScoringRequest) -> ScoringOutcome:
    """Score one submission by ``harness score`` in a process of its own, which ends with this one.

    Whatever the submission does, this returns: a run past its limit is killed with all that it
    started.
    """
    left_s = math.inf if request.deadline is None else request.deadline - time.time()
    if left_s <= 0:
        message = "not started: the submissions before it used up the budget of the whole run"
        return ScoringOutcome(exit_code=ExitCode.LIMIT, message=message, wall_s=0.0, is_cut=True)
    started = time.monotonic()
    with scratch_folder() as place:
        try:
            folder = write_files(request.files, place / "submissions" / request.team)
        except InvalidSubmissionError as error:
            return ScoringOutcome(exit_code=error.exit_code, message=str(error), wall_s=0.0)
        limit_s = min(request.limit_s, left_s)
        code, message = _run(_command(request, folder, place), place, limit_s, request.log)
        run = ScoringOutcome(exit_code=code, message=message, wall_s=time.monotonic() - started)
        if code == ExitCode.LIMIT and left_s < request.limit_s and run.wall_s >= left_s:
            message = f"not finished: the budget of the whole run left {left_s:,.0f} s for it"
            return replace(run, message=message, is_cut=True)
        if code != ExitCode.SCORED:
            return run
        return _with_results(run, place / "results" / request.challenge / request.team)


def _command(request: ScoringRequest, folder: Path, place: Path) -> list[str]:
    manifests = []
    for number, content in enumerate(request.manifests):
        path = place / f"manifest-{number}.yaml"
        path.write_bytes(content)
        manifests += ["--manifest", str(path)]
    command = [sys.executable, "-m", "harness.ci.child", str(os.getpid()), "score", str(folder)]
    command += ["--challenge", request.challenge, "--results", str(place / "results"), *manifests]
    return command if request.has_firmware else [*command, "--no-firmware"]


def _run(
    command: list[str], place: Path, limit_s: float, log: Path | None = None
) -> tuple[int, str]:
    """Run the scorer in a session of its own; return its exit code and the end of its log."""
    log = log or place / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            interrupt(process, _GRACE_S)
            return ExitCode.LIMIT, f"not done after {limit_s:,.0f} s, the limit of one scoring"
        except BaseException:
            interrupt(process, _GRACE_S)
            raise
    text = _tail(log)
    if code < 0:
        return ExitCode.ENVIRONMENT, f"the scorer was ended by signal {-code}\n{text}"
    return code, text


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _MESSAGE_BYTES))
        text = plain(file.read().decode("utf-8", errors="replace")).strip()
    return cut(text, MAX_MESSAGE_CHARACTERS)


def _with_results(run: ScoringOutcome, folder: Path) -> ScoringOutcome:
    """Add the card of `folder` and its files; without a card the machine failed."""
    paths = sorted(folder.glob(f"*{CARD_SUFFIX}"))
    if not paths or paths[-1].stat().st_size > MAX_CARD_BYTES:
        message = f"the run left no card\n{run.message}"
        return replace(run, exit_code=ExitCode.ENVIRONMENT, message=message)
    card = paths[-1]
    scores, made = card.with_suffix(SCORES_SUFFIX), card.with_suffix("")
    return replace(
        run,
        message="",
        card=card.read_bytes(),
        scores=scores.read_bytes() if scores.is_file() else None,
        artefacts={path.name: path.read_bytes() for path in sorted(made.glob("*"))},
    )
