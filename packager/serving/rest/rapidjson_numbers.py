"""Numbers as RapidJSON 1.1 reads and writes them, where Python would do it more exactly.

It reads in "normal precision": the digits into a double, once scaled by a power of ten, which can be a unit
in the last place off. It writes by Grisu2, which does not always find the closest of the shortest texts.
(``ParseNumber`` in ``reader.h``, ``internal/strtod.h``, ``internal/dtoa.h``, ``internal/diyfp.h``.)
"""

from __future__ import annotations

import functools
import math
import re

_PARTS = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_MAX_UINT64 = 2**64 - 1
_MAX_NEGATED_INT64 = 2**63
_EXACT = 2**53 - 1
_DIGITS_THAT_ARE_EXACT = 15
"""Up to so many digits, any way of reading them gives the same double."""
_TENTH_OF_MAX = 1.7976931348623157e307
_SIGNIFICANT_DIGITS = 17
_MAX_EXPONENT = 308
_NO_SMALLER_EXPONENT = -214748364

_POWERS = tuple(float(f"1e{exponent}") for exponent in range(_MAX_EXPONENT + 1))


class NumberTooBigError(ValueError):
    """A number that no double can hold."""


def read_decimal(text: str) -> int | float:
    """Read a JSON number: an int where it has neither fraction nor exponent and fits in 64 bits."""
    if len(text) <= _DIGITS_THAT_ARE_EXACT and "e" not in text and "E" not in text:
        return float(text) if "." in text else int(text)
    minus, whole, fraction, exponent = _PARTS.fullmatch(text).groups()  # type: ignore[union-attr]
    limit = _MAX_NEGATED_INT64 if minus else _MAX_UINT64
    if fraction is None and exponent is None and len(whole) <= 20 and int(whole) <= limit:
        return -int(whole) if minus else int(whole)
    magnitude = _read_double(whole, fraction or "", exponent, limit)
    return -magnitude if minus else magnitude


def _read_double(whole: str, fraction: str, exponent: str | None, limit: int) -> float:
    fits = _fitting_prefix(whole, limit)
    significand, scale = float(int(whole[:fits])), 0
    for digit in whole[fits:]:
        if significand >= _TENTH_OF_MAX:
            raise NumberTooBigError
        significand = significand * 10 + int(digit)
    if fraction and fits == len(whole):
        significand, scale = _with_fraction(whole, fraction)
    return _scale(significand, scale + _read_exponent(exponent or "0", _MAX_EXPONENT - scale))


def _fitting_prefix(digits: str, limit: int) -> int:
    """Return how many leading digits make a number within ``limit``, which has 19 or 20."""
    if len(digits) <= 20 and int(digits) <= limit:
        return len(digits)
    return 20 if int(digits[:20]) <= limit else 19


def _with_fraction(whole: str, fraction: str) -> tuple[float, int]:
    """Return a significand and the power of ten to scale it by.

    The digits make an integer until it is not exact in a double any more; a few more are added to the
    double; the rest is not looked at.
    """
    leading_zeros = len(fraction) - len(fraction.lstrip("0")) if whole == "0" else 0
    room = 16 - (0 if whole == "0" else len(whole))  # 16 digits may be exact, 17 never are
    used = min(max(leading_zeros + room, 0), len(fraction))
    exact = int(whole + fraction[:used])
    if exact <= _EXACT and used < len(fraction):
        used += 1
        exact = int(whole + fraction[:used])
    significand = float(exact)
    counted = len(whole) - 1 + used - leading_zeros
    for digit in fraction[used : used + max(_SIGNIFICANT_DIGITS - counted, 0)]:
        significand = significand * 10.0 + int(digit)
        used += 1
    return significand, -used


def _read_exponent(text: str, limit: int) -> int:
    exponent = int(text[:12])
    if exponent > limit and len(text.lstrip("+")) > 1:
        raise NumberTooBigError
    return max(exponent, _NO_SMALLER_EXPONENT)


def _scale(significand: float, exponent: int) -> float:
    if exponent < -_MAX_EXPONENT:
        significand /= _POWERS[_MAX_EXPONENT]
        exponent += _MAX_EXPONENT
    if exponent < -_MAX_EXPONENT:
        return 0.0
    if exponent >= 0:
        return significand * _POWERS[exponent]
    return significand / _POWERS[-exponent]


def write_double(value: float) -> str:
    """Write a double as RapidJSON does: ``0.1``, ``1e30``, ``18446744073709553000.0``."""
    if math.isnan(value):
        return "NaN"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if math.isinf(value):
        return f"{sign}Infinity"
    if value == 0:
        return f"{sign}0.0"
    return sign + _prettify(*_grisu2(abs(value)))


def _prettify(digits: str, exponent: int) -> str:
    """Place the decimal point in ``digits`` by 10^``exponent``."""
    point = len(digits) + exponent
    if exponent >= 0 and point <= 21:
        return digits + "0" * exponent + ".0"
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1}"


def _grisu2(value: float) -> tuple[str, int]:
    """Return digits and exponent of a short text that reads as ``value`` (Loitsch 2010).

    A pair of integers (f, e) stands for f times 2^e; products keep 64 bits, rounded.
    """
    f, e = _parts(value)
    upper_f, upper_e = _normalised(2 * f + 1, e - 1)
    lower_f, lower_e = (4 * f - 1, e - 2) if f == 1 << 52 else (2 * f - 1, e - 1)
    lower_f <<= lower_e - upper_e
    power_f, power_e, exponent = _cached_power(upper_e)
    scaled = _rounded_product(_normalised(f, e)[0], power_f)
    high = _rounded_product(upper_f, power_f) - 1
    low = _rounded_product(lower_f, power_f) + 1
    digits, shift = _generate_digits(scaled, high, high - low, -(upper_e + power_e + 64))
    return digits, exponent + shift


def _parts(value: float) -> tuple[int, int]:
    mantissa, exponent = math.frexp(value)
    f, e = int(mantissa * 2**53), exponent - 53
    return (f, e) if e >= -1074 else (f >> (-1074 - e), -1074)


def _normalised(f: int, e: int) -> tuple[int, int]:
    shift = 64 - f.bit_length()
    return f << shift, e - shift


def _rounded_product(a: int, b: int) -> int:
    return (a * b + (1 << 63)) >> 64


@functools.lru_cache(maxsize=128)
def _cached_power(e: int) -> tuple[int, int, int]:
    """Return a power of ten that brings 2^e near 2^-60, as (f, e), and its negated decimal exponent."""
    power = (347 + 8 - ((61 + e) * 78913 >> 18) & ~7) - 348
    numerator, denominator = (10**power, 1) if power >= 0 else (1, 10**-power)
    scale = numerator.bit_length() - denominator.bit_length() - 64
    if numerator << max(-scale, 0) >= denominator << max(scale, 0) + 64:
        scale += 1
    numerator, denominator = numerator << max(-scale, 0), denominator << max(scale, 0)
    return (2 * numerator + denominator) // (2 * denominator), scale, -power


def _generate_digits(scaled: int, high: int, delta: int, shift: int) -> tuple[str, int]:
    """Return the fewest digits of ``high`` that stay within ``delta`` of it, near ``scaled``.

    ``shift`` is the number of binary places. Returns how many decimal places the digits stand for, too.
    """
    distance = high - scaled
    one = 1 << shift
    whole = str(high >> shift)
    for places in range(len(whole) - 1, -1, -1):
        unit = 10**places << shift
        rest = high % unit
        if rest <= delta:
            return _rounded_last(whole[: len(whole) - places], delta, rest, unit, distance), places
    digits, rest, places = whole.lstrip("0"), high % one, 0
    while rest >= delta:
        rest, delta, places = rest * 10, delta * 10, places - 1
        digits = (digits + str(rest >> shift)).lstrip("0")
        rest %= one
    # RapidJSON knows the powers of ten up to the eighth here, and rounds no more after that
    distance = distance * 10**-places if places > -9 else 0
    return _rounded_last(digits, delta, rest, one, distance), places


def _rounded_last(digits: str, delta: int, rest: int, unit: int, distance: int) -> str:
    """Lower the last digit while that brings the text nearer to the value."""
    last = int(digits[-1])
    while (
        rest < distance
        and delta - rest >= unit
        and (rest + unit < distance or distance - rest > rest + unit - distance)
    ):
        last -= 1
        rest += unit
    return digits[:-1] + str(last)
