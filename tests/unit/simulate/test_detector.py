"""Layout, isolation, jets, decays and the overlay, on particles that are made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.structure import StructureCheck
from harness.simulate import response
from harness.simulate.decays import _boost, _choose, _random_rotations, _Trials
from harness.simulate.detector import _fake_electrons, _holds_electron
from harness.simulate.layout import LAYOUT, lay_out
from harness.simulate.particles import (
    CHARGED,
    ELECTRON,
    MUON,
    NEUTRAL,
    PHOTON,
    Particles,
    concatenate,
    join,
)
from harness.simulate.pileup import SoftEvents, read_library, to_bytes
from tests.events import with_classes


def make(rows: list[tuple[int, float, float, float]], kind: int = NEUTRAL) -> Particles:
    """Particles from (event, pt, eta, phi)."""
    event, pt, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
    return Particles(
        event=event.astype(np.int64),
        pt=pt.astype(float),
        eta=eta.astype(float),
        phi=phi.astype(float),
        kind=np.full(len(rows), kind, np.int8),
    )


NOTHING = make([(0, 1.0, 0.0, 0.0)]).where(np.zeros(1, bool))


def test_objects_are_laid_out_by_falling_pt_and_cut_at_their_slots():
    jets = make([(0, pt, 0.1, 0.2) for pt in (20.0, 50.0, 30.0)] + [(1, 99.0, 1.0, -1.0)])
    electrons = make([(1, 10.0 + n, 0.0, 0.0) for n in range(6)], ELECTRON)
    events = lay_out((np.array([5.0, 6.0]), np.zeros(2)), electrons, NOTHING, jets)

    assert events[0, 9:13, 0].tolist() == [50, 30, 20, 0]
    assert events[1, 1:5, 0].tolist() == [15, 14, 13, 12]
    assert events[:, 0, 0].tolist() == [5, 6]
    assert not events[0, 1:9].any()


def test_events_keep_the_layout_of_the_challenge():
    rng = np.random.default_rng(1)
    n = 500
    rows = [(e, rng.exponential(30) + 3, rng.uniform(-3, 3), rng.uniform(-np.pi, np.pi))
            for e in range(n) for _ in range(rng.integers(0, 13))]  # fmt: skip
    objects = make(sorted(rows))
    met = (rng.exponential(30, n), np.where(rng.random(n) < 0.5, np.pi, -np.pi))
    events = lay_out(met, objects, objects, objects)
    check = StructureCheck(source="test", layout=LAYOUT)
    check.add(events, with_classes(events)[..., 3])

    assert check.report().remarks == ()
    assert np.abs(events[..., 2].astype(np.float64)).max() < np.pi


def test_isolation_sums_what_is_near_and_in_the_same_event():
    leptons = make([(0, 40.0, 0.0, 3.1), (2, 10.0, 1.0, 0.0)], MUON)
    others = make([
        (0, 4.0, 0.1, -3.1),  # near, across the seam of phi
        (0, 8.0, 0.0, 2.0),  # far
        (1, 9.0, 0.0, 3.1),  # another event
        (2, 5.0, 1.3, 0.3),
        (2, 7.0, 1.6, 0.0),
    ])  # fmt: skip
    found = response.relative_isolation(leptons, others, 3, 0.5)

    assert found == pytest.approx([0.1, 0.5])


def test_identification_falls_with_isolation_and_only_for_hard_leptons():
    leptons = make([(0, 30.0, 0.0, 0.0)] * 3 + [(0, 12.0, 0.0, 0.0)], ELECTRON)
    found = response.identification(leptons, np.array([0.0, 0.12, 1.12, 5.0]), response.CMS_LIKE)
    plateau = 0.95 * 0.95

    assert found == pytest.approx([plateau, plateau, plateau / np.e, plateau])


def test_resolutions_are_those_of_the_card():
    # One photon of 100 GeV at eta 0: sqrt(0.8 %^2 + 11 %^2 / 100 + (0.4 / 100)^2).
    n = 200_000
    rng = np.random.default_rng(3)
    cases = {
        PHOTON: np.sqrt(0.008**2 + 0.11**2 / 100 + 0.004**2),
        NEUTRAL: np.sqrt(0.05**2 + 1.5**2 / 100),
    }
    for kind, expected in cases.items():
        seen = response.smear(make([(0, 100.0, 0.0, 0.0)] * n, kind), rng)
        assert np.std(seen.pt) / 100 == pytest.approx(expected, rel=0.02)
        assert np.mean(seen.pt) == pytest.approx(100, abs=4 * 100 * expected / np.sqrt(n))


def test_a_jet_that_is_mainly_an_electron_is_told_across_the_seam():
    jets = make([(0, 50.0, 0.0, 3.1), (0, 50.0, 2.0, 0.0), (1, 50.0, 0.0, 3.1)])
    electrons = make([(0, 40.0, 0.0, -3.1), (1, 20.0, 0.0, 3.1)], ELECTRON)

    assert _holds_electron(jets, electrons).tolist() == [True, False, False]


def test_a_fake_electron_is_a_jet_of_its_event_and_there_is_one_in_each_event_that_passes():
    rng = np.random.default_rng(2)
    jets = make([(e, 25 + rng.exponential(20), 0.0, 0.01 * e) for e in range(300) for _ in (0, 1)])
    fakes, passes = _fake_electrons(jets, np.ones(300), rng)

    assert np.bincount(fakes.event, minlength=300).tolist() == passes.astype(int).tolist()
    assert 20 < passes.sum() < 290
    assert np.allclose(fakes.phi, 0.01 * fakes.event)
    assert (fakes.pt > response.LEADING_LEPTON_GEV).all()


def test_a_boost_keeps_masses_and_adds_up_to_the_parent():
    rng = np.random.default_rng(4)
    mass, parent = 5.28, rng.normal(0, 30, (1000, 3))
    direction = rng.normal(0, 1, (1000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    # Two massless products back to back.
    half = mass / 2 * direction
    energy = np.full(1000, mass / 2)
    one, two = (_boost(sign * half, energy, parent, mass) for sign in (1, -1))
    energies = np.linalg.norm(one, axis=1) + np.linalg.norm(two, axis=1)

    assert np.allclose(one + two, parent)
    assert np.allclose(energies, np.sqrt(mass**2 + (parent**2).sum(axis=1)))


def test_random_rotations_are_rotations_without_a_preferred_direction():
    rotations = _random_rotations(20_000, np.random.default_rng(5))
    turned = rotations @ np.array([0.0, 0.0, 1.0])

    assert np.allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(rotations), 1.0)
    assert np.abs(turned.mean(axis=0)).max() < 4 / np.sqrt(3 * 20_000)


def test_a_trial_is_chosen_as_often_as_its_weight_says():
    weights = np.array([0.0, 1.0, 3.0, 0.0, 2.0])
    n = 20_000
    trials = _Trials(
        event=np.tile([0, 0, 0, 1, 2], n) + 3 * np.repeat(np.arange(n), 5),
        hadron=np.zeros(5 * n, np.int64),
        pull=np.zeros(5 * n),
        identified=np.ones(5 * n),
        weight=np.tile(weights, n),
        first=np.zeros(5 * n, np.int64),
        lengths=np.ones(5 * n, np.int64),
        particles=NOTHING,
    )
    chosen = np.bincount(_choose(trials, 3 * n, np.random.default_rng(6)) % 5, minlength=5)

    assert chosen[[0, 3]].tolist() == [0, 0]
    assert chosen[4] == n
    assert chosen[1] / n == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / n))


def small_library() -> SoftEvents:
    return SoftEvents(
        starts=np.array([0, 2, 2, 5]),
        pt=np.array([1, 2, 3, 4, 5], np.float32),
        eta=np.array([0, 3, 1, 1, -4], np.float32),
        phi=np.zeros(5, np.float32),
        kind=np.array([CHARGED, CHARGED, PHOTON, CHARGED, NEUTRAL], np.int8),
    )


def test_tracks_of_pile_up_are_taken_out_within_the_tracker_only():
    kept = small_library().without_tracks()

    assert kept.pt.tolist() == [2, 3, 5]
    assert kept.starts.tolist() == [0, 1, 1, 3]


def test_drawn_soft_events_are_whole_and_turned_as_one():
    drawn = small_library().draw(np.full(2000, 1), np.random.default_rng(7))
    sums = np.bincount(drawn.event, drawn.pt, minlength=2000)
    spread = [np.ptp(drawn.phi[drawn.event == n]) for n in np.unique(drawn.event)[:50]]

    assert set(sums.tolist()) == {0.0, 3.0, 12.0}
    assert max(spread) < 1e-9
    assert np.abs(np.mean(np.sign(drawn.eta[drawn.pt == 5]))) < 0.2


def test_a_library_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "library"
    path.write_bytes(to_bytes(small_library()))
    read = read_library(path)

    assert to_bytes(read) == path.read_bytes()
    assert read.n_events == 3


def test_joining_keeps_every_particle_in_the_order_of_events():
    one, two = make([(0, 1.0, 0, 0), (2, 2.0, 0, 0)]), make([(0, 3.0, 0, 0), (1, 4.0, 0, 0)])

    assert join([one, two]).pt.tolist() == [1, 3, 4, 2]
    assert concatenate([one, two]).pt.tolist() == [1, 2, 3, 4]
