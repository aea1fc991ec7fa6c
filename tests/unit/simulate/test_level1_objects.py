"""What the trigger of the stand-in finds in towers that are known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.simulate.level1.calorimeter import find_objects, find_sums
from harness.simulate.level1.crossings import Crossings
from harness.simulate.level1.events import see
from harness.simulate.level1.menu import ONLY_DATA, ONLY_SIMULATION, decide, names_of
from harness.simulate.level1.muons import find_muons
from harness.simulate.level1.objects import leading
from harness.simulate.level1.patches import around, find_seeds, is_largest
from harness.simulate.level1.response import DATA, SIMULATION
from harness.simulate.level1.towers import N_ETA, N_PHI, N_SIDE, Towers, fill_towers
from harness.simulate.particles import CHARGED, MUON, PHOTON, Particles


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def empty(n_events: int = 1) -> np.ndarray:
    return np.zeros((n_events, N_ETA, N_PHI), np.float32)


def towers(em: np.ndarray, had: np.ndarray | None = None) -> Towers:
    return Towers(em=em, had=np.zeros_like(em) if had is None else had)


def particles(*rows: tuple[float, float, float, int]) -> Crossings:
    """One crossing with particles of pT, eta, phi, kind."""
    pt, eta, phi, kind = (np.array(column, float) for column in zip(*rows, strict=True))
    return Crossings(
        n_crossings=1,
        particles=Particles(
            event=np.zeros(len(pt), np.int64), pt=pt, eta=eta, phi=phi, kind=kind.astype(np.int8)
        ),
        n_collisions=np.array([0]),
    )


class TestSeeds:
    def test_a_window_goes_around_in_phi_and_is_empty_beyond_the_edge_in_eta(self) -> None:
        grid = empty()
        grid[0, 0, N_PHI - 1], grid[0, 1, 0] = 9, 7
        (window,) = around(grid, find_seeds(grid, 8), 1, 1)
        assert window.tolist() == [[0, 0, 0], [0, 9, 0], [0, 0, 7]]

    @pytest.mark.parametrize("step", [(0, 1), (1, 0), (1, 1), (1, -1)])
    def test_of_two_equal_neighbours_one_is_the_largest(self, step: tuple[int, int]) -> None:
        grid = empty()
        grid[0, 50, 30] = grid[0, 50 + step[0], 30 + step[1]] = 10
        assert is_largest(around(grid, find_seeds(grid, 8), 4, 4)).sum() == 1


class TestJets:
    def test_an_even_field_of_pile_up_is_subtracted(self) -> None:
        grid = empty() + 3
        grid[0, 60, 10] += 100
        found = find_objects(towers(grid), replace(SIMULATION, subtraction=1.0))
        assert found.jets.counts.tolist() == [1]
        # 100 steps, times 1 + 0.3 / (1 + 100 / 80).
        assert found.jets["jetIEt"][0, 0] == 113
        assert found.jets["jetIEta"][0, 0] == 2 * (60 - N_SIDE) + 1
        assert found.jets["jetIPhi"][0, 0] == 21

    def test_without_subtraction_pile_up_makes_it_larger(self) -> None:
        grid = empty() + 3
        grid[0, 60, 10] += 100
        less, more = (
            find_objects(towers(grid), replace(SIMULATION, subtraction=share)).jets["jetIEt"][0, 0]
            for share in (1.0, 0.9)
        )
        assert more > less

    def test_the_code_saturates(self) -> None:
        grid = empty()
        grid[0, 60, 10] = 9000
        assert find_objects(towers(grid), SIMULATION).jets["jetIEt"][0, 0] == 2047


class TestClusters:
    def test_an_electron_is_an_egamma_and_a_hadron_is_not(self) -> None:
        em, had = empty(2), empty(2)
        em[:, 60, 10] = 40
        had[1, 60, 10] = 40
        found = find_objects(towers(em, had), SIMULATION)
        assert found.egammas.counts.tolist() == [1, 0]
        assert found.taus.counts.tolist() == [1, 1]
        assert found.taus["tauIEt"][:, 0].tolist() == [40, 80]

    def test_both_end_at_eta_3(self) -> None:
        em = empty()
        em[0, N_SIDE + 40, 10] = 40
        found = find_objects(towers(em), SIMULATION)
        assert found.egammas.counts.tolist() == found.taus.counts.tolist() == [0]
        assert found.jets.counts.tolist() == [1]

    def test_isolation_is_lost_with_energy_beside(self) -> None:
        em = empty(2)
        em[:, 60, 10] = 40
        em[1, 57, 13] = 30
        found = find_objects(towers(em), SIMULATION)
        assert found.egammas["egIso"][:, 0].tolist() == [1, 0]


def test_missing_momentum_points_away_from_what_is_seen() -> None:
    em = empty()
    em[0, 60, 0] = 80
    found = find_objects(towers(em), SIMULATION)
    sums = find_sums(towers(em), found.jets, SIMULATION)
    assert sums["ET"][0] == 80
    assert sums["MET"][0] in {79, 80}
    # Tower 0 lies at 2 pi / 144, so half a turn on is step 73.
    assert sums["MET.phi"][0] in {72, 73}
    assert sums["HT"][0] == found.jets["jetIEt"][0, 0]


def test_a_charged_particle_bends_and_a_soft_one_never_arrives(rng: np.random.Generator) -> None:
    hard = particles((20.0, 0.1, 1.0, PHOTON), (20.0, 1.0, 1.0, CHARGED), (0.71, 0.1, 2.0, CHARGED))
    total = fill_towers(hard, replace(SIMULATION, noise_towers=0), rng).total[0]
    assert total[N_SIDE + 1].sum() > 30
    assert total[N_SIDE + 11].any()
    bent = np.flatnonzero(total[N_SIDE + 11])
    straight = int(1.0 / (2 * np.pi) * N_PHI)
    assert set(bent) <= {straight - 1, straight, straight + 1}
    assert not total[N_SIDE + 1, 15:].any()


class TestMuons:
    def test_a_code_is_one_more_than_the_pt_in_halves_and_saturates(
        self, rng: np.random.Generator
    ) -> None:
        perfect = replace(SIMULATION, muon_efficiency=1.0, muon_resolution=0.0, muon_tail=0.0)
        seen = particles((10.1, 0.5, 1.0, MUON), (4000.0, -0.5, 2.0, MUON))
        codes = find_muons(seen, perfect, rng)["muonIEt"][0]
        # 10.1 GeV on the scale of the trigger is 11.6 GeV.
        assert sorted(codes[:2]) == [24, 511]

    def test_they_are_not_sorted(self, rng: np.random.Generator) -> None:
        muons = particles(*[(10.0 + 5 * n, 0.2 * n, 1.0, MUON) for n in range(6)])
        orders = {tuple(np.argsort(find_muons(muons, DATA, rng)["muonIEt"][0])) for _ in range(9)}
        assert len(orders) > 1


def test_the_leading_objects_of_each_event_are_kept() -> None:
    event = np.array([1, 0, 1, 1])
    found = leading(
        event, {"pt": np.array([5, 9, 8, 7]), "x": np.arange(4)}, by="pt", n_events=3, capacity=2
    )
    assert found.counts.tolist() == [1, 2, 0]
    assert found["pt"].tolist() == [[9, 0], [8, 7], [0, 0]]
    assert found["x"].tolist() == [[1, 0], [2, 3], [0, 0]]


class TestMenu:
    def test_a_muon_of_22_gev_passes_and_one_step_less_does_not(
        self, rng: np.random.Generator
    ) -> None:
        found = see(particles((30.0, 0.5, 1.0, MUON), (9.0, 0.4, 1.0, PHOTON)), SIMULATION, rng)
        found["muons"]["muonIEt"][0, 0] = 45
        assert decide(found, ("L1_SingleMu22",))["L1_SingleMu22"].tolist() == [True]
        found["muons"]["muonIEt"][0, 0] = 44
        assert decide(found, ("L1_SingleMu22",))["L1_SingleMu22"].tolist() == [False]

    def test_recorded_and_simulated_events_share_some_algorithms_and_not_all(self) -> None:
        data, simulated = (set(names_of(is_recorded=flag)) for flag in (True, False))
        assert data - simulated == ONLY_DATA
        assert simulated - data == ONLY_SIMULATION
        assert len(data & simulated) >= 12
