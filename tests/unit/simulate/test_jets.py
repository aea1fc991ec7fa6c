"""Jets that harness simulates: energy flow, matching, the choice of one jet, and Pythia's tops."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from harness.errors import UsageError
from harness.jets import ClusteredJets, four_momenta, jet_axis, jet_mass, n_constituents
from harness.simulate.boosted.energy_flow import DETECTORS, flow
from harness.simulate.boosted.finder import JetFinder, choose, constituents
from harness.simulate.boosted.partons import find_partons
from harness.simulate.boosted.presets import JET_SAMPLES
from harness.simulate.boosted.selection import JetSelection
from harness.simulate.chunk import make_chunk
from harness.simulate.particles import CHARGED, ELECTRON, MUON, NEUTRAL, PHOTON, Particles
from harness.simulate.plan import make_jets_plan

KINDS = (CHARGED, PHOTON, NEUTRAL, ELECTRON, MUON)
WINDOW = JetSelection(
    detector="atlas", radius=0.8, min_pt_gev=550, max_pt_gev=650, max_abs_eta=2, heavy_code=6
)


def particles(seed: int, n_particles: int = 4000) -> Particles:
    """Return particles of 20 GeV in 50 events."""
    rng = np.random.default_rng(seed)
    return Particles(
        event=np.sort(rng.integers(0, 50, n_particles)),
        pt=np.full(n_particles, 20.0),
        eta=rng.uniform(-1.4, 1.4, n_particles),
        phi=rng.uniform(-np.pi, np.pi, n_particles),
        kind=rng.choice(np.array(KINDS, np.int8), n_particles),
    )


@pytest.mark.parametrize("detector", DETECTORS)
def test_energy_flow_keeps_the_energy_of_all_but_lost_muons(detector: str) -> None:
    made = particles(1)

    seen = flow(made, DETECTORS[detector], np.random.default_rng(2))

    ratio = (seen.pt * np.cosh(seen.eta)).sum() / (made.pt * np.cosh(made.eta)).sum()
    assert ratio == pytest.approx(1.0, abs=0.02)
    assert len(seen) < len(made)


def test_tracks_keep_their_place_and_towers_spread_over_their_extent() -> None:
    made = particles(3)

    seen = flow(made, DETECTORS["cms"], np.random.default_rng(4))

    tracks = seen.where(np.isin(seen.kind, (CHARGED, ELECTRON, MUON)))
    assert np.isin(tracks.eta, made.eta).all()
    hadrons = seen.where(seen.kind == NEUTRAL)
    neutral = made.where(made.kind == NEUTRAL)
    nearest = np.array([np.abs(neutral.eta - eta).min() for eta in hadrons.eta])
    assert nearest.max() < 0.087


def test_a_hadron_tower_of_one_event_does_not_take_energy_of_another() -> None:
    made = Particles(
        event=np.array([0, 1]),
        pt=np.array([100.0, 300.0]),
        eta=np.zeros(2),
        phi=np.zeros(2),
        kind=np.full(2, NEUTRAL, np.int8),
    )

    seen = flow(made, DETECTORS["atlas"], np.random.default_rng(5))

    assert seen.event.tolist() == [0, 1]
    assert seen.pt[0] < 150
    assert seen.pt[1] > 200


def record(*particles: tuple[int, int, int, float, float]) -> ak.Array:
    """Return one event of (code, status, mother, eta, phi); the first three are its beams."""
    beams = [(90, -11, 0, 0.0, 0.0), (2212, -12, 0, 0.0, 0.0), (2212, -12, 0, 0.0, 0.0)]
    code, status, mother, eta, phi = (list(column) for column in zip(*beams, *particles))
    momenta = [
        dict(zip(("e", "px", "py", "pz"), row, strict=True))
        for row in four_momenta(np.array([np.ones(len(eta)), eta, phi]).T).tolist()
    ]
    return ak.Array([{"id": code, "status": status, "mother1": mother, "p": momenta}][0:1])


TOP = (
    (6, -22, 0, 0.1, 0.0), (6, -62, 3, 0.2, 0.0), (5, -23, 4, 0.5, 0.1), (24, -22, 4, 0.1, 0.0),
    (24, -52, 6, 0.1, 0.0), (2, -23, 7, 0.0, 0.1), (-1, -23, 7, 0.3, -0.2), (21, -23, 0, 0.0, 1.0),
)  # fmt: skip


def test_quarks_are_traced_to_the_top_before_its_decay() -> None:
    found = find_partons(record(*TOP), 6)

    assert found.event.tolist() == [0]
    assert (found.eta[0], found.phi[0]) == pytest.approx((0.2, 0.0))
    assert sorted(found.quark_eta[0]) == pytest.approx([0.0, 0.3, 0.5])


def test_a_top_without_three_quarks_is_none() -> None:
    leptonic = [*TOP[:5], (11, -23, 7, 0.0, 0.1), (-12, -23, 7, 0.3, -0.2)]

    assert len(find_partons(record(*leptonic), 6).event) == 0


@pytest.mark.parametrize(
    ("eta", "match", "merge", "is_near"),
    [(0.2, 0.1, 0.4, True), (0.2, 0.1, 0.2, False), (0.4, 0.1, 0.8, False), (0.2, 0.1, None, True)],
)
def test_a_jet_is_matched_by_the_top_and_merged_by_its_quarks(
    eta: float, match: float, merge: float | None, is_near: bool
) -> None:
    found = find_partons(record(*TOP), 6)

    assert found.near(0, eta, 0.0, match, merge) is is_near
    assert not found.near(1, eta, 0.0, match, merge)


def jets_of(*events: list[tuple[float, float]]) -> ClusteredJets:
    """Return jets of (pT, eta) in events."""
    angles = np.array([(pt, eta, 0.0) for event in events for pt, eta in event])
    empty = np.zeros(0, np.int64)
    return ClusteredJets(
        n_jets=np.array([len(event) for event in events]),
        momenta=four_momenta(angles),
        n_members=empty,
        members=empty,
    )


def test_the_leading_jet_is_kept_if_it_is_in_the_window_and_no_other() -> None:
    jets = jets_of([(560, 0), (600, 1)], [(560, 0), (700, 0)], [(600, 2.1)], [], [(640, -1.9)])

    kept = choose(jets, WINDOW, None, np.random.default_rng(6))

    assert kept.tolist() == [1, 5]


def test_either_of_the_two_leading_jets_may_be_kept() -> None:
    jets = jets_of(*[[(600, 0), (640, 0), (560, 0)]] * 200, [(600, 0), (700, 0)])
    either = WINDOW.model_copy(update={"either": True})

    kept = choose(jets, either, None, np.random.default_rng(7))

    assert len(kept) == 201
    assert 60 < np.count_nonzero(kept[:-1] % 3 == 0) < 140
    assert not (kept[:-1] % 3 == 2).any()
    assert kept[-1] == 600


def test_constituents_come_by_falling_pt_and_at_most_200() -> None:
    n_particles = 250
    objects = particles(8, n_particles)
    pt = np.random.default_rng(9).permutation(np.arange(1.0, n_particles + 1))
    objects = Particles(
        event=np.zeros(n_particles, np.int64), pt=pt, eta=objects.eta, phi=objects.phi,
        kind=objects.kind,
    )  # fmt: skip
    jets = ClusteredJets(
        n_jets=np.array([1]),
        momenta=np.ones((1, 4)),
        n_members=np.array([n_particles]),
        members=np.arange(n_particles),
    )

    found = constituents(objects, jets, np.array([0]))

    assert found.shape == (1, 200, 3)
    assert found[0, :, 0].tolist() == list(range(250, 50, -1))


@pytest.mark.parametrize(("name", "peak"), [("toptag_top", 173), ("anomaly_gluino", None)])
def test_pythia_gives_jets_within_the_window(name: str, peak: float | None) -> None:
    plan = make_jets_plan(name, n_events=25, seed=3)
    (chunk,) = plan.chunks()
    selection = JET_SAMPLES[name].selection

    jets, report = make_chunk(plan.processes[0], chunk, 3, JetFinder(selection=selection))

    axis, mass = jet_axis(jets), jet_mass(jets)
    assert jets.shape == (25, 200, 3)
    # The sum of the constituents is the jet, if it has no more than 200 of them.
    assert (axis[:, 0] > selection.min_pt_gev * 0.999).all()
    assert (axis[:, 0] < selection.max_pt_gev * 1.001).all()
    assert (np.abs(axis[:, 1]) < selection.max_abs_eta + 0.01).all()
    assert n_constituents(jets).min() > 15
    assert 0.05 < report.n_accepted / report.n_generated < 0.8
    if peak is not None:
        assert np.median(mass) == pytest.approx(peak, abs=8)


def test_names_that_are_not_known_are_answered_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="no jets called 'top'") as caught:
        make_jets_plan("top", n_events=1, seed=1)
    assert "toptag_top" in str(caught.value)
