"""Small ONNX graphs, one for each family of operators, by the names of what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

RNG_SEED = 19


def events_of(n: int) -> np.ndarray:
    """Return events of the form of the challenge's, float32 (n, 19, 3)."""
    rng = np.random.default_rng(RNG_SEED)
    events = rng.uniform(-3, 3, (n, 19, 3))
    events[..., 0] = rng.exponential(30, (n, 19))
    events[rng.random((n, 19)) < 0.4] = 0
    return events.astype(np.float32)


@dataclass
class Graph:
    """An ONNX graph as it grows: each call adds a node and returns the name of its output."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    rng: Any = field(default_factory=lambda: np.random.default_rng(RNG_SEED))

    def add(self, kind: str, *inputs: str | np.ndarray | None, n: int = 1, **more: Any) -> Any:
        names = [self.constant(one) for one in inputs]
        outputs = [f"{kind.lower()}_{len(self.nodes)}_{place}" for place in range(n)]
        domain = "qonnx.custom_op.general" if kind in ("Quant", "IntQuant", "BipolarQuant") else ""
        made = helper.make_node(kind, names, outputs, f"n{len(self.nodes)}", domain=domain, **more)
        self.nodes.append(made)
        return outputs[0] if n == 1 else outputs

    def constant(self, value: Any) -> str:
        if value is None or isinstance(value, str):
            return value or ""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def random(self, *shape: int, size: float = 0.3) -> np.ndarray:
        return self.rng.normal(0, size, shape).astype(np.float32)

    def quant(
        self, x: Any, scale: Any, n_bits: int, *, zero: float = 0.0, signed: int = 1,
        narrow: int = 0, mode: str = "ROUND", kind: str = "Quant",
    ) -> str:  # fmt: skip
        numbers = [np.asarray(one, np.float32) for one in (scale, zero, n_bits)]
        more = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
        return self.add(kind, x, *numbers, **more)

    def score(self, x: str, n: int) -> str:
        """Add a layer that makes one number of n."""
        return self.add("Gemm", x, self.random(n, 1), self.random(1))

    def model(
        self,
        output: str,
        shape: Sequence[int] = (57,),
        *,
        batch: int | str = "n",
        opset: int = 18,
        outputs: Iterable[str] = (),
    ) -> ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "zoo",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                for name in (output, *outputs)
            ],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        versions = [helper.make_opsetid("", opset)]
        if any(node.domain for node in self.nodes):
            versions.append(helper.make_opsetid("qonnx.custom_op.general", 2))
        return helper.make_model(graph, opset_imports=versions, ir_version=8)


Make = Callable[[Graph], ModelProto]


def dense(g: Graph) -> ModelProto:
    x = g.add("Div", "x", np.float32(32.0))
    h = g.add("Relu", g.add("Gemm", x, g.random(16, 57), g.random(16), transB=1))
    h = g.add("Add", g.random(1, 8), g.add("MatMul", h, g.random(16, 8)))
    h = g.add("BatchNormalization", h, *(np.abs(g.random(8)) + 0.5 for _ in range(4)))
    h = g.add("Tanh", g.add("Gemm", h, g.random(8, 8), alpha=0.5))
    return g.model(g.score(h, 8))


def parametric_relu(g: Graph) -> ModelProto:
    h = g.add("MatMul", "x", g.random(57, 6))
    return g.model(g.score(g.add("PRelu", h, np.abs(g.random(6))), 6))


def clips(g: Graph) -> ModelProto:
    h = g.add("MatMul", "x", g.random(57, 6))
    bounds = [(0, 6), (-1, 2), (None, 3), (-2, None), (0, None)]
    parts = [
        g.add("Clip", h, *(None if one is None else np.float32(one) for one in pair))
        for pair in bounds
    ]
    return g.model(g.score(g.add("Concat", *parts, axis=1), 30))


def convolution_1d(g: Graph) -> ModelProto:
    """Objects as places, features as channels: (n, 19, 3) to (n, 3, 19)."""
    x = g.add("Transpose", "x", perm=[0, 2, 1])
    h = g.add("Conv", x, g.random(6, 3, 3), g.random(6), pads=[1, 1], kernel_shape=[3])
    h = g.add("MaxPool", g.add("Relu", h), kernel_shape=[2], strides=[2])
    h = g.add("Conv", h, g.random(4, 6, 3), dilations=[2])
    h = g.add("AveragePool", h, kernel_shape=[2], strides=[1])
    h = g.add("BatchNormalization", h, *(np.abs(g.random(4)) + 0.5 for _ in range(4)))
    return g.model(g.score(g.add("Flatten", h), 16), (19, 3))


def convolution_2d(g: Graph) -> ModelProto:
    """An image of one channel in the order of ONNX, (n, 1, 19, 3), of several of which are made."""
    h = g.add("Conv", "x", g.random(4, 1, 3, 3), g.random(4), pads=[1, 0, 1, 2], strides=[2, 1])
    h = g.add("LeakyRelu", h, alpha=0.1)
    deep = g.add("Conv", h, g.random(8, 1, 3, 1), group=4, auto_pad="SAME_UPPER")
    grouped = g.add("Conv", deep, g.random(6, 4, 2, 1), group=2)
    other = g.add("Conv", h, g.random(6, 4, 2, 1))
    h = g.add("Add", grouped, other)
    h = g.add("Mul", h, g.random(6, 1, 1))
    h = g.add("PRelu", h, np.abs(g.random(6, 1, 1)))
    pooled = g.add("Flatten", g.add("GlobalAveragePool", h))
    largest = g.add("Flatten", g.add("GlobalMaxPool", h))
    h = g.add("MaxPool", h, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    h = g.add("AveragePool", h, kernel_shape=[3, 1], pads=[1, 0, 1, 0], count_include_pad=1)
    h = g.add("Concat", pooled, largest, g.add("Flatten", h), axis=-1)
    return g.model(g.score(h, 12 + 6 * 9 * 3), (1, 19, 3))


def channels_last_image(g: Graph) -> ModelProto:
    """An image as the challenge gives it, (n, 19, 3, 1), moved by the graph itself."""
    x = g.add("Transpose", "x", perm=[0, 3, 1, 2])
    h = g.add("Relu", g.add("Conv", x, g.random(5, 1, 2, 3)))
    h = g.add("Reshape", h, np.array([0, -1]))
    return g.model(g.score(h, 90), (19, 3, 1))


def shapes(g: Graph) -> ModelProto:
    """Slices, parts and choices along axes of the event; the number of events by ``Shape``."""
    n = g.add("Gather", g.add("Shape", "x"), np.array(0))
    n = g.add("Unsqueeze", n, np.array([0]))
    wide = g.add("Concat", n, np.array([19, 3]), axis=0)
    x = g.add("Reshape", "x", wide)
    pt = g.add("Gather", x, np.array(0), axis=2)
    some = g.add("Flatten", g.add("Gather", x, np.array([4, 0, 1, -1]), axis=1))
    every = g.add("Slice", "x", np.array([1]), np.array([57]), np.array([1]), np.array([3]))
    back = g.add("Slice", "x", np.array([-1]), np.array([-(2**63)]), np.array([1]), np.array([-2]))
    met, leptons, jets = g.add("Split", x, np.array([1, 8, 10]), axis=1, n=3)
    jets = g.add("Reshape", jets, np.array([-1, 30]))
    leptons = g.add("Flatten", g.add("Transpose", leptons, perm=[0, 2, 1]))
    met = g.add("Squeeze", met, np.array([1]))
    met = g.add("Squeeze", g.add("Unsqueeze", met, np.array([-1])), np.array([2]))
    padded = g.add("Flatten", g.add("Pad", x, np.array([0, 1, 0, 0, 0, 2])))
    all_of_them = [pt, some, every, back, jets, leptons, met, padded]
    sizes = [19, 12, 19, 29, 30, 24, 3, 100]
    return g.model(g.score(g.add("Concat", *all_of_them, axis=1), sum(sizes)))


def reductions(g: Graph) -> ModelProto:
    """Reductions over one axis and over all, with the axes as attribute or as input."""
    x = g.add("Mul", "x", np.float32([0.03, 0.5, 0.5]))
    parts = [
        g.add("ReduceSum", x, np.array([1]), keepdims=0),
        g.add("ReduceMean", x, axes=[1], keepdims=0),
        g.add("ReduceMax", x, axes=[-1], keepdims=0),
        g.add("ReduceMin", x, axes=[2], keepdims=0),
        g.add("ReduceSumSquare", x, axes=[1], keepdims=0),
        g.add("ReduceL1", x, axes=[1], keepdims=0),
        g.add("ReduceL2", x, axes=[1], keepdims=0),
        g.add("ReduceLogSumExp", x, axes=[1], keepdims=0),
        g.add("Flatten", g.add("ReduceMean", x, axes=[1, 2])),
    ]
    h = g.add("Concat", *parts, axis=1)
    return g.model(g.score(h, 6 * 3 + 2 * 19 + 1), (19, 3), opset=17)


def autoencoder(g: Graph) -> ModelProto:
    """An autoencoder with its masked mean squared error in the graph: a score of shape (n,)."""
    x = g.add("Mul", "x", np.float32([0.03, 0.5, 0.5]))
    flat = g.add("Reshape", x, np.array([-1, 57]))
    code = g.add("Relu", g.add("Gemm", flat, g.random(57, 8), g.random(8)))
    made = g.add("Gemm", code, g.random(8, 57), g.random(57))
    made = g.add("Reshape", made, np.array([-1, 19, 3]))
    mask = g.add("Cast", g.add("Not", g.add("Equal", "x", np.float32(0))), to=TensorProto.FLOAT)
    error = g.add("Mul", g.add("Pow", g.add("Sub", made, x), np.float32(2)), mask)
    chosen = g.add("Where", g.add("Greater", x, np.float32(0)), error, np.float32(0.5))
    return g.model(g.add("ReduceMean", g.add("Add", error, chosen), axes=[1, 2], keepdims=0),
                   (19, 3), opset=17)  # fmt: skip


def divergence(g: Graph) -> ModelProto:
    """The encoder of a variational autoencoder with its divergence in the graph."""
    h = g.add("Relu", g.add("MatMul", g.add("Mul", "x", np.float32(0.03)), g.random(57, 8)))
    mu, log_variance = (g.add("MatMul", h, g.random(8, 3, size=0.1)) for _ in range(2))
    terms = g.add("Add", g.add("Mul", mu, mu), g.add("Exp", log_variance))
    terms = g.add("Sub", g.add("Sub", terms, log_variance), np.float32(1))
    total = g.add("ReduceSum", terms, np.array([1]), keepdims=1)
    return g.model(g.add("Mul", np.float32(0.5), total))


def attention(g: Graph) -> ModelProto:
    """Products of two tensors, and softmax."""
    x = g.add("Mul", "x", np.float32([0.03, 0.5, 0.5]))
    query, key, value = (g.add("MatMul", x, g.random(3, 4)) for _ in range(3))
    weights = g.add("MatMul", query, g.add("Transpose", key, perm=[0, 2, 1]))
    h = g.add("MatMul", g.add("Softmax", weights, axis=-1), value)
    h = g.add("LayerNormalization", h, np.ones(4, np.float32), g.random(4))
    h = g.add("MatMul", g.random(2, 19), h)
    return g.model(g.score(g.add("Flatten", h), 8), (19, 3))


def constants(g: Graph) -> ModelProto:
    """Constants that are computed: casts, expansions, ranges, transposed weights."""
    ones = g.add("ConstantOfShape", np.array([57]), value=helper.make_tensor("v", 1, [1], [0.1]))
    steps = g.add("Cast", g.add("Range", np.array(0), np.array(57), np.array(1)), to=1)
    factors = g.add("Div", g.add("Add", ones, steps), np.float32(500.0))
    h = g.add("Mul", "x", factors)
    h = g.add("MatMul", h, g.add("Transpose", g.random(6, 57), perm=[1, 0]))
    h = g.add("Max", h, g.add("Min", g.add("Neg", h), np.float32(3.0)))
    h = g.add("Identity", g.add("Dropout", h))
    return g.model(g.score(h, 6))


def activations(g: Graph) -> ModelProto:
    """Every function of one number, each of six numbers around zero; some of positive ones."""
    h = g.add("MatMul", g.add("Mul", "x", np.float32(0.05)), g.random(57, 6))
    positive = g.add("Add", g.add("Abs", h), np.float32(0.5))
    kinds = """
        Sigmoid Tanh Softplus Softsign Selu Elu Celu Gelu HardSigmoid HardSwish Softmax LogSoftmax
        Erf Sin Cos Atan Sign Floor Ceil Round Neg
    """
    parts = [g.add(kind, h) for kind in kinds.split()]
    parts += [g.add("Celu", h, alpha=0.5), g.add("Gelu", h, approximate="tanh")]
    parts += [g.add("HardSigmoid", h, alpha=1 / 6, beta=0.5)]
    parts += [g.add(kind, positive) for kind in ("Log", "Sqrt", "Reciprocal")]
    parts += [g.add("Pow", positive, np.float32(exponent)) for exponent in (0.5, 1, 3)]
    joined = g.add("Concat", *parts, axis=1)
    return g.model(g.score(joined, 6 * len(parts)), opset=20)


def choices(g: Graph) -> ModelProto:
    """Comparisons, logic, functions of small numbers, sums of several tensors, repetitions."""
    h = g.add("MatMul", g.add("Mul", "x", np.float32(0.05)), g.random(57, 6))
    other = g.add("MatMul", g.add("Mul", "x", np.float32(0.05)), g.random(57, 6))
    small = g.add("Mul", g.add("Tanh", h), np.float32(0.9))
    parts = [g.add(kind, small) for kind in ("Acos", "Asin", "Tan", "Sinh", "Cosh")]
    less, more = g.add("Less", h, other), g.add("GreaterOrEqual", h, np.float32(0.1))
    fewer = g.add("LessOrEqual", other, np.float32(0.2))
    both = g.add("Or", g.add("And", less, more), g.add("Xor", more, fewer))
    parts += [g.add("Where", both, h, other), g.add("Where", less, np.float32(2), small)]
    parts += [g.add("Sum", h, other, small), g.add("Mean", h, other, small)]
    positive = g.add("Reshape", g.add("Add", g.add("Abs", h), np.float32(0.5)), np.array([0, 2, 3]))
    for kind in ("ReduceProd", "ReduceLogSum"):
        parts += [g.add(kind, positive, axes=[2], keepdims=0)]
    one = g.add("Unsqueeze", g.add("ReduceMax", h, axes=[1], keepdims=0), np.array([1]))
    parts += [g.add("Expand", one, np.array([1, 4]))]
    n_values = g.add("Cast", g.add("Size", positive), to=1)
    parts += [g.add("Div", h, g.add("Div", n_values, n_values))]
    joined = g.add("Concat", *parts, axis=1)
    return g.model(g.score(joined, 5 * 6 + 4 * 6 + 2 * 2 + 4 + 6), opset=17)


FLOAT: Mapping[str, Make] = {
    make.__name__: make for make in (
        dense, activations, parametric_relu, clips, convolution_1d, convolution_2d,
        channels_last_image, shapes, reductions, autoencoder, divergence, attention, constants,
        choices,
    )
}  # fmt: skip


# --- QONNX ----------------------------------------------------------------------------------------


def quantised_dense(g: Graph) -> ModelProto:
    """Words for each feature at the input, several roundings, weights by channel, two outputs."""
    scale = np.tile(np.float32([0.25, 0.03125, 0.03125]), 19)
    x = g.quant("x", scale, 12)
    w = g.quant(g.random(57, 12), np.float32(2.0 ** -np.arange(3, 15))[None] * 8, 6, narrow=1)
    h = g.add("Relu", g.add("Gemm", x, w, g.quant(g.random(12), 2.0**-6, 8)))
    h = g.quant(h, 0.125, 7, signed=0)
    w = g.quant(g.random(12, 12), 2.0**-5, 5)
    h = g.add("Add", g.add("MatMul", h, w), g.quant(g.random(1, 12), 2.0**-8, 10))
    modes = ["ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"]
    parts = [g.quant(h, 0.5, 6, mode=mode, kind="IntQuant") for mode in modes]
    parts += [g.quant(h, 0.5, 5, signed=0, mode=mode) for mode in ("DOWN", "HALF_UP", "FLOOR")]
    parts += [g.quant(h, 0.5, 4, narrow=1), g.quant(h, 1.0, 1)]
    parts += [g.add("BipolarQuant", h, np.float32(0.25))]
    h = g.add("Concat", *parts, axis=1)
    w = g.quant(g.random(12 * len(parts), 2), 2.0**-4, 4)
    mu = g.quant(g.add("MatMul", h, w), 0.25, 8)
    return g.model(g.add("ReduceSum", g.add("Mul", mu, mu), np.array([1]), keepdims=1))


def quantised_convolution(g: Graph) -> ModelProto:
    """Convolutions in the order of ONNX, pooling, a shortcut, and weights of one bit."""
    x = g.quant("x", 0.25, 12)
    w = g.quant(g.random(4, 1, 3, 3), 2.0**-4, 5)
    h = g.add("Relu", g.add("Conv", x, w, pads=[1, 1, 1, 1]))
    h = g.quant(h, 0.5, 8, signed=0)
    w = g.add("BipolarQuant", g.random(4, 4, 3, 1), np.float32(0.125))
    other = g.quant(g.add("Conv", h, w, pads=[1, 0, 1, 0]), 0.5, 8)
    h = g.quant(g.add("Add", h, other), 0.5, 9)
    h = g.add("MaxPool", h, kernel_shape=[2, 1], strides=[2, 1])
    w = g.add("Transpose", g.quant(g.random(1, 4 * 9 * 3), 2.0**-5, 6), perm=[1, 0])
    return g.model(g.add("MatMul", g.add("Flatten", h), w), (1, 19, 3))


def quantised_scales(g: Graph) -> ModelProto:
    """Scales that are no powers of two, as Brevitas finds them when it is not asked for others."""
    x = g.quant("x", 0.27, 11)
    w = g.quant(g.random(57, 8), 0.0113, 6, narrow=1)
    h = g.add("Relu", g.add("Gemm", x, w, g.quant(g.random(8), np.float32(0.27 * 0.0113), 16)))
    h = g.quant(h, 0.071, 7, signed=0)
    w = g.quant(g.random(8, 8), np.abs(g.random(1, 8)) / 20 + 0.01, 6)
    h = g.quant(g.add("MatMul", h, w), 0.093, 8)
    w = g.quant(g.random(8, 1), 0.03, 6)
    return g.model(g.add("Gemm", h, w, g.random(1)))


EXACT: Mapping[str, Make] = {
    make.__name__: make for make in (quantised_dense, quantised_convolution)
}
SCALED: Mapping[str, Make] = {make.__name__: make for make in (quantised_scales,)}
