"""YAML 1.2 core text to JSON values that remember where they stood.

The parser gives events; values are made here, because YAML 1.1's readings (`no` is
false, `16:9` is 969, the last of two equal keys wins) must never reach a request.
"""

from __future__ import annotations

import yaml

from foxbatch.canonical import NOT_TEXT
from foxbatch.errors import InvalidError, Position, Problem, Severity
from foxbatch.yaml12.build import REMOVE, Builder, why_not_text
from foxbatch.yaml12.document import Document, Scalar, Where
from foxbatch.yaml12.legacy import old_reading
from foxbatch.yaml12.syntax import explain

__all__ = [
    "MAX_BYTES",
    "Document",
    "Scalar",
    "Where",
    "decode",
    "old_reading",
    "parse",
    "scan",
]

MAX_BYTES = 16 * 1024 * 1024


def parse(text: str | bytes, *, file: str) -> Document:
    """Return the one document that *text* holds.

    Raises:
        InvalidError: With every problem; a syntax error hides what follows it.
    """
    document = scan(text, file=file)
    if any(problem.severity is Severity.ERROR for problem in document.problems):
        raise InvalidError(document.problems)
    return document


def scan(text: str | bytes, *, file: str) -> Document:
    """Read like `parse`, but leave errors that still give a value in `problems`.

    So a duplicate key and a misspelt one can be reported together.

    Raises:
        InvalidError: The text is too large, is not UTF-8, or is not YAML.
    """
    decoded = decode(text, file)
    # YAML 1.2 breaks lines at LF and CR only; the parser follows 1.1, where these
    # three are line breaks too. Characters the text does not use stand in for them.
    stand_ins = _stand_ins(decoded)
    builder = Builder(file, {new: old for old, new in stand_ins.items()})
    table = {ord(old): new for old, new in stand_ins.items()}
    try:
        root = builder.build(decoded.translate(table))
    except yaml.MarkedYAMLError as error:
        problem = explain(error, decoded.split("\n"), file)
        raise InvalidError((*builder.problems, problem)) from None
    return Document(root.value, file, decoded, tuple(builder.problems), root)


def decode(text: str | bytes, file: str) -> str:
    """Return *text* as it is read: without a byte order mark, with LF line ends.

    Raises:
        InvalidError: It is too large, is not UTF-8, or holds control characters.
    """
    if len(text) > MAX_BYTES:
        raise _failure(
            "E-YAML-SIZE",
            f"the file has more than {MAX_BYTES:,} bytes",
            Position(file),
            "Split it into several manifests.",
        )
    if isinstance(text, bytes):
        text = _from_utf8(text, file)
    text = _with_lf(text)
    if found := NOT_TEXT.search(text):
        at = _position_at(text, found.start(), file)
        raise _failure("E-TEXT", why_not_text(found[0]), at, REMOVE)
    return text


def _from_utf8(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = _with_lf(content[: error.start].decode("utf-8"))
        raise _failure(
            "E-UTF8",
            f"byte 0x{content[error.start]:02X} at offset {error.start} is not UTF-8",
            _position_at(before, len(before), file),
            "Save the file as UTF-8.",
        ) from None


def _with_lf(text: str) -> str:
    """Return *text* without a byte order mark, and with LF line ends."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _position_at(text: str, offset: int, file: str) -> Position:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return Position(file, line, column, line, column + 1)


def _stand_ins(text: str) -> dict[str, str]:
    breaks = [char for char in "\x85\u2028\u2029" if char in text]
    if not breaks:
        return {}
    unused = (chr(point) for point in range(0xE000, 0xF900) if chr(point) not in text)
    return dict(zip(breaks, unused, strict=False))


def _failure(code: str, message: str, position: Position, hint: str) -> InvalidError:
    return InvalidError((Problem(code, message, position, hint),))
