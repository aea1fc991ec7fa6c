"""Each requirement is held against its limit, by how much, with its evidence."""

from __future__ import annotations

import pytest

from harness.card.figures import Band, NotMeasured
from harness.card.hardware import Figure
from harness.challenge import Budget, PartTotals, Target
from harness.errors import UsageError
from harness.firmware.parts import PARTS, find_part, normalise_part, part_of
from harness.firmware.record import RESOURCES, Timing, judge, nanoseconds

TARGET = Target(
    part="VU9P",
    clock_period_ns=5.0,
    max_latency_ns=1000.0,
    max_interval_ns=25.0,
    budget=Budget(lut=10_000, dsp=0),
)


def figure(value: float, evidence="rtl") -> Figure:
    return Figure(value=value, evidence=evidence, source="test")


def verdicts(target: Target = TARGET, **changes):
    figures = {
        "latency_cycles": figure(200),
        "interval_cycles": figure(1),
        "clock_period_ns": figure(5.0, "estimate"),
        "lut": figure(10_000),
        "ff": figure(1),
        "dsp": figure(0),
        "bram18": figure(0),
        **changes,
    }
    resources = {name: figures.pop(name) for name in RESOURCES}
    timing = Timing(**figures, source="test")
    return {verdict.requirement: verdict for verdict in judge(target, timing, resources)}


def test_a_limit_is_met_by_reaching_it():
    assert all(verdict.is_passed for verdict in verdicts().values())


@pytest.mark.parametrize(
    ("name", "value", "requirement", "limit"),
    [
        ("latency_cycles", 201, "latency", 1000.0),
        ("interval_cycles", 6, "interval", 25.0),
        ("lut", 10_001, "lut", 10_000),
        ("dsp", 1, "dsp", 0),
    ],
)
def test_beyond_a_limit_fails_and_says_by_how_much(name, value, requirement, limit):
    failed = verdicts(**{name: figure(value)})[requirement]

    assert not failed.is_passed
    in_ns = 5.0 * value if name.endswith("_cycles") else value
    assert (failed.value, failed.limit) == (in_ns, limit)


@pytest.mark.parametrize(
    ("cycles", "outcome"), [(100, "passed"), (170, "undecided"), (260, "failed")]
)
def test_a_limit_within_the_band_of_an_estimate_is_undecided(cycles, outcome):
    # 5 ns, between 4 and 6: of 1,000 ns 800, 1,000 and 1,200 decide.
    band = Band(lower=4.0, upper=6.0)
    period = Figure(value=5.0, evidence="estimate", source="test", band=band)
    latency = verdicts(latency_cycles=figure(cycles), clock_period_ns=period)["latency"]

    assert latency.is_passed is (outcome == "passed")
    assert latency.is_undecided is (outcome == "undecided")
    assert latency.value == 5.0 * cycles


def test_without_a_budget_the_parts_total_counts():
    assert verdicts()["ff"].limit == find_part("xcvu9p").available["ff"]
    assert not verdicts(ff=figure(2_364_481))["ff"].is_passed


def test_what_was_not_measured_gets_no_verdict():
    assert "latency" not in verdicts(latency_cycles=NotMeasured(not_measured="no"))


def test_nanoseconds_are_no_better_known_than_the_clock():
    latency = nanoseconds(figure(12, "rtl"), figure(5.0, "estimate"), "test")

    assert isinstance(latency, Figure)
    assert (latency.value, latency.evidence) == (60.0, "estimate")
    missing = NotMeasured(not_measured="why")
    assert nanoseconds(missing, figure(5.0), "") is missing
    assert nanoseconds(figure(1), missing, "") is missing


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("xcvu9p-flga2104-2-e", "xcvu9p"),
        ("XCVU13P-FLGA2577-2-E", "xcvu13p"),
        ("u250", "xcu250"),
        ("xcu55c", "xcu55c"),
        ("xcvu9pflga2104-2", "xcvu9p"),
        ("XC7A35T-1CPG236C", "xc7a35t"),
        ("xc7a35tcpg236-1", "xc7a35t"),
        ("xc7z020clg400-1", "xc7z020"),
    ],
)
def test_a_part_is_known_by_the_names_that_people_write(name, device):
    assert find_part(name).device == device


@pytest.mark.parametrize("name", ["", "xc7s50", "vu9", "xcvu9q-flga"])
def test_an_unknown_part_is_a_usage_error_that_lists_the_known(name):
    with pytest.raises(UsageError, match="xcvu9p, xcvu13p, xcu250, xcu55c"):
        find_part(name)


def test_the_totals_of_a_vu9p_are_the_published_ones():
    available = find_part("vu9p").available

    assert [available[name] for name in RESOURCES] == [1_182_240, 2_364_480, 6_840, 4_320]
    # Each LUT of UltraScale+ has two flip-flops beside it.
    assert all(part.available["ff"] == 2 * part.available["lut"] for part in PARTS)


def test_a_part_may_be_stated_with_its_totals():
    totals = {"family": "7series", "lut": 8_000, "ff": 16_000, "dsp": 20, "bram18": 40}
    small = TARGET.model_copy(
        update={
            "part": "xc7s15-mine",
            "totals": PartTotals.model_validate(totals),
            "budget": Budget(),
        }
    )
    found = part_of(small)
    assert (found.device, found.part, found.family) == ("xc7s15", "xc7s15-mine", "7series")
    limits = {one.requirement: one.limit for one in verdicts(small).values()}
    assert (limits["lut"], limits["ff"], limits["dsp"], limits["bram18"]) == (8_000, 16_000, 20, 40)
    assert "totals" not in TARGET.model_dump(mode="json")
    assert Target.model_validate(small.model_dump(mode="json")) == small


def test_an_old_part_number_gets_its_dash():
    assert normalise_part("xcu55cfsvh2892-2L-e") == "xcu55c-fsvh2892-2l-e"
    assert normalise_part("xcvu9p") == "xcvu9p"
