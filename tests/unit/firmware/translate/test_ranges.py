"""Words that are chosen by training events keep the range, and what they cost is small."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.submission import network
from harness.submission.words import parse_word

network.load_keras()

import keras  # noqa: E402

from harness.firmware.translate.quantise import to_fixed_width  # noqa: E402
from harness.firmware.translate.ranges import ChosenWords, choose_in_step, choose_words  # noqa: E402

N_OBJECTS = 4
DEFAULT = {"input": "fixed<16,13>", "weights": "fixed<8,2>", "activations": "fixed<16,8>"}


def events(n_events: int, seed: int) -> np.ndarray:
    """Return events whose first feature falls exponentially, to some 500 GeV."""
    random = np.random.default_rng(seed)
    made = random.uniform(-3, 3, (n_events, N_OBJECTS, 3))
    made[..., 0] = random.exponential(50.0, (n_events, N_OBJECTS))
    return made.astype(np.float32)


def plain_network() -> keras.Model:
    """Return a network that sees momenta in GeV, and normalises them only then."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((N_OBJECTS, 3))
    x = keras.layers.Flatten()(inputs)
    normalised = keras.layers.BatchNormalization(name="normalised")
    x = keras.layers.Dense(8, activation="relu", name="hidden")(normalised(x))
    x = keras.layers.Dense(4, activation="tanh", name="latent")(x)
    model = keras.Model(inputs, keras.ops.sum(keras.ops.square(x), axis=-1, keepdims=True))
    seen = events(4_000, 1).reshape(4_000, -1)
    normalised.moving_mean.assign(seen.mean(axis=0))
    normalised.moving_variance.assign(seen.var(axis=0))
    return model


@pytest.fixture(scope="module")
def model():
    # Keras counts the layers that it names itself in the whole process.
    keras.utils.clear_session(free_memory=False)
    return plain_network()


@pytest.fixture(scope="module")
def chosen(model):
    return choose_words(model, events(4_000, 1))


def distance(model: keras.Model, precision: dict, seen: np.ndarray) -> float:
    """Return the error of rounding, in units of the spread of the scores."""
    exact = np.asarray(model(seen)).ravel()
    rounded = np.asarray(to_fixed_width(model, precision)(seen)).ravel()
    return float(np.sqrt(np.mean((rounded - exact) ** 2)) / exact.std())


def test_an_input_has_a_word_for_each_feature_that_holds_four_times_its_largest_value(chosen):
    words = [parse_word(text) for text in chosen.input]
    seen = events(4_000, 1)

    assert len(words) == 3
    for word, values in zip(words, np.moveaxis(seen, -1, 0), strict=True):
        assert word.highest >= 2 * np.abs(values).max()
        assert word.is_signed == bool((values < 0).any())
        assert word.step <= values.std() / 64


def test_a_layer_keeps_the_range_of_what_it_reads(model, chosen):
    largest = np.abs(events(4_000, 1)).max()

    assert set(chosen.layers) == {"normalised", "hidden", "latent", "square"}
    assert parse_word(chosen.layers["normalised"].activations).highest >= largest
    assert parse_word(chosen.layers["hidden"].activations).highest < largest
    assert chosen.layers["square"].weights is None


def test_the_chosen_words_cost_little_where_the_usual_ones_cost_most(model, chosen):
    other = events(2_000, 2)

    assert distance(model, chosen.model_dump(), other) < 0.1
    assert distance(model, DEFAULT, other) > 0.3


def test_the_words_leave_the_network_as_it_was(model):
    before = [np.asarray(weight) for weight in model.get_weights()]
    choose_words(model, events(500, 4))

    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_report_of_the_step_is_read_again(model, chosen, tmp_path):
    exported = tmp_path / "graph", tmp_path / "weights"
    network.export_network(model, *exported)
    np.save(tmp_path / "events.npy", events(4_000, 1))
    files = {"graph": exported[0], "weights": exported[1], "events": tmp_path / "events.npy"}

    report = choose_in_step({"n_features": 3}, files, {})
    read = ChosenWords.model_validate_json(json.dumps(report), strict=True).precision
    assert read == chosen


def test_words_of_a_layer_that_is_not_there_are_refused(model):
    with pytest.raises(Exception, match=r"no layer hiden.*"):
        to_fixed_width(model, {**DEFAULT, "layers": {"hiden": {"weights": "fixed<4,2>"}}})


def test_a_network_of_hgq2_layers_needs_no_words(tmp_path):
    from hgq.layers import QDense

    inputs = keras.Input((6,))
    exported = tmp_path / "graph", tmp_path / "weights"
    network.export_network(keras.Model(inputs, QDense(1)(inputs)), *exported)
    np.save(tmp_path / "events.npy", events(20, 1)[:, :2])
    files = {"graph": exported[0], "weights": exported[1], "events": tmp_path / "events.npy"}

    assert choose_in_step({"n_features": 3}, files, {}) == {"precision": None}
