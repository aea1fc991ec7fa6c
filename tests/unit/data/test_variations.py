"""Variations of events, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.challenge import EventLayout, ObjectGroup, Preselection
from harness.data.split import event_hashes
from harness.data.variations import event_variations, vary_events, why_not
from tests.events import LAYOUT, make_challenge, make_events, toy_file

PRESELECTION = Preselection(
    leading=("electron", "muon"), leading_pt_gev=23.0, object_pt_gev={"jet": 15.0}
)
TOY = make_challenge([toy_file()]).model_copy(update={"preselection": PRESELECTION})
VARIATIONS = {one.name: one for one in event_variations()}
MET, E1, MU1, J1 = 0, 1, 5, 9


def event(**objects):
    """One event of (pT, eta, phi) by kind."""
    made = np.zeros((1, 19, 3), np.float32)
    for kind, first in (("met", MET), ("electrons", E1), ("muons", MU1), ("jets", J1)):
        for index, one in enumerate(objects.get(kind, ())):
            made[0, first + index] = one
    return made


def vary(name, events, challenge=TOY):
    hashes = event_hashes(events, challenge.split.key)
    return vary_events(VARIATIONS[name], events, hashes, challenge)


MUON = [(30, 0.5, 2.0)]


def test_a_jet_scale_of_5_percent_moves_met_the_other_way():
    """A jet of 100 GeV along x gains 5 GeV: MET of 40 GeV along x is 35 GeV after it."""
    given = event(met=[(40, 0, 0)], muons=MUON, jets=[(100, 1.0, 0.0)])

    up, down = vary("jet_scale_up", given), vary("jet_scale_down", given)

    assert up.events[0, J1, 0] == pytest.approx(105.0)
    assert up.events[0, MET].tolist() == pytest.approx([35.0, 0.0, 0.0])
    assert down.events[0, J1, 0] == pytest.approx(95.0)
    assert down.events[0, MET].tolist() == pytest.approx([45.0, 0.0, 0.0])


def test_met_turns_where_the_jet_lies_across():
    """MET 3 along x, a jet of 80 GeV along -y gains 4: MET is 5 GeV at atan2(4, 3)."""
    given = event(met=[(3, 0, 0)], muons=MUON, jets=[(80, 0.0, -np.pi / 2)])

    met = vary("jet_scale_up", given).events[0, MET]

    assert met.tolist() == pytest.approx([5.0, 0.0, np.arctan2(4, 3)], rel=1e-6)


def test_a_jet_that_falls_below_threshold_is_dropped_and_its_shift_stays():
    """15.5 GeV is 14.725 GeV after it; the next jet moves up."""
    given = event(
        met=[(20, 0, 0)], muons=MUON, jets=[(50, 1, np.pi / 2), (15.5, -1, 0), (15.0, 2, 3)]
    )

    varied = vary("jet_scale_down", given).events[0]

    assert varied[J1].tolist() == pytest.approx([47.5, 1, np.pi / 2])
    assert (varied[J1 + 1 :] == 0).all()
    x = 20 + 0.775 + 0.75 * np.cos(3)
    y = 2.5 + 0.75 * np.sin(3)
    assert varied[MET, 0] == pytest.approx(np.hypot(x, y), rel=1e-6)


def test_a_jet_that_is_an_electron_is_not_scaled():
    """Delta R 0.1; the other jet overtakes it and takes its slot."""
    given = event(
        met=[(20, 0, 1)], electrons=[(60, 0.0, 0.0)], jets=[(61, 0.1, 0.0), (60, 1.0, 3.0)]
    )

    jets = vary("jet_scale_up", given).events[0, J1 : J1 + 2, 0]

    assert jets.tolist() == pytest.approx([63.0, 61.0])


def test_distance_goes_round_in_phi():
    given = event(met=[(20, 0, 1)], electrons=[(60, 0, 3.1)], jets=[(61, 0, -3.1)])

    np.testing.assert_array_equal(vary("jet_scale_up", given).events, given)


def test_a_dead_region_gives_its_energy_to_met():
    """A jet of 30 GeV at 10 degrees is lost; the electron in it is the same energy, lost once."""
    phi = np.radians(10)
    given = event(
        met=[(40, 0, phi)],
        electrons=[(28, 0.5, phi)],
        muons=[(25, 0, 0.1)],
        jets=[(80, 0, 1.0), (30, 0.5, phi)],
    )

    varied = vary("dead_region", given)

    met = varied.events[0, MET]
    assert met.tolist() == pytest.approx([70.0, 0.0, phi], rel=1e-6)
    assert (varied.events[0, E1] == 0).all()
    assert varied.events[0, J1].tolist() == pytest.approx([80, 0, 1.0])
    assert (varied.events[0, J1 + 1] == 0).all()
    # Muons are not calorimeter objects: this one keeps the event.
    assert varied.events[0, MU1].tolist() == pytest.approx([25, 0, 0.1])
    assert varied.is_selected.tolist() == [True]


def test_an_electron_without_a_jet_is_missing_by_its_own_pt():
    given = event(met=[(40, 0, 0.1)], electrons=[(28, 0, 0.1)], muons=MUON)

    assert vary("dead_region", given).events[0, MET, 0] == pytest.approx(68.0)


@pytest.mark.parametrize(
    ("phi", "is_dead"), [(0.0, True), (-1e-3, False), (0.349, True), (0.35, False)]
)
def test_the_dead_region_is_20_degrees_wide(phi, is_dead):
    given = event(met=[(40, 0, 1)], muons=MUON, jets=[(50, 0, phi)])

    assert (vary("dead_region", given).events[0, J1, 0] == 0) == is_dead


def test_an_event_that_loses_its_only_lepton_drops_out():
    given = np.concatenate(
        [
            event(met=[(40, 0, 1)], electrons=[(30, 0, 0.1)]),
            event(met=[(40, 0, 1)], electrons=[(30, 0, 0.1), (22.9, 0, 1)]),
            event(met=[(40, 0, 1)], electrons=[(30, 0, 0.1), (23.0, 0, 1)]),
        ]
    )

    varied = vary("dead_region", given)

    assert varied.is_selected.tolist() == [False, False, True]
    assert varied.events[2, E1, 0] == 23.0


def test_one_electron_in_ten_is_lost_and_nothing_else_changes():
    n_events = 20_000
    given = np.repeat(
        event(met=[(40, 0, 1)], electrons=[(30, 0, 0.1)], jets=[(31, 0, 0.1)]), n_events, 0
    )
    given[:, MET, 0] = 20 + np.arange(n_events) / 128

    varied = vary("electron_loss", given)

    is_lost = varied.events[:, E1, 0] == 0
    # Binomial: 2,000 with a standard deviation of 42.
    assert abs(is_lost.sum() - 2000) < 4 * 42.4
    np.testing.assert_array_equal(varied.is_selected, ~is_lost)
    np.testing.assert_array_equal(np.delete(varied.events, E1, 1), np.delete(given, E1, 1))


def test_the_second_electron_takes_the_place_of_the_first():
    given = np.repeat(event(met=[(40, 0, 1)], electrons=[(40, 1, 1), (30, 2, 2)]), 3000, 0)
    given[:, MET, 0] = 20 + np.arange(3000) / 128

    electrons = vary("electron_loss", given).events[:, E1 : E1 + 2]

    is_first_lost = electrons[:, 0, 0] == 30
    assert 200 < is_first_lost.sum() < 350
    assert (electrons[is_first_lost, 0] == [30, 2, 2]).all()
    assert (electrons[is_first_lost, 1] == 0).all()


def test_met_is_smeared_by_10_gev_in_each_component():
    n_events = 20_000
    given = np.repeat(event(met=[(40, 0, 0.5)], muons=MUON), n_events, 0)
    given[:, MU1, 0] = 30 + np.arange(n_events) / 128

    met = vary("met_smearing", given).events[:, MET].astype(np.float64)

    for component, mean in (
        (met[:, 0] * np.cos(met[:, 2]), 40 * np.cos(0.5)),
        (met[:, 0] * np.sin(met[:, 2]), 40 * np.sin(0.5)),
    ):
        assert component.mean() == pytest.approx(mean, abs=4 * 10 / np.sqrt(n_events))
        assert component.std() == pytest.approx(10.0, rel=4 / np.sqrt(2 * n_events))
    assert (met[:, 1] == 0).all()


@pytest.mark.parametrize("name", VARIATIONS)
def test_every_rule_of_the_layout_is_kept(name):
    given = make_events(2000)
    before = given.copy()

    varied = vary(name, given).events

    np.testing.assert_array_equal(given, before)
    assert varied.dtype == np.float32
    assert np.isfinite(varied).all()
    assert (np.abs(varied[..., 2]) <= np.pi).all()
    start = 0
    for group in LAYOUT.objects:
        rows = varied[:, start : start + group.n_slots]
        assert (np.diff(rows[..., 0], axis=1) <= 0).all()
        assert (rows[rows[..., 0] == 0] == 0).all()
        start += group.n_slots
    assert (varied != given).any()


@pytest.mark.parametrize("name", VARIATIONS)
def test_an_event_is_varied_alike_in_any_company(name):
    given = make_events(500)
    some = np.array([400, 3, 77])

    whole, part = vary(name, given), vary(name, given[some])

    np.testing.assert_array_equal(part.events, whole.events[some])
    np.testing.assert_array_equal(part.is_selected, whole.is_selected[some])


def test_without_a_preselection_every_event_stays():
    open_challenge = TOY.model_copy(update={"preselection": None})
    given = event(met=[(40, 0, 1)], electrons=[(30, 0, 0.1)], jets=[(15, 0, 3)])

    assert vary("dead_region", given, open_challenge).is_selected.all()
    assert vary("jet_scale_down", given, open_challenge).events[0, J1, 0] == pytest.approx(14.25)


def test_objects_that_are_not_there_are_a_reason():
    layout = EventLayout(objects=(ObjectGroup(name="met", n_slots=1),))
    challenge = TOY.model_copy(update={"layout": layout, "preselection": None})

    assert why_not(VARIATIONS["electron_loss"], challenge) == "the events have no electron"
    assert why_not(VARIATIONS["met_smearing"], challenge) is None
    images = TOY.model_copy(update={"layout": layout.model_copy(update={"features": ("e",)})})
    assert "pt, eta and phi" in why_not(VARIATIONS["met_smearing"], images)


def test_events_of_another_layout_are_varied_too():
    """Jets first, no electrons: what is looked for is names, not rows."""
    layout = EventLayout(
        objects=(ObjectGroup(name="jet", n_slots=2), ObjectGroup(name="met", n_slots=1)),
        features=("phi", "pt", "eta"),
    )
    challenge = TOY.model_copy(update={"layout": layout, "preselection": None})
    given = np.array([[[0.0, 100, 1], [0, 0, 0], [0, 40, 0]]], np.float32)

    varied = vary("jet_scale_up", given, challenge).events[0]

    assert varied[0].tolist() == pytest.approx([0, 105, 1])
    assert varied[2].tolist() == pytest.approx([0, 35, 0])
