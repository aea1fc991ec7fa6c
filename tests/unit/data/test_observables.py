"""What is counted of images, against the dense arrays."""

from __future__ import annotations

import numpy as np

from harness.challenge import FeatureUnits, ImageLayout
from harness.data.observables import number_edges, observables_of
from harness.submission.events import sparse_of


def test_pixels_of_each_channel() -> None:
    layout = ImageLayout(
        height=4, width=3, channels=("a", "b"), units={"b": FeatureUnits(step=0.5, offset=1.0)}
    )
    generator = np.random.default_rng(1)
    dense = generator.normal(size=(30, *layout.shape)) * (generator.random((30, 4, 3, 2)) < 0.2)
    dense = dense.astype(np.float32)
    dense[3] = 0.0
    channel = dense[..., 1].astype(np.float64)
    scaled = (channel + 1.0) * 0.5 * (channel != 0)
    expected = {
        "a_sum": np.abs(dense[..., 0].astype(np.float64).sum(axis=(1, 2))),
        "a_max": np.abs(dense[..., 0]).max(axis=(1, 2)),
        "n_a": np.count_nonzero(dense[..., 0], axis=(1, 2)),
        "b_sum": np.abs(scaled.sum(axis=(1, 2))),
        "b_max": np.abs(scaled).max(axis=(1, 2)),
        "n_b": np.count_nonzero(channel, axis=(1, 2)),
    }
    found = {one.name: one.compute for one in observables_of(layout)}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        for given in (dense, sparse_of(dense), sparse_of(dense).part(0, 30)):
            assert np.allclose(found[name](given), values), name
    assert found["n_a"](sparse_of(dense).part(3, 4)).tolist() == [0.0]


def test_many_numbers_share_bins() -> None:
    assert number_edges(19) == tuple(count - 0.5 for count in range(21))
    edges = number_edges(700)
    assert len(edges) <= 51
    assert edges[-1] > 700
