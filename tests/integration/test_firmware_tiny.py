"""A network small enough to work out by hand goes the whole way, with the real tools.

Its score is the sum of four transverse momenta in whole GeV, each a word of 8 bits: three adders,
of 8, 8 and 9 bits, and a result of 10 bits.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from harness.card.hardware import Figure, Firmware
from harness.challenge import Budget, Target
from harness.firmware.artefacts import PROGRAM
from harness.firmware.backend import FirmwareRequest, FirmwareResult, FirmwareSettings
from harness.firmware.interpret import score_by_program
from harness.firmware.synthesise import synthesise
from harness.sandbox import open_sandbox
from harness.sandbox.step import Step
from harness.sandbox.workspace import Workspace, open_workspace
from harness.trigger.start import program_score
from tests.events import make_events

pytestmark = pytest.mark.whole

N_EVENTS = 3_000
# MET, leading electron, leading muon, leading jet.
ROWS = [0, 1, 5, 9]
MODEL = """
import keras
import numpy as np
from hgq.config import QuantizerConfig
from hgq.layers import QDense

from harness import heads


def network():
    inputs = keras.Input((57,))
    x = heads.input_words(inputs, ["ufixed<8,8>", "fixed<4,4>", "fixed<4,4>"])
    bit = QuantizerConfig(
        "kif", "weight", k0=0, i0=1, f0=0, trainable=False, overflow_mode="SAT"
    )
    layer = QDense(1, use_bias=False, enable_iq=False, kq_conf=bit)
    total = layer(x)
    kernel = np.zeros((57, 1), np.float32)
    kernel[[3 * row for row in (0, 1, 5, 9)]] = 1.0
    layer.kernel.assign(kernel)
    return keras.Model(inputs, heads.identity(total, word="fixed<11,11>"))
"""
TARGET = Target(
    part="xcvu9p-flga2104-2-e",
    clock_period_ns=5.0,
    max_latency_ns=1000.0,
    max_interval_ns=25.0,
    budget=Budget(lut=20, ff=788_160),
)


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    """Momenta in whole GeV below 256, angles in whole units: every input word holds them."""
    events = np.floor(make_events(N_EVENTS, seed=11))
    events[..., 0] = np.minimum(events[..., 0], 255.0)
    # The extremes: nothing at all, and everything at its largest.
    events[0] = 0.0
    events[1, :, 0] = 255.0
    return events


def _exported(folder: Path) -> tuple[Path, Path]:
    submission, out = folder / "team_tiny", folder / "export"
    submission.mkdir()
    out.mkdir()
    (submission / "model.py").write_text(MODEL)
    step = Step(
        name="export",
        entry="harness.submission.export:export_submission",
        request={"event_shape": [19, 3]},
        inputs={"submission": submission},
        outputs={"graph": 2**24, "weights": 2**24},
    )
    outputs = open_sandbox("bwrap").run(step, out).outputs
    return outputs["graph"], outputs["weights"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, events: np.ndarray) -> FirmwareResult:
    folder = tmp_path_factory.mktemp("tiny")
    np.save(folder / "events.npy", events)
    graph, weights = _exported(folder)
    request = FirmwareRequest(
        graph=graph,
        weights=weights,
        target=TARGET,
        events=folder / "events.npy",
        workspace=Workspace(run_step=open_sandbox("bwrap").run, folder=folder / "firmware"),
        settings=FirmwareSettings(n_witness_events=1_000, n_csim_events=1_000),
    )
    return synthesise(request, cache_root=None)


@pytest.fixture(scope="module")
def report(made: FirmwareResult) -> Firmware:
    assert isinstance(made.report, Firmware), made.report
    return made.report


def test_firmware_scores_are_the_sums_worked_out_by_numpy(made, events):
    assert made.scores is not None
    scores = np.fromfile(made.scores, "<f8")

    np.testing.assert_array_equal(scores, events[:, ROWS, 0].sum(axis=1))
    assert scores[1] == 4 * 255


def test_further_events_are_scored_by_the_program_that_was_kept(made, events, tmp_path):
    program = next(path for path in made.artefacts if path.name == PROGRAM)
    more = np.floor(make_events(500, seed=12))
    more[..., 0] = np.minimum(more[..., 0], 255.0)
    np.save(tmp_path / "more.npy", more)
    workspace = Workspace(run_step=open_sandbox("bwrap").run, folder=tmp_path / "steps")

    scores = score_by_program(program, tmp_path / "more.npy", workspace)

    np.testing.assert_array_equal(np.fromfile(scores, "<f8"), more[:, ROWS, 0].sum(axis=1))
    assert workspace.usages[0].wall_s > 0


def test_a_step_that_began_before_its_events_were_written_scores_all_of_them(made, tmp_path):
    """Also where new files are closed to other users, of which the step is one."""
    program = next(path for path in made.artefacts if path.name == PROGRAM)
    more = np.floor(make_events(500, seed=12))
    more[..., 0] = np.minimum(more[..., 0], 255.0)
    umask = os.umask(0o077)
    try:
        with open_workspace("bwrap") as workspace:
            scores = program_score(program, workspace)([more[:3], more[3:]])
            left = [path.name for path in workspace.folder.iterdir()]
    finally:
        os.umask(umask)

    np.testing.assert_array_equal(scores, more[:, ROWS, 0].sum(axis=1))
    assert [name.partition("-")[0] for name in left] == ["program"]


def test_every_witness_agrees_in_every_bit(report):
    names = {name for agreement in report.agreements for name in agreement.witnesses}

    assert sum(agreement.n_different for agreement in report.agreements) == 0
    assert all(agreement.n_events >= 1_000 for agreement in report.agreements)
    assert any("Verilog" in name for name in names)
    assert any("hls4ml" in name for name in names)


def test_a_new_event_is_taken_in_every_cycle_and_the_latency_was_seen(report):
    assert isinstance(report.latency_cycles, Figure)
    assert isinstance(report.interval_cycles, Figure)

    assert report.interval_cycles.value == 1
    assert report.interval_cycles.evidence == report.latency_cycles.evidence == "rtl"
    # An input and an output register; three small adders fit between them in 5 ns.
    assert 2 <= report.latency_cycles.value <= 3
    assert report.latency_ns.value == pytest.approx(5.0 * report.latency_cycles.value)
    assert report.latency_ns.evidence == "estimate"


def test_three_adders_are_counted(report):
    assert report.lut.evidence == "rtl"
    # One LUT a bit of sum: 8 + 8 + 9, and up to one more for each carry out.
    assert 25 <= report.lut.value <= 28
    assert report.dsp.value == report.bram18.value == 0
    # At least the result is held in flip-flops.
    assert report.ff.value >= 10


def test_more_luts_than_the_budget_are_a_result_that_fails(report):
    verdicts = {verdict.requirement: verdict.is_passed for verdict in report.verdicts}

    assert not verdicts["lut"]
    assert verdicts["latency"]
    assert verdicts["interval"]
    assert not report.is_within_target
