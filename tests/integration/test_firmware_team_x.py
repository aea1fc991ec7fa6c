"""The shipped network through the real tools, in the sandbox."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.card.hardware import Figure, Firmware
from harness.challenge import Budget, Target
from harness.firmware.backend import FirmwareRequest, FirmwareSettings
from harness.firmware.synthesise import synthesise
from harness.sandbox import open_sandbox
from harness.sandbox.step import Step
from harness.sandbox.workspace import Workspace
from tests.events import make_events

pytestmark = pytest.mark.whole

TEAM = Path(__file__).parents[2] / "submissions" / "team_x"
TARGET = Target(
    part="xcvu9p-flga2104-2-e",
    clock_period_ns=5.0,
    max_latency_ns=1000.0,
    max_interval_ns=25.0,
    budget=Budget(lut=394_080, ff=788_160, dsp=2_280, bram18=1_440),
)


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> tuple[Path, Path]:
    out = tmp_path_factory.mktemp("export")
    step = Step(
        name="export",
        entry="harness.submission.export:export_submission",
        request={"event_shape": [19, 3]},
        inputs={"submission": TEAM},
        outputs={"graph": 2**24, "weights": 2**24},
    )
    outputs = open_sandbox("bwrap").run(step, out).outputs
    return outputs["graph"], outputs["weights"]


def make(network, folder: Path, n_events: int, **changes):
    np.save(folder / "events.npy", make_events(n_events, seed=4))
    request = FirmwareRequest(
        graph=network[0],
        weights=network[1],
        target=TARGET,
        events=folder / "events.npy",
        workspace=Workspace(run_step=open_sandbox("bwrap").run, folder=folder / "build"),
        **changes,
    )
    return synthesise(request, cache_root=None)


@pytest.mark.timeout(900)
def test_the_shipped_network_goes_the_whole_way_within_its_budgets(network, tmp_path):
    """hls4ml's translation and compiled C simulation, da4ml, Verilator and Yosys."""
    result = make(network, tmp_path, 12_000, settings=FirmwareSettings(n_csim_events=10_000))

    report = result.report
    assert isinstance(report, Firmware), report
    assert report.is_within_target
    assert {row.requirement for row in report.verdicts} == {
        "latency",
        "interval",
        "lut",
        "ff",
        "dsp",
        "bram18",
    }
    for name in ("latency_cycles", "interval_cycles", "lut", "ff", "dsp", "bram18"):
        figure = getattr(report, name)
        assert isinstance(figure, Figure)
        assert figure.evidence == "rtl"
    assert [agreement.n_different for agreement in report.agreements] == [0, 0, 0, 0]
    assert all(agreement.n_events >= 10_000 for agreement in report.agreements)
    (csim,) = (row for row in report.agreements if any("hls4ml" in name for name in row.witnesses))
    assert csim.is_independent
    assert sum(stage.cycles for stage in report.stages) == pytest.approx(
        report.latency_cycles.value, abs=0.1
    )
    assert len(np.fromfile(result.scores)) == 12_000
