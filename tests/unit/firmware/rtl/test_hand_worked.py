"""A network for which every number is worked by hand, by the real Yosys and the real Verilator.

The score is 2 a + b of two words of three bits.

- Six input bits. The score is at most 21: five bits, and a sign bit if the trace keeps one.
- One adder. The lowest bit of 2 a + b is b's; the upper four are a + (b >> 1), of 3 and 2 bits.
  A carry chain needs a LUT for each bit in which both operands have a bit to add: two of them, the
  third bit of a having only a carry to meet, for which Yosys takes no LUT.
- One block of four carry bits, so one CARRY8.
- One stage between an input and an output register: two clock edges from input to score.
- Flip-flops: six for the inputs, five for the score.
- The path: clock-to-output 0.093 ns, a LUT 0.107 ns, carry select to sum 0.250 ns.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from harness.card.hardware import Figure, Firmware
from harness.firmware.backend import FirmwareSettings
from harness.firmware.delays import CLOCK_TO_Q_NS, adder_ns
from harness.firmware.parts import find_part
from tests.firmware_bench import TARGET, every_pair, make_firmware


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("hand worked")
    np.save(folder / "events.npy", every_pair())
    return make_firmware(
        tiny, folder / "events.npy", folder / "build", settings=FirmwareSettings(n_workers=1)
    )


@pytest.fixture(scope="module")
def report(made) -> Firmware:
    assert isinstance(made.report, Firmware), made.report
    return made.report


def value(figure) -> float:
    assert isinstance(figure, Figure), figure
    return figure.value


def test_scores(made):
    scores = np.fromfile(made.scores, "<f8")

    assert scores.tolist() == [2 * a + b for a in range(8) for b in range(8)]


def test_words(report):
    assert report.input_bits == 6
    assert report.output_bits in (5, 6)
    assert report.score_word.step == 1.0
    assert report.overflow == {}


def test_timing(report):
    assert value(report.latency_cycles) == 2
    assert value(report.interval_cycles) == 1
    assert value(report.clock_period_ns) == 5.0
    assert value(report.latency_ns) == 10.0
    assert report.latency_cycles.evidence == report.interval_cycles.evidence == "rtl"
    assert re.match(r"Verilator \d+\.\d+", report.latency_cycles.source)
    assert report.clock_period_ns.evidence == report.latency_ns.evidence == "estimate"
    # Clock to output 0.079, a wire to LUT and carry, LUT 0.097, its wire to the carry 0.015, select
    # to sum 0.106, and the wire to the register 0.030.
    general = 0.168 + 0.035 * math.log(2)
    wired = 0.079 + general + 0.097 + 0.015 + 0.106 + 0.030
    assert f"take {wired:.2f} ns" in report.clock_period_ns.source


def test_resources(report):
    assert value(report.lut) == 2
    assert value(report.ff) == 6 + 5
    assert value(report.dsp) == 0
    assert value(report.bram18) == 0
    assert report.other_cells == {"carry8": 1}
    assert {report.lut.evidence, report.ff.evidence} == {"rtl"}


def test_verdicts(report):
    rows = {row.requirement: (row.value, row.limit, row.is_passed) for row in report.verdicts}

    assert rows == {
        "latency": (10.0, 1000.0, True),
        "interval": (5.0, 25.0, True),
        "lut": (2, 1_000, True),
        "ff": (11, 2_364_480, True),
        "dsp": (0, 6_840, True),
        "bram18": (0, 4_320, True),
    }
    assert report.is_within_target


def test_witnesses(report):
    names = [agreement.witnesses[1] for agreement in report.agreements]

    assert names == [
        "the quantised Keras graph",
        "hls4ml's compiled C simulation",
        "the simulated Verilog",
        "the synthesised netlist",
    ]
    assert all(agreement.n_different == 0 for agreement in report.agreements)
    # All 64 pairs, and 2012 events at and beyond the edges of the words.
    assert {agreement.n_events for agreement in report.agreements} == {64 + 2012}
    assert [agreement.is_independent for agreement in report.agreements] == [
        True,
        True,
        False,
        False,
    ]


def test_artefacts(made, report):
    names = {artefact.name for artefact in report.artefacts}

    assert names == {
        "anomaly_score.v",
        "latency.vcd",
        "synthesis.json",
        "netlist.json.zst",
        "program.json.zst",
        "hls4ml_project.tar.zst",
    }
    by_name = {path.name: path for path in made.artefacts}
    summary = json.loads(Path(by_name["synthesis.json"]).read_text())
    assert summary["logic_ns"] == pytest.approx(0.093 + 0.107 + 0.250)
    assert summary["untimed"] == {}


def test_a_7_series_is_slower_by_its_factor(tiny, tmp_path):
    found = {}
    for part in ("xcvu9p", "xc7a35t"):
        target = TARGET.model_copy(update={"part": part, "clock_period_ns": 0.1})
        folder = tmp_path / part
        folder.mkdir()
        found[part] = make_firmware(tiny, None, folder, backend="estimate", target=target).report
        assert found[part].available["lut"] == find_part(part).available["lut"]
    fast, slow = (value(found[part].clock_period_ns) for part in ("xcvu9p", "xc7a35t"))
    # No adder of five bits fits into 0.1 ns: the period is that of the cells.
    assert fast >= 2 * (CLOCK_TO_Q_NS + adder_ns(4))
    assert slow == pytest.approx(2.4 * fast)
