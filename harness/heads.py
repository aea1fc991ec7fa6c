"""Building blocks of a trigger network; see `harness.submission.heads`.

Examples
--------
A whole `model.py` of an encoder whose score is the sum of the squared means::

    import keras
    from hgq.layers import QDense
    from harness import heads

    def network():
        inputs = keras.Input((57,))
        x = heads.input_words(inputs, ["ufixed<15,13>", "fixed<8,4>", "fixed<8,3>"])
        x = heads.limit(x, ["ufixed<11,9>", "fixed<8,4>", "fixed<8,3>"])
        x = heads.scale(x, [-6, -2, -2])
        mu = QDense(3)(QDense(16, activation="relu")(x))
        model = keras.Model(inputs, heads.sum_of_squares(mu))
        model.load_weights("encoder.weights.h5")
        return model
"""

from __future__ import annotations

from harness.submission.heads import (
    TABLE_FUNCTIONS,
    FixedPoint,
    InputOverflow,
    combine,
    exp_negative,
    identity,
    input_overflow,
    input_words,
    kl_divergence,
    kl_of_log_variance,
    limit,
    log1p,
    mean_squared_error,
    overflow_of_words,
    parse_word,
    quantise,
    r_z,
    reciprocal,
    scale,
    sum_of_squares,
    table,
)

__all__ = [
    "TABLE_FUNCTIONS",
    "FixedPoint",
    "InputOverflow",
    "combine",
    "exp_negative",
    "identity",
    "input_overflow",
    "input_words",
    "kl_divergence",
    "kl_of_log_variance",
    "limit",
    "log1p",
    "mean_squared_error",
    "overflow_of_words",
    "parse_word",
    "quantise",
    "r_z",
    "reciprocal",
    "scale",
    "sum_of_squares",
    "table",
]
