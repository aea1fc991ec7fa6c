"""Sandbox B: events without labels are scored, and a sample of them again in other ways."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.card.records import Check, NotMeasured, Physics, WorkingPoint
from harness.challenge import Challenge
from harness.data.mix import Mixture
from harness.errors import IntegrityError, Problem
from harness.sandbox.scores import BYTES_PER_SCORE, read_scores
from harness.sandbox.step import GIB, Limits, RunStep, Step, StepResult, Usage
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.integrity import (
    OTHER_BATCH,
    Batch,
    Scored,
    Sizes,
    check_integrity,
    digest_events,
)
from harness.scoring.stages import StageClock

# Seconds that the integrity checks may take beside the start of their process.
_CHECK_SECONDS = 3.0
_LIMITS = Limits(wall_s=1800.0, cpu_s=7200.0, memory_bytes=8 * GIB)

Scores = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorer:
    """What scores events: a step's function, and its inputs beside the events.

    Attributes
    ----------
    at_once : int
        Events that it is given at once.
    """

    function: Literal["score_network", "score_open"]
    inputs: Mapping[str, Path]
    at_once: int

    @property
    def turned_at_once(self) -> int:
        """Events at once of the symmetric variants.

        A network is compiled anew for each number of events at once, which takes longer than to
        score them in the batches of the other checks; other scorers are faster with many.
        """
        return OTHER_BATCH if self.function == "score_network" else self.at_once


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Where scoring takes place: the events, the sandbox, the clock and a folder to work in."""

    challenge: Challenge
    mixture: Mixture
    run_step: RunStep
    clock: StageClock
    folder: Path

    def new_folder(self, name: str) -> Path:
        """Make a folder of a step's own."""
        folder = self.folder / f"{name}-{secrets.token_hex(4)}"
        folder.mkdir()
        return folder


class Workbench(Protocol):
    """Runs steps, each in a folder of its own; a `Bench` is one."""

    @property
    def run_step(self) -> RunStep:
        """What runs a step."""
        ...

    def new_folder(self, name: str) -> Path:
        """Make a folder of a step's own."""
        ...


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


def score_events(bench: Bench, scorer: Scorer, *, has_checks: bool) -> ScoredEvents:
    """Score all events of the mixture, evaluate the scores, and check their integrity.

    Raises
    ------
    IntegrityError
        A score depends on more than its own event.
    HarnessError
        The step failed; see `harness.sandbox.step.RunStep`.
    """
    mixture = bench.mixture
    digest = digest_events(mixture.path)
    with bench.clock.stage("score", f"{mixture.n_events:,} events") as steps:
        batch = Batch(events=mixture.path, n_events=mixture.n_events, at_once=scorer.at_once)
        (by_row,), result = score_batches(bench, scorer, [batch], "score")
        usage = result.usage
        steps.append(usage)
    scores = mixture.separate(by_row)
    with bench.clock.stage("metrics", "AUC and TPR with their intervals"):
        physics = evaluate_scores(bench.challenge, scores, mixture.hashes, "float")
    checks: tuple[Check, ...] | NotMeasured = NotMeasured(not_measured="left out (--quick)")
    if has_checks:
        with bench.clock.stage("checks", "scores in another order, batch and process") as steps:
            rate = mixture.n_events / usage.wall_s
            checks, usages = _check(bench, scorer, scores, physics, digest, rate)
            steps.extend(usages)
    return ScoredEvents(
        scores=scores,
        physics=physics,
        checks=checks,
        warnings=_overflow_warnings(result.report),
    )


def _overflow_warnings(report: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Say how many events do not fit the words that the network declares for its input."""
    found = report.get("input_overflow")
    if not isinstance(found, dict):
        return ()
    n_outside, n_events = found.get("n_outside"), found.get("n_events")
    if not isinstance(n_outside, int) or not isinstance(n_events, int) or n_outside <= 0:
        return ()
    told = (
        f"{n_outside:,} of {n_events:,} events have an input outside its declared word: widen the "
        "words of the input, which must cover the range of pT"
    )
    return (told,)


def score_batches(
    bench: Workbench,
    scorer: Scorer,
    batches: Sequence[Batch],
    name: Literal["score", "checks", "stress"],
) -> tuple[list[NDArray[np.float64]], StepResult[dict[str, JsonValue]]]:
    """Score batches one after the other in one fresh process.

    Only in the scoring itself scores that are all the same are refused. In the checks they are
    compared as any others: those of a rank within the batch are, for events by themselves.
    """
    jobs: list[JsonValue] = [
        {
            "events": f"events{index}",
            "scores": f"scores{index}",
            "chunk": batch.at_once,
            "may_be_constant": name != "score",
        }
        for index, batch in enumerate(batches)
    ]
    events = {f"events{index}": batch.events for index, batch in enumerate(batches)}
    sizes = {
        f"scores{index}": batch.n_events * BYTES_PER_SCORE for index, batch in enumerate(batches)
    }
    step = Step(
        name=name,
        entry=f"harness.submission.inference:{scorer.function}",
        request={"jobs": jobs},
        inputs={**scorer.inputs, **events},
        outputs=sizes,
        limits=_LIMITS,
    )
    result = bench.run_step(step, bench.new_folder(name))
    scores = [
        read_scores(result.outputs[f"scores{index}"], batch.n_events)
        for index, batch in enumerate(batches)
    ]
    return scores, result


def _check(
    bench: Bench,
    scorer: Scorer,
    scores: Scores,
    physics: Physics,
    digest: str,
    events_per_s: float,
) -> tuple[tuple[Check, ...], list[Usage]]:
    """Run the integrity checks; a leak ends the run."""
    usages: list[Usage] = []

    def score_again(batches: Sequence[Batch]) -> list[NDArray[np.float64]]:
        again, result = score_batches(bench, scorer, batches, "checks")
        usages.append(result.usage)
        return again

    challenge = bench.challenge
    point = physics.at(challenge.working_point)
    checks = check_integrity(
        Scored.gather(
            bench.mixture,
            scores,
            background=challenge.processes("background"),
            at_once=scorer.at_once,
        ),
        digest=digest,
        layout=challenge.layout,
        working_point=point if isinstance(point, WorkingPoint) else None,
        score=score_again,
        folder=bench.new_folder("variants"),
        generator=secret_generator(),
        sizes=Sizes.within(
            _CHECK_SECONDS, events_per_s=events_per_s, turned_at_once=scorer.turned_at_once
        ),
    )
    _refuse_leaks(checks)
    return checks, usages


def _refuse_leaks(checks: Sequence[Check]) -> None:
    leaks = [check for check in checks if check.outcome == "leak"]
    if not leaks:
        return
    first, *others = leaks
    also = f"; failed too: {', '.join(check.name for check in others)}" if others else ""
    raise IntegrityError(
        Problem(
            what=f"{first.detail} (largest difference {first.max_difference:.3g} of the scores' "
            f"spread){also}",
            where=f"integrity check {first.name}",
            expected="a score that depends on its own event alone",
            fix="remove what looks at other events, the clock, a counter or a file",
        )
    )
