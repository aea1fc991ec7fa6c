"""Masses, correlators, N-subjettiness and images of jets."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from harness.jets import (
    SUBSTRUCTURE,
    centred,
    cluster,
    energy_correlators,
    four_momenta,
    from_components,
    jet_axis,
    jet_images,
    jet_mass,
    jet_momentum,
    leading_jets,
    leading_momenta,
    n_constituents,
    subjettiness,
    subjettiness_basis,
    substructure,
)


def _jets(seed: int, n_jets: int = 6, n_most: int = 14) -> np.ndarray:
    """Return jets around random axes, some of them at the end of phi."""
    rng = np.random.default_rng(seed)
    jets = np.zeros((n_jets, 20, 3), np.float32)
    for number, count in enumerate(rng.integers(4, n_most, n_jets)):
        jets[number, :count, 0] = -np.sort(-rng.exponential(20.0, count) - 1)
        jets[number, :count, 1] = rng.normal(rng.uniform(-2, 2), 0.3, count)
        phi = rng.normal(np.pi - 0.1, 0.3, count)
        jets[number, :count, 2] = (phi + np.pi) % (2 * np.pi) - np.pi
    return jets


def test_the_mass_of_two_massless_constituents_is_that_of_the_textbook():
    jets = np.array([[[3.0, 0.5, 1.0], [2.0, -0.5, 1.2], [0.0, 0.0, 0.0]]])

    expected = np.sqrt(2 * 3.0 * 2.0 * (np.cosh(1.0) - np.cos(0.2)))

    assert jet_mass(jets) == pytest.approx([expected])
    assert jet_mass(jets[:, :1]) == pytest.approx([0.0], abs=1e-6)


def test_components_and_back_keep_a_particle():
    particles = _jets(1)[:, :3].astype(np.float64)

    assert from_components(four_momenta(particles)) == pytest.approx(particles, abs=1e-12)


def test_a_jet_keeps_its_mass_when_it_is_turned_and_boosted_along_the_beam():
    jets = _jets(2)
    moved = jets + np.where(jets[..., :1] > 0, np.float32([0, 0.75, 1.5]), 0)

    assert jet_mass(moved) == pytest.approx(jet_mass(jets), rel=1e-4)


def test_relative_angles_have_no_step_at_the_end_of_phi():
    jets = _jets(3)

    relative = centred(jets)

    assert np.abs(relative[..., 2]).max() < 1.6
    assert (relative[jets[..., 0] == 0] == 0).all()
    assert jet_axis(relative)[:, 2] == pytest.approx(np.zeros(len(jets)), abs=1e-6)


def test_correlators_are_the_sums_over_all_pairs_and_triples():
    jets = _jets(4)

    found = energy_correlators(jets, beta=1.5)

    for number, (jet, count) in enumerate(zip(jets.astype(float), n_constituents(jets))):
        share = jet[:, 0] / jet[:, 0].sum()
        e2 = e3 = e3_two = 0.0
        for one, other in itertools.combinations(range(count), 2):
            e2 += share[one] * share[other] * _distance(jet[one], jet[other]) ** 1.5
        for three in itertools.combinations(range(count), 3):
            sides = sorted(
                _distance(jet[one], jet[other]) ** 1.5
                for one, other in itertools.combinations(three, 2)
            )
            e3 += np.prod(share[list(three)]) * np.prod(sides)
            e3_two += np.prod(share[list(three)]) * sides[0] * sides[1]
        assert found.e2[number] == pytest.approx(e2)
        assert found.e3[number] == pytest.approx(e3)
        assert found.e3_two[number] == pytest.approx(e3_two, rel=1e-5)


def test_ratios_are_those_of_fastjet():
    import fastjet

    from harness.jets.clustering import awkward_momenta

    jets = _jets(5)
    is_there = jets[..., 0] > 0
    momenta = awkward_momenta(*jets[is_there].astype(float).T, is_there.sum(axis=1))
    # So large that all constituents of a jet are one.
    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, 100.0)
    whole = fastjet.ClusterSequence(momenta, definition)

    found = energy_correlators(jets)

    for name in ("n2", "c2", "d2"):
        expected = whole.exclusive_jets_energy_correlator(njets=1, func=name)
        assert getattr(found, name) == pytest.approx(np.ravel(expected), rel=1e-5), name


def test_ratios_of_jets_with_too_few_constituents_are_zero():
    jets = np.zeros((2, 3, 3))
    jets[0, 0] = 10.0, 0.0, 0.0

    found = energy_correlators(jets)

    assert found.n2.tolist() == found.c2.tolist() == found.d2.tolist() == [0.0, 0.0]


def test_n_axes_describe_a_jet_of_n_prongs():
    jets = np.zeros((1, 4, 3), np.float32)
    jets[0, :3] = (60.0, 0.3, 0.0), (30.0, -0.3, 0.2), (10.0, 0.0, -0.4)

    one, two, three = subjettiness(jets)[0]

    assert three == pytest.approx(0.0, abs=1e-6)
    # The softest joins the first: an axis at (0.257, -0.057), 0.0714 and 0.4286 from the two.
    assert two == pytest.approx((60 * 0.0714 + 10 * 0.4286) / (100 * 0.8), rel=1e-2)
    assert one > two


def test_clusters_are_listed_with_their_particles():
    pt = np.array([50.0, 20.0, 40.0, 30.0, 25.0])
    eta = np.array([0.0, 0.2, 2.0, 1.0, 1.1])
    phi = np.array([0.0, 0.1, 1.0, -1.0, -1.1])
    found = cluster(pt, eta, phi, np.array([3, 2]), radius=0.8, min_pt_gev=5.0, with_members=True)

    members = np.split(found.members, np.cumsum(found.n_members)[:-1])

    assert found.event.tolist() == [0, 0, 1]
    assert sorted(sorted(one.tolist()) for one in members) == [[0, 1], [2], [3, 4]]
    sums = [four_momenta(np.stack([pt, eta, phi], axis=-1)[one]).sum(axis=0) for one in members]
    assert found.momenta == pytest.approx(np.array(sums))


def test_an_image_does_not_change_when_its_jet_is_moved_turned_or_mirrored():
    rng = np.random.default_rng(6)
    xy = rng.normal(0, 1, (1, 9, 2)) * [0.5, 0.2]
    pt = -np.sort(-rng.exponential(20, (1, 9)))
    turned = xy @ np.array([[np.cos(1.0), np.sin(1.0)], [-np.sin(1.0), np.cos(1.0)]])
    variants = [xy, turned, xy * [1, -1], turned + np.array([0.7, -2.0])]

    images = [jet_images(np.concatenate([pt[..., None], one], axis=-1)) for one in variants]

    assert images[0].sum() == pytest.approx(1.0)
    for image in images[1:]:
        assert np.abs(image - images[0]).max() < 1e-6


def test_an_image_in_gev_holds_the_pt_that_lies_within_it():
    jets = _jets(7)

    images = jet_images(jets, normalised=False, rotated=False)

    assert images.sum(axis=(1, 2)) == pytest.approx(jets[..., 0].sum(axis=1), rel=1e-5)
    assert jet_images(np.zeros((2, 5, 3))).sum() == 0


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    turn = abs(one[2] - other[2])
    return float(np.hypot(one[1] - other[1], min(turn, 2 * np.pi - turn)))


def test_substructure_has_its_columns_in_order():
    jets = _jets(seed=3)

    found = dict(zip(SUBSTRUCTURE, substructure(jets).T, strict=True))

    tau = subjettiness(jets, (1, 2, 3, 4))
    np.testing.assert_allclose(found["mass"], jet_mass(jets))
    np.testing.assert_allclose(found["tau32"], tau[:, 2] / tau[:, 1])
    np.testing.assert_allclose(found["tau21"] * found["tau32"] * found["tau43"] * tau[:, 0],
                               found["tau4"])  # fmt: skip
    correlators = energy_correlators(jets)
    np.testing.assert_allclose(found["n2"], correlators.n2)
    np.testing.assert_allclose(found["d2"], correlators.d2)
    np.testing.assert_array_equal(found["n_constituents"], n_constituents(jets))


def test_a_ratio_to_a_jet_of_one_constituent_is_zero():
    jets = np.array([[[5.0, 0.1, 0.2], [0.0, 0.0, 0.0]]])

    assert np.isfinite(substructure(jets)).all()
    assert substructure(jets)[0, SUBSTRUCTURE.index("tau21")] == 0


def test_the_basis_of_six_bodies_is_that_of_the_reference():
    jets = _jets(seed=4)

    found = subjettiness_basis(jets)

    assert found.shape == (len(jets), 3 * 6 - 4 + 2)
    np.testing.assert_allclose(found[:, :2], np.c_[jet_mass(jets), jet_axis(jets)[:, 0]])
    np.testing.assert_allclose(found[:, 2:6], subjettiness(jets, (1, 2, 3, 4), beta=0.5))
    np.testing.assert_allclose(found[:, 11:], subjettiness(jets, (1, 2, 3, 4, 5), beta=2.0))


def test_momenta_of_the_leading_jets_are_those_of_their_constituents() -> None:
    pytest.importorskip("fastjet")
    generator = np.random.default_rng(3)
    events = np.zeros((40, 30, 3))
    events[..., 0] = generator.exponential(40.0, (40, 30))
    events[..., 1] = generator.normal(0, 1.5, (40, 30))
    events[..., 2] = generator.uniform(-np.pi, np.pi, (40, 30))
    events[0, 1:] = 0.0  # One jet alone.
    for momenta, jet in zip(leading_momenta(events), leading_jets(events), strict=True):
        np.testing.assert_allclose(momenta, jet_momentum(jet), rtol=1e-10, atol=1e-8)
    assert not leading_momenta(events)[1][0].any()


def test_nothing_is_printed_by_what_finds_jets() -> None:
    pytest.importorskip("fastjet")
    code = "import numpy as np; from harness.jets import leading_momenta as find; "
    code += "find(np.full((1, 2, 3), 100.0) * [1.0, 0.001, 0.001])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout
