"""A network computes in float32 or narrower: what is wider is named, with what to write instead."""

# ruff: noqa: PLW0108 - a layer is made anew for each test

from __future__ import annotations

import numpy as np
import pytest

from harness.submission import network
from harness.submission.number_types import type_problems

network.load_keras()

import hgq.layers as q  # noqa: E402
import keras  # noqa: E402
from keras import layers as k  # noqa: E402
from keras import ops  # noqa: E402


def told(build, **settings) -> list[str]:
    """Return the problems of a network of 57 inputs."""
    keras.utils.clear_session(free_memory=False)
    x = keras.Input((57,), name="events", **settings)
    return [str(problem) for problem in type_problems(keras.Model(x, build(x)), "graph")]


@pytest.mark.parametrize(
    "build",
    [
        lambda x: k.Dense(1)(x * 0.5),
        lambda x: x * np.float32([2.0]) + np.arange(57, dtype=np.int32),
        lambda x: ops.cast(ops.cast(x, "float16"), "float32"),
        lambda x: ops.sum(ops.cast(x > 3.0, "int32"), axis=-1),
        lambda x: k.Dense(1, dtype="mixed_bfloat16")(x),
        lambda x: k.Normalization()(q.QDense(2)(q.Quantizer()(x))),
    ],
)
def test_float32_and_narrower_types_are_accepted(build):
    assert told(build) == []


@pytest.mark.parametrize(
    ("build", "layer", "what", "fix"),
    [
        (
            lambda x: ops.cast(x, "float64") * 2.0 + 1e8,
            "cast",
            "Cast gives float64",
            "ops.cast(x, 'float32')",
        ),
        (
            lambda x: ops.exp(x - np.arange(57.0)),
            "subtract",
            "Subtract takes a constant of float64",
            "np.float32(constant)",
        ),
        (lambda x: x * np.float64(2), "multiply", "takes a constant of float64", "np.float32"),
        (lambda x: x * np.arange(57), "multiply", "takes a constant of int64", "np.float32"),
        (lambda x: ops.cast(x, "int64"), "cast", "Cast gives int64", "ops.cast(x, 'float32')"),
        (lambda x: ops.cast(x, "complex64"), "cast", "Cast gives complex64", "ops.cast"),
        (
            lambda x: k.Dense(1, dtype="float64", name="wide")(x),
            "wide",
            "Dense computes in float64",
            "leave dtype out",
        ),
        (
            lambda x: q.QDense(1, dtype="float64", name="wide")(x),
            "wide",
            "QDense computes in float64",
            "leave dtype out",
        ),
        (
            lambda x: keras.Sequential(
                [keras.Input((57,)), k.Dense(1, dtype="float64", name="wide")], name="inner"
            )(x),
            "inner/wide",
            "Dense computes in float64",
            "leave dtype out",
        ),
    ],
)
def test_the_cause_of_a_wider_type_is_named_once(build, layer, what, fix):
    (text,) = told(build)

    assert text.startswith(f"graph, layer {layer!r}: ")
    assert what in text
    assert "expected: float32 or narrower, integers of at most 32 bits" in text
    assert fix in text


def test_an_input_of_float64_is_named():
    (text,) = told(k.Dense(1), dtype="float64")

    assert text.startswith("graph, layer 'events': InputLayer gives float64")
    assert "leave dtype out" in text
