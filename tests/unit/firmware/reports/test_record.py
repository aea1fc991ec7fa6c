"""A folder of reports becomes one record, marked as handed in, or is refused for a reason."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.card.hardware import Agreement, Figure
from harness.challenge import Budget, PartTotals
from harness.errors import InvalidSubmissionError, UsageError
from harness.firmware.artefacts import compress, decompress
from harness.firmware.reports.design import CODE, PORTS
from harness.firmware.reports.folder import find_reports
from harness.firmware.reports.record import REPORTS, read_reports, with_witnesses
from harness.sandbox.workspace import Workspace
from harness.submission.network import rebuild
from tests.firmware_bench import TARGET, direct_step, make_project
from tests.golden.firmware import make_reports as golden

CONFIG = """Backend: Vitis
ClockPeriod: 5
KerasModel: !keras_model 'somewhere/keras_model.h5'
Part: {part}
ProjectName: anomaly
"""


@pytest.fixture(scope="module")
def small_project(small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hls4ml's project of the encoder."""
    return make_project(small, tmp_path_factory.mktemp("project"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    reports = tmp_path / "my reports é" / "anomaly_prj/solution1/syn/report"
    reports.mkdir(parents=True)
    (reports / "anomaly_csynth.xml").write_bytes(golden.csynth_xml())
    (reports / "anomaly_csynth.rpt").write_text(golden.csynth_rpt())
    (reports / "dense_csynth.xml").write_bytes(golden.csynth_xml(top="dense", worst="99"))
    root = tmp_path / "my reports é"
    (root / "hls4ml_config.yml").write_text(CONFIG.format(part=golden.PART))
    return root


def number(figure) -> float:
    assert isinstance(figure, Figure), figure
    return figure.value


def test_csynth_alone_is_evidence_csynth_with_the_worst_latency(folder):
    report = read_reports(folder, target=TARGET)

    assert report.is_handed_in
    assert number(report.latency_cycles) == 14
    assert number(report.interval_cycles) == 2
    assert number(report.clock_period_ns) == 5.0
    assert number(report.latency_ns) == 70.0
    assert number(report.lut) == golden.DESIGN["lut"]
    figures = (report.latency_cycles, report.latency_ns, report.lut, report.bram18)
    assert {figure.evidence for figure in figures} == {"csynth"}
    interval = next(row for row in report.verdicts if row.requirement == "interval")
    assert interval.value == 10.0
    # TARGET's budget is 1,000 LUTs: over it is a result.
    assert not report.is_within_target


def test_after_logic_synthesis_resources_are_post_synth_and_the_clock_is_not(folder):
    (folder / "vivado_synth.rpt").write_text(golden.utilisation_rpt(state="Optimized"))

    report = read_reports(folder, target=TARGET)

    assert (number(report.lut), report.lut.evidence) == (18_250, "post_synth")
    assert (number(report.clock_period_ns), report.clock_period_ns.evidence) == (5.0, "csynth")


def test_reports_of_other_kinds_beside_the_routed_ones_are_left_out(folder):
    (folder / "utilization_routed.rpt").write_text(golden.utilisation_rpt())
    (folder / "utilization_synth.rpt").write_text(golden.utilisation_rpt(state="Synthesized"))
    hierarchy = golden.header("report_utilization -hierarchical", "Routed", golden.PART)
    (folder / "utilization_hierarchical_routed.rpt").write_text(hierarchy)
    (folder / "timing_routed.rpt").write_text(golden.timing_rpt(slack="-0.500"))
    (folder / "timing_paths_routed.rpt").write_text(golden.path_rpt())

    report = read_reports(folder, target=TARGET)

    assert (number(report.lut), report.lut.evidence) == (18_250, "post_route")
    assert number(report.clock_period_ns) == 5.5


def test_two_routed_designs_that_differ_are_refused(folder):
    (folder / "a_routed.rpt").write_text(golden.utilisation_rpt())
    (folder / "b_routed.rpt").write_text(golden.utilisation_rpt(tiles="2"))

    assert "two utilisation reports that differ" in refused(folder)


def test_after_routing_resources_and_clock_are_post_route(folder):
    (folder / "utilization_routed.rpt").write_text(golden.utilisation_rpt())
    (folder / "timing_routed.rpt").write_text(golden.timing_rpt(slack="-0.500"))

    report = read_reports(folder, target=TARGET)

    assert (number(report.lut), report.lut.evidence) == (18_250, "post_route")
    assert (number(report.clock_period_ns), report.clock_period_ns.evidence) == (5.5, "post_route")
    assert report.latency_cycles.evidence == "csynth"
    # The cycles are C synthesis's, so the nanoseconds are no better known.
    assert (number(report.latency_ns), report.latency_ns.evidence) == (77.0, "csynth")
    assert report.other_cells == {"carry8": 1_400}


@pytest.mark.parametrize(
    ("slack", "found"), [(None, (19.86, "csynth")), ("6.030", (18.97, "post_route"))]
)
def test_a_design_without_a_register_takes_one_crossing_of_its_logic(folder, slack, found):
    given = {"best": "0", "worst": "0", "interval": "1", "target": "25.00", "estimated": "19.860"}
    for path, text in (("xml", golden.csynth_xml(**given)), ("rpt", b"")):
        (report,) = folder.rglob(f"anomaly_csynth.{path}")
        report.write_bytes(text) if text else report.unlink()
    if slack is not None:
        (folder / "utilization_routed.rpt").write_text(golden.utilisation_rpt())
        (folder / "timing_routed.rpt").write_text(golden.timing_rpt(slack=slack, period="25.000"))

    report = read_reports(folder, target=TARGET)

    assert number(report.latency_cycles) == 0
    assert number(report.latency_ns) == pytest.approx(found[0], abs=1e-9)
    assert report.latency_ns.evidence == found[1]
    latency = next(row for row in report.verdicts if row.requirement == "latency")
    assert latency.value == report.latency_ns.value
    assert "one crossing of the logic" in report.latency_ns.source


def refused(folder: Path, **more) -> str:
    with pytest.raises(InvalidSubmissionError) as caught:
        read_reports(folder, target=TARGET, **more)
    return str(caught.value)


def test_two_solutions_are_refused(folder):
    other = folder / "anomaly_prj/solution2/syn/report"
    other.mkdir(parents=True)
    (other / "anomaly_csynth.xml").write_bytes(golden.csynth_xml(worst="2"))

    said = refused(folder)

    assert "two or more solutions" in said
    assert "solution1" in said
    assert "solution2" in said
    assert "hand in the folder of one" in said


def test_one_solution_is_read_with_what_its_project_has_for_all(folder):
    other = folder / "anomaly_prj/solution2/syn/report"
    other.mkdir(parents=True)
    (other / "anomaly_csynth.xml").write_bytes(golden.csynth_xml(worst="2", best="2"))
    (folder / "firmware").mkdir()
    (folder / "firmware/defines.h").write_text("// words")

    found = find_reports(other.parents[1])

    assert found.csynth.latency_cycles == 2
    assert found.config_part == golden.PART
    assert set(found.sources) == {"defines.h"}


def test_reports_that_contradict_each_other_are_refused(folder):
    path = folder / "anomaly_prj/solution1/syn/report/anomaly_csynth.rpt"
    path.write_text(golden.csynth_rpt(worst="3", best="3"))

    assert "different designs" in refused(folder)


def test_another_part_is_refused(folder):
    for path in folder.rglob("*_csynth.*"):
        path.unlink()
    path = folder / "anomaly_prj/solution1/syn/report/anomaly_csynth.xml"
    path.write_bytes(golden.csynth_xml(part="xczu9eg-ffvb1156-2-e"))

    assert "xczu9eg" in refused(folder)


@pytest.mark.parametrize("is_routed", [False, True])
def test_a_part_that_is_not_known_takes_its_totals_from_the_reports(tmp_path, is_routed):
    part = "xcku115-flvb2104-2-e"
    (tmp_path / "csynth.xml").write_bytes(golden.csynth_xml(part=part))
    if is_routed:
        text = golden.utilisation_rpt().replace(golden.PART, part)
        (tmp_path / "utilization_routed.rpt").write_text(text.replace("1182240", "663360"))
    target = TARGET.model_copy(update={"part": part, "budget": Budget()})

    report = read_reports(tmp_path, target=target)

    assert report.available["lut"] == (663_360 if is_routed else 1_182_240)
    assert report.target.part == part
    assert any(f"what {part} holds is taken from the reports" in note for note in report.notes)
    lut = next(row for row in report.verdicts if row.requirement == "lut")
    assert lut.limit == report.available["lut"]


def test_what_a_challenge_states_of_a_part_stands_before_the_reports(folder):
    totals = PartTotals(family="7series", lut=99_999, ff=99_999, dsp=100, bram18=100)
    target = TARGET.model_copy(update={"totals": totals, "budget": Budget()})

    report = read_reports(folder, target=target)

    assert report.available["lut"] == 99_999
    assert not any("taken from the reports" in note for note in report.notes)


def test_another_part_in_the_configuration_is_refused(folder):
    (folder / "hls4ml_config.yml").write_text(CONFIG.format(part="xcku115"))

    assert "xcku115" in refused(folder)


def test_a_slower_clock_is_noted(folder):
    path = folder / "anomaly_prj/solution1/syn/report"
    (path / "anomaly_csynth.rpt").unlink()
    (path / "anomaly_csynth.xml").write_bytes(golden.csynth_xml(target="25.00"))

    report = read_reports(folder, target=TARGET)

    assert number(report.clock_period_ns) == 25.0
    assert any("25 ns" in note for note in report.notes)


def test_no_report_at_all_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")

    assert "no report of C synthesis" in refused(tmp_path)


def test_no_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        read_reports(tmp_path / "missing", target=TARGET)


@pytest.mark.parametrize("text", ["a: [", "a: *b", "\x00", "- [" * 2000])
def test_a_damaged_configuration_is_refused(folder, text):
    (folder / "hls4ml_config.yml").write_text(text)

    assert "YAML" in refused(folder)


def test_a_hostile_configuration_runs_nothing(folder, tmp_path):
    mark = tmp_path / "mark"
    tag = "!!python/object/apply:os.system"
    (folder / "hls4ml_config.yml").write_text(f"ProjectName: {tag} ['touch {mark}']")

    refused(folder)

    assert not mark.exists()


def test_only_submodules_reports_are_refused(folder):
    (folder / "hls4ml_config.yml").unlink()

    assert "top function" in refused(folder)


def compared(folder: Path, network, tmp_path: Path):
    graph, weights = network
    workspace = Workspace(run_step=direct_step, folder=tmp_path / "steps")
    return {"graph": graph, "weights": weights, "workspace": workspace}


def test_the_keras_model_beside_the_reports_is_compared_by_its_weights(folder, small, tmp_path):
    with h5py.File(folder / "keras_model.h5", "w") as file:
        for index, weight in enumerate(rebuild(*small).weights):
            file[f"layer/{index}"] = np.asarray(weight)

    report = read_reports(folder, target=TARGET, **compared(folder, small, tmp_path))

    assert any("of the submission's" in note and "holds" in note for note in report.notes)
    share = next(note for note in report.notes if "holds" in note)
    found, total = (int(word) for word in share.split() if word.isdigit())
    assert found == total > 0


def test_reports_of_another_network_are_refused(folder, small, tmp_path):
    with h5py.File(folder / "keras_model.h5", "w") as file:
        file["kernel"] = np.ones((6, 4), np.float32)

    assert "none of the submission's" in refused(folder, **compared(folder, small, tmp_path))


def test_the_ports_and_the_code_of_the_submission_are_checked(
    folder, small, small_project, tmp_path
):
    where = compared(folder, small, tmp_path)
    for path in folder.rglob("anomaly_csynth.*"):
        path.unlink()
    listed = [("x", "in", 60), ("y", "out", 9)]
    path = folder / "anomaly_prj/solution1/syn/report/anomaly_csynth.xml"
    path.write_bytes(golden.csynth_xml(ports=listed))
    with tarfile.open(small_project) as archive:
        archive.extractall(tmp_path / "own", filter="data")
    shutil.copytree(tmp_path / "own/anomaly/firmware", folder / "firmware")
    kept = compress(small_project, tmp_path / "kept.tar.zst")

    handed_in = read_reports(folder, target=TARGET, **where)
    assert handed_in.unchecked == (CODE,)
    more = {"folder": folder, "project": kept, "workspace": where["workspace"]}
    merged = with_witnesses(handed_in, handed_in, **more)
    assert merged.unchecked == ()

    defines = folder / "firmware/defines.h"
    defines.write_text(defines.read_text().replace("ap_fixed<", "ap_fixed<1", 1))
    with pytest.raises(InvalidSubmissionError, match="in the C\\+\\+ beside the reports, word"):
        with_witnesses(handed_in, handed_in, **more)


def test_without_a_model_it_is_said_that_nothing_was_compared(folder, small, tmp_path):
    report = read_reports(folder, target=TARGET, **compared(folder, small, tmp_path))

    assert any("not shown" in note for note in report.notes)


def test_witnesses_of_the_scores_leave_the_vendors_figures_alone(folder, tmp_path):
    handed_in = read_reports(folder, target=TARGET)
    agreement = Agreement(witnesses=("a", "b"), n_events=5, n_different=0, is_independent=True)
    made = handed_in.model_copy(
        update={
            "backend": "rtl",
            "is_handed_in": False,
            "lut": Figure(value=3, evidence="rtl", source="Yosys"),
            "input_bits": 8,
            "agreements": (agreement,),
        }
    )

    merged = with_witnesses(
        handed_in,
        made,
        folder=folder,
        project=None,
        workspace=Workspace(run_step=direct_step, folder=tmp_path / "steps"),
    )

    assert merged.is_handed_in
    assert merged.lut == handed_in.lut
    assert merged.verdicts == handed_in.verdicts
    assert merged.agreements == (agreement,)
    assert merged.input_bits == 8
    # Neither ports nor C++ lie there.
    assert merged.unchecked == handed_in.unchecked == (PORTS, CODE)
    assert "3 LUT" in merged.notes[-1]


def test_the_reports_that_were_read_are_kept_and_listed_by_digest(folder, tmp_path):
    kept = [tmp_path / name / REPORTS for name in ("one", "two")]
    artefacts = []
    for path in kept:
        path.parent.mkdir()
        artefacts.append(read_reports(folder, target=TARGET, kept=path).artefacts)

    assert artefacts[0] == artefacts[1]
    (artefact,) = artefacts[0]
    assert artefact.sha256 == hashlib.sha256(kept[0].read_bytes()).hexdigest()
    with tarfile.open(decompress(kept[0], tmp_path / "reports.tar")) as archive:
        names = archive.getnames()
        top = next(name for name in names if name.endswith("anomaly_csynth.xml"))
        content = archive.extractfile(top)
        assert content is not None
        assert content.read() == golden.csynth_xml()
    # The report of one layer was not read.
    assert sorted(Path(name).name for name in names) == [
        "anomaly_csynth.rpt",
        "anomaly_csynth.xml",
        "hls4ml_config.yml",
    ]
