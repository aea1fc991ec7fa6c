"""Heads compute their formula, survive the export, and are the same bits in da4ml's netlist."""

from __future__ import annotations

import numpy as np
import pytest

from harness import heads
from harness.submission import inference, network
from tests.firmware_bench import simulate_by_hls4ml

network.load_keras()

import hgq.layers as q  # noqa: E402
import keras  # noqa: E402
from da4ml.converter import trace_model  # noqa: E402
from da4ml.trace import comb_trace  # noqa: E402

N_LATENT = 3


def latent_values(n_events: int = 4_000) -> np.ndarray:
    """Return means and log-variances, some of them far out of the words' range."""
    rng = np.random.default_rng(5)
    values = rng.normal(0, 2, (n_events, 2 * N_LATENT))
    values[-50:] *= 100.0
    values[:20] = 0.0
    return values.astype(np.float32)


def network_of(head) -> keras.Model:
    """Return a network of 2 x 3 inputs, seen as mu and log-variance, with one head."""
    inputs = keras.Input((2 * N_LATENT,))
    x = heads.input_words(inputs, ["fixed<16,10>"])
    return keras.Model(inputs, head(pick(x, 0), pick(x, N_LATENT)))


def pick(x, start: int):
    """Return three of the inputs by a dense layer that copies them."""
    layer = q.QDense(N_LATENT, use_bias=False, enable_iq=False, kq_conf=one_bit())
    picked = layer(x)
    kernel = np.zeros((2 * N_LATENT, N_LATENT))
    kernel[start : start + N_LATENT] = np.eye(N_LATENT)
    layer.kernel.assign(kernel)
    return picked


def one_bit():
    from harness.submission.quantisers import settings

    return settings(["ufixed<1,1>"], (1, 1), place="weight")


def words(values: np.ndarray, text: str, *, cuts: bool = False) -> np.ndarray:
    """Round values to a word, saturating, in plain numpy."""
    word = heads.parse_word(text)
    steps = np.asarray(values, np.float64) / word.step
    rounded = np.floor(steps) if cuts else np.floor(steps + 0.5)
    return np.clip(rounded * word.step, word.lowest, word.highest)


def as_input(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mu and log-variance as the input words hold them: cut, wrapped around."""
    cut = np.floor(values.astype(np.float64) * 64) / 64
    wrapped = (cut + 512) % 1024 - 512
    return wrapped[:, :N_LATENT], wrapped[:, N_LATENT:]


def expected_sum_of_squares(mu, _):
    return (words(mu, "fixed<10,6>") ** 2).sum(axis=1)


def expected_mean_squared_error(x, y):
    return (words(x - y, "fixed<8,4>") ** 2).sum(axis=1) / 4


def expected_kl(mu, log_variance):
    spread = words(log_variance, "fixed<8,4>")
    spread = words(np.exp(spread) - spread - 1, "ufixed<16,12>")
    return 0.5 * (words(mu, "fixed<10,6>") ** 2 + spread).sum(axis=1)


def expected_r_z(mu, log_variance):
    inverse = words(np.exp(-words(log_variance, "fixed<7,4>")), "ufixed<10,5>")
    squares = words(words(mu, "fixed<8,5>") ** 2, "ufixed<10,8>")
    return (squares * inverse).sum(axis=1)


def expected_identity(mu, _):
    return words(mu.sum(axis=1), "fixed<16,8>")


def sum_of_inputs(mu, _, word="fixed<16,8>"):
    layer = q.QDense(1, use_bias=False, enable_iq=False, kq_conf=one_bit())
    total = layer(mu)
    layer.kernel.assign(np.ones((N_LATENT, 1)))
    return heads.identity(total, word=word)


HEADS = [
    (lambda mu, _: heads.sum_of_squares(mu), expected_sum_of_squares),
    (heads.mean_squared_error, expected_mean_squared_error),
    (heads.kl_divergence, expected_kl),
    (heads.r_z, expected_r_z),
    (sum_of_inputs, expected_identity),
]
NAMES = ["sum_of_squares", "mean_squared_error", "kl_divergence", "r_z", "identity"]


@pytest.mark.parametrize(("head", "expected"), HEADS, ids=NAMES)
def test_a_head_computes_its_formula(head, expected):
    values = latent_values()
    scores = network_of(head).predict(values, verbose=0, batch_size=4_000)
    assert scores.shape == (len(values), 1)
    np.testing.assert_array_equal(scores.ravel(), expected(*as_input(values)))


@pytest.mark.parametrize(("head", "expected"), HEADS, ids=NAMES)
def test_a_head_is_close_to_the_formula_without_words(head, expected):
    formulas = {
        expected_sum_of_squares: lambda mu, lv: (mu**2).sum(axis=1),
        expected_mean_squared_error: lambda mu, lv: ((mu - lv) ** 2).sum(axis=1) / 4,
        expected_kl: lambda mu, lv: 0.5 * (mu**2 + np.exp(lv) - lv - 1).sum(axis=1),
        expected_r_z: lambda mu, lv: (mu**2 * np.exp(-lv)).sum(axis=1),
        expected_identity: lambda mu, lv: mu.sum(axis=1),
    }
    values = latent_values()
    values = values[(np.abs(values) < 3).all(axis=1)]
    scores = network_of(head).predict(values, verbose=0, batch_size=4_000).ravel()
    exact = formulas[expected](
        values[:, :N_LATENT].astype(float), values[:, N_LATENT:].astype(float)
    )
    assert len(values) > 1000
    assert np.abs(scores - exact).max() < 0.06 * exact.max()
    assert np.corrcoef(scores, exact)[0, 1] > 0.998


@pytest.mark.parametrize(("head", "expected"), HEADS, ids=NAMES)
def test_a_head_is_the_same_bits_in_the_netlist_and_in_xla(head, expected, tmp_path):
    values = latent_values()
    model = network_of(head)
    program = comb_trace(*trace_model(model))
    netlist = program.predict(values.astype(np.float64)).ravel()
    keras_scores = model.predict(values, verbose=0, batch_size=4_000).ravel()
    np.testing.assert_array_equal(netlist, keras_scores)
    files = tmp_path / "graph", tmp_path / "weights"
    network.export_network(model, *files)
    scorer, mode = inference.compile_network(network.rebuild(*files), len(values))
    assert mode == "xla"
    np.testing.assert_array_equal(scorer(values).ravel(), keras_scores)


def test_scaling_is_exact_and_costs_nothing():
    inputs = keras.Input((6,))
    x = heads.input_words(inputs, ["ufixed<12,10>", "fixed<8,4>", "fixed<8,3>"])
    model = keras.Model(inputs, heads.scale(x, [-7, 2, 0]))
    values = np.array([[512.25, -7.5, 3.0, 100.0, 1.5, -4.0]], np.float32)
    expected = [[512.25 / 128, -30.0, 3.0, 100.0 / 128, 6.0, -4.0]]
    np.testing.assert_array_equal(model.predict(values, verbose=0), expected)
    program = comb_trace(*trace_model(model))
    np.testing.assert_array_equal(program.predict(values.astype(np.float64)), expected)
    assert program.cost == 0


def test_words_are_cut_and_limits_saturate():
    inputs = keras.Input((3,))
    x = heads.input_words(inputs, ["ufixed<15,13>", "fixed<8,4>", "fixed<8,3>"])
    model = keras.Model(inputs, heads.limit(x, ["ufixed<11,9>", "fixed<8,4>", "fixed<8,3>"]))
    values = np.array([[3000.3, 1.99, -0.01], [100.3, -8.0, 3.999]], np.float32)
    expected = [[511.75, 1.9375, -0.03125], [100.25, -8.0, 3.96875]]
    np.testing.assert_array_equal(model.predict(values, verbose=0), expected)


@pytest.mark.parametrize("shape", [(57,), (19, 3), (19, 3, 1)])
def test_words_are_given_by_feature_for_every_shape_of_input(shape):
    inputs = keras.Input(shape)
    model = keras.Model(
        inputs, heads.input_words(inputs, ["ufixed<12,10>", "fixed<8,4>", "fixed<8,3>"])
    )
    events = np.full((1, 57), 2.99, np.float32)
    out = model.predict(events.reshape(1, *shape), verbose=0).reshape(19, 3)
    np.testing.assert_array_equal(out, np.tile([2.75, 2.9375, 2.96875], (19, 1)))


def test_the_input_overflow_of_a_network_is_found_on_its_first_words():
    inputs = keras.Input((19, 3))
    flat = keras.layers.Flatten()(inputs)
    x = heads.input_words(flat, ["ufixed<12,10>", "fixed<8,3>", "fixed<8,3>"])
    model = keras.Model(inputs, heads.sum_of_squares(q.QDense(3)(x)))
    events = np.zeros((100, 19, 3), np.float32)
    events[7, 3, 0] = 1500.0
    events[9, 18, 1] = -4.2
    found = heads.input_overflow(model, events)
    assert found is not None
    assert found.n_outside == 2
    assert np.flatnonzero(found.share_by_input).tolist() == [3 * 3, 18 * 3 + 1]


def test_the_words_of_a_first_layer_count_as_input_words():
    inputs = keras.Input((57,))
    from harness.submission.quantisers import settings

    layer = q.QDense(1, iq_conf=settings(["ufixed<12,10>"], (57,), place="datalane"))
    model = keras.Model(inputs, layer(inputs))
    events = np.full((2, 19, 3), 1.0, np.float32)
    events[1] = -1.0
    found = heads.input_overflow(model, events)
    assert found is not None
    assert found.n_outside == 1


def test_the_words_within_an_inner_model_count_as_input_words():
    outer = keras.Input((57,))
    inner = keras.Sequential([cut_input(), q.QDense(1)])
    events = np.zeros((2, 19, 3), np.float32)
    events[1, 0, 0] = 5000.0

    found = heads.input_overflow(keras.Model(outer, inner(outer)), events)

    assert found is not None
    assert found.n_outside == 1


def cut_input() -> keras.Model:
    inputs = keras.Input((57,))
    words = heads.input_words(inputs, ["ufixed<12,10>", "fixed<8,4>", "fixed<8,3>"])
    return keras.Model(inputs, words)


def test_a_float_network_has_no_input_words():
    inputs = keras.Input((57,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    assert heads.input_overflow(model, np.zeros((1, 19, 3), np.float32)) is None


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda x: heads.sum_of_squares(x, word="fixed<16,8>"), "needs 33 bits"),
        (lambda x: heads.sum_of_squares(x, word="float32"), "no fixed-point type"),
        (lambda x: heads.input_words(x, ["fixed<8,3>"] * 4), "do not divide 3 inputs"),
    ],
)
def test_words_that_cannot_be_right_are_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make(keras.Input((3,)))


def saturating_at_a_finer_step(mu, _):
    """Return a score in a word with a longer fraction than that of its values."""
    return sum_of_inputs(mu, None, word="fixed<14,6>")


SIMULATED = [
    *[pytest.param(head, id=name) for (head, _), name in zip(HEADS[:4], NAMES[:4], strict=True)],
    pytest.param(lambda mu, _: sum_of_inputs(mu, _, word="fixed<12,6>"), id="identity"),
    # By itself hls4ml 1.3 drops fraction bits that no value has before it saturates, so its largest
    # value is 31.984375 in place of 31.99609375.
    pytest.param(saturating_at_a_finer_step, id="finer step"),
]


@pytest.mark.slow
@pytest.mark.parametrize("head", SIMULATED)
def test_a_head_is_the_same_bits_in_the_compiled_simulation_of_hls4ml(head, tmp_path):
    values = latent_values()
    model = network_of(head)

    scores, printed = simulate_by_hls4ml(model, values, tmp_path)

    assert "DA handler" not in printed
    keras_scores = model.predict(values, verbose=0, batch_size=4_000).ravel()
    np.testing.assert_array_equal(scores, keras_scores)


def test_combine_multiplies_by_the_constants_exactly():
    matrix = np.array([[1.0, 0.0], [-0.375, 2.0], [0.0, 0.0]])
    inputs = keras.Input((3,))
    words = heads.input_words(inputs, ["ufixed<8,6>"])
    model = keras.Model(inputs, heads.combine(words, matrix, name="combined"))
    values = np.array([[1.25, 2.0, 3.0], [60.75, 0.25, 7.0]], np.float32)

    np.testing.assert_array_equal(np.asarray(model(values)), values @ matrix)
    assert not model.get_layer("combined").trainable


def test_combine_refuses_constants_that_no_short_word_holds():
    inputs = keras.Input((2,))

    with pytest.raises(ValueError, match="third: the constants are not exact in 24 bits"):
        heads.combine(inputs, [[1 / 3], [1.0]], name="third")


def test_the_modes_of_a_word_take_the_place_of_those_of_a_head():
    inputs = keras.Input((2,))
    cut = heads.quantise(inputs, "ap_fixed<4,4,AP_TRN,AP_WRAP>")
    found = np.asarray(keras.Model(inputs, cut)(np.float32([[1.75, 9.0]])))
    np.testing.assert_array_equal(found, [[1, -7]])
    with pytest.raises(ValueError, match="words of one layer have the same modes"):
        heads.limit(inputs, ["fixed<8,3,RND>", "fixed<8,3>"])
    with pytest.raises(ValueError, match="do not reach the chip"):
        heads.input_words(inputs, ["fixed<8,3,RND>"])


# --- Tables of one's own --------------------------------------------------------------------------


def test_a_table_of_values_is_looked_up_rounded_and_saturates(tmp_path):
    inputs = keras.Input((3,))
    x = heads.input_words(inputs, "fixed<8,6>")
    looked_up = heads.table(
        x, values=[3.0, -1.3, 0.25, 9.0], word="fixed<2,2>", output="fixed<6,4>"
    )
    model = keras.Model(inputs, heads.identity(heads.combine(looked_up, np.ones((3, 1)), name="s")))
    values = np.array([[-2, -1, 0], [1, 1, 1], [30, -30, 0.25]], np.float32)
    expected = [[3.0 - 1.25 + 0.25], [3 * 7.75], [7.75 + 3.0 + 0.25]]

    np.testing.assert_array_equal(np.asarray(model(values)), expected)
    files = tmp_path / "graph", tmp_path / "weights"
    network.export_network(model, *files)
    rebuilt = network.rebuild(*files)
    np.testing.assert_array_equal(np.asarray(rebuilt(values)), expected)
    program = comb_trace(*trace_model(model))
    np.testing.assert_array_equal(program.predict(values.astype(np.float64)), expected)


def test_a_function_of_numpy_becomes_a_table():
    inputs = keras.Input((2,))
    x = heads.input_words(inputs, ["fixed<6,3>"])
    model = keras.Model(inputs, heads.table(x, np.cosh, word="fixed<6,3>", output="ufixed<9,5>"))
    values = np.array([[-4.0, 0.0], [1.125, 3.875]], np.float32)

    expected = words(np.cosh(values), "ufixed<9,5>")
    np.testing.assert_array_equal(np.asarray(model(values)), expected)


def test_training_passes_through_a_table():
    import tensorflow as tf

    inputs = keras.Input((1,))
    words_ = heads.input_words(inputs, "fixed<10,4>")
    model = keras.Model(
        inputs, heads.table(words_, np.square, word="fixed<8,4>", output="ufixed<8,6>")
    )
    x = tf.constant([[2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x, training=True)
    assert float(tape.gradient(y, x)[0, 0]) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either a function or values"),
        ({"function": "tanh", "values": [0.0, 1.0]}, "either a function or values"),
        ({"values": [0.0, 1.0, 2.0]}, "has 4 entries"),
        ({"function": np.log}, "not finite at -2"),
        ({"values": [0.0, 1.0, float("inf"), 0.0]}, "not finite at 0"),
    ],
)
def test_a_table_that_cannot_be_built_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        heads.table(keras.Input((1,)), word="fixed<2,2>", output="fixed<4,4>", **given)


def test_a_product_is_exact_or_refused():
    inputs = keras.Input((2,))
    x = heads.input_words(inputs, "ufixed<12,8>")
    pair = [heads.combine(x, np.eye(2)[:, [i]], name=f"factor_{i}") for i in range(2)]
    product = heads.multiply(*pair, words=("ufixed<12,8>", "ufixed<12,8>"), name="product")
    values = np.array([[255.9375, 3.0625]], np.float32)

    found = np.asarray(keras.Model(inputs, product)(values))
    np.testing.assert_array_equal(found, [[255.9375 * 3.0625]])
    with pytest.raises(ValueError, match="needs 25 bits"):
        heads.multiply(*pair, words=("ufixed<13,8>", "ufixed<12,8>"), name="wide")


# --- Shapes ---------------------------------------------------------------------------------------


def every_head(x):
    """Return the sum of scores that use every head, of an input of any shape."""
    scaled = heads.scale(heads.limit(x, ["ufixed<5,5>", "fixed<6,4>", "fixed<5,3>"]), [-3, 0, 0])
    looked_up = heads.table(scaled, "tanh", word="fixed<6,3>", output="fixed<6,2>")
    scores = [
        heads.sum_of_squares(scaled, word="fixed<6,4>", name="squares"),
        heads.mean_squared_error(scaled, looked_up, word="fixed<6,4>", name="error"),
        heads.kl_divergence(looked_up, scaled, word="fixed<6,4>", name="kl", output="ufixed<8,6>"),
        heads.r_z(
            scaled, looked_up, square_word="ufixed<6,4>", inverse_word="ufixed<6,4>", name="rz"
        ),
    ]
    return heads.combine(keras.layers.Concatenate()(scores), np.ones((4, 1)), name="score")


def test_heads_take_every_shape_of_event():
    values = latent_values(200)[:, :6] * np.float32([5, 1, 1, 5, 1, 1])
    found = []
    for shape in ((6,), (2, 3), (2, 3, 1)):
        inputs = keras.Input(shape)
        x = heads.input_words(inputs, ["ufixed<8,7>", "fixed<8,4>", "fixed<8,4>"])
        model = keras.Model(inputs, every_head(x))
        shaped = values.reshape(-1, *shape)
        scores = np.asarray(model(shaped)).ravel()
        program = comb_trace(*trace_model(model))
        np.testing.assert_array_equal(program.predict(values.astype(np.float64)).ravel(), scores)
        found.append(scores)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert len(np.unique(found[0])) > 20


def test_exponents_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 exponents do not divide 3 inputs"):
        heads.scale(keras.Input((3,)), [1, 2])
    with pytest.raises(ValueError, match="whole numbers"):
        heads.scale(keras.Input((3,)), [0.5])


# --- Sums as existing firmware computes them ------------------------------------------------------


def wrapped(values: np.ndarray, text: str) -> np.ndarray:
    """Cut values to a word and wrap them, in plain numpy."""
    word = heads.parse_word(text)
    steps = np.floor(np.asarray(values, np.float64) / word.step)
    span, lowest = 2**word.width, word.lowest / word.step
    return ((steps - lowest) % span + lowest) * word.step


KERNEL = np.array([[0.75, -1.25], [2.5, 0.5], [-0.375, 1.0]])
BIAS = np.array([0.5, -3.25])


def built_like_a_trigger(mu, _):
    """Offsets, a layer whose accumulator cuts and wraps, and a sum of cut squares that wraps."""
    x = heads.offset(mu, [0.5, 0.0, -1.75])
    hidden = heads.dense(x, KERNEL, BIAS, accumulator="fixed<8,6>", name="layer")
    return heads.sum_of_squares(
        hidden, word="fixed<8,6>", cut="ufixed<9,9>", output="ufixed<8,8,TRN,WRAP>"
    )


def as_a_trigger(events: np.ndarray) -> np.ndarray:
    """Compute the same by NumPy."""
    x = wrapped(events, "fixed<16,10>")[:, :N_LATENT] + [0.5, 0.0, -1.75]
    products = wrapped(x[:, :, None] * KERNEL, "fixed<8,6>")
    hidden = wrapped(products.sum(axis=1) + BIAS, "fixed<8,6>")
    squares = words(hidden**2, "ufixed<9,9>", cuts=True)
    return wrapped(squares.sum(axis=1), "ufixed<8,8>")


def test_sums_that_cut_and_wrap_are_those_of_numpy_in_every_translation(tmp_path):
    from harness.firmware.translate.tracing import trace_program

    model, events = network_of(built_like_a_trigger), latent_values()
    expected = as_a_trigger(events)

    by_keras = model.predict(events, verbose=0).ravel()
    by_hls4ml, _ = simulate_by_hls4ml(model, events, tmp_path)

    assert len(np.unique(expected)) > 100
    np.testing.assert_array_equal(by_keras, expected)
    np.testing.assert_array_equal(trace_program(model).predict(events).ravel(), expected)
    np.testing.assert_array_equal(by_hls4ml, expected)


def test_an_accumulator_that_float32_does_not_hold_is_refused():
    inputs = keras.Input((3,))
    with pytest.raises(ValueError, match=r"layer: a sum of 3 products.*needs 26 bits"):
        heads.dense(inputs, KERNEL, accumulator="fixed<24,8>", name="layer")


def test_offsets_that_do_not_divide_the_inputs_are_refused():
    with pytest.raises(ValueError, match="2 constants do not divide 57 inputs"):
        heads.offset(keras.Input((57,)), [1.0, 2.0])
