"""Score cards: what may stand in one, and that it comes back as it was."""

import json
import math

import pytest
from pydantic import ValidationError

from harness.card.checks import Check
from harness.card.costs import Cost
from harness.card.figures import Interval, NotMeasured, UnreachedWorkingPoint
from harness.card.hardware import Figure
from harness.card.physics import Auc, WorkingPoint
from harness.card.records import ScoreCard
from tests.cards import make_card, make_firmware


@pytest.fixture(scope="module")
def card():
    return make_card()


def as_json(card):
    return json.loads(card.model_dump_json())


def is_told(place, location):
    """Whether a location names `place`; pydantic adds the names of a union's members."""
    parts = iter(location)
    return all(key in parts for key in place)


def test_a_card_survives_its_own_json(card):
    assert ScoreCard.model_validate_json(card.model_dump_json()) == card


def test_numbers_keep_every_bit(card):
    rate = 0.1 + 0.2
    auc = Auc(value=rate, interval=Interval(lower=1e-300, upper=math.nextafter(1, 0), method="m"))
    read = Auc.model_validate_json(auc.model_dump_json())
    assert (read.value, read.interval.lower, read.interval.upper) == (
        rate,
        1e-300,
        math.nextafter(1, 0),
    )


def test_a_card_cannot_be_changed(card):
    with pytest.raises(ValidationError, match="frozen"):
        card.is_official = False


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_figure_is_nan_or_infinite(value):
    with pytest.raises(ValidationError):
        Figure(value=value, evidence="rtl", source="made up")
    with pytest.raises(ValidationError):
        Check(name="order", outcome="same", n_events=1, max_difference=value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_no_figure_is_nan_or_infinite_in_json_either(text):
    with pytest.raises(ValidationError):
        Figure.model_validate_json(f'{{"value": {text}, "evidence": "rtl", "source": "s"}}')


def test_what_was_not_measured_gives_its_reason():
    cost = Cost(
        n_parameters=1,
        n_trainable=1,
        flops=NotMeasured(not_measured="no formula"),
        macs=1,
        bops=1,
        weight_bits=1,
    )
    read = Cost.model_validate_json(cost.model_dump_json())
    assert isinstance(read.flops, NotMeasured)
    assert read.flops.not_measured == "no formula"


def test_a_reached_and_an_unreached_working_point_are_told_apart(card):
    read = ScoreCard.model_validate_json(card.model_dump_json())
    kinds = [type(point) for point in read.firmware_physics.working_points]
    assert kinds == [WorkingPoint] * 4
    unreached = UnreachedWorkingPoint(fpr=1e-9, not_measured="too few events")
    physics = read.firmware_physics.model_copy(update={"working_points": (unreached,)})
    again = type(physics).model_validate_json(physics.model_dump_json())
    assert again.at(1e-9) == unreached


def test_a_working_point_is_found_by_its_rate(card):
    assert card.firmware_physics.at(1e-5).fpr == 1e-5
    with pytest.raises(KeyError):
        card.firmware_physics.at(2e-5)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema_version",), 2),
        (("created",), "2026-03-01 12:00:00"),
        (("created",), "2026-03-01T12:00:00Z\n"),
        (("submission", "team"), "../x"),
        (("submission", "team"), "Team_X"),
        (("submission", "digest"), "sha256:xyz"),
        (("submission", "division"), "both"),
        (("submission", "description"), "x" * 4001),
        (("challenge", "working_point"), 1.5),
        (("isolation", "kind"), "docker"),
        (("firmware", "lut", "evidence"), "guess"),
        (("cost", "flops"), -1),
        (("cost", "flops"), 1.5),
        (("firmware_physics", "auc", "ato4l", "value"), 1.1),
        (("usage", "score", "wall_s"), -1.0),
    ],
)
def test_a_card_with_a_wrong_value_is_refused_with_its_place(card, place, value):
    content = as_json(card)
    target = content
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(ValidationError) as caught:
        ScoreCard.model_validate(content)
    assert any(is_told(place, fault["loc"]) for fault in caught.value.errors())


def test_an_unknown_field_is_refused(card):
    with pytest.raises(ValidationError, match="Extra inputs"):
        ScoreCard.model_validate(as_json(card) | {"rank": 1})


@pytest.mark.parametrize(
    "field", ["cost", "firmware", "float_physics", "checks", "isolation", "environment"]
)
def test_a_missing_field_is_refused(card, field):
    content = as_json(card)
    del content[field]
    with pytest.raises(ValidationError, match="Field required"):
        ScoreCard.model_validate(content)


def test_firmware_is_within_target_only_if_something_was_measured():
    firmware = make_firmware(cycles=6)
    assert firmware.is_within_target
    assert not make_firmware(cycles=201).is_within_target
    assert not firmware.model_copy(update={"verdicts": ()}).is_within_target
