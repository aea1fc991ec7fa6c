"""The firmware of a submission, alone: ``harness synth``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.card.figures import NotMeasured
from harness.card.hardware import Firmware
from harness.card.physics import Physics
from harness.card.run import IsolationKind
from harness.challenge import Challenge, Target
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.data.mix import Mixture
from harness.errors import UsageError, field_problems
from harness.firmware.artefacts import export_project
from harness.firmware.backend import FirmwareRequest, FirmwareSettings
from harness.firmware.registry import check_backend
from harness.firmware.reports.record import read_reports
from harness.firmware.synthesise import synthesise
from harness.firmware.witnesses.graph import score_quantised
from harness.sandbox import open_tried_workspace
from harness.sandbox.scores import read_scores
from harness.scoring.chosen import chosen_challenges
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.pipeline import mix_events
from harness.scoring.rounding import find_precision, training_part
from harness.scoring.scorer import extract_network
from harness.submission.validate import Submission, read_submission


@dataclass(frozen=True, kw_only=True, slots=True)
class Synthesis:
    """The firmware of a submission, and what it is worth on a part of the events.

    Attributes
    ----------
    firmware : Firmware or NotMeasured
        Its timing, resources and verdicts.
    physics : Physics or NotMeasured
        Of the scores that the firmware gives; NotMeasured where the backend computes none.
    """

    firmware: Firmware | NotMeasured
    physics: Physics | NotMeasured


_NO_SCORES = NotMeasured(not_measured="no event was scored by this firmware")


def synthesise_submission(
    folder: Path,
    *,
    challenge: str | None = None,
    manifests: Sequence[Path] = (),
    cache: Path | None = None,
    backend: str = "rtl",
    part: str | None = None,
    clock_period_ns: float | None = None,
    export_folder: Path | None = None,
    has_implementation: bool = False,
    reports: Path | None = None,
    settings: FirmwareSettings | None = None,
    isolation: IsolationKind = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> Synthesis:
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
    settings : FirmwareSettings, optional
        Limits of time, memory and size.

    Other parameters are those of `harness.scoring.pipeline.score`.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was.
    """
    submission = read_submission(folder, progress)
    _refuse_without_network(submission)
    check_backend(backend, has_implementation=has_implementation, settings=settings)
    rules = chosen_challenges(submission.spec, load_manifest(*manifests), challenge)[0]
    target = _target(fpga_of(rules), part, clock_period_ns)
    with open_tried_workspace(isolation, cache_root(cache)) as workspace:
        staged = submission.stage(workspace.new_folder("submission"))
        network = extract_network(workspace, staged, rules, progress, submission.spec.model)
        if reports is not None:
            firmware = read_reports(
                reports, target=target, graph=network.graph, weights=network.weights,
                workspace=workspace,
            )  # fmt: skip
            return Synthesis(firmware=firmware, physics=_NO_SCORES)
        store, mixture = mix_events(rules, cache_root(cache), workspace.folder, is_quick=True)
        precision = find_precision(
            submission, network, rules, lambda: training_part(store, rules), workspace, progress
        )
        request = FirmwareRequest(
            graph=network.graph, weights=network.weights, target=target, events=mixture.path,
            workspace=workspace, precision=precision, choices=submission.spec.firmware,
            background=mixture.rows_without(rules.signals),
            settings=settings or FirmwareSettings(),
            has_implementation=has_implementation, progress=progress,
        )  # fmt: skip
        made = synthesise(request, backend=backend, cache_root=store.root / "firmware")
        if export_folder is not None and isinstance(made.report, Firmware):
            export_project(made.artefacts, export_folder)
        scores = made.scores
        if scores is None and isinstance(made.report, Firmware):
            # Too large to be translated: Keras gives the scores of the quantised network.
            scores = score_quantised(request)
        physics = _physics(rules, mixture, scores)
        return Synthesis(firmware=made.report, physics=physics)


def _physics(rules: Challenge, mixture: Mixture, scores: Path | None) -> Physics | NotMeasured:
    """Evaluate the scores that the firmware gives, if it gives any."""
    if scores is None:
        return _NO_SCORES
    by_process = mixture.separate(read_scores(scores, mixture.n_events))
    return evaluate_scores(rules, by_process, mixture.hashes, "firmware", mixture.beside)


def fpga_of(rules: Challenge) -> Target:
    """Return the FPGA of a challenge.

    Raises
    ------
    UsageError
        It has none.
    """
    if rules.fpga is None:
        raise UsageError(
            f"{rules.name} has no FPGA among its targets",
            expected="a challenge with a target of the kind fpga",
            fix="name another one: --challenge NAME",
        )
    return rules.fpga


def _refuse_without_network(submission: Submission) -> None:
    if submission.spec.division == "open":
        raise UsageError("an entry of the open division is Python: it has no firmware")
    if submission.spec.division == "declared":
        raise UsageError("a declared entry is scores alone: it has no firmware")


def _target(target: Target, part: str | None, clock_period_ns: float | None) -> Target:
    """Change a challenge's target by what was asked for on the command line."""
    changes = {"part": part, "clock_period_ns": clock_period_ns}
    stated = {name: value for name, value in changes.items() if value is not None}
    # What the challenge states of its own part is not true of another one.
    kept = target.model_dump(exclude=None if part is None else {"totals"})
    try:
        return Target.model_validate(kept | stated)
    except ValidationError as error:
        raise UsageError(*field_problems(error, "target (--part, --clock)")) from error
