"""The vendor backends, tested by a stand-in that writes the reports, and fails, as the tool does.

No machine of this project has Vitis or Vivado. The stand-in answers to their command lines, reads
the Tcl that it is given far enough to know what to write, and leaves reports where they do.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tarfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

from harness.card.hardware import Figure, Firmware
from harness.challenge import FirmwareChoices
from harness.errors import EnvironmentFaultError, IntegrityError, LimitError
from harness.firmware.backend import FirmwareSettings
from harness.firmware.registry import check_backend
from harness.firmware.vendor import build
from harness.firmware.vendor.tool import run_vendor_tool
from tests.firmware_bench import ask, direct_step, every_pair, make_firmware, make_project
from tests.golden.firmware import make_reports as golden

HLS = """#!{python}
import os, pathlib, sys, time
mode = os.environ.get("STAND_IN", "")
calls = [["-f", "build_prj.tcl"], ["--mode", "hls", "--tcl", "build_prj.tcl"]]
if sys.argv[0].endswith("vivado_hls"):
    calls = [["-f", "build_prj.tcl", sys.argv[-1]]]
    assert "csim=0 synth=1 cosim=0" in sys.argv[-1], sys.argv
assert sys.argv[1:] in calls, sys.argv
assert "cosim 0" in pathlib.Path("build_opt.tcl").read_text()
assert pathlib.Path("firmware/anomaly.cpp").exists()
print("****** Vitis HLS stand-in")
if mode == "licence":
    print("ERROR: [Common 17-345] A valid license was not found for feature 'HLS'")
    sys.exit(1)
if mode == "silent licence":
    print("ERROR: FLEXnet Licensing error:-15,570. System Error: 11")
    sys.exit(0)
if mode == "schedule":
    print("ERROR: [SCHED 204-80] Unable to satisfy the II of 1")
    sys.exit(0)
if mode == "failure":
    print("something else")
    sys.exit(1)
if mode == "hang":
    time.sleep(600)
if mode == "crash":
    os.kill(os.getpid(), 9)
if mode == "nothing":
    sys.exit(0)
folder = pathlib.Path("anomaly_prj/solution1/syn/report")
folder.mkdir(parents=True)
reports = pathlib.Path({reports!r})
(folder / "anomaly_csynth.xml").write_bytes((reports / (mode or "good")).read_bytes())
"""
VIVADO = """#!{python}
import pathlib, sys
assert sys.argv[1:3] == ["-mode", "batch"], sys.argv
assert "route_design" in pathlib.Path("implement.tcl").read_text()
reports = pathlib.Path({reports!r})
for name in ("utilization_synth.rpt", "utilization_routed.rpt", "timing_routed.rpt"):
    pathlib.Path(name).write_bytes((reports / name).read_bytes())
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put stand-ins on PATH; return a function that chooses how they behave."""
    reports, programs = tmp_path / "reports", tmp_path / "bin"
    reports.mkdir()
    programs.mkdir()
    (reports / "good").write_bytes(golden.csynth_xml())
    (reports / "undef").write_bytes(golden.csynth_xml(worst="undef"))
    (reports / "other").write_bytes(golden.csynth_xml(top="other"))
    (reports / "utilization_synth.rpt").write_text(golden.utilisation_rpt(state="Synthesized"))
    (reports / "utilization_routed.rpt").write_text(golden.utilisation_rpt())
    (reports / "timing_routed.rpt").write_text(golden.timing_rpt())
    for name, text in (("vitis_hls", HLS), ("vivado_hls", HLS), ("vivado", VIVADO)):
        path = programs / name
        path.write_text(textwrap.dedent(text).format(python=sys.executable, reports=str(reports)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return lambda mode: monkeypatch.setenv("STAND_IN", mode)


@pytest.fixture(scope="module")
def project(tiny, tmp_path_factory) -> Path:
    return make_project(tiny, tmp_path_factory.mktemp("project"))


def run_step(project: Path, folder: Path, *, has_vivado: bool = False, timeout_s: float = 60.0):
    """Run the step of the vendor's tool."""
    vivado = shutil.which("vivado") if has_vivado else None
    return run_vendor_tool(
        {
            "program": shutil.which("vitis_hls"),
            "vivado": vivado,
            "licences": {},
            "timeout_s": timeout_s,
        },
        {"project": project},
        {"reports": folder / "reports.tar"},
    )


def test_the_whole_backend_makes_a_record_of_csynth_evidence(tiny, tools, tmp_path):
    np.save(tmp_path / "events.npy", every_pair())

    result = make_firmware(
        tiny,
        tmp_path / "events.npy",
        tmp_path / "build",
        backend="vitis",
        settings=FirmwareSettings(n_workers=1),
        has_implementation=True,
        choices=FirmwareChoices(products="fabric", latency_cycles=9),
    )

    report = result.report
    assert isinstance(report, Firmware)
    assert report.unchecked is None
    assert not report.is_handed_in
    assert isinstance(report.latency_cycles, Figure)
    assert (report.latency_cycles.value, report.latency_cycles.evidence) == (14, "csynth")
    assert (report.lut.value, report.lut.evidence) == (18_250, "post_route")
    assert (report.clock_period_ns.value, report.clock_period_ns.evidence) == (5.0, "post_route")
    assert any("initiation interval of 2" in note for note in report.notes)
    # hls4ml has no such choices, so the card says that they had no effect.
    (unused,) = (note for note in report.notes if note.startswith("chosen, but not used"))
    assert "products of two values in LUTs" in unused
    assert "a latency of 9 cycles" in unused
    assert len(report.agreements) == 2
    assert np.fromfile(result.scores).tolist() == [2 * a + b for a in range(8) for b in range(8)]
    assert {"anomaly_csynth.xml", "utilization_routed.rpt"} <= {
        artefact.name for artefact in report.artefacts
    }


@pytest.mark.parametrize("is_permitted", [False, True])
def test_only_the_vendor_s_step_may_see_the_machine_and_only_if_permitted(
    tiny, tools, tmp_path, is_permitted
):
    seeing = {}

    def run(step, folder):
        seeing[step.name] = step.sees_host
        return direct_step(step, folder)

    settings = FirmwareSettings(
        n_workers=1, has_host_licence=is_permitted, n_csim_events=10, has_hls4ml=True
    )
    report = make_firmware(
        tiny, None, tmp_path / "build", backend="vitis", settings=settings, run_step=run
    ).report

    assert seeing.pop("firmware-vendor") is is_permitted
    assert len(seeing) >= 3
    assert not any(seeing.values())
    assert any("name and network" in note for note in report.notes) is is_permitted


@pytest.mark.parametrize(("has_vivado", "n_tools"), [(False, 1), (True, 2)])
def test_each_tool_has_the_stated_time_and_memory(
    tiny, project, tools, tmp_path, has_vivado, n_tools
):
    """C synthesis, place and route run one after the other, each within the limit of a tool."""
    seen = []

    def run(step, folder):
        seen.append((step.limits, step.request["timeout_s"]))
        return direct_step(step, folder)

    settings = FirmwareSettings(vendor_wall_s=5_000.0, vendor_memory_bytes=3 * 2**30)
    request = ask(tiny, None, tmp_path, settings=settings, run_step=run)
    hls, vivado = (Path(shutil.which(name)) for name in ("vitis_hls", "vivado"))
    build._synthesise(request, project, hls, vivado if has_vivado else None)

    ((limits, timeout_s),) = seen
    assert timeout_s == 5_000
    assert n_tools * 5_000 <= limits.wall_s < n_tools * 5_000 + 500
    assert limits.memory_bytes == 3 * 2**30


def test_the_reports_come_back(project, tools, tmp_path):
    report = run_step(project, tmp_path, has_vivado=True)

    with tarfile.open(tmp_path / "reports.tar") as archive:
        assert sorted(archive.getnames()) == sorted(report["reports"])
    assert set(report["reports"]) == {
        "anomaly_csynth.xml",
        "utilization_synth.rpt",
        "utilization_routed.rpt",
        "timing_routed.rpt",
    }


@pytest.mark.parametrize(
    ("mode", "error", "word"),
    [
        ("licence", EnvironmentFaultError, "no licence"),
        ("silent licence", EnvironmentFaultError, "no licence"),
        ("schedule", EnvironmentFaultError, "Unable to satisfy the II"),
        ("failure", EnvironmentFaultError, "something else"),
        ("crash", LimitError, "killed"),
        ("nothing", EnvironmentFaultError, "without a report"),
    ],
)
def test_each_way_to_fail_is_told(project, tools, tmp_path, mode, error, word):
    tools(mode)

    with pytest.raises(error, match=word):
        run_step(project, tmp_path)


def test_a_tool_that_hangs_is_ended_at_the_limit(project, tools, tmp_path):
    tools("hang")

    with pytest.raises(LimitError, match="did not end within 2 s"):
        run_step(project, tmp_path, timeout_s=2.0)


@pytest.mark.parametrize(
    ("mode", "error", "said"),
    [
        ("undef", EnvironmentFaultError, "no usable report"),
        ("other", IntegrityError, "not of anomaly"),
    ],
)
def test_a_report_without_a_latency_or_of_another_design_makes_no_card(
    tiny, tools, tmp_path, mode, error, said
):
    tools(mode)

    with pytest.raises(error, match=said):
        make_firmware(
            tiny, None, tmp_path / "build", backend="vitis", settings=FirmwareSettings(n_workers=1)
        )


@pytest.mark.parametrize(("backend", "program"), [("vitis", "vitis_hls"), ("vivado", "vivado_hls")])
def test_a_missing_tool_is_told_before_any_work(tiny, tmp_path, monkeypatch, backend, program):
    monkeypatch.setattr(build.shutil, "which", lambda _: None)

    with pytest.raises(
        EnvironmentFaultError, match=rf"{program} was not found(?s:.*)--backend rtl"
    ):
        make_firmware(tiny, None, tmp_path / "build", backend=backend)
    with pytest.raises(EnvironmentFaultError, match=f"{program} was not found"):
        check_backend(backend, has_implementation=False)


def test_place_and_route_needs_vivado_as_well(tools, tmp_path):
    check_backend("vitis", has_implementation=True)
    (tmp_path / "bin/vivado").unlink()

    with pytest.raises(EnvironmentFaultError, match="vivado was not found"):
        check_backend("vitis", has_implementation=True)
    check_backend("vitis", has_implementation=False)


def test_a_limit_of_time_is_a_limit_error(tiny, tools, tmp_path):
    tools("hang")

    with pytest.raises(LimitError):
        make_firmware(
            tiny,
            None,
            tmp_path / "build",
            backend="vitis",
            settings=FirmwareSettings(n_workers=1, vendor_wall_s=2.0),
        )
