"""The score card put together: who submitted what, the data, and all that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.card import files as cards
from harness.card.costs import Cost, ProcessorUse
from harness.card.figures import NotMeasured
from harness.card.hardware import ComparedScores, Firmware, FixedWidths
from harness.card.images import Reconstruction
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.run import IsolationRecord, ScoredChallenge, ScoredFile, Submitted
from harness.card.stress import Stress
from harness.challenge import Target, utc
from harness.data.events import EventStore
from harness.firmware.backend import FirmwareSettings
from harness.metrics.evaluate import BACKGROUND
from harness.metrics.working_point import tie_warnings
from harness.scoring.acceptance import Every, summarise_acceptance
from harness.scoring.declared import DECLARED_NOTE
from harness.scoring.early import EarlySteps
from harness.scoring.environment import describe_environment
from harness.scoring.evaluation import merge_backgrounds
from harness.scoring.measure import ScoredEvents, Scores
from harness.scoring.stages import ScoringRun
from harness.submission.validate import Submission

# Events of each process that `--quick` scores.
QUICK_EVENTS = 50_000
_NO_FIRMWARE = NotMeasured(not_measured="no firmware was made")
_NO_STRESS = NotMeasured(not_measured="not asked for: harness score --stress")


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmissionRun(ScoringRun):
    """One scoring of a submission: the submission, the events, and what was asked for.

    Attributes
    ----------
    staged : Path
        The files of the submission that steps see.
    early : EarlySteps
        The steps that are started before their turn.
    """

    submission: Submission
    staged: Path
    early: EarlySteps
    store: EventStore
    isolation: IsolationRecord
    is_quick: bool
    has_firmware: bool
    reports: Path | None = None
    backend: str = "rtl"
    has_implementation: bool = False
    settings: FirmwareSettings | None = None
    has_stress: bool = False
    fresh: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurements:
    """All that was measured."""

    scored: ScoredEvents
    model_digest: str | NotMeasured
    cost: Cost | NotMeasured
    firmware: Firmware | NotMeasured
    firmware_scores: Scores = field(default_factory=dict)
    firmware_physics: Physics | NotMeasured = _NO_FIRMWARE
    compared: ComparedScores | NotMeasured = _NO_FIRMWARE
    artefacts: tuple[Path, ...] = ()
    stress: Stress | NotMeasured = _NO_STRESS
    processor: ProcessorUse | NotMeasured | None = None
    reconstruction: Reconstruction | None = None
    precision: FixedWidths | None = None
    rounded_physics: Physics | None = None
    unrounded_physics: Physics | None = None
    every: Every | None = None

    @property
    def that_count(self) -> tuple[Scores, Physics]:
        """The scores that count and their physics: the firmware's where there are any."""
        if isinstance(self.firmware_physics, NotMeasured):
            return self.scored.scores, self.scored.physics
        return self.firmware_scores, self.firmware_physics


def assemble_card(run: SubmissionRun, measured: Measurements) -> tuple[ScoreCard, bytes]:
    """Put the card of a run together; return it with the packed scores that it describes."""
    packed = cards.pack_scores(
        cards.KeptScores(
            float_scores=measured.scored.scores, firmware_scores=measured.firmware_scores
        )
    )
    unofficial = tuple(_unofficial_because(run, measured))
    has_cuts = run.store.challenge.layout.lacks("pt") is None
    cuts = ", and today's cuts at equal rate" if has_cuts else ""
    with run.stage("acceptance", f"what passes{cuts}"):
        acceptance = summarise_acceptance(
            run.store, run.mixture, *measured.that_count, measured.every
        )
    card = ScoreCard(
        created=utc(datetime.now(UTC)),
        is_official=not unofficial,
        unofficial_because=unofficial,
        submission=_describe_submission(run.submission),
        challenge=_describe_challenge(run),
        model_digest=measured.model_digest,
        float_physics=measured.scored.physics,
        firmware_physics=measured.firmware_physics,
        cost=measured.cost,
        firmware=measured.firmware,
        checks=measured.scored.checks,
        isolation=run.isolation,
        usage=dict(run.clock.usage),
        environment=describe_environment(),
        scores=cards.describe_bytes("scores.zst", packed),
        accepted=acceptance.accepted,
        cuts=acceptance.cuts,
        stress=measured.stress,
        processor=measured.processor,
        reconstruction=measured.reconstruction,
        precision=measured.precision,
        rounded_physics=measured.rounded_physics,
        unrounded_physics=measured.unrounded_physics,
        compared=measured.compared,
        warnings=(*measured.scored.warnings, *_tie_warnings(run, measured)),
    )
    return card, packed


def _tie_warnings(run: SubmissionRun, measured: Measurements) -> Iterator[str]:
    """Say where equal scores take from an entry what its rate allows it."""
    scores, physics = measured.that_count
    background = merge_backgrounds(run.challenge, scores)[BACKGROUND]
    yield from tie_warnings(background, physics.at(run.challenge.working_point))


def _unofficial_because(run: SubmissionRun, measured: Measurements) -> Iterator[str]:
    if run.is_quick:
        yield f"at most {QUICK_EVENTS:,} events of each process were scored (--quick)"
    if run.isolation.kind == "none":
        yield "the submission ran without a sandbox (--unsafe)"
    if run.submission.spec.division == "declared":
        yield DECLARED_NOTE
    is_trigger = run.submission.spec.division == "trigger"
    has_gate = isinstance(run.challenge.target, Target)
    if is_trigger and has_gate and isinstance(measured.firmware, NotMeasured):
        yield f"no firmware: {measured.firmware.not_measured}"


def _describe_submission(submission: Submission) -> Submitted:
    spec = submission.spec
    return Submitted(
        team=spec.team,
        title=spec.title,
        authors=spec.authors,
        division=spec.division,
        description=spec.description,
        method=spec.method,
        method_detail=spec.method_detail,
        training_data=spec.training_data,
        trained_on=spec.trained_on,
        learning=spec.learning,
        is_supervised=spec.is_supervised,
        signals_seen=spec.signals_seen,
        references=spec.references,
        licence=spec.licence,
        digest=submission.digest,
    )


def _describe_challenge(run: SubmissionRun) -> ScoredChallenge:
    challenge, store = run.challenge, run.store
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
            for process, rows in run.mixture.rows.items()
        ),
        split_key=challenge.split.key_digest,
        split_fractions=(challenge.split.train, challenge.split.validation, challenge.split.test),
        seed=challenge.seed,
        working_point=challenge.working_point,
        merit=challenge.merit,
        target=challenge.target,
        other_targets=challenge.other_targets,
        ranking=challenge.ranking,
        preselection=challenge.preselection,
        collision_rate_hz=challenge.crossing_rate_hz,
    )
