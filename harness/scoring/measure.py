"""The physics of a submission: its scores of all events, what they are worth, and the checks."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.card.checks import Check
from harness.card.figures import NotMeasured
from harness.card.physics import Physics, WorkingPoint
from harness.challenge import ADC2021_BYTES, events_within
from harness.errors import (
    HarnessError,
    IntegrityError,
    InvalidSubmissionError,
    LimitError,
    SubmissionError,
)
from harness.files import fast_digest
from harness.metrics.consistency import check_resolution
from harness.sandbox import Workspace
from harness.sandbox.scores import BYTES_PER_SCORE
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.integrity import Batch, Scored, Sizes, check_integrity
from harness.scoring.scorer import SCORE_LIMITS, Scorer, count_events, score_batches
from harness.scoring.shards import Shards
from harness.scoring.stages import ScoringRun
from harness.scoring.symmetry import (
    describe_variant,
    not_scored,
    recall_warnings,
    symmetric_variants,
    unmade_variants,
)
from harness.submission.inference import ScoreReport

# Seconds that the integrity checks may take beside the start of their process.
_CHECK_SECONDS = 3.0

# Most of each signal whose symmetric variants are scored: 40,000 events of ADC2021.
_TURNED_BYTES = 40_000 * ADC2021_BYTES

# Most events of each signal whose symmetric variants an open entry scores, as part of its shards.
TURNED_EVENTS = 10_000

# So many of the quantisers whose scales are no powers of two are named in a card.
_NAMED_SCALES = 12

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
    InvalidSubmissionError
        The scores are no scores, or a constant has swallowed their resolution.
    HarnessError
        The step failed; see `harness.sandbox.step.RunStep`.
    """
    if has_checks and scorer.is_plugin:
        return _score_in_shards(run, scorer)
    mixture = run.mixture
    digest = fast_digest(mixture.path)
    with run.stage("score", f"{mixture.n_events:,} events") as workspace:
        batch = Batch(events=mixture.path, n_events=mixture.n_events, at_once=scorer.at_once)
        (by_row,), done = score_batches(workspace, scorer, [batch], "score", run.clock.tell)
    physics = _evaluate(run, by_row)
    checks: tuple[Check, ...] | NotMeasured = NotMeasured(not_measured="left out (--quick)")
    if has_checks:
        with run.stage("checks", "scores in another order, batch and process") as workspace:
            rate = mixture.n_events / done.usage.wall_s
            checks = _check(run, workspace, scorer, by_row, physics, digest, rate)
    return ScoredEvents(
        scores=mixture.separate(by_row),
        physics=physics,
        checks=checks,
        warnings=(*_warnings(done.report), *_recall(checks)),
    )


def _evaluate(run: ScoringRun, by_row: NDArray[np.float64]) -> Physics:
    check_resolution(by_row)
    with run.stage("metrics", "AUC and TPR with their intervals"):
        scores = run.mixture.separate(by_row)
        return evaluate_scores(
            run.challenge, scores, run.mixture.hashes, "float", run.mixture.beside
        )


def _score_in_shards(run: ScoringRun, scorer: Scorer) -> ScoredEvents:
    """Score the code of an entry of the open division, which sees events while it scores."""
    mixture, challenge = run.mixture, run.challenge
    background = challenge.processes("background")
    generator = secret_generator()
    with run.stage("score", f"{mixture.n_events:,} events in shards") as workspace:
        shard_step = _ShardStep(workspace=workspace, scorer=scorer, tell=run.clock.tell)
        folder = workspace.new_folder("shards")
        shards = Shards.draw(mixture, background, shard_step, folder, generator)
        tell = count_events(run.clock.tell, mixture.n_events)
        by_row = shards.score_all(lambda n_done: tell(n_done * BYTES_PER_SCORE))
    physics = _evaluate(run, by_row)
    points = _reached(run, physics)
    with run.stage("checks", "the highest scores once more") as workspace:
        shard_step.workspace = workspace
        diagnostics = _score_variants(run, shards, by_row, points)
    unmade = unmade_variants(run.challenge.layout)
    checks = (*shards.compare(by_row, points), *diagnostics, *unmade)
    _refuse_leaks(checks)
    return ScoredEvents(
        scores=mixture.separate(by_row),
        physics=physics,
        checks=checks,
        warnings=(*dict.fromkeys(shard_step.warnings), *_recall(checks)),
    )


def _score_variants(
    run: ScoringRun, shards: Shards, by_row: NDArray[np.float64], points: Sequence[WorkingPoint]
) -> list[Check]:
    """Score the highest once more, with the symmetric variants, which may fail by themselves."""
    variants = list(
        symmetric_variants(
            run.mixture,
            shards.background,
            shards.generator,
            min(TURNED_EVENTS, events_within(_TURNED_BYTES, run.challenge.layout.shape)),
            layout=run.challenge.layout,
        )
    )
    try:
        found = shards.score_again(by_row, [one.events for one in variants])
    except (InvalidSubmissionError, SubmissionError) as error:
        shards.score_again(by_row, [])
        return [not_scored(one.name, error.problems[0].what) for one in variants]
    return [
        describe_variant(one, run.mixture, by_row, scores, points)
        for one, scores in zip(variants, found)
    ]


@dataclass(kw_only=True, slots=True)
class _ShardStep:
    """Scores shards, each in a process of its own; all together within one limit of time.

    What the plugin prints is shown for the first shard, and for one that fails.
    """

    workspace: Workspace
    scorer: Scorer
    tell: Callable[[str], None]
    warnings: list[str] = field(default_factory=list)
    n_scored: int = 0
    wall_s: float = 0.0

    def __call__(self, events: Path, n_events: int, at_once: int) -> NDArray[np.float64]:
        batch = Batch(events=events, n_events=n_events, at_once=at_once)
        printed: list[str] = []
        number = self.n_scored + 1
        try:
            (scores,), done = score_batches(
                self.workspace,
                self.scorer,
                [batch],
                "shard",
                lambda line: self.tell(f"shard {number}: {line}"),
                printed.append,
            )
        except HarnessError:
            self._show(printed)
            raise
        if number == 1:
            self._show(printed)
        self.n_scored = number
        self.warnings += _warnings(done.report)
        self.wall_s += done.usage.wall_s
        if self.wall_s > SCORE_LIMITS.wall_s:
            raise LimitError(
                f"the shards took {self.wall_s:.0f} s together",
                where="score",
                expected=f"at most {SCORE_LIMITS.wall_s:g} s",
                fix="make score() faster",
            )
        return scores

    def _show(self, printed: Sequence[str]) -> None:
        for line in printed:
            self.tell(line)


def _reached(run: ScoringRun, physics: Physics) -> tuple[WorkingPoint, ...]:
    """Return the cuts that were reached, that of the challenge first."""
    points = [point for point in physics.working_points if isinstance(point, WorkingPoint)]
    return tuple(sorted(points, key=lambda point: point.fpr != run.challenge.working_point))


def _recall(checks: tuple[Check, ...] | NotMeasured) -> Iterator[str]:
    return iter(()) if isinstance(checks, NotMeasured) else recall_warnings(checks)


def _warnings(report: ScoreReport) -> Iterator[str]:
    """Say what a participant should know of the scoring itself."""
    found = report.input_overflow
    if found is not None and found.n_outside:
        yield (
            f"{found.n_outside:,} of {found.n_events:,} events have an input outside its declared "
            "word: widen the words of the input, which must cover the range of its features"
        )
    if report.is_input_modified:
        yield "score() changes the events that it receives: let it work on a copy"


def scale_warnings(names: Sequence[str]) -> Iterator[str]:
    """Name the quantisers of an ONNX file whose scales are no powers of two.

    Examples
    --------
    >>> for line in scale_warnings(["node 'quant' (Quant)"]):
    ...     print(line)  # doctest: +ELLIPSIS
    the scales of node 'quant' (Quant) are no powers of two: with them ...
    """
    if not names:
        return
    shown = ", ".join(names[:_NAMED_SCALES])
    others = len(names) - _NAMED_SCALES
    yield (
        f"the scales of {shown}{f' and {others} more' if others > 0 else ''} are no powers of two: "
        "with them the network agrees with QONNX but for values next to a rounding edge; with "
        "powers of two it has the same bits"
    )


def _check(
    run: ScoringRun,
    workspace: Workspace,
    scorer: Scorer,
    by_row: NDArray[np.float64],
    physics: Physics,
    digest: str,
    events_per_s: float,
) -> tuple[Check, ...]:
    """Run the integrity checks; a leak ends the run."""

    def score_again(batches: Sequence[Batch]) -> list[NDArray[np.float64]]:
        return score_batches(workspace, scorer, batches, "checks", run.clock.tell)[0]

    challenge = run.challenge
    checks = check_integrity(
        Scored(
            mixture=run.mixture,
            scores=by_row,
            background=challenge.processes("background"),
            at_once=scorer.at_once,
        ),
        digest=digest,
        layout=challenge.layout,
        points=_reached(run, physics),
        score=score_again,
        folder=workspace.new_folder("variants"),
        generator=secret_generator(),
        sizes=Sizes.within(
            _CHECK_SECONDS,
            events_per_s=events_per_s,
            n_signals=len(challenge.signals),
            turned_at_once=scorer.turned_at_once,
            other_batch=scorer.other_batch,
            most_turned=events_within(_TURNED_BYTES, challenge.layout.shape),
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
