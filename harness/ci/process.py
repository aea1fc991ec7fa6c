"""One submission scored in a process of its own, with a time limit; what came of it as bytes.

A worker may be on another machine, so it is sent the submission's files and sends back the card,
its scores and its artefacts; it writes no results. Whoever sent it keeps them, once: see `queue`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.card.files import CARD_SUFFIX, MAX_CARD_BYTES, SCORES_SUFFIX
from harness.card.text import plain
from harness.challenge import Challenge
from harness.ci.documents import MAX_MESSAGE_CHARACTERS, cut
from harness.ci.staging import write_files
from harness.errors import ExitCode, InvalidSubmissionError

# What one scoring may take in all; each step in it has a limit of its own besides.
DEFAULT_LIMIT_S = 3600.0
_MESSAGE_BYTES = 64 * 1024
# Seconds between asking a run to end and ending it.
_GRACE_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """All that a worker needs to score one submission.

    Attributes
    ----------
    rules : Challenge
        What it is scored on.
    digest : str or None
        Of the submission; None where its files are no valid submission.
    files : mapping of relative path to bytes
        The submission.
    manifests : mapping of file name to bytes
        Manifests beside the shipped one.
    received : str or None
        When it was handed in, for the card.
    limit_s : float
        What the scoring may take.
    deadline : float or None
        When the budget of the whole queue is used up [s since 1970].
    """

    team: str
    rules: Challenge
    digest: str | None
    files: Mapping[str, bytes]
    manifests: Mapping[str, bytes] = field(default_factory=dict)
    received: str | None = None
    has_firmware: bool = True
    limit_s: float = DEFAULT_LIMIT_S
    deadline: float | None = None

    @property
    def challenge(self) -> str:
        """Name of what it is scored on."""
        return self.rules.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one run gave.

    Attributes
    ----------
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
    card: bytes | None = None
    scores: bytes | None = None
    artefacts: Mapping[str, bytes] = field(default_factory=dict)


def score_request(request: Request) -> Run:
    """Score one submission by ``harness score`` in a process of its own.

    Whatever the submission does, this returns: a run past its limit is ended with all that it
    started.
    """
    limit_s = request.limit_s
    if request.deadline is not None:
        limit_s = min(limit_s, request.deadline - time.time())
    if limit_s <= 0:
        message = "not begun: the budget of the whole run was used up by those before it"
        return Run(exit_code=ExitCode.LIMIT, message=message, wall_s=0.0)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harness-ci-") as scratch:
        place = Path(scratch)
        try:
            folder = write_files(request.files, place / "submissions" / request.team)
        except InvalidSubmissionError as error:
            return Run(exit_code=error.exit_code, message=str(error), wall_s=0.0)
        code, told = _run(_command(request, folder, place), place, limit_s)
        wall_s = time.monotonic() - started
        made = _read_results(place / "results" / request.challenge / request.team)
        if code == ExitCode.SCORED and made is None:
            code, told = ExitCode.ENVIRONMENT, f"the run left no card\n{told}"
        if code != ExitCode.SCORED or made is None:
            return Run(exit_code=code, message=told, wall_s=wall_s)
        card, scores, artefacts = made
        return Run(
            exit_code=code,
            message="",
            wall_s=wall_s,
            card=card,
            scores=scores,
            artefacts=artefacts,
        )


def _command(request: Request, folder: Path, place: Path) -> list[str]:
    manifests = []
    for number, content in enumerate(request.manifests.values()):
        path = place / f"manifest-{number}.yaml"
        path.write_bytes(content)
        manifests += ["--manifest", str(path)]
    command = [sys.executable, "-m", "harness.cli", "score", str(folder)]
    command += ["--challenge", request.challenge, "--results", str(place / "results"), *manifests]
    return command if request.has_firmware else [*command, "--no-firmware"]


def _run(command: list[str], place: Path, limit_s: float) -> tuple[int, str]:
    """Run the scorer in a session of its own; return its exit code and the end of what it said."""
    log = place / "log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            command,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return ExitCode.LIMIT, f"not done after {limit_s:,.0f} s, the limit of one scoring"
        except BaseException:
            _end(process)
            raise
    text = _tail(log)
    if code < 0:
        return ExitCode.ENVIRONMENT, f"the scorer was ended by signal {-code}\n{text}"
    return code, text


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a run: first so that it can clear its sandbox away, then for good."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=_GRACE_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _MESSAGE_BYTES))
        text = plain(file.read().decode("utf-8", errors="replace")).strip()
    return cut(text, MAX_MESSAGE_CHARACTERS)


def _read_results(folder: Path) -> tuple[bytes, bytes | None, dict[str, bytes]] | None:
    paths = sorted(folder.glob(f"*{CARD_SUFFIX}"))
    if not paths or paths[-1].stat().st_size > MAX_CARD_BYTES:
        return None
    card = paths[-1]
    scores, made = card.with_suffix(SCORES_SUFFIX), card.with_suffix("")
    artefacts = {}
    if made.is_dir():
        artefacts = {path.name: path.read_bytes() for path in sorted(made.iterdir())}
    return card.read_bytes(), scores.read_bytes() if scores.is_file() else None, artefacts
