"""What a challenge may be: the manifest's values refuse what makes no sense."""

import math
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.challenge import (
    EVIDENCE_LADDER,
    Budget,
    Challenge,
    EventLayout,
    Name,
    ObjectGroup,
    RankingRules,
    Split,
    Utc,
)
from harness.data.manifest import load_manifest

GOOD = {
    "name": "toy",
    "title": "Toy",
    "version": "1",
    "synthetic": True,
    "licence": "CC0-1.0",
    "layout": {"objects": [{"name": "met", "n_slots": 1}, {"name": "jet", "n_slots": 3}]},
    "files": [
        {"name": "b.h5", "role": "background", "process": "background", "title": "Background"},
        {"name": "s.h5", "role": "signal", "process": "x4l", "title": "X → 4ℓ"},
        {"name": "h.h5", "role": "hidden", "process": "secret", "title": "Secret"},
        {"name": "k.h5", "role": "blackbox", "process": "blackbox", "title": "Black box"},
    ],
    "split": {"key": "toy-1", "train": 0.5, "validation": 0.1, "test": 0.4},
    "seed": 1,
    "false_positive_rates": [1e-5, 1e-4],
    "working_point": 1e-5,
    "target": {
        "part": "xcvu9p",
        "clock_period_ns": 5.0,
        "max_latency_ns": 1000.0,
        "max_interval_ns": 25.0,
        "budget": {"lut": 394_080},
    },
}


def changed(**changes):
    return GOOD | changes


def test_a_layout_knows_its_shape():
    layout = EventLayout(
        objects=(
            ObjectGroup(name="met", n_slots=1),
            ObjectGroup(name="electron", n_slots=4),
            ObjectGroup(name="muon", n_slots=4),
            ObjectGroup(name="jet", n_slots=10),
        )
    )
    assert layout.shape == (19, 3)


def test_signals_are_the_shown_and_the_hidden_ones():
    challenge = Challenge.model_validate(GOOD)
    assert challenge.signals == ("x4l", "secret")
    assert challenge.processes("background") == ("background",)


def test_the_shipped_challenges_are_those_promised():
    manifest = load_manifest()
    assert set(manifest.names) >= {"adc2021", "adc2021-v1", "sample"}
    for name in ("adc2021", "adc2021-v1", "sample"):
        challenge = manifest.challenge(name)
        assert challenge.layout.shape == (19, 3)
        assert len(challenge.signals) == 4
        assert challenge.working_point == 1e-5
        assert challenge.synthetic == (challenge.name == "sample")


def test_published_counts_of_the_second_version():
    challenge = load_manifest().challenge("adc2021")
    assert {file.process: file.n_events for file in challenge.files} == {
        "background": 13_451_915,
        "ato4l": 55_969,
        "lq": 340_544,
        "h0": 691_283,
        "hplus": 760_272,
        "blackbox": 4_210_492,
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"files": [GOOD["files"][1]]}, "background"),
        ({"files": [GOOD["files"][0], GOOD["files"][0]]}, "share a name"),
        ({"files": []}, "at least 1"),
        ({"working_point": 1e-3}, "working_point is not among"),
        ({"false_positive_rates": [1e-4, 1e-5]}, "rise strictly"),
        ({"false_positive_rates": [1e-5, 1e-5, 1e-4]}, "rise strictly"),
        ({"false_positive_rates": [math.nan, 1e-5]}, "finite"),
        ({"split": {"key": "k", "train": 0.5, "validation": 0.1, "test": 0.5}}, "1.1, not 1"),
        ({"split": {"key": "", "train": 0.5, "validation": 0.1, "test": 0.4}}, "at least 1"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"seed": 2**63}, "less than"),
        ({"name": "ADC2021"}, "pattern"),
        ({"name": "../x"}, "pattern"),
        ({"prize": "a bottle"}, "Extra inputs"),
        ({"collision_rate_hz": math.inf}, "finite"),
        ({"layout": {"objects": []}}, "at least 1"),
        ({"layout": {"objects": [{"name": "jet", "n_slots": 0}]}}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(change, told):
    with pytest.raises(ValidationError, match=told):
        Challenge.model_validate(changed(**change))


@pytest.mark.parametrize("name", ["", "-x", ".x", "X", "a/b", "a\\b", "a b", "a\n", "é", "x" * 65])
def test_names_are_safe_as_file_names_and_urls(name):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("name", ["a", "0", "team_x", "adc2021-v1", "a.b+c", "x" * 64])
def test_good_names_are_taken(name):
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize(
    "time",
    [
        *("2026-03-01", "soon", "", "2026-03-01T12:00:00", "2026-11-31T23:59:59Z"),
        *("2026-03-01T25:61:61Z", "2026-02-29T00:00:00Z", "0001-01-01T00:00:00+05:00"),
        *(1, datetime(2026, 3, 1, 12)),  # noqa: DTZ001 - a time without zone
    ],
)
def test_a_time_exists_and_has_a_zone(time):
    with pytest.raises(ValidationError, match="a time that exists, with its zone"):
        TypeAdapter(Utc).validate_python(time)


@pytest.mark.parametrize(
    ("time", "kept"),
    [
        ("2026-03-01T12:00:00+01:00", "2026-03-01T11:00:00Z"),
        ("2026-02-28T23:30:00-05:00", "2026-03-01T04:30:00Z"),
        ("2026-03-01T12:00:00.9Z", "2026-03-01T12:00:00Z"),
        ("0101-03-01T12:00Z", "0101-03-01T12:00:00Z"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00Z"),
    ],
)
def test_a_time_is_kept_in_utc(time, kept):
    assert TypeAdapter(Utc).validate_python(time) == kept


def test_a_split_tolerates_decimal_fractions():
    assert Split(key="k", train=0.7, validation=0.1, test=0.2).test == 0.2


def test_a_budget_may_leave_a_resource_free():
    assert Budget(lut=1).dsp is None
    with pytest.raises(ValidationError):
        Budget(lut=0)


def test_evidence_rises_from_estimate_to_post_route():
    assert EVIDENCE_LADDER == ("estimate", "rtl", "csynth", "post_synth", "post_route")
    assert "estimate" not in RankingRules().accepted_evidence


def test_resource_classes_rise():
    with pytest.raises(ValidationError, match="rise strictly"):
        RankingRules(resource_classes_lut=(10_000, 1_000))


def test_a_challenge_cannot_be_changed():
    challenge = Challenge.model_validate(GOOD)
    with pytest.raises(ValidationError, match="frozen"):
        challenge.seed = 2


def test_a_challenge_survives_its_own_json():
    challenge = Challenge.model_validate(GOOD)
    assert Challenge.model_validate_json(challenge.model_dump_json()) == challenge
