"""Which calls keep the events apart: each rule accepts what it should, and nothing else."""

# ruff: noqa: PLW0108 - each test makes its own layer

from __future__ import annotations

import importlib

import numpy as np
import pytest

from harness.errors import InvalidSubmissionError
from harness.submission import independence, layers, network
from harness.submission.contract import check_network, check_rebuilt

network.load_keras()
# Keras compares sizes with -1 in a way that Python 3.11 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:NotImplemented should not be:DeprecationWarning")

import hgq.layers as q  # noqa: E402
import keras  # noqa: E402
from keras import layers as k  # noqa: E402
from keras import ops  # noqa: E402

ROW = np.arange(57, dtype=np.float32)
SQUARE = np.eye(57, dtype=np.float32)


def image(x):
    """Return the events as (n, 19, 3)."""
    return k.Reshape((19, 3))(x)


def one(x):
    """Return one number for each event, (n, 1)."""
    return k.Dense(1, kernel_initializer="ones")(x)


def nested(change, *, sequential=False):
    """Return a model within the model, which changes (n, 57)."""
    inner = keras.Input((57,))
    if sequential:
        return keras.Sequential([inner, change])
    return keras.Model(inner, change(inner), name="inner")


def model_of(build) -> keras.Model:
    """Return the model of a function of 57 inputs."""
    keras.utils.clear_session(free_memory=False)
    x = keras.Input((57,), name="events")
    return keras.Model(x, build(x))


def problems_of(model: keras.Model) -> str:
    """Return by what calls a model mixes events, as text."""
    return "\n".join(str(one) for one in independence.mixing_problems(model, "graph"))


def undeclared(model: keras.Model) -> str:
    """Return which tensors of a model are not what Keras declares, as text."""
    return "\n".join(str(one) for one in independence.declaration_problems(model, "graph"))


ACCEPTED = {
    # Elementwise.
    "arithmetic": lambda x: ops.square(x) * 2.0 - ops.divide(ROW, 1.0 + ops.abs(x)),
    "row of one": lambda x: x * ROW[None, :],
    "number for each event": lambda x: one(x) + x - one(x),
    "condition": lambda x: ops.where(x[:, :1] > 10.0, x, ops.zeros((57,))),
    "clipped": lambda x: ops.clip(x, -1.0, 1.0),
    "one axis": lambda x: ops.exp(x[:, 0]) * 2.0,
    "of an image": lambda x: image(x) * np.float32([0.1, 1.0, 1.0]),
    # Along axes.
    "sum": lambda x: ops.sum(x, axis=-1),
    "sum of an image": lambda x: ops.sum(image(x), axis=(1, 2), keepdims=True),
    "means of objects": lambda x: ops.mean(image(x), axis=-2),
    "weighted mean": lambda x: ops.average(x, axis=1, weights=ROW),
    "mean without weights": lambda x: ops.average(x, axis=1),
    "mean with the event's weights": lambda x: ops.average(x, axis=1, weights=ops.abs(x)),
    "softmax": lambda x: ops.softmax(x, axis=1),
    "softmax of an image": lambda x: k.Softmax(axis=(1, 2))(image(x)),
    "sorted": lambda x: ops.sort(x, axis=-1) + ops.cast(ops.argsort(x, axis=-1), "float32"),
    "cumulated": lambda x: ops.cumsum(x, axis=1),
    "counted": lambda x: ops.count_nonzero(x, axis=1),
    "joined": lambda x: ops.concatenate([x, x], axis=-1),
    "stacked": lambda x: ops.stack([x, x], axis=-1),
    "stacked in front": lambda x: ops.stack([x, x], axis=1),
    "expanded": lambda x: ops.expand_dims(ops.expand_dims(x, -1), 1),
    "squeezed": lambda x: ops.squeeze(one(x), axis=-1),
    "repeated": lambda x: ops.repeat(x, 2, axis=-1),
    "transposed convolution of an image": lambda x: k.Conv2DTranspose(2, 3)(image(x)[..., None]),
    "transposed convolution": lambda x: k.Conv1DTranspose(2, 3, strides=2)(image(x)),
    "slopes": lambda x: k.PReLU(shared_axes=[1])(image(x)),
    "layer normalisation": lambda x: k.LayerNormalization()(x),
    "batch normalisation": lambda x: k.BatchNormalization()(x),
    "QSum": lambda x: q.QSum(axes=(1, 2))(image(x)),
    "QSoftmax": lambda x: q.QSoftmax()(x),
    "Dot": lambda x: k.Dot(axes=-1)([x, x]),
    # Reshapes and permutations.
    "to an image": lambda x: ops.reshape(x, (-1, 19, 3)),
    "from an image": lambda x: ops.reshape(image(x), (-1, 57)),
    "one number, flat": lambda x: ops.reshape(one(x), (-1,)),
    "ravelled": lambda x: ops.ravel(one(x)),
    "turned": lambda x: ops.transpose(image(x), (0, 2, 1)),
    "axes moved": lambda x: ops.moveaxis(image(x), 1, -1),
    "axes swapped": lambda x: ops.swapaxes(image(x), 1, 2),
    "layers that reshape": lambda x: k.Flatten()(k.Permute((2, 1))(k.Reshape((-1, 3))(x))),
    # Indices.
    "one input": lambda x: x[:, 3],
    "every third": lambda x: x[:, ::3],
    "the last axis": lambda x: image(x)[..., 0],
    "reversed inputs": lambda x: x[:, ::-1],
    "a new axis": lambda x: x[:, None, 5:],
    # Products.
    "einsum": lambda x: ops.einsum("bi,bi->b", x, x),
    "einsum with a constant": lambda x: ops.einsum("ij,bj->bi", SQUARE, x),
    "einsum with an ellipsis": lambda x: ops.einsum(
        "...i,ij->...j", image(x), np.eye(3, 2, 0, "f")
    ),
    "outer product": lambda x: ops.einsum("bi,bj->bij", x, x),
    "EinsumDense": lambda x: k.EinsumDense("...i,ij->...j", 4)(image(x)),
    "QEinsum": lambda x: q.QEinsum("bi,bi->b")([x, x]),
    "times a matrix": lambda x: ops.matmul(x, SQUARE),
    "times a vector": lambda x: ops.matmul(x, ROW),
    "matrix times an image": lambda x: ops.matmul(np.ones((2, 19), np.float32), image(x)),
    "Gram matrix": lambda x: ops.matmul(image(x), ops.transpose(image(x), (0, 2, 1))),
    "tensordot": lambda x: ops.tensordot(x, SQUARE, axes=1),
    "tensordot of axes": lambda x: ops.tensordot(image(x), np.ones((19, 2), "f"), [[1], [0]]),
    # Layers and models.
    "dense": lambda x: k.Dense(4, "softmax")(x),
    "convolution": lambda x: k.GlobalMaxPooling1D()(k.Conv1D(2, 3, padding="same")(image(x))),
    "merged": lambda x: k.Multiply()([k.Add()([one(x), x]), k.Dropout(0.5)(x)]),
    "attention": lambda x: q.QMultiHeadAttention(1, 2)(image(x), image(x)),
    "linear attention": lambda x: q.QLinformerAttention(1, 4, 2)(image(x), image(x)),
    "normalised": lambda x: k.Normalization(mean=2.0, variance=3.0)(x),
    "quantised": lambda x: q.QDense(3)(q.Quantizer()(x)),
    "nested": lambda x: nested(lambda y: ops.sum(y, axis=-1))(x),
    "nested sequential": lambda x: nested(k.Dense(2), sequential=True)(x),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_keeps_the_events_apart_is_accepted(name):
    """The proof, and its slow twin: other events behind, in front, and as many as inputs."""
    model = model_of(ACCEPTED[name])
    events = np.random.default_rng(1).normal(0, 3, (57, 57)).astype(np.float32)
    others = np.concatenate([10 * events[:-6], events[:6]])

    assert problems_of(model) == ""
    assert undeclared(model) == ""
    alone, together = np.asarray(model(events[:6])), np.asarray(model(others))
    np.testing.assert_allclose(together[-6:], alone, rtol=1e-4, atol=1e-5)


REFUSED = {
    "constant for each event": (lambda x: x + ROW[:, None], "constant of shape (57, 1)"),
    "constant of more axes": (lambda x: x * np.ones((1, 1, 57), "f"), "shape (1, 1, 57)"),
    "row and one axis": (lambda x: x[:, 0] * ROW, "shape (57,)"),
    "one axis over the inputs": (lambda x: x - x[:, 0], "whose axes 0 do not meet"),
    "image and flat": (lambda x: image(x) * one(x), "whose axes 0 do not meet"),
    "places of a condition": (lambda x: ops.where(x > 0), "Where without values"),
    "score for a bias": (lambda x: x + one(x), "write the part of one number first: y + x"),
    "score for a bias of a row": (
        lambda x: ops.add(ROW[None, :], one(x)),
        "one number for each event",
    ),
    "score for a bias, layer": (lambda x: k.Add()([x, one(x)]), "one number for each event"),
    "QAdd": (lambda x: q.QAdd()([x, one(x)]), "one number for each event"),
    "sum": (lambda x: ops.sum(x, axis=0, keepdims=True), "write ops.sum(x, axis=-1)"),
    "sum of all": (lambda x: one(x) - ops.sum(x), "Sum with axis=None mixes events"),
    "negative axis": (lambda x: ops.max(x, axis=-2, keepdims=True), "Max with axis=-2"),
    "axis among others": (lambda x: ops.mean(x, axis=(0, 1)), "Mean with axis=0, 1"),
    "the only axis": (lambda x: ops.softmax(x[:, 0]), "leave Softmax out"),
    "weighted mean": (lambda x: ops.average(x, axis=0, weights=x), "Average with axis=0"),
    "log of a sum": (lambda x: x - ops.logsumexp(x, axis=0), "write ops.logsumexp(x, axis=-1)"),
    "softmax": (lambda x: ops.softmax(x, axis=0), "Softmax with axis=0"),
    "softmax layer": (lambda x: k.Softmax(axis=[0, 1])(x), "write Softmax(axis=-1)"),
    "sorted": (lambda x: ops.sort(x, axis=0), "Sort with axis=0"),
    "sorted, flat": (lambda x: ops.argsort(x, axis=None), "Argsort with axis=None"),
    "cumulated": (lambda x: ops.cumsum(x, axis=0), "Cumsum with axis=0"),
    "joined": (lambda x: ops.concatenate([x, x], axis=0), "Concatenate with axis=0"),
    "joined to a constant": (
        lambda x: ops.concatenate([x, np.ones((1, 2), "f")], axis=1),
        "is called with xs=[[1. 1.]]",
    ),
    "stacked": (lambda x: ops.stack([x, x], axis=0), "Stack with axis=0"),
    "stacked from behind": (lambda x: ops.stack([x, x], axis=-3), "Stack with axis=-3"),
    "expanded": (lambda x: ops.expand_dims(x, 0), "ExpandDims with axis=0"),
    "expanded twice": (lambda x: ops.expand_dims(x, (-4, 1)), "ExpandDims with axis=-4, 1"),
    "squeezed": (lambda x: ops.squeeze(one(x)), "Squeeze with axis=None"),
    "repeated": (lambda x: ops.repeat(x, 2, axis=0), "Repeat with axis=0"),
    "repeated, flat": (lambda x: ops.repeat(x, 2), "Repeat with axis=None"),
    "layer normalisation": (
        lambda x: k.LayerNormalization(axis=0, center=False, scale=False)(x),
        "LayerNormalization with axis=0",
    ),
    "unit norm": (lambda x: k.UnitNormalization(axis=[0, 1])(x), "UnitNormalization with axis=0"),
    "QSoftmax": (lambda x: q.QSoftmax(axis=0)(x), "QSoftmax with axes=0"),
    "QSum": (lambda x: q.QSum(axes=(0, 1))(x), "QSum with axes=0, 1"),
    "across events": (lambda x: ops.reshape(x, (-1, 114)), "with 57 numbers for each event"),
    "flat": (lambda x: ops.reshape(x, (-1,)), "Reshape from (None, 57) to (-1,)"),
    "fixed batch": (lambda x: ops.reshape(x, (57, -1)), "Reshape from (None, 57) to (57, -1)"),
    "ravelled": (lambda x: ops.ravel(x), "Ravel from (None, 57)"),
    "turned": (lambda x: ops.transpose(x), "Transpose to the axes (1, 0)"),
    "turned by axes": (lambda x: ops.transpose(image(x), (1, 0, 2)), "moves axis 0"),
    "axis moved": (lambda x: ops.moveaxis(x, 0, -1), "Moveaxis with source=0"),
    "axis moved in front": (lambda x: ops.moveaxis(x, -1, 0), "Moveaxis with destination=0"),
    "axes swapped": (lambda x: ops.swapaxes(x, 0, 1), "write ops.swapaxes(x, axis1=1, axis2=-1)"),
    "first event": (lambda x: one(x) - x[0], "x[0] chooses or moves events"),
    "reversed": (lambda x: x[::-1, :], "x[::-1, :] chooses or moves events"),
    "from the second on": (lambda x: x[1:, 0], "x[1:, 0] chooses"),
    "up to the last": (lambda x: x[:-1, :], "x[:-1, :] chooses"),
    "axis in front": (lambda x: x[None, :], "x[None, :] chooses"),
    "ellipsis of nothing": (lambda x: x[..., 0, 0], "x[..., 0, 0] chooses"),
    "einsum over the events": (lambda x: ops.einsum("bi,cj->bj", x, x), "'bi,cj->bj' mixes"),
    "einsum that sums them": (lambda x: ops.einsum("bi->i", x), "'bi->i' mixes"),
    "einsum of a constant": (
        lambda x: ops.einsum("bi,bi->bi", np.ones((1, 57), "f"), x),
        "mixes events",
    ),
    "einsum that turns": (lambda x: ops.einsum("bi->ib", x), "'bi->ib' mixes"),
    "einsum of a trace": (lambda x: ops.einsum("bb->b", ops.matmul(x, SQUARE)), "'bb->b' mixes"),
    "einsum without an arrow": (lambda x: ops.einsum("bi,ij", x, SQUARE), "mixes events"),
    "ellipsis of other ranks": (
        lambda x: ops.einsum("...i,...j->...ij", image(x), x),
        "mixes events",
    ),
    "product of the batch": (lambda x: ops.matmul(x, x), "Matmul of 2 and 2 axes"),
    "product with a score": (lambda x: ops.matmul(x, x[:, 0]), "Matmul of 2 and 1 axes"),
    "product of other ranks": (
        lambda x: ops.matmul(ops.expand_dims(x, 1), x),
        "Matmul of 3 and 2 axes",
    ),
    "matrix from the left": (lambda x: ops.matmul(SQUARE, x), "Matmul of 2 and 2 axes"),
    "matrix for each event": (
        lambda x: ops.matmul(image(x), np.ones((57, 3, 2), "f")),
        "constant of shape (57, 3, 2)",
    ),
    "tensordot of events": (lambda x: ops.tensordot(x, x, axes=[[1], [1]]), "Tensordot joins"),
    "tensordot over events": (lambda x: ops.tensordot(x, ROW, [[0], [0]]), "Tensordot with axes=0"),
    "Dot": (lambda x: k.Dot(axes=0)([x, x]), "Dot with axes=0"),
    "activation of scores": (lambda x: k.Activation("softmax")(x[:, 0]), "leave softmax out"),
    "activation of a layer": (
        lambda x: k.EinsumDense("ab,b->a", (), activation="log_softmax")(x),
        "log_softmax over the only axis",
    ),
    "mask": (lambda x: k.Softmax()(x, mask=x > 0), "Softmax is called with mask="),
    "training": (lambda x: k.BatchNormalization()(x, training=True), "called with training=True"),
    "attention": (
        lambda x: q.QMultiHeadAttention(1, 2, attention_axes=(-4,))(image(x), image(x)),
        "attends to other events",
    ),
    "nested": (
        lambda x: nested(lambda y: y - ops.mean(y, axis=0))(x),
        "layer 'inner/mean': Mean with axis=0",
    ),
    "nested sequential": (
        lambda x: nested(k.UnitNormalization(axis=0), sequential=True)(x),
        "/unit_normalization': UnitNormalization with axis=0",
    ),
    "nested in another shape": (
        lambda x: nested(k.Dense(2), sequential=True)(ops.expand_dims(x, -1)),
        "is called with [(None, 57, 1)]",
    ),
    "nested of a fixed batch": (
        lambda x: keras.Sequential([keras.Input(batch_shape=(7, 57)), k.Dense(1)])(x),
        "the batch size is fixed to 7",
    ),
    "bin edges of the events": (
        lambda x: ops.digitize(x[:, 0], x[:, 1]),
        "Digitize takes bins of the events",
    ),
    "class without a rule": (lambda x: ops.tile(x, (1, 2)), "numpy.Tile is not allowed"),
    "subclass": (lambda x: type("Mine", (k.ReLU,), {})()(x), "Mine is not allowed"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_mixes_events_is_refused_and_named(name):
    build, told = REFUSED[name]

    assert told in problems_of(model_of(build))


def test_a_cause_is_told_once():
    """What follows from a tensor without events is no problem of its own."""
    text = problems_of(model_of(lambda x: one(x) - ops.exp(ops.mean(x[:, 0], axis=0))))

    assert text.count("layer") == 1
    assert "there is one number for each event and no other axis" in text


def test_all_causes_are_told_at_once_up_to_a_limit():
    def build(x):
        for _ in range(15):
            x = ops.softmax(x, axis=0) - x[::-1, :]
        return ops.sum(x, axis=1)

    problems = check_network(model_of(build), (19, 3))

    assert len(problems) == 20
    assert {"softmax", "get_item", "softmax_1", "get_item_1"} <= {
        problem.where.split("'")[1] for problem in problems
    }


@pytest.mark.parametrize("triple", [key for key, is_layer in layers.ALLOWED.items() if is_layer])
def test_every_class_of_a_graph_has_a_rule(triple):
    """Who allows a layer or an operation decides when it keeps the events apart."""
    module, name, _ = triple

    assert getattr(importlib.import_module(module), name) in independence.rules()


# --- what is declared is real ------------------------------------------------------------------


def test_a_layer_built_for_another_shape_is_found():
    """It moves the events to axis 1, where Keras declares the inputs."""
    layer = k.Normalization(name="moved")
    layer.build((None, 1, 57))

    text = undeclared(model_of(lambda x: ops.sum(layer(x), axis=1)))

    assert "layer 'moved': gives ((1, 7, 57), 'float32')" in text
    assert "declares ((7, 57), 'float32')" in text


@pytest.mark.parametrize(
    "build",
    [
        lambda x: k.Rescaling(ROW[:, None])(x),
        lambda x: ops.clip(x, ROW[:, None], 100.0),
        lambda x: nested(lambda y: k.Rescaling(ROW[:, None])(y))(x),
    ],
)
def test_a_setting_for_each_event_is_found(build):
    model = model_of(build)

    assert "cannot compute 7 events" in undeclared(model)
    with pytest.raises(InvalidSubmissionError, match="cannot compute 7 events"):
        check_rebuilt(model)
