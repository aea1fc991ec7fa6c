"""Parameters, MACs, BOPs and weight bits against figures worked out by hand."""

import keras
import numpy as np
import pytest
from hgq.layers import (
    QBatchNormalization,
    QBatchNormDense,
    QConv1D,
    QDense,
    QDot,
    QEinsum,
    QEinsumDense,
    QMeanPow2,
    QMultiHeadAttention,
    QMultiply,
    QSum,
    QUnaryFunctionLUT,
)
from hgq.quantizer import Quantizer, QuantizerConfig

from harness import heads
from harness.card.costs import Compression
from harness.card.figures import NotMeasured
from harness.cost.flops import count_flops
from harness.cost.layers import all_layers
from harness.cost.operations import count_operations
from harness.cost.products import RULES, count_products
from harness.cost.widths import bits
from harness.submission.layers import ALLOWED

FLOAT = 32 * 32


def fixed(n_bits, place="datalane"):
    """Quantiser of a given full width, the sign bit included."""
    return QuantizerConfig(
        "kif", place, k0=1, i0=2, f0=n_bits - 3, overflow_mode="SAT", round_mode="RND"
    )


def network(*shapes):
    """Give the inputs, and a function that closes the model over an output."""
    inputs = [keras.Input(shape) for shape in shapes]
    return *inputs, lambda output: keras.Model(inputs[0] if len(inputs) == 1 else inputs, output)


def dense(n_units, *, value=6, weight=4, bias=5, **settings):
    return QDense(
        n_units,
        iq_conf=fixed(value),
        kq_conf=fixed(weight, "weight"),
        bq_conf=fixed(bias, "bias"),
        **settings,
    )


def test_a_dense_layer_of_floats():
    """5 x 3 products of 32 x 32 bits; 15 weights and 3 biases of 32 bits."""
    inputs, close = network((5,))
    counted = count_operations(close(keras.layers.Dense(3)(inputs)))
    assert counted.n_parameters == counted.n_trainable == 18
    assert counted.macs == 15
    assert counted.bops == 15 * FLOAT
    assert counted.weight_bits == 18 * 32


def test_a_dense_layer_of_fixed_point():
    """5 x 3 products of 6 x 4 bits; 15 weights of 4 bits and 3 biases of 5."""
    inputs, close = network((5,))
    counted = count_operations(close(dense(3)(inputs)))
    assert counted.n_parameters == counted.n_trainable == 18
    assert counted.macs == 15
    assert counted.bops == 15 * 6 * 4
    assert counted.weight_bits == 15 * 4 + 3 * 5


def test_each_weight_counts_at_its_own_width():
    """One weight of 8 bits, one pruned to 0 and two of 4, each met by one value of 6 bits."""
    inputs, close = network((2,))
    layer = dense(2, use_bias=False)
    model = close(layer(inputs))
    fraction = layer.kq.quantizer._f
    fraction.assign(np.array([[5.0, -3.0], [1.0, 1.0]], dtype="float32"))
    counted = count_operations(model)
    # Sign bit, 2 integer bits and 5, -3 or 1 fractional ones; HGQ2 leaves 1 bit of the second.
    widths = np.array([[8, 1], [4, 4]])
    np.testing.assert_array_equal(bits(layer.kq, (2, 2)), widths)
    assert counted.bops == 6 * widths.sum()
    assert counted.weight_bits == widths.sum()


def kernel_of(layer, values):
    """Set the kernel of a layer and give its quantiser a width of each weight's own."""
    layer.kernel.assign(np.array(values, dtype="float32"))


def test_zeros_are_counted_after_rounding_and_the_bits_of_the_others_alone():
    """Steps of 0.5: 1.5 stays, 0.2 and 0 become zero, -0.5 stays; widths 4, 4, 2 and 4."""
    inputs, close = network((2,))
    layer = dense(2)
    model = close(layer(inputs))
    kernel_of(layer, [[1.5, 0.2], [0.0, -0.5]])
    layer.kq.quantizer._f.assign(np.array([[1.0, 1.0], [-1.0, 1.0]], dtype="float32"))
    # Zeros of biases, and a bias that is none, do not count.
    layer.bias.assign(np.array([0.0, 1.0], dtype="float32"))

    assert count_operations(model).compression == Compression(
        n_weights=4, n_zero=2, zero_share=0.5, bits_per_weight=4.0
    )


def test_floats_take_the_bits_of_their_type_and_only_true_zeros_count():
    inputs, close = network((2,))
    layer = keras.layers.Dense(2)
    model = close(layer(inputs))
    layer.kernel.assign([[1e-30, 0.0], [0.5, 2.0]])

    assert count_operations(model).compression == Compression(
        n_weights=4, n_zero=1, zero_share=0.25, bits_per_weight=32.0
    )


def test_the_ones_of_a_score_head_are_no_weights_to_prune():
    inputs, close = network((2,))
    layer = dense(2)
    model = close(heads.sum_of_squares(layer(inputs), word="fixed<11,8>"))
    kernel_of(layer, [[0.0, 0.0], [0.0, 1.0]])

    found = count_operations(model).compression
    assert (found.n_weights, found.n_zero) == (4, 3)


def test_without_a_trained_kernel_all_kernels_count():
    """As in a network that was imported, whose layers train no more."""
    inputs, close = network((2,))
    layer = dense(2, trainable=False)
    model = close(layer(inputs))
    kernel_of(layer, [[0.0, 1.0], [1.0, 1.0]])

    assert count_operations(model).compression.zero_share == 0.25


def test_a_network_of_zeros_alone_has_no_bits():
    inputs, close = network((2,))
    layer = dense(2)
    model = close(layer(inputs))
    kernel_of(layer, [[0.0, 0.0], [0.0, 0.0]])

    assert count_operations(model).compression == Compression(
        n_weights=4, n_zero=4, zero_share=1.0, bits_per_weight=0.0
    )


def test_the_compression_of_what_has_no_kernel_is_not_measured():
    inputs, close = network((2,))
    found = count_operations(close(keras.layers.Add()([inputs, inputs]))).compression
    assert found == NotMeasured(not_measured="no value is multiplied by a weight of a kernel")


def test_the_kernels_of_an_attention_count():
    """Four projections: 4 -> 2 for query, key and value, 2 -> 4 back."""
    inputs, close = network((3, 4))
    counted = count_operations(close(QMultiHeadAttention(1, 2, fuse="none")(inputs, inputs)))
    assert counted.compression.n_weights == 4 * 4 * 2


def test_the_dense_autoencoder_of_the_challenge():
    """57-16-3-8-16-57 has 912 + 48 + 24 + 128 + 912 products and 100 biases."""
    inputs, close = network((57,))
    values = inputs
    for n_units in (16, 3, 8, 16, 57):
        values = keras.layers.Dense(n_units, activation="relu")(values)
    counted = count_operations(close(values))
    assert counted.macs == 2024
    assert counted.n_parameters == 2024 + 100
    assert counted.bops == 2024 * FLOAT


def test_a_dense_layer_acts_on_the_last_axis():
    inputs, close = network((4, 5))
    assert count_operations(close(dense(3)(inputs))).macs == 4 * 5 * 3


def test_an_einsum_dense_layer():
    """abc,cd->abd on (4, 5) by (5, 3)."""
    inputs, close = network((4, 5))
    layer = QEinsumDense(
        "abc,cd->abd",
        (4, 3),
        bias_axes="d",
        iq_conf=fixed(6),
        kq_conf=fixed(4, "weight"),
        bq_conf=fixed(5, "bias"),
    )
    counted = count_operations(close(layer(inputs)))
    assert (counted.macs, counted.bops) == (60, 60 * 24)
    assert counted.weight_bits == 15 * 4 + 3 * 5


def test_taps_on_the_padding_of_a_convolution_count_nothing():
    """4 positions with 3 taps each, of which 2 lie outside; 2 channels in, 5 filters."""
    inputs, close = network((4, 2))
    layer = QConv1D(
        5, 3, padding="same", iq_conf=fixed(6), kq_conf=fixed(4, "weight"), use_bias=False
    )
    counted = count_operations(close(layer(inputs)))
    assert counted.macs == (4 * 3 - 2) * 2 * 5
    assert counted.bops == counted.macs * 24


def test_a_convolution_without_padding():
    """(6 - 3 + 1) x (5 - 2 + 1) positions, 3 x 2 taps, 2 channels in, 7 filters."""
    inputs, close = network((6, 5, 2))
    counted = count_operations(close(keras.layers.Conv2D(7, (3, 2))(inputs)))
    assert counted.macs == 4 * 4 * 3 * 2 * 2 * 7
    assert counted.n_parameters == 3 * 2 * 2 * 7 + 7


def test_a_transposed_convolution_multiplies_each_value_by_its_taps():
    """Of 3 positions with 2 taps and 2 filters, the last tap of the last falls outside."""
    inputs, close = network((3, 1))
    model = close(keras.layers.Conv1DTranspose(2, 2, padding="same")(inputs))
    assert count_operations(model).macs == 3 * 2 * 2 - 2
    inputs, close = network((3, 3, 1))
    model = close(keras.layers.Conv2DTranspose(5, 2, strides=2)(inputs))
    assert count_operations(model).macs == 9 * 4 * 5


def test_a_causal_convolution():
    """3 taps at 4 positions, of which 2 + 1 lie before the beginning."""
    inputs, close = network((4, 1))
    model = close(keras.layers.Conv1D(1, 3, padding="causal")(inputs))
    assert count_operations(model).macs == 12 - 3


def test_a_grouped_convolution_multiplies_within_its_groups():
    inputs, close = network((4, 6))
    model = close(keras.layers.Conv1D(4, 1, groups=2)(inputs))
    assert count_operations(model).macs == 4 * (6 // 2) * 4


def test_a_depthwise_convolution():
    """3 positions, 2 x 1 taps, 3 channels, 2 filters for each."""
    inputs, close = network((4, 1, 3))
    model = close(keras.layers.DepthwiseConv2D((2, 1), depth_multiplier=2)(inputs))
    assert count_operations(model).macs == 3 * 2 * 3 * 2


def test_batch_normalisation_is_one_product_for_each_value():
    inputs, close = network((7,))
    layer = QBatchNormalization(
        iq_conf=fixed(6), kq_conf=fixed(4, "weight"), bq_conf=fixed(5, "bias")
    )
    counted = count_operations(close(layer(inputs)))
    assert (counted.macs, counted.bops) == (7, 7 * 24)
    assert counted.weight_bits == 7 * 4 + 7 * 5
    assert (counted.n_parameters, counted.n_trainable) == (28, 14)
    plain = count_operations(close(keras.layers.BatchNormalization()(inputs)))
    assert (plain.macs, plain.bops, plain.weight_bits) == (7, 7 * FLOAT, 28 * 32)


def test_a_fused_batch_normalisation_is_a_dense_layer():
    inputs, close = network((7,))
    layer = QBatchNormDense(
        2, iq_conf=fixed(6), kq_conf=fixed(4, "weight"), bq_conf=fixed(5, "bias")
    )
    counted = count_operations(close(layer(inputs)))
    assert (counted.macs, counted.bops) == (14, 14 * 24)
    assert counted.weight_bits == 14 * 4 + 2 * 5


def test_a_product_of_two_values():
    """mu times mu: 3 products of 6 x 6 bits; the sum of squares adds none."""
    inputs, close = network((3,))
    squares = QMultiply(iq_confs=fixed(6))([inputs, inputs])
    counted = count_operations(close(QSum(axes=-1, iq_conf=fixed(12))(squares)))
    assert (counted.macs, counted.bops) == (3, 3 * 36)
    assert counted.weight_bits == 0


def test_a_product_of_three_values_widens():
    """First 6 x 6 bits, then 12 x 6."""
    inputs, close = network((3,))
    counted = count_operations(close(QMultiply(iq_confs=fixed(6))([inputs] * 3)))
    assert (counted.macs, counted.bops) == (6, 3 * 36 + 3 * 72)


def test_a_contraction_of_two_values():
    """(2, 3) by (3, 4): 2 x 3 x 4 products."""
    left, right, close = network((2, 3), (3, 4))
    model = close(QEinsum("nab,nbc->nac", iq_confs=fixed(6))([left, right]))
    assert count_operations(model).macs == 24
    assert count_operations(model).bops == 24 * 36
    assert count_operations(close(keras.ops.matmul(left, right))).macs == 24


def test_a_dot_product():
    """(2, 3) by (4, 3) along the last axes: 2 x 4 results of 3 products."""
    left, right, close = network((2, 3), (4, 3))
    assert count_operations(close(QDot(axes=-1, iq_confs=fixed(6))([left, right]))).macs == 24
    assert count_operations(close(keras.layers.Dot(axes=(2, 2))([left, right]))).macs == 24


def test_sums_means_tables_and_shifts_multiply_nothing():
    inputs, close = network((8,))
    values = Quantizer(fixed(6))(inputs)
    values = QUnaryFunctionLUT("exponential", iq_conf=fixed(6), oq_conf=fixed(6, "table"))(values)
    values = keras.layers.Rescaling(0.25)(values)
    values = keras.ops.abs(values) * 0.5 + 3.0
    counted = count_operations(close(QMeanPow2(axes=-1, iq_conf=fixed(6))(values)))
    assert (counted.macs, counted.bops, counted.weight_bits) == (0, 0, 0)


def test_scaling_by_another_constant_is_a_product():
    """Of 32 bits by the 32 of an unrounded value."""
    inputs, close = network((8,))
    for scaled in (
        keras.layers.Rescaling(0.3)(inputs),
        inputs * 0.3,
        0.3 * inputs,
        inputs / 3.0,
        inputs * np.full(8, 0.3, dtype="float32"),
    ):
        counted = count_operations(close(scaled))
        assert (counted.macs, counted.bops) == (8, 8 * FLOAT)


def test_a_constant_widens_what_it_scales():
    inputs, close = network((4, 1))
    assert count_operations(close(inputs * np.full((1, 4, 5), 0.3, dtype="float32"))).macs == 20


def test_squares_by_any_spelling():
    inputs, close = network((8,))
    for squares in (keras.ops.square(inputs), inputs * inputs, inputs**2):
        assert count_operations(close(squares)).macs == 8


@pytest.mark.parametrize(
    ("function", "bits"),
    [
        # Six bits of the dividend by the 32 of the reciprocal; its sum over the values is one.
        (lambda x: x / keras.ops.sum(x, axis=-1, keepdims=True), 6 * 32),
        (lambda x: 3.0 / x, 32 * 32),
        (lambda x: 1.0 / x, 0),
    ],
    ids=["share", "constant over a value", "reciprocal"],
)
def test_a_division_is_a_product_with_the_reciprocal(function, bits):
    inputs, close = network((8,))
    counted = count_operations(close(function(Quantizer(fixed(6))(inputs))))
    assert (counted.macs, counted.bops) == (8 if bits else 0, 8 * bits)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: keras.ops.mod(x, x + 1.0),
        lambda x: x**3,
        keras.ops.softmax,
        lambda x: keras.ops.var(x, axis=-1),
    ],
    ids=["remainder", "cube", "softmax", "variance"],
)
def test_what_has_no_rule_is_not_measured(function):
    inputs, close = network((8,))
    assert isinstance(count_operations(close(function(inputs))).macs, NotMeasured)


def test_a_layer_without_rule_is_named():
    inputs, close = network((4, 6))
    layer = QMultiHeadAttention(2, 3, name="attention", fuse="none")
    counted = count_operations(close(layer(inputs, inputs)))
    assert isinstance(counted.macs, NotMeasured)
    assert "attention (QMultiHeadAttention)" in counted.macs.not_measured
    assert counted.bops == counted.macs
    assert counted.n_parameters > 0


def test_a_subclass_has_no_rule_whatever_its_name():
    impostor = type("Dense", (keras.layers.Dense,), {"__module__": "model"})
    inputs, close = network((4,))
    assert isinstance(count_operations(close(impostor(3)(inputs))).macs, NotMeasured)


def test_shared_and_nested_layers_count_at_each_call():
    """One dense layer 4 -> 4 called twice, inside a model that is called twice."""
    inner = keras.Input((4,))
    shared = keras.layers.Dense(4)
    nested = keras.Model(inner, shared(shared(inner)))
    inputs, close = network((4,))
    counted = count_operations(close(nested(nested(inputs))))
    assert counted.macs == 4 * 16
    assert counted.n_parameters == 20
    assert counted.weight_bits == 20 * 32


def test_a_sequential_model_counts_as_its_functional_twin():
    layers = [keras.layers.Dense(3), keras.layers.ReLU(), keras.layers.Dense(1)]
    counted = count_operations(keras.Sequential([keras.Input((5,)), *layers]))
    assert counted.macs == 18
    inputs, close = network((5,))
    nested = close(keras.Sequential([keras.Input((5,)), *layers])(inputs))
    assert count_operations(nested).macs == 18


def test_widths_follow_a_quantised_value_through_a_reshape():
    """Values rounded to 6 bits, then multiplied by float weights."""
    inputs, close = network((2, 3))
    values = keras.layers.Flatten()(Quantizer(fixed(6))(inputs))
    counted = count_operations(close(keras.layers.Dense(1)(values)))
    assert counted.bops == 6 * 6 * 32


def test_widths_follow_an_output_quantiser():
    inputs, close = network((4,))
    values = dense(3, enable_oq=True, oq_conf=fixed(7))(inputs)
    counted = count_operations(close(dense(2, enable_iq=False)(values)))
    assert counted.bops == 4 * 3 * 24 + 3 * 2 * 7 * 4


def test_a_dummy_quantiser_rounds_nothing():
    inputs, close = network((4,))
    counted = count_operations(close(Quantizer(QuantizerConfig("dummy"))(inputs)))
    assert counted.macs == 0
    values = Quantizer(QuantizerConfig("dummy"))(inputs)
    assert count_operations(close(keras.ops.square(values))).bops == 4 * FLOAT


@pytest.mark.parametrize(
    ("head", "n_products"),
    [
        # Three squares, and three weights of one that sum them.
        (lambda mu, _: heads.sum_of_squares(mu), 3 + 3),
        (lambda mu, _: heads.mean_squared_error(mu, mu), 3 + 3),
        (heads.kl_divergence, 3 + 3),
        # Squares, squares times inverse variances, and the sum.
        (heads.r_z, 3 + 3 + 3),
    ],
    ids=["sum_of_squares", "mean_squared_error", "kl_divergence", "r_z"],
)
def test_the_heads_are_counted(head, n_products):
    mu, log_variance, close = network((3,), (3,))
    counted = count_operations(close(head(mu, log_variance)))
    assert counted.macs == n_products
    assert isinstance(counted.bops, int)
    assert isinstance(counted.weight_bits, int)


@pytest.mark.parametrize("sizes", [(1, 1), (57, 3, 1), (8, 64, 5, 64, 8)])
def test_matrix_products_are_two_flops_for_each_mac(sizes):
    """Two counts that know nothing of each other: TensorFlow's graph, and the layers."""
    inputs, close = network((sizes[0],))
    values = inputs
    for n_units in sizes[1:]:
        values = keras.layers.Dense(n_units)(values)
    model = close(values)
    assert count_flops(model).by_operation["MatMul"] == 2 * count_operations(model).macs


def hgq2_ebops(model, events):
    """EBOPs as HGQ2 traces them."""
    from hgq.utils import trace_minmax

    return trace_minmax(model, events, verbose=0)


def test_bops_exceed_the_ebops_of_hgq2_by_sign_bits_less_biases():
    """A dense layer 5 -> 3 without and with bias.

    HGQ2's EBOPs leave out the sign bit of widths that wrap (here 5 and 3 bits of magnitude for 6
    and 4 in all), and add the bits of the biases.
    """
    inputs, close = network((5,))
    events = np.linspace(-3.9, 3.9, 50, dtype="float32").reshape(10, 5)
    settings = {
        "iq_conf": QuantizerConfig("kif", "datalane", k0=1, i0=2, f0=3, overflow_mode="SAT_SYM"),
        "kq_conf": QuantizerConfig("kif", "weight", k0=1, i0=2, f0=1, overflow_mode="SAT_SYM"),
        "bq_conf": QuantizerConfig("kif", "bias", k0=1, i0=2, f0=2, overflow_mode="SAT_SYM"),
    }
    without = close(QDense(3, use_bias=False, **settings)(inputs))
    with_bias = close(QDense(3, **settings)(inputs))
    assert count_products(without).bops == 15 * 6 * 4
    assert hgq2_ebops(without, events) == 15 * 5 * 3
    assert count_products(with_bias).bops == 15 * 6 * 4
    assert hgq2_ebops(with_bias, events) == 15 * 5 * 3 + 3 * 4


def test_parameters_of_a_quantised_network_are_those_of_its_plain_twin():
    def built(dense):
        inputs = keras.Input((57,))
        values = inputs
        for n_units in (32, 16, 3):
            values = dense(n_units)(values)
        return keras.Model(inputs, values)

    quantised, plain = built(QDense), built(keras.layers.Dense)
    assert count_operations(quantised).n_parameters == plain.count_params()
    assert quantised.count_params() > plain.count_params()
    assert len(all_layers(quantised)) > len(all_layers(plain))


def test_rules_are_those_of_allowed_layers():
    """A rule for a layer that no network may hold would be dead."""
    allowed = {
        f"ops.{name}" if module.startswith("keras.src.ops.") else name
        for (module, name, _), is_layer in ALLOWED.items()
        if is_layer
    }
    assert set(RULES) <= allowed
