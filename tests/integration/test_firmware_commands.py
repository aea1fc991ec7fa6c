"""What the command line says of firmware: targets that make no sense, and reports handed in."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.scoring.synthesis import synthesise_submission
from tests.golden.firmware import make_reports as golden
from tests.integration.conftest import CommandLine, write_submission
from tests.integration.test_bad_submissions import assert_told

WORDS = {"input": "fixed<16,13>", "weights": "fixed<8,2>", "activations": "fixed<18,14>"}
USAGE, ENVIRONMENT = 2, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_submission(tmp_path_factory.mktemp("with spaces é") / "team_sum", precision=WORDS)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "my reports"
    folder.mkdir()
    (folder / "csynth.xml").write_bytes(golden.csynth_xml())
    (folder / "utilization_routed.rpt").write_text(golden.utilisation_rpt())
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clock_period_ns": 0.0}, "clock_period_ns: .*0"),
        ({"clock_period_ns": float("nan")}, "clock_period_ns: .*nan"),
        ({"clock_period_ns": float("inf")}, "clock_period_ns: .*inf"),
        ({"part": ""}, r"target .*part: '' is not accepted"),
        ({"has_implementation": True}, "rtl does not place and route"),
    ],
)
def test_a_target_that_makes_no_sense_is_told_before_any_work(folder, changes, said):
    with pytest.raises(UsageError, match=said):
        synthesise_submission(folder, **changes)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--backend", "vitis"], ENVIRONMENT, "vitis_hls was not found"),
        (["--backend", "vivado", "--impl"], ENVIRONMENT, "vivado_hls was not found"),
        (["--backend", "nothing"], USAGE, "there is no firmware backend"),
        (["--impl"], USAGE, "rtl does not place and route"),
    ],
)
def test_a_scoring_by_a_backend_that_is_not_there_is_told_before_any_work(
    harness: CommandLine, folder: Path, arguments, code, said
):
    toy = ("--challenge", "toy", "--manifest", harness.manifest)
    assert_told(harness("score", folder, *toy, *arguments), code, said)


# As a tool is installed: a folder with `bin`, which the step sees whole. They find the reports
# that they leave beside it.
HLS = """#!/bin/sh
here=$(dirname "$(dirname "$0")")
test -f build_prj.tcl || exit 3
mkdir -p anomaly_prj/solution1/syn/report
cp "$here/reports/csynth.xml" anomaly_prj/solution1/syn/report/anomaly_csynth.xml
"""
VIVADO = """#!/bin/sh
here=$(dirname "$(dirname "$0")")
grep -q route_design implement.tcl || exit 3
cp "$here"/reports/*.rpt .
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """Stand-ins of the vendor's tools; the environment in which they are on PATH."""
    (tmp_path / "vendor/bin").mkdir(parents=True)
    reports = tmp_path / "vendor/reports"
    reports.mkdir()
    (reports / "csynth.xml").write_bytes(golden.csynth_xml())
    (reports / "utilization_routed.rpt").write_text(golden.utilisation_rpt())
    (reports / "timing_routed.rpt").write_text(golden.timing_rpt())
    for name, text in {"vitis_hls": HLS, "vivado_hls": HLS, "vivado": VIVADO}.items():
        program = tmp_path / "vendor/bin" / name
        program.write_text(text)
        program.chmod(0o755)
    return {"PATH": f"{tmp_path / 'vendor/bin'}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "by_option", "evidence"),
    [("vitis", False, "post_route"), ("vivado", True, "csynth")],
)
def test_a_scoring_takes_the_firmware_of_a_vendor_s_tool(
    harness: CommandLine, folder: Path, installed, backend, by_option, evidence
):
    """Through the sandbox; on a machine of a queue the environment names the backend."""
    environment = {**installed, **({} if by_option else {"HARNESS_BACKEND": backend})}
    arguments = ["--backend", backend] if by_option else ["--impl"]
    toy = ("--challenge", "toy", "--manifest", harness.manifest)
    done = harness("score", folder, *toy, *arguments, "--json", env=environment)

    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    firmware = card["firmware"]
    assert firmware["backend"] == backend
    assert not firmware["is_handed_in"]
    assert (firmware["lut"]["evidence"], firmware["latency_cycles"]["evidence"]) == (
        evidence,
        "csynth",
    )
    witnesses = {name for one in firmware["agreements"] for name in one["witnesses"]}
    assert {"hls4ml's compiled C simulation", "the quantised Keras graph"} <= witnesses
    assert all(one["n_different"] == 0 for one in firmware["agreements"])
    assert "auc" in card["firmware_physics"]


@pytest.mark.parametrize("arguments", [["--clock", "0"], ["--time-limit", "-1"]])
def test_an_option_out_of_range_is_a_usage_error(harness, folder, arguments):
    assert_told(harness.here("synth", folder, *arguments), USAGE, "is not in the range x>0")


def test_reports_are_shown_as_handed_in_with_their_evidence(
    harness: CommandLine, folder: Path, reports: Path
):
    toy = ("--challenge", "toy", "--manifest", harness.manifest)
    done = harness("synth", folder, *toy, "--from-reports", reports, "--json")

    assert done.returncode == 0, done.stderr
    firmware = json.loads(done.stdout)
    assert firmware["is_handed_in"]
    assert firmware["latency_cycles"]["evidence"] == "csynth"
    assert firmware["lut"]["evidence"] == "post_route"
    assert any("not shown" in note for note in firmware["notes"])


@pytest.mark.slow
def test_a_card_with_reports_holds_their_figures_and_the_scores_that_were_made_here(
    harness: CommandLine, folder: Path, reports: Path
):
    toy = ("--challenge", "toy", "--manifest", harness.manifest)
    done = harness("score", folder, *toy, "--from-reports", reports, "--json")

    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    firmware = card["firmware"]
    assert firmware["is_handed_in"]
    assert firmware["latency_cycles"] | {"source": ""} == {
        "value": 14.0,
        "evidence": "csynth",
        "source": "",
    }
    assert firmware["agreements"]
    assert any("backend rtl made" in note for note in firmware["notes"])
    (kept,) = (harness.folder / "results").rglob("handed_in_reports.tar.zst")
    listed = {artefact["name"]: artefact["sha256"] for artefact in firmware["artefacts"]}
    assert listed[kept.name] == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert "auc" in card["firmware_physics"]
