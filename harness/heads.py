"""Building blocks of a network that FPGA tools translate: input words, scaling, score heads.

Every block consists of HGQ2 layers that both hls4ml 1.3 and da4ml 0.6 can translate, so the two
stay independent witnesses of the firmware's arithmetic. Words are written ``fixed<W,I>`` or
``ufixed<W,I>``: W bits, I of them before the point, the sign included. Words inside the heads
saturate: in the tail of the score, a value that wraps around would make the most anomalous event
look ordinary.

A float32 holds integers up to 24 bits, so every head keeps its sums to 24 bits; what Keras computes
is then exactly what the netlist computes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.submission.functions import TABLE_FUNCTIONS, register_functions
from harness.submission.tree_circuit import Circuit, circuit_of, rounded_forest, tree_scores
from harness.submission.tree_models import Forest, tree_arrays
from harness.submission.words import (
    FixedPoint,
    input_overflow,
    overflow_of_words,
    parse_input_word,
    parse_word,
)

if TYPE_CHECKING:
    from keras import KerasTensor

__all__ = [
    "TABLE_FUNCTIONS",
    "combine",
    "identity",
    "input_overflow",
    "input_words",
    "kl_divergence",
    "limit",
    "mean_squared_error",
    "overflow_of_words",
    "parse_word",
    "quantise",
    "r_z",
    "scale",
    "sum_of_squares",
    "table",
    "tree_arrays",
    "tree_scores",
    "trees",
]

# Bits of an integer that float32 holds exactly.
FLOAT32_BITS = 24


def input_words(inputs: KerasTensor, words: Sequence[str], *, name: str = "words") -> KerasTensor:
    """Declare the fixed-point words in which the inputs reach the chip.

    Parameters
    ----------
    inputs : KerasTensor, shape (n, m) or (n, rows, columns) or (n, rows, columns, 1)
        What ``keras.Input`` returned.
    words : sequence of str
        One word for each feature (repeated over the objects) or one for each input.
    name : str
        Name of the layer.

    Returns
    -------
    KerasTensor
        The inputs, cut (not rounded) to their words. A value out of range wraps around, because
        its upper bits are missing: choose words that cover every event, and use `limit` to keep
        the numbers small.
    """
    for word in words:
        parse_input_word(word)
    return _quantiser(words, inputs.shape, overflow="WRAP", rounding="TRN", name=name)(inputs)


def limit(x: KerasTensor, words: Sequence[str], *, name: str = "limit") -> KerasTensor:
    """Saturate and cut values to smaller words, by feature or by input as in `input_words`."""
    return _quantiser(words, x.shape, overflow="SAT", rounding="TRN", name=name)(x)


def quantise(x: KerasTensor, word: str, *, name: str | None = None) -> KerasTensor:
    """Round values to one word, saturating."""
    return _quantiser([word], x.shape, overflow="SAT", rounding="RND", name=name)(x)


def scale(x: KerasTensor, exponents: Sequence[int], *, name: str = "scale") -> KerasTensor:
    """Multiply by powers of two: a normalisation that costs no logic.

    Parameters
    ----------
    x : KerasTensor, shape (n, m)
        Values in fixed point.
    exponents : sequence of int
        One for each feature, repeated over the objects, or one for each input; -7 divides by 128.
    name : str
        Name of the layer.
    """
    from hgq.layers import QEinsumDense

    n_inputs = x.shape[-1]
    factors = np.exp2(np.tile(np.asarray(exponents, np.float64), n_inputs // len(exponents)))
    word = _word_of(factors)
    layer = QEinsumDense(
        "bi,i->bi",
        output_shape=(n_inputs,),
        kq_conf=_settings([word], (n_inputs,), place="weight"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    scaled = layer(x)
    layer.kernel.assign(factors)
    return scaled


def _word_of(factors: np.ndarray) -> str:
    """Return a word that holds powers of two exactly."""
    high, low = int(np.log2(factors.max())), int(np.log2(factors.min()))
    return f"ufixed<{high - low + 1},{high + 1}>"


def combine(x: KerasTensor, matrix: ArrayLike, *, name: str) -> KerasTensor:
    """Multiply by a matrix of constants: to select inputs, add some of them, or weight them.

    Parameters
    ----------
    x : KerasTensor, shape (n, m)
        Values in fixed point.
    matrix : array_like, shape (m, k)
        Constants that training does not change, exact in fixed point. An entry of 0, 1 or another
        power of two costs no logic.
    name : str
        Name of the layer.

    Returns
    -------
    KerasTensor, shape (n, k)

    Raises
    ------
    ValueError
        The constants need more than 24 bits.
    """
    factors = np.asarray(matrix, np.float64)
    return _multiply(x, factors, _word_of_constants(factors, name), name=name)


def _word_of_constants(factors: NDArray[np.float64], name: str) -> str:
    """Return the shortest word that holds all of `factors` exactly."""
    largest = float(np.abs(factors).max(initial=0.0))
    magnitude = math.floor(math.log2(largest)) + 1 if largest else 1
    is_signed = bool((factors < 0).any())
    for n_bits in range(1, FLOAT32_BITS + 1):
        scaled = factors * 2.0 ** (n_bits - magnitude)
        if np.array_equal(scaled, np.round(scaled)):
            sign = "" if is_signed else "u"
            return f"{sign}fixed<{n_bits + is_signed},{magnitude + is_signed}>"
    raise ValueError(
        f"{name}: the constants are not exact in {FLOAT32_BITS} bits: round them to a word"
    )


def table(
    x: KerasTensor, function: str, *, word: str, output: str, name: str | None = None
) -> KerasTensor:
    """Replace each value by a function of it, by a lookup table.

    Parameters
    ----------
    x : KerasTensor
        Values.
    function : str
        One of `TABLE_FUNCTIONS`, or an activation of Keras such as ``exponential`` or ``tanh``.
    word : str
        Word of the values, the address of the table: W bits make 2^W entries, so keep W <= 10.
    output : str
        Word of the entries.
    name : str, optional
        Name of the layer.
    """
    from hgq.layers import QUnaryFunctionLUT

    own = register_functions()
    return QUnaryFunctionLUT(
        own.get(function, function),
        iq_conf=_one_word(word),
        oq_conf=_settings([output], (1,), place="table"),
        allow_heterogeneous_input=False,
        allow_heterogeneous_table=False,
        name=name,
    )(x)


def identity(score: KerasTensor, *, word: str = "fixed<16,8>", name: str = "score") -> KerasTensor:
    """Return a score that the network already computes, as one word.

    Parameters
    ----------
    score : KerasTensor, shape (n,) or (n, 1)
        Higher = more anomalous.
    """
    return quantise(score, word, name=name)


def sum_of_squares(
    mu: KerasTensor, *, word: str = "fixed<10,6>", name: str = "score"
) -> KerasTensor:
    r"""Return :math:`\sum_i \mu_i^2`, the score of an encoder alone.

    Parameters
    ----------
    mu : KerasTensor, shape (n, m)
        Means of the latent space.
    word : str
        Word of each mean.

    Returns
    -------
    KerasTensor, shape (n, 1)

    References
    ----------
    arXiv:2108.03986, which uses it in place of the Kullback-Leibler divergence.
    """
    return _sum(_square(mu, word, f"{name}_squares"), _square_word(word), name=name)


def mean_squared_error(
    inputs: KerasTensor,
    reconstruction: KerasTensor,
    *,
    word: str = "fixed<8,4>",
    name: str = "score",
) -> KerasTensor:
    r"""Return :math:`2^{-k} \sum_i (x_i - \hat x_i)^2`; :math:`2^k` is the power of two nearest m.

    Parameters
    ----------
    inputs, reconstruction : KerasTensor, shape (n, m)
        The values and their reconstruction.
    word : str
        Word of each difference. A division by m itself would cost logic and would not change the
        order of the events.

    Returns
    -------
    KerasTensor, shape (n, 1)
    """
    from hgq.layers import QSubtract

    difference = QSubtract(enable_iq=False, name=f"{name}_difference")([inputs, reconstruction])
    squares = _square(difference, word, f"{name}_squares")
    exponent = -round(math.log2(inputs.shape[-1]))
    return _sum(squares, _square_word(word), exponent=exponent, name=name)


def kl_divergence(
    mu: KerasTensor,
    log_variance: KerasTensor,
    *,
    word: str = "fixed<10,6>",
    log_variance_word: str = "fixed<8,4>",
    output: str = "ufixed<16,12>",
    name: str = "score",
) -> KerasTensor:
    r"""Return :math:`\frac12 \sum_i (\mu_i^2 + \sigma_i^2 - \ln\sigma_i^2 - 1)`.

    Parameters
    ----------
    mu, log_variance : KerasTensor, shape (n, m)
        Means, and logarithms of the variances.
    word, log_variance_word : str
        Their words.
    output : str
        Word of :math:`e^v - v - 1` in the table over the log-variance v.

    Returns
    -------
    KerasTensor, shape (n, 1)

    References
    ----------
    Kingma, Welling, arXiv:1312.6114, appendix B.
    """
    from hgq.layers import QAdd

    squares = _square(mu, word, f"{name}_squares")
    spread = table(
        log_variance,
        "kl_of_log_variance",
        word=log_variance_word,
        output=output,
        name=f"{name}_table",
    )
    inputs = [_one_word(str(_square_word(word))), _one_word(output)]
    terms = QAdd(iq_confs=inputs, name=f"{name}_terms")([squares, spread])
    summand = _sum_word(_square_word(word), parse_word(output))
    return _sum(terms, summand, exponent=-1, name=name)


def r_z(
    mu: KerasTensor,
    log_variance: KerasTensor,
    *,
    word: str = "fixed<8,5>",
    log_variance_word: str = "fixed<7,4>",
    square_word: str = "ufixed<10,8>",
    inverse_word: str = "ufixed<10,5>",
    name: str = "score",
) -> KerasTensor:
    r"""Return :math:`R_z = \sum_i \mu_i^2 / \sigma_i^2`.

    Parameters
    ----------
    mu, log_variance : KerasTensor, shape (n, m)
        Means, and logarithms of the variances.
    word, log_variance_word : str
        Their words.
    square_word, inverse_word : str
        Words of :math:`\mu^2` and of :math:`1/\sigma^2`; the latter comes from a table over the
        log-variance.

    Returns
    -------
    KerasTensor, shape (n, 1)

    References
    ----------
    arXiv:2108.03986, equation 3.
    """
    from hgq.layers import QMultiply

    squares = _square(mu, word, f"{name}_squares")
    inverse = table(
        log_variance,
        "exp_negative",
        word=log_variance_word,
        output=inverse_word,
        name=f"{name}_table",
    )
    inputs = [_one_word(square_word), _one_word(inverse_word)]
    ratios = QMultiply(iq_confs=inputs, name=f"{name}_ratios")([squares, inverse])
    return _sum(ratios, _product_word(parse_word(square_word), parse_word(inverse_word)), name=name)


def trees(
    x: KerasTensor, forest: Forest, *, words: Sequence[str], leaf_bits: int = 6, name: str = "score"
) -> KerasTensor:
    """Return the sum of decision trees: an isolation forest, a random forest, boosted trees.

    Each comparator is the sign of a difference, a leaf the AND of the comparators on its path, and
    a bit of a tree's value the exclusive OR of the leaves that set it; the values of the trees are
    added up. No value is multiplied. A comparator that several trees have is built once.

    Parameters
    ----------
    x : KerasTensor, shape (n, m)
        The values that the trees were trained on, in their order, in fixed point.
    forest : path or mapping
        An ``.npz`` of `tree_arrays`, the ``.json`` of XGBoost, or the arrays themselves.
    words : sequence of str
        Words in which values are compared, by feature or by input as in `limit`, which is applied:
        values are cut and saturate. Thresholds are cut to the same words, so a value is compared as
        the trees compare it, but for values in the same step as the threshold.
    leaf_bits : int
        Bits of a tree's value. The tree with the largest difference between its leaves uses all.
    name : str
        Name of the last layer.

    Returns
    -------
    KerasTensor, shape (n, 1)
        Whole numbers; higher = more anomalous. A constant and a factor are left out, which do not
        change the order of events.

    Raises
    ------
    ValueError
        The file holds no such trees; they are too large (`MAX_DEPTH`, `MAX_LEAVES` and
        `MAX_ENTRIES` of `harness.submission.tree_circuit`); a word is too long.
    """
    from keras.layers import Concatenate, Flatten, Reshape

    rounded = rounded_forest(forest, words, x.shape[-1], leaf_bits)
    circuit = circuit_of(rounded)
    n_trees, n_literals, n_leaves = circuit.address.shape
    sign, address = "ufixed<1,1>", f"ufixed<{circuit.depth},{circuit.depth}>"

    def inverted(bits: KerasTensor, word: str, label: str) -> KerasTensor:
        # e^-x, rounded to one bit, is 1 where x is 0: a NOT, and of several bits a NOR.
        return table(bits, "exp_negative", word=word, output=sign, name=f"{name}_{label}")

    difference = _compare(limit(x, words, name=f"{name}_words"), circuit, f"{name}_difference")
    at_most = _lowest_bit(difference, f"{name}_at_most")
    above = inverted(at_most, sign, "above")
    literals = Concatenate(name=f"{name}_literals")(
        [Reshape((n_trees, n_literals // 2))(bits) for bits in (at_most, above)]
    )
    missed = _by_tree(literals, circuit.address, address, f"{name}_missed")
    leaves = inverted(Flatten()(missed), address, "leaves")
    sums = _by_tree(Reshape((n_trees, n_leaves))(leaves), circuit.planes, sign, f"{name}_planes")
    bits = _lowest_bit(sums, f"{name}_bits")
    weights = np.tile(np.exp2(np.arange(rounded.n_bits)), (n_trees, 1))[:, :, None]
    values = _by_tree(bits, weights, _word_of_constants(weights, name), f"{name}_values")
    largest = FixedPoint(rounded.n_bits, rounded.n_bits, is_signed=False)
    return _sum(Flatten()(values), largest, name=name)


def _compare(x: KerasTensor, circuit: Circuit, name: str) -> KerasTensor:
    """Return what is below zero where a value is at most the threshold of a comparator."""
    from hgq.layers import QDense

    bias = FixedPoint(circuit.threshold_bits + 1, 1)
    word = _word_of_constants(circuit.compare, name)
    layer = QDense(
        len(circuit.thresholds),
        kq_conf=_settings([word], circuit.compare.shape, place="weight"),
        bq_conf=_settings([str(bias)], circuit.thresholds.shape, place="bias"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    difference = layer(x)
    layer.kernel.assign(circuit.compare)
    layer.bias.assign(circuit.thresholds)
    return difference


def _lowest_bit(x: KerasTensor, name: str) -> KerasTensor:
    """Return the bit before the point: of a number in [-1, 1) its sign, of a sum its parity."""
    return _quantiser(["ufixed<1,1>"], x.shape, overflow="WRAP", rounding="TRN", name=name)(x)


def _by_tree(x: KerasTensor, matrices: NDArray[np.float64], word: str, name: str) -> KerasTensor:
    """Multiply the values of each tree by its own matrix of constants."""
    from hgq.layers import QEinsumDense

    layer = QEinsumDense(
        "bti,tio->bto",
        output_shape=(matrices.shape[0], matrices.shape[2]),
        kq_conf=_settings([word], matrices.shape, place="weight"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    product = layer(x)
    layer.kernel.assign(matrices)
    return product


def _square(x: KerasTensor, word: str, name: str) -> KerasTensor:
    from hgq.layers import QMultiply

    return QMultiply(iq_confs=[_one_word(word)] * 2, name=name)([x, x])


def _sum(x: KerasTensor, word: FixedPoint, *, exponent: int = 0, name: str) -> KerasTensor:
    """Add up the last axis, times a power of two."""
    n_terms = x.shape[-1]
    n_bits = word.width + math.ceil(math.log2(n_terms)) if n_terms > 1 else word.width
    if n_bits > FLOAT32_BITS:
        raise ValueError(
            f"{name}: the sum of {n_terms} terms {word} needs {n_bits} bits, and what Keras "
            f"computes is exact to {FLOAT32_BITS}: take shorter words"
        )
    factors = np.full((n_terms, 1), 2.0**exponent)
    return _multiply(x, factors, f"ufixed<1,{exponent + 1}>", name=name)


def _multiply(x: KerasTensor, factors: NDArray[np.float64], word: str, *, name: str) -> KerasTensor:
    """Multiply by a matrix of constants in one word, which training leaves alone."""
    from hgq.layers import QDense

    layer = QDense(
        factors.shape[1],
        use_bias=False,
        kq_conf=_settings([word], factors.shape, place="weight"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    product = layer(x)
    layer.kernel.assign(factors)
    return product


def _square_word(word: str) -> FixedPoint:
    """Return the word that holds the square of any value of `word`."""
    return _product_word(parse_word(word), parse_word(word))


def _product_word(first: FixedPoint, second: FixedPoint) -> FixedPoint:
    magnitude = first.magnitude_bits + second.magnitude_bits
    fraction = first.fraction_bits + second.fraction_bits
    both_signed = first.is_signed and second.is_signed
    # The square of the lowest signed value alone takes the topmost bit.
    return FixedPoint(magnitude + fraction + both_signed, magnitude + both_signed, is_signed=False)


def _sum_word(first: FixedPoint, second: FixedPoint) -> FixedPoint:
    magnitude = max(first.magnitude_bits, second.magnitude_bits) + 1
    fraction = max(first.fraction_bits, second.fraction_bits)
    return FixedPoint(magnitude + fraction, magnitude, is_signed=False)


def _quantiser(
    words: Sequence[str],
    shape: tuple[int | None, ...],
    *,
    overflow: str,
    rounding: str,
    name: str | None,
) -> KerasTensor:
    from hgq.layers import Quantizer

    sizes = tuple(size for size in shape[1:] if size is not None)
    settings = _settings(words, sizes, place="datalane", overflow=overflow, rounding=rounding)
    return Quantizer(settings, name=name)


def _one_word(word: str) -> KerasTensor:
    """Return the configuration of values that all have the same word."""
    return _settings([word], (1,), place="datalane")


def _settings(
    words: Sequence[str],
    shape: tuple[int, ...],
    *,
    place: str,
    overflow: str = "SAT",
    rounding: str = "RND",
) -> KerasTensor:
    """Return a configuration of HGQ2 for fixed words that training leaves alone.

    Modes that the words name take the place of `overflow` and `rounding`.
    """
    from hgq.config import QuantizerConfig

    parsed = [parse_word(word) for word in words]
    modes = {(word.rounding or rounding, word.overflow or overflow) for word in parsed}
    if len(modes) > 1:
        raise ValueError(f"{', '.join(words)[:200]}: words of one layer have the same modes")
    ((rounding, overflow),) = modes
    parts = {
        "k0": [int(word.is_signed) for word in parsed],
        "i0": [word.magnitude_bits for word in parsed],
        "f0": [word.fraction_bits for word in parsed],
    }
    axes: Mapping[str, tuple[int, ...] | None]
    if len(parsed) == 1:
        values = {key: part[0] for key, part in parts.items()}
        axes = {"homogeneous_axis": None, "heterogeneous_axis": ()}
    else:
        values = {key: _constant(part, shape) for key, part in parts.items()}
        axes = {"homogeneous_axis": (0,), "heterogeneous_axis": None}
    return QuantizerConfig(
        "kif",
        place,
        **values,
        **axes,
        overflow_mode=overflow,
        round_mode=rounding,
        trainable=False,
        ic=None,
        fc=None,
        ir=None,
        fr=None,
    )


def _constant(values: Sequence[int], shape: tuple[int, ...]) -> KerasTensor:
    """Return an initialiser that gives each input the value of its feature."""
    import keras

    n_inputs = math.prod(shape)
    if n_inputs % len(values):
        raise ValueError(f"{len(values)} words do not divide {n_inputs} inputs")
    tiled = np.tile(np.asarray(values, np.float64), n_inputs // len(values))
    return keras.initializers.Constant(tiled.reshape(1, *shape).tolist())
