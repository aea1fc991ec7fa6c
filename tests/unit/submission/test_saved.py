"""Models that Keras 2, Keras 3 and QKeras saved are read as data, and compute what they did there.

``tests/data/saved_models/make.py`` made the files and the outputs with Keras 2.15 and QKeras 0.9.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness import heads
from harness.errors import InvalidSubmissionError
from harness.submission.saved.container import read_saved
from harness.submission.saved.quantisers import UnknownQuantiserError, parse_quantiser, quantised

DATA = Path(__file__).parents[2] / "data" / "saved_models"


def saved_outputs(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


def computed(name: str, weights: str | None = None, **options: object) -> np.ndarray:
    model = heads.from_keras(DATA / name, weights=weights and DATA / weights, **options)
    x = saved_outputs(name.partition(".")[0])["x"]
    return np.asarray(model(x, training=False))


FILES = (
    ("{}.h5", None),
    ("{}.keras", None),
    ("{}.json", "{}_old.h5"),
    ("{}.json", "{}.weights.h5"),
)


@pytest.mark.parametrize(("file", "weights"), FILES)
@pytest.mark.parametrize("name", ["plain_autoencoder", "quantised_autoencoder"])
def test_a_model_computes_what_it_did_where_it_was_trained(name, file, weights):
    found = computed(file.format(name), weights and weights.format(name))
    expected = saved_outputs(name)["score_of_the_file"]
    if name == "quantised_autoencoder":
        np.testing.assert_array_equal(found, expected)
    else:
        # float32 sums in another order.
        np.testing.assert_allclose(found, expected, atol=1e-5 * expected.std())


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_convolutions_and_every_quantiser_of_weights_are_the_same_bit_for_bit(ending):
    import keras

    model = heads.from_keras(DATA / f"quantised_images.{ending}")
    expected = saved_outputs("quantised_images")
    # Behind a normalisation float32 may round another way, until the quantiser that follows.
    names = [name for name in expected if name not in ("x", "score_of_the_file", "normalised")]
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in names])
    for name, found in zip(names, outputs(expected["x"]), strict=True):
        np.testing.assert_array_equal(np.asarray(found), expected[name], err_msg=name)
    assert len(np.unique(expected["score_of_the_file"])) > 30


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_plain_images_are_read(ending):
    expected = saved_outputs("plain_images")["score_of_the_file"]
    np.testing.assert_allclose(computed(f"plain_images.{ending}"), expected, atol=1e-6)


def test_words_of_qkeras_are_those_of_hgq2():
    model = heads.from_keras(DATA / "quantised_autoencoder.h5")
    kernel = model.get_layer("hidden").kq.quantizer
    # quantized_bits(6, 0): six bits, one of them the sign.
    assert [float(np.max(part)) for part in kernel.kif] == [1, 0, 5]
    rectified = model.get_layer("rectified").quantizer
    assert [float(np.max(part)) for part in rectified.kif] == [0, 4, 4]


def test_a_layer_before_a_lambda_is_an_output():
    with pytest.raises(InvalidSubmissionError, match="Lambda") as caught:
        heads.from_keras(DATA / "variational.h5")
    assert "z_mean" in str(caught.value)
    expected = saved_outputs("variational")
    found = computed("variational.h5", outputs=["z_mean", "z_log_var"])
    np.testing.assert_allclose(found[0], expected["z_mean"], rtol=1e-4, atol=1e-5)
    with pytest.raises(InvalidSubmissionError, match="no layer 'mu'"):
        heads.from_keras(DATA / "variational.h5", outputs=["mu"])


# What Keras 3 itself does where it writes a file.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_files_of_keras_3_are_read_too(tmp_path, ending):
    import keras

    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="relu")])
    inputs = keras.Input((57,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(8)(inputs))
    x = keras.layers.Concatenate()([inner(x), keras.layers.LeakyReLU(0.25)(x)])
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dropout(0.1)(x)))
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.weights])
    model.save(tmp_path / f"model.{ending}")
    events = rng.normal(size=(5, 57)).astype("float32")
    read = heads.from_keras(tmp_path / f"model.{ending}")
    np.testing.assert_array_equal(np.asarray(read(events)), np.asarray(model(events)))


# --- What is refused ------------------------------------------------------------------------------


def with_layers(change) -> bytes:
    """The configuration of the quantised autoencoder, its layers changed."""
    config = json.loads((DATA / "quantised_autoencoder.json").read_text(encoding="utf-8"))
    change({layer["config"]["name"]: layer for layer in config["config"]["layers"]})
    return json.dumps(config).encode()


def read_changed(folder: Path, change) -> str:
    (folder / "model.json").write_bytes(with_layers(change))
    with pytest.raises(InvalidSubmissionError) as caught:
        heads.from_keras(folder / "model.json", weights=DATA / "quantised_autoencoder_old.h5")
    return str(caught.value)


def test_all_layers_that_cannot_be_read_are_named_at_once(tmp_path):
    def change(layers):
        layers["hidden"]["class_name"] = "LSTM"
        layers["rectified"]["config"]["activation"] = "quantized_tanh(8)"
        layers["latent"]["config"]["kernel_quantizer"]["config"]["alpha"] = "auto"

    message = read_changed(tmp_path, change)
    for text in ("'hidden' (LSTM)", "use Dense", "'rectified'", "quantized_tanh", "'latent'"):
        assert text in message
    assert 'alpha="auto_po2"' in message


@pytest.mark.parametrize(
    ("layer", "setting", "value", "expected"),
    [
        ("hidden", "kernel_quantizer", None, "no kernel_quantizer"),
        ("hidden", "units", 17, "shape"),
        ("hidden", "units", "many", "cannot be|do not fit"),
        ("rectified", "activation", "__import__('os')", "not known|no quantiser"),
        ("rectified", "activation", "quantized_relu(6, 2, negative_slope=0.25)", "negative_slope"),
        ("rectified", "activation", "quantized_bits(6,2,alpha='auto_po2')", "no word"),
        ("rectified", "activation", "quantized_bits(99)", "whole numbers"),
    ],
)
def test_a_setting_that_is_not_known_is_refused(tmp_path, layer, setting, value, expected):
    def change(layers):
        layers[layer]["config"][setting] = value

    assert re.search(expected, read_changed(tmp_path, change))


def test_layers_in_a_circle_are_refused(tmp_path):
    def change(layers):
        layers["hidden"]["inbound_nodes"] = [[["latent", 0, 0, {}]]]

    assert "circle" in read_changed(tmp_path, change)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\x80\x05pickle", "no saved Keras model"),
        (b"PK\x03\x04broken", "damaged"),
        (b"\x89HDF\r\n\x1a\nbroken", "HDF5"),
        (b'{"class_name": "Sequential"}', "without its weights"),
        (b"{}", "not of a Keras model"),
        (b"{" * 100_000, "JSON"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, content, expected):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(InvalidSubmissionError, match=expected):
        read_saved(path)


def test_weights_that_lie_elsewhere_are_refused(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes((DATA / "quantised_autoencoder.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file["model_weights/hidden/hidden/kernel:0"]
        file["model_weights/hidden/hidden/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(InvalidSubmissionError, match="link"):
        read_saved(path)


def test_an_array_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes((DATA / "quantised_autoencoder.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file["model_weights/hidden/hidden/kernel:0"]
        file["model_weights/hidden/hidden"].create_dataset(
            "kernel:0", (10**5, 10**5), "f4", chunks=(1000, 1000), compression="gzip"
        )
    with pytest.raises(InvalidSubmissionError, match="bytes of weights"):
        read_saved(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", b" " * 10_000_000)
    path = tmp_path / "model.keras"
    path.write_bytes(out.getvalue())
    with pytest.raises(InvalidSubmissionError, match="more than"):
        read_saved(path)


# --- Quantisers -----------------------------------------------------------------------------------


def test_ternary_has_the_threshold_of_qkeras():
    x = np.array([0.32, 0.331, -0.333, 0.34, -2], np.float32)
    found = quantised(parse_quantiser("ternary(alpha=1)"), x)
    np.testing.assert_array_equal(found, [0, 1, -1, 1, -1])


def test_halves_are_rounded_to_even_and_ends_saturate():
    x = np.array([0.25, 0.75, 1.25, -9, 9], np.float32)
    found = quantised(parse_quantiser("quantized_bits(4, 2, alpha=1)"), x)
    np.testing.assert_array_equal(found, [0, 1, 1, -4, 3.5])
    found = quantised(parse_quantiser("quantized_bits(4, 2, 1, alpha=1)"), x)
    np.testing.assert_array_equal(found, [0, 1, 1, -3.5, 3.5])


@pytest.mark.parametrize("text", ["bernoulli()", "binary(alpha=0.3)", "f()()", "x" * 999, "a.b(1)"])
def test_other_quantisers_are_refused(text):
    with pytest.raises(UnknownQuantiserError):
        parse_quantiser(text)
