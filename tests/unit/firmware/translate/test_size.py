"""The size of a network is estimated before its products are built."""

from __future__ import annotations

import numpy as np
import pytest

from harness.firmware.translate.quantise import to_fixed_width
from harness.firmware.translate.size import BAND, lowest_digit, signed_digits
from harness.firmware.translate.tracing import look_at, trace_layers
from harness.submission.network import load_keras
from tests.firmware_bench import encoder, two_and_one

load_keras()

import keras  # noqa: E402

WORDS = {"input": "fixed<16,12>", "weights": "fixed<10,3>", "activations": "fixed<10,6>"}


def dense(*units: int, n_inputs: int = 57):
    """A float network at fixed widths, of random weights."""
    inputs = x = keras.Input((n_inputs,))
    for index, n_units in enumerate(units):
        x = keras.layers.Dense(n_units, activation="relu", name=f"dense_{index}")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="last")(x))
    generator = np.random.default_rng(1)
    for layer in model.layers[1:]:
        n_rows = layer.kernel.shape[0]
        layer.kernel.assign(generator.normal(0, n_rows**-0.5, layer.kernel.shape))
    return to_fixed_width(model, WORDS)


def by_hand(weight: float) -> tuple[int, float]:
    """Number and lowest of the signed digits, taken off one after the other from below."""
    numerator, denominator = float(weight).as_integer_ratio()
    digits, place = [], 1
    while numerator:
        if numerator % 2:
            digit = 2 - numerator % 4  # 1 or -1: what makes the next one even
            digits.append(place)
            numerator -= digit
        numerator //= 2
        place *= 2
    return len(digits), digits[0] / denominator


@pytest.mark.parametrize("weight", [1.0, -3.0, 0.375, 511.0, -682.0, 2.0**-40 * 45, 2.0**60 * 7])
def test_signed_digits_are_those_worked_out_one_by_one(weight):
    number, lowest = by_hand(weight)

    assert signed_digits(np.array([weight])).tolist() == [number]
    assert lowest_digit(np.array([weight])).tolist() == [lowest]


@pytest.mark.parametrize("make", [encoder, lambda: dense(16, 8)])
def test_the_cost_of_a_translated_network_is_within_the_band_of_the_estimate(make):
    model = make()
    first = look_at(model)

    cost = trace_layers(model, first).program.cost

    assert BAND[0] * first.size.lut <= cost <= BAND[1] * first.size.lut
    assert sum(first.size.layers.values()) == pytest.approx(first.size.lut)


def test_the_words_of_the_inputs_are_those_of_the_built_network():
    model = two_and_one()
    first = look_at(model)

    program = trace_layers(model, first).program

    assert program.predict(np.array([[3.0, 5.0]], np.float32)).ravel().tolist() == [11.0]
    assert first.size.lut > 0


def test_a_wide_network_is_looked_at_without_building_it():
    size = look_at(dense(256, 256)).size

    assert 4e5 < size.lut < 9e5
    assert size.trace_s > 300
    assert max(size.layers, key=size.layers.get) == "dense_1"
