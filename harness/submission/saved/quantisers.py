"""Quantisers of QKeras 0.9: how a file writes them, their words, and the weights they give.

The formulas are those of ``qkeras/quantizers.py`` (https://github.com/google/qkeras, release
0.9.0) at inference. QKeras adds ``x + (q - x)`` in float32, so that a value that saturates to less
than half of itself can be off its grid by a rounding of float32; here it is on the grid.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.card.text import plain
from harness.submission.words import MAX_WIDTH, FixedPoint

Floats = NDArray[np.float32]

# The settings of each quantiser, in the order of its arguments, and what they are by default.
_SIGNATURES: Mapping[str, Mapping[str, Any]] = {
    "quantized_bits": {
        "bits": 8,
        "integer": 0,
        "symmetric": 0,
        "keep_negative": True,
        "alpha": None,
        "use_stochastic_rounding": False,
        "scale_axis": None,
        "qnoise_factor": 1.0,
        "var_name": None,
        "use_ste": True,
        "use_variables": False,
    },
    "quantized_relu": {
        "bits": 8,
        "integer": 0,
        "use_sigmoid": 0,
        "negative_slope": 0.0,
        "use_stochastic_rounding": False,
        "relu_upper_bound": None,
        "is_quantized_clip": True,
        "qnoise_factor": 1.0,
        "var_name": None,
        "use_ste": True,
        "use_variables": False,
    },
    "binary": {"use_01": False, "alpha": None, "use_stochastic_rounding": False},
    "ternary": {
        "alpha": None,
        "threshold": None,
        "use_stochastic_rounding": False,
        "number_of_unrolls": 5,
    },
    "quantized_po2": {
        "bits": 8,
        "max_value": None,
        "use_stochastic_rounding": False,
        "quadratic_approximation": False,
        "log2_rounding": "rnd",
        "qnoise_factor": 1.0,
        "var_name": None,
        "use_ste": True,
        "use_variables": False,
    },
}
KNOWN = ", ".join(_SIGNATURES)
# Of `ternary`: 0.33, not a third.
_TERNARY_THRESHOLD = np.float32(0.33)
# Keras's epsilon.
_EPSILON = np.float32(1e-7)
_LN2 = np.log(2.0)


class UnknownQuantiserError(ValueError):
    """A quantiser, or a setting of one, that has no form in fixed point here.

    Attributes
    ----------
    fix : str
        What to use.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.fix = fix or f"train with {KNOWN}"


@dataclass(frozen=True, slots=True)
class Quantiser:
    """A quantiser of QKeras with all of its settings."""

    kind: str
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        """Write it as in a script of QKeras."""
        defaults = _SIGNATURES[self.kind]
        changed = [f"{k}={v!r}" for k, v in self.settings.items() if v != defaults[k]]
        return f"{self.kind}({', '.join(changed)})"


def parse_quantiser(value: object) -> Quantiser | None:
    """Read a quantiser as QKeras writes it: a configuration, or a call such as ``binary(alpha=1)``.

    Returns
    -------
    Quantiser or None
        None for no quantiser.

    Raises
    ------
    UnknownQuantiserError
        It is another function, or has settings that change what it computes.

    Examples
    --------
    >>> str(parse_quantiser("quantized_relu(6, 2)"))
    'quantized_relu(bits=6, integer=2)'
    """
    if value is None:
        return None
    if isinstance(value, str):
        kind, arguments, named = _parse_call(value)
    elif isinstance(value, dict):
        kind, arguments, named = str(value.get("class_name")), [], dict(value.get("config") or {})
    else:
        raise UnknownQuantiserError(f"{plain(str(value))[:80]!r} is no quantiser")
    if kind not in _SIGNATURES:
        raise UnknownQuantiserError(f"the quantiser {plain(kind)[:60]} is not known")
    defaults = _SIGNATURES[kind]
    given = {**dict(zip(defaults, arguments, strict=False)), **named}
    if len(arguments) > len(defaults) or not set(given) <= set(defaults):
        unknown = ", ".join(plain(str(name)) for name in set(given) - set(defaults))
        raise UnknownQuantiserError(f"{kind} has settings that are not known: {unknown[:100]}")
    quantiser = Quantiser(kind, {**defaults, **given})
    _check(quantiser)
    return quantiser


def _parse_call(text: str) -> tuple[str, list[object], dict[str, object]]:
    """Read ``name`` or ``name(1, 2, key="text")``; nothing is evaluated."""
    try:
        node = ast.parse(text[:500], mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, [], {}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            arguments = [ast.literal_eval(one) for one in node.args]
            named = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords}
            return node.func.id, arguments, named
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    raise UnknownQuantiserError(f"{plain(text)[:80]!r} is no quantiser")


def _check(quantiser: Quantiser) -> None:
    settings = quantiser.settings
    numbers = [settings[name] for name in ("bits", "integer") if name in settings]
    if not all(isinstance(one, int) and -MAX_WIDTH <= one <= MAX_WIDTH for one in numbers):
        raise UnknownQuantiserError(f"{quantiser}: bits and integer are not whole numbers to 32")
    if "bits" in settings and settings["bits"] < 1:
        raise UnknownQuantiserError(f"{quantiser}: at least one bit is needed")
    if settings.get("qnoise_factor", 1.0) != 1.0:
        raise UnknownQuantiserError(
            f"{quantiser}: the values are quantised in part only",
            "train on until qnoise_factor is 1",
        )
    unusual = {
        "use_sigmoid": "leave use_sigmoid out",
        "negative_slope": "use quantized_relu without a slope",
        "scale_axis": "scale along the last axis",
        "use_variables": "leave use_variables out",
    }
    for name, fix in unusual.items():
        if settings.get(name):
            raise UnknownQuantiserError(f"{quantiser}: {name} is not read", fix)
    if not settings.get("is_quantized_clip", True):
        raise UnknownQuantiserError(
            f"{quantiser}: is_quantized_clip=False is not read", "leave it out"
        )
    _check_alpha(quantiser)
    threshold = settings.get("threshold")
    if threshold is not None and not isinstance(threshold, int | float):
        raise UnknownQuantiserError(f"{quantiser}: the threshold is no number")


def _check_alpha(quantiser: Quantiser) -> None:
    alpha = quantiser.settings.get("alpha")
    if alpha is None or alpha == "auto_po2":
        return
    is_number = isinstance(alpha, int | float) and alpha > 0 and np.isfinite(alpha)
    if not is_number or np.frexp(alpha)[0] != 0.5:  # the mantissa of powers of two
        raise UnknownQuantiserError(
            f"{quantiser}: the scale alpha is no power of two",
            'train with alpha=1 or alpha="auto_po2"; others need multipliers of their own',
        )


# --- Words ----------------------------------------------------------------------------------------


def word_of_values(quantiser: Quantiser) -> FixedPoint | None:
    """Return the word to which a quantiser rounds values between layers; None if it is no word.

    Rounding is to the nearest, halves to even; values outside saturate. A scale ``alpha`` comes
    afterwards, and is not in the word.
    """
    settings = quantiser.settings
    if quantiser.kind == "quantized_relu":
        return FixedPoint(settings["bits"], settings["integer"], False, "RND_CONV", "SAT")
    if quantiser.kind == "quantized_bits" and settings["alpha"] != "auto_po2":
        is_signed = bool(settings["keep_negative"])
        if settings["bits"] > is_signed:
            overflow = "SAT_SYM" if is_signed and settings["symmetric"] else "SAT"
            integer_bits = settings["integer"] + is_signed
            return FixedPoint(settings["bits"], integer_bits, is_signed, "RND_CONV", overflow)
    return None


# --- Weights --------------------------------------------------------------------------------------


def quantised(quantiser: Quantiser | None, weights: Floats) -> Floats:
    """Return weights as QKeras uses them at inference, each on the quantiser's grid.

    Parameters
    ----------
    quantiser : Quantiser or None
        None leaves the weights as they are.
    weights : ndarray of float32
        A kernel with the output channels along its last axis, or a bias.
    """
    x = np.asarray(weights, np.float32)
    if quantiser is None:
        return x
    return np.asarray(_FUNCTIONS[quantiser.kind](x, quantiser.settings), np.float32)


def _quantised_bits(x: Floats, settings: Mapping[str, Any]) -> Floats:
    n_unsigned = settings["bits"] - bool(settings["keep_negative"])
    m, m_i = np.float32(2.0**n_unsigned), np.float32(2.0 ** settings["integer"])
    alpha = settings["alpha"]
    if alpha == "auto_po2":
        return np.asarray(_scaled_bits(x / m_i, settings["bits"]) * m_i, np.float32)
    if n_unsigned == 0:
        signs = np.where(x < 0, -1.0, 1.0)
        values = signs if settings["keep_negative"] else (signs + 1) / 2
        return np.asarray(values * (alpha or 1.0), np.float32)
    lowest = bool(settings["keep_negative"]) * (-m + bool(settings["symmetric"]))
    whole = np.clip(np.rint(x * m / m_i), lowest, m - 1)
    return np.asarray(m_i * whole / m * np.float32(alpha or 1.0), np.float32)


def _scaled_bits(x: Floats, n_bits: int) -> Floats:
    """Quantise by a power of two for each output channel, found in five steps."""
    most = np.float32(2 ** (n_bits - 1) - 1)
    axes = _all_but_last(x)
    scale = _power_of_two(np.abs(x).max(axis=axes, keepdims=True) * 2 / (most * 2))
    whole = np.zeros_like(x)
    for _ in range(5):
        whole = np.sign(x) * np.minimum(np.floor(np.abs(x) / scale + np.float32(0.5)), most)
        scale = _fitted_scale(x, whole)
    return np.asarray(scale * whole, np.float32)


def _binary(x: Floats, settings: Mapping[str, Any]) -> Floats:
    signs = np.where(x < 0, -1.0, 1.0)
    values = np.asarray((signs + 1) / 2 if settings["use_01"] else signs, np.float32)
    return np.asarray(_scale(settings["alpha"], x, values) * values, np.float32)


def _ternary(x: Floats, settings: Mapping[str, Any]) -> Floats:
    if settings["alpha"] == "auto_po2":
        return _scaled_ternary(x, int(settings["number_of_unrolls"]))
    threshold = settings["threshold"]
    threshold = _TERNARY_THRESHOLD if threshold is None else np.float32(threshold)
    signs = (np.abs(x) >= threshold) * np.sign(x)
    return np.asarray(np.float32(settings["alpha"] or 1.0) * signs, np.float32)


def _scaled_ternary(x: Floats, n_steps: int) -> Floats:
    scale = _power_of_two(2 * np.abs(x).max(axis=_all_but_last(x), keepdims=True) / np.float32(3))
    signs = np.zeros_like(x)
    for _ in range(min(n_steps, 100)):
        signs = (np.abs(scale * np.rint(x / scale)) >= scale / 2) * np.sign(x)
        scale = _fitted_scale(x, signs)
    return np.asarray(scale * signs, np.float32)


def _powers_of_two(x: Floats, settings: Mapping[str, Any]) -> Floats:
    largest, step = settings["max_value"], 2.0 if settings["quadratic_approximation"] else 1.0
    n_bits = settings["bits"] - 1 - (largest is None or largest > 1)
    lowest, highest = -(2.0**n_bits), 2.0**n_bits - 1
    if settings["quadratic_approximation"]:
        highest = 2 * (highest // 2)
    size = np.maximum(np.abs(x), _EPSILON)
    if largest is not None:
        size = np.minimum(size, np.float32(largest))
    logarithms = np.log(np.sqrt(size) if step > 1 else size) / _LN2
    whole = np.floor(logarithms) if settings["log2_rounding"] == "floor" else np.rint(logarithms)
    exponents = np.where(np.abs(x) < _EPSILON, lowest, step * np.clip(whole, lowest, highest))
    return np.asarray(np.where(x < 0, -1.0, 1.0) * np.exp2(exponents), np.float32)


_FUNCTIONS: Mapping[str, Callable[[Floats, Mapping[str, Any]], Floats]] = {
    "quantized_bits": _quantised_bits,
    "binary": _binary,
    "ternary": _ternary,
    "quantized_po2": _powers_of_two,
    "quantized_relu": lambda x, settings: _quantised_bits(
        x, {**settings, "keep_negative": False, "symmetric": 0, "alpha": None}
    ),
}


def _all_but_last(x: Floats) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1)) if x.ndim > 1 else (0,)


def _scale(alpha: object, x: Floats, values: Floats) -> Floats | np.float32:
    if alpha == "auto_po2":
        return _fitted_scale(x, values)
    return np.float32(alpha or 1.0)  # type: ignore[arg-type] # `_check_alpha`


def _fitted_scale(x: Floats, values: Floats) -> Floats:
    """Return the power of two nearest to the scale of least squares, by output channel."""
    axes = _all_but_last(x)
    product = np.mean(x * values, axis=axes, keepdims=True)
    square = np.mean(values * values, axis=axes, keepdims=True)
    return _power_of_two(product / (square + _EPSILON))


def _power_of_two(scale: Floats) -> Floats:
    return np.asarray(np.exp2(np.rint(np.log(scale + _EPSILON) / _LN2)), np.float32)
