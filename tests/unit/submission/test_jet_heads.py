"""Jets in a graph are what `harness.jets` computes of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from harness import heads, jets
from harness.submission.contract import check_network
from harness.submission.network import load_keras


@pytest.fixture(scope="module")
def given() -> np.ndarray:
    """Jets of three prongs, some at the end of phi, one without constituents."""
    rng = np.random.default_rng(4)
    found = np.zeros((50, 40, 3), np.float32)
    for jet, count in zip(found, rng.integers(3, 40, len(found)), strict=True):
        prong = rng.integers(0, 3, count)
        jet[:count, 0] = -np.sort(-rng.exponential(20.0, count) - 0.5)
        jet[:count, 1] = rng.uniform(-2, 2) + (0.3 * rng.normal(size=3))[prong]
        phi = np.pi - 0.2 + (0.3 * rng.normal(size=3))[prong] + 0.05 * rng.normal(size=count)
        jet[:count, 2] = (phi + np.pi) % (2 * np.pi) - np.pi
    found[-1] = 0.0
    return found


def computed(block, given: np.ndarray) -> np.ndarray:
    load_keras()
    import keras

    inputs = keras.Input(given.shape[1:])
    return np.asarray(keras.Model(inputs, block(inputs))(given))


def test_the_mass_is_that_of_the_arrays(given):
    found = computed(heads.jet_mass, given)[:, 0]

    np.testing.assert_allclose(found, jets.jet_mass(given), rtol=2e-4, atol=0.01)


def test_the_image_is_that_of_the_arrays(given):
    found = computed(heads.jet_image, given)

    moved = np.abs(found - jets.jet_images(given)).sum(axis=(1, 2)) / 2
    # A constituent on the edge of two cells may fall into the other one.
    assert np.count_nonzero(moved > 1e-4) <= 1
    np.testing.assert_allclose(found[:-1].sum(axis=(1, 2)), 1, rtol=1e-5)
    assert not found[-1].any()


def test_coordinates_have_their_centre_at_the_origin(given):
    total, share, eta, phi = (
        computed(lambda x, at=number: heads.jet_coordinates(x)[at], given) for number in range(4)
    )

    np.testing.assert_allclose(total[:, 0], given[..., 0].sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose((share * eta).sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose((share * phi).sum(axis=1), 0, atol=1e-5)
    assert np.abs(phi).max() < np.pi / 2


def test_a_network_of_them_keeps_the_contract():
    load_keras()
    import keras

    inputs = keras.Input((40, 3))
    image = keras.layers.Flatten()(heads.jet_image(inputs))
    score = heads.jet_mass(inputs) + keras.layers.Dense(1)(image)

    assert check_network(keras.Model(inputs, score), (40, 3)) == []
