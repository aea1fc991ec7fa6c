"""What to build with instead of a layer that no fixed-point translator knows."""

from __future__ import annotations

from collections.abc import Mapping

GENERAL_ADVICE = "use layers of HGQ2 (hgq.layers), or heads from harness.heads"
SOFTMAX_ADVICE = "use hgq.layers.QSoftmax() as a layer of its own"

_FUNCTIONS = ("Cos", "Cosh", "Log", "Log1p", "Sin", "Sinh", "Sqrt")
_FUNCTION = "use a table: heads.table(x, '{}', word=..., output=...)"
_TABLE = "use hgq.layers.QUnaryFunctionLUT, a table"
_NO_DIVISION = "use hgq.layers.QBatchNormalization: a mean over one event needs a division"
_MASK = (
    "write a mask by arithmetic: torch.clamp(pt, 0, 1) or keras.ops.clip(pt, 0, 1) is 1 for each "
    "object with pT above 1 GeV, and 0 where there is none"
)
_COMPARISONS = ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual")
_LOGIC = ("Where", "Cast", "LogicalAnd", "LogicalOr", "LogicalNot", "LogicalXor")
_LARGEST = (
    "use keras.layers.Reshape((m, 1)) of m values and then keras.layers.GlobalMaxPooling1D(), or "
    "hgq.layers.QMaximum of slices"
)
_SMALLEST = "use hgq.layers.QMinimum of slices, or the largest of the negative values"
_SCALE = "use heads.scale, or hgq.layers.QBatchNormalization"

REPLACEMENTS: Mapping[str, str] = {
    "Dense": "use hgq.layers.QDense",
    "EinsumDense": "use hgq.layers.QEinsumDense",
    "Conv1D": "use hgq.layers.QConv1D",
    "Conv2D": "use hgq.layers.QConv2D",
    "DepthwiseConv1D": "use hgq.layers.QConv1D(groups=...)",
    "DepthwiseConv2D": "use hgq.layers.QConv2D(groups=...)",
    "SeparableConv1D": "use two hgq.layers.QConv1D, the first with groups=...",
    "SeparableConv2D": "use two hgq.layers.QConv2D, the first with groups=...",
    "BatchNormalization": "use hgq.layers.QBatchNormalization, or QBatchNormDense",
    "LayerNormalization": _NO_DIVISION,
    "UnitNormalization": "leave it out: it needs a division",
    "Normalization": _SCALE,
    "Rescaling": _SCALE,
    "Activation": "use hgq.layers.QUnaryFunctionLUT, or activation='relu'",
    "Clip": "use keras.layers.ReLU(max_value=...), or heads.limit: its words saturate",
    "Softmax": SOFTMAX_ADVICE,
    "LogSoftmax": SOFTMAX_ADVICE + ", and a table of the logarithm",
    "ELU": _TABLE,
    "Subtract": "use hgq.layers.QSubtract",
    "Multiply": "use hgq.layers.QMultiply; shapes (19, 1) and (19, 3) multiply without expand()",
    "Average": "use hgq.layers.QAveragePow2",
    "Maximum": "use hgq.layers.QMaximum",
    "Minimum": "use hgq.layers.QMinimum",
    "UpSampling2D": "use interpolation='nearest'",
    "Lambda": "use layers of HGQ2: a Lambda is Python code, not arithmetic",
    "Square": "use hgq.layers.QMultiply()([x, x])",
    "Mean": "use a sum: as the last step, a division by a constant changes no order of the scores",
    "Sum": "use heads.combine(x, np.ones((m, 1))) for m values, or hgq.layers.QSum",
    **dict.fromkeys(("Max", "Amax"), _LARGEST),
    **dict.fromkeys(("Min", "Amin"), _SMALLEST),
    "Exp": "use hgq.layers.QUnaryFunctionLUT(activation='exponential')",
    **dict.fromkeys((*_COMPARISONS, *_LOGIC), _MASK),
    **{name: _FUNCTION.format(name.lower()) for name in _FUNCTIONS},
    **dict.fromkeys(("Relu", "ReLU"), "use the layer keras.layers.ReLU"),
    **dict.fromkeys(("Sigmoid", "Tanh", "Silu", "Gelu", "Elu", "Selu", "Softplus"), _TABLE),
    **dict.fromkeys(
        ("Divide", "TrueDivide", "Reciprocal"),
        "divide by a constant, such as the number of values; or use a table of 1/x: heads.table",
    ),
}


def advise(kind: str) -> str:
    """Return what to do about a layer or operation of a kind that no translator knows."""
    return REPLACEMENTS.get(kind, GENERAL_ADVICE)
