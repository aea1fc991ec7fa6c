"""Principal components of jet images by NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tools.jets_components import errors


def test_errors_are_those_of_the_projection_on_the_leading_components():
    drawn = np.random.default_rng(5).normal(size=(300, 6)) * [9, 5, 2, 1, 0.5, 0.1]
    training, tested = drawn[:200].astype(np.float32), drawn[200:].astype(np.float32)
    found = errors(training, tested, (0, 1, 2))
    mean = training.mean(axis=0)
    np.testing.assert_allclose(found[0], np.square(tested - mean).sum(axis=1), rtol=1e-5)
    _, _, rows = np.linalg.svd(training - mean, full_matrices=False)
    rest = (tested - mean) - (tested - mean) @ rows[:2].T @ rows[:2]
    assert found[2] == pytest.approx(np.square(rest).sum(axis=1), rel=1e-3, abs=1e-4)
    assert (found[1] >= found[2]).all()
