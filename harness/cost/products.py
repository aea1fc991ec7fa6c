r"""Multiplications of a network and their bit operations, worked out layer by layer.

A layer multiplies values by weights (dense, convolution, batch normalisation) or values by values
(`Multiply`, `Dot`, `Einsum`). Each such product is one multiply-accumulate (MAC), and costs as
many bit operations (BOPs) as the product of the widths of its two operands:

.. math:: \mathrm{BOPs} = \sum_\mathrm{products} b_\mathrm{weight} \, b_\mathrm{value}

Widths are those of the HGQ2 quantisers, each value's and each weight's own, the sign bit
included. What no quantiser has rounded is float32 and counts 32 bits, so a plain float network
costs 32 x 32 = 1,024 BOPs per MAC.

What counts no MAC: additions, comparisons, logic, sorting and counting, activations, tables and
other functions of one value (sines, logarithms, ...), sums, means and pooling, scaling by a power
of two (a shift), and the taps of a convolution that fall on its padding. A division counts as the
multiplication by the reciprocal, which is a function of one value; a remainder by a constant as two
products (x - c floor(x / c)); by a value it has no rule.

References
----------
BOPs by the widths of both operands: C. Baskin et al., arXiv:1804.10969; for quantised networks
in triggers: C. N. Coelho Jr. et al., Nat. Mach. Intell. 3, 675 (2021), arXiv:2006.10159. HGQ2's
own effective bit operations (EBOPs): C. Sun et al., arXiv:2405.00645.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.card.figures import NotMeasured
from harness.cost.layers import calls, listed, named, rule_name
from harness.cost.widths import (
    FLOAT_BITS,
    Widths,
    bits,
    input_bits,
    kernel_bits,
    output_bits,
    unrounded,
)

if TYPE_CHECKING:
    import keras
    from keras.src.ops.node import Node


@dataclass(frozen=True, kw_only=True, slots=True)
class Products:
    """The products of a network or of one call of one layer: how many, and their BOPs."""

    macs: int = 0
    bops: int = 0

    def __add__(self, other: Products) -> Products:
        """Add the products of two calls."""
        return Products(macs=self.macs + other.macs, bops=self.bops + other.bops)


# Combines two operands as a bilinear layer does: of ones it makes the number of products, of
# widths the sum of the products of the widths.
Bilinear = Callable[[Widths, Widths], Widths]
# Works out the products of one call from the widths of its inputs; None if it cannot.
Rule = Callable[["Node", Sequence[Widths]], Products | None]


def count_products(model: keras.Model) -> Products | NotMeasured:
    """Sum the products over all calls of all layers of `model`.

    Returns
    -------
    Products or NotMeasured
        The second with the names of the layers that there is no rule for.
    """
    total = Products()
    unknown: list[str] = []
    widths: dict[int, Widths] = {}
    for node in calls(model):
        given = [widths.get(id(tensor), unrounded(tensor)) for tensor in node.input_tensors]
        rule = RULES.get(rule_name(node.operation))
        found = rule(node, input_bits(node.operation, given)) if rule else None
        if found is None:
            unknown.append(named(node.operation))
        total += found or Products()
        rounded = output_bits(node, given)
        if rounded is not None:
            widths[id(node.output_tensors[0])] = rounded
    if unknown:
        return NotMeasured(not_measured=f"no rule for the multiplications of {listed(unknown)}")
    return total


# --- sums over products ------------------------------------------------------------------------


def _sum_products(bilinear: Bilinear, left: Widths, right: Widths) -> Products:
    """Count the products of a bilinear layer and sum the products of their operands' widths."""
    n_products = np.sum(bilinear(np.ones_like(left), np.ones_like(right)))
    return Products(macs=round(n_products), bops=round(np.sum(bilinear(left, right))))


def _by_weight(bilinear_of: Callable[[keras.layers.Layer], Bilinear]) -> Rule:
    """Make the rule of a layer that multiplies its input by its kernel."""

    def rule(node: Node, operands: Sequence[Widths]) -> Products:
        layer = node.operation
        return _sum_products(bilinear_of(layer), operands[0], kernel_bits(layer))

    return rule


def _by_value(bilinear_of: Callable[[keras.layers.Layer], Bilinear | None]) -> Rule:
    """Make the rule of a layer that contracts its two inputs."""

    def rule(node: Node, operands: Sequence[Widths]) -> Products | None:
        bilinear = bilinear_of(node.operation)
        if bilinear is None or len(operands) != 2:
            return None
        return _sum_products(bilinear, operands[0], operands[1])

    return rule


def _none(node: Node, operands: Sequence[Widths]) -> Products:
    """Multiply nothing."""
    del node, operands
    return Products()


def _elementwise(node: Node, operands: Sequence[Widths]) -> Products:
    """Multiply inputs one after the other; a product is as wide as its operands together."""
    del node
    total, left = Products(), operands[0]
    for right in operands[1:]:
        total += _sum_products(np.multiply, *np.broadcast_arrays(left, right))
        left = left + right
    return total


# --- contractions ------------------------------------------------------------------------------


def _matmul(layer: keras.layers.Layer) -> Bilinear:
    del layer
    return np.matmul


def _einsum(layer: keras.layers.Layer) -> Bilinear:
    """Return a layer's einsum; an ellipsis stands for the axes that it does not name."""
    equation = layer.equation if hasattr(layer, "equation") else layer.subscripts
    return partial(np.einsum, equation)


def _dot(layer: keras.layers.Layer) -> Bilinear | None:
    """Return the dot product along a layer's axes; None if it normalises, which divides."""
    if layer.normalize:
        return None
    axes = (layer.axes, layer.axes) if isinstance(layer.axes, int) else layer.axes

    def contract(left: Widths, right: Widths) -> Widths:
        inner = [[axis % one.ndim - 1] for axis, one in zip(axes, (left, right))]
        return np.asarray(np.tensordot(left[0], right[0], (inner[0], inner[1])))

    return contract


def _convolution(layer: keras.layers.Layer) -> Bilinear:
    """Return a convolution; it pads with zeros, so that taps on the padding count nothing."""

    def convolve(left: Widths, right: Widths) -> Widths:
        from keras import ops

        is_causal = layer.padding == "causal"
        if is_causal:
            before = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
            left = np.pad(left, [(0, 0), (before, 0), (0, 0)])
        padding = "valid" if is_causal else layer.padding
        return np.asarray(ops.conv(left, right, padding=padding, **_geometry(layer)))

    return convolve


def _transposed(layer: keras.layers.Layer) -> Bilinear:
    """Return a transposed convolution; what falls outside of the result counts nothing."""

    def convolve(left: Widths, right: Widths) -> Widths:
        from keras import ops

        return np.asarray(
            ops.conv_transpose(
                left,
                right,
                padding=layer.padding,
                output_padding=layer.output_padding,
                **_geometry(layer),
            )
        )

    return convolve


def _depthwise(layer: keras.layers.Layer) -> Bilinear:
    """Return a convolution of each channel by itself."""

    def convolve(left: Widths, right: Widths) -> Widths:
        from keras import ops

        padding = layer.padding
        return np.asarray(ops.depthwise_conv(left, right, padding=padding, **_geometry(layer)))

    return convolve


def _geometry(layer: keras.layers.Layer) -> dict[str, object]:
    """Arguments of a convolution that come from its layer, but for the padding."""
    return {
        "strides": tuple(layer.strides),
        "dilation_rate": layer.dilation_rate,
        "data_format": layer.data_format,
    }


# --- scalings ----------------------------------------------------------------------------------


def _by_constant(widths: Widths, constant: object) -> Products:
    """Multiply each value by a constant of 32 bits; by powers of two only, it is a shift."""
    if _are_powers_of_two(constant):
        return Products()
    return _sum_products(np.multiply, widths, np.full_like(widths, FLOAT_BITS))


def _are_powers_of_two(constant: object) -> bool:
    """Say whether multiplying by `constant` only shifts: powers of two, with any sign, and 0."""
    mantissa, _ = np.frexp(np.abs(np.asarray(constant, dtype=np.float64)))
    return bool(np.all((mantissa == 0.5) | (mantissa == 0.0)))


def _normalisation(node: Node, operands: Sequence[Widths]) -> Products:
    """Scale each channel by a weight; HGQ2 folds batch normalisation to one quantised scale."""
    layer, widths = node.operation, operands[0]
    if not hasattr(layer, "kq"):
        return _sum_products(np.multiply, widths, np.full_like(widths, FLOAT_BITS))
    shape = [1] * widths.ndim
    shape[layer.axis] = widths.shape[layer.axis]
    scale = bits(layer.kq, (widths.shape[layer.axis],)).reshape(shape)
    return _sum_products(np.multiply, widths, np.broadcast_to(scale, widths.shape))


def _rescaling(node: Node, operands: Sequence[Widths]) -> Products:
    """Scale by the constants of a `Rescaling`."""
    return _by_constant(operands[0], node.operation.scale)


def _square(node: Node, operands: Sequence[Widths]) -> Products:
    """Multiply each value by itself."""
    return _elementwise(node, [operands[0], operands[0]])


def _multiply(node: Node, operands: Sequence[Widths]) -> Products | None:
    """Multiply two values, or a value by a constant."""
    if len(operands) == 2:
        return _elementwise(node, operands)
    constants = _constants(node)
    return _by_constant(_widened(node, operands[0]), constants[0]) if constants else None


def _divide(node: Node, operands: Sequence[Widths]) -> Products | None:
    """Multiply by the reciprocal: a constant, or a function of one value that is 32 bits wide."""
    constants = _constants(node)
    dividend = node.arguments.args[0] if node.arguments.args else None
    is_first = dividend is node.input_tensors[0]
    if len(operands) == 2 and is_first:
        reciprocal = np.full_like(operands[1], FLOAT_BITS)
        return _sum_products(np.multiply, *np.broadcast_arrays(operands[0], reciprocal))
    if len(operands) != 1 or not constants:
        return None
    widths = _widened(node, operands[0])
    return _by_constant(widths if is_first else np.full_like(widths, FLOAT_BITS), constants[0])


def _remainder(node: Node, operands: Sequence[Widths]) -> Products | None:
    """Divide by a constant, and multiply the whole part by it; by a value there is no rule."""
    if len(operands) != 1 or node.arguments.args[:1] != (node.input_tensors[0],):
        return None
    divided = _divide(node, operands)
    return None if divided is None else divided + divided


def _by_degrees(node: Node, operands: Sequence[Widths]) -> Products:
    """Multiply by the constant between degrees and radians."""
    del node
    return _by_constant(operands[0], math.pi / 180)


def _hypotenuse(node: Node, operands: Sequence[Widths]) -> Products:
    """Square each of two values."""
    shape = (1, *node.output_tensors[0].shape[1:])
    squares = (_square(node, [np.broadcast_to(one, shape)]) for one in operands)
    return sum(squares, Products())


def _norm(node: Node, operands: Sequence[Widths]) -> Products | None:
    """Square each value; there is no rule for another norm."""
    return _square(node, operands) if node.operation.ord in (None, 2) else None


def _power(node: Node, operands: Sequence[Widths]) -> Products | None:
    """Square a value; there is no rule for another power."""
    constants = _constants(node)
    if len(operands) != 1 or not constants or np.any(np.asarray(constants[0]) != 2):
        return None
    return _square(node, operands)


def _constants(node: Node) -> list[object]:
    """Arguments of a call that are no values of the network."""
    arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
    tensors = {id(tensor) for tensor in node.input_tensors}
    return [one for one in arguments if one is not None and id(one) not in tensors]


def _widened(node: Node, widths: Widths) -> Widths:
    """Broadcast widths to the shape of what a call gives."""
    return np.broadcast_to(widths, (1, *node.output_tensors[0].shape[1:]))


# --- the rules ---------------------------------------------------------------------------------

# Names, shapes and order; noise and dropout, which inference leaves out.
_MOVING = """
    Identity Flatten Reshape Permute RepeatVector Concatenate Cropping1D Cropping2D ZeroPadding1D
    ZeroPadding2D UpSampling1D UpSampling2D Dropout AlphaDropout SpatialDropout1D SpatialDropout2D
    GaussianDropout GaussianNoise ActivityRegularization
"""
# Rounding, activations, tables, sums, comparisons and pooling.
_WITHOUT_PRODUCTS = """
    Quantizer Activation ReLU LeakyReLU PReLU ELU QUnaryFunctionLUT Add Subtract Average Maximum
    Minimum QAdd QSubtract QAveragePow2 QMaximum QMinimum QSum QMeanPow2
    MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D QMaxPooling1D QMaxPooling2D
    QAveragePooling1D QAveragePooling2D QGlobalMaxPooling1D QGlobalMaxPooling2D
    QGlobalAveragePooling1D QGlobalAveragePooling2D
"""
# The same as functions of `keras.ops`, and its other functions of one value.
_FUNCTIONS_WITHOUT_PRODUCTS = """
    Reshape Ravel Transpose Concatenate Stack Squeeze ExpandDims GetItem Moveaxis Swapaxes Repeat
    Cast Add Subtract Negative Absolute Sign Sum Mean Average Max Min Amax Amin Maximum Minimum
    Clip Where Equal Greater GreaterEqual Less LessEqual Round Floor Ceil Relu Relu6 LeakyRelu Elu
    Selu Celu Gelu Silu Sigmoid HardSigmoid HardSilu HardTanh LogSigmoid Softplus Softsign Tanh
    Erf Exp Exp2 Expm1 Log Log10 Log1p Log2 Sqrt Rsqrt Reciprocal
    NotEqual LogicalAnd LogicalNot LogicalOr LogicalXor Isfinite Isinf Isnan Isneginf Isposinf
    Signbit Select Digitize Trunc Fabs Fmax Fmin Heaviside NanToNum ZerosLike OnesLike FullLike
    All Any CountNonzero Argmax Argmin Argsort Sort TopK Median Percentile Quantile Ptp Cumsum Diff
    Flip Roll Split TakeAlongAxis Unstack SaturateCast StopGradient
    Sin Cos Tan Arcsin Arccos Arctan Arctan2 Sinh Cosh Arcsinh Arccosh Arctanh Sinc Cbrt Erfc Erfinv
    Logaddexp Logaddexp2 HardShrink SoftShrink TanhShrink Threshold Squareplus SparsePlus
    SparseSigmoid
"""
RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(_MOVING.split(), _none),
    **dict.fromkeys(_WITHOUT_PRODUCTS.split(), _none),
    **{f"ops.{name}": _none for name in _FUNCTIONS_WITHOUT_PRODUCTS.split()},
    **dict.fromkeys(("Dense", "QDense", "QBatchNormDense"), _by_weight(_matmul)),
    **dict.fromkeys(("EinsumDense", "QEinsumDense", "QEinsumDenseBatchnorm"), _by_weight(_einsum)),
    **dict.fromkeys(("Conv1D", "Conv2D", "QConv1D", "QConv2D"), _by_weight(_convolution)),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose"), _by_weight(_transposed)),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _by_weight(_depthwise)),
    **dict.fromkeys(("Dot", "QDot"), _by_value(_dot)),
    **dict.fromkeys(("QEinsum", "ops.Einsum"), _by_value(_einsum)),
    "ops.Matmul": _by_value(_matmul),
    **dict.fromkeys(("Multiply", "QMultiply"), _elementwise),
    "ops.Multiply": _multiply,
    "ops.Square": _square,
    "ops.Power": _power,
    **dict.fromkeys(("ops.Divide", "ops.TrueDivide", "ops.FloorDivide"), _divide),
    **dict.fromkeys(("ops.Mod", "ops.Fmod"), _remainder),
    **dict.fromkeys(("ops.Deg2rad", "ops.Rad2deg"), _by_degrees),
    "ops.Hypot": _hypotenuse,
    "ops.Norm": _norm,
    "Rescaling": _rescaling,
    **dict.fromkeys(("BatchNormalization", "QBatchNormalization", "Normalization"), _normalisation),
}
"""Rule of each layer, by the name that `harness.cost.layers.rule_name` gives it."""
