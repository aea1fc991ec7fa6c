"""The order of the stages: from a submission's folder to its score card.

The only place that knows what comes after what. Every stage that touches a participant's code or
network is a `Step` in a sandbox; what comes back is read as plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from harness.card import files as cards
from harness.card.records import Cost, Firmware, NotMeasured, Physics, ScoreCard
from harness.challenge import Challenge, Target
from harness.cost.flops import count_cost
from harness.data.cache import cache_root
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.data.mix import write_mixture
from harness.errors import Problem, UsageError, field_problems
from harness.firmware.backend import Settings
from harness.firmware.program_scores import PROGRAM, score_by_program
from harness.firmware.reports.handed_in import REPORTS, read_reports, with_witnesses
from harness.firmware.synthesise import export_project, synthesise
from harness.sandbox import open_sandbox, scratch_folder
from harness.sandbox.scores import read_scores
from harness.sandbox.step import GIB, Limits, RunStep, Step, Usage
from harness.scoring.assembly import QUICK_EVENTS, Figures, Run, assemble_card
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.integrity import Batch
from harness.scoring.scorer import (
    Bench,
    ScoredEvents,
    Scorer,
    score_batches,
    score_events,
    secret_generator,
)
from harness.scoring.stages import StageClock
from harness.scoring.stress import measure_stress
from harness.submission.inference import CHUNK_EVENTS, OPEN_CHUNK_EVENTS
from harness.submission.layers import MAX_GRAPH_BYTES, MAX_WEIGHTS_BYTES
from harness.submission.network import model_digest
from harness.submission.spec import read_submission

# Every witness of the firmware sees the top hundredth of the background, and of each signal this
# many events.
_WITNESS_TAIL = 100
_WITNESSES_OF_SIGNAL = 1_000
_BYTES_PER_SCORE = 8
_EXPORT_LIMITS = Limits(wall_s=300.0, memory_bytes=6 * GIB)
# Seconds that the integrity checks may take beside the start of their process.
_CHECK_SECONDS = 3.0
# Backends that can go on to place and route.
_IMPLEMENTING = ("vitis", "vivado")
_SCORE_LIMITS = Limits(wall_s=1800.0, cpu_s=7200.0, memory_bytes=8 * GIB)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A card, and where it was written; None for a quick run, which is not kept."""

    card: ScoreCard
    path: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedNetwork:
    """An exported network and its digest."""

    graph: Path
    weights: Path
    digest: str


def score_submission(
    folder: Path,
    *,
    challenge: str = "sample",
    manifests: Sequence[Path] = (),
    results: Path = Path("results"),
    cache: Path | None = None,
    is_quick: bool = False,
    has_firmware: bool = True,
    reports: Path | None = None,
    settings: Settings | None = None,
    has_stress: bool = False,
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
    reports : Path, optional
        A vendor's reports of this network: its timing and resources in place of those made here.
    settings : Settings, optional
        Limits of time, memory and size of the firmware.
    has_stress : bool
        Whether to measure how stable the rate is on varied background.
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
    if not is_quick:
        cards.check_results(results, 0)
    root = cache_root(cache)
    root.mkdir(parents=True, exist_ok=True)
    extent = "quick" if is_quick else "firmware" if has_firmware else "no-firmware"
    kind = f"{challenge} {submission.spec.division} {extent}"
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
        if not is_quick:
            # Scores of two arithmetics, of which compression saves little.
            cards.check_results(results, 2 * _BYTES_PER_SCORE * mixture.n_events)
        sandbox = open_sandbox(isolation)
        run = Run(
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
            reports=reports,
            settings=settings,
            has_stress=has_stress,
        )
        is_open = submission.spec.division == "open"
        figures = _measure_open(run) if is_open else _measure_trigger(run)
        card, packed = assemble_card(run, figures)
        path = None
        if not is_quick:
            path = cards.write_card(card, results, scores=packed, artefacts=figures.artefacts)
    clock.keep()
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
    reports: str | PathLike[str] | None = None,
    settings: Settings | None = None,
    has_stress: bool = False,
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
        reports=None if reports is None else Path(reports),
        settings=settings,
        has_stress=has_stress,
        isolation=isolation,
        progress=progress,
    )
    return outcome.card


def synthesise_submission(
    folder: Path,
    *,
    challenge: str = "sample",
    manifests: Sequence[Path] = (),
    cache: Path | None = None,
    backend: str = "rtl",
    part: str | None = None,
    clock_period_ns: float | None = None,
    export_folder: Path | None = None,
    has_implementation: bool = False,
    reports: Path | None = None,
    settings: Settings | None = None,
    isolation: Literal["bwrap", "none"] = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> Firmware | NotMeasured:
    """Make the firmware of the submission in `folder`, alone: no event is scored for a card.

    Parameters
    ----------
    backend : str
        ``rtl``, ``estimate``, ``vitis`` or ``vivado``.
    part : str, optional
        In place of the challenge's.
    clock_period_ns : float, optional
        In place of the challenge's.
    export_folder : Path, optional
        Where the firmware project is laid out.
    has_implementation : bool
        Whether ``vitis`` or ``vivado`` goes on to place and route.
    reports : Path, optional
        A vendor's reports of this network: they are read, and nothing is synthesised.
    settings : Settings, optional
        Limits of time, memory and size.

    Other parameters are those of `score_submission`.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was.
    """
    submission = read_submission(folder)
    if submission.spec.division == "open":
        raise UsageError("an entry of the open division is Python: it has no firmware")
    if has_implementation and backend not in _IMPLEMENTING:
        raise UsageError(
            Problem(
                what=f"backend {backend} does not place and route",
                where="--impl",
                expected=" or ".join(f"--backend {name}" for name in _IMPLEMENTING),
                fix="leave --impl out, or name one of these",
            )
        )
    rules = load_manifest(*manifests).challenge(challenge)
    target = _target(rules.target, part, clock_period_ns)
    sandbox = open_sandbox(isolation)
    with scratch_folder() as scratch:
        staged = submission.stage(_new_folder(scratch / "submission"))
        network, _ = export_network(sandbox.run, staged, rules, _new_folder(scratch / "export"))
        if reports is not None:
            return _read_reports(
                reports, target, network, sandbox.run, _new_folder(scratch / "reports")
            )
        store = open_store(rules, cache_root(cache))
        mixture = write_mixture(
            store, rules, scratch / "events.npy", generator=secret_generator(), limit=QUICK_EVENTS
        )
        made = synthesise(
            network.graph,
            network.weights,
            target=target,
            backend=backend,
            events=mixture.path,
            run_step=sandbox.run,
            folder=_new_folder(scratch / "firmware"),
            cache_root=store.root / "firmware",
            precision=submission.spec.precision,
            settings=settings,
            has_implementation=has_implementation,
            progress=progress,
        )
        if export_folder is not None:
            export_project(made, export_folder)
        return made.report


def _target(target: Target, part: str | None, clock_period_ns: float | None) -> Target:
    """Change a challenge's target by what was asked for on the command line."""
    changes = {"part": part, "clock_period_ns": clock_period_ns}
    stated = {name: value for name, value in changes.items() if value is not None}
    try:
        return Target.model_validate(target.model_dump() | stated)
    except ValidationError as error:
        raise UsageError(*field_problems(error, "target (--part, --clock)")) from error


def _measure_open(run: Run) -> Figures:
    """Open division: physics alone, by the participant's own ``score(events)``."""
    why = NotMeasured(not_measured="an entry of the open division is Python, not a network")
    scorer = Scorer(
        function="score_open", inputs={"submission": run.staged}, at_once=OPEN_CHUNK_EVENTS
    )
    scored = score_events(run.bench, scorer, has_checks=not run.is_quick)
    figures = Figures(scored=scored, model_digest=why, cost=why, firmware=why)
    return _with_stress(run, figures, scorer)


def _measure_trigger(run: Run) -> Figures:
    """Trigger division: the exported network's physics, cost and firmware."""
    network = _export(run)
    handed_in = _handed_in(run, network) if run.has_firmware else None
    inputs = {"graph": network.graph, "weights": network.weights}
    scorer = Scorer(function="score_network", inputs=inputs, at_once=CHUNK_EVENTS)
    # The cost looks at no event, so it is counted while the events are scored.
    with ThreadPoolExecutor(max_workers=1) as pool:
        counting = pool.submit(_count_cost, run, network)
        scored = score_events(run.bench, scorer, has_checks=not run.is_quick)
        cost = counting.result()
    figures = Figures(
        scored=scored,
        model_digest=network.digest,
        cost=cost,
        firmware=NotMeasured(not_measured="left out on request"),
    )
    if run.has_firmware:
        figures = _with_firmware(run, network, figures, handed_in)
    return _with_stress(run, figures, scorer)


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedIn:
    """What a vendor's reports say, and the reports, packed."""

    firmware: Firmware
    kept: Path


def _handed_in(run: Run, network: ExportedNetwork) -> HandedIn | None:
    """Read the vendor's reports, if there are any, before anything that takes long."""
    if run.reports is None:
        return None
    bench = run.bench
    kept = bench.new_folder("handed-in") / REPORTS
    with bench.clock.stage("reports", "read the reports that were handed in"):
        firmware = _read_reports(
            run.reports,
            bench.challenge.target,
            network,
            bench.run_step,
            bench.new_folder("reports"),
            kept,
        )
    return HandedIn(firmware=firmware, kept=kept)


def _with_firmware(
    run: Run, network: ExportedNetwork, figures: Figures, handed_in: HandedIn | None
) -> Figures:
    """Make the firmware, and evaluate the scores that it computes of the same events."""
    bench = run.bench
    with bench.clock.stage("firmware", "translate, simulate and synthesise") as steps:
        made = synthesise(
            network.graph,
            network.weights,
            target=bench.challenge.target,
            events=bench.mixture.path,
            run_step=bench.run_step,
            folder=bench.new_folder("firmware"),
            cache_root=run.store.root / "firmware",
            precision=run.submission.spec.precision,
            must_include=_witness_rows(bench, figures.scored),
            settings=run.settings,
            progress=bench.clock.tell,
        )
        steps.extend(made.usage)
    report, artefacts = made.report, made.artefacts
    if handed_in is not None and isinstance(report, Firmware):
        report = with_witnesses(handed_in.firmware, report)
        artefacts = (*artefacts, handed_in.kept)
    figures = replace(figures, firmware=report, artefacts=artefacts)
    if made.scores is None:
        return figures
    scores = bench.mixture.separate(read_scores(made.scores, bench.mixture.n_events))
    with bench.clock.stage("firmware-metrics", "AUC and TPR of the firmware's scores"):
        physics = evaluate_scores(bench.challenge, scores, bench.mixture.hashes, "firmware")
    return replace(figures, firmware_scores=scores, firmware_physics=physics)


def _read_reports(
    folder: Path,
    target: Target,
    network: ExportedNetwork,
    run_step: RunStep,
    work: Path,
    kept: Path | None = None,
) -> Firmware:
    return read_reports(
        folder,
        target=target,
        graph=network.graph,
        weights=network.weights,
        run_step=run_step,
        work=work,
        kept=kept,
    )


def _with_stress(run: Run, figures: Figures, scorer: Scorer) -> Figures:
    """Score varied background in the arithmetic that counts: the firmware's where there is one."""
    if not run.has_stress:
        return figures
    bench = run.bench
    program = next((path for path in figures.artefacts if path.name == PROGRAM), None)
    usages: list[Usage] = []

    def by_network(events: Path, n_events: int) -> NDArray[np.float64]:
        batch = Batch(events=events, n_events=n_events, at_once=scorer.at_once)
        (scores,), result = score_batches(bench, scorer, [batch], "stress")
        usages.append(result.usage)
        return scores

    def by_firmware(events: Path, n_events: int) -> NDArray[np.float64]:
        assert program is not None
        folder = bench.new_folder("stress")
        scores, usage = score_by_program(program, events, run_step=bench.run_step, folder=folder)
        usages.append(usage)
        return read_scores(scores, n_events)

    has_program = program is not None and isinstance(figures.firmware_physics, Physics)
    nominal = figures.firmware_physics if has_program else figures.scored.physics
    assert isinstance(nominal, Physics)
    with bench.clock.stage("stress", "background as other detectors would see it") as steps:
        stress = measure_stress(
            run.store,
            bench.mixture,
            nominal,
            figures.firmware_scores if has_program else figures.scored.scores,
            score=by_firmware if has_program else by_network,
            folder=bench.new_folder("varied"),
        )
        steps.extend(usages)
    return replace(figures, stress=stress)


def _witness_rows(bench: Bench, scored: ScoredEvents) -> NDArray[np.int64]:
    """Return the events that all witnesses of the firmware's scores must see.

    They are the background of the highest scores, which sets the threshold, and some of each
    signal.
    """
    chosen = []
    for process, rows in bench.mixture.rows.items():
        if process in bench.challenge.signals:
            chosen.append(rows[:_WITNESSES_OF_SIGNAL])
            continue
        n_top = max(1, len(rows) // _WITNESS_TAIL)
        chosen.append(rows[np.argpartition(scored.scores[process], -n_top)[-n_top:]])
    return np.sort(np.concatenate(chosen))


def _count_cost(run: Run, network: ExportedNetwork) -> Cost:
    with run.bench.clock.stage("cost", "FLOPs, bit operations, parameters"):
        return count_cost(
            network.graph,
            network.weights,
            run_step=run.sandbox.run,
            folder=run.bench.new_folder("cost"),
        )


def _export(run: Run) -> ExportedNetwork:
    """Sandbox A: the plugin becomes a graph and weights; no event is there."""
    bench = run.bench
    with bench.clock.stage("export", "network() of model.py") as steps:
        network, usage = export_network(
            bench.run_step, run.staged, bench.challenge, bench.new_folder("export")
        )
        steps.append(usage)
    return network


def export_network(
    run_step: RunStep, staged: Path, challenge: Challenge, folder: Path
) -> tuple[ExportedNetwork, Usage]:
    """Sandbox A: turn the plugin of a staged submission into a graph and weights.

    Parameters
    ----------
    folder : Path
        Exists and is empty: receives graph and weights.

    Raises
    ------
    HarnessError
        The step failed; see `harness.sandbox.step.RunStep`.
    """
    step = Step(
        name="export",
        entry="harness.submission.export:export_submission",
        request={"event_shape": list(challenge.layout.shape)},
        inputs={"submission": staged},
        outputs={"graph": MAX_GRAPH_BYTES, "weights": MAX_WEIGHTS_BYTES},
        limits=_EXPORT_LIMITS,
    )
    result = run_step(step, folder)
    graph, weights = result.outputs["graph"], result.outputs["weights"]
    network = ExportedNetwork(graph=graph, weights=weights, digest=model_digest(graph, weights))
    return network, result.usage


def _new_folder(path: Path) -> Path:
    path.mkdir()
    return path
