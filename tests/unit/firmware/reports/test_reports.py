"""Vendors' reports are read as they are laid out, and refused where a figure can't be believed."""

from __future__ import annotations

import pytest

from harness.errors import ExitCode, InvalidSubmissionError
from harness.firmware.reports.csynth import parse_csynth_rpt, parse_csynth_xml
from harness.firmware.reports.vivado import kind_of, parse_timing, parse_utilisation
from tests.golden.firmware import make_reports as golden

VERSIONS = ["2019.2", "2020.1", "2021.2", "2022.2", "2023.1", "2024.2", "2025.1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_both_forms_of_every_known_version_say_the_same(version):
    from_xml = parse_csynth_xml(golden.csynth_xml(version))
    from_text = parse_csynth_rpt(golden.csynth_rpt(version))

    assert from_xml == from_text
    assert from_xml.version == version
    assert from_xml.used == golden.DESIGN
    assert from_xml.available == golden.AVAILABLE
    assert from_xml.clock_target_ns == 5.0
    assert from_xml.clock_estimated_ns == 4.321
    assert from_xml.clock_uncertainty_ns == 1.35


def test_the_worst_latency_and_interval_are_read_never_the_best():
    report = parse_csynth_xml(golden.csynth_xml(best="3", worst="900", interval="7"))

    assert (report.latency_cycles, report.best_latency_cycles) == (900, 3)
    assert report.interval_cycles == 7


def refused(call, *arguments) -> str:
    with pytest.raises(InvalidSubmissionError) as caught:
        call(*arguments)
    assert caught.value.exit_code == ExitCode.INVALID
    return str(caught.value)


@pytest.mark.parametrize("word", ["undef", "?", "-"])
def test_an_undetermined_latency_is_refused(word):
    assert "could not determine" in refused(parse_csynth_xml, golden.csynth_xml(worst=word))
    assert "could not determine" in refused(parse_csynth_rpt, golden.csynth_rpt(worst="?"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"worst": "-4"}, "-4"),
        ({"worst": "12345678"}, "12345678"),
        ({"worst": "1e3"}, "1e3"),
        ({"best": "20", "worst": "14"}, "above the worst"),
        ({"interval": "0"}, "interval is 0"),
        ({"target": "0"}, "clock period is 0"),
        ({"target": "-5"}, "-5"),
        ({"estimated": "nan"}, "nan"),
        ({"estimated": "inf"}, "inf"),
        ({"used": golden.DESIGN | {"lut": -1}}, "-1"),
        ({"used": golden.DESIGN | {"lut": 10**12}}, "1000000000000"),
        ({"part": "../../etc"}, "../../etc"),
        ({"top": "a b"}, "a b"),
    ],
)
def test_absurd_figures_are_refused_by_name(changes, word):
    assert word in refused(parse_csynth_xml, golden.csynth_xml(**changes))


@pytest.mark.parametrize("version", ["2018.3", "2026.1", "2030.1", ""])
def test_an_unknown_version_is_refused(version):
    assert "ersion" in refused(parse_csynth_xml, golden.csynth_xml(version))


def test_a_truncated_report_is_refused():
    xml, text = golden.csynth_xml(), golden.csynth_rpt()

    for share in (0.2, 0.5, 0.8, 0.97):
        refused(parse_csynth_xml, xml[: int(len(xml) * share)])
    for mark in ("+ Latency", "== Utilization", "|Total", "|Available  "):
        refused(parse_csynth_rpt, text[: text.index(mark)])
    refused(parse_csynth_xml, b"")
    refused(parse_csynth_rpt, "")


def test_a_missing_resource_is_refused():
    assert "URAM" in refused(parse_csynth_xml, golden.csynth_xml().replace(b"URAM", b"OTHER"))


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE profile [
 <!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">
 <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
 <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
]>
<profile><ReportVersion><Version>&c;</Version></ReportVersion></profile>"""
FILE = b"""<!DOCTYPE profile [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<profile><UserAssignments><TopModelName>&x;</TopModelName></UserAssignments></profile>"""


@pytest.mark.parametrize("attack", [BOMB, FILE, b"<!DOCTYPE profile><profile/>"])
def test_a_doctype_is_refused(attack):
    assert "DOCTYPE" in refused(parse_csynth_xml, attack)


@pytest.mark.parametrize("other", [b"<html></html>", b"\x00\x01", b"<profile>" * 5000])
def test_what_is_no_report_is_refused(other):
    refused(parse_csynth_xml, other)


def test_a_routed_design_is_read_with_halves_of_block_ram():
    report = parse_utilisation(golden.utilisation_rpt())

    assert report.used == {"lut": 18_250, "ff": 2_950, "bram18": 3, "uram": 0, "dsp": 12}
    assert report.available == golden.AVAILABLE
    assert report.carry8 == 1_400
    assert report.header.part == "xcvu9p-flga2104-2-e"


@pytest.mark.parametrize("state", ["Fully Placed", "Unrouted"])
def test_a_design_in_another_state_is_refused(state):
    assert state in refused(parse_utilisation, golden.utilisation_rpt(state=state))
    assert state in refused(parse_timing, golden.timing_rpt(state=state))


@pytest.mark.parametrize("state", ["Synthesized", "Optimized"])
def test_of_a_design_that_is_not_routed_the_utilisation_counts_and_the_timing_does_not(state):
    report = parse_utilisation(golden.utilisation_rpt(state=state))

    assert report.header.evidence == "post_synth"
    assert "guesses of the wires" in refused(parse_timing, golden.timing_rpt(state=state))


def test_a_summary_without_a_clock_takes_the_period_from_its_paths():
    text = golden.timing_rpt(slack="6.028", period="25.000").replace("ap_clk ", "")
    text += "Max Delay Paths\n  Requirement:            25.000ns  (MaxDelay Path 25.000ns)\n"

    assert parse_timing(text).achieved_period_ns == pytest.approx(18.972)


@pytest.mark.parametrize(
    ("command", "state", "kind"),
    [
        ("report_utilization -file a.rpt", "Routed", "utilisation"),
        ("report_utilization -hierarchical -hierarchical_depth 6", "Routed", None),
        ("report_clock_utilization -file a.rpt", "Routed", None),
        ("report_timing_summary -file a.rpt", "Routed", "timing summary"),
        ("report_timing -max_paths 10 -file a.rpt", "Routed", "timing paths"),
        ("report_utilization -file a.rpt", "Fully Placed", None),
        ("report_power", "Routed", None),
    ],
)
def test_the_head_says_what_a_report_is_of(command, state, kind):
    assert kind_of(golden.header(command, state, golden.PART)) == kind


def test_more_than_the_part_has_is_refused():
    assert "bram18" in refused(parse_utilisation, golden.utilisation_rpt(tiles="9999"))


def test_a_table_that_is_missing_is_refused():
    text = golden.utilisation_rpt()

    assert "dsp" in refused(parse_utilisation, text[: text.index("4. ARITHMETIC")])


@pytest.mark.parametrize(("slack", "achieved"), [("0.471", 4.529), ("-0.330", 5.33)])
def test_the_achieved_period_is_the_constraint_less_the_slack(slack, achieved):
    report = parse_timing(golden.timing_rpt(slack=slack))

    assert report.clock_period_ns == 5.0
    assert report.achieved_period_ns == pytest.approx(achieved)


def test_a_report_of_one_path_is_read_as_well():
    report = parse_timing(golden.path_rpt())

    assert report.worst_slack_ns == -0.25
    assert report.achieved_period_ns == pytest.approx(5.25)


@pytest.mark.parametrize(
    "text",
    [
        golden.timing_rpt(slack="NA"),
        golden.timing_rpt(slack="7.000"),
        golden.timing_rpt(period="0.000"),
        golden.utilisation_rpt(),
        "",
    ],
)
def test_a_timing_without_a_believable_slack_is_refused(text):
    refused(parse_timing, text)
