"""Text made safe for file names, and labels that come from what they label."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from foxbatch import canonical
from foxbatch.canonical import Json

MAX_FORM = 28  # characters of one axis value or label in a name
MAX_STEP = 120  # characters of one step of an output path
_MAX_STEP_BYTES = 240  # in UTF-8: of some scripts fewer characters fit in a name
_MAX_INSERTED = 60  # characters of one value in an output path

_UNSAFE = re.compile(r"[^A-Za-z0-9._]+")
_RATIO = re.compile(r"(?<=\d):(?=\d)")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(?:\.|$)", re.IGNORECASE
)
_TEMPLATE = re.compile(r"\$\{\{.*?\}\}")


def fingerprint(value: Json, length: int = 4) -> str:
    """Return a few characters, an even number, that stand for *value*."""
    return canonical.base32(canonical.digest(value), length)


def slug(text: str, limit: int) -> str:
    """Return *text* in ASCII letters, digits, `.`, `_` and `-`; may be empty.

    Whole words are kept as long as they fit in *limit* characters.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    safe = _UNSAFE.sub("-", _RATIO.sub("x", text)).strip("-._")
    if len(safe) <= limit:
        return safe
    # A cut inside the first word is better than no word at all.
    cut = safe[:limit] if safe[limit] == "-" else safe[:limit].rpartition("-")[0]
    return (cut or safe[:limit]).strip("-._")


@functools.lru_cache(maxsize=256)
def safe_step(text: str) -> str:
    """Return *text* as one folder or file name that every system accepts."""
    encoded = text[: MAX_STEP + 1].encode("utf-8", "ignore")
    fits = len(text) <= MAX_STEP and len(encoded) <= _MAX_STEP_BYTES
    cut = text
    if not fits:
        encoded = text[: MAX_STEP - 5].encode("utf-8", "ignore")
        cut = encoded[: _MAX_STEP_BYTES - 5].decode("utf-8", "ignore")
    cut = cut.strip(" ").rstrip(". ")
    if not fits:
        cut = f"{cut}-{fingerprint(text)}"
    return f"_{cut}" if not cut or _RESERVED.match(cut) else cut


@functools.lru_cache(maxsize=256)
def inserted(text: str) -> str:
    """Return *text* as it may stand inside an output path: no folder, no `..`."""
    short = slug(text, _MAX_INSERTED)
    if len(text) > _MAX_INSERTED or not short:
        return f"{short}-{fingerprint(text)}".lstrip("-")
    return short


def labels(texts: Sequence[Json], given: Sequence[str]) -> list[str]:
    """Return the label of each prompt: the one given, or one derived from its text."""
    derived = [name or _label(text, 4) for text, name in zip(texts, given, strict=True)]
    count = Counter(derived)
    return [
        label if name or count[label] == 1 else _label(text, 8)
        for label, text, name in zip(derived, texts, given, strict=True)
    ]


def _label(text: Json, length: int) -> str:
    words = (
        slug(_TEMPLATE.sub(" ", text), MAX_FORM - 5) if isinstance(text, str) else ""
    )
    return f"{words.lower()}-{fingerprint(text, length)}".lstrip("-")
