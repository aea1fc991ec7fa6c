"""Events of the LHC Olympics' kind: two fat jets, a resonance of the right masses."""

from __future__ import annotations

import numpy as np
import pytest

from harness.jets import DIJET_FEATURES, dijet_features, dijet_mass
from harness.simulate.dijets.finder import DijetFinder, by_pt, has_hard_jet
from harness.simulate.dijets.presets import DIJET_SAMPLES, LHCO
from harness.simulate.generator import make_generator
from harness.simulate.particles import NEUTRAL, Particles
from harness.simulate.plan import make_jets_plan


def particles(rows: list[tuple[int, float, float, float]]) -> Particles:
    event, pt, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
    kind = np.full(len(rows), NEUTRAL, np.int8)
    return Particles(event=event.astype(np.int64), pt=pt, eta=eta, phi=phi, kind=kind)


def test_the_leading_jet_decides_by_its_pt_and_its_place() -> None:
    seen = particles(
        [
            (0, 1300.0, 0.0, 1.0), (0, 1250.0, 0.0, -2.0),
            (1, 1100.0, 0.0, 1.0), (1, 1100.0, 0.0, -2.0),
            # Two particles of one jet reach what neither of them has.
            (2, 700.0, 0.1, 1.0), (2, 700.0, -0.1, 1.0),
            # The leading jet is too far forward, the second is not.
            (4, 1500.0, 2.6, 1.0), (4, 1300.0, 0.0, -2.0),
        ]
    )  # fmt: skip
    assert has_hard_jet(seen, 5, LHCO).tolist() == [True, False, True, False, False]


def test_particles_come_by_falling_pt_and_the_softest_are_left_out() -> None:
    seen = particles([(0, 5.0, 0.1, 0.0), (0, 9.0, 0.2, 3.15), (0, 7.0, 0.3, -1.0)])
    found = by_pt(seen, 2, 2)
    assert found[0, :, :2].tolist() == [[9.0, np.float32(0.2)], [7.0, np.float32(0.3)]]
    assert np.abs(found[0, :, 2]).max() <= np.pi
    assert not found[1].any()


@pytest.mark.parametrize(
    ("name", "mass_gev"), [("lhco_wprime", 3500.0), ("lhco_threeprong", 4200.0)]
)
def test_a_resonance_has_its_mass_and_each_jet_that_of_its_particle(name, mass_gev) -> None:
    pytest.importorskip("pythia8mc")
    sample = DIJET_SAMPLES[name]
    generator = make_generator(sample.process, 5)
    seen = DijetFinder(selection=sample.selection).observe(generator, 60, np.random.default_rng(2))
    events = seen.events
    assert seen.n_generated == 60
    assert 30 <= len(events) <= 60
    features = dijet_features(events)
    leading = np.hypot(features[:, 0], features[:, 1])
    assert leading.min() > LHCO.min_pt_gev * 0.999
    # The response of the detector and radiation out of the jets: a few per cent each.
    assert np.median(dijet_mass(features)) == pytest.approx(mass_gev, rel=0.05)
    masses = features[:, [DIJET_FEATURES.index(one) for one in ("mj1", "mj2")]]
    heavier, lighter = (500.0, 100.0) if name == "lhco_wprime" else (600.0, 300.0)
    assert np.median(masses.max(axis=1)) == pytest.approx(heavier, rel=0.1)
    assert np.median(masses.min(axis=1)) == pytest.approx(lighter, rel=0.3)


def test_plans_of_another_tune_and_of_other_events_differ() -> None:
    names = [f"lhco_{one}" for one in ("qcd", "qcd_a14", "wprime", "threeprong")]
    plans = [make_jets_plan(name, n_events=10, seed=1) for name in names]
    assert len({plan.digest for plan in plans}) == 4
    assert {plan.layout.shape for plan in plans} == {(700, 3)}
