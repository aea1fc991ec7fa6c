"""da4ml made exact while it traces: constants of any size, rounding to even, wide sums.

da4ml 0.6.0 keeps the ends and the step of each value as a `Decimal` of 28 digits, and looks for the
last bit of a constant from 2^-32 to 2^32 only. A deep network holds its values in a scale of 2^50
and more, where a constant of ten bits became one of forty, or one step less than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import ROUND_FLOOR, Decimal, Inexact, localcontext
from typing import Any, TypeAlias

from harness.firmware.translate.program import MAX_SIGNED_CUT_BITS

# da4ml's variable: a value of the program with its ends, its step and where it comes from.
Variable: TypeAlias = Any
Quantise: TypeAlias = Callable[..., Variable]

# No float64 has more significant digits than 767, so nothing that comes from one is rounded.
_DIGITS = 1_000
# What da4ml says of the constant 0, which has no last bit.
_BITS_OF_ZERO = -32


@contextmanager
def exact_da4ml() -> Iterator[None]:
    """Let da4ml trace, and write C++ for hls4ml, without a limit on its constants.

    A figure that would be rounded all the same raises `decimal.Inexact`.
    """
    from da4ml.codegen.hls import hls_codegen
    from da4ml.trace import fixed_variable, tracer

    variable, modules = fixed_variable.FixedVariable, (fixed_variable, tracer, hls_codegen)
    search, quantise = fixed_variable._const_f, variable.quantize  # noqa: SLF001
    for module in modules:
        module._const_f = fraction_bits  # noqa: SLF001 da4ml has no setting for it
    variable.quantize = _exactly(quantise)
    try:
        with localcontext() as context:
            context.prec = _DIGITS
            context.traps[Inexact] = True
            yield
    finally:
        variable.quantize = quantise
        for module in modules:
            module._const_f = search  # noqa: SLF001


def fraction_bits(constant: float | Decimal) -> int:
    """Return how many bits a constant has after the point; negative for a multiple of 2, 4, ...

    Raises
    ------
    ValueError
        The constant is no whole number times a power of two.

    Examples
    --------
    >>> fraction_bits(0.375), fraction_bits(1023 * 2.0**48), fraction_bits(2.0**-70)
    (3, -48, 70)
    """
    exact = constant if isinstance(constant, Decimal) else Decimal(float(constant))
    numerator, denominator = exact.as_integer_ratio()
    if not numerator:
        return _BITS_OF_ZERO
    if denominator & (denominator - 1):
        raise ValueError(f"the constant {constant} is no whole number times a power of two")
    trailing_zeros = (numerator & -numerator).bit_length() - 1
    return denominator.bit_length() - 1 - trailing_zeros


def round_to_even(x: Variable, f: int) -> Variable:
    """Return what, cut to `f` bits after the point, is `x` rounded to the nearest, halves to even.

    Of a value with g bits after the point that is x + 2^-(f+1) - 2^-g, plus 2^-g where the lowest
    bit that is kept is 1: just short of a half is added to an even value, a half to an odd one.
    """
    g = x.kif[2]
    if f >= g:
        return x
    lowest_kept = x.quantize(0, 1 - f, f)
    return x + (2.0 ** (-f - 1) - 2.0**-g) + lowest_kept * 2.0 ** (f - g)


def _exactly(quantise: Quantise) -> Quantise:
    """Return da4ml's quantiser with what it lacks: see `_round` and `_overflow`."""

    def exact(
        x: Variable,
        k: int,
        i: int,
        f: int,
        overflow_mode: str = "WRAP",
        round_mode: str = "TRN",
        **more: object,
    ) -> Variable:
        k, i, f = int(k), int(i), int(f)
        x = _round(x, f, round_mode)
        is_wrapping = overflow_mode.upper() == "WRAP"
        if k + i + f > 0 and is_wrapping and x.low == x.high:
            return _wrap_constant(x, k, i, f)
        if k + i + f > 0 and x.low < min(0, x.high):
            if is_wrapping and not k and i > x.kif[1] + 1:
                return _wrap_below_zero(x, i, f)
            if not is_wrapping and _is_wide(x, f):
                return _saturate(x, k, i, f, is_symmetric=overflow_mode.upper() == "SAT_SYM")
        return quantise(x, k, i, f, overflow_mode, "TRN", **more)

    return exact


def _round(x: Variable, f: int, round_mode: str) -> Variable:
    """Return what, cut to `f` bits after the point, is `x` rounded.

    Rounding at random (``S_``) is for training; afterwards it is the plain one.
    """
    mode = round_mode.upper().removeprefix("S_")
    if mode == "RND_CONV":
        return round_to_even(x, f)
    return x + 2.0 ** (-f - 1) if mode == "RND" and f < x.kif[2] else x


def _is_wide(x: Variable, f: int) -> bool:
    """Say whether a value below 0 has more bits before 2^-f than the interpreter compares."""
    _, i, own = x.kif
    return bool(1 + i + min(f, own) > MAX_SIGNED_CUT_BITS)


def _wrap_below_zero(x: Variable, i: int, f: int) -> Variable:
    """Wrap a value with a sign to a word without one that has more bits than the value.

    da4ml leaves these bits out, but they are copies of the sign: -1 wraps to 255 in eight bits.
    """
    step = max(Decimal(2) ** -f, x.step)
    high = Decimal(2) ** i - step
    return type(x)(
        Decimal(0),
        high,
        step,
        _from=(x,),
        _factor=abs(x._factor),  # noqa: SLF001
        opr="wrap",
        latency=x.latency,
        hwconf=x.hwconf,
    )


def _wrap_constant(x: Variable, k: int, i: int, f: int) -> Variable:
    """Cut and wrap a constant.

    da4ml leaves constants below zero as they are where the word has no sign, and takes twice the
    range of such a word: 300 wraps to 44 in eight bits, and -1 to 255.
    """
    step, span = Decimal(2) ** -f, Decimal(2) ** (i + k)
    low = -k * Decimal(2) ** i
    # `%` of Decimal has the sign of what is divided.
    turns = ((x.low - low) / span).to_integral_value(ROUND_FLOOR)
    value = (x.low / step).to_integral_value(ROUND_FLOOR) * step - turns * span
    return type(x).from_const(value, hwconf=x.hwconf, _factor=1)


def _saturate(x: Variable, k: int, i: int, f: int, *, is_symmetric: bool) -> Variable:
    """Cut and saturate by values without a sign: the interpreter takes those of 62 bits."""
    high = Decimal(2) ** i - Decimal(2) ** -f
    low = -k * (high if is_symmetric else Decimal(2) ** i)
    return (x - low).relu(None, f).min_of(high - low) + low
