"""What to build with instead of a layer that no fixed-point translator knows."""

from __future__ import annotations

from collections.abc import Mapping

GENERAL_ADVICE = "use layers of HGQ2 (hgq.layers), or heads from harness.heads"

REPLACEMENTS: Mapping[str, str] = {
    "Dense": "hgq.layers.QDense",
    "EinsumDense": "hgq.layers.QEinsumDense",
    "Conv1D": "hgq.layers.QConv1D",
    "Conv2D": "hgq.layers.QConv2D",
    "DepthwiseConv1D": "hgq.layers.QConv1D with groups written out",
    "DepthwiseConv2D": "hgq.layers.QConv2D with groups written out",
    "SeparableConv1D": "two hgq.layers.QConv1D",
    "SeparableConv2D": "two hgq.layers.QConv2D",
    "BatchNormalization": "hgq.layers.QBatchNormalization, or QBatchNormDense",
    "LayerNormalization": "hgq.layers.QBatchNormalization: a mean over one event needs a division",
    "UnitNormalization": "no normalisation: it needs a division",
    "Normalization": "a scale folded into the weights of the first layer",
    "Rescaling": "a scale folded into the weights of the first layer",
    "Activation": "hgq.layers.QUnaryFunctionLUT, or activation='relu'",
    "Softmax": "hgq.layers.QSoftmax",
    "ELU": "hgq.layers.QUnaryFunctionLUT",
    "Add": "hgq.layers.QAdd",
    "Subtract": "hgq.layers.QSubtract",
    "Multiply": "hgq.layers.QMultiply",
    "Average": "hgq.layers.QAveragePow2",
    "Maximum": "hgq.layers.QMaximum",
    "Minimum": "hgq.layers.QMinimum",
    "Dot": "hgq.layers.QDot",
    "AveragePooling1D": "hgq.layers.QAveragePooling1D",
    "AveragePooling2D": "hgq.layers.QAveragePooling2D",
    "GlobalAveragePooling1D": "hgq.layers.QGlobalAveragePooling1D",
    "GlobalAveragePooling2D": "hgq.layers.QGlobalAveragePooling2D",
    "Lambda": "layers of HGQ2: a Lambda is Python code, not arithmetic",
    "Square": "hgq.layers.QMultiply()([x, x])",
    "Mean": "a sum: dividing by a constant does not change the order of the scores",
    "Exp": "hgq.layers.QUnaryFunctionLUT(activation='exponential')",
    "Log": "hgq.layers.QUnaryFunctionLUT",
    "Sqrt": "no root: it does not change the order of the scores",
}


def advise(kind: str) -> str:
    """Return what to do about a layer or operation of a kind that no translator knows."""
    return f"use {REPLACEMENTS[kind]}" if kind in REPLACEMENTS else GENERAL_ADVICE
