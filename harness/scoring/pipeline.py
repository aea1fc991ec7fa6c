"""The order of the stages: from a submission's folder to its score card.

The only place that knows what comes after what. Every stage that touches a participant's code or
network is a step in a sandbox; what comes back is read as plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.board.public import public_challenge
from harness.card import files as cards
from harness.card.costs import Cost
from harness.card.figures import NotMeasured
from harness.card.images import Reconstruction
from harness.card.physics import Physics, WorkingPoint
from harness.card.records import ScoreCard
from harness.card.run import IsolationKind
from harness.challenge import Challenge, CpuTarget, Target
from harness.cost.flops import count_cost, start_counting
from harness.data.cache import cache_root
from harness.data.events import EventStore, open_store
from harness.data.manifest import load_manifest
from harness.data.mix import Mixture, write_mixture
from harness.data.published import published_test, refuse_closed
from harness.firmware.artefacts import PROGRAM
from harness.firmware.backend import FirmwareSettings
from harness.firmware.registry import check_backend
from harness.firmware.tools import require_extra
from harness.sandbox import EarlyStep, Workspace, open_sandbox, scratch_folder
from harness.sandbox.scores import BYTES_PER_SCORE, read_scores
from harness.sandbox.tried import tried_isolation
from harness.scoring.acceptance import Every, read_every
from harness.scoring.assembly import QUICK_EVENTS, Measurements, SubmissionRun, assemble_card
from harness.scoring.beside import beside
from harness.scoring.chosen import chosen_challenges
from harness.scoring.early import EarlySteps
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.fresh import compare_fresh, find_fresh
from harness.scoring.integrity import MAX_VARIANTS, Batch
from harness.scoring.measure import (
    ScoredEvents,
    Scores,
    scale_warnings,
    score_mixture,
    secret_generator,
)
from harness.scoring.needs import require_jets
from harness.scoring.processor import measure_processor
from harness.scoring.readiness import refuse_wrong_rules
from harness.scoring.reconstruction import measure_reconstruction
from harness.scoring.rounding import as_record, precision_of, with_rounding, with_unrounded
from harness.scoring.score_files import read_score_file
from harness.scoring.scorer import (
    ExportedNetwork,
    Scorer,
    extract_network,
    score_batches,
    start_export,
    start_scoring,
)
from harness.scoring.stages import StageClock
from harness.scoring.stress import ScoreFile, has_second_simulation, measure_stress
from harness.submission.declaration import Precision
from harness.submission.validate import read_submission

if TYPE_CHECKING:
    from harness.scoring.with_firmware import Beforehand, Vendor


def score(
    folder: str | PathLike[str],
    challenge: str | None = None,
    *,
    manifests: Sequence[str | PathLike[str]] = (),
    results: str | PathLike[str] = "results",
    cache: str | PathLike[str] | None = None,
    is_quick: bool = False,
    has_firmware: bool = True,
    reports: str | PathLike[str] | None = None,
    backend: str = "rtl",
    has_implementation: bool = False,
    settings: FirmwareSettings | None = None,
    has_stress: bool = False,
    fresh: str | PathLike[str] | None = None,
    isolation: IsolationKind = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> ScoreCard:
    """Score the submission in `folder`, write its card and return it: ``harness score`` in a call.

    Parameters
    ----------
    folder : path
        ``submissions/<team>``.
    challenge : str, optional
        Name of a challenge of the manifest; without it the first one that the submission declares.
    manifests : sequence of path
        Manifests beside the shipped one.
    results : path
        Where the card is written: `harness.card.files.card_path`.
    cache : path, optional
        Where decoded events and firmware results are kept.
    is_quick : bool
        Score a subset, without firmware; the card is unofficial and not written.
    has_firmware : bool
        Whether to make firmware of a network of the trigger division.
    reports : path, optional
        A vendor's reports of this network: its timing and resources in place of those made here.
    backend : str
        What makes the firmware: ``rtl``, ``estimate``, ``vitis``, ``vivado``, or one of another
        package.
    has_implementation : bool
        Whether ``vitis`` or ``vivado`` goes on to place and route.
    settings : FirmwareSettings, optional
        Limits of time, memory and size of the firmware.
    has_stress : bool
        Whether to measure how stable the rate is on varied background.
    fresh : path, optional
        A folder with events of the signals of another seed, ``<process>.h5``: their TPR is
        compared with that of the published events.
    isolation : str
        ``bwrap``, or ``none`` for code that is trusted: the card is unofficial.
    progress : callable
        Receives lines of text as the run proceeds.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was. No card is written.
    """
    submission = read_submission(Path(folder), progress)
    manifest = load_manifest(*map(Path, manifests))
    rules = chosen_challenges(submission.spec, manifest, challenge)[0]
    refuse_wrong_rules(rules)
    if submission.spec.division == "declared":
        # Whoever made the file had the public events alone.
        rules = public_challenge(refuse_closed(rules))
    if has_firmware and not is_quick and submission.spec.division == "trigger" and rules.fpga:
        require_extra()
        check_backend(backend, has_implementation=has_implementation, settings=settings)
    if not is_quick:
        cards.check_results(Path(results), 0)
    root = cache_root(None if cache is None else Path(cache))
    require_jets(submission, rules, root)
    root.mkdir(parents=True, exist_ok=True)
    extent = "quick" if is_quick else "firmware" if has_firmware else "no-firmware"
    kind = f"{rules.name} {submission.spec.division} {extent}"
    clock = StageClock(progress=progress, history=root / "timings.json", kind=kind)
    with scratch_folder() as scratch, ExitStack() as stack:
        sandbox = open_sandbox(isolation)
        workspace = Workspace(run_step=sandbox.run, start_step=sandbox.start, folder=scratch)
        trial = tried_isolation(isolation, workspace, root)
        staged = submission.stage(workspace.new_folder("submission"))
        early = EarlySteps(stack=stack)
        if submission.spec.division == "trigger":
            early.planned["export"] = partial(start_export, workspace, staged)
            early.advance()
        with clock.stage("data", f"open {rules.title}"):
            store, mixture = mix_events(rules, root, scratch, is_quick=is_quick)
        if not is_quick:
            # Scores of two arithmetics, of which compression saves little.
            cards.check_results(Path(results), 2 * BYTES_PER_SCORE * mixture.n_events)
        run = SubmissionRun(
            challenge=rules,
            mixture=mixture,
            workspace=workspace,
            clock=clock,
            submission=submission,
            staged=staged,
            early=early,
            store=store,
            isolation=sandbox.record.model_copy(update={"trial": trial}),
            is_quick=is_quick,
            has_firmware=has_firmware and not is_quick,
            reports=None if reports is None else Path(reports),
            backend=backend,
            has_implementation=has_implementation,
            settings=settings,
            has_stress=has_stress,
            fresh={} if fresh is None else find_fresh(rules, Path(fresh)),
        )
        measured = _measure(run)
        card, packed = assemble_card(run, measured)
        if not is_quick:
            card = cards.number_card(card, Path(results), tell=progress)
            cards.write_card(card, Path(results), scores=packed, artefacts=measured.artefacts)
    clock.keep()
    return card


def mix_events(
    challenge: Challenge, root: Path, folder: Path, *, is_quick: bool
) -> tuple[EventStore, Mixture]:
    """Open the events of a challenge, and mix those that are scored in `folder`."""
    store = open_store(challenge, root)
    mixture = write_mixture(
        store,
        challenge,
        folder / "events.npy",
        generator=secret_generator(),
        limit=QUICK_EVENTS if is_quick else None,
    )
    return store, mixture


def _measure(run: SubmissionRun) -> Measurements:
    if run.submission.spec.division == "declared":
        return _measure_declared(run)
    is_open = run.submission.spec.division == "open"
    return _measure_open(run) if is_open else _measure_trigger(run)


def _measure_declared(run: SubmissionRun) -> Measurements:
    """Measure what scores from a file are worth: the declared division."""
    why = NotMeasured(not_measured="its scores come from a file: there is no network")
    published = published_test(run.challenge, run.store.root)
    with run.stage("score", "read the scores that were handed in") as workspace:
        name = str(run.submission.spec.scores)
        table = read_score_file(run.staged / name, published.n_events, workspace)
        every = published.separate(published.in_order(table.scores, table.ids, where=name))
        scores = {
            process: every[process][np.searchsorted(published.indices[process], chosen)]
            for process, chosen in run.mixture.indices.items()
        }
    with run.stage("metrics", "AUC and TPR with their intervals"):
        physics = evaluate_scores(
            run.challenge, scores, run.mixture.hashes, "float", run.mixture.beside
        )
    checks = NotMeasured(not_measured="nothing was run: the scores were handed in")
    scored = ScoredEvents(scores=scores, physics=physics, checks=checks)
    return Measurements(scored=scored, model_digest=why, cost=why, firmware=why)


def _measure_open(run: SubmissionRun) -> Measurements:
    """Open division: physics alone, by the participant's own ``score(events)``."""
    why = NotMeasured(not_measured="an entry of the open division is Python, not a network")
    scorer = Scorer.of_open(run.staged, run.challenge.layout)
    scored = score_mixture(run, scorer, has_checks=not run.is_quick)
    measured = Measurements(scored=scored, model_digest=why, cost=why, firmware=why)
    return _with_others(run, measured, scorer)


def _with_others(run: SubmissionRun, measured: Measurements, scorer: Scorer) -> Measurements:
    """Measure what needs the scores that count: processor time, fresh events, varied background."""
    measured = _with_processor(run, measured, scorer)
    return _with_stress(run, _with_fresh(run, measured, scorer), scorer)


def _plan(run: SubmissionRun) -> None:
    """Plan what starts while the plugin is exported: its scoring, its cost, its checks."""
    events, n_events = run.mixture.path, run.mixture.n_events
    planned = run.early.planned
    planned["score"] = partial(start_scoring, run.workspace, "score", [events], n_events=n_events)
    planned["cost"] = partial(start_counting, run.workspace)
    if not run.is_quick:
        planned["checks"] = partial(
            start_scoring, run.workspace, "checks", [], n_later=MAX_VARIANTS, n_events=n_events
        )


def _measure_trigger(run: SubmissionRun) -> Measurements:
    """Trigger division: the exported network's physics, cost and firmware."""
    _plan(run)
    with run.stage("export", run.submission.source) as workspace:
        network = extract_network(
            workspace,
            run.staged,
            run.challenge,
            run.clock.tell,
            run.submission.spec.model,
            early=run.early,
        )
    precision = precision_of(run, network)
    fpga = run.challenge.fpga if run.has_firmware else None
    vendor = None if fpga is None else _read_vendor(run, network, fpga)
    scorer = Scorer.of_network(network, run.challenge.layout, run.early)
    with beside(n_threads=2) as others:
        stoppable = replace(run, workspace=replace(run.workspace, stop=others.stop))
        # What looks at no score is done while the events are scored.
        looking = others.start(
            _look_at_network, stoppable, network, run.early.take("cost"), fpga, precision
        )
        reading = others.start(_read_every, run, others.stop)
        scored = score_mixture(run, scorer, has_checks=not run.is_quick)
        cost, beforehand = _result_of_looking(run, looking, fpga)
        every = reading.result()
    said = (*scored.warnings, *scale_warnings(network.other_scales))
    scored = replace(scored, warnings=said)
    measured = Measurements(
        scored=scored,
        model_digest=network.digest,
        cost=cost,
        firmware=_no_firmware(run),
        precision=as_record(run, precision),
        reconstruction=_reconstruct(run, network),
        every=every,
    )
    if network.has_unrounded:
        measured = with_unrounded(run, run.staged, measured)
    if fpga is not None and beforehand is not None:
        from harness.scoring.with_firmware import with_firmware

        measured = with_firmware(run, network, fpga, measured, vendor, precision, beforehand)
    elif run.is_quick and precision is not None:
        measured = with_rounding(run, network, measured, precision)
    return _with_others(run, measured, scorer)


def _read_vendor(run: SubmissionRun, network: ExportedNetwork, fpga: Target) -> Vendor | None:
    from harness.scoring.with_firmware import read_vendor

    return read_vendor(run, network, fpga)


def _look_at_network(
    run: SubmissionRun,
    network: ExportedNetwork,
    early: EarlyStep | None,
    fpga: Target | None,
    precision: Precision | None,
) -> tuple[Cost, Beforehand | None]:
    """Count the cost of the network; find its firmware, or begin with it."""
    cost = _count_cost(run, network, early)
    if fpga is None:
        return cost, None
    from harness.scoring.with_firmware import find_firmware

    return cost, find_firmware(run, network, fpga, precision)


def _result_of_looking(
    run: SubmissionRun, looking: Future[tuple[Cost, Beforehand | None]], fpga: Target | None
) -> tuple[Cost, Beforehand | None]:
    """Wait for what is done beside the scoring; that may be minutes, which a queue's page shows."""
    if fpga is not None and not looking.done():
        with run.clock.waiting("firmware", "what was begun while the events were scored"):
            wait([looking])
    return looking.result()


def _read_every(run: SubmissionRun, stop: Event) -> Every | None:
    """Read the events for the acceptance, if one of the background can pass."""
    n_background = len(run.mixture.rows_without(run.challenge.signals))
    if run.is_quick or n_background * run.challenge.working_point < 1:
        return None
    return read_every(run.store, run.mixture, stop.is_set)


def _reconstruct(run: SubmissionRun, network: ExportedNetwork) -> Reconstruction | None:
    """Show what an autoencoder of images makes of some of them."""
    if run.is_quick or run.challenge.layout.kind != "image":
        return None
    with run.stage("reconstruction", "input and reconstruction of some images") as workspace:
        return measure_reconstruction(workspace, network, run.store)


def _no_firmware(run: SubmissionRun) -> NotMeasured:
    if run.challenge.fpga is None:
        return NotMeasured(not_measured="the challenge has no FPGA among its targets")
    return NotMeasured(not_measured="left out on request")


def _with_processor(run: SubmissionRun, measured: Measurements, scorer: Scorer) -> Measurements:
    """Measure what one event costs a processor, where one is a target."""
    limits = [stated.limits for stated in run.challenge.targets]
    if run.is_quick or not any(isinstance(one, CpuTarget) for one in limits):
        return measured
    with run.stage("processor", "time of one event by itself") as workspace:
        used = measure_processor(workspace, scorer, run.mixture, measured.scored.scores)
    return replace(measured, processor=used)


def _count_cost(run: SubmissionRun, network: ExportedNetwork, early: EarlyStep | None) -> Cost:
    with run.stage("cost", "FLOPs, bit operations, parameters") as workspace:
        return count_cost(workspace, network.graph, network.weights, early)


def _with_stress(run: SubmissionRun, measured: Measurements, scorer: Scorer) -> Measurements:
    """Score varied background in the arithmetic that counts: the firmware's where there is one."""
    if not run.has_stress and not has_second_simulation(run.store):
        return measured
    what = "background as other detectors would see it" if run.has_stress else "second simulations"
    with run.stage("stress", what) as workspace:
        scores, physics, score_file = _scores_of_files(run, workspace, measured, scorer)
        stress = measure_stress(
            run.store,
            run.mixture,
            physics,
            scores,
            score=score_file,
            folder=workspace.new_folder("varied"),
            is_whole=run.has_stress,
        )
    return replace(measured, stress=stress)


def _with_fresh(run: SubmissionRun, measured: Measurements, scorer: Scorer) -> Measurements:
    """Score fresh events of the signals, where there are any, at the challenge's threshold."""
    if not run.fresh or isinstance(measured.scored.checks, NotMeasured):
        return measured
    with run.stage("fresh", "events that nobody has seen") as workspace:
        _, physics, score_file = _scores_of_files(run, workspace, measured, scorer)
        point = physics.at(run.challenge.working_point)
        if not isinstance(point, WorkingPoint):
            return measured
        folder = workspace.new_folder("fresh")
        check, warnings = compare_fresh(
            run.challenge, run.fresh, point, score=score_file, folder=folder
        )
    scored = replace(
        measured.scored,
        checks=(*measured.scored.checks, check),
        warnings=(*measured.scored.warnings, *warnings),
    )
    return replace(measured, scored=scored)


def _scores_of_files(
    run: SubmissionRun, workspace: Workspace, measured: Measurements, scorer: Scorer
) -> tuple[Scores, Physics, ScoreFile]:
    """Return the scores that count, their physics, and what scores other files alike."""
    scores, physics = measured.that_count
    program = next((path for path in measured.artefacts if path.name == PROGRAM), None)
    if program is not None and physics.arithmetic == "firmware":
        return scores, physics, partial(_score_by_program, workspace, program)
    score_file = partial(_score_by_scorer, workspace, scorer, run.clock.tell)
    return measured.scored.scores, measured.scored.physics, score_file


def _score_by_scorer(
    workspace: Workspace, scorer: Scorer, tell: Callable[[str], None], events: Path, n_events: int
) -> NDArray[np.float64]:
    batch = Batch(events=events, n_events=n_events, at_once=scorer.at_once)
    (scores,), _ = score_batches(workspace, scorer, [batch], "stress", tell)
    return scores


def _score_by_program(
    workspace: Workspace, program: Path, events: Path, n_events: int
) -> NDArray[np.float64]:
    from harness.firmware.interpret import score_by_program

    return read_scores(score_by_program(program, events, workspace), n_events)
