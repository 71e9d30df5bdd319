"""Random numbers that are a function of names and a row number, equal to the bit on every machine.

A number is the SplitMix64 mixing (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014) of the row number and a 128-bit key made of names; nothing is drawn in sequence, so rows can be
made in any order, by anyone. The transcendental functions here are built from additions, multiplications,
divisions and square roots alone, which IEEE 754 defines to the bit; those of a platform's mathematical
library differ in the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.uint64]
    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(shift) for shift in (30, 27, 31, 11))


@dataclass(frozen=True, slots=True)
class Key:
    """What a column of random numbers depends on beside the row."""

    start: np.uint64
    twist: np.uint64

    @classmethod
    def of(cls, *names: object) -> Key:
        """Return the key of these names; each takes part with its length, so none runs into the next."""
        text = "".join(f"{len(str(name))}:{name}" for name in names)
        digest = blake2b(text.encode(), digest_size=16).digest()
        return cls(np.uint64(int.from_bytes(digest[:8], "big")), np.uint64(int.from_bytes(digest[8:], "big")))


def bits(key: Key, rows: Rows) -> Rows:
    """Return 64 random bits for each row."""
    state = (rows + key.start) * _GAMMA
    state = (state ^ (state >> _S30)) * _MIX_1
    state ^= key.twist
    state = (state ^ (state >> _S27)) * _MIX_2
    mixed: Rows = state ^ (state >> _S31)
    return mixed


def uniform(key: Key, rows: Rows) -> Floats:
    """Return a number above 0 and below 1 for each row, one of 2^52 at equal distances."""
    return ((bits(key, rows) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def whole(numbers: Floats, choices: int | Integers) -> Integers:
    """Return a whole number from 0 up to `choices` (exclusive) for each of these uniform numbers."""
    return (numbers * choices).astype(np.int64)


_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_SQRT_HALF = 0.7071067811865476
_ATANH = tuple(1 / (2 * power + 1) for power in range(10, -1, -1))
_EXP = (
    1 / 6227020800, 1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040,
    1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0,
)  # fmt: skip


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """Return the polynomial, its highest coefficient first."""
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= x
        result += coefficient
    return result


def log(x: Floats) -> Floats:
    """Return the natural logarithm of numbers above 0, to about one part in 10^15."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, mantissa * 2, mantissa)
    exponent = (exponent - small).astype(np.float64)
    ratio = (mantissa - 1) / (mantissa + 1)
    series = _polynomial(_ATANH, ratio * ratio) * ratio * 2
    result: Floats = exponent * _LN2_HIGH + (series + exponent * _LN2_LOW)
    return result


def exp(x: Floats) -> Floats:
    """Return e to the power of numbers between -700 and 700 (others count as these)."""
    x = np.clip(x, -700.0, 700.0)
    times = np.rint(x * 1.4426950408889634)
    rest = x - times * _LN2_HIGH - times * _LN2_LOW
    result: Floats = np.ldexp(_polynomial(_EXP, rest), times.astype(np.int32))
    return result


def power(x: Floats, exponent: float) -> Floats:
    """Return numbers above 0 to a power."""
    return exp(log(x) * exponent)


def cosine(degrees: Floats) -> Floats:
    """Return the cosine of angles from -180 to 180 degrees, to about 10^-13."""
    square = degrees * 0.017453292519943295
    square *= square
    result = np.ones_like(square)
    for degree in range(28, 0, -2):
        result = 1 - result * square / (degree * (degree - 1))
    return result


_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_TAIL = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
     6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769,
     1.0),
)  # fmt: skip


def normal_quantile(u: Floats) -> Floats:
    """Return the value below which a standard normal variable stays with probability `u`.

    Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37
    (1988), PPND16: about one part in 10^16.
    """
    q = u - 0.5
    r = 0.180625 - q * q
    result = q * _polynomial(_CENTRE[0], r) / _polynomial(_CENTRE[1], r)
    tail = np.flatnonzero(np.abs(q) > 0.425)  # noqa: PLR2004 - the algorithm's own bound
    if len(tail):
        distance = np.sqrt(-log(np.minimum(u[tail], 1 - u[tail])))
        near, far = distance - 1.6, distance - 5.0
        value = np.where(
            distance <= 5.0,  # noqa: PLR2004 - as above
            _polynomial(_TAIL[0], near) / _polynomial(_TAIL[1], near),
            _polynomial(_FAR_TAIL[0], far) / _polynomial(_FAR_TAIL[1], far),
        )
        result[tail] = np.where(q[tail] < 0, -value, value)
    return result


def normal_probability(z: Floats) -> Floats:
    """Return the probability that a standard normal variable stays below `z`, to about 10^-7.

    Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.2.17.
    """
    distance = np.abs(z)
    t = 1 / (1 + 0.2316419 * distance)
    tail = _polynomial((1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530, 0.0), t)
    tail = tail * exp(-distance * distance / 2) * 0.3989422804014327
    return np.where(z > 0, 1 - tail, tail)


def permutation(key: Key, numbers: Rows, size: int) -> Rows:
    """Return each number's partner under a bijection of 0 … `size` - 1: different for different numbers.

    A Feistel network of four rounds over the next even power of two, walked until it falls inside (Black and
    Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    rounds = [Key(np.uint64((int(key.start) + number) % 2**64), key.twist) for number in range(4)]

    def once(values: Rows) -> Rows:
        left, right = values >> shift, values & mask
        for each in rounds:
            left, right = right, left ^ (bits(each, right) & mask)
        return (left << shift) | right

    result = once(numbers)
    while len(outside := np.flatnonzero(result >= np.uint64(size))):
        result[outside] = once(result[outside])
    return result
