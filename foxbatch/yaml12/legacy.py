"""What tools of YAML 1.1 make of an unquoted scalar that YAML 1.2 reads otherwise.

Most editors, linters and languages still read by the types of 2005
(https://yaml.org/type/), where `no` is false and `16:9` is the number 969.
"""

from __future__ import annotations

import re
from functools import reduce

_BOOL = {
    **dict.fromkeys(("y", "yes", "on"), "true"),
    **dict.fromkeys(("n", "no", "off"), "false"),
}
_BINARY = re.compile(r"[-+]?0b[01_]+")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F_]+")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?")
_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?"
)
# Numbers of YAML 1.2 that are text, or another number, in 1.1.
_NEW_NUMBER = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+"
)
_FIRST = frozenset("+-.0123456789yYnNoO")
_LONGEST = 64  # characters; a longer number is nobody's slip


def old_reading(text: str) -> str:
    """Return what YAML 1.1 reads where 1.2 reads *text* otherwise; else nothing.

    The answer is such as `false`, `a date`, `text` or `the number 969`.
    """
    if len(text) > _LONGEST or text[:1] not in _FIRST:
        return ""
    if text in {text.lower(), text.capitalize(), text.upper()}:
        known = _BOOL.get(text.lower())
        if known is not None:
            return known
    if _TIMESTAMP.fullmatch(text):
        return "a date"
    return _number(text)


def _number(text: str) -> str:
    bare = text.replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = bare.lstrip("+-")
    if _BINARY.fullmatch(text) and digits != "0b":
        return f"the number {sign * int(digits, 2)}"
    if _SIXTIES.fullmatch(text):
        return f"the number {sign * _of_sixties(digits):g}"
    if _OCTAL.fullmatch(text):
        value = int(digits, 8)
        same = "_" not in text and value == int(digits)
        return "" if same else f"the number {sign * value}"
    if any(form.fullmatch(text) for form in (_DECIMAL, _FLOAT, _HEX)):
        signed_hex = text[0] in "+-" and "x" in text
        return "a number" if bare != text or signed_hex else ""
    return "text" if _NEW_NUMBER.fullmatch(text) else ""


def _of_sixties(digits: str) -> float:
    return reduce(lambda sum_, part: sum_ * 60 + float(part), digits.split(":"), 0.0)
