"""The firmware of a network within a scoring: found or made, and its scores of the same events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.card.hardware import Firmware
from harness.challenge import Target
from harness.errors import HarnessError
from harness.firmware.artefacts import HLS4ML_PROJECT
from harness.firmware.backend import Backend, FirmwareRequest, FirmwareResult, FirmwareSettings
from harness.firmware.reports.record import REPORTS, read_reports, with_witnesses
from harness.firmware.synthesise import find_made, synthesise
from harness.sandbox import Workspace
from harness.sandbox.scores import read_scores
from harness.scoring.assembly import Measurements, SubmissionRun
from harness.scoring.early import has_room
from harness.scoring.evaluation import compare_arithmetics, evaluate_scores
from harness.scoring.measure import ScoredEvents
from harness.scoring.rounding import with_rounding
from harness.scoring.scorer import ExportedNetwork
from harness.submission.declaration import Precision

if TYPE_CHECKING:
    from harness.firmware.rtl.build import Begun
    from harness.firmware.translate.translation import Untranslated

# Every witness of the firmware sees the top hundredth of the background, and of each signal this
# many events.
_WITNESS_TAIL = 100
_WITNESSES_OF_SIGNAL = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Vendor:
    """What a vendor's reports say, and the reports, packed."""

    firmware: Firmware
    reports: Path
    folder: Path


def read_vendor(run: SubmissionRun, network: ExportedNetwork, fpga: Target) -> Vendor | None:
    """Read the vendor's reports, if there are any, before anything that takes long."""
    if run.reports is None:
        return None
    with run.stage("reports", "read the reports that were handed in") as workspace:
        kept = workspace.new_folder("kept") / REPORTS
        firmware = read_reports(
            run.reports,
            target=fpga,
            graph=network.graph,
            weights=network.weights,
            workspace=workspace,
            kept=kept,
        )
    return Vendor(firmware=firmware, reports=kept, folder=run.reports)


@dataclass(frozen=True, kw_only=True, slots=True)
class Beforehand:
    """What there is of the firmware before there are scores.

    Attributes
    ----------
    made : FirmwareResult or None
        The firmware with its scores of the events, if it was made before.
    begun : Begun or Untranslated, optional
        Else what the backend ``rtl`` makes first.
    """

    made: FirmwareResult | None = None
    begun: Begun | Untranslated | None = None

    @property
    def build(self) -> Backend | None:
        """The backend that goes on from there."""
        if self.begun is None:
            return None
        from harness.firmware.rtl.build import build_rtl

        return partial(build_rtl, begun=self.begun)


def find_firmware(
    run: SubmissionRun, network: ExportedNetwork, fpga: Target, precision: Precision | None
) -> Beforehand:
    """Find the firmware if it was made before; else begin with what depends on no score.

    That only saves time: what fails now, or would while the machine is short of memory, is done at
    its turn.
    """
    with run.stage("firmware", "look whether it was made before", is_part=True) as workspace:
        request = _firmware_request(run, network, fpga, precision, workspace)
        made = find_made(request, backend=run.backend, cache_root=_firmware_cache(run))
        if made is not None:
            run.clock.settle("firmware")
            return Beforehand(made=made)
        # Its steps work: each may take all that it is allowed, beside the one that scores.
        if run.backend != "rtl" or not has_room(request.settings.memory_bytes):
            return Beforehand()
        from harness.firmware.rtl.build import begin

        try:
            return Beforehand(begun=begin(request))
        except HarnessError:
            # It is raised again at its turn, after the scoring had its say.
            return Beforehand()


def with_firmware(
    run: SubmissionRun,
    network: ExportedNetwork,
    fpga: Target,
    measured: Measurements,
    vendor: Vendor | None,
    precision: Precision | None,
    beforehand: Beforehand,
) -> Measurements:
    """Make the firmware, and evaluate the scores that it computes of the same events."""
    is_rounded, made = precision is not None, beforehand.made
    if made is None:
        with run.stage("firmware", "translate, simulate and synthesise") as workspace:
            request = replace(
                _firmware_request(run, network, fpga, precision, workspace),
                must_include=_witness_rows(run, measured.scored),
                network_scores=None if is_rounded else run.mixture.join(measured.scored.scores),
            )
            made = synthesise(
                request,
                backend=run.backend,
                cache_root=_firmware_cache(run),
                build=beforehand.build,
            )
    report, artefacts = made.report, made.artefacts
    if vendor is not None and isinstance(report, Firmware):
        with run.stage("firmware", "compare it with the reports") as workspace:
            kept = (path for path in artefacts if path.name == HLS4ML_PROJECT)
            report = with_witnesses(
                vendor.firmware,
                report,
                folder=vendor.folder,
                project=next(kept, None),
                workspace=workspace,
            )
            artefacts = (*artefacts, vendor.reports)
    measured = replace(measured, firmware=report, artefacts=artefacts)
    if made.scores is None:
        if precision is not None and isinstance(report, Firmware):
            # Too large to be translated: at fixed widths Keras gives the scores.
            return with_rounding(run, network, measured, precision)
        return measured
    scores = run.mixture.separate(read_scores(made.scores, run.mixture.n_events))
    with run.stage("firmware-metrics", "AUC and TPR of the firmware's scores"):
        physics = evaluate_scores(
            run.challenge, scores, run.mixture.hashes, "firmware", run.mixture.beside
        )
    compared = compare_arithmetics(
        run.challenge, measured.scored.scores, scores, is_rounded=is_rounded
    )
    return replace(measured, firmware_scores=scores, firmware_physics=physics, compared=compared)


def _firmware_request(
    run: SubmissionRun,
    network: ExportedNetwork,
    fpga: Target,
    precision: Precision | None,
    workspace: Workspace,
) -> FirmwareRequest:
    """Return what is asked of the firmware, but for the events that its witnesses must see."""
    return FirmwareRequest(
        graph=network.graph,
        weights=network.weights,
        target=fpga,
        events=run.mixture.path,
        workspace=workspace,
        precision=precision,
        choices=run.submission.spec.firmware,
        background=run.mixture.rows_without(run.challenge.signals),
        settings=run.settings or FirmwareSettings(),
        has_implementation=run.has_implementation,
        progress=run.clock.tell,
    )


def _firmware_cache(run: SubmissionRun) -> Path:
    return run.store.root / "firmware"


def _witness_rows(run: SubmissionRun, scored: ScoredEvents) -> NDArray[np.int64]:
    """Return the events that all witnesses of the firmware's scores must see.

    They are the background of the highest scores, which sets the threshold, and some of each
    signal.
    """
    chosen = []
    for process, rows in run.mixture.rows.items():
        if process in run.challenge.signals:
            chosen.append(rows[:_WITNESSES_OF_SIGNAL])
            continue
        n_top = max(1, len(rows) // _WITNESS_TAIL)
        chosen.append(rows[np.argpartition(scored.scores[process], -n_top)[-n_top:]])
    return np.sort(np.concatenate(chosen))
