"""What da4ml alone does not compute exactly: big scales, halves to even, wide sums."""

from __future__ import annotations

from decimal import Decimal, Inexact, getcontext
from fractions import Fraction

import numpy as np
import pytest
from da4ml.trace import FixedVariable, HWConfig
from hypothesis import assume, example, given
from hypothesis import strategies as st

from harness.errors import ExitCode
from harness.firmware.backend import UntranslatableError
from harness.firmware.interpreter import interpret_events
from harness.firmware.translate.checking import check_translatable
from harness.firmware.translate.exact import exact_da4ml, fraction_bits
from harness.firmware.translate.pipeline import balance, make_pipeline
from harness.firmware.translate.program import wide_operations
from harness.firmware.translate.tracing import trace_program
from harness.firmware.witnesses.graph import evaluate, evaluate_with_overflow
from harness.submission.network import load_keras
from tests.firmware_bench import (
    deep,
    fixed,
    plain_events,
    rounding_to_even,
    simulate_by_hls4ml,
    words_in,
)

load_keras()

import keras  # noqa: E402
from hgq.layers import QMultiply  # noqa: E402
from hgq.quantizer import Quantizer  # noqa: E402

ROUNDED = {"TRN": np.floor, "RND": lambda x: np.floor(x + 0.5), "RND_CONV": np.rint}


def quantiser(width: int, integer: int, *, is_signed: bool = True, **more):
    config = fixed(width, integer, is_signed=is_signed, place="datalane", **more)
    return Quantizer(config, name="odd")


def by_numpy(x, width: int, integer: int, *, is_signed: bool, rounding: str, overflow: str):
    """Quantise in float64, which holds all of these values."""
    step = 2.0 ** (integer - width)
    lowest = -(2.0 ** (integer - 1)) if is_signed else 0.0
    rounded = ROUNDED[rounding.removeprefix("S_")](x / step) * step
    if overflow == "WRAP":
        return np.mod(rounded - lowest, 2.0**integer) + lowest
    highest = 2.0 ** (integer - is_signed) - step
    return np.clip(rounded, lowest if overflow == "SAT" else -highest * is_signed, highest)


# --- Constants ------------------------------------------------------------------------------------


@given(
    st.integers(-(2**14), 2**14),
    st.integers(0, 8),
    st.integers(-2, 4),
    st.booleans(),
    st.sampled_from(["TRN", "RND"]),
    st.sampled_from(["WRAP", "SAT", "SAT_SYM"]),
)
@example(-16, 8, 0, False, "TRN", "WRAP")
@example(300 * 16, 8, 0, False, "TRN", "WRAP")
def test_a_constant_is_cut_as_any_other_value(sixteenths, i, f, is_signed, rounding, overflow):
    assume(i + f > 0)
    constant = sixteenths / 16
    word = {"is_signed": is_signed, "rounding": rounding, "overflow": overflow}
    with exact_da4ml():
        variable = FixedVariable.from_const(constant, HWConfig(-1, -1, -1))
        found = variable.quantize(int(is_signed), i, f, overflow, rounding)
    wanted = by_numpy(constant, i + f + is_signed, i + is_signed, **word)
    assert float(found.low) == float(found.high) == wanted


@given(st.integers(-(2**53), 2**53).filter(bool), st.integers(-900, 900))
def test_the_last_bit_of_a_constant_is_found_at_any_scale(whole, exponent):
    bits = fraction_bits(whole * 2.0**exponent)

    scaled = Fraction(whole) * Fraction(2) ** (exponent + bits)
    assert scaled.denominator == 1
    assert scaled.numerator % 2 == 1


def test_a_constant_that_is_no_binary_fraction_is_refused():
    with pytest.raises(ValueError, match="power of two"):
        fraction_bits(Decimal("0.1"))


def test_a_figure_that_would_be_rounded_while_da4ml_traces_is_raised():
    with exact_da4ml():
        assert Decimal(131071) * 2**200 * Decimal(2) ** -200 == 131071
        with pytest.raises(Inexact):
            Decimal(1) / 3


def test_da4ml_and_the_decimals_are_left_as_they_were():
    from da4ml.trace import FixedVariable, fixed_variable, tracer

    before = FixedVariable.quantize, fixed_variable._const_f, tracer._const_f, getcontext().prec
    with exact_da4ml():
        assert FixedVariable.quantize is not before[0]

    after = FixedVariable.quantize, fixed_variable._const_f, tracer._const_f, getcontext().prec
    assert after == before


def test_the_saturated_score_of_a_deep_network_is_its_highest():
    model = deep()
    events = np.abs(plain_events(500, 3)) * 3

    program = trace_program(model)

    scores = program.predict(events).ravel()
    np.testing.assert_array_equal(scores, evaluate(model, events))
    assert (scores == 8191.9375).sum() > 100
    # 11 bits in each value, 22 in their squares, 24 in the sum of four: no constant is longer.
    assert max(op.data.bit_length() for op in program.ops if op.opcode == 5) == 17


# --- Rounding -------------------------------------------------------------------------------------


# Fewer bits after the point, none, fewer than none, one fewer, as many, more; and wrapped.
WORDS = ((5, 3), (5, 5), (3, 4), (8, 4), (9, 4), (12, 5), (9, 7), (4, 0))
KINDS = [
    {"rounding": rounding, "is_signed": is_signed, "overflow": overflow}
    for rounding in ("RND", "RND_CONV", "S_RND", "S_RND_CONV")
    for is_signed in (True, False)
    for overflow in ("SAT", "SAT_SYM", "WRAP")
]


def assert_rounds_as_numpy(width: int, integer: int, kind) -> None:
    """Compare every value of 9 bits, negative ones and halves among them."""
    inputs = keras.Input((1,))
    x = words_in(inputs, 9, 4, is_signed=True)
    events = (np.arange(512) / 32 - 8).astype(np.float32)[:, None]
    more = {"round_mode": kind["rounding"], "overflow_mode": kind["overflow"]}
    layer = quantiser(width, integer, is_signed=kind["is_signed"], **more)
    model = keras.Model(inputs, layer(x))
    wanted = by_numpy(events.astype(np.float64).ravel(), width, integer, **kind)

    check_translatable(model)
    got = trace_program(model).predict(events).ravel()

    np.testing.assert_array_equal(got, wanted, err_msg=f"{width} bits, {integer} before it")
    np.testing.assert_array_equal(evaluate(model, events), wanted)


@pytest.mark.parametrize(("turn", "kind"), list(enumerate(KINDS)))
def test_a_quantiser_rounds_as_numpy_does(turn, kind):
    """Two words in turn: each word meets each rounding, each sign and each overflow."""
    for n in (2 * turn, 2 * turn + 1):
        assert_rounds_as_numpy(*WORDS[n % len(WORDS)], kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_quantiser_rounds_to_every_word_as_numpy_does(kind):
    for word in WORDS:
        assert_rounds_as_numpy(*word, kind)


def test_a_network_that_rounds_to_even_is_the_same_in_every_translation(tmp_path):
    model = rounding_to_even()
    events = np.concatenate([plain_events(600, 4), np.round(plain_events(600, 4)) / 2 * 5])

    program = trace_program(model)
    pipeline = make_pipeline(program, balance(program, 2.0))
    by_hls4ml, _ = simulate_by_hls4ml(model, events, tmp_path)

    scores = program.predict(events).ravel()
    np.testing.assert_array_equal(scores, evaluate(model, events))
    np.testing.assert_array_equal(scores, by_hls4ml)
    staged = [float(pipeline(list(map(float, event)), quantize=True)[0]) for event in events[:50]]
    np.testing.assert_array_equal(staged, scores[:50])


@pytest.mark.parametrize("overflow", ["SAT", "WRAP"])
def test_an_input_that_is_rounded_to_even_must_be_cut_to_words_before(overflow):
    inputs = keras.Input((2,))
    layer = quantiser(4, 3, round_mode="RND_CONV", overflow_mode=overflow)
    score = QMultiply(enable_iq=False)([layer(inputs), layer(inputs)])[:, :1]

    with pytest.raises(UntranslatableError, match=r"'odd'.*to even(?s:.*)heads.input_words"):
        trace_program(keras.Model(inputs, score))


def test_what_rounds_to_even_into_its_word_does_not_overflow():
    inputs = keras.Input((1,))
    layer = quantiser(4, 4, is_signed=False, round_mode="RND_CONV")
    model = keras.Model(inputs, layer(words_in(inputs, 8, 6)))
    # 14.5 rounds to 14, 15.5 to 16: beyond the word of 0 to 15.
    events = np.array([[14.5], [15.25], [15.5], [16.0]], np.float32)

    assert evaluate_with_overflow(model, events, np.ones(4))[1] == {"odd": 0.5}


# --- Width ----------------------------------------------------------------------------------------


def product(inputs, *, width: int, n_factors: int = 2):
    """Return the product of an input with a sign, taken `n_factors` times."""
    x = words_in(inputs, width, width, is_signed=True)
    first, second = x[:, :1], x[:, 1:2]
    y = QMultiply(enable_iq=False, name="pair")([first, second])
    for index in range(n_factors - 2):
        y = QMultiply(enable_iq=False, name=f"factor{index}")([y, second])
    return y


@pytest.mark.parametrize("rounding", ["TRN", "RND", "RND_CONV"])
@pytest.mark.parametrize(
    ("is_signed", "overflow"), [(True, "SAT"), (True, "SAT_SYM"), (False, "SAT")]
)
def test_sums_of_forty_bits_below_zero_saturate_at_the_lowest_value(is_signed, overflow, rounding):
    """da4ml's interpreter wraps them: it computes the lowest value of a word in 32 bits."""
    inputs = keras.Input((2,))
    more = {"round_mode": rounding, "overflow_mode": overflow}
    layer = quantiser(9, 12, is_signed=is_signed, **more)
    rng = np.random.default_rng(3)
    events = rng.integers(-(2**19), 2**19, (900, 2)).astype(np.float32)
    events[:600, 1] = rng.integers(-60, 60, 600)
    events[:300, 0] = rng.integers(-60, 60, 300)
    events[0] = -(2.0**19)

    program = trace_program(keras.Model(inputs, layer(product(inputs, width=20))))

    values = events.astype(np.float64).prod(axis=1)
    wanted = by_numpy(values, 9, 12, is_signed=is_signed, rounding=rounding, overflow=overflow)
    np.testing.assert_array_equal(program.predict(events).ravel(), wanted)
    assert not wide_operations(program)
    assert len(np.unique(wanted)) > 100


@pytest.mark.parametrize(("width", "integer"), [(8, 8), (12, 12)])
def test_a_negative_value_wraps_into_an_unsigned_word_with_bits_to_spare(width, integer):
    inputs = keras.Input((1,))
    layer = quantiser(width, integer, is_signed=False, overflow_mode="WRAP", round_mode="TRN")
    model = keras.Model(inputs, layer(words_in(inputs, 4, 4, is_signed=True)))
    events = np.array([[-1.0], [-8.0], [7.0]], np.float32)

    scores = trace_program(model).predict(events).ravel()

    assert scores.tolist() == [2**width - 1, 2**width - 8, 7]


@pytest.mark.parametrize(
    ("n_factors", "word", "what"),
    [
        (4, {}, r"layer 'factor1': computes with 77 bits(?s:.*)at most 64"),
        (2, {"overflow_mode": "WRAP"}, r"layer 'odd': computes with 38 bits(?s:.*)at most 32"),
    ],
)
def test_a_layer_that_is_too_wide_for_the_interpreter_is_named(n_factors, word, what):
    inputs = keras.Input((2,))
    layer = quantiser(38 if word else 10, 38 if word else 10, round_mode="TRN", **word)

    with pytest.raises(UntranslatableError, match=what) as caught:
        trace_program(keras.Model(inputs, layer(product(inputs, width=20, n_factors=n_factors))))

    assert caught.value.exit_code == ExitCode.INVALID
    assert "heads.limit" in str(caught.value)


def test_a_kept_program_that_is_too_wide_is_not_interpreted(tmp_path):
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

    x = FixedVariableArray.from_kif(
        np.ones(1, int), np.full(1, 19), np.zeros(1, int), HWConfig(1, -1, -1)
    )
    comb_trace(x, x * x * x * x).save(tmp_path / "program")
    np.save(tmp_path / "events.npy", np.zeros((1, 1), np.float32))

    with pytest.raises(UntranslatableError, match="computes with 7"):
        interpret_events(
            {"n_threads": 1, "at_once": 1_000},
            {"program": tmp_path / "program", "events": tmp_path / "events.npy"},
            {"scores": tmp_path / "scores"},
        )
