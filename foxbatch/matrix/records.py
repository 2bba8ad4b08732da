"""Text of CSV and JSON Lines files to values that know their line, strictly."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from foxbatch.canonical import MAX_SAFE_INTEGER, NOT_TEXT, Json
from foxbatch.matrix.refusals import FormError
from foxbatch.schema import show, suggest

MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Record:
    """One value of a file.

    Attributes:
        line: Where it begins, from 1.
        value: What it says.
    """

    line: int
    value: Json


Records: TypeAlias = Iterator[Record | FormError]
"""Values in the order of the file, and what is wrong with those that cannot be read."""

# RFC 4180, with LF for every line end. A quoted field holds anything, quotes doubled.
_FIELD = re.compile(
    r'(?:"(?P<quoted>[^"]*(?:""[^"]*)*)"|(?P<plain>[^",\n]*))(?P<end>,|\n|\Z)'
)


def csv_rows(text: str, types: Mapping[str, str]) -> Records:
    """Yield the rows of a CSV file below its header, each as a mapping.

    Args:
        text: With LF line ends.
        types: Columns that are not text: `int`, `float`, `bool` or `json`.
    """
    rows = _csv_records(text)
    first = next(rows, None)
    if isinstance(first, FormError):
        yield first
        return
    header = first[1] if first else []
    if wrong := _header_error(header, types):
        yield wrong
        return
    for row in rows:
        yield row if isinstance(row, FormError) else _csv_row(row, header, types)


def _csv_records(text: str) -> Iterator[tuple[int, list[str]] | FormError]:
    at, line = 0, 1
    while at < len(text):
        begin, fields = line, list[str]()
        while True:
            found = _FIELD.match(text, at)
            if found is None:
                yield _bad_quotes(text, at, line)
                return
            line += found[0].count("\n")
            quoted = found["quoted"]
            fields.append(
                found["plain"] if quoted is None else quoted.replace('""', '"')
            )
            at = found.end()
            if found["end"] != ",":
                break
        yield begin, fields


def _bad_quotes(text: str, at: int, line: int) -> FormError:
    if text[at] != '"':
        what, hint = "a quote stands inside", "Put the whole value in quotes, and"
    elif re.compile(r'"[^"]*(?:""[^"]*)*\Z').match(text, at):
        return FormError(
            "E-CSV",
            "a quoted value is never closed",
            hint='Close it with ".',
            line=line,
        )
    else:
        what, hint = "text follows the quotes of", "Put it inside the quotes, and"
    return FormError(
        "E-CSV",
        f"{what} a value",
        hint=f'{hint} write "" for a quote in it.',
        line=line,
    )


def _header_error(header: list[str], types: Mapping[str, str]) -> FormError | None:
    """Return what is wrong with the names of the columns, if anything is."""
    message = hint = ""
    twice = [name for name, count in Counter(header).items() if count > 1]
    strange = [name for name in header if name.startswith("$")]
    if not any(header):
        message = "there is no header"
        hint = "Begin the file with a line that names the columns, such as: text,id"
    elif "" in header:
        message, hint = "a column has no name", "Name every column in the first line."
    elif twice:
        message = f"two columns are called {show(twice[0])}"
        hint = "Rename one of them, or remove it."
    elif strange:
        message = f"a column is called {show(strange[0])}"
        hint = "The name of a column cannot begin with $."
    if message:
        return FormError("E-CSV", message, hint=hint, line=1)
    for name in types:
        if name not in header:
            return FormError(
                "E-CSV",
                f"types names {show(name)}, which is no column",
                hint=suggest(name, header, "Columns"),
                inside=("types", name),
            )
    return None


def _csv_row(
    row: tuple[int, list[str]], header: list[str], types: Mapping[str, str]
) -> Record | FormError:
    line, fields = row
    if len(fields) != len(header):
        count = f"{len(fields)} value{'s' if len(fields) != 1 else ''}"
        return FormError(
            "E-CSV",
            f"a row has {count if any(fields) else 'nothing in it'}, "
            f"and the header has {len(header)} columns",
            hint='Put a value with a comma in it in quotes: "a, b".'
            if len(fields) > len(header)
            else "Add the missing values, or remove the row.",
            line=line,
        )
    values: dict[str, Json] = {}
    for name, field in zip(header, fields, strict=True):
        try:
            values[name] = _CONVERSIONS[types.get(name, "")](field)
        except ValueError as error:
            words, hint = _TYPE_WORDS[types[name]]
            said = f": {error}" if types[name] == "json" else ""
            return FormError(
                "E-CSV-TYPE",
                f"{name} is {show(field)}, and must be {words}{said}",
                hint=hint,
                line=line,
            )
    return Record(line, values)


_TYPE_WORDS = {
    "int": ("a whole number", "Write at most ±9007199254740991, digits only."),
    "float": ("a number", "Write a number such as 1.5."),
    "bool": ("true or false", "Write true or false."),
    "json": ("JSON", "Write a JSON value, or remove the column from `types`."),
}

# Numbers and truth are spelt as in YAML.
_INT = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BOOLS = {"true": True, "True": True, "TRUE": True}
_BOOLS |= {"false": False, "False": False, "FALSE": False}


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise ValueError(text)
    return _safe(int(text))


def _safe(value: int) -> int:
    if abs(value) > MAX_SAFE_INTEGER:
        raise ValueError(f"{value} does not fit a JSON number exactly")
    return value


def _float(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise ValueError(text)
    return _finite(text)


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text} is not a finite number")
    return value


def _bool(text: str) -> bool:
    if text not in _BOOLS:
        raise ValueError(text)
    return _BOOLS[text]


def json_lines(text: str) -> Records:
    """Yield the values of a JSON Lines file, one per line.

    Args:
        text: With LF line ends.
    """
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if not text:
            return
        try:
            yield Record(number, strict_json(line))
        except ValueError as error:
            yield FormError(
                "E-JSONL",
                f"the line is no JSON value: {error}",
                hint="Each line holds one value, such as: "
                '{"text": "A dog", "id": "dog"}',
                line=number,
            )


def strict_json(text: str) -> Json:
    """Return the JSON value that *text* is.

    Raises:
        ValueError: It is none, or one that JSON leaves open: NaN, a key given twice,
            an integer that a double cannot hold, text that is none, nested too deep.
    """
    if not text.strip():
        raise ValueError("it is empty")
    # Before the parser, which would need its own stack for each level.
    if _depth(text) > MAX_DEPTH:
        raise ValueError(f"values are nested more than {MAX_DEPTH} deep")
    try:
        return _texts_checked(
            json.loads(
                text,
                object_pairs_hook=_mapping,
                parse_int=_whole,
                parse_float=_finite,
                parse_constant=_no_number,
            )
        )
    except json.JSONDecodeError as error:
        reason = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        raise ValueError(f"{reason} at column {error.colno}") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    # A string that is never closed is skipped too, lest each quote in it is tried.
    for sign in re.findall(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', text):
        if sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    return deepest


def _mapping(pairs: list[tuple[str, Json]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {show(twice)} is given twice")
    return found


def _whole(digits: str) -> int:
    # int() refuses thousands of digits, in words of its own.
    if len(digits) > 20:  # noqa: PLR2004  the largest has 16 and a sign
        raise ValueError(f"{digits[:20]}… does not fit a JSON number exactly")
    return _safe(int(digits))


def _no_number(name: str) -> Json:
    raise ValueError(f"{name} is no number")


def _texts_checked(value: Json) -> Json:
    match value:
        case str() if found := NOT_TEXT.search(value):
            raise ValueError(f"it holds U+{ord(found[0]):04X}, which is no text")
        case list():
            for item in value:
                _texts_checked(item)
        case dict():
            for key, item in value.items():
                _texts_checked(key)
                _texts_checked(item)
        case _:
            pass
    return value


_CONVERSIONS: Mapping[str, Callable[[str], Json]] = {
    "": str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "json": strict_json,
}
