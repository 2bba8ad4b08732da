"""YAML 1.2 core text to JSON values that remember where they stood.

The parser gives events; values are made here, because YAML 1.1's readings (`no` is
false, `16:9` is 969, the last of two equal keys wins) must never reach a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from foxbatch.canonical import MAX_SAFE_INTEGER, Json
from foxbatch.errors import InvalidError, Position, Problem, Related, Severity

Where: TypeAlias = "tuple[str | int, ...]"
"""A place inside a JSON value: keys and indices from the root."""

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 1_000_000
MAX_ALIAS_NODES = 10_000

_Span: TypeAlias = tuple[int, int, int, int]  # as in Position, from 1
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CONTROL = re.compile(
    "[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff\ud800-\udfff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True, eq=False)
class _Node:
    """A value, where it stood and what is in it."""

    value: Json
    span: _Span
    plain: bool = False  # an unquoted scalar
    block: bool = False  # a scalar after `|` or `>`
    keys: dict[str, _Span] = field(default_factory=dict)
    children: dict[str | int, _Node] = field(default_factory=dict)
    size: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where it says it.

    Attributes:
        value: Plain JSON values. Parts written once and aliased are shared: read only.
        file: As shown to the user.
        text: The decoded text with LF line ends, for carets.
        problems: What was noticed while reading.
    """

    value: Json
    file: str
    text: str = field(repr=False)
    problems: tuple[Problem, ...] = ()
    _root: _Node | None = field(default=None, repr=False, compare=False)

    def position(self, where: Where, *, key: bool = False) -> Position:
        """Return where the value at *where* stands (its key with *key*).

        A place that does not exist has the position of its nearest parent.
        """
        if self._root is None:
            return Position(self.file)
        parent, node, last = self._root, self._root, None
        for step in where:
            child = node.children.get(step)
            if child is None:
                return self._at(node, parent, last, key=key)
            parent, node, last = node, child, step
        return self._at(node, parent, last, key=key)

    def _at(
        self, node: _Node, parent: _Node, last: str | int | None, *, key: bool
    ) -> Position:
        span = parent.keys.get(last) if key and isinstance(last, str) else None
        return Position(self.file, *(span or node.span))

    def is_block(self, where: Where) -> bool:
        """Return whether the text at *where* is a block scalar (`|` or `>`)."""
        node = self._find(where)
        return node is not None and node.block

    def comment_after(self, where: Where) -> tuple[Position, str] | None:
        """Return the comment that ends the line of an unquoted scalar, if any.

        `A cat on Route #66` is read as `A cat on Route`: the text of the comment
        (`#66`) shows what was lost.
        """
        node = self._find(where)
        if node is None or not node.plain:
            return None
        _, _, line, column = node.span
        rest = self.text.split("\n")[line - 1][column - 1 :]
        comment = rest.lstrip(" \t")
        if not comment.startswith("#"):
            return None
        start = column + len(rest) - len(comment)
        end = start + len(comment)
        return Position(self.file, line, start, line, end), comment

    def _find(self, where: Where) -> _Node | None:
        node = self._root
        for step in where:
            node = node.children.get(step) if node else None
        return node


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
    decoded = _decode(text, file)
    # YAML 1.2 breaks lines at LF and CR only; the parser follows 1.1, where these
    # three are line breaks too. Characters the text does not use stand in for them.
    stand_ins = _stand_ins(decoded)
    builder = _Builder(file, {new: old for old, new in stand_ins.items()})
    try:
        root = builder.build(decoded.translate(str.maketrans(stand_ins)))
    except yaml.MarkedYAMLError as error:
        problem = _explain(error, decoded.split("\n"), file)
        raise InvalidError((*builder.problems, problem)) from None
    return Document(root.value, file, decoded, tuple(builder.problems), root)


def _decode(text: str | bytes, file: str) -> str:
    if len(text) > MAX_BYTES:
        raise _failure(
            "E-YAML-SIZE",
            f"the file has {len(text):,} bytes, more than {MAX_BYTES:,}",
            Position(file),
            "Split it into several manifests.",
        )
    if isinstance(text, bytes):
        text = _from_utf8(text, file)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if found := _CONTROL.search(text) or _SURROGATE.search(text):
        lone = _SURROGATE.match(found[0]) is not None
        what = "half of a surrogate pair" if lone else "a control character"
        raise _failure(
            "E-TEXT",
            f"U+{ord(found[0]):04X} is {what}, not text",
            _position_at(text, found.start(), file),
            "Remove the character."
            if lone
            else 'Remove it, or write "\\x…" in quotes.',
        )
    return text


def _from_utf8(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        before = before.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        raise _failure(
            "E-UTF8",
            f"byte 0x{content[error.start]:02X} at offset {error.start} is not UTF-8",
            _position_at(before, len(before), file),
            "Save the file as UTF-8.",
        ) from None


def _position_at(text: str, offset: int, file: str) -> Position:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return Position(file, line, column, line, column + 1)


def _failure(code: str, message: str, position: Position, hint: str) -> InvalidError:
    return InvalidError((Problem(code, message, position, hint),))


def _stand_ins(text: str) -> dict[str, str]:
    breaks = [char for char in "\x85\u2028\u2029" if char in text]
    if not breaks:
        return {}
    unused = (chr(point) for point in range(0xE000, 0xF900) if chr(point) not in text)
    return dict(zip(breaks, unused, strict=False))


class _Builder:
    """Makes nodes from the parser's events, and keeps what is wrong with them."""

    def __init__(self, file: str, originals: dict[str, str]) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._originals = str.maketrans(originals)
        self._anchors: dict[str, _Node | None] = {}
        self._nodes = 0
        self._aliased = 0

    def build(self, text: str) -> _Node:
        events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        next(events)  # the start of the stream
        start = next(events)
        if isinstance(start, yaml.StreamEndEvent):
            raise _failure(
                "E-YAML-EMPTY",
                "the file is empty",
                Position(self._file),
                "Type `foxbatch init` for an example to start from.",
            )
        if start.version == (1, 1):
            self._report(
                "E-YAML-VERSION",
                "%YAML 1.1 asks for other rules than this file is read by",
                _span(start),
                "Remove the line: YAML 1.2 is read.",
            )
        root = self._node(next(events), events, 0)
        next(events)  # the end of the document
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._report(
                "E-YAML-DOCUMENTS",
                "a second document starts here, and a file holds one",
                _span(after),
                "Remove the line `---`, or move what follows to a file of its own.",
            )
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        self._count(event, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # not complete: no alias to itself
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            node = self._mapping(event, events, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, event: Any, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._fatal(
                "E-YAML-NODES",
                f"the file has more than {MAX_NODES:,} values",
                _span(event),
                "Split it into several manifests.",
            )
        if depth > MAX_DEPTH:
            raise self._too_deep(event)

    def _too_deep(self, event: Any) -> InvalidError:
        return self._fatal(
            "E-YAML-DEPTH",
            f"values are nested more than {MAX_DEPTH} deep",
            _span(event),
            "Nest less.",
        )

    def _alias(self, event: Any, depth: int) -> _Node:
        target = self._anchors.get(event.anchor)
        if target is None:
            itself = event.anchor in self._anchors
            self._report(
                "E-YAML-ALIAS",
                f"*{event.anchor} is used inside &{event.anchor} itself"
                if itself
                else f"*{event.anchor} refers to no anchor &{event.anchor}",
                _span(event),
                f'Put "*{event.anchor}" in quotes if it is text.',
            )
            return _Node(None, _span(event))
        self._aliased += target.size
        if self._aliased > MAX_ALIAS_NODES:
            raise self._fatal(
                "E-YAML-ALIAS",
                f"aliases expand to more than {MAX_ALIAS_NODES:,} values",
                _span(event),
                "Write less with aliases; only `matrix.axes` should multiply.",
            )
        if depth + target.height > MAX_DEPTH:
            raise self._too_deep(event)
        return _Node(
            target.value,
            _span(event),
            block=target.block,
            keys=target.keys,
            children=target.children,
            size=target.size,
            height=target.height,
        )

    def _sequence(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        self._check_tag(event, "seq")
        items: list[Json] = []
        node = _Node(items, _span(event))
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            child = self._node(item, events, depth + 1)
            node.children[len(items)] = child
            items.append(child.value)
            _grow(node, child)
        _close(node, event, item)
        return node

    def _mapping(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        self._check_tag(event, "map")
        items: dict[str, Json] = {}
        node = _Node(items, _span(event))
        while not isinstance(item := next(events), yaml.MappingEndEvent):
            key_node = self._node(item, events, depth + 1)
            key = self._key(key_node)
            child = self._node(next(events), events, depth + 1)
            _grow(node, child)
            if key is None:
                continue
            if key in items:
                self._duplicate(key, key_node.span, node.keys[key])
                continue
            items[key] = child.value
            node.keys[key], node.children[key] = key_node.span, child
        _close(node, event, item)
        return node

    def _key(self, node: _Node) -> str | None:
        key = node.value
        if isinstance(key, str):
            if key == "<<" and node.plain:
                self._report(
                    "E-YAML-MERGE",
                    "<< (merge) is not part of YAML 1.2",
                    node.span,
                    "Write the keys out; a whole value may be an alias (`key: *name`).",
                )
                return None
            return key
        shown = "null" if key is None else str(key).lower()
        simple = not isinstance(key, list | dict)
        self._report(
            "E-YAML-KEY",
            f"the key {shown} is {_kind(key)}, and keys are text",
            node.span,
            f'Put it in quotes: "{shown}".' if simple else "Use text as the key.",
        )
        return None

    def _duplicate(self, key: str, span: _Span, first: _Span) -> None:
        self._report(
            "E-YAML-DUP-KEY",
            f'the key "{key}" is given twice',
            span,
            "Remove one of them, or rename it.",
            Related(Position(self._file, *first), "first given here"),
        )

    def _scalar(self, event: Any) -> _Node:
        text = event.value.translate(self._originals)
        span = _span(event)
        if event.style in {"|", ">"}:
            span = (*span[:2], span[0], span[1] + 1)
        node = _Node(text, span, block=event.style in {"|", ">"})
        if _SURROGATE.search(text):
            self._report("E-TEXT", "half of a surrogate pair is not text", span, "")
        elif event.tag is not None and event.tag != "!":
            node.value = self._tagged(event, text)
        elif event.implicit[0] and event.tag is None:
            node.plain = True
            node.value = self._resolve(text, span)
        return node

    def _tagged(self, event: Any, text: str) -> Json:
        name = event.tag.removeprefix(_TAG)
        if event.tag.startswith(_TAG) and name == "str":
            return str(text)
        value = self._resolve(text, _span(event))
        kinds = {"null": type(None), "bool": bool, "int": int, "float": float}
        if name == "float" and type(value) is int:
            return float(value)
        if event.tag.startswith(_TAG) and type(value) is kinds.get(name):
            return value
        self._unknown_tag(event)
        return text

    def _check_tag(self, event: Any, name: str) -> None:
        if event.tag not in {None, "!", _TAG + name}:
            self._unknown_tag(event)

    def _unknown_tag(self, event: Any) -> None:
        shown = event.tag.replace(_TAG, "!!")
        self._report(
            "E-YAML-TAG",
            f"the tag {shown} is not known, or does not fit its value",
            _span(event),
            "Remove it, or put the whole value in quotes if it is text.",
        )

    def _resolve(self, text: str, span: _Span) -> Json:
        """Return what an unquoted scalar means in the core schema of YAML 1.2."""
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text[0] in "tT"
        if _INT.fullmatch(text):
            return self._integer(text, span)
        if _FLOAT.fullmatch(text):
            value = float(text)
            if value - value == 0:
                return value
        elif not _NOT_FINITE.fullmatch(text):
            return text
        self._report(
            "E-NUMBER",
            f"{text} is not a finite number",
            span,
            f'Write a finite number, or "{text}" in quotes if it is text.',
        )
        return 0

    def _integer(self, text: str, span: _Span) -> int:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # Leading zeros apart, 16 digits are the most that can fit, and int() refuses
        # thousands of them.
        digits = text.lstrip("+-").removeprefix("0o").removeprefix("0x").lstrip("0")
        if len(digits) <= 20:  # noqa: PLR2004
            value = int(digits or "0", base) * (-1 if text[0] == "-" else 1)
            if abs(value) <= MAX_SAFE_INTEGER:
                return value
        self._report(
            "E-NUMBER",
            f"{text[:40]} does not fit a JSON number exactly",
            span,
            "Use at most ±9007199254740991, or quotes if it is text.",
        )
        return 0

    def _report(
        self, code: str, message: str, span: _Span, hint: str, *related: Related
    ) -> None:
        position = Position(self._file, *span)
        self.problems.append(Problem(code, message, position, hint, related=related))

    def _fatal(self, code: str, message: str, span: _Span, hint: str) -> InvalidError:
        self._report(code, message, span, hint)
        return InvalidError(tuple(self.problems))


def _span(event: Any) -> _Span:
    start, end = event.start_mark, event.end_mark
    return start.line + 1, start.column + 1, end.line + 1, end.column + 1


def _grow(node: _Node, child: _Node) -> None:
    node.size += child.size
    node.height = max(node.height, child.height + 1)


def _close(node: _Node, start: Any, end: Any) -> None:
    # A block collection "ends" where the next thing starts; people mean its last line.
    if start.flow_style or not node.children:
        finish = _span(end)[2:]
    else:
        finish = max(child.span[2:] for child in node.children.values())
    node.span = (*node.span[:2], *finish)


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "a mapping"


# What the parser says, where it is best shown (the problem, or the beginning of what
# the parser was reading), what that means, and what to write instead.
_SYNTAX: tuple[tuple[str, str, str, str], ...] = (
    (
        "found unexpected end of stream",
        "start",
        "the quote that opens here is never closed",
        'Close it; inside \'…\' a quote is written twice, inside "…" as \\".',
    ),
    (
        "could not find expected ':'",
        "start",
        "this line is neither `key: value` nor part of the text above it",
        "Add a colon and a space after the key, or indent the line like its text.",
    ),
    (
        "did not find expected ',' or ']'",
        "start",
        "the list that opens here is not closed with ], or lacks a comma",
        "Separate the values by commas, and quote text that holds , [ ] { or }.",
    ),
    (
        "did not find expected ',' or '}'",
        "start",
        "the mapping that opens here is not closed with }, or lacks a comma",
        "Separate the pairs by commas, and quote text that holds , [ ] { or }.",
    ),
    (
        "did not find expected '-' indicator",
        "problem",
        "this line stands where the next list item was expected",
        "Begin it with `- `, or indent it like what it belongs to.",
    ),
    (
        "did not find expected key",
        "problem",
        "this does not belong to the lines above it",
        "Indent it like its neighbours; text after a closing quote goes inside it.",
    ),
    (
        "block sequence entries are not allowed",
        "problem",
        "a list cannot start on the line of its key",
        "Begin a new line before the `-`.",
    ),
    (
        "unknown escape character",
        "problem",
        'in "…" a backslash starts an escape, and this one does not exist',
        "Write \\\\ for a backslash, or use single quotes.",
    ),
    (
        "expected <document start>",
        "problem",
        "the document ended before this line",
        "Indent it like the first line of the file.",
    ),
    (
        "expected comment or line break",
        "problem",
        "text cannot start on the line of `|` or `>`",
        "Begin a new, indented line after it.",
    ),
)


def _explain(error: yaml.MarkedYAMLError, lines: list[str], file: str) -> Problem:
    """Return the parser's complaint in plain words, at the most telling place."""
    said, context = error.problem or "", error.context or ""
    mark: Any = error.problem_mark or error.context_mark
    start: Any = error.context_mark or mark
    line = lines[mark.line] if mark.line < len(lines) else ""
    rest = line[mark.column :]

    def problem(
        at: Any, message: str, hint: str, code: str = "E-YAML-SYNTAX"
    ) -> Problem:
        row, column = at.line + 1, at.column + 1
        return Problem(
            code, message, Position(file, row, column, row, column + 1), hint
        )

    if rest.startswith("\t") or "tab character" in said:
        return problem(mark, "a tab is used for indentation", "Use spaces.")
    if rest.startswith("{{") and line[: mark.column].endswith("$"):
        return problem(
            mark,
            "${{ … }} inside [ ] or { } must stand in quotes",
            'Put the whole text in quotes: "… ${{ … }} …".',
        )
    if "mapping values are not allowed" in said:
        return problem(mark, *_stray_colon(line[: mark.column]))
    if "cannot start any token" in said:
        return problem(mark, *_not_a_start(rest[:1]))
    if context.endswith(("an alias", "an anchor", "a tag", "a directive")):
        first = lines[start.line][start.column : start.column + 1]
        return problem(start, *_not_a_start(first))
    if "Unicode character escape" in said:
        message = "the escape here is no character of its own"
        return problem(mark, message, "Write the character itself.", "E-TEXT")
    for known, at, message, hint in _SYNTAX:
        if known in said:
            return problem(start if at == "start" else mark, message, hint)
    message = f"this is not YAML: {said}" + (f" {context}" if context else "")
    return problem(mark, message, "Put text with special characters in quotes.")


def _stray_colon(before: str) -> tuple[str, str]:
    if ": " in before or before.lstrip().startswith("- "):
        return (
            "a second `: ` on one line makes YAML read a key here",
            "Put the text in quotes if the colon is part of it.",
        )
    return (
        "a key stands here, but the text above goes on up to it",
        "Indent the key like its neighbours, and close what is open above.",
    )


def _not_a_start(first: str) -> tuple[str, str]:
    return (
        f"text cannot start with {first} unless it is quoted",
        "Put the whole text in quotes.",
    )
