"""The order of the stages: from a submission's folder to its score card.

The only place that knows what comes after what. Every stage that touches a participant's code or
network is a `Step` in a sandbox; what comes back is read as plain numbers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness import cards
from harness.challenge import Challenge
from harness.cost.flops import count_cost
from harness.data.cache import cache_root
from harness.data.events import EventStore, open_store
from harness.data.manifest import load_manifest
from harness.data.mix import Mixture, write_mixture
from harness.environment import describe_environment
from harness.errors import InvalidSubmissionError, Problem
from harness.evaluation import evaluate_scores
from harness.records import (
    Check,
    Cost,
    Firmware,
    NotMeasured,
    Physics,
    ScoreCard,
    ScoredChallenge,
    ScoredFile,
    Submitted,
)
from harness.sandbox import Sandbox, open_sandbox, scratch_folder
from harness.stages import StageClock
from harness.step import GIB, Limits, Step
from harness.submission.layers import MAX_GRAPH_BYTES, MAX_WEIGHTS_BYTES
from harness.submission.network import model_digest
from harness.submission.spec import Submission, read_submission

# Events of each process that `--quick` scores.
QUICK_EVENTS = 50_000
_BYTES_PER_SCORE = 8
_EXPORT_LIMITS = Limits(wall_s=300.0, memory_bytes=6 * GIB)
_SCORE_LIMITS = Limits(wall_s=1800.0, cpu_s=7200.0, memory_bytes=8 * GIB)

_NOT_RUN = NotMeasured(not_measured="not run")

Scores = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """A card, and where it was written; None for a quick run, which is not kept."""

    card: ScoreCard
    path: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What all stages of one run share."""

    submission: Submission
    challenge: Challenge
    store: EventStore
    sandbox: Sandbox
    mixture: Mixture
    clock: StageClock
    folder: Path
    is_quick: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Network:
    """An exported network and its digest."""

    graph: Path
    weights: Path
    digest: str


@dataclass(slots=True)
class _Figures:
    """What was measured so far; the rest is not."""

    float_scores: Scores
    model_digest: str | NotMeasured
    cost: Cost | NotMeasured
    firmware: Firmware | NotMeasured
    firmware_scores: Scores = field(default_factory=dict)
    checks: tuple[Check, ...] | NotMeasured = _NOT_RUN
    warnings: list[str] = field(default_factory=list)


def score_submission(
    folder: Path,
    *,
    challenge: str = "sample",
    manifests: Sequence[Path] = (),
    results: Path = Path("results"),
    cache: Path | None = None,
    is_quick: bool = False,
    has_firmware: bool = True,
    isolation: Literal["bwrap", "none"] = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> Scored:
    """Score the submission in `folder` and write its card.

    Parameters
    ----------
    folder : Path
        ``submissions/<team>``.
    challenge : str
        Name of a challenge of the manifest.
    manifests : sequence of Path
        Manifests beside the shipped one.
    results : Path
        Where the card is written: ``<results>/<challenge>/<team>/``.
    cache : Path, optional
        Where decoded events and firmware results are kept.
    is_quick : bool
        Score a subset, without firmware; the card is unofficial and not kept.
    has_firmware : bool
        Whether to make firmware of a network of the trigger division.
    isolation : str
        ``bwrap``, or ``none`` for code that is trusted: the card is unofficial.
    progress : callable
        Receives lines of text as the run proceeds.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was. No card is written.
    """
    submission = read_submission(folder)
    rules = load_manifest(*manifests).challenge(challenge)
    root = cache_root(cache)
    root.mkdir(parents=True, exist_ok=True)
    kind = f"{challenge}-quick" if is_quick else challenge
    clock = StageClock(progress=progress, history=root / "timings.json", kind=kind)
    with scratch_folder() as scratch:
        with clock.stage("data", f"open {rules.title}"):
            store = open_store(rules, root)
            mixture = write_mixture(
                store,
                rules,
                scratch / "events.npy",
                generator=np.random.default_rng(secrets.randbits(256)),
                limit=QUICK_EVENTS if is_quick else None,
            )
        run = _Run(
            submission=submission,
            challenge=rules,
            store=store,
            sandbox=open_sandbox(isolation),
            mixture=mixture,
            clock=clock,
            folder=scratch,
            is_quick=is_quick,
        )
        figures = _measure(run, has_firmware=has_firmware)
        with clock.stage("metrics", "AUC and TPR with their intervals"):
            card, packed = _make_card(run, figures)
    clock.keep()
    path = None if is_quick else cards.write_card(card, results, scores=packed)
    return Scored(card=card, path=path)


def _measure(run: _Run, *, has_firmware: bool) -> _Figures:
    if run.submission.spec.division == "open":
        return _measure_open(run)
    return _measure_trigger(run, has_firmware=has_firmware)


def _measure_open(run: _Run) -> _Figures:
    """Open division: physics alone, by the participant's own ``score(events)``."""
    why = NotMeasured(not_measured="an entry of the open division is Python, not a network")
    scores = _score(run, "score_open", {"submission": run.submission.folder})
    return _Figures(float_scores=scores, model_digest=why, cost=why, firmware=why)


def _measure_trigger(run: _Run, *, has_firmware: bool) -> _Figures:
    network = _export(run)
    inputs = {"graph": network.graph, "weights": network.weights}
    scores = _score(run, "score_network", inputs)
    with run.clock.stage("cost", "FLOPs, bit operations, parameters"):
        cost = count_cost(**inputs, run_step=run.sandbox.run, folder=_subfolder(run, "cost"))
    firmware = NotMeasured(not_measured="not built" if has_firmware else "left out on request")
    return _Figures(float_scores=scores, model_digest=network.digest, cost=cost, firmware=firmware)


def _export(run: _Run) -> _Network:
    """Sandbox A: the plugin becomes a graph and weights; no event is there."""
    step = Step(
        name="export",
        entry="harness.submission.export:export_submission",
        request={"event_shape": list(run.challenge.layout.shape)},
        inputs={"submission": run.submission.folder},
        outputs={"graph": MAX_GRAPH_BYTES, "weights": MAX_WEIGHTS_BYTES},
        limits=_EXPORT_LIMITS,
    )
    with run.clock.stage("export", "network() of model.py") as steps:
        result = run.sandbox.run(step, _subfolder(run, "export"))
        steps.append(result.usage)
    graph, weights = result.outputs["graph"], result.outputs["weights"]
    return _Network(graph=graph, weights=weights, digest=model_digest(graph, weights))


def _score(run: _Run, function: str, inputs: Mapping[str, Path]) -> Scores:
    """Sandbox B: events without labels, and what scores them."""
    n_events = run.mixture.n_events
    step = Step(
        name="score",
        entry=f"harness.submission.inference:{function}",
        inputs={**inputs, "events": run.mixture.path},
        outputs={"scores": n_events * _BYTES_PER_SCORE},
        limits=_SCORE_LIMITS,
    )
    with run.clock.stage("score", f"{n_events:,} events") as steps:
        result = run.sandbox.run(step, _subfolder(run, "score"))
        steps.append(result.usage)
    return run.mixture.separate(read_scores(result.outputs["scores"], n_events))


def read_scores(path: Path, n_events: int) -> NDArray[np.float64]:
    """Read raw scores that a step wrote.

    Returns
    -------
    ndarray of float64, shape (n_events,)
        Finite; higher = more anomalous.

    Raises
    ------
    InvalidSubmissionError
        There are more or fewer, or some are not finite.
    """
    raw = path.read_bytes()
    if len(raw) != n_events * _BYTES_PER_SCORE:
        raise InvalidSubmissionError(
            Problem(
                what=f"{len(raw):,} bytes of scores came back",
                where="scores",
                expected=f"{n_events * _BYTES_PER_SCORE:,}: one float64 for each event",
            )
        )
    scores = np.frombuffer(raw, dtype="<f8")
    n_bad = int(np.count_nonzero(~np.isfinite(scores)))
    if n_bad:
        raise InvalidSubmissionError(
            Problem(
                what=f"{n_bad:,} of {n_events:,} scores are NaN or infinite",
                where="scores",
                expected="finite scores",
                fix="look for 0/0, overflow and the logarithm of 0, for empty objects too",
            )
        )
    return scores


def _subfolder(run: _Run, name: str) -> Path:
    folder = run.folder / name
    folder.mkdir()
    return folder


def _make_card(run: _Run, figures: _Figures) -> tuple[ScoreCard, bytes]:
    packed = cards.pack_scores(
        cards.KeptScores(float_scores=figures.float_scores, firmware_scores=figures.firmware_scores)
    )
    unofficial = tuple(_unofficial_because(run, figures))
    firmware_physics: Physics | NotMeasured = NotMeasured(not_measured="no firmware was made")
    if figures.firmware_scores:
        firmware_physics = evaluate_scores(
            run.challenge, figures.firmware_scores, run.mixture.hashes, "firmware"
        )
    card = ScoreCard(
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        is_official=not unofficial,
        unofficial_because=unofficial,
        submission=_describe_submission(run.submission),
        challenge=_describe_challenge(run),
        model_digest=figures.model_digest,
        float_physics=evaluate_scores(
            run.challenge, figures.float_scores, run.mixture.hashes, "float"
        ),
        firmware_physics=firmware_physics,
        cost=figures.cost,
        firmware=figures.firmware,
        checks=figures.checks,
        isolation=run.sandbox.record,
        usage=dict(run.clock.usage),
        environment=describe_environment(),
        scores=cards.describe_bytes("scores.zst", packed),
        warnings=tuple(figures.warnings),
    )
    return card, packed


def _unofficial_because(run: _Run, figures: _Figures) -> Iterator[str]:
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


def _describe_challenge(run: _Run) -> ScoredChallenge:
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
        split_key=challenge.split.key,
        split_fractions=(challenge.split.train, challenge.split.validation, challenge.split.test),
        seed=challenge.seed,
        working_point=challenge.working_point,
        target=challenge.target,
        ranking=challenge.ranking,
        collision_rate_hz=challenge.collision_rate_hz,
    )
