"""Units of features: integers that stand for GeV and radians."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from harness.challenge import EventLayout, Preselection, events_within
from harness.data import forms, hdf5_writer, mix, npy, physical_units, split
from harness.data.mix import flip_eta, move_pt, rotate_phi
from harness.data.observables import observables_of
from harness.data.structure import StructureCheck
from harness.data.variations import event_variations, vary_events
from harness.metrics.accepted import cut_values
from harness.scoring.scorer import Scorer
from tests.events import LAYOUT, make_challenge, make_events, toy_file

TURN = 144
STEPS = {"pt": 0.5, "eta": 0.125, "phi": 2 * np.pi / TURN}
CODED = EventLayout.model_validate(
    {
        "objects": [
            {
                "name": group.name,
                "n_slots": group.n_slots,
                "units": {
                    "pt": {"step": 0.5, "offset": -1, "unit": "GeV"},
                    "eta": {"step": 0.125},
                    "phi": {"step": 2 * np.pi / TURN, "unit": "rad"},
                },
            }
            for group in LAYOUT.objects
        ]
    }
)


def coded_events(n_events: int, *, seed: int = 1) -> np.ndarray:
    """Draw events in steps: angles from 0 to 143, a pT of 0 GeV is 1."""
    events = make_events(n_events, seed=seed)
    is_filled = events[..., :1] > 0
    codes = np.rint(events / [STEPS["pt"], STEPS["eta"], STEPS["phi"]])
    codes[..., 0] += 1
    codes[..., 2] %= TURN
    return (codes * is_filled + 0.0).astype(np.float32)


def by_hand(codes: np.ndarray) -> np.ndarray:
    """Bring steps to GeV and radians, one number at a time."""
    found = np.zeros(codes.shape)
    for place in np.ndindex(codes.shape[:2]):
        pt, eta, phi = codes[place]
        if pt > 0:
            signed = phi if phi < TURN / 2 else phi - TURN
            found[place] = (pt - 1) * 0.5, eta * 0.125, signed * 2 * np.pi / TURN
    return found


@pytest.mark.parametrize(
    ("n_bytes", "n_events"),
    [
        (npy.CHUNK_BYTES, 65_536),
        (forms.MAX_CHUNK_BYTES, 524_288),
        (hdf5_writer.CHUNK_BYTES, 4_096),
        (mix.STRETCH_BYTES, 524_288),
        (split._BLOCK_BYTES, 2_048),
    ],
)
def test_budgets_are_the_numbers_of_events_that_adc2021_always_had(
    n_bytes: int, n_events: int
) -> None:
    assert events_within(n_bytes, LAYOUT.shape) == n_events


def test_large_events_are_read_and_scored_by_fewer(tmp_path: Path) -> None:
    large = EventLayout.model_validate(
        {"objects": [{"name": "part", "n_slots": 1000}], "features": ["pt", "eta", "phi"]}
    )
    assert Scorer.of_open(tmp_path, LAYOUT).at_once == 65_536
    assert Scorer.of_open(tmp_path, large).at_once == 65_536 * 57 // 3000
    small = large.model_copy(update={"features": ("pt",), "objects": LAYOUT.objects[:1]})
    assert Scorer.of_open(tmp_path, small).at_once == 65_536
    events = np.zeros((2000, *large.shape), np.float32)
    np.save(tmp_path / "events.npy", events)
    sizes = [len(chunk) for _, chunk in npy.read_npy(tmp_path / "events.npy")]
    assert sizes == [1245, 755]


def test_numbers_become_gev_and_radians() -> None:
    codes = coded_events(200)
    challenge = make_challenge([toy_file()]).model_copy(update={"layout": CODED})
    physical = physical_units(codes, challenge)
    assert physical.dtype == np.float32
    assert np.allclose(physical, by_hand(codes), atol=1e-5)


def test_without_units_nothing_is_computed() -> None:
    events = make_events(5)
    assert LAYOUT.physical(events) is events
    assert np.shares_memory(LAYOUT.values(events, "pt"), events)
    assert "units" not in LAYOUT.model_dump_json()


@pytest.mark.parametrize("feature", ["pt", "eta", "phi"])
def test_put_is_the_inverse_of_values(feature: str) -> None:
    codes = coded_events(100)
    values = CODED.values(codes, feature)
    assert np.array_equal(CODED.put(codes, feature, values), codes)
    moved = CODED.put(codes, feature, np.where(CODED.is_filled(codes), values + STEPS[feature], 0))
    column = CODED.features.index(feature)
    expected = codes[..., column] + CODED.is_filled(codes)
    assert np.array_equal(moved[..., column], expected % TURN if feature == "phi" else expected)


def test_a_turn_is_of_whole_steps_and_stays_in_the_period() -> None:
    codes = coded_events(300)
    turned = rotate_phi(codes, np.random.default_rng(1), layout=CODED)
    steps = (turned[..., 2] - codes[..., 2]) % TURN
    is_filled = codes[..., 0] > 0
    assert all(
        len(np.unique(row[there])) == 1 for row, there in zip(steps, is_filled) if any(there)
    )
    assert len(np.unique(steps[is_filled])) > TURN / 2
    assert turned[..., 2].min() == 0
    assert turned[..., 2].max() == TURN - 1
    assert not turned[~is_filled].any()


def test_angles_around_zero_stay_around_zero() -> None:
    codes = coded_events(300)
    codes[..., 2] = np.where(codes[..., 2] >= TURN / 2, codes[..., 2] - TURN, codes[..., 2])
    turned = rotate_phi(codes, np.random.default_rng(1), layout=CODED)
    assert (turned[..., 2].min(), turned[..., 2].max()) == (-TURN / 2, TURN / 2 - 1)


def test_the_other_variants_stay_in_steps() -> None:
    codes = coded_events(100)
    flipped = flip_eta(codes, layout=CODED)
    assert np.array_equal(flipped[..., 1], -codes[..., 1])
    assert np.array_equal(flipped[..., ::2], codes[..., ::2])
    moved = move_pt(codes, np.random.default_rng(1), layout=CODED)
    assert np.array_equal(moved, np.rint(moved))
    assert (moved[..., 0] != codes[..., 0]).any()
    assert np.array_equal(moved[..., 0] > 0, codes[..., 0] > 0)


def test_observables_and_cuts_are_those_of_the_same_events_in_gev() -> None:
    codes = coded_events(500)
    physical = CODED.physical(codes)
    for coded, plain in zip(observables_of(CODED), observables_of(LAYOUT), strict=True):
        assert coded.edges == plain.edges
        assert np.array_equal(coded.compute(codes), plain.compute(physical), equal_nan=True)
    expected = cut_values(physical, LAYOUT)
    for name, found in cut_values(codes, CODED).items():
        assert np.array_equal(found, expected[name])


def test_integer_angles_are_no_remark() -> None:
    check = StructureCheck(source="x.h5", layout=CODED)
    codes = coded_events(200)
    check.add(codes)
    assert check.report().remarks == ()
    assert check.report().max_pt == by_hand(codes)[..., 0].max()
    codes[0, 0, 2] = TURN
    check.add(codes)
    assert check.report().remarks == ("1 events have |phi| > pi",)


@pytest.mark.parametrize("variation", event_variations(), ids=lambda one: one.name)
def test_variations_change_the_same_physics(variation) -> None:
    codes = coded_events(300)
    hashes = np.arange(300, dtype=np.uint64)
    asked = Preselection(leading=("electron", "muon"), leading_pt_gev=23.0)
    challenge = make_challenge([toy_file()]).model_copy(update={"preselection": asked})
    plain = vary_events(variation, CODED.physical(codes), hashes, challenge)
    coded = vary_events(variation, codes, hashes, challenge.model_copy(update={"layout": CODED}))
    assert np.array_equal(coded.is_selected, plain.is_selected)
    assert np.array_equal(coded.events, np.rint(coded.events))
    off = np.abs(CODED.physical(coded.events) - plain.events)
    assert off[..., 0].max() <= 0.25 + 1e-4
    assert (np.minimum(off[..., 2], 2 * np.pi - off[..., 2]) <= STEPS["phi"] / 2 + 1e-4).all()
    is_same = (coded.events == codes).all(axis=(1, 2))
    assert is_same.any() or variation.name == "met_smearing"


@pytest.mark.parametrize(
    ("units", "told"),
    [
        ({"energy": {"step": 1.0}}, "muon has units of energy; the features are pt, eta, phi"),
        ({"pt": {"step": 0.0}}, "greater than 0"),
        ({"pt": {"step": -1.0}}, "greater than 0"),
        ({"pt": {"step": 1.0, "offset": float("nan")}}, "finite number"),
        ({"pt": {"step": 1.0, "unit": "MeV"}}, "pt of muon is in MeV; pt is in GeV"),
        ({"phi": {"step": 1.0, "unit": "deg"}}, "phi of muon is in deg; phi is in rad"),
        ({"phi": {"step": 4.0}}, "half a turn"),
        ({"pt": {"steps": 1.0}}, "Extra inputs"),
    ],
)
def test_wrong_units_are_refused(units: dict[str, object], told: str) -> None:
    muons = {"name": "muon", "n_slots": 2, "units": units}
    with pytest.raises(ValidationError, match=told):
        EventLayout.model_validate({"objects": [muons]})
