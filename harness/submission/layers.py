"""What an exported network may consist of: objects of Keras and HGQ2 with a fixed meaning.

These compute the output of an event from that event alone, and hold no code. The check that a
graph holds nothing else is in `harness.submission.graph`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from harness.submission.functions import TABLE_FUNCTIONS

# Keras layers that are the same function of each event at inference; noise and dropout are the
# identity there. No recurrent layer (their state may be carried over), no Lambda, no layer that
# looks something up in a file.
_KERAS_LAYERS_BY_MODULE = {
    "keras": "Sequential",
    "keras.layers": """
        InputLayer Dense EinsumDense Conv1D Conv2D DepthwiseConv1D DepthwiseConv2D SeparableConv1D
        SeparableConv2D Conv1DTranspose Conv2DTranspose Activation ReLU LeakyReLU PReLU ELU
        Softmax BatchNormalization
        LayerNormalization UnitNormalization Normalization Rescaling Flatten Reshape Permute
        RepeatVector ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D UpSampling2D
        MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D
        GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D Add Subtract Multiply
        Average Maximum Minimum Concatenate Dot Dropout AlphaDropout SpatialDropout1D
        SpatialDropout2D GaussianNoise GaussianDropout ActivityRegularization Identity
    """,
}

# Layers that no FPGA of this harness computes, by class, and what to use there instead. A network
# with one of them is refused where the gate of the challenge is an FPGA.
WITHOUT_FIRMWARE: Mapping[str, str] = {
    "Conv1DTranspose": "UpSampling1D and Conv1D",
    "Conv2DTranspose": "UpSampling2D and Conv2D",
}

# What `keras.ops` and the operators of Python leave in a graph, and a network within a network.
# Each is a fixed function of its arguments. Left out is what draws random numbers, reads or sets
# whole shapes, needs the values of all events (bincount, unique, isin), or holds a function (cond,
# scan, map).
_KERAS_OPERATIONS = {
    "keras.src.ops.numpy": """
        Absolute Add Amax Amin Average Clip Concatenate Divide DivideNoNan Einsum Equal Exp Exp2
        ExpandDims Expm1 GetItem Greater GreaterEqual Less LessEqual Log Log10 Log1p Log2 Matmul
        Max Maximum Mean Min Minimum Moveaxis Multiply Negative Power Prod Ravel Reciprocal Repeat
        Reshape Round Sign Sqrt Square Squeeze Stack Subtract Sum Swapaxes Tanh Tensordot Transpose
        TrueDivide Var Std Where Floor Ceil
        NotEqual LogicalAnd LogicalNot LogicalOr LogicalXor Isfinite Isinf Isnan Isneginf Isposinf
        Signbit Select Digitize
        Mod Fmod FloorDivide Trunc Fabs Fmax Fmin Heaviside NanToNum Hypot Cbrt Logaddexp Logaddexp2
        Sin Cos Tan Arcsin Arccos Arctan Arctan2 Sinh Cosh Arcsinh Arccosh Arctanh Sinc Deg2rad
        Rad2deg ZerosLike OnesLike FullLike
        All Any CountNonzero Argmax Argmin Argsort Sort Cumsum Cumprod Diff Flip Median Percentile
        Ptp Quantile Roll Split TakeAlongAxis
    """,
    "keras.src.ops.nn": """
        Celu Elu Gelu HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid LogSoftmax Relu Relu6 Selu
        Sigmoid Silu Softmax Softplus Softsign
        HardShrink SoftShrink TanhShrink Threshold Squareplus SparsePlus SparseSigmoid
        Glu Normalize Sparsemax
    """,
    "keras.src.ops.math": "Erf Erfc Erfinv Logsumexp Rsqrt TopK",
    "keras.src.ops.core": "Cast SaturateCast StopGradient Unstack",
    "keras.src.ops.linalg": "Norm",
    "keras.src.activations.activations": "ReLU",
    "keras.src.models.functional": "Functional",
}

# HGQ2 without its recurrent and spiking layers, which keep a state.
_HGQ_LAYERS = {
    "hgq.quantizer.quantizer": "Quantizer",
    "hgq.layers.core.dense": "QDense QBatchNormDense",
    "hgq.layers.core.einsum_dense": "QEinsumDense",
    "hgq.layers.einsum_dense_batchnorm": "QEinsumDenseBatchnorm",
    "hgq.layers.conv": "QConv1D QConv2D",
    "hgq.layers.batch_normalization": "QBatchNormalization",
    "hgq.layers.activation": "QUnaryFunctionLUT QAffinedUnaryFunctionLUT",
    "hgq.layers.softmax": "QSoftmax",
    "hgq.layers.ops.merge": "QAdd QSubtract QMultiply QMaximum QMinimum QAveragePow2 QDot",
    "hgq.layers.ops.einsum": "QEinsum",
    "hgq.layers.ops.accum": "QSum QMeanPow2",
    "hgq.layers.pooling": """
        QMaxPooling1D QMaxPooling2D QAveragePooling1D QAveragePooling2D QGlobalMaxPooling1D
        QGlobalMaxPooling2D QGlobalAveragePooling1D QGlobalAveragePooling2D
    """,
    "hgq.layers.attn.mha": "QMultiHeadAttention",
    "hgq.layers.attn.linformer": "QLinformerAttention",
    "hgq.layers.table.dense": "QDenseT",
}
_HGQ_PARTS = {
    "hgq.quantizer.config": "QuantizerConfig HardTanhConfig HardSigmoidConfig",
    "hgq.quantizer.internal.base": "DefaultBitwidthMapper",
    "hgq.constraints": "Constant Min Max MinMax",
    "hgq.regularizers": "MonoL1",
}
_KERAS_PARTS = {
    "keras": "DTypePolicy",
    "keras.initializers": """
        Constant Zeros Ones GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform
        RandomNormal RandomUniform TruncatedNormal VarianceScaling
    """,
    "keras.constraints": "NonNeg MaxNorm MinMaxNorm UnitNorm",
    "keras.regularizers": "L1 L2 L1L2",
}
_HARNESS_PARTS = {"harness.submission.functions": "TableOfValues"}

Triple = tuple[str, str, str | None]


def _triples() -> Iterator[tuple[Triple, bool]]:
    """Yield each allowed (module, class, registered name), and whether it is a layer."""
    for names_by_module, package, is_layer in (
        (_KERAS_LAYERS_BY_MODULE, None, True),
        (_KERAS_OPERATIONS, "", True),
        (_HGQ_LAYERS, "hgq>", True),
        (_HGQ_PARTS, "hgq>", False),
        (_KERAS_PARTS, None, False),
        (_HARNESS_PARTS, "harness>", False),
    ):
        for module, names in names_by_module.items():
            for name in names.split():
                yield (module, name, None if package is None else package + name), is_layer


ALLOWED: Mapping[Triple, bool] = dict(_triples())
"""Allowed (module, class name, registered name); True for what may be a layer."""

KERAS_LAYERS = frozenset(_KERAS_LAYERS_BY_MODULE["keras.layers"].split())
"""The layers of Keras that a network may have."""

_ACTIVATIONS = """
    linear relu relu6 leaky_relu elu selu celu gelu silu swish softmax log_softmax softplus
    softsign tanh sigmoid hard_sigmoid hard_silu hard_swish hard_tanh exponential log_sigmoid
    tanh_shrink mish
"""
ALLOWED_FUNCTIONS = frozenset(
    [*_ACTIVATIONS.split(), *(f"harness>{name}" for name in TABLE_FUNCTIONS)]
)
FLOAT_TYPES = frozenset({"float16", "bfloat16", "float32", "float64"})
TENSOR_TYPES = FLOAT_TYPES | {"bool", "int8", "uint8", "int16", "int32", "int64", "uint32"}
# What a network computes in, see `harness.submission.number_types`.
NARROW_TYPES = TENSOR_TYPES - {"float64", "int64"}
NAME = re.compile(r"[A-Za-z0-9_.\-]{1,128}\Z")
_EQUATION = re.compile(r"[a-zA-Z.,\->\s]{1,64}\Z")


def _in_either_case(names: str) -> frozenset[str]:
    """Return names as HGQ2 writes them, and as older files of it do."""
    return frozenset([*names.split(), *names.lower().split()])


# Which strings are allowed under which key; under any other key no string is allowed.
ALLOWED_STRINGS: Mapping[str, frozenset[str] | re.Pattern[str]] = {
    "name": NAME,
    "dtype": TENSOR_TYPES | {"mixed_float16", "mixed_bfloat16"},
    "activation": ALLOWED_FUNCTIONS,
    "padding": frozenset({"valid", "same", "causal", "VALID", "SAME"}),
    "data_format": frozenset({"channels_last", "channels_first"}),
    "interpolation": frozenset({"nearest", "bilinear"}),
    "method": frozenset({"linear", "lower", "higher", "midpoint", "nearest"}),
    "equation": _EQUATION,
    "subscripts": _EQUATION,
    "bias_axes": _EQUATION,
    "q_type": frozenset({"kbi", "kif", "float", "default", "dummy"}),
    "place": frozenset({"weight", "datalane", "bias", "table"}),
    "round_mode": _in_either_case("RND RND_CONV TRN S_RND S_RND_CONV"),
    "overflow_mode": _in_either_case("WRAP SAT SAT_SYM SYM"),
    "mode": frozenset({"fan_in", "fan_out", "fan_avg"}),
    "fuse": frozenset({"none", "qkv", "kv"}),
    "lin_kv_proj_mode": frozenset({"dense"}),
    "distribution": frozenset({"uniform", "normal", "truncated_normal", "untruncated_normal"}),
    "keras_history": NAME,
    "input_layers": NAME,
    "output_layers": NAME,
}
_OBJECT_KEYS = """
    module class_name config registered_name build_config name inbound_nodes shared_object_id
"""
OBJECT_KEYS = frozenset(_OBJECT_KEYS.split())
