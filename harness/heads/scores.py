"""Score heads: arithmetic at the end of a network that gives one number for an event."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.heads.inputs import limit, quantise
from harness.heads.products import product_word, square, square_word, sum_word, total
from harness.heads.shapes import flat
from harness.heads.tables import table
from harness.submission.quantisers import one_word
from harness.submission.words import parse_word

if TYPE_CHECKING:
    from keras import KerasTensor


def identity(score: KerasTensor, *, word: str = "fixed<16,8>", name: str = "score") -> KerasTensor:
    """Return a score that the network already computes, as one word.

    Parameters
    ----------
    score : KerasTensor, shape (n,) or (n, 1)
        Higher = more anomalous.
    """
    return quantise(score, word, name=name)


def sum_of_squares(
    mu: KerasTensor,
    *,
    word: str = "fixed<10,6>",
    cut: str | None = None,
    output: str | None = None,
    name: str = "score",
) -> KerasTensor:
    r"""Return :math:`\sum_i \mu_i^2`, the score of an encoder alone.

    Parameters
    ----------
    mu : KerasTensor, m values for each event, of any shape
        Means of the latent space.
    word : str
        Word of each mean.
    cut : str, optional
        Word that each square is cut to; without it they are exact.
    output : str, optional
        Word of the sum; without it the sum is exact. Both words cut and saturate, unless they name
        other modes: ``fixed<18,10,TRN,WRAP>`` wraps.

    Returns
    -------
    KerasTensor, shape (n, 1)

    References
    ----------
    arXiv:2108.03986, which uses it in place of the Kullback-Leibler divergence.
    """
    squares, summand = square(mu, word, f"{name}_squares"), square_word(word)
    if cut is not None:
        squares, summand = limit(squares, cut, name=f"{name}_cut"), parse_word(cut)
    if output is None:
        return total(squares, summand, name=name)
    return limit(total(squares, summand, name=f"{name}_sum"), output, name=name)


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
    inputs, reconstruction : KerasTensor, m values for each event, of any two shapes
        The values and their reconstruction.
    word : str
        Word of each difference. A division by m itself would cost logic and would not change the
        order of the events.

    Returns
    -------
    KerasTensor, shape (n, 1)
    """
    from hgq.layers import QSubtract

    both = [flat(inputs, f"{name}_inputs"), flat(reconstruction, f"{name}_reconstruction")]
    difference = QSubtract(enable_iq=False, name=f"{name}_difference")(both)
    squares = square(difference, word, f"{name}_squares")
    exponent = -round(math.log2(math.prod(inputs.shape[1:])))
    return total(squares, square_word(word), exponent=exponent, name=name)


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
    mu, log_variance : KerasTensor, m values for each event, of any two shapes
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

    squares = square(flat(mu, f"{name}_mu"), word, f"{name}_squares")
    spread = table(
        flat(log_variance, f"{name}_log_variance"),
        "kl_of_log_variance",
        word=log_variance_word,
        output=output,
        name=f"{name}_table",
    )
    inputs = [one_word(str(square_word(word))), one_word(output)]
    terms = QAdd(iq_confs=inputs, name=f"{name}_terms")([squares, spread])
    summand = sum_word(square_word(word), parse_word(output))
    return total(terms, summand, exponent=-1, name=name)


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
    mu, log_variance : KerasTensor, m values for each event, of any two shapes
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

    squares = square(flat(mu, f"{name}_mu"), word, f"{name}_squares")
    inverse = table(
        flat(log_variance, f"{name}_log_variance"),
        "exp_negative",
        word=log_variance_word,
        output=inverse_word,
        name=f"{name}_table",
    )
    inputs = [one_word(square_word), one_word(inverse_word)]
    ratios = QMultiply(iq_confs=inputs, name=f"{name}_ratios")([squares, inverse])
    return total(ratios, product_word(parse_word(square_word), parse_word(inverse_word)), name=name)
