"""Latency, interval and scores are read off the output port, and wrong ones are seen."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.errors import EnvironmentFaultError
from harness.firmware.rtl import verilator
from harness.firmware.rtl.verilator import verilator_version
from harness.firmware.rtl.waveform import (
    SimulationError,
    measure_waveform,
    port_values,
    write_waveform,
)

HOLD, WIDTH = 20, 8
RNG = np.random.default_rng(2)


def stream(n_events: int = 50) -> np.ndarray:
    scores = RNG.integers(-100, 100, n_events)
    scores[0], scores[1] = 5, 6
    return scores


def trace(scores: np.ndarray, delay: int, *, interval: int = 1) -> np.ndarray:
    """Return the port after each edge: garbage, the held score, then the stream."""
    taken = np.repeat(scores[1::interval], interval)[: len(scores) - 1]
    settled = [scores[0]] * (HOLD + delay - 3)
    port = np.concatenate([[77, 78, 79], settled, taken, [scores[-1]] * (HOLD - delay)])
    return (port.astype(np.int64) & 0xFF).astype(np.uint64)


@pytest.mark.parametrize("delay", [0, 1, 9])
def test_latency_counts_the_edges_from_the_first_new_input_to_the_first_new_output(delay):
    scores = stream()

    seen = measure_waveform(trace(scores, delay), scores, HOLD, WIDTH, is_signed=True)

    assert seen.latency_cycles == delay + 1
    assert seen.interval_cycles == 1
    np.testing.assert_array_equal(seen.scores, scores[1:])


def test_the_simulator_is_told_by_name_and_version():
    assert re.fullmatch(r"Verilator \d+\.\d+\S*", verilator_version())


def test_a_differing_score_is_read_in_its_place():
    scores = stream()
    port = trace(scores, 4)
    port[HOLD + 4 + 11] ^= 1

    seen = measure_waveform(port, scores, HOLD, WIDTH, is_signed=True)

    assert np.flatnonzero(seen.scores != scores[1:]).tolist() == [11]


def test_a_few_differing_scores_are_no_interval():
    scores = stream(61)
    port = trace(scores, 4)
    port[HOLD + 4 + 11] ^= 1

    assert measure_waveform(port, scores, HOLD, WIDTH, is_signed=True).interval_cycles == 1


@pytest.mark.parametrize("interval", [2, 3])
def test_a_design_that_takes_an_event_only_every_few_cycles_is_seen(interval):
    scores = stream(61)

    seen = measure_waveform(
        trace(scores, 4, interval=interval), scores, HOLD, WIDTH, is_signed=True
    )

    assert seen.interval_cycles == interval
    assert (seen.scores != scores[1:]).any()


def test_a_wrong_held_score_is_no_latency():
    scores = stream()

    with pytest.raises(SimulationError, match=r"held event scores 5 .* 4 in the program"):
        measure_waveform(trace(scores, 4), np.array([4, *scores[1:]]), HOLD, WIDTH, is_signed=True)


def test_an_output_that_never_changes_is_told():
    scores = stream()

    with pytest.raises(SimulationError, match="no score came out"):
        measure_waveform(np.full(80, 5, np.uint64), scores, HOLD, WIDTH, is_signed=True)


def test_an_output_that_comes_too_late_is_told():
    scores = stream()

    with pytest.raises(SimulationError, match="only after 30 cycles"):
        measure_waveform(trace(scores, 30)[: HOLD + 60], scores, HOLD, WIDTH, is_signed=True)


def test_a_port_is_read_as_two_complement_or_not():
    port = np.array([0b1111, 0b0111], np.uint64)

    assert port_values(port, 4, is_signed=True).tolist() == [-1, 7]
    assert port_values(port, 4, is_signed=False).tolist() == [15, 7]
    assert port_values(port, 3, is_signed=False).tolist() == [7, 7]


def test_the_waveform_shows_the_first_new_score_at_the_measured_edge(tmp_path):
    scores = stream()
    words = np.arange(len(scores), dtype=np.uint32).reshape(-1, 1)
    path = tmp_path / "latency.vcd"

    write_waveform(
        path,
        words,
        trace(scores, 4),
        HOLD,
        input_bits=10,
        output_bits=WIDTH,
        latency_cycles=5,
        period_ns=5.0,
    )

    text = path.read_text()
    times = {
        kind: [
            int(time)
            for time, value in re.findall(rf"#(\d+)\n[01]c\nb([01]+) {kind}", text)
            if int(value, 2) == wanted
        ]
        for kind, wanted in (("i", 1), ("o", 6))
    }
    # The input is there half a period before the first edge that takes it in.
    assert times["o"][0] - times["i"][0] == round(4.5 * 5000)
    assert "$var wire 10 i model_inp $end" in text


@pytest.mark.parametrize("before", ["\t", "  "])
def test_the_runtime_is_what_the_makefile_of_any_version_names(tmp_path, before):
    """Up to some version of 5, such as Debian 12's 5.006, a tab stands before each name."""
    makefile = tmp_path / "Design_classes.mk"
    lines = ["VM_CLASSES_FAST += \\", f"{before}Design \\", "", "VM_GLOBAL_FAST += \\"]
    lines += [f"{before}verilated \\", f"{before}verilated_threads \\", ""]
    makefile.write_text("\n".join([*lines, "VM_GLOBAL_SLOW += \\", "", ""]))

    assert verilator._runtime(makefile) == ["verilated.cpp", "verilated_threads.cpp"]


def test_a_makefile_that_names_no_runtime_is_no_verilator_that_we_know(tmp_path):
    makefile = tmp_path / "Design_classes.mk"
    makefile.write_text("VM_GLOBAL_FAST := verilated\n")

    with pytest.raises(EnvironmentFaultError, match="linked with"):
        verilator._runtime(makefile)
