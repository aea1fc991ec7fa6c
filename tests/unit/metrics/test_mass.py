"""All figures of the mass together: injection, regions, and what a card keeps of it."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from harness.card.figures import NotMeasured
from harness.card.mass import InjectedScan, MassFigures
from harness.challenge import BumpHunt, ConstituentLayout, MassObservable
from harness.data.mass import event_mass
from harness.metrics.mass import measure_mass
from tests.mass import MASS, falling, mass_challenge, mass_physics, samples_of, two_prongs


def test_the_injected_bump_is_found_where_it_is():
    mass = mass_physics().mass
    for hunt in mass.hunts:
        injected = hunt.injected["loud"]
        assert injected.n_injected == 100
        assert injected.scan.stated.z > hunt.background.stated.z + 2.0
        assert injected.scan.stated.z == pytest.approx(injected.expected_z, abs=2.5)
    uncut, tight = mass.hunts[0].injected["loud"], mass.hunts[-1].injected["loud"]
    assert tight.signal_to_background > 3 * uncut.signal_to_background
    assert uncut.interval.lower < uncut.signal_to_background < uncut.interval.upper


def test_a_blind_score_leaves_the_spectrum_and_a_sculptor_does_not():
    blind, sculptor = (mass_physics(slope).mass for slope in (0.0, 3.0))
    assert blind.spectra[1].distance.interval.lower == 0.0
    assert sculptor.spectra[1].distance.interval.lower > 0.3
    assert sculptor.hunts[0].background.goodness > 0.02


def test_regions_share_out_all_events_and_cut_on_their_own_background():
    regions = {one.name: one for one in mass_physics().mass.regions}
    assert list(regions) == ["all", "inside", "outside"]
    assert regions["inside"].n_background + regions["outside"].n_background == 5000
    signal = regions["inside"].signals["loud"]
    assert signal.n_events > 350
    assert signal.auc == pytest.approx(mass_physics().auc["loud"].value, abs=0.03)
    assert signal.at[0].value == pytest.approx(signal.at[0].n_signal / signal.n_events * 10)
    sic = signal.sic
    assert all(low <= value <= high for low, value, high in
               zip(sic.lower, sic.value, sic.upper, strict=True))  # fmt: skip
    assert sic.value[-1] == pytest.approx(1.0), "what everything passes gains nothing"


def test_more_injected_events_than_there_are_is_not_measured():
    generator = np.random.default_rng(1)
    masses = {"background": falling(1000, generator), "loud": np.full(15, 400.0)}
    samples = samples_of({name: generator.normal(size=len(one)) for name, one in masses.items()})
    found = measure_mass(MASS, samples, masses, None, seed=1)
    (why, *_) = (hunt.injected["loud"] for hunt in found.hunts)
    assert why == NotMeasured(
        not_measured="S/B 0.02 of 1,000 events is 20 signal events; 15 are here"
    )


def test_few_events_and_missing_masses_give_reasons_not_numbers():
    masses = {"background": np.full(30, np.nan), "loud": np.array([400.0, np.nan])}
    samples = samples_of({"background": np.arange(30.0), "loud": np.array([1.0, 2.0])})
    found = measure_mass(MASS, samples, masses, None, seed=1)
    assert found.without_mass == {"background": 30, "loud": 1}
    assert all(isinstance(one.distance, NotMeasured) for one in found.spectra)
    assert all(isinstance(one.background, NotMeasured) for one in found.hunts)


def test_the_figures_come_back_from_a_file():
    mass = mass_physics().mass
    again = MassFigures.model_validate_json(mass.model_dump_json())
    assert again == mass
    assert isinstance(again.hunts[0].injected["loud"], InjectedScan)


def test_the_mass_of_two_constituents_is_made_of_them():
    generator = np.random.default_rng(4)
    truth = falling(50, generator)
    jets = two_prongs(truth, generator)
    layout = ConstituentLayout(n_constituents=4)
    assert event_mass(MASS, jets, layout) == pytest.approx(truth, rel=1e-5)
    jets[3] = 0.0
    assert np.isnan(event_mass(MASS, jets, layout)[3])


def test_the_mass_of_the_two_leading_jets_leaves_the_third_out():
    pytest.importorskip("fastjet")
    layout = ConstituentLayout(n_constituents=4)
    events = np.zeros((2, 4, 3), np.float32)
    events[0, :3] = [[500, 0, 0], [400, 0, 3], [100, 2, 1.5]]
    events[1, :1] = [[500, 0, 0]]
    stated = MassObservable(kind="leading_jets", lower=100, upper=2000)
    both, single = event_mass(stated, events, layout)
    assert both == pytest.approx(np.sqrt(2 * 500 * 400 * (1 - np.cos(3))), rel=1e-5)
    assert np.isnan(single)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "column"}, "names the dataset"),
        ({"column": "mjj"}, "names the dataset"),
        ({"lower": 900.0}, "lower is not below upper"),
        ({"window": (430.0, 380.0)}, "not below the upper one"),
        ({"window": None}, "needs a window"),
        ({"window": (100.0, 700.0)}, "half of all bins"),
        ({"window": (2000.0, 2100.0)}, "half of all bins"),
        ({"background_efficiencies": (0.01, 0.1)}, "must rise strictly"),
        ({"hunt": {"injected": {"loud": 0.1}, "fit": {"kind": "dijet"}}}, "collision_energy"),
        ({"hunt": {"injected": {"loud": 0.1}, "fit": {"kind": "dijet", "collision_energy": 700}}},
         "not above the spectrum"),
    ],
)  # fmt: skip
def test_a_mass_that_makes_no_sense_is_refused(changes, said):
    stated = {**MASS.model_dump(), **changes}
    with pytest.raises(ValidationError, match=said):
        MassObservable.model_validate(stated)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hunt": {"injected": {"quiet": 0.1}}}, "injects quiet"),
        ({"kind": "column", "column": "m"}, None),
    ],
)
def test_a_challenge_refuses_a_hunt_for_a_signal_that_it_has_not(changes, said):
    stated = {**MASS.model_dump(mode="json"), **changes}
    if said is None:
        assert mass_challenge(mass=stated).mass.column == "m"
        return
    with pytest.raises(ValidationError, match=said):
        mass_challenge(mass=stated)


def test_log_bins_have_one_relative_width():
    edges = MassObservable(
        kind="constituents", lower=100, upper=1600, n_bins=16, spacing="log"
    ).edges
    assert np.allclose(np.diff(np.log(edges)), np.log(16) / 16)
    assert (edges[0], edges[-1]) == (100.0, 1600.0)
    assert BumpHunt(injected={"a": 0.1}).fit.kind == "polynomial"
