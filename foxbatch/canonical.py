"""JSON values in one spelling, so that equal things have equal digests."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring as _quoted
from typing import NewType, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What a YAML or JSON document can hold. Mappings keep the order of the file."""

Digest = NewType("Digest", str)
"""SHA-256 in lower-case hexadecimal, 64 characters."""

JobId = NewType("JobId", str)
"""First 20 characters of the lower-case base32 of a job's SHA-256."""

NOT_TEXT = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
"""A character that no text may hold, written or escaped: what YAML calls unprintable.

Control characters except tab and line ends, halves of surrogate pairs, U+FFFE, U+FFFF.
"""

MAX_SAFE_INTEGER = 2**53 - 1
_JOB_ID_DIGITS = 25  # hexadecimal ones, 100 bits: 20 characters of base32
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]


def encode(value: Json) -> bytes:
    """Return *value* as RFC 8785 canonical JSON (UTF-8).

    Keys are sorted by UTF-16 code units, numbers are spelled as ECMAScript
    spells them (`1.0` is `1`), nothing is normalised.

    Raises:
        ValueError: NaN, an infinity, or an integer beyond ±(2⁵³−1).
        UnicodeEncodeError: A lone surrogate (a `ValueError` too).
        TypeError: Something that is no JSON value, such as a tuple.
    """
    return _text(value).encode("utf-8")


def _text(value: Json) -> str:
    match value:
        case str():
            return _quoted(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number(value)
        case list():
            return f"[{','.join(map(_text, value))}]"
        case dict():
            pairs = [f"{_quoted(key)}:{_text(value[key])}" for key in in_order(value)]
            return f"{{{','.join(pairs)}}}"
        case _:  # left out in silence, it would give two requests one identity
            raise TypeError(f"{type(value).__name__} is no kind of JSON value")


def in_order(keys: Iterable[str]) -> list[str]:
    """Return the keys of an object as RFC 8785 sorts them."""
    # ASCII, which nearly every key is, has one order in all encodings.
    plain = "".join(keys).isascii()
    return sorted(keys) if plain else sorted(keys, key=_utf16_units)


def _utf16_units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def number(value: float) -> str:
    """Return *value* as ECMAScript prints it: the shortest text that reads back.

    Raises:
        ValueError: NaN, an infinity, or an integer that a double cannot hold.
    """
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(f"{value} does not fit a JSON number exactly")
        return str(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
    if value == 0:
        return "0"  # also for -0.0
    return _ecmascript(value)


def _ecmascript(value: float) -> str:
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{float.__repr__(abs(value))}e0".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    exponent = exponent.removesuffix("e0") or "0"
    digits = (whole + fraction).lstrip("0")
    # The decimal point stands after this many digits of `digits`.
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    point = len(whole) - leading + int(exponent)
    digits = digits.rstrip("0") or "0"
    count = len(digits)
    if count <= point <= 21:  # noqa: PLR2004  ECMA-262, Number::toString
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:  # noqa: PLR2004
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:  # noqa: PLR2004
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"


def sha256(content: bytes) -> Digest:
    """Return the SHA-256 of *content* in lower-case hexadecimal."""
    return Digest(hashlib.sha256(content).hexdigest())


def digest(value: Json) -> Digest:
    """Return the SHA-256 of the canonical JSON of *value*."""
    return sha256(encode(value))


def job_digest(
    *, provider: str, endpoint: str, request: Mapping[str, Json], repeat: int
) -> Digest:
    """Return the digest that a job's identity is cut from: the one formula.

    Nothing else belongs to the identity: no name, path, order, limit or key.

    Args:
        provider: Id that the provider declares.
        endpoint: Path of the submit request, such as `/v1/videos/generations`.
        request: Exact body, each local file replaced by `{"sha256": …}`.
        repeat: From 1.
    """
    return digest(
        {
            "v": 1,
            "provider": provider,
            "endpoint": endpoint,
            "request": dict(request),
            "repeat": repeat,
        }
    )


def job_id(full: Digest) -> JobId:
    """Return the short form of a job's digest that people and files see."""
    # base64.b32encode is the same and slow: two characters are ten bits.
    start = int(full[:_JOB_ID_DIGITS], 16)
    pairs = [_PAIRS[start >> bits & 1023] for bits in range(90, -1, -10)]
    return JobId("".join(pairs))


def equal(left: Json, right: Json) -> bool:
    """Return whether two values are equal as JSON: `1` is `1.0`, `true` is not `1`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal(value, right[key]) for key, value in left.items()
        )
    return left == right
