"""The score card put together: who handed in what, what it was scored on, all that was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.card import files as cards
from harness.card.records import (
    Cost,
    Firmware,
    NotMeasured,
    Physics,
    ScoreCard,
    ScoredChallenge,
    ScoredFile,
    Stress,
    Submitted,
)
from harness.challenge import utc
from harness.data.events import EventStore
from harness.firmware.backend import Settings
from harness.metrics.evaluate import BACKGROUND
from harness.metrics.working_point import tie_warnings
from harness.sandbox import Sandbox
from harness.scoring.acceptance import Acceptance, summarise_acceptance
from harness.scoring.environment import describe_environment
from harness.scoring.evaluation import merge_backgrounds
from harness.scoring.scorer import Bench, ScoredEvents, Scores
from harness.submission.spec import Submission

# Events of each process that `--quick` scores.
QUICK_EVENTS = 50_000
_NO_FIRMWARE = NotMeasured(not_measured="no firmware was made")
_NO_STRESS = NotMeasured(not_measured="not asked for: harness score --stress")


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What all stages of one run share."""

    submission: Submission
    staged: Path
    store: EventStore
    sandbox: Sandbox
    bench: Bench
    is_quick: bool
    has_firmware: bool
    reports: Path | None = None
    settings: Settings | None = None
    has_stress: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All that was measured."""

    scored: ScoredEvents
    model_digest: str | NotMeasured
    cost: Cost | NotMeasured
    firmware: Firmware | NotMeasured
    firmware_scores: Scores = field(default_factory=dict)
    firmware_physics: Physics | NotMeasured = _NO_FIRMWARE
    artefacts: tuple[Path, ...] = ()
    stress: Stress | NotMeasured = _NO_STRESS


def assemble_card(run: Run, figures: Figures) -> tuple[ScoreCard, bytes]:
    """Put the card of a run together; return it with its packed scores, of which it tells."""
    packed = cards.pack_scores(
        cards.KeptScores(
            float_scores=figures.scored.scores, firmware_scores=figures.firmware_scores
        )
    )
    unofficial = tuple(_unofficial_because(run, figures))
    with run.bench.clock.stage("acceptance", "what passes, and today's cuts at equal rate"):
        acceptance = _summarise(run, figures)
    card = ScoreCard(
        created=utc(datetime.now(UTC)),
        is_official=not unofficial,
        unofficial_because=unofficial,
        submission=_describe_submission(run.submission),
        challenge=_describe_challenge(run),
        model_digest=figures.model_digest,
        float_physics=figures.scored.physics,
        firmware_physics=figures.firmware_physics,
        cost=figures.cost,
        firmware=figures.firmware,
        checks=figures.scored.checks,
        isolation=run.sandbox.record,
        usage=dict(run.bench.clock.usage),
        environment=describe_environment(),
        scores=cards.describe_bytes("scores.zst", packed),
        accepted=acceptance.accepted,
        cuts=acceptance.cuts,
        stress=figures.stress,
        warnings=(*figures.scored.warnings, *_tie_warnings(run, figures)),
    )
    return card, packed


def _summarise(run: Run, figures: Figures) -> Acceptance:
    """Describe what the scores that count accept."""
    return summarise_acceptance(run.store, run.bench.mixture, *_that_count(figures))


def _that_count(figures: Figures) -> tuple[Scores, Physics]:
    """Return the scores that count and what they are worth: the firmware's where there are any."""
    if isinstance(figures.firmware_physics, NotMeasured):
        return figures.scored.scores, figures.scored.physics
    return figures.firmware_scores, figures.firmware_physics


def _tie_warnings(run: Run, figures: Figures) -> Iterator[str]:
    """Say where equal scores take from an entry what its rate allows it."""
    scores, physics = _that_count(figures)
    challenge = run.bench.challenge
    background = merge_backgrounds(challenge, scores)[BACKGROUND]
    yield from tie_warnings(background, physics.at(challenge.working_point))


def _unofficial_because(run: Run, figures: Figures) -> Iterator[str]:
    if run.is_quick:
        yield f"at most {QUICK_EVENTS:,} events of each process were scored (--quick)"
    if run.sandbox.kind == "none":
        yield "the submission ran without a sandbox (--unsafe)"
    is_trigger = run.submission.spec.division == "trigger"
    if is_trigger and isinstance(figures.firmware, NotMeasured):
        yield f"no firmware: {figures.firmware.not_measured}"


def _describe_submission(submission: Submission) -> Submitted:
    spec = submission.spec
    return Submitted(
        team=spec.team,
        title=spec.title,
        authors=spec.authors,
        division=spec.division,
        description=spec.description,
        training_data=spec.training_data,
        is_supervised=spec.is_supervised,
        references=spec.references,
        licence=spec.licence,
        digest=submission.digest,
    )


def _describe_challenge(run: Run) -> ScoredChallenge:
    challenge, store = run.bench.challenge, run.store
    files = {file.process: file for file in challenge.files}
    return ScoredChallenge(
        name=challenge.name,
        title=challenge.title,
        version=challenge.version,
        synthetic=challenge.synthetic,
        files=tuple(
            ScoredFile(
                name=files[process].name,
                process=process,
                role=files[process].role,
                title=files[process].title,
                checksum=store.checksum(process),
                n_events=store.n_events(process),
                n_scored=len(rows),
            )
            for process, rows in run.bench.mixture.rows.items()
        ),
        split_key=challenge.split.key,
        split_fractions=(challenge.split.train, challenge.split.validation, challenge.split.test),
        seed=challenge.seed,
        working_point=challenge.working_point,
        target=challenge.target,
        ranking=challenge.ranking,
        collision_rate_hz=challenge.collision_rate_hz,
    )
