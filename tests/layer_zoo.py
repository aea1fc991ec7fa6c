"""Every layer that becomes firmware, each on a branch of one network of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.submission.network import load_keras
from tests.firmware_bench import fixed, words_in

load_keras()

import hgq.layers as q  # noqa: E402
import keras  # noqa: E402
from hgq.quantizer import Quantizer  # noqa: E402
from keras import layers  # noqa: E402

# The words of the networks of plain Keras layers.
PRECISION = {"input": "fixed<6,3>", "weights": "fixed<6,2>", "activations": "fixed<8,4>"}
_WORD = fixed(6, 3, is_signed=True, place="datalane")
_WEIGHTS = {
    "kq_conf": fixed(4, 1, is_signed=True),
    "bq_conf": fixed(4, 1, is_signed=True, place="bias"),
    "iq_conf": _WORD,
    "enable_ebops": False,
}
_VALUES = {"iq_conf": _WORD, "enable_ebops": False}
_OPERANDS = {"iq_confs": _WORD, "enable_ebops": False}
_TABLE = {
    **_VALUES,
    "oq_conf": fixed(6, 2, is_signed=True, place="table"),
    "allow_heterogeneous_input": False,
    "allow_heterogeneous_table": False,
}
_SOFTMAX = {
    "exp_iq_conf": _WORD,
    "inv_iq_conf": fixed(6, 3, place="datalane"),
    "exp_oq_conf": fixed(6, 1, place="table"),
    "inv_oq_conf": fixed(6, 1, place="table"),
}
_ATTENTION = {
    "num_heads": 1,
    "key_dim": 2,
    "qkvo_iq_conf": _WORD,
    "qkvo_kq_conf": _WEIGHTS["kq_conf"],
    "qkvo_bq_conf": _WEIGHTS["bq_conf"],
    "qkvo_oq_conf": _WORD,
    "softmax_iq_conf": _WORD,
    "softmax_oq_conf": _WORD,
    **{f"softmax_{name}": config for name, config in _SOFTMAX.items()},
    "enable_ebops": False,
}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The values of an event in three shapes: (16 n), (4 n, 4) and (2 n, 4, 2)."""

    n: int
    vector: Any
    sequence: Any
    image: Any


Branch = Callable[[Inputs], Any]


def _q_two(kind: str, **more: object) -> Branch:
    """Return a branch of a layer of two operands, which come from a dense layer each."""

    def branch(x: Inputs) -> Any:
        operands = [q.QDense(3, **_WEIGHTS)(x.vector) for _ in range(2)]
        return getattr(q, kind)(**_OPERANDS, **more)(operands)

    return branch


def _plain_two(kind: str) -> Branch:
    return lambda x: getattr(layers, kind)()([layers.Dense(3)(x.vector) for _ in range(2)])


def _slopes() -> Any:
    return keras.initializers.RandomUniform(-0.5, 0.5, seed=3)


# Layers that only connect values are the same in both kinds of network.
WIRING: Mapping[str, Branch] = {
    "Concatenate": lambda x: layers.Concatenate()([x.vector, layers.Flatten()(x.image)]),
    "Cropping1D": lambda x: layers.Cropping1D((1, 2))(x.sequence),
    "Cropping2D": lambda x: layers.Cropping2D(((1, 0), (0, 2)))(x.image),
    "Flatten": lambda x: layers.Flatten()(x.image),
    "Permute": lambda x: layers.Permute((3, 1, 2))(x.image),
    "RepeatVector": lambda x: layers.RepeatVector(2)(x.vector),
    "Reshape": lambda x: layers.Reshape((2, 8 * x.n))(x.image),
    "UpSampling1D": lambda x: layers.UpSampling1D(2)(x.sequence),
    "UpSampling2D": lambda x: layers.UpSampling2D((2, 1))(x.image),
    "ZeroPadding1D": lambda x: layers.ZeroPadding1D((1, 2))(x.sequence),
    "ZeroPadding2D": lambda x: layers.ZeroPadding2D(((1, 0), (0, 2)))(x.image),
    "ReLU": lambda x: layers.ReLU()(x.vector),
    **{
        kind: lambda x, kind=kind: getattr(layers, kind)(0.1)(x.sequence)
        for kind in ("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise")
    },
    "SpatialDropout1D": lambda x: layers.SpatialDropout1D(0.1)(x.sequence),
    "SpatialDropout2D": lambda x: layers.SpatialDropout2D(0.1)(x.image),
    "ActivityRegularization": lambda x: layers.ActivityRegularization(0.1)(x.vector),
    "Identity": lambda x: layers.Identity()(x.vector),
}

HGQ: Mapping[str, Branch] = {
    **WIRING,
    "Quantizer": lambda x: Quantizer(fixed(4, 2, is_signed=True, place="datalane"))(x.vector),
    "QDense": lambda x: q.QDense(3, activation="relu", **_WEIGHTS)(x.vector),
    "QBatchNormDense": lambda x: q.QBatchNormDense(3, **_WEIGHTS)(x.vector),
    "QEinsumDense": lambda x: q.QEinsumDense(
        "abc,cd->abd", (4 * x.n, 2), bias_axes="d", **_WEIGHTS
    )(x.sequence),
    "QEinsumDenseBatchnorm": lambda x: q.QEinsumDenseBatchnorm(
        "abc,cd->abd", (4 * x.n, 2), bias_axes="d", **_WEIGHTS
    )(x.sequence),
    "QConv1D": lambda x: q.QConv1D(2, 3, padding="same", **_WEIGHTS)(x.sequence),
    "QConv2D": lambda x: q.QConv2D(2, (2, 2), use_bias=False, **_WEIGHTS)(x.image),
    "QBatchNormalization": lambda x: q.QBatchNormalization(**_WEIGHTS)(x.sequence),
    "QUnaryFunctionLUT": lambda x: q.QUnaryFunctionLUT("tanh", **_TABLE)(x.vector),
    "QAffinedUnaryFunctionLUT": lambda x: q.QAffinedUnaryFunctionLUT("tanh", **_TABLE)(x.vector),
    **{
        kind: _q_two(kind)
        for kind in ("QAdd", "QSubtract", "QMultiply", "QMaximum", "QMinimum", "QAveragePow2")
    },
    "QDot": _q_two("QDot", axes=1),
    "QEinsum": _q_two("QEinsum", equation="ab,ab->ab"),
    "QSum": lambda x: q.QSum(axes=1, **_VALUES)(x.sequence),
    "QMeanPow2": lambda x: q.QMeanPow2(axes=1, **_VALUES)(x.sequence),
    "QMaxPooling1D": lambda x: q.QMaxPooling1D(2, **_VALUES)(x.sequence),
    "QMaxPooling2D": lambda x: q.QMaxPooling2D((2, 2), padding="same", **_VALUES)(x.image),
    "QAveragePooling1D": lambda x: q.QAveragePooling1D(2, **_VALUES)(x.sequence),
    "QAveragePooling2D": lambda x: q.QAveragePooling2D((2, 1), **_VALUES)(x.image),
    "QGlobalMaxPooling1D": lambda x: q.QGlobalMaxPooling1D(**_VALUES)(x.sequence),
    "QGlobalMaxPooling2D": lambda x: q.QGlobalMaxPooling2D(**_VALUES)(x.image),
    "QGlobalAveragePooling1D": lambda x: q.QGlobalAveragePooling1D(**_VALUES)(x.sequence),
    "QGlobalAveragePooling2D": lambda x: q.QGlobalAveragePooling2D(**_VALUES)(x.image),
    "QSoftmax": lambda x: q.QSoftmax(**_SOFTMAX, enable_ebops=False)(x.sequence),
    "QMultiHeadAttention": lambda x: q.QMultiHeadAttention(**_ATTENTION)(x.sequence, x.sequence),
    "QLinformerAttention": lambda x: q.QLinformerAttention(lin_kv_proj_dim=2, **_ATTENTION)(
        x.sequence, x.sequence
    ),
    "QDenseT": lambda x: q.QDenseT(2, **_VALUES)(layers.Cropping1D((0, x.n * 4 - 1))(x.sequence)),
    "LeakyReLU": lambda x: layers.LeakyReLU(0.25)(x.vector),
    "PReLU": lambda x: layers.PReLU(_slopes())(x.vector),
    "Add": lambda x: layers.Add()([x.vector, layers.Flatten()(x.image)]),
    **{
        kind: lambda x, kind=kind: getattr(layers, kind)(2)(x.sequence)
        for kind in ("MaxPooling1D", "AveragePooling1D")
    },
    **{
        kind: lambda x, kind=kind: getattr(layers, kind)((2, 2))(x.image)
        for kind in ("MaxPooling2D", "AveragePooling2D")
    },
    **{
        kind: lambda x, kind=kind: getattr(layers, kind)()(x.sequence)
        for kind in ("GlobalMaxPooling1D", "GlobalAveragePooling1D")
    },
    **{
        kind: lambda x, kind=kind: getattr(layers, kind)()(x.image)
        for kind in ("GlobalMaxPooling2D", "GlobalAveragePooling2D")
    },
}

PLAIN: Mapping[str, Branch] = {
    **WIRING,
    "Dense": lambda x: layers.Dense(3, activation="leaky_relu")(x.vector),
    "EinsumDense": lambda x: layers.EinsumDense("abc,cd->abd", (4 * x.n, 2), bias_axes="d")(
        x.sequence
    ),
    "Conv1D": lambda x: layers.Conv1D(2, 2, padding="causal", dilation_rate=2)(x.sequence),
    "Conv2D": lambda x: layers.Conv2D(2, (2, 2), groups=2, use_bias=False)(x.image),
    "DepthwiseConv1D": lambda x: layers.DepthwiseConv1D(2, activation="relu")(x.sequence),
    "DepthwiseConv2D": lambda x: layers.DepthwiseConv2D((2, 2), depth_multiplier=2)(x.image),
    "SeparableConv1D": lambda x: layers.SeparableConv1D(2, 2, strides=2)(x.sequence),
    "SeparableConv2D": lambda x: layers.SeparableConv2D(2, (2, 2))(x.image),
    "Activation": lambda x: layers.Activation("tanh")(x.vector),
    "LeakyReLU": lambda x: layers.LeakyReLU()(x.vector),
    "PReLU": lambda x: layers.PReLU(_slopes(), shared_axes=[1])(x.sequence),
    "ELU": lambda x: layers.ELU()(x.vector),
    "BatchNormalization": lambda x: layers.BatchNormalization(center=False)(x.sequence),
    "Normalization": lambda x: layers.Normalization(
        mean=[0.5] * 4, variance=[0.1, 1.0, 2.0, 400.0]
    )(x.sequence),
    "Rescaling": lambda x: layers.Rescaling(1 / 3, offset=-1.0)(x.image),
    "MaxPooling1D": lambda x: layers.MaxPooling1D(2, strides=1)(x.sequence),
    "MaxPooling2D": lambda x: layers.MaxPooling2D((2, 2), padding="same")(x.image),
    "AveragePooling1D": lambda x: layers.AveragePooling1D(3)(x.sequence),
    "AveragePooling2D": lambda x: layers.AveragePooling2D((2, 1), padding="same")(x.image),
    "GlobalMaxPooling1D": lambda x: layers.GlobalMaxPooling1D()(x.sequence),
    "GlobalMaxPooling2D": lambda x: layers.GlobalMaxPooling2D(keepdims=True)(x.image),
    "GlobalAveragePooling1D": lambda x: layers.GlobalAveragePooling1D()(x.sequence),
    "GlobalAveragePooling2D": lambda x: layers.GlobalAveragePooling2D(keepdims=True)(x.image),
    **{
        kind: _plain_two(kind)
        for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    },
}


def n_inputs(n: int) -> int:
    """Return how many values an event of a network of size `n` has."""
    return 16 * n


def network(branches: Mapping[str, Branch], n: int, *, is_plain: bool) -> keras.Model:
    """Return a network of size `n` that adds a score of each branch, its layer ``score_BRANCH``."""
    keras.utils.set_random_seed(n)
    event = keras.Input((n_inputs(n),), name="event")
    x = event if is_plain else words_in(event, 6, 3, is_signed=True)
    inputs = Inputs(
        n=n,
        vector=x,
        sequence=layers.Reshape((4 * n, 4))(x),
        image=layers.Reshape((2 * n, 4, 2))(x),
    )
    scores = [_score(name, make(inputs), is_plain) for name, make in branches.items()]
    total = scores[0]
    for score in scores[1:]:
        # Two at a time, as hls4ml adds.
        total = (layers.Add() if is_plain else q.QAdd(**_OPERANDS))([total, score])
    return keras.Model(event, total)


def _score(name: str, x: Any, is_plain: bool) -> Any:
    flat = layers.Flatten()(x) if len(x.shape) > 2 else x
    name = f"score_{name}"
    return (layers.Dense(1, name=name) if is_plain else q.QDense(1, **_WEIGHTS, name=name))(flat)
