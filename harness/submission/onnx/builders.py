"""The table from an operator of ONNX or QONNX to what builds it, and advice on all others."""

from __future__ import annotations

from collections.abc import Mapping

from harness.submission.onnx import (
    activations,
    arithmetic,
    linear,
    pooling,
    quantised,
    reductions,
    shapes,
)
from harness.submission.onnx.values import Builder

STANDARD_BUILDERS: Mapping[str, Builder] = {
    # Weights.
    "Gemm": linear.gemm,
    "MatMul": linear.matmul,
    "Conv": linear.convolution,
    "BatchNormalization": linear.batch_normalisation,
    "LayerNormalization": linear.layer_normalisation,
    # Activations.
    **dict.fromkeys(activations.NAMED, activations.named),
    "Relu": activations.relu,
    "LeakyRelu": activations.leaky_relu,
    "PRelu": activations.parametric_relu,
    **dict.fromkeys(("Elu", "Celu"), activations.exponential_unit),
    "Gelu": activations.gelu,
    "HardSigmoid": activations.hard_sigmoid,
    "HardSwish": activations.hard_swish,
    **dict.fromkeys(("Softmax", "LogSoftmax"), activations.softmax),
    # Arithmetic.
    **dict.fromkeys(arithmetic.UNARY, arithmetic.unary),
    **dict.fromkeys(arithmetic.BINARY, arithmetic.binary),
    "Mean": arithmetic.mean,
    "Pow": arithmetic.power,
    "Clip": arithmetic.clip,
    "Where": arithmetic.where,
    "Cast": arithmetic.cast,
    # Reductions.
    **dict.fromkeys(reductions.REDUCTIONS, reductions.reduction),
    **dict.fromkeys(("ReduceSumSquare", "ReduceL2"), reductions.of_squares),
    "ReduceL1": reductions.of_magnitudes,
    "ReduceLogSum": reductions.log_sum,
    # Pooling.
    **dict.fromkeys(("MaxPool", "AveragePool"), pooling.pooling),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool"), pooling.global_pooling),
    # Shapes.
    **dict.fromkeys(("Identity", "Dropout"), shapes.same),
    "Reshape": shapes.reshape,
    "Flatten": shapes.flatten,
    "Squeeze": shapes.squeeze,
    "Unsqueeze": shapes.unsqueeze,
    "Transpose": shapes.transpose,
    "Concat": shapes.concatenate,
    "Slice": shapes.part,
    "Split": shapes.split,
    "Gather": shapes.gather,
    "Pad": shapes.pad,
    "Expand": shapes.expand,
    "Shape": shapes.shape_of,
    "Size": shapes.size_of,
}
QUANTISED_BUILDERS: Mapping[str, Builder] = {
    **dict.fromkeys(("Quant", "IntQuant"), quantised.quant),
    "BipolarQuant": quantised.bipolar_quant,
}
# Operators that constants alone may go through.
FOLDED_ONLY = frozenset({"Constant", "ConstantOfShape", "Range", "Tile", "CastLike", "Mod"})

_NO_STATE = "a recurrent network keeps a state: use convolutions or dense layers"
_WEIGHTED = "use Conv1d, Conv2d or Linear"
_ADVICE = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _NO_STATE),
    **dict.fromkeys(("ConvTranspose", "Resize", "Upsample", "ConvInteger"), _WEIGHTED),
    **dict.fromkeys(
        ("InstanceNormalization", "GroupNormalization", "LpNormalization"), "use BatchNorm1d or 2d"
    ),
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
                     "Bernoulli", "Multinomial"),
                    "a score must not be random: of a VAE use the mean in place of a sample"),
    **dict.fromkeys(("NonZero", "Compress", "Unique"), "use a mask and torch.where"),
    **dict.fromkeys(("GatherElements", "GatherND", "ScatterElements", "ScatterND", "Scatter"),
                    "choose by constant numbers: x[:, [0, 3, 6]]"),
    **dict.fromkeys(("CumSum", "Einsum"), "write it as a product with a constant matrix"),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul",
                     "DynamicQuantizeLinear", "MatMulInteger"),
                    "export as QONNX: Brevitas's export_qonnx writes Quant"),
    **dict.fromkeys(("Trunc", "FloatQuant", "MultiThreshold"), "use Quant or BipolarQuant"),
    **dict.fromkeys(("TopK", "ArgMax", "ArgMin"), "sort before: jets come sorted by falling pT"),
}  # fmt: skip
_GENERAL = "write it with operators that docs/coming-from.md lists, or use the open division"


def builder_of(kind: str, *, is_standard: bool) -> Builder | None:
    """Return what builds an operator; None if nothing does."""
    return (STANDARD_BUILDERS if is_standard else QUANTISED_BUILDERS).get(kind)


def advise(kind: str) -> str:
    """Return what to use in place of an operator that cannot be built."""
    return _ADVICE.get(kind, _GENERAL)
