"""Working points that a manifest states as rates in kHz."""

from __future__ import annotations

import json

import jsonschema
import pytest

from harness.challenge import Challenge, point_text
from tests.events import make_challenge, toy_file
from tools import schemas

KHZ = 28_608.8064
RATES = [0.01, 0.1, 0.25, 0.5, 1.0]
MERIT = {"kind": "efficiency_at_rate", "rate_khz": 1.0, "input_rate_khz": KHZ}


def stated(**changes: object) -> dict[str, object]:
    made = make_challenge([toy_file()]).model_dump(mode="json")
    del made["false_positive_rates"], made["working_point"]
    return {**made, "merit": MERIT, "rates_khz": RATES, **changes}


def test_rates_become_false_positive_rates() -> None:
    challenge = Challenge.model_validate(stated())
    assert challenge.working_point == 1.0 / KHZ
    assert challenge.false_positive_rates == tuple(rate / KHZ for rate in RATES)
    written = [point_text(challenge.merit, fpr) for fpr in challenge.false_positive_rates]
    assert written[0] == "0.01 kHz (FPR 3.5e-7)"
    assert written[-1] == "1 kHz (FPR 3.5e-5)"
    # What is written of it is read back as the same.
    again = Challenge.model_validate_json(challenge.model_dump_json())
    assert again.false_positive_rates == challenge.false_positive_rates
    assert again.working_point == challenge.working_point


def test_what_adds_to_the_menu_may_be_ranked_at_a_rate_too() -> None:
    merit = {**MERIT, "kind": "added_efficiency_at_rate", "fixed": "total"}
    challenge = Challenge.model_validate(stated(merit=merit, menu="L1bit"))
    assert challenge.working_point == 1.0 / KHZ
    assert challenge.merit.describe() == "Added efficiency at a total of 1 kHz (FPR 3.5e-5)"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"working_point": 0.1}, "both rates_khz and working_point"),
        ({"false_positive_rates": [0.1]}, "both rates_khz and false_positive_rates"),
        ({"merit": None}, "needs a merit with input_rate_khz"),
        ({"merit": {"kind": "auc"}}, "needs a merit with input_rate_khz"),
        ({"rates_khz": [0.1, 0.5]}, "rate_khz 1 is not among rates_khz"),
        ({"rates_khz": [1.0, 0.1]}, "above 0, rising"),
        ({"rates_khz": [1.0, -1.0]}, "above 0, rising"),
        ({"rates_khz": "1 kHz"}, "rates_khz: rates in kHz"),
        ({"merit": {"kind": "efficiency_at_rate"}}, "input_rate_khz\n  Field required"),
    ],
)
def test_rates_that_make_no_sense_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Challenge.model_validate(stated(**change))


def test_without_either_the_manifest_says_what_is_missing() -> None:
    document = stated()
    del document["rates_khz"]
    with pytest.raises(ValueError, match="working_point"):
        Challenge.model_validate(document)


def test_the_published_schema_takes_either() -> None:
    path = schemas.schema_path("manifest")
    schema = json.loads(path.read_text(encoding="utf-8"))
    document = stated()
    del document["rates_khz"]
    points = {"false_positive_rates": [0.1], "working_point": 0.1}
    for more in ({"rates_khz": RATES}, points):
        jsonschema.validate({"schema": 1, "challenges": [{**document, **more}]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 1, "challenges": [document]}, schema)
