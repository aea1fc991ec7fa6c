"""The proof that a network scores each event alone: nothing in its graph mixes axis 0, the events.

Every tensor of the graph has one axis of unknown size, axis 0, which numbers the events. Every
operation has a rule in one table that says when it keeps the events apart; what has no rule is
refused. The rules read the shapes that Keras declares, and `declaration_problems` shows that the
declared shapes and types are the real ones. So the proof holds for any events and any batch.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from harness.card.text import plain
from harness.errors import Problem
from harness.submission.calls import Call, calls_of, graph_of, models_in, nodes_of
from harness.submission.graph import not_allowed
from harness.submission.mixing import (
    Fault,
    Rule,
    addition,
    along,
    attention,
    by_constants,
    choice,
    choices,
    einsum,
    elementwise,
    get_item,
    last_axis,
    matmul,
    nested,
    only_tensors,
    reshape,
    tensordot,
    transpose,
)

if TYPE_CHECKING:
    import keras

# Events that the declared shapes are tried on: no size that a constant could reasonably have.
N_TRIED = 7
_EXPECTED = "operations on each event by itself"

_TABLE: tuple[tuple[Rule, str, str], ...] = (
    # What `keras.ops` and the operators of Python leave in a graph.
    (
        elementwise,
        "keras.src.ops.numpy",
        """
        Absolute Ceil Clip Divide DivideNoNan Equal Exp Exp2 Expm1 Floor Greater GreaterEqual
        Less LessEqual Log Log10 Log1p Log2 Maximum Minimum Multiply Negative Power Reciprocal
        Round Sign Sqrt Square Subtract Tanh TrueDivide
        NotEqual LogicalAnd LogicalNot LogicalOr LogicalXor Isfinite Isinf Isnan Isneginf Isposinf
        Signbit Mod Fmod FloorDivide Trunc Fabs Fmax Fmin Heaviside NanToNum Hypot Cbrt
        Logaddexp Logaddexp2 Sin Cos Tan Arcsin Arccos Arctan Arctan2 Sinh Cosh Arcsinh Arccosh
        Arctanh Sinc Deg2rad Rad2deg ZerosLike OnesLike FullLike
        """,
    ),
    (
        elementwise,
        "keras.src.ops.nn",
        """
        Celu Elu Gelu HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid Relu Relu6 Selu Sigmoid
        Silu Softplus Softsign HardShrink SoftShrink TanhShrink Threshold Squareplus SparsePlus
        SparseSigmoid
        """,
    ),
    (addition(elementwise), "keras.src.ops.numpy", "Add"),
    (choice, "keras.src.ops.numpy", "Where"),
    (choices, "keras.src.ops.numpy", "Select"),
    (elementwise, "keras.src.ops.math", "Erf Erfc Erfinv Rsqrt"),
    (elementwise, "keras.src.ops.core", "Cast SaturateCast StopGradient"),
    (elementwise, "keras.src.activations.activations", "ReLU"),
    (
        along("axis"),
        "keras.src.ops.numpy",
        """
        All Amax Amin Any Argmax Argmin Argsort Concatenate CountNonzero Cumprod Cumsum Diff Flip
        Max Mean Median Min Prod Ptp Repeat Roll Sort Split Squeeze Std Sum Var
        """,
    ),
    (along("axis"), "keras.src.ops.nn", "Glu LogSoftmax Normalize Softmax Sparsemax"),
    (along("axis"), "keras.src.ops.math", "Logsumexp"),
    (along("axis"), "keras.src.ops.core", "Unstack"),
    (along("axis"), "keras.src.ops.linalg", "Norm"),
    (last_axis, "keras.src.ops.math", "TopK"),
    (along("axis", call_rule=elementwise), "keras.src.ops.numpy", "Average TakeAlongAxis"),
    (by_constants, "keras.src.ops.numpy", "Digitize"),
    (along("axis", call_rule=by_constants), "keras.src.ops.numpy", "Percentile Quantile"),
    (along("axis", adds_axes=True), "keras.src.ops.numpy", "ExpandDims Stack"),
    (along("source", "destination"), "keras.src.ops.numpy", "Moveaxis"),
    (along("axis1", "axis2"), "keras.src.ops.numpy", "Swapaxes"),
    (transpose, "keras.src.ops.numpy", "Transpose"),
    (reshape, "keras.src.ops.numpy", "Ravel Reshape"),
    (get_item, "keras.src.ops.numpy", "GetItem"),
    (einsum("subscripts"), "keras.src.ops.numpy", "Einsum"),
    (matmul, "keras.src.ops.numpy", "Matmul"),
    (tensordot, "keras.src.ops.numpy", "Tensordot"),
    # Models within the model.
    (nested, "keras.src.models.functional", "Functional"),
    (nested, "keras", "Sequential"),
    # Layers. Those of `only_tensors` leave axis 0 alone, whatever their settings.
    (
        only_tensors,
        "keras.layers",
        """
        InputLayer Dense Conv1D Conv2D DepthwiseConv1D DepthwiseConv2D SeparableConv1D
        SeparableConv2D Conv1DTranspose Conv2DTranspose Activation ReLU LeakyReLU PReLU ELU
        Normalization Rescaling Flatten Reshape
        Permute RepeatVector ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D
        UpSampling2D MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D
        GlobalMaxPooling1D GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D
        Subtract Multiply Maximum Minimum Dropout AlphaDropout SpatialDropout1D SpatialDropout2D
        GaussianNoise GaussianDropout ActivityRegularization Identity
        """,
    ),
    (addition(only_tensors), "keras.layers", "Add Average"),
    (
        along("axis"),
        "keras.layers",
        "BatchNormalization Concatenate LayerNormalization Softmax UnitNormalization",
    ),
    (along("axes"), "keras.layers", "Dot"),
    (einsum("equation"), "keras.layers", "EinsumDense"),
    (only_tensors, "hgq.quantizer.quantizer", "Quantizer"),
    (only_tensors, "hgq.layers.core.dense", "QDense QBatchNormDense"),
    (einsum("equation"), "hgq.layers.core.einsum_dense", "QEinsumDense"),
    (einsum("equation"), "hgq.layers.einsum_dense_batchnorm", "QEinsumDenseBatchnorm"),
    (only_tensors, "hgq.layers.conv", "QConv1D QConv2D"),
    (along("axis"), "hgq.layers.batch_normalization", "QBatchNormalization"),
    (only_tensors, "hgq.layers.activation", "QUnaryFunctionLUT QAffinedUnaryFunctionLUT"),
    (along("axes"), "hgq.layers.softmax", "QSoftmax"),
    (only_tensors, "hgq.layers.ops.merge", "QSubtract QMultiply QMaximum QMinimum"),
    (addition(only_tensors), "hgq.layers.ops.merge", "QAdd QAveragePow2"),
    (along("axes"), "hgq.layers.ops.merge", "QDot"),
    (einsum("equation"), "hgq.layers.ops.einsum", "QEinsum"),
    (along("axes"), "hgq.layers.ops.accum", "QSum QMeanPow2"),
    (
        only_tensors,
        "hgq.layers.pooling",
        """
        QMaxPooling1D QMaxPooling2D QAveragePooling1D QAveragePooling2D QGlobalMaxPooling1D
        QGlobalMaxPooling2D QGlobalAveragePooling1D QGlobalAveragePooling2D
        """,
    ),
    (attention, "hgq.layers.attn.mha", "QMultiHeadAttention"),
    (attention, "hgq.layers.attn.linformer", "QLinformerAttention"),
    (only_tensors, "hgq.layers.table.dense", "QDenseT"),
)


@functools.cache
def rules() -> Mapping[type, Rule]:
    """Return the rule of each class; a subclass has none."""
    return {
        getattr(import_module(module), name): rule
        for rule, module, names in _TABLE
        for name in names.split()
    }


def mixing_problems(model: keras.Model, where: str) -> Iterator[Problem]:
    """Find each call by which the score of an event could depend on another event.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model, with models within it.
    where : str
        What the model is, for the messages.
    """
    for call in calls_of(model):
        place = f"{where}, layer {call.name!r}"
        rule = rules().get(type(call.operation))
        if rule is None:
            yield not_allowed(f"{type(call.operation).__module__}.{call.kind}", place)
        elif all(_is_of_events(tensor) for tensor in call.inputs):  # Else its maker is named.
            for what, fix in list(rule(call)) or _output_faults(call):
                yield Problem(what=what, where=place, expected=_EXPECTED, fix=fix)


def _is_of_events(tensor: keras.KerasTensor) -> bool:
    """Return whether axis 0 alone has an unknown size."""
    return len(tensor.shape) > 0 and tensor.shape[0] is None and None not in tensor.shape[1:]


def _output_faults(call: Call) -> Iterator[Fault]:
    for tensor in call.outputs:
        if not _is_of_events(tensor) and not call.is_model:  # Its parts are named.
            yield _output_fault(call, tuple(tensor.shape))


def _output_fault(call: Call, shape: tuple[int | None, ...]) -> Fault:
    if call.kind != "InputLayer":
        what = f"gives the shape {shape}: events are mixed"
        return Fault(what, "keep axis 0 of open size, and no other")
    if shape and shape[0] is not None:
        return Fault(f"the batch size is fixed to {shape[0]}", "leave batch_size out")
    return Fault(f"the shape {shape} is open", "declare all sizes of an event")


def declaration_problems(model: keras.Model, where: str) -> Iterator[Problem]:
    """Compute a few empty events, and find each tensor that is not what Keras declares.

    Keras declares shapes and types by formulas of their own, and a graph may say of a layer that
    it was built for another shape, so that it acts along another axis than the rules see.
    """
    for prefix, part in models_in(model):
        try:
            computed = _compute(part)
        except Exception as error:  # noqa: BLE001 Keras raises anything at all
            reason = f"{type(error).__name__}: {plain(str(error))}"[:500]
            yield Problem(
                what=f"cannot compute {N_TRIED} events: {reason}",
                where=f"{where} {prefix}".rstrip(" /"),
                expected="a network that computes any number of events",
            )
            continue
        for name, declared, real in computed:
            if declared != real:
                yield Problem(
                    what=f"gives {real} for {N_TRIED} events, and declares {declared}",
                    where=f"{where}, layer {prefix + name!r}",
                    expected="the shape and type that Keras declares",
                    fix="correct the shapes in the settings of this layer",
                )


_Form = tuple[tuple[int, ...], str]


def _compute(model: keras.Model) -> list[tuple[str, _Form, _Form]]:
    """Return the name, the declared form and the real form of each tensor of a model."""
    import keras

    graph = graph_of(model) or model
    found = [(node.operation.name, tensor) for node in nodes_of(model) for tensor in node.outputs]
    events = [
        keras.ops.zeros((N_TRIED, *tensor.shape[1:]), tensor.dtype) for tensor in graph.inputs
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        computed = keras.Function(graph.inputs, [tensor for _, tensor in found])(events)
    return [
        (
            name,
            ((N_TRIED, *declared.shape[1:]), str(declared.dtype)),
            (tuple(real.shape), keras.backend.standardize_dtype(real.dtype)),
        )
        for (name, declared), real in zip(found, computed)
    ]
