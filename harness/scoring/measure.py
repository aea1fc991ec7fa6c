"""The physics of a submission: its scores of all events, what they are worth, and the checks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Check, NotMeasured, Physics, WorkingPoint
from harness.errors import IntegrityError
from harness.sandbox import Workspace
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.integrity import Batch, Scored, Sizes, check_integrity, digest_events
from harness.scoring.scorer import Scorer, score_batches
from harness.scoring.stages import ScoringRun
from harness.submission.inference import ScoreReport

# Seconds that the integrity checks may take beside the start of their process.
_CHECK_SECONDS = 3.0

Scores = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredEvents:
    """Scores by process, what they are worth, and how far they can be trusted."""

    scores: Scores
    physics: Physics
    checks: tuple[Check, ...] | NotMeasured
    warnings: tuple[str, ...] = ()


def secret_generator() -> np.random.Generator:
    """Return a random generator that nobody can foresee."""
    return np.random.default_rng(secrets.randbits(256))


def score_mixture(run: ScoringRun, scorer: Scorer, *, has_checks: bool) -> ScoredEvents:
    """Score all events of the mixture, evaluate the scores, and check their integrity.

    Raises
    ------
    IntegrityError
        A score depends on more than its own event.
    HarnessError
        The step failed; see `harness.sandbox.step.RunStep`.
    """
    mixture = run.mixture
    digest = digest_events(mixture.path)
    with run.stage("score", f"{mixture.n_events:,} events") as workspace:
        batch = Batch(events=mixture.path, n_events=mixture.n_events, at_once=scorer.at_once)
        (by_row,), done = score_batches(workspace, scorer, [batch], "score", run.clock.tell)
    scores = mixture.separate(by_row)
    with run.stage("metrics", "AUC and TPR with their intervals"):
        physics = evaluate_scores(run.challenge, scores, mixture.hashes, "float")
    checks: tuple[Check, ...] | NotMeasured = NotMeasured(not_measured="left out (--quick)")
    if has_checks:
        with run.stage("checks", "scores in another order, batch and process") as workspace:
            rate = mixture.n_events / done.usage.wall_s
            checks = _check(run, workspace, scorer, scores, physics, digest, rate)
    return ScoredEvents(
        scores=scores, physics=physics, checks=checks, warnings=tuple(_warnings(done.report))
    )


def _warnings(report: ScoreReport) -> Iterator[str]:
    """Say what a participant should know of the scoring itself."""
    found = report.input_overflow
    if found is not None and found.n_outside:
        yield (
            f"{found.n_outside:,} of {found.n_events:,} events have an input outside its declared "
            "word: widen the words of the input, which must cover the range of pT"
        )
    if report.is_input_modified:
        yield "score() changes the events that it receives: let it work on a copy"


def _check(
    run: ScoringRun,
    workspace: Workspace,
    scorer: Scorer,
    scores: Scores,
    physics: Physics,
    digest: str,
    events_per_s: float,
) -> tuple[Check, ...]:
    """Run the integrity checks; a leak ends the run."""

    def score_again(batches: Sequence[Batch]) -> list[NDArray[np.float64]]:
        return score_batches(workspace, scorer, batches, "checks", run.clock.tell)[0]

    challenge = run.challenge
    point = physics.at(challenge.working_point)
    checks = check_integrity(
        Scored.gather(
            run.mixture,
            scores,
            background=challenge.processes("background"),
            at_once=scorer.at_once,
        ),
        digest=digest,
        layout=challenge.layout,
        working_point=point if isinstance(point, WorkingPoint) else None,
        score=score_again,
        folder=workspace.new_folder("variants"),
        generator=secret_generator(),
        sizes=Sizes.within(
            _CHECK_SECONDS, events_per_s=events_per_s, turned_at_once=scorer.turned_at_once
        ),
    )
    _refuse_leaks(checks)
    return checks


def _refuse_leaks(checks: Sequence[Check]) -> None:
    leaks = [check for check in checks if check.outcome == "leak"]
    if not leaks:
        return
    first, *others = leaks
    also = f"; failed too: {', '.join(check.name for check in others)}" if others else ""
    raise IntegrityError(
        f"{first.detail} (largest difference {first.max_difference:.3g} of the scores' "
        f"spread){also}",
        where=f"integrity check {first.name}",
        expected="a score that depends on its own event alone",
        fix="remove what looks at other events, the clock, a counter or a file",
    )
