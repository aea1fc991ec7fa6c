"""Activations: functions of one number each, and softmax."""

from __future__ import annotations

import numpy as np

from harness.submission.onnx.values import Known, Node, RefusedNodeError, Tensor

# Operators that are an activation of Keras without settings.
NAMED = {
    "Exp": "exponential",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
# Where Keras's own hard sigmoid has its slope and its offset.
_HARD_SIGMOID = (1 / 6, 0.5)


def named(node: Node) -> Known:
    """Build an activation that has no settings."""
    import keras

    _check_standard(node)
    layer = keras.layers.Activation(NAMED[node.kind])
    return node.tensor().mapped(layer, is_fixed=False)


def _check_standard(node: Node) -> None:
    """Refuse settings of SELU that differ from those of its paper, which Keras has."""
    if node.kind != "Selu":
        return
    alpha, gamma = (float(node.settings.get(name, 0.0)) for name in ("alpha", "gamma"))
    if (alpha, gamma) != (0.0, 0.0) and not np.allclose((alpha, gamma), (1.6732632, 1.050701)):
        raise RefusedNodeError("has other constants than SELU has", "use torch.nn.SELU")


def relu(node: Node) -> Known:
    """Build ReLU; it may stand before the scale of a quantiser, which is positive."""
    import keras

    return node.scaled_tensor().mapped(keras.layers.ReLU())


def leaky_relu(node: Node) -> Known:
    """Build ReLU with a slope below zero."""
    import keras

    layer = keras.layers.LeakyReLU(float(node.settings.get("alpha", 0.01)))
    return node.tensor().mapped(layer, is_fixed=False)


def parametric_relu(node: Node) -> Known:
    """Build ReLU with a slope for each channel, or for each number."""
    import keras

    x = node.tensor()
    slopes = node.constant(1)
    if slopes is None:
        raise RefusedNodeError("has no slopes")
    try:
        spread = np.broadcast_to(slopes, (1, *x.shape))[0]
    except ValueError as error:
        raise RefusedNodeError(f"has slopes of shape {slopes.shape}") from error
    layer = keras.layers.PReLU()
    if x.has_channels_last:
        spread = np.moveaxis(spread, 0, -1)
    made = x.mapped(layer, is_fixed=False)
    layer.set_weights([spread])
    return made


def exponential_unit(node: Node) -> Known:
    """Build ELU or CELU."""
    import keras

    alpha = float(node.settings.get("alpha", 1.0))
    if alpha == 1.0:
        return node.tensor().mapped(keras.layers.Activation("elu"), is_fixed=False)
    function = keras.ops.elu if node.kind == "Elu" else keras.ops.celu
    return node.tensor().mapped(lambda x: function(x, alpha=alpha), is_fixed=False)


def gelu(node: Node) -> Known:
    """Build GELU, exact or by tanh."""
    import keras

    is_near = node.settings.get("approximate", "none") == "tanh"
    return node.tensor().mapped(lambda x: keras.ops.gelu(x, approximate=is_near), is_fixed=False)


def hard_sigmoid(node: Node) -> Known:
    """Build the hard sigmoid, max(0, min(1, alpha x + beta))."""
    import keras

    alpha = float(node.settings.get("alpha", 0.2))
    beta = float(node.settings.get("beta", 0.5))
    if np.allclose((alpha, beta), _HARD_SIGMOID):
        layer = keras.layers.Activation("hard_sigmoid")
        return node.tensor().mapped(layer, is_fixed=False)
    return node.tensor().mapped(
        lambda x: keras.ops.clip(keras.layers.Rescaling(alpha, offset=beta)(x), 0.0, 1.0),
        is_fixed=False,
    )


def hard_swish(node: Node) -> Known:
    """Build x times the hard sigmoid of x."""
    import keras

    return node.tensor().mapped(keras.layers.Activation("hard_silu"), is_fixed=False)


def softmax(node: Node) -> Known:
    """Build softmax or its logarithm along one axis of an event."""
    import keras

    x = node.tensor()
    is_old = node.opset < 13
    axis = node.axis(int(node.settings.get("axis", 1 if is_old else -1)), x.rank)
    if is_old and axis != x.rank - 1:
        raise RefusedNodeError(
            "goes over several axes, as before opset 13", "export with opset_version=18"
        )
    if node.kind == "LogSoftmax":
        return Tensor(keras.ops.log_softmax(x.first, axis=axis))
    return Tensor(keras.layers.Softmax(axis=axis)(x.first))
