"""Networks survive the export bit for bit, and nothing else survives it."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from harness.errors import InvalidSubmissionError
from harness.submission import layers, network
from harness.submission.contract import check_network
from harness.submission.functions import exp_negative, log1p, reciprocal, register_functions

network.load_keras()

import hgq.layers as q  # noqa: E402
import keras  # noqa: E402
from hgq.config import QuantizerConfig  # noqa: E402
from keras.src.saving import serialization_lib  # noqa: E402

EVENT_SHAPE = (19, 3)


def word(**changes):
    """Return the quantiser of an input: sign, 10 integer and 2 fractional bits."""
    settings = {
        "k0": 1,
        "i0": 10,
        "f0": 2,
        "overflow_mode": "SAT",
        "trainable": False,
        "homogeneous_axis": (0,),
    }
    return q.Quantizer(QuantizerConfig("kif", "datalane", **{**settings, **changes}))


def quantised() -> keras.Model:
    """Return a quantised network with most kinds of layers that heads need."""
    inputs = keras.Input((57,))
    hidden = q.QDense(8, activation="relu")(word()(inputs))
    hidden = q.QBatchNormDense(8, activation="relu")(hidden)
    mu = q.QDense(3, name="mu")(hidden)
    log_variance = q.QDense(3, name="log_variance")(hidden)
    inverse = q.QUnaryFunctionLUT(exp_negative, allow_heterogeneous_table=False)(log_variance)
    square = q.QMultiply()([mu, mu])
    return keras.Model(inputs, q.QEinsum("bi,bi->b")([square, inverse]))


def quantised_convolution() -> keras.Model:
    """Return a convolutional quantised network over (19, 3, 1)."""
    inputs = keras.Input((19, 3, 1))
    hidden = q.QConv2D(4, (3, 3), activation="relu")(word()(inputs))
    hidden = q.QAveragePooling2D((4, 1))(hidden)
    hidden = keras.layers.Flatten()(hidden)
    return keras.Model(inputs, q.QDense(1)(hidden))


def plain() -> keras.Model:
    """Return a float network with a nested, shared model and operations of `keras.ops`."""
    inputs = keras.Input((19, 3))
    normalise = keras.layers.Normalization(axis=-1)
    normalise.adapt(np.random.default_rng(0).normal(5, 2, (100, 19, 3)))
    inner = keras.Sequential(
        [
            keras.Input((57,)),
            keras.layers.Dense(4, activation="tanh", kernel_regularizer="l2"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
        ]
    )
    first = inner(keras.layers.Flatten()(normalise(inputs)))
    second = inner(keras.ops.reshape(inputs, (-1, 57)) * 0.1 - np.arange(57.0, dtype=np.float32))
    score = keras.ops.sum(keras.ops.square(first - second)[:, :3], axis=-1)
    return keras.Model(inputs, score)


def sequential() -> keras.Model:
    """Return a sequential model."""
    return keras.Sequential([keras.Input((57,)), keras.layers.Dense(1)])


NETWORKS = [quantised, quantised_convolution, plain, sequential]


def train(model: keras.Model) -> None:
    """Move every weight and every quantiser's width away from where it began, as training does."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        is_width = "fixed_point" in weight.path
        if str(weight.dtype) == "float32" and (weight.trainable or is_width):
            weight.assign(weight.value.numpy() + rng.normal(0, 0.3, weight.shape))


@pytest.fixture
def files(tmp_path):
    return tmp_path / "graph.json", tmp_path / "weights.bin"


@pytest.mark.parametrize("make", NETWORKS)
def test_a_rebuilt_network_gives_the_same_bits(make, files, events):
    model = make()
    assert check_network(model, EVENT_SHAPE) == []
    train(model)
    network.export_network(model, *files)
    x = events.reshape(len(events), *model.input_shape[1:])
    expected = model.predict(x, verbose=0, batch_size=3_000)
    rebuilt = network.rebuild(*files)
    assert np.std(expected) > 0
    assert rebuilt.predict(x, verbose=0, batch_size=3_000).tobytes() == expected.tobytes()


@pytest.mark.parametrize("make", NETWORKS)
def test_a_rebuilt_network_exports_to_the_same_digest(make, files, tmp_path):
    network.export_network(make(), *files)
    digest = network.model_digest(*files)
    again = tmp_path / "again.json", tmp_path / "again.bin"
    network.export_network(network.rebuild(*files), *again)
    assert network.model_digest(*again) == digest
    assert digest.startswith("sha256:")


def test_the_digest_depends_on_each_weight(files):
    network.export_network(sequential(), *files)
    digest = network.model_digest(*files)
    content = bytearray(files[1].read_bytes())
    content[5] ^= 1
    files[1].write_bytes(content)
    assert network.model_digest(*files) != digest


def test_the_digest_tells_where_the_graph_ends(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"ab")
    second.write_bytes(b"c")
    joined = network.model_digest(first, second)
    first.write_bytes(b"a")
    second.write_bytes(b"bc")
    assert network.model_digest(first, second) != joined


def test_the_graph_is_canonical_and_says_nothing_of_training(files):
    model = plain()
    model.compile("adam", "mse")
    network.export_network(model, *files)
    text = files[0].read_text("ascii")
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    for word_of_training in ("compile_config", "adam", "L2", "GlorotUniform"):
        assert word_of_training not in text


@pytest.mark.parametrize("triple", sorted(layers.ALLOWED, key=str))
def test_the_allow_list_names_classes_as_keras_does(triple):
    module, name, _registered = triple
    cls = getattr(importlib.import_module(module), name)
    told = serialization_lib.serialize_with_public_class(cls, {})
    assert (told["module"], told["class_name"], told["registered_name"]) == triple


def test_each_table_function_is_known():
    assert set(register_functions()) == set(layers.TABLE_FUNCTIONS)


def test_table_functions_are_what_their_names_say():
    x = np.array([-2.0, 0.0, 0.5, 4.0], np.float32)
    np.testing.assert_allclose(exp_negative(x), np.exp(-x), rtol=1e-6)
    np.testing.assert_allclose(reciprocal(x), [-0.5, 0.0, 2.0, 0.25])
    np.testing.assert_allclose(log1p(x), [0.0, 0.0, np.log(1.5), np.log(5.0)], rtol=1e-6)


class Custom(keras.layers.Layer):
    """A layer that no list holds."""

    def call(self, x):
        return x[:, 0]


class Subclassed(keras.Model):
    """A model with code of its own."""

    def call(self, x):
        return x


def from_input(*shape, **settings):
    return keras.Input(shape, **settings)


def broken(case: str) -> object:
    """Return what ``network()`` should not return."""
    x = from_input(57)
    score = keras.layers.Dense(1)
    dense2 = keras.layers.Dense(2)
    other, open_shape = from_input(57), from_input(None, 3)
    integer = keras.Input((57,), dtype="int32")
    fixed = keras.Input((57,), batch_size=8)
    cases = {
        "none": lambda: None,
        "array": lambda: np.zeros(3),
        "subclass": Subclassed,
        "unbuilt": lambda: keras.Sequential([score]),
        "two inputs": lambda: keras.Model([x, other], score(x + other)),
        "shape": lambda: keras.Model(y := from_input(56), score(y)),
        "open": lambda: keras.Model(open_shape, keras.ops.sum(open_shape, axis=(1, 2))),
        "integer": lambda: keras.Model(integer, score(integer)),
        "batch": lambda: keras.Model(fixed, score(fixed)),
        "two outputs": lambda: keras.Model(x, [score(x), dense2(x)]),
        "(n, 2)": lambda: keras.Model(x, dense2(x)),
        "mixed": lambda: keras.Model(x, keras.ops.sum(x)),
        "complex": lambda: keras.Model(x, keras.ops.cast(score(x), "complex64")),
        "class": lambda: keras.Model(x, keras.ops.cast(score(x), "int32")),
    }
    return cases[case]()


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("none", "returned builtins.NoneType"),
        ("array", "returned numpy.ndarray"),
        ("subclass", "a subclass of keras.Model, Subclassed"),
        ("unbuilt", "has no input yet"),
        ("two inputs", "2 inputs"),
        ("shape", "the shape is (56,)"),
        ("open", "the shape (None, 3) is open"),
        ("integer", "the type is int32"),
        ("batch", "batch size is fixed to 8"),
        ("two outputs", "2 outputs"),
        ("(n, 2)", "the shape is (n, 2)"),
        ("mixed", "Sum with axis=None mixes events"),
        ("complex", "the type is complex64"),
        ("class", "the type is int32"),
    ],
)
def test_a_network_that_breaks_the_contract_is_told(case, told):
    problems = check_network(broken(case), EVENT_SHAPE)
    assert told in "\n".join(str(problem) for problem in problems)


def test_all_that_is_wrong_is_told_at_once():
    x = from_input(56)
    problems = check_network(keras.Model(x, keras.layers.Dense(2)(x)), EVENT_SHAPE)
    assert len(problems) == 2


def test_the_layout_of_another_challenge_sets_other_shapes():
    x = from_input(40)
    model = keras.Model(x, keras.layers.Dense(1)(x))
    assert check_network(model, (10, 4)) == []
    assert check_network(model, EVENT_SHAPE) != []


@pytest.mark.parametrize(
    ("score", "told"),
    [
        (Custom(), "Custom is not allowed"),
        (keras.layers.Lambda(lambda y: y[:, 0]), "Lambda"),
        (lambda x: keras.layers.Dense(1)(keras.layers.Dropout(0.5)(x, training=True)), "training"),
        (lambda x: keras.layers.LSTM(1)(keras.layers.Reshape((19, 3))(x)), "LSTM is not allowed"),
        (lambda x: keras.random.normal((1,)) + keras.layers.Dense(1)(x), None),
        (keras.layers.Dense(1, name="schöne Schicht"), "the name"),
        (keras.layers.Dense(1, activation=np.sin), "serialised"),
    ],
)
def test_what_is_off_the_list_is_not_exported(files, score, told):
    x = from_input(57)
    model = keras.Model(x, score(x))
    if told is None:  # random only while the graph was made: a constant from then on
        network.export_network(model, *files)
        return
    with pytest.raises(InvalidSubmissionError, match=told):
        network.export_network(model, *files)
    assert not files[0].exists()


def edit(files, change) -> None:
    """Change the graph of an export."""
    graph = json.loads(files[0].read_text())
    change(graph)
    files[0].write_text(json.dumps(graph))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda g: g["weights"].pop(), "as the graph says"),
        (lambda g: g["weights"][0].update(dtype="float64"), "as the graph says"),
        (lambda g: g["weights"][0].update(shape=[1, 57]), "do not fit the graph"),
        (lambda g: g["weights"][0].update(path="other/0:kernel"), "do not fit the graph"),
        (lambda g: g["model"]["config"]["layers"][1].update(inbound_nodes=[]), "cannot be rebuilt"),
        (lambda g: g["model"]["config"]["layers"][1]["config"].update(odd=1), "cannot be rebuilt"),
        (lambda g: g["model"]["config"]["layers"][1].update(class_name="Lambda"), "not allowed"),
    ],
)
def test_files_that_do_not_fit_are_refused(files, change, told):
    network.export_network(sequential(), *files)
    edit(files, change)
    with pytest.raises(InvalidSubmissionError, match=told):
        network.rebuild(*files)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100])
def test_weights_cut_or_too_long_are_refused(files, content):
    network.export_network(sequential(), *files)
    files[1].write_bytes(content)
    with pytest.raises(InvalidSubmissionError, match="as the graph says"):
        network.rebuild(*files)


def test_a_graph_that_is_no_text_is_refused(files):
    network.export_network(sequential(), *files)
    files[0].write_bytes(b"\xff\xfe{}")
    with pytest.raises(InvalidSubmissionError, match="not ASCII"):
        network.rebuild(*files)


def test_weights_are_little_endian_in_the_order_of_the_graph(files):
    model = sequential()
    kernel = np.arange(57, dtype=np.float32).reshape(57, 1)
    model.layers[-1].set_weights([kernel, np.array([0.5], np.float32)])
    network.export_network(model, *files)
    stored = np.frombuffer(files[1].read_bytes(), "<f4")
    np.testing.assert_array_equal(stored, [*range(57), 0.5])
