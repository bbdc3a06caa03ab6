"""Exponentials and logarithms that vectorise: polynomials on a reduced range, within 2 ulp.

Numba's own call the C library for one number at a time. The functions have no branches, so that loops over arrays of
them become SIMD instructions; -inf, inf and nan are mapped as they should be.
"""

from numba import njit, types
from numba.extending import intrinsic

__all__ = ["exp", "kernel", "log", "log1p_unit", "total_of"]

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # ln 2 in two parts, the first of 32 bits
SMALLEST = -708.0  # exponent, below which e^x is no normal number
ROOT2 = 1.4142135623730951
MANTISSA, BIAS = 52, 1023


def kernel(function):
    """Compile a function of arrays, cached on disk where that can be written, without Python's global lock."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache
        return njit(**options)(function)


def inline(function):
    return njit(inline="always", error_model="numpy", fastmath={"contract"})(function)


@njit(nogil=True, fastmath={"contract", "reassoc"})
def total_of(values):
    """Their sum, in any order, so that it vectorises."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@intrinsic
def _as_float(context, bits):
    def build(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), build


@intrinsic
def _as_bits(context, number):
    def build(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), build


# 2^52 + 2^51: adding it rounds a number of moderate size to an integer, which then stands in the lowest bits.
ROUNDER = 6755399441055744.0


@inline
def exp_series(r):
    """e^r for abs(r) up to ln(2) / 2; r may be a vector."""
    # (e^r - 1 - r) / r^2, interpolated at Chebyshev's points; the error is 1e-16.
    p = 2.510038549551032e-08
    p = p * r + 2.7620088445409746e-07
    p = p * r + 2.7557268459997064e-06
    p = p * r + 2.4801521295954376e-05
    p = p * r + 0.00019841269863053618
    p = p * r + 0.0013888888917213717
    p = p * r + 0.008333333333330062
    p = p * r + 0.04166666666662413
    p = p * r + 0.16666666666666669
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p


@inline
def exp(x):
    """e^x for x up to 700; zero below -708."""
    held = SMALLEST if x < SMALLEST else x  # nan is not less
    shifted = held * LOG2_E + ROUNDER
    turns = shifted - ROUNDER
    r = (held - turns * LN2_HIGH) - turns * LN2_LOW
    p = exp_series(r)
    # The integer stands in the lowest bits of `shifted`; moved up, everything above it is lost.
    value = p * _as_float((_as_bits(shifted) + BIAS) << MANTISSA)
    return 0.0 if x < SMALLEST else value


@inline
def _atanh_series(z):
    """2 atanh(z) for abs(z) below 0.172, where z = f / (2 + f) gives log(1 + f)."""
    s = z * z
    # (2 atanh(z) - 2 z) / z^3 in powers of s, interpolated at Chebyshev's points; the error is 3e-16.
    p = 0.1461703754879165
    p = p * s + 0.1533167403016786
    p = p * s + 0.18182890556695602
    p = p * s + 0.2222221111514416
    p = p * s + 0.2857142862609589
    p = p * s + 0.3999999999989924
    p = p * s + 0.666666666666667
    return z * (p * s) + 2.0 * z


@inline
def log1p_unit(t):
    """log(1 + t) for t from 0 to 1."""
    large = t > ROOT2 - 1.0
    f = 0.5 * (t - 1.0) if large else t
    value = _atanh_series(f / (2.0 + f))
    return value + LN2_LOW + LN2_HIGH if large else value


@inline
def log(x):
    """log(x) of a normal positive number, or of nan."""
    bits = _as_bits(x)
    power = (bits >> MANTISSA) - BIAS
    m = _as_float((bits & ((1 << MANTISSA) - 1)) | (BIAS << MANTISSA))
    large = m > ROOT2
    m = 0.5 * m if large else m
    turns = float(power + 1) if large else float(power)
    f = m - 1.0
    value = turns * LN2_HIGH + (_atanh_series(f / (2.0 + f)) + turns * LN2_LOW)
    return value if x == x else x
