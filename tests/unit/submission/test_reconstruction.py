"""What an autoencoder makes of images: by the layer of its name, and nothing if there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.submission import network, reconstruction
from harness.submission.events import save_events, sparse_of

network.load_keras()

import keras  # noqa: E402

SHAPE = (4, 5, 2)


def exported(folder: Path, *, name: str, is_whole: bool = True) -> dict[str, Path]:
    """Export a network that doubles an image; its score is the sum of what was added."""
    image = keras.Input(SHAPE)
    again = keras.layers.Rescaling(2.0, name=name)(image)
    if not is_whole:
        again = keras.layers.GlobalAveragePooling2D(name="reconstruction")(image)
    score = keras.ops.sum(keras.layers.Flatten()(again), axis=1)
    paths = {one: folder / one for one in ("graph", "weights", "events", "sums", "whole")}
    network.export_network(keras.Model(image, score), paths["graph"], paths["weights"])
    return paths


def run(paths: dict[str, Path], images: np.ndarray, n_whole: int) -> dict[str, object]:
    save_events(paths["events"].with_suffix(".npy"), sparse_of(images))
    paths["events"].with_suffix(".npy").rename(paths["events"])
    return reconstruction.reconstruct({"n_whole": n_whole}, paths, paths)


def test_sums_of_all_and_the_first_ones_whole(tmp_path: Path) -> None:
    images = np.random.default_rng(1).random((19, *SHAPE), np.float32)
    images *= images > 0.5
    paths = exported(tmp_path, name="reconstruction")
    report = run(paths, images, n_whole=3)
    assert report == {"has_reconstruction": True, "n_events": 19}
    sums = np.fromfile(paths["sums"], "<f8")
    np.testing.assert_allclose(sums, 2.0 * images.sum(axis=(1, 2, 3)), rtol=1e-6)
    whole = np.fromfile(paths["whole"], "<f4").reshape(3, *SHAPE)
    np.testing.assert_array_equal(whole, 2 * images[:3])


@pytest.mark.parametrize("changes", [{"name": "other"}, {"name": "again", "is_whole": False}])
def test_without_such_a_layer_nothing_is_shown(tmp_path: Path, changes: dict[str, object]) -> None:
    paths = exported(tmp_path, **changes)
    report = run(paths, np.ones((2, *SHAPE), np.float32), n_whole=1)
    assert report == {"has_reconstruction": False}
    assert paths["sums"].read_bytes() == paths["whole"].read_bytes() == b""
