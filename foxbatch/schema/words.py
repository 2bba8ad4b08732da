"""Values, names and places in the words of a sentence."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence

from foxbatch.canonical import Json, equal
from foxbatch.yaml12 import Where

_SHOWN_LENGTH = 60


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that *word* was most likely meant to be, if any."""
    candidates = list(known)
    plain = {_letters(candidate): candidate for candidate in candidates}
    if _letters(word) in plain:
        return plain[_letters(word)]
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    return close[0] if close else None


def only_near(word: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that is a slip away from *word*, if just one is."""
    close = difflib.get_close_matches(word, known, n=2, cutoff=0.8)
    return close[0] if len(close) == 1 else None


def _letters(word: str) -> str:
    return re.sub(r"[-_ .]", "", word).casefold()


def suggest(word: str, known: Iterable[str], many: str) -> str:
    """Return a hint for an unknown *word*: the nearest known one, else all of them.

    *many* names them all: `Known keys` gives "Known keys: a, b."
    """
    candidates = list(known)
    if close := nearest(word, candidates):
        return f"Did you mean {close}?"
    return f"{many}: {', '.join(candidates)}." if candidates else ""


def show(value: Json) -> str:
    """Return *value* short enough for a sentence, text in double quotes."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _SHOWN_LENGTH:
        return text
    return text[: _SHOWN_LENGTH - 2] + ('…"' if isinstance(value, str) else "…")


def shown(values: Iterable[Json]) -> list[str]:
    """Return *values*, each short enough for a sentence."""
    return [show(value) for value in values]


def place(where: Where, *, root: str = "") -> str:
    """Return *where* as people write it: `jobs[0].matrix.axes`."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".") or root


def pointer(where: Where) -> str:
    """Return *where* as a JSON pointer (RFC 6901)."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in where)
    return "".join(f"/{step}" for step in steps)


TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def described(value: Json) -> str:
    """Return *value* with its kind: `the text "5"`, `a list`."""
    match value:
        case None:
            return "empty (null)"
        case bool():
            return show(value)
        case str():
            return f"the text {show(value)}"
        case int() | float():
            return f"the number {show(value)}"
        case list():
            return "a list"
        case dict():
            return "a mapping"


def either(words: Sequence[str]) -> str:
    """Return `a, b or c`."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def conversion(value: Json, expected: Sequence[str]) -> str:
    """Return how to write *value* as what was expected, where that is plain."""
    match value:
        case str() if "boolean" in expected and value.lower() in _YES_NO:
            return f"Write {'true' if _YES_NO[value.lower()] else 'false'}."
        case str() if {"integer", "number"}.intersection(expected) and _number(value):
            return f"Remove the quotes: {value}."
        case bool() | int() | float() if "string" in expected:
            return f'Put it in quotes: "{show(value)}".'
        case None:
            return "Write a value, or remove the key."
        case list() | dict():
            return ""
        case _ if "array" in expected:
            return f"Write a list: [{show(value)}]."
        case _:
            return ""


_YES_NO = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}


def _number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None


def meant(value: Json, choices: Sequence[Json]) -> str:
    """Return the choice that *value* was most likely meant to be, as a hint."""
    same_text = [choice for choice in choices if str(choice) == str(value)]
    if same_text and not equal(same_text[0], value):
        quotes = (
            "Put it in quotes" if isinstance(same_text[0], str) else "Remove the quotes"
        )
        return f"{quotes}: {show(same_text[0])}."
    texts = [choice for choice in choices if isinstance(choice, str)]
    close = nearest(value, texts) if isinstance(value, str) else None
    return f"Did you mean {show(close)}?" if close else ""
