"""Keeping secrets out of what is kept.

Two nets: the key in use, in any spelling that texts have for it, and what looks like
anybody's key. Only the first is cast over addresses and ids: a signature in an address
may look like a key, and without it the address leads nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from foxbatch.canonical import Json

HIDDEN = "***"
"""What stands in the place of a secret."""

MAX_REPLY_CHARACTERS = 64 * 1024
"""How much of a reply is kept as evidence."""

Secrets: TypeAlias = tuple[str, ...]

_CUT = "… (cut)"
_DEEPEST = 64  # no honest answer is nested like this
_SHORTEST = 6  # hiding "test" everywhere would break addresses, and hide no secret
_LOOKS_SECRET = re.compile(
    r"""(?xi)
    (?P<label> authorization ["']? \s* [:=] \s* ["']? (?: (?:bearer|basic) \s+ )? )
        [^\s"',;}\]]+
    | (?P<scheme> \b bearer \s+ ) [A-Za-z0-9._~+/=-]{8,}
    | (?P<prefix> \b sk- ) [A-Za-z0-9_-]{8,}
    """
)


def redact(
    text: str, secrets: Secrets = (), *, bound: int = MAX_REPLY_CHARACTERS
) -> str:
    """Return *text* without *secrets* or anything that looks like one, then cut it.

    In this order: a cut through a secret would leave a piece that nothing recognises.
    """
    text = without_lookalikes(without_secrets(text, secrets))
    return text if len(text) <= bound else text[:bound] + _CUT


def without_secrets(text: str, secrets: Secrets) -> str:
    """Return *text* without *secrets*, however JSON or an address spell them."""
    for secret in secrets:
        # No spelling is shorter than the secret, which spares most texts the search.
        if len(text) >= len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
            if "\\" in text or "%" in text:
                text = _spellings(secret).sub(HIDDEN, text)
    return text


def without_lookalikes(text: str) -> str:
    """Return *text* without what looks like a key."""
    lowered = text.lower()
    if not ("sk-" in lowered or "bearer" in lowered or "authorization" in lowered):
        return text  # which is a hundred times faster to find out
    return _LOOKS_SECRET.sub(
        lambda found: f"{found['label'] or found['scheme'] or found['prefix']}{HIDDEN}",
        text,
    )


def mapped(value: Json, change: Callable[[str], str], *, depth: int = 0) -> Json:
    """Return *value* with *change* made to every text in it, keys included.

    What is nested deeper than any honest answer is left out.
    """
    if isinstance(value, str):
        return change(value)
    if not isinstance(value, list | dict):
        return value
    if depth == _DEEPEST:
        return _CUT
    if isinstance(value, list):
        return [mapped(item, change, depth=depth + 1) for item in value]
    return {
        change(key): mapped(item, change, depth=depth + 1)
        for key, item in value.items()
    }


@cache
def _spellings(secret: str) -> re.Pattern[str]:
    """Return what finds *secret* where any character of it may be escaped, or twice."""
    return re.compile("".join(map(_spelling, secret)))


def _spelling(character: str) -> str:
    # Bounded, and each way begins with a letter of its own: else a text of nothing but
    # backslashes would take hours.
    code = f"{ord(character):02x}"
    slashes = r"\\\\{0,6}"
    ways = [rf"{slashes}u00(?i:{code})", f"%(?:25){{0,3}}(?i:{code})"]
    if character in '"/\\':
        ways.append(slashes + ("" if character == "\\" else character))
    ways.append(re.escape(character))
    return f"(?:{'|'.join(ways)})"
