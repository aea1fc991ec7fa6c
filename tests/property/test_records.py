"""Whatever a card holds comes back from its file as it was, and whatever a file holds is told."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.card.checks import Check
from harness.card.costs import Compression, Cost
from harness.card.figures import Interval, NotMeasured, UnreachedWorkingPoint
from harness.card.hardware import Figure
from harness.card.physics import Auc, Physics, RocPoints, SignalRate, WorkingPoint
from harness.card.records import ScoreCard
from harness.challenge import EVIDENCE_LADDER
from tests.cards import make_card

texts = st.text(max_size=40)
names = st.from_regex(r"[a-z0-9][a-z0-9_+.-]{0,20}", fullmatch=True)
numbers = st.floats(allow_nan=False, allow_infinity=False)
probabilities = st.floats(min_value=0.0, max_value=1.0)
counts = st.integers(min_value=0, max_value=2**63)
reasons = st.builds(NotMeasured, not_measured=texts)
intervals = st.builds(Interval, lower=numbers, upper=numbers, level=probabilities, method=texts)
rates = st.builds(
    SignalRate,
    n_passing=counts,
    n_events=counts,
    tpr=probabilities,
    interval=intervals,
    significance_improvement=numbers,
)
working_points = st.one_of(
    st.builds(UnreachedWorkingPoint, fpr=probabilities, not_measured=texts),
    st.builds(
        WorkingPoint,
        fpr=probabilities,
        threshold=numbers,
        is_strict=st.booleans(),
        n_allowed=counts,
        n_passing=counts,
        fpr_realised=probabilities,
        is_low_statistics=st.booleans(),
        rates=st.dictionaries(names, rates, max_size=3),
    ),
)
physics = st.builds(
    Physics,
    arithmetic=st.sampled_from(["float", "firmware"]),
    n_background=counts,
    auc=st.dictionaries(names, st.builds(Auc, value=probabilities, interval=intervals), max_size=3),
    working_points=st.lists(working_points, max_size=3).map(tuple),
    replicates=st.dictionaries(names, st.lists(probabilities, max_size=5).map(tuple), max_size=3),
    roc=st.dictionaries(
        names,
        st.builds(
            RocPoints,
            fpr=st.lists(probabilities, max_size=4).map(tuple),
            tpr=st.lists(probabilities, max_size=4).map(tuple),
        ),
        max_size=2,
    ),
)
compressions = st.builds(
    Compression,
    n_weights=counts,
    n_zero=counts,
    zero_share=st.floats(0, 1),
    bits_per_weight=st.floats(0, 64),
)
costs = st.builds(
    Cost,
    n_parameters=counts,
    n_trainable=counts,
    flops=st.one_of(counts, reasons),
    flops_by_operation=st.dictionaries(texts, counts, max_size=3),
    flops_on_weights=counts,
    uncounted_operations=st.dictionaries(texts, counts, max_size=3),
    macs=st.one_of(counts, reasons),
    bops=st.one_of(counts, reasons),
    weight_bits=st.one_of(counts, reasons),
    compression=st.one_of(st.none(), reasons, compressions),
)
checks = st.builds(
    Check,
    name=names,
    outcome=st.sampled_from(["same", "noise", "leak", "diagnostic"]),
    n_events=counts,
    max_difference=numbers,
    detail=texts,
)
figures = st.builds(Figure, value=numbers, evidence=st.sampled_from(EVIDENCE_LADDER), source=texts)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
CARD = make_card()
# Without the long lists, so that a mutation meets structure.
SMALL = json.loads(
    CARD.model_copy(
        update={
            "float_physics": NotMeasured(not_measured="x"),
            "firmware_physics": NotMeasured(not_measured="x"),
            "accepted": NotMeasured(not_measured="x"),
        }
    ).model_dump_json()
)


@given(record=st.one_of(physics, costs, checks, figures, working_points))
def test_every_record_survives_its_own_json(record):
    text = record.model_dump_json()
    again = type(record).model_validate_json(text)
    assert again == record
    assert again.model_dump_json() == text


@settings(max_examples=50)
@given(
    measured=st.one_of(physics, reasons),
    cost=st.one_of(costs, reasons),
    found=st.one_of(st.lists(checks, max_size=3).map(tuple), reasons),
    warnings=st.lists(texts, max_size=3).map(tuple),
)
def test_every_card_survives_its_own_json(measured, cost, found, warnings):
    card = CARD.model_copy(
        update={"float_physics": measured, "cost": cost, "checks": found, "warnings": warnings}
    )
    assert ScoreCard.model_validate_json(card.model_dump_json()) == card


@given(value=numbers)
def test_every_finite_number_keeps_its_bits(value):
    figure = Figure(value=value, evidence="rtl", source="")
    read = Figure.model_validate_json(figure.model_dump_json()).value
    assert read == value
    assert math.copysign(1.0, read) == math.copysign(1.0, value)


@given(content=json_values)
def test_any_json_is_a_card_or_is_told_as_none(content):
    with pytest.raises(ValidationError):
        ScoreCard.model_validate(content)


def paths(value, path=()):
    """All places in a JSON document."""
    yield path
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return
    for key, item in items:
        yield from paths(item, (*path, key))


PLACES = [path for path in paths(SMALL) if path]


def replaced(document, path, value):
    """A copy of a JSON document with another value at one place."""
    head, *rest = path
    copy = list(document) if isinstance(document, list) else dict(document)
    copy[head] = replaced(copy[head], rest, value) if rest else value
    return copy


@settings(max_examples=200)
@given(path=st.sampled_from(PLACES), value=json_values)
def test_a_card_changed_anywhere_loads_as_it_stands_or_is_refused(path, value):
    """Nothing but a validation error is raised, and what loads holds what the file says."""
    text = json.dumps(replaced(SMALL, path, value))
    try:
        card = ScoreCard.model_validate_json(text)
    except ValidationError:
        return
    assert ScoreCard.model_validate_json(card.model_dump_json()) == card
