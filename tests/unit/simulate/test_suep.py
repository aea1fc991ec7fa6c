"""Images of SUEP: the shower keeps energy and shape, cells keep energy, seeds repeat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from harness.errors import UsageError
from harness.simulate.particles import CHARGED, ELECTRON, MUON, NEUTRAL, PHOTON, Particles
from harness.simulate.suep import shower as showers
from harness.simulate.suep.events import SuepYield
from harness.simulate.suep.images import (
    HCAL_SIDE,
    LAYOUT,
    MAX_ABS_ETA,
    Seen,
    draw_images,
    see,
    transverse_sum,
    without_tracks,
)
from harness.simulate.suep.plan import make_suep_plan
from harness.simulate.suep.processes import PROCESSES
from harness.simulate.suep.shower import MESON_GEV, TEMPERATURE_GEV, boost, shower
from harness.simulate.suep.view import yields_of


def scalars(mass: float, n: int, pz: float = 0.0) -> np.ndarray:
    return np.tile([0.0, 0.0, pz, np.hypot(mass, pz)], (n, 1))


class TestShower:
    @pytest.mark.parametrize("mass", [125.0, 1000.0])
    def test_energy_and_momentum_are_those_of_the_scalar(self, mass: float) -> None:
        found = shower(scalars(mass, 20, pz=300.0), np.random.default_rng(1))
        masses = np.select(
            [found.kind == ELECTRON, found.kind == MUON], [0.000511, 0.10566], 0.13957
        )
        px, py = found.pt * np.cos(found.phi), found.pt * np.sin(found.phi)
        pz = found.pt * np.sinh(found.eta)
        energy = np.sqrt(px**2 + py**2 + pz**2 + masses**2)
        for values, total in ((px, 0.0), (py, 0.0), (pz, 300.0), (energy, np.hypot(mass, 300.0))):
            np.testing.assert_allclose(np.bincount(found.event, values), total, atol=1e-6)

    def test_momenta_follow_the_distribution_of_the_temperature(self) -> None:
        def density(p: float) -> float:
            return float(p**2 * np.exp(-np.hypot(p, MESON_GEV) / TEMPERATURE_GEV))

        total = quad(density, 0, 100)[0]
        for edge in (1.0, 4.0, 9.0, 20.0):
            share = quad(density, 0, edge)[0] / total
            assert showers.momentum_sizes(np.array([share]))[0] == pytest.approx(edge, rel=1e-3)

    def test_pairs_have_their_shares_and_a_meson_gives_four_particles(self) -> None:
        found = shower(scalars(1000.0, 40), np.random.default_rng(2))
        shares = np.bincount(found.kind, minlength=5) / len(found)
        assert len(found) % 4 == 0
        for kind, expected in ((ELECTRON, 0.15), (MUON, 0.15), (CHARGED, 0.70)):
            assert shares[kind] == pytest.approx(expected, abs=0.02)
        # The mean energy of a meson by integration: the multiplicity follows.
        weights = [
            quad(lambda p, n=n: p**2 * np.exp(-np.hypot(p, 2) / 2) * np.hypot(p, 2) ** n, 0, 90)[0]
            for n in (0, 1)
        ]
        expected = 1000.0 / (weights[1] / weights[0])
        assert len(found) / 4 / 40 == pytest.approx(expected, rel=0.05)

    def test_a_boost_keeps_the_mass(self) -> None:
        rest = np.array([[1.0, 2.0, 3.0, np.sqrt(14.0 + 4.0)]])
        moved = boost(rest, scalars(125.0, 1, pz=400.0))
        assert moved[0, 3] ** 2 - (moved[0, :3] ** 2).sum() == pytest.approx(4.0, rel=1e-9)


def particles(kind: int, **columns: list[float]) -> Particles:
    n = len(columns["pt"])
    return Particles(
        event=np.zeros(n, np.int64),
        kind=np.full(n, kind, np.int8),
        **{name: np.asarray(values, np.float64) for name, values in columns.items()},
    )


class TestImages:
    @pytest.mark.parametrize("eta", [0.01, -0.01, 1.2, -2.49, 2.49])
    def test_a_hadron_fills_a_cell_of_equal_pixels_around_it(self, eta: float) -> None:
        given = particles(NEUTRAL, pt=[200.0], eta=[eta], phi=[0.3])
        seen = see(given, 1, np.random.default_rng(3))
        (image,) = draw_images(seen)[:]
        rows, columns = np.nonzero(image[..., 2])
        n_rows = 4 if abs(eta) > 2.4 else HCAL_SIDE
        assert len(rows) == n_rows * HCAL_SIDE
        assert len(np.unique(image[rows, columns, 2])) == 1
        assert image[..., 2].sum() == pytest.approx(seen.hcal.pt.sum(), rel=1e-6)
        at = (eta + MAX_ABS_ETA) / (2 * MAX_ABS_ETA) * LAYOUT.height
        assert rows.min() <= at <= rows.max() + 1
        assert columns.min() <= (0.3 + np.pi) / (2 * np.pi) * 360 <= columns.max() + 1

    def test_each_particle_counts_in_one_channel(self) -> None:
        generator = np.random.default_rng(4)
        n = 400
        angles = {"eta": generator.uniform(-2, 2, n), "phi": generator.uniform(-3, 3, n)}
        for kind, channel in ((PHOTON, 1), (NEUTRAL, 2)):
            image = np.asarray(
                draw_images(see(particles(kind, pt=[50.0] * n, **angles), 1, generator))
            )
            assert image.sum(axis=(0, 1, 2)).argmax() == channel
            assert (image.sum(axis=(0, 1, 2)) > 0).sum() == 1
        image = np.asarray(
            draw_images(see(particles(CHARGED, pt=[50.0] * n, **angles), 1, generator))
        )
        tracks, ecal, hcal = image.sum(axis=(0, 1, 2))
        # A few tracks are not found: the calorimeter has them.
        assert 0.8 * 50 * n < tracks < 50 * n * 1.05
        assert ecal == 0
        assert 0 < hcal < 0.25 * 50 * n

    def test_tracks_of_other_vertices_go_and_their_photons_stay(self) -> None:
        both = [
            particles(kind, pt=[5.0, 5.0], eta=[1.0, 2.8], phi=[0.0, 1.0])
            for kind in (CHARGED, PHOTON)
        ]
        assert [len(without_tracks(one)) for one in both] == [1, 2]

    def test_jets_count_above_20_gev_less_the_pile_up(self) -> None:
        given = particles(
            PHOTON, pt=[300.0, 30.0, 15.0], eta=[0.0, 1.0, -1.0], phi=[0.0, 2.0, -2.0]
        )
        empty = given.where(np.zeros(3, np.bool_))
        seen = Seen(n_events=1, tracks=empty, ecal=given, hcal=empty)
        without, with_pile_up = (transverse_sum(seen, np.array([n]))[0] for n in (0, 100))
        assert without == pytest.approx(330.0, rel=1e-6)
        assert with_pile_up == pytest.approx(330.0 - 2 * 8.0, rel=1e-6)


def test_a_plan_is_the_same_for_any_number_of_jobs_and_wrong_numbers_are_refused() -> None:
    plan = make_suep_plan(1000, seed=3)
    assert plan.n_events["qcd"] == 1000
    assert sum(chunk.n_events for chunk in plan.chunks()) == sum(plan.n_events.values())
    seeds = {chunk.seeds(3)[0] for chunk in plan.chunks()}
    assert len(seeds) == len(plan.chunks())
    for wrong in ({"n_events": 0, "seed": 1}, {"n_events": 5, "seed": -1}):
        with pytest.raises(UsageError):
            make_suep_plan(**wrong)
    with pytest.raises(UsageError, match="no process axion"):
        make_suep_plan(5, seed=1, only=["axion"])


def test_the_efficiencies_stand_beside_the_published_ones() -> None:
    made = {
        one.name: SuepYield(n_generated=1000, n_accepted=20, n_pixels=40_000) for one in PROCESSES
    }
    rows = yields_of(made).rows
    assert [row.published for row in rows] == [0.85, 0.021, 0.104, 0.184, 0.227]
    for row in rows:
        assert row.lowest < row.efficiency == 0.02 < row.highest
        assert row.filled == pytest.approx(2000 / 311_040)
