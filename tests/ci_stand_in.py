"""Scoring in no time, for tests and benchmarks of what surrounds it; sent to workers by pickle."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from harness.card.figures import NotMeasured
from harness.challenge import Budget, Challenge, IntakeRules, Split, StatedTarget, Target
from harness.ci.intake import SubmittedFiles
from harness.ci.process import ScoringOutcome, ScoringRequest
from tests.cards import make_card, make_challenge
from tests.events import LAYOUT, toy_file
from tests.repositories import MODEL, declaration

# The manifest's side of `tests.cards.make_challenge`.
RULES = Challenge(
    name="sample",
    title="Embedded sample (synthetic)",
    version="1",
    synthetic=True,
    licence="none",
    layout=LAYOUT,
    files=(toy_file(), *(toy_file(f"{one}.h5", role="signal", process=one) for one in "ab")),
    split=Split(key="sample-1", train=0.4, validation=0.1, test=0.5),
    seed=20211,
    false_positive_rates=(1e-5,),
    working_point=1e-5,
    targets=(
        StatedTarget(
            name="fpga",
            gate=True,
            limits=Target(
                part="p",
                clock_period_ns=5,
                max_latency_ns=1000,
                max_interval_ns=25,
                budget=Budget(),
            ),
        ),
    ),
    intake=IntakeRules(max_private_per_day=2),
)


def handed(team: str, *, note: bytes = b"", received: str | None = None) -> SubmittedFiles:
    """A submission whose digest hangs on `note`; the word in it tells `score` what to do."""
    files = {"submission.yaml": declaration(team), "model.py": MODEL, "note.txt": note}
    return SubmittedFiles(team=team, files=files, received=received)


def score(request: ScoringRequest) -> ScoringOutcome:
    """Make a card up, or fail as ``note.txt`` says.

    ``fail``: the submission's fault; ``platform``: the machine's; ``raise``: the worker raises.
    ``kill DIRECTORY``: the worker that is first to have it dies. ``log FILE``: leave a line.
    ``sleep SECONDS``: take that long.
    """
    word, _, rest = request.files["note.txt"].decode().partition(" ")
    if word == "fail":
        return ScoringOutcome(exit_code=1, message="RuntimeError: no", wall_s=0.1)
    if word == "platform":
        return ScoringOutcome(exit_code=5, message="disk full", wall_s=0.1)
    if word == "raise":
        raise ValueError("the worker's own fault")
    if word == "sleep":
        time.sleep(float(rest))
    if word in {"kill", "log"}:
        _leave_line(Path(rest), request.team)
    if word == "kill" and len(Path(rest).read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    card = make_card(
        request.team,
        seed=sum(request.team.encode()),
        challenge=make_challenge(name=request.challenge),
        scores=NotMeasured(not_measured="made up"),
    )
    said = card.submission.model_copy(update={"digest": request.digest})
    card = card.model_copy(update={"submission": said})
    return ScoringOutcome(exit_code=0, message="", wall_s=0.1, card=card.model_dump_json().encode())


def _leave_line(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
