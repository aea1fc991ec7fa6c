"""Vendor's reports as the record of a network's firmware, and those that a participant hands in.

What C synthesis estimates is evidence ``csynth``; resources after logic synthesis are
``post_synth``; resources and clock after routing are ``post_route``. What is handed in is marked
so: whether it counts is the organiser's policy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.card.figures import NotMeasured
from harness.card.files import describe_file
from harness.card.hardware import Figure, Firmware
from harness.challenge import Evidence, PartTotals, Target
from harness.firmware.artefacts import compress, pack
from harness.firmware.parts import is_known, part_of
from harness.firmware.record import RESOURCES, Measured, Timing, make_record, resource_figures
from harness.firmware.reports.design import CODE, PORTS, check_code, check_ports
from harness.firmware.reports.folder import CONFIG, VendorReports, find_reports
from harness.firmware.reports.source import Source
from harness.firmware.reports.weights import compare_models
from harness.sandbox.workspace import Workspace
from harness.submission.graph import parse_graph

_AFTER: Mapping[Evidence, str] = {"post_synth": "logic synthesis", "post_route": "routing"}
# Name of the packed reports among the artefacts.
REPORTS = "handed_in_reports.tar.zst"


def read_reports(
    folder: Path,
    *,
    target: Target,
    graph: Path | None = None,
    weights: Path | None = None,
    workspace: Workspace | None = None,
    kept: Path | None = None,
) -> Firmware:
    """Read the reports that a participant hands in into the firmware's record.

    Parameters
    ----------
    folder : Path
        csynth.xml or csynth.rpt; utilisation and timing after routing, if the design was routed;
        hls4ml_config.yml and the Keras model, if hls4ml made the project.
    target : Target
        The challenge's.
    graph, weights : Path, optional
        The exported network, which the Keras model is compared with.
    workspace : Workspace, optional
        Needed to read the Keras model, as that is done in a sandbox.
    kept : Path, optional
        File that the reports are packed into; it becomes an artefact of the record.

    Raises
    ------
    InvalidSubmissionError
        A report is damaged, of another design, part or version, or there are two solutions.
    """
    reports = find_reports(folder)
    target, said = _with_totals(target, reports)
    notes = [*said, *_check_design(reports, target)]
    unchecked = [CODE]
    n_inputs = math.prod(parse_graph(graph.read_text()).input_shape) if graph is not None else None
    if n_inputs is None or not check_ports(reports.csynth, n_inputs):
        unchecked.insert(0, PORTS)
    if graph is not None and weights is not None and workspace is not None:
        notes.append(compare_models(reports.model, graph, weights, workspace))
    else:
        notes.append("the reports were not compared with the submission's network")
    record = record_reports(reports, target, backend="vendor", is_handed_in=True, notes=notes)
    record = record.model_copy(update={"unchecked": tuple(unchecked)})
    if kept is None:
        return record
    archive = kept.with_suffix("")
    pack(
        archive, ((path, f"handed_in/{path.relative_to(reports.folder)}") for path in reports.files)
    )
    compress(archive, kept)
    return record.model_copy(update={"artefacts": (describe_file(kept),)})


def _with_totals(target: Target, reports: VendorReports) -> tuple[Target, tuple[str, ...]]:
    """Take the totals of a part that is not known from the reports, and say so."""
    if target.totals is not None or is_known(target.part):
        return target, ()
    held = (reports.utilisation or reports.csynth).available
    if not all(held.get(name) for name in ("lut", "ff")):
        raise Source("reports").refusal(f"they do not say how much {target.part} holds")
    is_7series = re.match(r"xc7|xa7|xq7", target.part.lower()) is not None
    totals = PartTotals(
        family="7series" if is_7series else "ultrascale+",
        **{name: held.get(name, 0) for name in RESOURCES},
    )
    note = f"what {target.part} holds is taken from the reports: the part is not known here"
    return target.model_copy(update={"totals": totals}), (note,)


def _check_design(reports: VendorReports, target: Target) -> Iterator[str]:
    """Compare parts and clocks with the target's; yield what there is to note."""
    wanted, csynth = part_of(target), reports.csynth
    parts = {"csynth": csynth.part}
    if reports.utilisation:
        parts["utilisation"] = reports.utilisation.header.part
    if reports.timing:
        parts["timing"] = reports.timing.header.part
    for name, part in parts.items():
        if not part.startswith(wanted.device):
            raise Source("reports").refusal(
                f"the {name} report is for {part}",
                f"the challenge's part, {wanted.part}",
                "build for that part",
            )
    if reports.config_part and not reports.config_part.lower().startswith(wanted.device):
        raise Source(CONFIG).refusal(f"it is for {reports.config_part}", wanted.part)
    if csynth.clock_target_ns > target.clock_period_ns:
        yield (
            f"synthesised for a clock of {csynth.clock_target_ns:g} ns; the challenge's is "
            f"{target.clock_period_ns:g} ns"
        )


def record_reports(
    reports: VendorReports,
    target: Target,
    *,
    backend: str,
    is_handed_in: bool,
    notes: Sequence[str],
) -> Firmware:
    """Put a vendor's figures into the firmware's record; the worst latency and interval."""
    csynth, design = reports.csynth, reports.utilisation
    tool = f"{'Vivado' if csynth.version.startswith('2019') else 'Vitis'} HLS {csynth.version}"
    record = make_record(
        target,
        Timing(
            latency_cycles=Figure(
                value=csynth.latency_cycles, evidence="csynth", source=f"{tool}, worst latency"
            ),
            interval_cycles=Figure(
                value=csynth.interval_cycles, evidence="csynth", source=f"{tool}, worst interval"
            ),
            clock_period_ns=_period(reports, tool),
            source="worst latency in cycles, times the clock period",
            crossing_ns=_crossing(reports, tool) if csynth.latency_cycles == 0 else None,
        ),
        _resources(reports, tool),
        backend=backend,
        is_handed_in=is_handed_in,
        input_bits=NotMeasured(not_measured="not in the reports"),
        output_bits=NotMeasured(not_measured="not in the reports"),
        notes=tuple(notes),
    )
    return record.model_copy(update={"other_cells": {"carry8": design.carry8} if design else {}})


def _resources(reports: VendorReports, tool: str) -> dict[str, Measured]:
    design = reports.utilisation
    if design:
        evidence = design.header.evidence
        source = f"Vivado {design.header.version}, utilisation after {_AFTER[evidence]}"
        return resource_figures(design.used, evidence, source)
    return resource_figures(reports.csynth.used, "csynth", f"{tool} estimate")


def _period(reports: VendorReports, tool: str) -> Figure:
    """Return the clock period that the design keeps: of the routed design, else as estimated."""
    csynth, timing = reports.csynth, reports.timing
    if timing:
        return Figure(
            value=max(timing.clock_period_ns, timing.achieved_period_ns),
            evidence="post_route",
            source=f"Vivado {timing.header.version}: clock of {timing.clock_period_ns:g} ns, "
            f"worst slack {timing.worst_slack_ns:g} ns",
        )
    return Figure(
        value=max(csynth.clock_target_ns, csynth.clock_estimated_ns),
        evidence="csynth",
        source=f"{tool}: target {csynth.clock_target_ns:g} ns, estimated "
        f"{csynth.clock_estimated_ns:g} ns, uncertainty {csynth.clock_uncertainty_ns:g} ns",
    )


def _crossing(reports: VendorReports, tool: str) -> Figure:
    """Return how long the logic of a design without a register takes: its slowest path."""
    said = "0 cycles: one crossing of the logic, as long as its slowest path"
    if reports.timing:
        source = f"{said} in Vivado {reports.timing.header.version}"
        value = reports.timing.achieved_period_ns
        return Figure(value=value, evidence="post_route", source=source)
    value = reports.csynth.clock_estimated_ns
    return Figure(value=value, evidence="csynth", source=f"{said} as {tool} estimates it")


def with_witnesses(
    handed_in: Firmware, made: Firmware, *, folder: Path, project: Path | None, workspace: Workspace
) -> Firmware:
    """Add what was found here of the same network: its words, and who agrees on its scores.

    Timing, resources and verdicts stay the vendor's; a note names those of the netlist that was
    made here.

    Parameters
    ----------
    folder : Path
        That of the reports, where hls4ml's C++ may lie too.
    project : Path or None
        hls4ml's project as it was made here and is kept; None where hls4ml could not make it.
    workspace : Workspace
        Compares the two in a sandbox.

    Raises
    ------
    InvalidSubmissionError
        The C++ beside the reports is that of another network, or of other words.
    """
    sources = find_reports(folder).sources
    is_same = project is not None and check_code(sources, project, workspace)
    unchecked = tuple(one for one in handed_in.unchecked or () if one != CODE or not is_same)
    figures = ", ".join(
        f"{figure.value:g} {unit}"
        for figure, unit in (
            (made.latency_cycles, "cycles"),
            (made.clock_period_ns, "ns clock"),
            (made.lut, "LUT"),
            (made.ff, "FF"),
            (made.dsp, "DSP"),
        )
        if isinstance(figure, Figure)
    )
    return handed_in.model_copy(
        update={
            "input_bits": made.input_bits,
            "output_bits": made.output_bits,
            "score_word": made.score_word,
            "overflow": made.overflow,
            "agreements": made.agreements,
            "artefacts": (*made.artefacts, *handed_in.artefacts),
            "unchecked": unchecked,
            "notes": (
                *handed_in.notes,
                "the scores were computed here; no witness ran the vendor's netlist",
                f"backend {made.backend} made of the same network, by another flow: {figures}",
            ),
        }
    )
