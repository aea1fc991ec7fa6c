"""Bad input of the firmware stage: each kind has its test, named here, and the rest stand here."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import EnvironmentFaultError, ExitCode, IntegrityError
from harness.firmware.backend import FirmwareSettings
from harness.firmware.rtl.closing import Closed
from harness.firmware.rtl.netlist import Netlist
from harness.firmware.rtl.report import notes
from harness.firmware.rtl.simulation import check_timing
from harness.firmware.rtl.synthesis import Mapped, SynthesisReport, examine_netlist
from harness.firmware.rtl.waveform import Waveform
from harness.firmware.translate.translation import TraceReport
from harness.firmware.translate.verilog import PipelineReport, Verilog
from harness.sandbox import open_sandbox
from harness.sandbox.step import Step
from tests.firmware_bench import ask, direct_step, every_pair, make_firmware

TESTS = Path(__file__).parents[2]
# What can be wrong, and the tests in which it is.
TABLE = {
    "unsupported layer, Lambda": "test_an_untranslatable_layer_is_named_with_a_replacement",
    "dynamic shape": "test_an_open_shape_is_refused",
    "precision that overflows": "test_words_that_are_too_short_for_ordinary_events_are_named",
    "over the budget": "test_a_network_over_the_budget_is_a_result_that_says_by_how_much",
    "far too large": "test_a_network_that_is_far_too_large_is_said_so_before_any_synthesis",
    "another interval than promised": "test_another_interval_than_promised_is_an_integrity_error",
    "another interval in a report": "test_the_whole_backend_makes_a_record_of_csynth_evidence",
    "combinational loop": "test_a_mutant_of_the_verilog_is_caught_in_the_netlist",
    "empty netlist": "test_an_empty_or_unmapped_netlist_is_an_integrity_fault",
    "tool missing": "test_missing_tools_name_the_extra",
    "vendor's tool missing": "test_a_missing_tool_is_told_before_any_work",
    "tool killed": "test_the_reason_of_an_end_is_told_apart",
    "time-out": "test_a_synthesis_that_takes_too_long_leaves_estimates_and_the_other_witnesses",
    "disk full": "test_a_disk_that_fills_up_while_building_is_the_environments_fault",
    "report truncated": "test_a_truncated_report_is_refused",
    "report of another version": "test_an_unknown_version_is_refused",
    "report of another design": "test_reports_of_another_network_are_refused",
    "DOCTYPE bomb": "test_a_doctype_is_refused",
    "negative or absurd figures": "test_absurd_figures_are_refused_by_name",
    "undetermined latency": "test_an_undetermined_latency_is_refused",
    "two solutions": "test_two_solutions_are_refused",
    "part unknown": "test_an_unknown_part_or_backend_is_told_before_any_work",
    "clock 0": "test_a_target_that_makes_no_sense_is_told_before_any_work",
    "build folder not writable": "test_a_folder_that_cannot_be_made_is_the_environments_fault",
    "path with spaces": "test_reports_are_shown_as_handed_in_with_their_evidence",
    "two at once": "test_two_syntheses_of_the_same_network_at_once_make_it_once",
    "cache entry corrupted": "test_a_corrupted_entry_is_made_anew",
}


def test_each_kind_of_bad_input_has_its_test():
    sources = [*Path(__file__).parent.rglob("test_*.py"), *TESTS.glob("integration/test_*.py")]
    defined = {
        name for path in sources for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }

    assert set(TABLE.values()) <= defined


def test_words_that_are_too_short_for_ordinary_events_are_named(tmp_path):
    request = ask((tmp_path, tmp_path), None, tmp_path)
    trace = TraceReport(
        input_bits=1,
        output_bits=1,
        n_inputs=1,
        n_operations=1,
        operations={},
        cost_lut=1.0,
        hls4ml="translated",
        layers=(),
    )
    synthesis = SynthesisReport(
        lut=1,
        ff=1,
        dsp=0,
        bram18=0,
        carry8=0,
        cells={},
        logic_ns=1.0,
        wired_ns=1.0,
        path=(),
        n_endpoints=1,
        untimed={},
        unevaluated="",
        tool="pyosys",
        version="",
    )
    verilog = Verilog(report=_pipeline(1), path=tmp_path)
    mapped = Mapped(verilog=verilog, report=synthesis, netlist=tmp_path, agreement=None)
    closed = Closed(mapped=mapped, n_attempts=1)

    shares = {"events>words": 1.0, "hidden.input": 0.3, "mu.input": 0.001}
    every = notes(request, trace, closed, shares)

    named = [note.split(":")[0] for note in every if "for ordinary events" in note]
    assert named == [
        "the network's input overflows in 100 % of the background events",
        "hidden.input overflows in 30 % of the background events",
    ]


def _pipeline(n_stages: int) -> PipelineReport:
    return PipelineReport(
        n_stages=n_stages,
        input_bits=8,
        output_bits=8,
        n_register_bits=8,
        logic_ns=1.0,
        layer_cycles=(),
    )


@pytest.mark.parametrize(
    ("interval", "latency", "said"),
    [(2, 4, "only every 2 cycles"), (1, 3, "3 cycles after"), (1, 5, "5 cycles after")],
)
def test_another_interval_than_promised_is_an_integrity_error(interval, latency, said):
    waveform = Waveform(
        latency_cycles=latency, interval_cycles=interval, scores=np.zeros(1, np.int64)
    )

    with pytest.raises(IntegrityError, match=said) as caught:
        check_timing(waveform, _pipeline(3))

    assert caught.value.exit_code == ExitCode.INTEGRITY


def netlist_of(cells: dict[str, dict[str, object]]) -> Netlist:
    ports = {
        "clk": {"direction": "input", "bits": [2]},
        "model_inp": {"direction": "input", "bits": [3]},
        "model_out": {"direction": "output", "bits": [4]},
    }
    return Netlist.from_json({"modules": {"top": {"ports": ports, "cells": cells}}}, "top")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({}, "holds no cell"),
        (
            {"left": {"type": "$alu", "parameters": {}, "connections": {"A": [3], "Y": [4]}}},
            r"left unmapped: \$alu",
        ),
    ],
)
def test_an_empty_or_unmapped_netlist_is_an_integrity_fault(cells, said):
    with pytest.raises(IntegrityError, match=said):
        examine_netlist(netlist_of(cells), "")


def test_a_disk_that_fills_up_while_building_is_the_environments_fault(tiny, tmp_path):
    """Really: in a sandbox whose scratch folder has room for less than the build needs."""
    sandbox = open_sandbox("bwrap")

    def little_room(step: Step, folder: Path):
        if step.name != "firmware-synthesis":
            return direct_step(step, folder)
        limits = replace(step.limits, scratch_bytes=64 * 1024)
        return sandbox.run(replace(step, limits=limits), folder)

    np.save(tmp_path / "events.npy", every_pair())
    with pytest.raises(EnvironmentFaultError, match="no space left") as caught:
        make_firmware(
            tiny,
            tmp_path / "events.npy",
            tmp_path / "build",
            run_step=little_room,
            cache_root=tmp_path / "cache",
            settings=FirmwareSettings(n_workers=1, n_witness_events=50, has_hls4ml=False),
        )

    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert not list((tmp_path / "cache").glob("*/manifest.json"))


def test_two_syntheses_of_the_same_network_at_once_make_it_once(tiny, tmp_path):
    np.save(tmp_path / "events.npy", every_pair())
    names: list[str] = []

    def run(step: Step, folder: Path):
        names.append(step.name)
        return direct_step(step, folder)

    def make(number: int):
        return make_firmware(
            tiny,
            tmp_path / "events.npy",
            tmp_path / f"build {number}",
            backend="estimate",
            run_step=run,
            cache_root=tmp_path / "cache",
        )

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(make, range(2))

    assert names.count("firmware-trace") == 1
    assert sorted([first.is_cached, second.is_cached]) == [False, True]
    assert first.report == second.report
