"""Decision trees as comparators, tables and sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.heads.inputs import limit
from harness.heads.products import total, word_of_constants
from harness.heads.shapes import flat
from harness.heads.tables import table
from harness.submission.quantisers import quantiser, settings
from harness.submission.tree_circuit import Circuit, circuit_of, rounded_forest
from harness.submission.tree_models import Forest, load_forest
from harness.submission.tree_network import exact_matrices
from harness.submission.words import FixedPoint

if TYPE_CHECKING:
    from keras import KerasTensor


def trees(
    x: KerasTensor, forest: Forest, *, words: Sequence[str], leaf_bits: int = 6, name: str = "score"
) -> KerasTensor:
    """Return the sum of decision trees: an isolation forest, a random forest, boosted trees.

    Each comparator is the sign of a difference, a leaf the AND of the comparators on its path, and
    a bit of a tree's value the exclusive OR of the leaves that set it; the values of the trees are
    added up. No value is multiplied. A comparator that several trees have is built once.

    Parameters
    ----------
    x : KerasTensor, m values for each event, of any shape
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

    x = flat(x, f"{name}_inputs")
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
    values = _by_tree(bits, weights, word_of_constants(weights, name), f"{name}_values")
    largest = FixedPoint(rounded.n_bits, rounded.n_bits, is_signed=False)
    return total(Flatten()(values), largest, name=name)


def exact_trees(x: KerasTensor, forest: Forest, *, name: str = "unrounded") -> KerasTensor:
    """Return the sum of decision trees as they were trained, in floating point.

    For ``unrounded()`` of `model.py`: the card then says what the words and the bits of `trees`
    cost. Values are compared in float32, as scikit-learn and XGBoost do.

    Parameters
    ----------
    x : KerasTensor, m values for each event, of any shape
        The values that the trees were trained on, in their order.
    forest : path or mapping
        As of `trees`.

    Returns
    -------
    KerasTensor, shape (n, 1)
        Sum of the values of the leaves; higher = more anomalous.

    Raises
    ------
    ValueError
        The file holds no such trees, or they are too large.
    """
    from keras import layers, ops

    x = flat(x, f"{name}_inputs")
    matrices = exact_matrices(load_forest(forest), x.shape[-1])
    difference = layers.Dense(len(matrices.thresholds), name=f"{name}_difference")
    at_most = ops.cast(ops.less_equal(difference(x), 0.0), "float32")
    leaves = layers.Dense(len(matrices.values), activation="relu", name=f"{name}_leaves")
    score = layers.Dense(1, use_bias=False, name=name)
    total_of_leaves = score(leaves(at_most))
    difference.set_weights([matrices.compare, -matrices.thresholds])
    leaves.set_weights([matrices.path, matrices.start])
    score.set_weights([matrices.values[:, None]])
    return total_of_leaves


def _compare(x: KerasTensor, circuit: Circuit, name: str) -> KerasTensor:
    """Return what is below zero where a value is at most the threshold of a comparator."""
    from hgq.layers import QDense

    bias = FixedPoint(circuit.threshold_bits + 1, 1)
    word = word_of_constants(circuit.compare, name)
    layer = QDense(
        len(circuit.thresholds),
        kq_conf=settings([word], circuit.compare.shape, place="weight"),
        bq_conf=settings([str(bias)], circuit.thresholds.shape, place="bias"),
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
    return quantiser(["ufixed<1,1>"], x.shape, overflow="WRAP", rounding="TRN", name=name)(x)


def _by_tree(x: KerasTensor, matrices: NDArray[np.float64], word: str, name: str) -> KerasTensor:
    """Multiply the values of each tree by its own matrix of constants."""
    from hgq.layers import QEinsumDense

    layer = QEinsumDense(
        "bti,tio->bto",
        output_shape=(matrices.shape[0], matrices.shape[2]),
        kq_conf=settings([word], matrices.shape, place="weight"),
        enable_iq=False,
        trainable=False,
        name=name,
    )
    product = layer(x)
    layer.kernel.assign(matrices)
    return product
