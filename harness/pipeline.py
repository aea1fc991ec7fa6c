"""The order of the stages: from a submission's folder to its score card.

The only place that knows what comes after what. Every stage that touches a participant's code or
network is a `Step` in a sandbox; what comes back is read as plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Literal

from harness import cards
from harness.cost.flops import count_cost
from harness.data.cache import cache_root
from harness.data.events import EventStore, open_store
from harness.data.manifest import load_manifest
from harness.data.mix import write_mixture
from harness.environment import describe_environment
from harness.records import (
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
from harness.scoring import (
    Bench,
    ScoredEvents,
    Scorer,
    Scores,
    score_events,
    secret_generator,
)
from harness.stages import StageClock
from harness.step import GIB, Limits, Step
from harness.submission.inference import CHUNK_EVENTS, OPEN_CHUNK_EVENTS
from harness.submission.layers import MAX_GRAPH_BYTES, MAX_WEIGHTS_BYTES
from harness.submission.network import model_digest
from harness.submission.spec import Submission, read_submission

# Events of each process that `--quick` scores.
QUICK_EVENTS = 50_000
_BYTES_PER_SCORE = 8
_EXPORT_LIMITS = Limits(wall_s=300.0, memory_bytes=6 * GIB)
# Seconds that the integrity checks may take beside the start of their process.
_CHECK_SECONDS = 3.0
_SCORE_LIMITS = Limits(wall_s=1800.0, cpu_s=7200.0, memory_bytes=8 * GIB)

_NO_FIRMWARE = NotMeasured(not_measured="no firmware was made")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A card, and where it was written; None for a quick run, which is not kept."""

    card: ScoreCard
    path: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What all stages of one run share."""

    submission: Submission
    staged: Path
    store: EventStore
    sandbox: Sandbox
    bench: Bench
    is_quick: bool
    has_firmware: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Network:
    """An exported network and its digest."""

    graph: Path
    weights: Path
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Figures:
    """All that was measured."""

    scored: ScoredEvents
    model_digest: str | NotMeasured
    cost: Cost | NotMeasured
    firmware: Firmware | NotMeasured
    firmware_scores: Scores = field(default_factory=dict)
    firmware_physics: Physics | NotMeasured = _NO_FIRMWARE
    warnings: tuple[str, ...] = ()


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
) -> Outcome:
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
                generator=secret_generator(),
                limit=QUICK_EVENTS if is_quick else None,
            )
        sandbox = open_sandbox(isolation)
        run = _Run(
            submission=submission,
            staged=submission.stage(_new_folder(scratch / "submission")),
            store=store,
            sandbox=sandbox,
            bench=Bench(
                challenge=rules,
                mixture=mixture,
                run_step=sandbox.run,
                clock=clock,
                folder=_new_folder(scratch / "steps"),
            ),
            is_quick=is_quick,
            has_firmware=has_firmware and not is_quick,
        )
        is_open = submission.spec.division == "open"
        figures = _measure_open(run) if is_open else _measure_trigger(run)
        card, packed = _make_card(run, figures)
    clock.keep()
    path = None if is_quick else cards.write_card(card, results, scores=packed)
    return Outcome(card=card, path=path)


def score(
    folder: str | PathLike[str],
    challenge: str = "sample",
    *,
    manifests: Sequence[str | PathLike[str]] = (),
    results: str | PathLike[str] = "results",
    cache: str | PathLike[str] | None = None,
    is_quick: bool = False,
    has_firmware: bool = True,
    isolation: Literal["bwrap", "none"] = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> ScoreCard:
    """Score the submission in `folder`, and return its card: ``harness score`` in one call.

    The parameters are those of `score_submission`; paths may be strings.

    Raises
    ------
    HarnessError
        What the command line would have printed; its class says whose fault it was.
    """
    outcome = score_submission(
        Path(folder),
        challenge=challenge,
        manifests=[Path(manifest) for manifest in manifests],
        results=Path(results),
        cache=None if cache is None else Path(cache),
        is_quick=is_quick,
        has_firmware=has_firmware,
        isolation=isolation,
        progress=progress,
    )
    return outcome.card


def _measure_open(run: _Run) -> _Figures:
    """Open division: physics alone, by the participant's own ``score(events)``."""
    why = NotMeasured(not_measured="an entry of the open division is Python, not a network")
    scorer = Scorer(
        function="score_open", inputs={"submission": run.staged}, at_once=OPEN_CHUNK_EVENTS
    )
    scored = score_events(run.bench, scorer, has_checks=not run.is_quick)
    return _Figures(scored=scored, model_digest=why, cost=why, firmware=why)


def _measure_trigger(run: _Run) -> _Figures:
    """Trigger division: the exported network's physics, cost and firmware."""
    network = _export(run)
    inputs = {"graph": network.graph, "weights": network.weights}
    scorer = Scorer(function="score_network", inputs=inputs, at_once=CHUNK_EVENTS)
    # The cost looks at no event, so it is counted while the events are scored.
    with ThreadPoolExecutor(max_workers=1) as pool:
        counting = pool.submit(_count_cost, run, network)
        scored = score_events(run.bench, scorer, has_checks=not run.is_quick)
        cost = counting.result()
    why = "not built" if run.has_firmware else "left out on request"
    return _Figures(
        scored=scored,
        model_digest=network.digest,
        cost=cost,
        firmware=NotMeasured(not_measured=why),
    )


def _count_cost(run: _Run, network: _Network) -> Cost:
    with run.bench.clock.stage("cost", "FLOPs, bit operations, parameters"):
        return count_cost(
            network.graph,
            network.weights,
            run_step=run.sandbox.run,
            folder=run.bench.new_folder("cost"),
        )


def _export(run: _Run) -> _Network:
    """Sandbox A: the plugin becomes a graph and weights; no event is there."""
    step = Step(
        name="export",
        entry="harness.submission.export:export_submission",
        request={"event_shape": list(run.bench.challenge.layout.shape)},
        inputs={"submission": run.staged},
        outputs={"graph": MAX_GRAPH_BYTES, "weights": MAX_WEIGHTS_BYTES},
        limits=_EXPORT_LIMITS,
    )
    with run.bench.clock.stage("export", "network() of model.py") as steps:
        result = run.sandbox.run(step, run.bench.new_folder("export"))
        steps.append(result.usage)
    graph, weights = result.outputs["graph"], result.outputs["weights"]
    return _Network(graph=graph, weights=weights, digest=model_digest(graph, weights))


def _new_folder(path: Path) -> Path:
    path.mkdir()
    return path


def _make_card(run: _Run, figures: _Figures) -> tuple[ScoreCard, bytes]:
    packed = cards.pack_scores(
        cards.KeptScores(
            float_scores=figures.scored.scores, firmware_scores=figures.firmware_scores
        )
    )
    unofficial = tuple(_unofficial_because(run, figures))
    card = ScoreCard(
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
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
        warnings=figures.warnings,
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
